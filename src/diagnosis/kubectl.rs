//! Commands to copy, filled in with this pod's names and safe to paste into a shell.

use crate::facts::{Facts, Workload};

/// Returns a word that a shell takes literally.
pub fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | ',' | '@' | '%' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Returns `kubectl -n NAMESPACE REST`; `rest` is taken as it is, so quote what stands in it.
pub fn namespaced(namespace: &str, rest: &str) -> String {
    format!("kubectl -n {} {rest}", quoted(namespace))
}

/// Returns the command that describes the pod, or the workload where there is no pod.
pub fn describe(facts: &Facts<'_>) -> String {
    match facts.pod() {
        Some(pod) => namespaced(pod.namespace(), &format!("describe pod {}", quoted(pod.name()))),
        None => {
            let workload = facts.workload();
            namespaced(&workload.namespace, &format!("describe {}", quoted(&workload.reference())))
        }
    }
}

/// Returns the command that prints a container's log; `previous` = of the run before.
pub fn logs(facts: &Facts<'_>, container: &str, previous: bool) -> String {
    let Some(pod) = facts.pod() else { return describe(facts) };
    let previous = if previous { " --previous" } else { "" };
    namespaced(pod.namespace(), &format!("logs {} -c {}{previous} --tail=100", quoted(pod.name()), quoted(container)))
}

/// Returns the command that deletes the pod, so that its controller makes a new one.
pub fn delete_pod(facts: &Facts<'_>) -> String {
    let Some(pod) = facts.pod() else { return describe(facts) };
    namespaced(pod.namespace(), &format!("delete pod {}", quoted(pod.name())))
}

/// Returns the command that opens the owning workload in an editor. A bare pod can hardly be changed in place: it is
/// written to a file, to be edited and put in the old one's stead.
pub fn edit(workload: &Workload) -> String {
    if workload.kind == "Pod" {
        let get = format!("get pod {} -o yaml > pod.yaml", quoted(&workload.name));
        let put = namespaced(&workload.namespace, "replace --force -f pod.yaml");
        return format!("{}; ${{EDITOR:-vi}} pod.yaml && {put}", namespaced(&workload.namespace, &get));
    }
    namespaced(&workload.namespace, &format!("edit {}", quoted(&workload.reference())))
}

/// Returns the command that sets a container's memory limit on the owning workload.
pub fn set_memory_limit(workload: &Workload, container: &str, limit: &str) -> String {
    namespaced(
        &workload.namespace,
        &format!(
            "set resources {} -c {} --limits=memory={}",
            quoted(&workload.reference()),
            quoted(container),
            quoted(limit)
        ),
    )
}

/// Returns the command that sets a container's image on the owning workload.
pub fn set_image(workload: &Workload, container: &str, image: &str) -> String {
    namespaced(
        &workload.namespace,
        &format!("set image {} {}={}", quoted(&workload.reference()), quoted(container), quoted(image)),
    )
}

/// Returns the command that describes a node.
pub fn describe_node(node: &str) -> String {
    format!("kubectl describe node {}", quoted(node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_word() {
        assert_eq!(quoted("web-1"), "web-1");
        assert_eq!(quoted("a'; rm -rf /"), r"'a'\''; rm -rf /'");
        assert_eq!(quoted("$(id)"), "'$(id)'");
    }
}
