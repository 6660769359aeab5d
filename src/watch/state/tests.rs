//! Histories of a cluster: what becomes due, and when it is over.

use super::*;
use jiff::SignedDuration;

fn at(minutes: i64) -> Timestamp {
    "2026-05-01T10:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_mins(minutes)
}

/// Returns a pod made at 10:00 with a status.
fn pod(name: &str, uid: &str, status: &str) -> LeanPod {
    let yaml = format!(
        "metadata: {{name: {name}, namespace: prod, uid: {uid}, creationTimestamp: '2026-05-01T10:00:00Z'}}\n\
         spec: {{nodeName: n1}}\nstatus: {{{status}}}"
    );
    serde_saphyr::from_str(&yaml).expect("a pod")
}

fn node(status: &str) -> LeanNode {
    let condition = format!("type: Ready, status: '{status}', lastTransitionTime: '2026-05-01T10:05:00Z'");
    serde_saphyr::from_str(&format!("metadata: {{name: n1}}\nstatus: {{conditions: [{{{condition}}}]}}"))
        .expect("a node")
}

fn key(name: &str) -> PodKey {
    PodKey { namespace: "prod".into(), name: name.into() }
}

const CREATING: &str = "phase: Pending, conditions: [{type: PodScheduled, status: 'True'}]";
const READY: &str = "phase: Running, conditions: [{type: Ready, status: 'True'}]";
const NOT_READY: &str =
    "phase: Running, conditions: [{type: Ready, status: 'False', lastTransitionTime: '2026-05-01T10:05:30Z'}]";

fn names(due: &[Due]) -> Vec<(&str, Symptom)> {
    due.iter().map(|due| (due.pod.name.as_str(), due.symptom)).collect()
}

#[test]
fn a_pod_is_due_at_its_threshold_without_any_event_and_once() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    assert_eq!(state.apply(pod("a", "1", CREATING), &watch, at(1)), None);
    assert_eq!(state.next(), Some(at(5)));
    assert_eq!(state.due(at(4)), (vec![], vec![]));
    assert_eq!(names(&state.due(at(5)).0), [("a", Symptom::Creating)]);
    assert_eq!(state.due(at(50)), (vec![], vec![]), "it was told");
    assert_eq!(state.apply(pod("a", "1", READY), &watch, at(51)), Some(Over::Well(key("a"))));
    assert_eq!((state.kept(), state.next()), (0, None), "healthy pods are not kept");
}

#[test]
fn a_pod_that_recovers_before_its_deadline_was_never_sick() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    state.apply(pod("a", "1", CREATING), &watch, at(1));
    assert_eq!(state.apply(pod("a", "1", READY), &watch, at(4)), None);
    assert_eq!(state.due(at(60)), (vec![], vec![]));
}

#[test]
fn what_is_not_listed_any_more_is_gone() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    for name in ["a", "b"] {
        state.apply(pod(name, "1", CREATING), &watch, at(1));
    }
    state.due(at(6));
    state.relist();
    state.apply(pod("b", "1", CREATING), &watch, at(7));
    assert_eq!(state.relisted(), [Over::Gone(key("a"))]);
    assert_eq!(state.due(at(8)), (vec![], vec![]), "a relist tells nothing twice");
    assert!(state.is_due(&key("b")));
}

#[test]
fn a_pod_of_the_same_name_is_another_pod() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    state.apply(pod("a", "1", CREATING), &watch, at(1));
    state.due(at(6));
    assert_eq!(state.apply(pod("a", "2", CREATING), &watch, at(7)), Some(Over::Gone(key("a"))));
    assert_eq!(names(&state.due(at(7)).0), [("a", Symptom::Creating)]);
}

