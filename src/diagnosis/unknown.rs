//! "I do not know", in full: what was looked at and what it showed, and what to look at next.

use super::finding::Fix;
use super::words::Words;
use super::{causes, kubectl};
use crate::facts::{ContainerView, Facts, Known, PodView, evidence::shorten, node};

/// How much of a message stands in a line.
const LINE: usize = 160;

/// Returns what was looked at and what it showed, in the order in which a person would look.
pub fn checked(facts: &Facts<'_>) -> Vec<Words> {
    let mut lines = Vec::new();
    if let Some(pod) = facts.pod() {
        lines.push(of_pod(pod));
        lines.extend(pod.containers().filter(|container| !container.done() && !container.ready()).map(of_container));
        lines.push(of_events(facts, pod));
        lines.extend(pod.node_name().map(|name| of_node(facts, name)));
        lines.extend(of_logs(facts, pod));
    } else {
        let workload = facts.workload();
        if let Some(refused) = causes::admission::refused(facts) {
            let said = refused.evidence.first().map(|evidence| shown(&evidence.quote)).unwrap_or_default();
            lines.push(Words::new(
                format!("{}: its pods are refused: {said}", refused.by),
                format!("{}：创建 Pod 被拒绝：{said}", refused.by),
            ));
        }
        let events = facts.world.events_seen(&workload.kind, &workload.namespace, &workload.name).len();
        lines.push(Words::new(
            format!("{workload}: no pod to look at; {events} of its events were read"),
            format!("{workload}：没有可查看的 Pod；读取到 {events} 条事件"),
        ));
    }
    let count = causes::all().count();
    lines.push(Words::new(
        format!("{count} causes of the catalogue: none is sure"),
        format!("目录中的 {count} 个原因：没有一个可以确定"),
    ));
    lines
}

/// Returns what to look at next, as commands.
pub fn next(facts: &Facts<'_>) -> Vec<Fix> {
    let mut steps = vec![
        Fix::safe(Words::new(
            "Read what the cluster itself says of it; its events stand at the end.",
            "先看集群自己的说明，事件在末尾。",
        ))
        .command(kubectl::describe(facts)),
    ];
    let Some(pod) = facts.pod() else { return steps };
    let failing = pod.containers().find(|container| !container.done() && !container.ready());
    if let Some(container) = failing.filter(|container| container.is_running() || container.latest_end().is_some()) {
        let name = container.name();
        let previous = !container.is_running() || container.restarts() > 0;
        let text = if previous {
            Words::new(
                format!("Read the last lines of container `{name}` before it ended."),
                format!("查看容器 `{name}` 结束前的最后几行日志。"),
            )
        } else {
            Words::new(
                format!("Read what container `{name}` says while it is not ready."),
                format!("查看容器 `{name}` 未就绪期间的日志。"),
            )
        };
        let previous = previous && container.restarts() > 0;
        steps.push(Fix::safe(text).command(kubectl::logs(facts, name, previous)));
    }
    if let Some(node) = pod.node_name() {
        let text = Words::new(
            format!("Look at node `{node}`: its conditions, its events and what else runs there."),
            format!("查看节点 `{node}`：状态、事件以及其上运行的其他 Pod。"),
        );
        steps.push(Fix::safe(text).command(kubectl::describe_node(node)));
    }
    if pod.events(facts.world).present().is_none() {
        let text = Words::new(
            "Events are kept for an hour or so. Watch for new ones while it tries again.",
            "事件通常只保留约一小时。请在它重试时观察新的事件。",
        );
        let name = kubectl::quoted(pod.name());
        steps.push(Fix::safe(text).command(kubectl::namespaced(
            pod.namespace(),
            &format!("get events --watch --field-selector involvedObject.name={name}"),
        )));
    }
    steps
}

fn of_pod(pod: PodView<'_>) -> Words {
    let unmet: Vec<String> = pod
        .status()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default()
        .iter()
        .filter(|condition| condition.status == "False")
        .take(4)
        .map(|condition| match condition.reason.as_deref() {
            Some(reason) if !reason.is_empty() => format!("{} ({reason})", condition.type_),
            _ => condition.type_.clone(),
        })
        .collect();
    let phase = pod.phase();
    if unmet.is_empty() {
        return Words::new(format!("the pod: phase {phase}"), format!("Pod：阶段 {phase}"));
    }
    let unmet = shown(&unmet.join(", "));
    Words::new(format!("the pod: phase {phase}; not yet {unmet}"), format!("Pod：阶段 {phase}；尚未满足 {unmet}"))
}

