//! The failed pulls of a pod: of its containers' images, and of the pause image of its sandbox.

use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Remedy, kubectl};
use crate::facts::reading::image::{self, PullFailure};
use crate::facts::reading::progress::{self, Step};
use crate::facts::reading::text::between;
use crate::facts::{ContainerView, Event, Evidence, Facts, Stage};

/// A pull that fails now.
#[derive(Debug, Clone)]
pub struct Pull<'w> {
    /// `None` = the pause image of the sandbox.
    pub container: Option<ContainerView<'w>>,
    pub image: String,
    pub failure: PullFailure,
    /// The error as it stands in the status or the event.
    pub text: String,
    /// The decisive piece first.
    pub evidence: Vec<Evidence>,
}

/// The reasons of a container that waits for its image.
const REASONS: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
    "SignatureValidationFailed",
    "ImageInspectError",
];

impl Pull<'_> {
    /// Returns the registry's host.
    pub fn registry(&self) -> &str {
        image::registry(&self.image)
    }

    /// Returns a finding about this pull, with its container and evidence.
    pub fn finding(&self, cause: &'static Cause, certainty: Certainty) -> Finding {
        let finding = Finding::new(cause, certainty).because(self.evidence.iter().cloned());
        match self.container {
            Some(container) => finding.in_container(container),
            None => finding.explains(&["sandbox-create-failed"]),
        }
    }

    /// Returns what the image is, in words: the container's, or the pause image.
    pub fn subject(&self) -> Words {
        match self.container {
            Some(container) => Words::new(
                format!("image `{}` of container `{}`", plain(&self.image), container.name()),
                format!("容器 `{}` 的镜像 `{}`", container.name(), plain(&self.image)),
            ),
            None => Words::new(
                format!("the pause image `{}` that every pod needs", plain(&self.image)),
                format!("每个 Pod 都需要的 pause 镜像 `{}`", plain(&self.image)),
            ),
        }
    }
}

/// Returns the pulls of the pod that fail now; none for a pod that is being deleted or has ended.
///
/// ErrImagePull and ImagePullBackOff are one failure. Kubelets up to 1.31 say no cause in the back-off's message: there
/// the newest event `Failed` of this container counts.
pub fn failing<'w>(facts: &Facts<'w>) -> Vec<Pull<'w>> {
    let Some(pod) = facts.pod() else { return Vec::new() };
    if !matches!(pod.stage(), Stage::Creating | Stage::Running) {
        return Vec::new();
    }
    let mut pulls: Vec<_> = pod.containers().filter_map(|container| of_container(facts, container)).collect();
    if pulls.is_empty() {
        let mut sandboxes = progress::standing(pod, facts.world, Step::Sandbox).into_iter();
        pulls.extend(sandboxes.find_map(|event| {
            let (image, error) = image::pause_image(event.text())?;
            Some(Pull {
                container: None,
                image: image.to_owned(),
                failure: image::pull_failure(error),
                text: error.to_owned(),
                evidence: vec![event.evidence()],
            })
        }));
    }
    pulls
}

/// Returns the first failing pull that the predicate fits.
pub fn find<'w>(facts: &Facts<'w>, fits: impl Fn(PullFailure) -> bool) -> Option<Pull<'w>> {
    failing(facts).into_iter().find(|pull| fits(pull.failure))
}

fn of_container<'w>(facts: &Facts<'w>, container: ContainerView<'w>) -> Option<Pull<'w>> {
    let waiting = container.waiting().filter(|waiting| REASONS.contains(&waiting.reason))?;
    let mut evidence = vec![waiting.evidence()];
    let text = if image::names_no_cause(waiting.message) {
        let event = pull_event(facts, container);
        evidence.splice(0..0, event.map(Event::evidence));
        event.map(Event::text).unwrap_or_default()
    } else {
        waiting.message
    };
    let failure = match (waiting.reason, image::pull_failure(text)) {
        ("InvalidImageName", _) => PullFailure::InvalidName,
        ("SignatureValidationFailed", _) => PullFailure::Signature,
        ("RegistryUnavailable", PullFailure::Other) => PullFailure::Unreachable,
        (_, failure) => failure,
    };
    let named = between(text, "image \"", "\"").filter(|name| !name.is_empty());
    let image = named.unwrap_or(container.image()).to_owned();
    Some(Pull { container: Some(container), image, failure, text: text.to_owned(), evidence })
}

/// Returns the newest event that says why this container's image could not be pulled.
///
/// Combined events mix the containers of a pod, and pasted text names no container: there the image must be named.
fn pull_event<'w>(facts: &Facts<'w>, container: ContainerView<'w>) -> Option<&'w Event> {
    let about = |event: &&Event| match event.container.as_deref() {
        Some(name) if event.message.len() == event.text().len() => name == container.name(),
        _ => !container.image().is_empty() && event.text().contains(container.image()),
    };
    container
        .pod
        .events_seen(facts.world)
        .filter(|event| {
            // Kubelets of vendors keep the words and rename the reason (`FailedPullImage`).
            matches!(event.reason.as_str(), "Failed" | "InspectFailed")
                || event.text().starts_with("Failed to pull image")
        })
        .filter(|event| !image::names_no_cause(event.text()))
        .filter(about)
        .last()
}

/// Returns the names of the pull secrets that the pod or its service account brings.
pub fn pull_secrets<'w>(facts: &Facts<'w>) -> Vec<&'w str> {
    let Some(pod) = facts.pod() else { return Vec::new() };
    let Some(spec) = pod.spec() else { return Vec::new() };
    let account = spec.service_account_name.as_deref().unwrap_or("default");
    let of_account = facts.world.service_accounts.get(pod.namespace(), account).present();
    let of_account = of_account.and_then(|account| account.image_pull_secrets.as_ref());
    let mut names: Vec<_> =
        spec.image_pull_secrets.iter().chain(of_account).flatten().map(|reference| reference.name.as_str()).collect();
    names.dedup();
    names
}

