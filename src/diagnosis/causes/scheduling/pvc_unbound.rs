//! A claim of the pod is not bound: no class, no provisioner, provisioning fails.

use super::{Kind, picture};
use crate::diagnosis::fit;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::progress;
use crate::facts::{Event, Evidence, Facts, Known, PodView, Stage};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

pub static CAUSE: Cause = Cause {
    id: "pvc-unbound",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text { en: "A volume claim is not bound", zh: "PVC 未绑定" },
        what: Text {
            en: "The pod waits for its PersistentVolumeClaim. Either nobody makes a volume for it (no storage class, a class that does not exist, a provisioner that does not run), or making it fails (quota, rights, parameters), or the class makes none and no existing volume fits.",
            zh: "Pod 在等待 PVC 绑定。可能没有人为它创建卷（没有 StorageClass、StorageClass 不存在、provisioner 没有运行），或创建失败（配额、权限、参数错误），或该 StorageClass 不动态创建且没有合适的现有卷。",
        },
        tell: Text {
            en: "`pod has unbound immediate PersistentVolumeClaims`, `didn't find available persistent volumes to bind`, or a PreBind of VolumeBinding that times out. The claim's own events say why. WaitForFirstConsumer by itself is no fault: the pod's other reasons are.",
            zh: "报错为 `pod has unbound immediate PersistentVolumeClaims`、`didn't find available persistent volumes to bind`，或 VolumeBinding 的 PreBind 超时；PVC 自身的事件说明原因。单独的 WaitForFirstConsumer 不是故障，需看 Pod 的其他原因。",
        },
        fix: Text {
            en: "Name a class that exists, get its provisioner running, or cure what the provisioner complains about. A claim's class cannot be changed: make a new claim.",
            zh: "使用存在的 StorageClass、让 provisioner 正常运行，或解决 provisioner 报出的问题。PVC 的 StorageClass 不可修改，需要新建。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding",
            "kubernetes/kubernetes pkg/controller/volume/persistentvolume/pv_controller.go",
        ],
    },
    check,
};

/// A provisioner that has not answered by then does not work, or is not there.
const PROVISIONS: SignedDuration = SignedDuration::from_secs(60);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    match pod.stage() {
        Stage::Unscheduled => unscheduled(facts, pod),
        // Put on its node by hand, past the scheduler.
        Stage::Creating => on_node(facts, pod),
        _ => None,
    }
}

fn on_node(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    let (name, claim) = unbound(facts, pod)?;
    let node = pod.node_name()?;
    if claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).is_some_and(|volume| !volume.is_empty()) {
        return None;
    }
    let runs = pod.containers().any(|container| container.is_running() || container.latest_end().is_some());
    let beyond = pod
        .events_seen(facts.world)
        .any(|event| progress::reached(event).is_some_and(|step| step > progress::Step::Mount));
    if runs || beyond || facts.since(pod.scheduled_at()?) < PROVISIONS {
        return None;
    }
    let said = pod
        .events_seen(facts.world)
        .filter(|event| event.reason == "FailedMount" && event.text().contains("not bound"))
        .last();
    let certainty = if said.is_some() { Certainty::Confirmed } else { Certainty::Likely };
    let why = why(facts, pod, &name, claim);
    let chosen = claim
        .metadata
        .annotations
        .as_ref()
        .is_some_and(|notes| notes.keys().any(|key| key.ends_with("kubernetes.io/selected-node")));
    let waits = why.event.is_some_and(|event| event.reason == "WaitForFirstConsumer");
    let (en, zh) = if waits && !chosen {
        (
            format!("it waits for the scheduler to choose a node, and the pod was put on {node} past it (nodeName)"),
            format!("它在等待调度器选择节点，而该 Pod 绕过调度器直接指定了节点 {node}（nodeName）"),
        )
    } else {
        (why.words.en, why.words.zh)
    };
    let finding = Finding::new(&CAUSE, certainty)
        .because(said.map(Event::evidence))
        .because(why.event.map(Event::evidence))
        .because([Evidence::field(format!("persistentvolumeclaim {name}.status.phase"), phase(claim), None)])
        .because(why.evidence)
        .explains(&["volume-mount-failed", "init-container-waiting"])
        .says(
            format!("Claim {name} of pod {} is not bound: {en}.", pod.name()),
            format!("Pod {} 的 PVC {name} 未绑定：{zh}。", pod.name()),
        );
    let finding = if waits && !chosen {
        finding.fix(
            Fix::careful(Words::new(
                "Take nodeName out and name the node by a nodeSelector (kubernetes.io/hostname): then the scheduler binds the claim. The change replaces the pods.",
                "去掉 nodeName，改用 nodeSelector（kubernetes.io/hostname）指定节点，由调度器绑定 PVC。修改会替换 Pod。",
            ))
            .command(kubectl::edit(&pod.workload())),
        )
    } else {
        finding.fix(why.fix)
    };
    describe(finding, pod, std::slice::from_ref(&name)).some()
}

