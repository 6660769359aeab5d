//! An answer that does not know says what it looked at.

use crate::diagnosis::{Verdict, testing};

/// A container that runs and is not ready, with nothing that says why.
const UNREADY: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, uid: u1, creationTimestamp: '2026-01-01T10:00:00Z'}
spec:
  nodeName: n1
  containers: [{name: app, image: shop/app:1}]
status:
  phase: Running
  conditions:
  - {type: Ready, status: 'False', reason: ContainersNotReady, lastTransitionTime: '2026-01-01T10:00:10Z'}
  containerStatuses:
  - {name: app, ready: false, restartCount: 0, image: shop/app:1, imageID: x, state: {running: {startedAt: '2026-01-01T10:00:09Z'}}}
";

#[test]
fn says_what_was_checked_and_what_to_look_at_next() {
    let diagnosis = testing::diagnose_pod(UNREADY, "shop/web-1", "2026-01-01T12:00:00Z");
    assert_eq!(diagnosis.verdict, Verdict::Unknown, "{:?}", diagnosis.findings);
    let checked = diagnosis.checked.iter().map(|words| words.en.as_str()).collect::<Vec<_>>().join("\n");
    for part in [
        "phase Running; not yet Ready (ContainersNotReady)",
        "container `app`: runs, not ready",
        "its events: not read",
        "node `n1`: not read",
        "the log of `app`: not read",
    ] {
        assert!(checked.contains(part), "{part} is not in {checked}");
    }
    let commands: Vec<_> = diagnosis.next.iter().filter_map(|step| step.command.as_deref()).collect();
    assert!(commands.contains(&"kubectl -n shop describe pod web-1"), "{commands:?}");
    assert!(commands.contains(&"kubectl -n shop logs web-1 -c app --tail=100"), "{commands:?}");
    assert!(commands.contains(&"kubectl describe node n1"), "{commands:?}");
    assert!(diagnosis.checked.iter().all(|words| !words.zh.is_ascii()));
}
