//! Causes of phase `probes`, and what they share: probes whose failures are the pod's trouble now.

pub mod node_overloaded;
pub mod probe_http_status;
pub mod probe_misconfigured;
pub mod probe_port_closed;
pub mod probe_timeout;
pub mod probe_too_early;

use super::crashing::{self, Death, allowance, living_pod, period, probe_of, threshold, timeout};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::{Finding, Fix, Words, kubectl};
use crate::facts::reading::listening::{self, Listens};
use crate::facts::reading::probe::{self, Failure, Kind, Output};
use crate::facts::reading::text::says;
use crate::facts::{ContainerView, Event, Evidence, Facts, Known, Role};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Probe;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub static CAUSES: &[&Cause] = &[
    &node_overloaded::CAUSE,
    &probe_misconfigured::CAUSE,
    &probe_too_early::CAUSE,
    &probe_http_status::CAUSE,
    &probe_timeout::CAUSE,
    &probe_port_closed::CAUSE,
];

/// A probe that fails, and that is what ails the pod now.
#[derive(Debug, Clone)]
pub struct Trouble<'w> {
    pub container: ContainerView<'w>,
    pub kind: Kind,
    pub probe: &'w Probe,
    /// The event `Unhealthy` that decides.
    pub event: &'w Event,
    pub failure: Failure,
    /// The run that the kubelet ended for it, and the event that says so.
    pub killed: Option<(Death<'w>, &'w Event)>,
    /// A liveness probe whose result is thrown away: it restarts nothing, and the pod serves.
    pub without_effect: bool,
    /// The run that is looked at: the one that was ended for it, or the present one.
    pub since: Option<Timestamp>,
}

/// Returns the failing probes that are the trouble now, one a container.
///
/// Left out, since they are no trouble or not the cause: a container that crashed by itself and was refused afterwards;
/// failures before the last success; failures of a container that still has its time to start; readiness that came
/// back; anything of a pod that is being deleted.
pub fn troubles<'w>(facts: &Facts<'w>) -> Vec<Trouble<'w>> {
    failing(facts).into_iter().filter(|trouble| !trouble.without_effect).collect()
}

/// Returns the [`troubles`], and liveness probes that the kubelet asks in vain.
pub fn failing<'w>(facts: &Facts<'w>) -> Vec<Trouble<'w>> {
    let Some(pod) = living_pod(facts) else { return Vec::new() };
    pod.containers()
        .filter(|container| container.role != Role::Init)
        .filter_map(|container| trouble(facts, container))
        .collect()
}

fn trouble<'w>(facts: &Facts<'w>, container: ContainerView<'w>) -> Option<Trouble<'w>> {
    if let Some(death) = crashing::death_of(facts, container) {
        // Crashed first, refused afterwards: then the probe is not the cause.
        let (kind, event) = death.killed_by_probe(facts.world)?;
        let (decisive, failure) = newest(facts, container, kind, death.end.started)?;
        let since = death.end.started;
        return Some(Trouble {
            container,
            kind,
            probe: probe_of(container, kind)?,
            event: decisive,
            failure,
            killed: Some((death, event)),
            without_effect: false,
            since,
        });
    }
    let since = container.running_since()?;
    let not_started = container.status.is_some_and(|status| status.started == Some(false));
    let kind = if not_started && container.spec.startup_probe.is_some() { Kind::Startup } else { Kind::Readiness };
    let Some((probe, (event, failure))) = probe_of(container, kind).zip(newest(facts, container, kind, since)) else {
        return without_effect(facts, container, since);
    };
    let age = event.last.map_or(SignedDuration::ZERO, |last| facts.since(last));
    let current = if container.ready() {
        age <= SignedDuration::from_mins(10) && came_and_went(facts, container, event, probe, since)
    } else {
        // The recorder keeps back a noisy pod's events for five minutes each (client-go's spam filter).
        age <= SignedDuration::from_mins(20)
    };
    let waits = kind == Kind::Startup && !failure.errored && within_startup(facts, since, probe);
    let trouble = Trouble { container, kind, probe, event, failure, killed: None, without_effect: false, since };
    (current && !waits && !trouble.is_not_due(facts)).then_some(trouble)
}

