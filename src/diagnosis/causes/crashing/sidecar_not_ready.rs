//! The app fails since a sidecar of its own pod, through which it talks, is not ready.

use super::{Death, capital, deaths, named, read_the_log, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::app_log::Complaint;
use crate::facts::reading::text::says;
use crate::facts::{ContainerView, Facts, Role};

pub static CAUSE: Cause = Cause {
    id: "sidecar-not-ready",
    phases: &[Phase::Crashing],
    guide: &[],
    page: Page {
        title: Text { en: "It fails since its sidecar is not ready", zh: "因 sidecar 未就绪而失败" },
        what: Text {
            en: "The app reaches the world, or a database, through another container of its pod (a mesh proxy, a database \
                 proxy). Plain containers start side by side, so the app may come first, find nothing there, and end.",
            zh: "应用通过同一 Pod 中的另一个容器（服务网格代理、数据库代理）访问外部。普通容器并行启动，应用可能先启动，发现代理\
                 不可用而退出。",
        },
        tell: Text {
            en: "The app is refused on `127.0.0.1` or cannot reach anything, and the sidecar was not running or not ready at that \
                 moment. A sidecar that crashes by itself is the cause, not this.",
            zh: "应用在 `127.0.0.1` 上被拒绝或无法访问任何地址，而此时 sidecar 未运行或未就绪。若 sidecar 自身崩溃，则应看它自己的原因。",
        },
        fix: Text {
            en: "Make the sidecar a native one (an init container with restartPolicy Always and a startup probe), or let the mesh \
                 hold the app until its proxy is up.",
            zh: "把 sidecar 改为原生 sidecar（restartPolicy 为 Always 的 init 容器并带 startupProbe），或开启网格的“等待代理就绪再启动应用”。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/",
            "https://istio.io/latest/docs/ops/common-problems/injection/",
        ],
    },
    check,
};

/// Names and images of containers that others of a pod talk through.
const PROXIES: &str = "istio-proxy|istio/proxyv2|linkerd-proxy|linkerd/proxy|envoy|cloud-sql-proxy|cloudsql-proxy|\
                       cloudsql-docker|consul-dataplane|kuma-sidecar|kuma-dp|daprd|vault-agent|pgbouncer|ambassador|twemproxy|\
                       osm-proxy|queue-proxy";

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let deaths = deaths(facts);
    let failed = deaths.iter().filter(|death| {
        death.container.role == Role::App
            && death.end.exit_code != 0
            && death.by_itself(facts.world)
            && !is_proxy(death.container)
    });
    for death in failed {
        for sidecar in death
            .container
            .pod
            .containers()
            .filter(|other| other.role != Role::Init && other.name() != death.container.name())
        {
            if let Some(finding) = waits_for(facts, death, sidecar, &deaths) {
                return Some(finding);
            }
        }
    }
    None
}