fn unscheduled(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    let unbound = unbound(facts, pod);
    let mut finding = match picture(facts) {
        Some(picture) => {
            let finding = picture.finding(&CAUSE, Kind::ClaimUnbound)?;
            // The text is of the last attempt: since then every claim has been bound.
            if unbound.is_none() && all_bound(facts, pod) {
                return None;
            }
            finding
        }
        // The scheduler has chosen a node and waits up to ten minutes for the volume, without a word on the pod.
        None => {
            let (_, claim) = unbound.as_ref()?;
            let chosen =
                claim.metadata.annotations.as_ref()?.keys().any(|key| key.ends_with("kubernetes.io/selected-node"));
            if !chosen || pod.age(facts.now) < PROVISIONS {
                return None;
            }
            Finding::likely(&CAUSE).explains(&["scheduler-not-running"])
        }
    };
    let Some((name, claim)) = unbound else {
        let claims: Vec<String> = fit::claims(pod).collect();
        // A row of a table names none.
        let (names, names_zh) = match claims[..] {
            [] => Default::default(),
            _ => (format!(" ({})", claims.join(", ")), format!("（{}）", claims.join("、"))),
        };
        // Schedulers have called bound claims unbound; without the claims nobody can tell.
        finding.certainty = finding.certainty.max(Certainty::Likely);
        return describe(finding, pod, &claims)
            .says(
                format!("A volume claim of pod {}{names} is not bound.", pod.name()),
                format!("Pod {} 的 PVC{names_zh}未绑定。", pod.name()),
            )
            .some();
    };
    let why = why(facts, pod, &name, claim);
    finding = finding
        .because(why.event.map(Event::evidence))
        .because([Evidence::field(format!("persistentvolumeclaim {name}.status.phase"), phase(claim), None)])
        .because(why.evidence);
    let (en, zh) = (why.words.en, why.words.zh);
    finding = finding.says(
        format!("Claim {name} of pod {} is not bound: {en}.", pod.name()),
        format!("Pod {} 的 PVC {name} 未绑定：{zh}。", pod.name()),
    );
    if let Some(class) = why.class {
        finding = finding.shares("storageclass", "", class);
    }
    describe(finding, pod, &[name]).fix(why.fix).some()
}

fn describe(finding: Finding, pod: PodView<'_>, claims: &[String]) -> Finding {
    finding.fix(
        Fix::safe(Words::new("See what the claim's events say.", "查看 PVC 的事件。")).command(look_at(pod, claims)),
    )
}

/// Returns the command that shows the claims; all of the namespace where none is known.
pub(super) fn look_at(pod: PodView<'_>, claims: &[String]) -> String {
    let names: Vec<String> = claims.iter().map(|claim| kubectl::quoted(claim)).collect();
    kubectl::namespaced(pod.namespace(), format!("describe pvc {}", names.join(" ")).trim_end())
}

fn phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

/// Returns the first claim of the pod that was read and is not bound.
pub fn unbound<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> Option<(String, &'w PersistentVolumeClaim)> {
    fit::claims(pod).find_map(|name| {
        let claim = facts.world.claims.get(pod.namespace(), &name).present()?;
        (phase(claim) != "Bound").then_some((name, claim))
    })
}

fn all_bound(facts: &Facts<'_>, pod: PodView<'_>) -> bool {
    let mut claims = fit::claims(pod).peekable();
    claims.peek().is_some()
        && claims.all(|name| {
            facts
                .world
                .claims
                .get(pod.namespace(), &name)
                .present()
                .is_some_and(|claim| phase(claim) == "Bound" && claim.metadata.deletion_timestamp.is_none())
        })
}

struct Why<'w> {
    words: Words,
    event: Option<&'w Event>,
    evidence: Vec<Evidence>,
    fix: Fix,
    /// The storage class, where it is at fault for every claim of it.
    class: Option<&'w str>,
}