fn without_effect<'w>(
    facts: &Facts<'w>,
    container: ContainerView<'w>,
    since: Option<Timestamp>,
) -> Option<Trouble<'w>> {
    let kind = Kind::Liveness;
    let (event, failure) = newest(facts, container, kind, since)?;
    let recent = event.last.is_some_and(|last| facts.since(last) <= SignedDuration::from_mins(20));
    (failure.errored && recent).then_some(Trouble {
        container,
        kind,
        probe: probe_of(container, kind)?,
        event,
        failure,
        killed: None,
        without_effect: true,
        since,
    })
}

/// Returns the event about failures of this probe that decides: of those near the newest, the most frequent.
fn newest<'w>(
    facts: &Facts<'w>,
    container: ContainerView<'w>,
    kind: Kind,
    since: Option<Timestamp>,
) -> Option<(&'w Event, Failure)> {
    let found: Vec<(&Event, Failure)> = container
        .events(facts.world)
        .filter(|event| event.reason == "Unhealthy" && (since.is_none() || event.last.is_none() || event.last >= since))
        .filter_map(|event| Some((event, probe::unhealthy(event.text()).filter(|failure| failure.kind == kind)?)))
        .collect();
    let last = found.iter().filter_map(|(event, _)| event.last).max();
    let near = |event: &Event| match (last, event.last) {
        (Some(newest), Some(this)) => newest.duration_since(this) <= SignedDuration::from_secs(60),
        _ => true,
    };
    found.into_iter().filter(|(event, _)| near(event)).max_by_key(|(event, _)| (event.count, event.last))
}

/// Readiness that was there, was lost and came back within the last quarter of an hour: it may go again.
fn came_and_went(
    facts: &Facts<'_>,
    container: ContainerView<'_>,
    event: &Event,
    probe: &Probe,
    since: Option<Timestamp>,
) -> bool {
    let turned = container.pod.condition("Ready").and_then(|c| c.last_transition_time.as_ref()).map(|t| t.0);
    let (Some(turned), Some(since), Some(first), Some(last)) = (turned, since, event.first, event.last) else {
        return false;
    };
    // Once is a moment that has passed; what comes and goes has come at least twice.
    let often = event.count >= 2 * u32::try_from(threshold(probe)).unwrap_or(3)
        && last.duration_since(first) > SignedDuration::from_mins(3);
    // Failures from the start on are just its start. They must have come after it was well.
    let start = SignedDuration::from_secs(i64::from(allowance(probe).saturating_add(period(probe).saturating_mul(3))));
    let was_well = first.duration_since(since) > start.max(SignedDuration::from_mins(2)) && last > since;
    often && was_well && facts.since(turned) <= SignedDuration::from_mins(15)
}

fn within_startup(facts: &Facts<'_>, since: Option<Timestamp>, probe: &Probe) -> bool {
    since.is_some_and(|since| facts.since(since).as_secs() <= i64::from(allowance(probe).saturating_add(period(probe))))
}

/// An application that says nothing of how long it takes: a minute from its start is no trouble yet.
const BREATHING: i64 = 60;

impl<'w> Trouble<'w> {
    /// Returns true where readiness fails in the first moments of a run, in a way that passes as a program comes up.
    ///
    /// What cannot pass (a port that does not exist, another protocol, no such page, a login) is told at once. A refused
    /// connection has its own patience, see [`refusal`].
    fn is_not_due(&self, facts: &Facts<'_>) -> bool {
        let passes = match &self.failure.output {
            Output::Status(code) => !matches!(code, 400 | 401 | 403 | 404 | 405),
            Output::Timeout | Output::Closed | Output::GrpcNotServing | Output::NoRoute | Output::Printed(_) => true,
            _ => false,
        };
        let budget = BREATHING.max(i64::from(allowance(self.probe) + period(self.probe)));
        self.kind == Kind::Readiness
            && !self.container.ready()
            && passes
            && !self.failure.errored
            && self.runs_for(facts).as_secs() < budget
            && self.never_answered()
    }