fn waits_for(
    facts: &Facts<'_>,
    death: &Death<'_>,
    sidecar: ContainerView<'_>,
    deaths: &[Death<'_>],
) -> Option<Finding> {
    // A sidecar that ends by itself with an error has a cause of its own.
    if deaths.iter().any(|d| d.container.name() == sidecar.name() && d.by_itself(facts.world) && d.end.exit_code != 0) {
        return None;
    }
    let down = !sidecar.is_running();
    let came_later = match (sidecar.running_since(), death.end.finished) {
        (Some(Some(since)), Some(finished)) => since >= finished,
        _ => false,
    };
    let not_ready = sidecar.is_running() && !sidecar.ready();
    if !(down || came_later || not_ready) {
        return None;
    }
    let words = death.last_words(facts.world);
    let (peer, unreached) = match words.as_ref().map(|words| &words.complaint) {
        Some(Complaint::Refused { peer } | Complaint::Unreachable { peer }) => (peer.clone(), true),
        Some(Complaint::UnknownHost { .. }) => (None, true),
        _ => (None, false),
    };
    let loopback = peer.as_deref().is_some_and(|peer| says(peer, "127.0.0.1:|localhost:|::1:"));
    let on_its_port = peer
        .as_deref()
        .and_then(|peer| peer.rsplit_once(':')?.1.parse::<i32>().ok())
        .is_some_and(|port| sidecar.spec.ports.iter().flatten().any(|declared| declared.container_port == port));
    let certainty = match (is_proxy(sidecar), loopback, on_its_port, unreached) {
        (_, true, true, _) => Certainty::Confirmed,
        (true, true, _, _) => Certainty::Likely,
        // A mesh takes all traffic of the pod: whatever is refused may be the proxy's absence.
        (true, _, _, true) if down || came_later || is_mesh(sidecar) => Certainty::Likely,
        // No word of the app: only a proxy that is not there at all speaks for itself.
        (true, _, _, false) if down && words.is_none() && is_mesh(sidecar) => Certainty::Likely,
        _ => return None,
    };
    let state = match sidecar.end().or(sidecar.last_end().filter(|_| down)) {
        Some(end) => Some(end.evidence()),
        None => sidecar
            .waiting()
            .map(|waiting| waiting.evidence())
            .or_else(|| sidecar.running_since().map(|since| sidecar.state("ready", sidecar.ready(), since))),
    };
    let hook = sidecar
        .events(facts.world)
        .filter(|event| event.reason == "FailedPostStartHook")
        .last()
        .map(crate::facts::Event::evidence);
    let ((en, zh), (times_en, times_zh)) = (named(death.container), times(death.container));
    let (name, code) = (sidecar.name(), death.end.exit_code);
    let (state_en, state_zh) = if down {
        ("is not running", "没有运行")
    } else if came_later {
        ("started only afterwards", "之后才启动")
    } else {
        ("is not ready", "尚未就绪")
    };
    Finding::new(&CAUSE, certainty)
        .in_container(death.container)
        .says(
            format!("{} fails (exit code {code}) since the sidecar `{name}`, which it talks through, {state_en}{times_en}.", capital(&en)),
            format!("{zh} 失败（退出码 {code}），因为它依赖的 sidecar `{name}` {state_zh}{times_zh}。"),
        )
        .because(words.map(|words| words.line.evidence()))
        .because(state)
        .because(hook)
        .because(death.evidence())
        .fix(Fix::safe(Words::new("Read why the sidecar is not up.", "查看 sidecar 为何没有起来。")).command(kubectl::logs(facts, name, false)))
        .fix(read_the_log(facts, death.container))
        .fix(
            Fix::careful(Words::new(
                format!("Make `{name}` a native sidecar (init container with restartPolicy: Always and a startupProbe), or let the mesh \
                         hold the app (Istio: holdApplicationUntilProxyStarts). Rolls the pods."),
                format!("把 `{name}` 改为原生 sidecar（restartPolicy: Always 的 init 容器，带 startupProbe），或让网格等待代理就绪\
                         （Istio：holdApplicationUntilProxyStarts）。会滚动重建 Pod。"),
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .explains(&["app-exit-error", "lifecycle-hook-failed", "probe-port-closed", "probe-http-status", "probe-timeout"])
        .some()
}

pub(super) fn is_proxy(container: ContainerView<'_>) -> bool {
    says(container.name(), PROXIES) || says(container.image(), PROXIES)
}

/// Returns true for proxies that take all of a pod's traffic.
fn is_mesh(container: ContainerView<'_>) -> bool {
    let mesh = "istio-proxy|istio/proxyv2|linkerd-proxy|linkerd/proxy|envoy|consul-dataplane|kuma-";
    says(container.name(), mesh) || says(container.image(), mesh)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::{diagnose_in, world};
    use crate::facts::log::ContainerLog;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec:
  nodeName: n1
  containers:
  - {name: app, image: app}
  - {name: db-proxy, image: proxy, ports: [{containerPort: 5432}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 2, ready: false, image: app, imageID: "", state: {waiting: {reason: CrashLoopBackOff}},
     lastState: {terminated: {reason: Error, exitCode: 1, startedAt: "2026-01-01T09:05:00Z", finishedAt: "2026-01-01T09:05:01Z"}}}
  - {name: db-proxy, restartCount: 0, ready: READY, image: proxy, imageID: "", state: {running: {startedAt: "SINCE"}}}
"#;

    fn found(yaml: &str, log: &str) -> &'static str {
        let mut world = world(yaml);
        let log = ContainerLog { previous: Some(log.to_owned()), ..ContainerLog::default() };
        world.logs.insert(("shop".to_owned(), "web-1".to_owned(), "app".to_owned()), log);
        diagnose_in(&world, "shop/web-1", "2026-01-01T09:05:30Z").answer().unwrap().cause.id
    }

    #[test]
    fn the_proxy_came_later() {
        let late = POD.replace("READY", "true").replace("SINCE", "2026-01-01T09:05:02Z");
        assert_eq!(found(&late, "dial tcp 127.0.0.1:5432: connect: connection refused\n"), "sidecar-not-ready");
        assert_eq!(
            found(&late, "dial tcp 10.0.0.9:6379: connect: connection refused\n"),
            "app-exit-error",
            "somebody else refused it"
        );
    }

    #[test]
    fn a_proxy_that_was_there_is_not_to_blame() {
        let there = POD.replace("READY", "true").replace("SINCE", "2026-01-01T09:00:05Z");
        assert_eq!(found(&there, "dial tcp 127.0.0.1:5432: connect: connection refused\n"), "app-exit-error");
    }
}