fn why<'w>(facts: &Facts<'w>, pod: PodView<'w>, name: &str, claim: &'w PersistentVolumeClaim) -> Why<'w> {
    let events = facts.world.events_seen("PersistentVolumeClaim", pod.namespace(), name);
    let last = |reason: &str| events.iter().rfind(|event| event.reason == reason);
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    let class = class.or_else(|| {
        claim.metadata.annotations.as_ref()?.get("volume.beta.kubernetes.io/storage-class").map(String::as_str)
    });
    let known = class.map(|class| facts.world.storage_classes.get("", class));
    let failed = last("ProvisioningFailed");
    let missing = failed
        .is_some_and(|event| event.text().contains("storageclass") && event.text().contains("not found"))
        || known.is_some_and(|known| known.is_absent());
    let classes = Fix::safe(Words::new("See which storage classes there are.", "查看有哪些 StorageClass。"))
        .command("kubectl get storageclass");
    if claim.metadata.deletion_timestamp.is_some() {
        return Why {
            words: Words::new("it is being deleted", "它正在被删除"),
            event: None,
            class: None,
            evidence: Vec::new(),
            fix: Fix::careful(Words::new(
                "Delete the pod, so that claim and pod are made anew.",
                "删除 Pod，使 PVC 与 Pod 重新创建。",
            )),
        };
    }
    if let (Some(class), true) = (class.filter(|class| !class.is_empty()), missing) {
        return Why {
            words: Words::new(
                format!("its storage class {class} does not exist"),
                format!("StorageClass {class} 不存在"),
            ),
            event: failed,
            class: Some(class),
            evidence: Vec::new(),
            fix: classes,
        };
    }
    if let Some(event) = failed {
        return Why {
            words: Words::new(
                format!("provisioning fails: {}", first_line(event.text())),
                format!("创建卷失败：{}", first_line(event.text())),
            ),
            event: Some(event),
            class: None,
            evidence: Vec::new(),
            fix: Fix::careful(Words::new(
                "Cure what the provisioner complains about (quota, rights, parameters of the class); it tries again by itself.",
                "解决 provisioner 报出的问题（配额、权限、StorageClass 参数），它会自动重试。",
            )),
        };
    }
    if let Some(event) = last("FailedBinding")
        && event.text().contains("no storage class is set")
    {
        return Why {
            words: Words::new(
                "it names no storage class, there is no default class, and no existing volume fits",
                "没有指定 StorageClass、集群没有默认 StorageClass，也没有合适的现有卷",
            ),
            event: Some(event),
            class: None,
            evidence: Vec::new(),
            fix: classes,
        };
    }
    if let Some(Known::Present(found)) = known
        && found.provisioner == "kubernetes.io/no-provisioner"
    {
        let class = class.unwrap_or_default();
        return Why {
            words: Words::new(
                format!("its class {class} makes no volumes (no-provisioner), and no free volume fits it on the nodes that are open to the pod"),
                format!("StorageClass {class} 不会自动创建卷（no-provisioner），可用节点上也没有合适的空闲卷"),
            ),
            event: last("FailedBinding"),
            class: None,
            evidence: vec![Evidence::field(format!("storageclass {class}.provisioner"), &found.provisioner, None)],
            fix: Fix::careful(Words::new(
                "Make a PersistentVolume of that class on a node that the pod may use, or name a class that provisions.",
                "在 Pod 可用的节点上创建该类的 PersistentVolume，或改用可动态创建的 StorageClass。",
            ))
            .command("kubectl get pv"),
        };
    }
    if let Some(event) = last("ExternalProvisioning") {
        let provisioner = event.text().split(['"', '\'']).nth(1).unwrap_or("its provisioner");
        let at_work = last("Provisioning").is_some();
        let driver = driver_missing(facts, provisioner);
        let words = match (&driver, at_work) {
            (Some(_), _) => Words::new(
                format!("its provisioner {provisioner} is not installed or does not run on any node"),
                format!("provisioner {provisioner} 没有安装，或没有在任何节点上运行"),
            ),
            (None, true) => Words::new(
                format!("provisioner {provisioner} is still making the volume"),
                format!("provisioner {provisioner} 仍在创建卷"),
            ),
            (None, false) => Words::new(
                format!("nobody makes its volume: provisioner {provisioner} does not answer"),
                format!("没有人为它创建卷：provisioner {provisioner} 没有响应"),
            ),
        };
        return Why {
            words,
            event: Some(event),
            class: class.filter(|_| !at_work),
            evidence: driver.into_iter().collect(),
            fix: Fix::safe(Words::new(
                format!("See whether the pods of {provisioner} run, and what they log."),
                format!("查看 {provisioner} 的 Pod 是否运行以及日志。"),
            ))
            .command("kubectl get csidrivers,csinodes; kubectl get pods -A | grep -i -e csi -e provisioner"),
        };
    }
    let class_words = match class {
        Some(class) if !class.is_empty() => (format!("class {class}"), format!("StorageClass {class}")),
        _ => ("no class".to_owned(), "未指定 StorageClass".to_owned()),
    };
    Why {
        words: Words::new(
            format!("it is {} ({}), and no volume has been made or found for it", phase(claim), class_words.0),
            format!("状态为 {}（{}），尚未创建或找到合适的卷", phase(claim), class_words.1),
        ),
        event: events.iter().next_back(),
        class: None,
        evidence: Vec::new(),
        fix: classes,
    }
}

