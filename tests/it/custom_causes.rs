//! The sample causes in `config/causes`, and the commands about causes of one's own, by the real binary.

use std::path::Path;
use std::process::Command;

const AT: &str = "2026-11-24T10:30:00Z";

const INIT: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: shop-1, namespace: shop, uid: u1, creationTimestamp: "2026-11-24T10:00:00Z"}
spec:
  nodeName: n1
  initContainers: [{name: wait, image: busybox}]
  containers: [{name: app, image: shop:1}]
status:
  phase: Pending
  conditions: [{type: Initialized, status: "False"}, {type: Ready, status: "False"}, {type: PodScheduled, status: "True"}]
  initContainerStatuses:
  - {name: wait, ready: false, restartCount: 0, image: x, imageID: x, state: {running: {startedAt: "2026-11-24T10:00:10Z"}}}
  containerStatuses:
  - {name: app, ready: false, restartCount: 0, image: x, imageID: "", state: {waiting: {reason: PodInitializing}}}
"#;

const MIRROR: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: shop-1, namespace: shop, uid: u1, creationTimestamp: "2026-11-24T10:00:00Z"}
spec:
  nodeName: n1
  containers: [{name: app, image: "registry.acme.example/shop:1"}]
status:
  phase: Pending
  conditions: [{type: Initialized, status: "True"}, {type: Ready, status: "False"}, {type: PodScheduled, status: "True"}]
  containerStatuses:
  - {name: app, ready: false, restartCount: 0, image: x, imageID: "", state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image "registry.acme.example/shop:1"'}}}
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: shop}
involvedObject: {kind: Pod, namespace: shop, name: shop-1, uid: u1, fieldPath: "spec.containers{app}"}
type: Warning
reason: Failed
message: 'Failed to pull image "registry.acme.example/shop:1": rpc error: code = Unknown desc = failed to resolve reference: dial tcp 10.0.0.9:443: connect: connection refused'
count: 5
lastTimestamp: "2026-11-24T10:29:00Z"
source: {component: kubelet, host: n1}
"#;

const SPOT: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: shop-1, namespace: shop, uid: u1, creationTimestamp: "2026-11-24T09:00:00Z", deletionTimestamp: "2026-11-24T10:20:00Z", deletionGracePeriodSeconds: 30}
spec: {nodeName: n1, containers: [{name: app, image: "shop:1"}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, ready: true, restartCount: 0, image: x, imageID: x, state: {running: {startedAt: "2026-11-24T09:00:10Z"}}}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
spec: {taints: [{key: karpenter.sh/disrupted, effect: NoSchedule}]}
status: {conditions: [{type: Ready, status: "True"}]}
"#;

fn run(folder: &Path, words: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_podoctor"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("podoctor runs");
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code().unwrap_or(-1), text)
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    folder
}

fn samples() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/causes").display().to_string()
}

#[test]
fn every_sample_leads_where_it_fits_and_is_silent_elsewhere() {
    let lines = "waiting for postgres.shop:5432\nWaiting for postgres.shop:5432\n";
    for (objects, id, says, command) in [
        (
            INIT,
            "acme-init-waits-for-dependency",
            "has been waiting for a dependency for 29 min",
            "kubectl -n shop get pods,endpoints",
        ),
        (MIRROR, "acme-registry-mirror-down", "registry.acme.example/shop:1", "kubectl debug node/n1 -it"),
        (SPOT, "acme-spot-node-reclaimed", "Node `n1` is being reclaimed", "kubectl -n shop get pods -o wide"),
    ] {
        let bundle = folder(&[("objects.yaml", objects), ("logs/shop/shop-1/wait.log", lines)]);
        let args = ["diagnose", "shop/shop-1", "--from", ".", "--at", AT, "-o", "json", "--causes", &samples()];
        let (_, text) = run(bundle.path(), &args);
        let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let first = &report["findings"][0];
        assert_eq!(first["cause"], id, "{text}");
        assert!(first["summary"].as_str().is_some_and(|summary| summary.contains(says)), "{first:#}");
        assert!(first["evidence"].as_array().is_some_and(|evidence| !evidence.is_empty()), "{first:#}");
        assert!(first["fixes"].to_string().contains(command), "{first:#}");
        assert!(first["fixes"].to_string().contains("https://wiki.example.com/runbooks/"), "{first:#}");
        let others = report["findings"].as_array().expect("a list")[1..].iter();
        let custom = others.filter(|finding| finding["cause"].as_str().is_some_and(|id| id.starts_with("acme-")));
        assert_eq!(custom.count(), 0, "{text}");
        let (_, without) = run(bundle.path(), &args[..8]);
        assert!(!without.contains("acme-"), "{without}");
    }
}

