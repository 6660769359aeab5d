//! Surveys: many workloads that suffer from the same on one node are that node.

use super::*;
use crate::diagnosis::testing;

/// A pod of a Deployment whose sandbox cannot be made for want of the network plugin.
fn stuck(name: &str, node: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}-1, namespace: shop, uid: {name}, creationTimestamp: '2026-01-01T10:00:00Z',
  ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: {name}, uid: s, controller: true}}]}}
spec: {{nodeName: {node}, containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'True', lastTransitionTime: '2026-01-01T10:00:00Z'}}]
  containerStatuses:
  - {{name: app, ready: false, restartCount: 0, image: x, imageID: '', state: {{waiting: {{reason: ContainerCreating}}}}}}
---
apiVersion: v1
kind: Event
metadata: {{name: {name}-e, namespace: shop}}
involvedObject: {{kind: Pod, namespace: shop, name: {name}-1, uid: {name}}}
type: Warning
reason: FailedCreatePodSandBox
message: 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"abc\": plugin type=\"calico\" failed (add): stat /var/lib/calico/nodename: no such file or directory'
count: 20
firstTimestamp: '2026-01-01T10:00:05Z'
lastTimestamp: '2026-01-01T10:19:50Z'
source: {{component: kubelet, host: {node}}}
"
    )
}

fn survey_of(pods: &[(&str, &str)]) -> Vec<Group> {
    let world = testing::world(&pods.iter().map(|(name, node)| stuck(name, node)).collect::<String>());
    survey(&world, "2026-01-01T10:20:00Z".parse().expect("a time"), None, &Catalogue::default())
}

#[test]
fn three_workloads_with_the_same_on_one_node_are_the_node() {
    let groups = survey_of(&[("a", "n1"), ("b", "n1"), ("c", "n1"), ("d", "n2")]);
    assert_eq!(groups.len(), 2, "{groups:#?}");
    let node = groups.iter().find(|group| group.diagnosis.target.kind == "Node").expect("a node");
    assert_eq!((node.diagnosis.target.name.as_str(), node.pods.len(), node.workloads), ("n1", 3, 3));
}

#[test]
fn the_same_on_several_nodes_is_no_nodes_fault() {
    let groups = survey_of(&[("a", "n1"), ("b", "n2"), ("c", "n3"), ("d", "n1")]);
    assert!(groups.iter().all(|group| group.diagnosis.target.kind == "Pod"), "{groups:#?}");
}

#[test]
fn a_deployment_is_known_by_its_sets_where_it_was_not_read() {
    let set = r#"
kind: ReplicaSet
apiVersion: apps/v1
metadata: {name: api-1, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: api, uid: u, controller: true}]}
spec: {replicas: 1, selector: {}}
status: {replicas: 0, conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: 'pods "api-1-x" is forbidden: exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1'}]}
"#;
    let world = testing::world(set);
    let ask = |target: &str| {
        let target = crate::target::parse(target).expect("a target");
        answer(&world, "2026-01-01T10:20:00Z".parse().expect("a time"), &target, &Catalogue::default())
    };
    let Ok(Answer::One { diagnosis, .. }) = ask("shop/deployment/api") else { panic!("one answer") };
    assert_eq!(diagnosis.answer().map(|found| found.cause.id), Some("quota-exceeded"));
    assert!(ask("shop/deployment/web").is_err());
}

/// A pod of a StatefulSet that serves.
fn ready(name: &str, number: usize) -> String {
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}-{number}, namespace: shop, uid: {name}-{number}, creationTimestamp: '2026-01-01T08:00:00Z',
  ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: {name}, uid: s, controller: true}}]}}
spec: {{nodeName: n1, containers: [{{name: app, image: x}}]}}
status:
  phase: Running
  conditions: [{{type: Ready, status: 'True', lastTransitionTime: '2026-01-01T08:00:00Z'}}]
  containerStatuses:
  - {{name: app, ready: true, restartCount: 0, image: x, imageID: '', state: {{running: {{startedAt: '2026-01-01T08:00:00Z'}}}}}}
"
    )
}

#[test]
fn one_sick_of_ten_is_not_ten_of_ten() {
    let set = "
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: a, namespace: shop}
spec: {replicas: 10, serviceName: a, selector: {matchLabels: {app: a}}, template: {}}
status: {replicas: 10, readyReplicas: 9}
";
    let yaml = stuck("a", "n1") + set + &(2..11).map(|number| ready("a", number)).collect::<String>();
    let world = testing::world(&yaml);
    let now = "2026-01-01T10:20:00Z".parse().expect("a time");
    let groups = survey(&world, now, None, &Catalogue::default());
    assert_eq!(groups.len(), 1, "{groups:#?}");
    assert_eq!((groups[0].pods.len(), groups[0].of), (1, 10));
    let told = |story: &[crate::diagnosis::story::Chapter]| story.iter().any(|c| c.text.en == "1 of 10 pods not ready");
    assert!(told(&groups[0].diagnosis.story), "{:?}", groups[0].diagnosis.story);
    let target = crate::target::parse("shop/sts/a").expect("a target");
    let Ok(Answer::One { diagnosis, among }) = answer(&world, now, &target, &Catalogue::default()) else {
        panic!("one answer")
    };
    assert_eq!((among, diagnosis.target.name.as_str()), (10, "a-1"), "the sick one is the one that is told of");
    assert!(told(&diagnosis.story), "{:?}", diagnosis.story);
}