    /// Returns true where the container never gave a good answer in the run that is looked at.
    pub fn never_answered(&self) -> bool {
        let (Some(since), limit) =
            (self.since, i64::from(allowance(self.probe) + period(self.probe) + timeout(self.probe) + 2))
        else {
            return self.kind == Kind::Startup;
        };
        match (&self.killed, self.kind) {
            (_, Kind::Startup) => true,
            // With a startup probe, liveness is asked only after that has succeeded.
            (Some(_), Kind::Liveness) if self.container.spec.startup_probe.is_some() => false,
            (Some((death, event)), _) => {
                let ended =
                    event.last.filter(|last| death.end.finished.is_none_or(|f| *last <= f)).or(death.end.finished);
                ended.is_some_and(|ended| ended.duration_since(since).as_secs() <= limit)
            }
            (None, _) => {
                self.never_ready_since(since)
                    || self.event.first.is_none_or(|first| first.duration_since(since).as_secs() <= limit)
            }
        }
    }

    /// Returns true where the pod has not been ready for a moment of this run, by its own condition, and no other
    /// container is to blame for that. An event may be young where the one before it has expired.
    fn never_ready_since(&self, since: Timestamp) -> bool {
        let pod = self.container.pod;
        let others_fine = pod.app_containers().all(|other| other.index == self.container.index || other.ready());
        let turned = pod.condition("ContainersReady").or(pod.condition("Ready"));
        let turned = turned.filter(|c| c.status == "False").and_then(|c| c.last_transition_time.as_ref());
        self.kind == Kind::Readiness
            && self.container.role == Role::App
            && others_fine
            && turned.is_some_and(|turned| turned.0 <= since + SignedDuration::from_secs(5))
    }

    /// Returns for how long the present run has lasted.
    pub fn runs_for(&self, facts: &Facts<'_>) -> SignedDuration {
        self.container.running_since().flatten().map_or(SignedDuration::ZERO, |since| facts.since(since))
    }

    /// Returns the log of the run that is looked at.
    pub fn log(&self, facts: &Facts<'w>) -> Option<&'w str> {
        match &self.killed {
            Some((death, _)) => death.container.log_of_latest_end(facts.world).present(),
            None => self.container.log(facts.world).and_then(|log| log.current.as_deref()),
        }
    }

    /// Returns the port that is asked, as a number, and as it is written.
    pub fn port(&self) -> Option<(Option<i32>, String)> {
        if let Some(grpc) = &self.probe.grpc {
            return Some((Some(grpc.port), grpc.port.to_string()));
        }
        let port = self.probe.http_get.as_ref().map(|get| &get.port).or(self
            .probe
            .tcp_socket
            .as_ref()
            .map(|tcp| &tcp.port))?;
        Some(match port {
            IntOrString::Int(number) => (Some(*number), number.to_string()),
            IntOrString::String(name) => {
                let declared =
                    self.container.spec.ports.iter().flatten().find(|port| port.name.as_deref() == Some(name));
                (declared.map(|port| port.container_port).or_else(|| name.parse().ok()), name.clone())
            }
        })
    }

    /// Returns true where the pod declares ports and the one that is asked is none of them.
    pub fn asks_an_undeclared_port(&self) -> bool {
        let Some((Some(asked), _)) = self.port() else { return false };
        let own = self.container.spec.ports.iter().flatten().count() > 0;
        let declared = |container: ContainerView<'_>| {
            container.spec.ports.iter().flatten().any(|port| port.container_port == asked)
        };
        own && !self.container.pod.containers().any(declared)
    }