#[test]
fn a_trial_shows_what_an_expression_sees_and_why_it_does_not_fit() {
    let bundle = folder(&[("objects.yaml", INIT)]);
    let file = format!("{}/init-waits-for-dependency.yaml", samples());
    let (code, text) = run(bundle.path(), &["causes", "test", &file, "--from", ".", "--at", AT]);
    assert_eq!(code, 1, "{text}");
    for words in [
        "acme-init-waits-for-dependency · shop/shop-1 · container wait",
        "? `when` comes to nothing: `log` could not be read",
        "container.role",
        "\"init\"",
        "shop/shop-1 · container app",
        "✘ `when` is false",
    ] {
        assert!(text.contains(words), "no {words} in\n{text}");
    }
    let bundle = folder(&[("objects.yaml", INIT), ("logs/shop/shop-1/wait.log", "waiting for postgres\n")]);
    let (code, text) = run(bundle.path(), &["causes", "test", &file, "shop/shop", "--from", ".", "--at", AT]);
    assert_eq!(code, 0, "{text}");
    for words in ["✔ `when` holds: it fits", "It says", "waiting for postgres", "log wait"] {
        assert!(text.contains(words), "no {words} in\n{text}");
    }
    let (code, text) = run(bundle.path(), &["causes", "test", &file, "shop/other", "--from", ".", "--at", AT]);
    assert_eq!((code, text.contains("no such pod")), (2, true), "{text}");
}

#[test]
fn the_commands_name_the_file_and_line_of_a_mistake() {
    let own = "id: acme-x\nphases: [crashing]\nwhen: |\n  pod.status.phase == 'Running'\n    && pood.x == 1\nsummary: s\ntitle: t\nwhat: w\nfix: f\n";
    let place = "own.yaml:5: when: there is no variable `pood`; did you mean `pod`?, at `pood.x == 1`";
    let home = folder(&[("own.yaml", own), ("podoctor.yaml", "causes: [own.yaml]\n"), ("pod.yaml", INIT)]);
    for words in [
        ["config", "check", "--config", "podoctor.yaml"].as_slice(),
        &["causes", "--config", "podoctor.yaml"],
        &["causes", "test", "own.yaml", "--from", "pod.yaml"],
        &["diagnose", "shop/shop-1", "--from", "pod.yaml", "--causes", "own.yaml"],
    ] {
        let (code, text) = run(home.path(), words);
        assert_eq!((code, text.contains(place)), (2, true), "{words:?}: {text}");
    }
    let good = own.replace("pood.x == 1", "true");
    let home = folder(&[("own.yaml", &good), ("podoctor.yaml", "causes: [own.yaml]\n")]);
    let (code, text) = run(home.path(), &["config", "check", "--config", "podoctor.yaml"]);
    assert_eq!((code, text.contains("no mistakes")), (0, true), "{text}");
    let (code, text) = run(home.path(), &["causes", "acme-x", "--config", "podoctor.yaml", "-o", "json"]);
    assert_eq!((code, text.contains("\"id\": \"acme-x\"")), (0, true), "{text}");
    let (_, text) = run(home.path(), &["causes", "--causes", "own.yaml"]);
    assert!(text.contains("acme-x") && text.contains("cgroup-oom"), "{text}");
}