/// Adds the way back to the revision that worked, where the workload has an older one.
pub fn offer_undo(facts: &Facts<'_>, finding: Finding) -> Finding {
    let workload = facts.workload();
    let has_older = workload.kind == "Deployment"
        && facts
            .world
            .replica_sets
            .seen_in(&workload.namespace)
            .filter(|set| {
                crate::facts::workload::controller(&set.metadata).is_some_and(|owner| owner.name == workload.name)
            })
            .count()
            > 1;
    if !has_older {
        return finding;
    }
    let command =
        kubectl::namespaced(&workload.namespace, &format!("rollout undo {}", kubectl::quoted(&workload.reference())));
    finding
        .fix(
            Fix::careful(Words::new(
                "Go back to the revision before, if that one worked. It replaces the new pods.",
                "如果上一个版本可用，先回滚。这会替换新建的 Pod。",
            ))
            .command(command),
        )
        .remedy(Remedy::UndoRollout)
}

/// Returns the node's name, or a placeholder to fill in.
pub fn node_name<'w>(facts: &Facts<'w>) -> &'w str {
    facts.pod().and_then(|pod| pod.node_name()).unwrap_or("NODE")
}

/// Returns a name without what could break a sentence's code marks.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| *c != '`' && !c.is_control()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::diagnosis::testing;

    /// Returns a pod on node `n1` whose container `app` waits, as the kubelet from 1.32 on tells it.
    pub fn waiting(image: &str, reason: &str, message: &str) -> String {
        let message = message.replace('\'', "''");
        format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: shop, uid: u1, creationTimestamp: '2026-01-01T10:00:00Z'}}
spec:
  nodeName: n1
  containers: [{{name: app, image: '{image}'}}]
status:
  phase: Pending
  containerStatuses:
  - name: app
    image: '{image}'
    ready: false
    restartCount: 0
    state: {{waiting: {{reason: {reason}, message: '{message}'}}}}
"
        )
    }

    /// Returns the first finding for a pull that fails with this error.
    pub fn answer(image: &str, error: &str) -> Finding {
        let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {error}");
        let yaml = waiting(image, "ImagePullBackOff", &message);
        let diagnosis = testing::diagnose_pod(&yaml, "shop/web", "2026-01-01T10:10:00Z");
        diagnosis.answer().expect("a finding").clone()
    }

    /// Returns the causes found for a pull that fails with this error.
    pub fn diagnose(image: &str, error: &str) -> Vec<&'static str> {
        let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {error}");
        causes(&waiting(image, "ImagePullBackOff", &message))
    }

    /// Returns the causes found for `shop/web` in a YAML text.
    pub fn causes(yaml: &str) -> Vec<&'static str> {
        let diagnosis = testing::diagnose_pod(yaml, "shop/web", "2026-01-01T10:10:00Z");
        diagnosis.findings.iter().map(|finding| finding.cause.id).collect()
    }

    #[test]
    fn a_running_pods_container_may_want_its_image_again() {
        let yaml = waiting("r.local/a:1", "ImagePullBackOff", "Back-off pulling image \"r.local/a:1\": ErrImagePull: dial tcp 10.0.0.1:443: i/o timeout")
            .replace("phase: Pending", "phase: Running")
            .replace("restartCount: 0", "restartCount: 3\n    lastState: {terminated: {exitCode: 1, reason: Error, startedAt: '2026-01-01T09:00:00Z', finishedAt: '2026-01-01T10:00:00Z'}}");
        assert_eq!(causes(&yaml).first(), Some(&"registry-unreachable"));
    }

    #[test]
    fn an_init_containers_image_holds_up_the_pod() {
        let yaml = waiting("a", "PodInitializing", "")
            .replace("  containers: [", "  initContainers: [{name: prepare, image: 'r.local/p:1'}]\n  containers: [")
            + "  initContainerStatuses: [{name: prepare, image: p, ready: false, restartCount: 0, state: {waiting: {reason: ErrImagePull, message: 'r.local/p:1: not found'}}}]\n";
        let diagnosis = testing::diagnose_pod(&yaml, "shop/web", "2026-01-01T10:10:00Z");
        let found = diagnosis.answer().expect("a finding");
        assert_eq!((found.cause.id, found.container.as_deref()), ("image-not-found", Some("prepare")));
    }

    #[test]
    fn an_old_kubelet_tells_the_cause_in_the_event_only() {
        let pod = waiting("r.local/a:1", "ImagePullBackOff", "Back-off pulling image \"r.local/a:1\"");
        let event = |text: &str, last: &str| {
            format!(
                "
---
apiVersion: v1
kind: Event
metadata: {{name: 'e{last}', namespace: shop}}
involvedObject: {{kind: Pod, namespace: shop, name: web, uid: u1, fieldPath: 'spec.containers{{app}}'}}
reason: Failed
type: Warning
message: '{text}'
lastTimestamp: '2026-01-01T10:0{last}:00Z'
"
            )
        };
        let old = event("Failed to pull image \"r.local/a:1\": dial tcp 10.0.0.1:443: i/o timeout", "1");
        let new = event("Failed to pull image \"r.local/a:1\": toomanyrequests: slow down", "5");
        let noise = event("Error: ImagePullBackOff", "6");
        assert_eq!(causes(&format!("{pod}{old}{new}{noise}")), ["registry-rate-limited"]);
        assert_eq!(causes(&pod), Vec::<&str>::new(), "without the event nothing may be concluded");
    }
}