    /// Returns the field of the probe in the container's settings.
    pub fn field(&self) -> &'static str {
        match self.kind {
            Kind::Liveness => "livenessProbe",
            Kind::Readiness => "readinessProbe",
            Kind::Startup => "startupProbe",
        }
    }

    /// Returns the probe's name in a sentence.
    pub fn name(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::Liveness => ("liveness probe", "存活检查"),
            Kind::Readiness => ("readiness probe", "就绪检查"),
            Kind::Startup => ("startup probe", "启动检查"),
        }
    }

    /// Returns what follows for the pod, to end a sentence with.
    pub fn effect(&self) -> (String, String) {
        match (&self.killed, self.kind) {
            (Some(_), _) => match self.container.restarts() {
                0 | 1 => ("so the kubelet restarted it".to_owned(), "kubelet 因此将其重启".to_owned()),
                n => (
                    format!("so the kubelet restarts it ({n} times so far)"),
                    format!("kubelet 因此反复重启它（已 {n} 次）"),
                ),
            },
            (None, Kind::Liveness) => (
                "so it never restarts anything, however stuck the program is".to_owned(),
                "因此即使程序卡死也不会重启它".to_owned(),
            ),
            (None, Kind::Startup) => ("so it never counts as started".to_owned(), "因此一直未被视为已启动".to_owned()),
            (None, _) if self.container.ready() => {
                ("so it drops out of its Services again and again".to_owned(), "因此反复被移出 Service".to_owned())
            }
            (None, _) => ("so no Service sends it traffic".to_owned(), "因此 Service 不向它转发流量".to_owned()),
        }
    }

    /// Returns the probe's settings as evidence: what it asks, and how patient it is.
    pub fn settings(&self) -> Evidence {
        let probe = self.probe;
        let asks = if let Some(get) = &probe.http_get {
            let (_, port) = self.port().unwrap_or_default();
            format!(
                "httpGet {}://:{port}{}",
                get.scheme.as_deref().unwrap_or("HTTP"),
                get.path.as_deref().unwrap_or("/")
            )
        } else if let Some((_, port)) = self.port() {
            format!("{} :{port}", if probe.grpc.is_some() { "grpc" } else { "tcpSocket" })
        } else {
            format!(
                "exec {}",
                probe.exec.as_ref().and_then(|exec| exec.command.as_ref()).map(|c| c.join(" ")).unwrap_or_default()
            )
        };
        let quote = format!(
            "{asks}, initialDelaySeconds {}, periodSeconds {}, timeoutSeconds {}, failureThreshold {}",
            probe.initial_delay_seconds.unwrap_or(0),
            period(probe),
            timeout(probe),
            threshold(probe)
        );
        self.container.setting(self.field(), quote)
    }

    /// Adds to a finding what all of these causes have: container, evidence, what they explain.
    pub fn tell(&self, finding: Finding) -> Finding {
        let finding = finding.in_container(self.container).because([self.event.evidence()]);
        let finding = match &self.killed {
            Some((death, event)) => finding.because([event.evidence()]).because(death.evidence()),
            None => finding.because(self.container.pod.condition_evidence("Ready")),
        };
        finding.because([self.settings()]).explains(&[
            "liveness-probe-killing",
            "startup-probe-killing",
            "app-exit-error",
            "app-exit-clean",
            "killed-by-outsider",
        ])
    }

    /// Returns the fix that opens the workload to correct the probe.
    pub fn edit(&self, facts: &Facts<'_>, en: impl Into<String>, zh: impl Into<String>) -> Fix {
        Fix::careful(Words::new(en, zh)).command(kubectl::edit(&facts.workload()))
    }
}

/// Why a connection was refused.
#[derive(Debug, Clone)]
pub enum Refusal<'w> {
    /// It was on its way, and was not given the time.
    TooEarly { evidence: Option<Evidence> },
    /// The settings name another port than the container's own.
    WrongPort,
    /// The container's own flags put the health endpoint on another port.
    ToldElsewhere { port: u16, evidence: Evidence },
    /// The port is right by the settings, and nothing listens on it.
    Closed { seen: Option<Listens<'w>>, command: Option<Evidence>, answered_before: bool },
    /// It may still be starting: nothing is wrong yet.
    NotYet,
}

/// Reads a refused connection; one place, so that causes cannot disagree.
pub fn refusal<'w>(facts: &Facts<'w>, trouble: &Trouble<'w>) -> Refusal<'w> {
    let log = trouble.log(facts);
    let never = trouble.never_answered();
    let (asked, _) = trouble.port().unwrap_or_default();
    let listens = log.map(|log| listening::listens(trouble.container.name(), log)).unwrap_or_default();
    let elsewhere =
        listens.iter().find(|l| l.loopback || (l.port.is_some() && l.port.map(i32::from) != asked)).cloned();
    if !never {
        return Refusal::Closed { seen: None, command: None, answered_before: true };
    }
    let starting = log.is_some_and(listening::is_still_starting);
    if let Some((port, evidence)) = asked.and_then(|asked| told_elsewhere(trouble.container, asked)) {
        return Refusal::ToldElsewhere { port, evidence };
    }
    if trouble.asks_an_undeclared_port() && !starting {
        return Refusal::WrongPort;
    }
    let command = bound_to_loopback(trouble.container);
    if elsewhere.is_some() || command.is_some() {
        return Refusal::Closed { seen: elsewhere, command, answered_before: false };
    }
    // Programs that are known to take minutes: then a few minutes are no proof of a closed port either.
    let allowed = allowance(trouble.probe) / if starts_slowly(trouble.container) { 5 } else { 1 };
    if trouble.killed.is_none() {
        let patience = if starting { SignedDuration::from_mins(10) } else { SignedDuration::from_secs(60) };
        return if trouble.runs_for(facts) < patience {
            Refusal::NotYet
        } else {
            Refusal::Closed { seen: None, command: None, answered_before: false }
        };
    }
    let up = log.is_some_and(listening::is_up);
    // Whoever has said nothing yet, or is in the middle of it, after less than a minute: it is young, not deaf.
    if starting || (!up && allowed <= 60) {
        let last = log.and_then(|log| crate::facts::log::lines_from_end(trouble.container.name(), log).next());
        return Refusal::TooEarly { evidence: last.filter(|_| starting).map(|line| line.evidence()) };
    }
    Refusal::Closed { seen: listens.into_iter().next(), command: None, answered_before: false }
}

