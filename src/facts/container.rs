//! One container of a pod: what was asked for and what became of it.

use super::event::Event;
use super::evidence::Evidence;
use super::known::Known;
use super::log::ContainerLog;
use super::pod::PodView;
use super::quantity;
use super::world::World;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1 as api;

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next may start.
    Init,
    /// An init container with `restartPolicy: Always`: starts before and lives beside the app.
    Sidecar,
    App,
}

/// A container of a pod, its settings beside its status.
#[derive(Debug, Clone, Copy)]
pub struct ContainerView<'w> {
    pub pod: PodView<'w>,
    pub role: Role,
    /// Its place in the pod's list.
    pub index: usize,
    pub spec: &'w api::Container,
    /// `None` until the kubelet has reported it.
    pub status: Option<&'w api::ContainerStatus>,
    status_index: usize,
}

/// `state.waiting` of a container, with its place.
#[derive(Debug, Clone)]
pub struct Waiting<'w> {
    pub reason: &'w str,
    pub message: &'w str,
    path: String,
}

/// The end of a run, with its place.
#[derive(Debug, Clone)]
pub struct End<'w> {
    pub reason: &'w str,
    pub message: &'w str,
    pub exit_code: i32,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    /// The end is of the run before the present one (`lastState`).
    pub past: bool,
    path: String,
}

impl<'w> ContainerView<'w> {
    pub(super) fn new(
        pod: PodView<'w>,
        role: Role,
        index: usize,
        spec: &'w api::Container,
        statuses: &'w [api::ContainerStatus],
    ) -> Self {
        let found = statuses.iter().enumerate().find(|(_, status)| status.name == spec.name);
        let (status_index, status) = found.map_or((index, None), |(i, status)| (i, Some(status)));
        Self { pod, role, index, spec, status, status_index }
    }