/// Returns evidence that no node has registered a CSI driver of this name, where the CSINodes were read.
fn driver_missing(facts: &Facts<'_>, driver: &str) -> Option<Evidence> {
    let mut nodes = facts.world.csi_nodes.seen().peekable();
    nodes.peek()?;
    let registered = nodes.any(|node| node.spec.drivers.iter().any(|registered| registered.name == driver));
    let installed = facts.world.csi_drivers.get("", driver).present().is_some();
    (!registered && !installed)
        .then(|| Evidence::field("csinodes .spec.drivers", format!("no node has {driver}"), None))
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim_end_matches('.');
    crate::facts::evidence::shorten(line, 240)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    fn pending(condition: &str, claim: &str, event: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: db-0, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{volumes: [{{name: d, persistentVolumeClaim: {{claimName: data}}}}], containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{condition}]
---
apiVersion: v1
kind: PersistentVolumeClaim
{claim}
---
apiVersion: v1
kind: Event
metadata: {{name: e, namespace: prod}}
involvedObject: {{kind: PersistentVolumeClaim, namespace: prod, name: data}}
lastTimestamp: '2026-01-01T00:01:00Z'
{event}
"#
        )
    }

    const UNBOUND: &str = "{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found'}";
    const CLAIM: &str =
        "metadata: {name: data, namespace: prod}\nspec: {storageClassName: fast}\nstatus: {phase: Pending}";

    #[test]
    fn says_that_the_class_does_not_exist() {
        let event =
            "reason: ProvisioningFailed\ntype: Warning\nmessage: 'storageclass.storage.k8s.io \"fast\" not found'";
        let diagnosis = diagnose_pod(&pending(UNBOUND, CLAIM, event), "prod/db-0", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("pvc-unbound", Certainty::Confirmed));
        assert_eq!(answer.summary.en, "Claim data of pod db-0 is not bound: its storage class fast does not exist.");
    }

    #[test]
    fn a_node_is_chosen_and_the_volume_does_not_come() {
        let claim =
            CLAIM.replace("namespace: prod}", "namespace: prod, annotations: {volume.kubernetes.io/selected-node: a}}");
        let event = "reason: ExternalProvisioning\nmessage: 'waiting for a volume to be created, either by external provisioner \"ebs.csi.aws.com\" or manually created by system administrator'";
        let diagnosis = diagnose_pod(&pending("", &claim, event), "prod/db-0", "2026-01-01T00:05:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "pvc-unbound", "and not a scheduler that does not run");
    }

    #[test]
    fn a_claim_that_was_bound_meanwhile_is_no_cause() {
        let claim = CLAIM.replace("phase: Pending", "phase: Bound");
        let event = "reason: ProvisioningSucceeded\nmessage: done";
        let diagnosis = diagnose_pod(&pending(UNBOUND, &claim, event), "prod/db-0", "2026-01-01T00:10:00Z");
        assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "pvc-unbound"));
    }

    #[test]
    fn a_pod_that_was_put_on_its_node_past_the_scheduler() {
        let event = "reason: WaitForFirstConsumer\nmessage: 'waiting for first consumer to be created before binding'";
        let pinned = |claim: &str| {
            let yaml = pending("", claim, event).replace("spec: {volumes", "spec: {nodeName: a, volumes");
            let diagnosis = diagnose_pod(&yaml, "prod/db-0", "2026-01-01T00:10:00Z");
            diagnosis.answer().map(|found| (found.cause.id, found.summary.en.clone()))
        };
        let (id, words) = pinned(CLAIM).unwrap();
        assert_eq!(id, "pvc-unbound");
        assert!(words.contains("put on a past it"), "{words}");
        let bound = CLAIM.replace("{phase: Pending}", "{phase: Bound}");
        assert_ne!(pinned(&bound).map(|(id, _)| id), Some("pvc-unbound"));
    }
}