fn of_container(container: ContainerView<'_>) -> Words {
    let (name, restarts) = (container.name(), container.restarts());
    let (en, zh) = match (container.waiting(), container.latest_end()) {
        _ if container.status.is_none() => ("no status yet".to_owned(), "还没有状态".to_owned()),
        (Some(waiting), _) if !waiting.reason.is_empty() => {
            let reason = shown(waiting.reason);
            (format!("waits: {reason}"), format!("等待中：{reason}"))
        }
        (_, Some(end)) if !container.is_running() => {
            let reason = shown(end.reason);
            (
                format!("ended with code {} {reason}", end.exit_code),
                format!("已结束，退出码 {} {reason}", end.exit_code),
            )
        }
        _ if container.is_running() => ("runs, not ready".to_owned(), "运行中，未就绪".to_owned()),
        _ => ("has not started".to_owned(), "尚未启动".to_owned()),
    };
    let times = if restarts > 0 {
        (format!(", {restarts} restarts"), format!("，重启 {restarts} 次"))
    } else {
        Default::default()
    };
    Words::new(format!("container `{name}`: {en}{}", times.0), format!("容器 `{name}`：{zh}{}", times.1))
}

fn of_events(facts: &Facts<'_>, pod: PodView<'_>) -> Words {
    match pod.events(facts.world) {
        Known::Present(events) => {
            let count = events.len();
            let newest = events.last().map(|event| shown(&format!("{}: {}", event.reason, event.text())));
            let newest = newest.unwrap_or_default();
            Words::new(
                format!("its {count} events; the newest: {newest}"),
                format!("它的 {count} 条事件；最新一条：{newest}"),
            )
        }
        Known::Absent => Words::new("its events: there are none (any more)", "它的事件：没有（或已过期）"),
        Known::Unreadable => Words::new("its events: not read", "它的事件：未能读取"),
    }
}

fn of_node(facts: &Facts<'_>, name: &str) -> Words {
    match facts.node() {
        Known::Present(node) => {
            let pressed: Vec<&str> = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"]
                .into_iter()
                .filter(|kind| node::is(node, kind))
                .collect();
            // A row of a table has no such conditions.
            let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
            let is_known = conditions.iter().any(|condition| condition.type_ == "MemoryPressure");
            let state = match (node::is_ready(node), pressed.is_empty()) {
                (true, true) if !is_known => Words::new("ready", "就绪"),
                (true, true) => Words::new("ready, without pressure", "就绪，无资源压力"),
                (true, false) => {
                    Words::new(format!("ready, {}", pressed.join(", ")), format!("就绪，{}", pressed.join("、")))
                }
                (false, _) => Words::new("not ready", "未就绪"),
            };
            Words::new(format!("node `{name}`: {}", state.en), format!("节点 `{name}`：{}", state.zh))
        }
        Known::Absent => Words::new(format!("node `{name}`: it does not exist"), format!("节点 `{name}`：不存在")),
        Known::Unreadable => Words::new(format!("node `{name}`: not read"), format!("节点 `{name}`：未能读取")),
    }
}

fn of_logs(facts: &Facts<'_>, pod: PodView<'_>) -> Vec<Words> {
    let failing = pod.containers().filter(|container| !container.done() && !container.ready());
    failing
        .filter(|container| container.is_running() || container.latest_end().is_some())
        .take(3)
        .map(|container| {
            let name = container.name();
            let log = facts.world.log(pod.namespace(), pod.name(), name);
            let lines = log.map(|log| {
                [&log.current, &log.previous].into_iter().flatten().map(|text| text.lines().count()).sum::<usize>()
            });
            match (lines, log.and_then(|log| log.error.as_deref())) {
                (Some(0), Some(error)) => {
                    let error = shown(error);
                    Words::new(format!("the log of `{name}`: {error}"), format!("`{name}` 的日志：{error}"))
                }
                (Some(0), None) => Words::new(format!("the log of `{name}`: empty"), format!("`{name}` 的日志：为空")),
                (Some(count), _) => Words::new(
                    format!("the log of `{name}`: {count} lines, none of which tells a known failure for sure"),
                    format!("`{name}` 的日志：{count} 行，没有一行能确定对应已知故障"),
                ),
                (None, _) => Words::new(format!("the log of `{name}`: not read"), format!("`{name}` 的日志：未能读取")),
            }
        })
        .collect()
}

/// Returns text of the cluster's on one line, short, without what would break a sentence's code marks.
fn shown(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| *c != '`').collect();
    shorten(&clean, LINE)
}

#[cfg(test)]
mod tests;