/// Returns true where image or command name something that takes its time to start: a JVM, a search engine, a forge.
fn starts_slowly(container: ContainerView<'_>) -> bool {
    let slow = "java|jvm|spring|tomcat|jetty|wildfly|jboss|jenkins|sonarqube|keycloak|elasticsearch|opensearch|kafka|nexus|\
                artifactory|gitlab|cassandra|solr|confluence|jira|neo4j|liferay|magento|nextcloud|odoo|oracle|mssql|\
                logstash|kibana|hadoop|hbase|druid|zeppelin|superset|airflow";
    let words = container.spec.command.iter().chain(&container.spec.args).flatten();
    says(&container.image().to_ascii_lowercase(), slow) || words.take(12).any(|word| says(word, "java|catalina|.jar"))
}

/// Returns the port that its flags give to the health endpoint where the probe asks another, which no flag names.
fn told_elsewhere(container: ContainerView<'_>, asked: i32) -> Option<(u16, Evidence)> {
    let words: Vec<&str> =
        [&container.spec.command, &container.spec.args].into_iter().flatten().flatten().map(String::as_str).collect();
    let (port, flag) = listening::health_port(&words)?;
    let asked = asked.to_string();
    let named = words.iter().any(|word| word.split(|c: char| !c.is_ascii_digit()).any(|number| number == asked));
    (port.to_string() != asked && !named).then(|| (port, container.setting("args", flag)))
}

/// Returns the place in its command that binds it to the loopback address.
fn bound_to_loopback(container: ContainerView<'_>) -> Option<Evidence> {
    let words = |field: &'static str, list: &Option<Vec<String>>| {
        let text = list.as_ref()?.join(" ");
        let binds = says(&text.to_ascii_lowercase(), "listen|bind|host|addr|-p |-l |http-server|serve")
            && listening::names_loopback(&text);
        binds.then(|| container.setting(field, text))
    };
    words("command", &container.spec.command).or_else(|| words("args", &container.spec.args)).or_else(|| {
        container.spec.env.iter().flatten().find_map(|variable| {
            let value = variable.value.as_deref()?;
            let about = [
                "HOST",
                "BIND",
                "BIND_ADDRESS",
                "LISTEN",
                "LISTEN_ADDR",
                "LISTEN_ADDRESS",
                "SERVER_HOST",
                "SERVER_ADDRESS",
            ];
            (about.contains(&variable.name.as_str()) && listening::names_loopback(value))
                .then(|| container.setting("env", format!("{}={value}", variable.name)))
        })
    })
}

/// Returns true where another pod's probes time out on the same node at about the same time, with that event.
pub fn times_out_too<'w>(
    facts: &Facts<'w>,
    namespace: &str,
    pod: &str,
    around: Option<Timestamp>,
) -> Option<&'w Event> {
    let Known::Present(events) = facts.world.events("Pod", namespace, pod) else { return None };
    events.iter().rev().filter(|event| event.reason == "Unhealthy").find(|event| {
        let near = match (event.last, around) {
            (Some(a), Some(b)) => a.duration_since(b).abs() <= SignedDuration::from_mins(15),
            _ => false,
        };
        near && event.count >= 2
            && probe::unhealthy(event.text()).is_some_and(|failure| failure.output == Output::Timeout)
    })
}