#[test]
fn a_silent_node_makes_its_sick_pods_unknown_and_their_own_again_when_it_speaks() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    state.apply(pod("a", "1", NOT_READY), &watch, at(6));
    assert_eq!(state.apply_node(&node("Unknown"), &watch, at(6)), vec![]);
    let (due, _) = state.due(at(7));
    assert_eq!(names(&due), [("a", Symptom::Unknown)]);
    assert!(due[0].node_is_silent);
    assert_eq!(state.apply_node(&node("True"), &watch, at(8)), [Over::Well(key("a"))]);
    assert_eq!(names(&state.due(at(16)).0), [("a", Symptom::NotReady)]);
}

#[test]
fn a_crash_loop_is_over_when_it_has_not_crashed_for_ten_minutes() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    let looping = "phase: Running, conditions: [{type: Ready, status: 'True'}], containerStatuses: \
         [{restartCount: 4, state: {running: {}}, lastState: {terminated: {exitCode: 1, finishedAt: '2026-05-01T10:04:00Z'}}}]";
    state.apply(pod("a", "1", looping), &watch, at(5));
    assert_eq!(names(&state.due(at(5)).0), [("a", Symptom::CrashLooping)]);
    assert_eq!(state.next(), Some(at(14)));
    assert_eq!(state.due(at(14)), (vec![], vec![Over::Well(key("a"))]));
    assert_eq!(state.kept(), 0);
}

#[test]
fn what_only_waits_is_asked_about_again_soon_and_then_less_often() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    state.apply(pod("a", "1", CREATING), &watch, at(1));
    let mut now = at(5);
    let mut waits = Vec::new();
    for _ in 0..7 {
        assert_eq!(names(&state.due(now).0), [("a", Symptom::Creating)]);
        state.again_soon(&key("a"), now);
        let next = state.next().expect("it is asked about again");
        assert_eq!(state.due(next - SignedDuration::from_millis(1)).0, vec![]);
        waits.push(next.duration_since(now).as_secs());
        now = next;
    }
    assert_eq!(waits, [2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(state.apply(pod("a", "1", READY), &watch, at(51)), Some(Over::Well(key("a"))), "its end is told too");
}

#[test]
fn what_an_earlier_life_told_is_not_told_again_and_its_end_is() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    state.apply(pod("a", "1", NOT_READY), &watch, at(6));
    assert!(!state.adopt(&key("a"), Symptom::Creating), "another trouble");
    assert!(!state.adopt(&key("b"), Symptom::NotReady), "not there");
    assert!(state.adopt(&key("a"), Symptom::NotReady));
    assert_eq!((state.due(at(60)), state.next()), ((vec![], vec![]), None));
    assert_eq!(state.apply(pod("a", "1", READY), &watch, at(61)), Some(Over::Well(key("a"))));
}

#[test]
fn a_silent_node_that_is_not_listed_any_more_is_silent_no_more() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    state.apply_node(&node("Unknown"), &watch, at(6));
    state.apply(pod("a", "1", READY), &watch, at(6));
    assert_eq!(names(&state.due(at(7)).0), [("a", Symptom::Unknown)]);
    state.relist_nodes();
    assert_eq!(state.relisted_nodes(&watch, at(8)), [Over::Well(key("a"))]);
}

#[test]
fn a_subject_has_suspects_until_its_last_one_is_well_or_gone() {
    let (mut state, watch) = (ClusterState::default(), Watch::default());
    let workload = |name: &str| Subject::Workload { kind: "Pod".into(), namespace: "prod".into(), name: name.into() };
    let node_subject = Subject::Node { name: "n1".into() };
    state.apply(pod("a", "1", CREATING), &watch, at(1));
    state.apply(pod("a", "1", NOT_READY), &watch, at(2));
    assert!(state.has_suspects_of(&workload("a")) && !state.has_suspects_of(&workload("b")));
    assert!(!state.has_suspects_of(&node_subject), "its node speaks");
    state.apply_node(&node("Unknown"), &watch, at(3));
    assert!(state.has_suspects_of(&node_subject));
    state.delete(&pod("a", "1", READY));
    assert!(!state.has_suspects_of(&workload("a")) && !state.has_suspects_of(&node_subject));
    assert!(state.subjects.is_empty());
}