    /// Returns the container's name.
    pub fn name(&self) -> &'w str {
        &self.spec.name
    }

    /// Returns the path of its status, such as `pod.status.containerStatuses[0]`.
    pub fn status_path(&self) -> String {
        let list = if self.role == Role::App { "containerStatuses" } else { "initContainerStatuses" };
        format!("pod.status.{list}[{}]", self.status_index)
    }

    /// Returns the path of its settings, such as `pod.spec.containers[0]`.
    pub fn spec_path(&self) -> String {
        let list = if self.role == Role::App { "containers" } else { "initContainers" };
        format!("pod.spec.{list}[{}]", self.index)
    }

    /// Returns evidence for a value of its settings; `field` is relative, such as `resources.limits.memory`.
    pub fn setting(&self, field: &str, value: impl ToString) -> Evidence {
        Evidence::field(format!("{}.{field}", self.spec_path()), value, None)
    }

    /// Returns evidence for a value of its status; `field` is relative, such as `restartCount`.
    pub fn state(&self, field: &str, value: impl ToString, at: Option<Timestamp>) -> Evidence {
        Evidence::field(format!("{}.{field}", self.status_path()), value, at)
    }

    /// Returns how often it was restarted.
    pub fn restarts(&self) -> i32 {
        self.status.map_or(0, |status| status.restart_count)
    }

    /// Returns true when it is ready by the kubelet's word.
    pub fn ready(&self) -> bool {
        self.status.is_some_and(|status| status.ready)
    }

    /// Returns true when its startup is over (startup probe passed, postStart done).
    pub fn started(&self) -> bool {
        self.status.is_some_and(|status| status.started == Some(true))
    }

    /// Returns since when it runs; `None` when it does not. `Some(None)` = it runs, the start is not told.
    pub fn running_since(&self) -> Option<Option<Timestamp>> {
        let running = self.status?.state.as_ref()?.running.as_ref()?;
        Some(running.started_at.as_ref().map(|t| t.0))
    }

    /// Returns true when it runs.
    pub fn is_running(&self) -> bool {
        self.running_since().is_some()
    }

    /// Returns why it waits, where it does.
    pub fn waiting(&self) -> Option<Waiting<'w>> {
        let waiting = self.status?.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let message = waiting.message.as_deref().unwrap_or_default();
        // Early kubelets put a hook's error behind the reason: `PostStartHookError: command '/x' exited with 1: `.
        let (reason, message) = match reason.split_once(": ") {
            Some((name @ "PostStartHookError", error)) if message.is_empty() => (name, error),
            _ => (reason, message),
        };
        Some(Waiting { reason, message, path: format!("{}.state.waiting", self.status_path()) })
    }

    /// Returns how its present run ended, where it has.
    pub fn end(&self) -> Option<End<'w>> {
        let end = self.status?.state.as_ref()?.terminated.as_ref()?;
        Some(End::new(end, format!("{}.state.terminated", self.status_path()), false))
    }

    /// Returns how the run before the present one ended.
    pub fn last_end(&self) -> Option<End<'w>> {
        let end = self.status?.last_state.as_ref()?.terminated.as_ref()?;
        Some(End::new(end, format!("{}.lastState.terminated", self.status_path()), true))
    }

    /// Returns the newest end that is still told. Only one run back is kept by the API.
    pub fn latest_end(&self) -> Option<End<'w>> {
        self.end().or_else(|| self.last_end())
    }

    /// Returns true when it has done its part: an init container that ended with 0, a sidecar that has started.
    pub fn done(&self) -> bool {
        match self.role {
            Role::Init => self.end().is_some_and(|end| end.exit_code == 0),
            Role::Sidecar => self.started() || self.end().is_some_and(|end| end.exit_code == 0),
            Role::App => false,
        }
    }

    /// Returns true while the kubelet restarts it in vain: it waits in back-off, or it has ended after restarts.
    ///
    /// The API shows CrashLoopBackOff only for moments (kubelet ≥1.33): between restarts it says `terminated`.
    pub fn is_crash_looping(&self) -> bool {
        self.waiting().is_some_and(|waiting| waiting.reason == "CrashLoopBackOff")
            || (self.restarts() >= 1 && self.role != Role::Init && self.end().is_some())
            || (self.role == Role::Init && self.restarts() >= 1 && !self.done() && self.latest_end().is_some())
    }

    /// Returns the events about this container, oldest first; none where none could be read.
    pub fn events(&self, world: &'w World) -> impl Iterator<Item = &'w Event> + use<'w> {
        let name = self.name();
        self.pod.events_seen(world).filter(move |event| event.container.as_deref() == Some(name))
    }

    /// Returns what was read of its logs.
    pub fn log(&self, world: &'w World) -> Option<&'w ContainerLog> {
        world.log(self.pod.namespace(), self.pod.name(), self.name())
    }

    /// Returns the log of the run whose end is the [`latest_end`](Self::latest_end).
    pub fn log_of_latest_end(&self, world: &'w World) -> Known<&'w str> {
        // While it waits for its next start, the log that is called current is still the last run's.
        self.log(world).map_or(Known::Unreadable, |log| log.of_last_end(self.is_running()))
    }

    /// Returns the limit of a resource in base units, where one is set.
    pub fn limit(&self, resource: &str) -> Option<f64> {
        quantity::value(self.spec.resources.as_ref()?.limits.as_ref()?.get(resource)?)
    }

    /// Returns the request of a resource in base units; a limit without a request is its own request.
    pub fn request(&self, resource: &str) -> Option<f64> {
        let resources = self.spec.resources.as_ref()?;
        let stated = resources.requests.as_ref().and_then(|requests| requests.get(resource));
        stated.and_then(quantity::value).or_else(|| self.limit(resource))
    }

    /// Returns the memory limit as it was written, with its evidence.
    pub fn memory_limit_text(&self) -> Option<(&'w str, Evidence)> {
        let text = self.spec.resources.as_ref()?.limits.as_ref()?.get("memory")?.0.as_str();
        Some((text, self.setting("resources.limits.memory", text)))
    }

    /// Returns the image as the pod names it.
    pub fn image(&self) -> &'w str {
        self.spec.image.as_deref().unwrap_or_default()
    }

    /// Returns the restart count as evidence.
    pub fn restarts_evidence(&self) -> Evidence {
        self.state("restartCount", self.restarts(), None)
    }
}

impl Waiting<'_> {
    /// Returns the reason, and the message where there is one, as evidence.
    pub fn evidence(&self) -> Evidence {
        if self.message.is_empty() {
            Evidence::field(format!("{}.reason", self.path), self.reason, None)
        } else {
            Evidence::field(&self.path, format!("{}: {}", self.reason, self.message), None)
        }
    }
}

impl<'w> End<'w> {
    fn new(end: &'w api::ContainerStateTerminated, path: String, past: bool) -> Self {
        Self {
            reason: end.reason.as_deref().unwrap_or_default(),
            message: end.message.as_deref().unwrap_or_default(),
            exit_code: end.exit_code,
            // A start that failed carries the epoch (containerd StartError): that is no time.
            started: end.started_at.as_ref().map(|t| t.0).filter(|t| t.as_second() > 0),
            finished: end.finished_at.as_ref().map(|t| t.0).filter(|t| t.as_second() > 0),
            past,
            path,
        }
    }

    /// Returns how long the run lasted, where both ends are told.
    pub fn ran_for(&self) -> Option<SignedDuration> {
        Some(self.finished?.duration_since(self.started?))
    }

    /// Returns reason, exit code and message as evidence.
    pub fn evidence(&self) -> Evidence {
        let mut quote = format!("{}, exit code {}", self.reason, self.exit_code);
        if !self.message.is_empty() {
            quote.push_str(": ");
            quote.push_str(self.message.trim_end());
        }
        Evidence::field(&self.path, quote, self.finished)
    }

    /// Returns the signal that ended it by the shell's convention (128+n), where the code says one.
    pub fn signal(&self) -> Option<i32> {
        (129..=159).contains(&self.exit_code).then(|| self.exit_code - 128)
    }
}
