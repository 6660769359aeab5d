//! What is missing, odd or late may cost certainty, never truth: the cases again, with less and worse to go by.

use podoctor::diagnosis::{Catalogue, Certainty, Diagnosis, Verdict, diagnose};
use podoctor::facts::intake::{self, Met};
use podoctor::facts::{Facts, PodView, Subject, World};
use podoctor::gather::files;
use podoctor::question::{self, Answer};
use podoctor::target::{self, Target};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A case: what was seen, object by object, and what is true of it.
struct Case {
    name: String,
    folder: PathBuf,
    objects: Vec<Value>,
    target: Target,
    now: jiff::Timestamp,
    /// The cause and those that are accepted as well.
    truths: Vec<String>,
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let folders = std::fs::read_dir(root).expect("tests/cases is there").map(|entry| entry.expect("a folder").path());
    let mut cases: Vec<Case> = folders
        .filter(|folder| folder.is_dir())
        .map(|folder| {
            let text = std::fs::read_to_string(folder.join("expected.json")).expect("every case has its truth");
            let want: Value = serde_json::from_str(&text).expect("expected.json is JSON");
            let text = std::fs::read_to_string(folder.join("objects.yaml")).expect("every case has objects");
            let objects = serde_saphyr::from_multiple::<Value>(&text).expect("objects.yaml is YAML");
            let also = want["alsoAccepted"].as_array().into_iter().flatten();
            Case {
                name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                objects: objects.into_iter().flat_map(items).collect(),
                target: target::parse(want["target"].as_str().expect("a target")).expect("a target that parses"),
                now: want["at"].as_str().expect("a time").parse().expect("RFC 3339"),
                truths: std::iter::once(&want["cause"])
                    .chain(also)
                    .map(|cause| cause.as_str().expect("an id").to_owned())
                    .collect(),
                folder,
            }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
});

fn items(object: Value) -> Vec<Value> {
    match object {
        Value::Object(mut fields) if fields.get("kind") == Some(&json!("List")) => match fields.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        object => vec![object],
    }
}

impl Case {
    /// Diagnoses what is left of the case's objects; its logs stay.
    fn diagnose(&self, objects: impl IntoIterator<Item = Value>, now: jiff::Timestamp) -> Option<Diagnosis> {
        let (mut world, mut met) = (World::default(), Met::default());
        for object in objects {
            intake::take(&mut world, object, &mut met);
        }
        world.conclude(&met);
        world.sort_events();
        world.logs = files::read(&[self.folder.join("logs")]).world.logs;
        match question::answer(&world, now, &self.target, &Catalogue::default()) {
            Ok(Answer::One { diagnosis, .. }) => Some(*diagnosis),
            Ok(Answer::Many(_)) => panic!("{}: the target names one thing", self.name),
            Err(_) => None,
        }
    }

    fn is_calm(&self) -> bool {
        matches!(self.truths[0].as_str(), "healthy" | "waiting-normally" | "completed")
    }

    /// Returns what is wrong with an answer to less than everything: another cause called confirmed.
    fn fault(&self, diagnosis: &Diagnosis) -> Option<String> {
        let lead = diagnosis.answer()?;
        let wrong = diagnosis.verdict == Verdict::Sick
            && lead.certainty == Certainty::Confirmed
            && !self.truths.iter().any(|truth| truth == lead.cause.id);
        wrong.then(|| format!("{} ({}): confirmed {}", self.name, self.truths[0], lead.cause.id))
    }
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

#[test]
fn without_events_no_other_cause_is_confirmed() {
    let (mut faults, mut told) = (Vec::new(), 0);
    for case in CASES.iter() {
        let rest = case.objects.iter().filter(|object| kind(object) != "Event").cloned();
        let Some(diagnosis) = case.diagnose(rest, case.now) else { continue };
        faults.extend(case.fault(&diagnosis));
        told += usize::from(diagnosis.answer().is_some_and(|lead| case.truths.iter().any(|t| t == lead.cause.id)));
    }
    println!("without events {told} of {} are still told", CASES.len());
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(told * 2 > CASES.len(), "the status alone tells only {told} of {}", CASES.len());
}

#[test]
fn without_any_one_kind_no_other_cause_is_confirmed() {
    let mut faults = Vec::new();
    for case in CASES.iter() {
        let kinds: BTreeSet<&str> = case.objects.iter().map(kind).filter(|kind| *kind != "Pod").collect();
        for gone in kinds {
            let rest = case.objects.iter().filter(|object| kind(object) != gone).cloned();
            let Some(diagnosis) = case.diagnose(rest, case.now) else { continue };
            faults.extend(case.fault(&diagnosis).map(|fault| format!("without {gone}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_clock_that_is_minutes_off_raises_no_false_alarm() {
    let mut faults = Vec::new();
    for case in CASES.iter() {
        // A healthy or finished pod stays so; what waits may have waited too long when looked at later.
        let lasting = matches!(case.truths[0].as_str(), "healthy" | "completed");
        let hours: &[i64] = if lasting { &[-60, -3, 3, 60, 300, 1_500] } else { &[-60, -3] };
        for minutes in hours.iter().filter(|_| case.is_calm()) {
            let now = case.now + jiff::SignedDuration::from_mins(*minutes);
            let Some(diagnosis) = case.diagnose(case.objects.iter().cloned(), now) else { continue };
            let lead = diagnosis.answer().map(|lead| lead.cause.id);
            if diagnosis.verdict == Verdict::Sick && !case.truths.iter().any(|t| Some(t.as_str()) == lead) {
                faults.push(format!("{} at {minutes:+} min: {lead:?}", case.name));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn messages_cut_at_1024_characters_confirm_nothing_else() {
    let mut faults = Vec::new();
    for case in CASES.iter() {
        let cut = case.objects.iter().cloned().map(|mut object| {
            if let Some(Value::String(message)) = object.get_mut("message") {
                *message = message.chars().take(1_024).collect();
            }
            object
        });
        faults.extend(case.diagnose(cut, case.now).and_then(|diagnosis| case.fault(&diagnosis)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn thousands_of_events_change_nothing() {
    for case in CASES.iter().step_by(8) {
        let noise = (0..3_000).map(|i| {
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("noise-{i}"), "namespace": "other"},
                "involvedObject": {"kind": "Pod", "namespace": "other", "name": format!("p{i}")}, "type": "Warning",
                "reason": "BackOff", "message": "Back-off restarting failed container", "count": i32::MAX,
                "lastTimestamp": "2026-01-01T00:00:00Z"})
        });
        let with = case.diagnose(case.objects.iter().cloned().chain(noise), case.now);
        let plain = case.diagnose(case.objects.iter().cloned(), case.now);
        let lead = |diagnosis: &Option<Diagnosis>| {
            diagnosis.as_ref().and_then(Diagnosis::answer).map(|lead| (lead.cause.id, lead.certainty))
        };
        assert_eq!(lead(&with), lead(&plain), "{}", case.name);
    }
}

/// What is done to one value somewhere in an object.
#[derive(Debug, Clone)]
enum Damage {
    Null,
    Remove,
    Text(String),
    Number(i64),
    Time(&'static str),
    Empty,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Null),
        Just(Damage::Remove),
        Just(Damage::Empty),
        "\\PC{0,60}".prop_map(Damage::Text),
        Just(Damage::Text("ä`'\"\u{202e}\0\n".repeat(2_000))),
        prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(-1), Just(0), any::<i64>()].prop_map(Damage::Number),
        prop_oneof![Just("0001-01-01T00:00:00Z"), Just("9999-12-30T22:00:00Z"), Just("1970-01-01T00:00:00Z")]
            .prop_map(Damage::Time),
    ]
}

/// Damages the value that a walk of choices comes to.
fn hurt(value: &mut Value, walk: &[usize], damage: &Damage) {
    let ends = walk.is_empty();
    match value {
        Value::Object(fields) if !ends && !fields.is_empty() => {
            let name = fields.keys().nth(walk[0] % fields.len()).cloned().unwrap_or_default();
            if walk.len() == 1 && matches!(damage, Damage::Remove) {
                fields.remove(&name);
            } else if let Some(field) = fields.get_mut(&name) {
                hurt(field, &walk[1..], damage);
            }
        }
        Value::Array(items) if !ends && !items.is_empty() => {
            let place = walk[0] % items.len();
            if walk.len() == 1 && matches!(damage, Damage::Remove) {
                items.remove(place);
            } else {
                hurt(&mut items[place], &walk[1..], damage);
            }
        }
        _ => {
            *value = match damage {
                Damage::Null | Damage::Remove => Value::Null,
                Damage::Empty => json!({}),
                Damage::Text(text) => json!(text),
                Damage::Number(number) => json!(number),
                Damage::Time(time) => json!(time),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any value of any object may be gone, null, huge, of another type or of another age: nothing panics, and the words
    /// can be drawn in both languages.
    #[test]
    fn damaged_objects_are_survived(
        which in any::<prop::sample::Index>(),
        hurts in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(0..12usize, 1..9), damage()), 1..6),
        drift in -100_000_000i64..100_000_000,
    ) {
        let case = &CASES[which.index(CASES.len())];
        let mut objects = case.objects.clone();
        for (object, walk, damage) in &hurts {
            let place = object.index(objects.len());
            hurt(&mut objects[place], walk, damage);
        }
        let now = case.now + jiff::SignedDuration::from_secs(drift);
        if let Some(diagnosis) = case.diagnose(objects, now) {
            let answer = Answer::One { diagnosis: Box::new(diagnosis), among: 1 };
            for language in [podoctor::diagnosis::Language::English, podoctor::diagnosis::Language::Chinese] {
                let reply = podoctor::render::answer::reply(&answer, "x", None, language);
                prop_assert!(!podoctor::render::markdown::reply(&reply).is_empty());
            }
        }
    }
}

/// A pod whose three containers fail for three reasons.
#[test]
fn several_failing_containers_are_each_told() {
    let ended = |name: &str, reason: &str, code: i32| {
        json!({"name": name, "ready": false, "restartCount": 5, "image": "x", "imageID": "x",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
            "lastState": {"terminated": {"reason": reason, "exitCode": code, "startedAt": "2026-01-01T10:00:00Z",
                "finishedAt": "2026-01-01T10:00:05Z"}}})
    };
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "creationTimestamp": "2026-01-01T09:00:00Z"},
        "spec": {"nodeName": "n1", "containers": [
            {"name": "a", "image": "x", "resources": {"limits": {"memory": "64Mi"}}},
            {"name": "b", "image": "x"}, {"name": "c", "image": "no/such"}]},
        "status": {"phase": "Running", "containerStatuses": [
            ended("a", "OOMKilled", 137), ended("b", "Error", 1),
            {"name": "c", "ready": false, "restartCount": 0, "image": "no/such", "imageID": "",
             "state": {"waiting": {"reason": "ImagePullBackOff", "message":
                "Back-off pulling image \"no/such\": ErrImagePull: failed to resolve reference \"docker.io/no/such:latest\": \
                 docker.io/no/such:latest: not found"}}}]}});
    let (mut world, mut met) = (World::default(), Met::default());
    assert!(intake::take(&mut world, pod, &mut met).is_empty());
    world.conclude(&met);
    let log = world.logs.entry(("n".to_owned(), "p".to_owned(), "b".to_owned())).or_default();
    // Megabytes, and no UTF-8 that was: the decisive line is not among them.
    log.previous = Some("\u{fffd}\u{fffd} 锟斤拷 \u{0} lorem\n".repeat(60_000));
    let now = "2026-01-01T10:01:00Z".parse().expect("a time");
    let target = target::parse("n/p").expect("a target");
    let Ok(Answer::One { diagnosis, .. }) = question::answer(&world, now, &target, &Catalogue::default()) else {
        panic!("no answer")
    };
    let told: BTreeSet<_> =
        diagnosis.findings.iter().map(|finding| (finding.cause.id, finding.container.as_deref())).collect();
    assert!(told.contains(&("cgroup-oom", Some("a"))), "{told:?}");
    assert!(told.contains(&("image-not-found", Some("c"))), "{told:?}");
    assert!(told.contains(&("app-exit-error", Some("b"))), "{told:?}");
}

#[test]
fn a_pod_that_a_survey_passes_over_is_not_sick() {
    let mut faults = Vec::new();
    let mut passed_over = 0;
    for case in CASES.iter() {
        let snapshot = files::read(std::slice::from_ref(&case.folder));
        let world = &snapshot.world;
        let calm =
            world.pods.seen().map(PodView::new).filter(|pod| pod.is_calm(case.now) && !world.has_complaints(*pod));
        for pod in calm {
            passed_over += 1;
            let facts = Facts { now: case.now, world, subject: Subject::Pod(pod) };
            let diagnosis = diagnose(&facts, &Catalogue::default());
            if diagnosis.verdict == Verdict::Sick {
                let cause = diagnosis.answer().map(|finding| finding.cause.id);
                faults.push(format!("{}: {} is told as {cause:?}", case.name, pod.name()));
            }
        }
    }
    assert!(passed_over > 20, "only {passed_over} pods are calm");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_grace_period_and_thresholds_beyond_all_reason_are_survived() {
    let pod = |seconds: i64| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "2026-01-01T10:00:00Z",
                "deletionTimestamp": "2026-01-01T10:05:00Z", "deletionGracePeriodSeconds": seconds},
            "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "x", "readinessProbe":
                {"httpGet": {"port": 80}, "periodSeconds": i32::MAX, "failureThreshold": i32::MAX, "successThreshold": i32::MAX}}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses":
                [{"name": "app", "image": "x", "imageID": "", "ready": false, "restartCount": i32::MAX,
                  "state": {"running": {"startedAt": "2026-01-01T10:00:01Z"}}}]}})
    };
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.1", "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web"}, "type": "Warning", "reason": "FailedKillPod",
        "message": "error killing pod: failed to \"KillPodSandbox\": plugin type=\"calico\" failed (delete): timeout",
        "lastTimestamp": "2026-01-01T10:05:30Z"});
    for seconds in [i64::MIN, -1, 0, i64::MAX] {
        let mut alive = pod(seconds);
        alive["metadata"].as_object_mut().expect("an object").remove("deletionTimestamp");
        for pod in [pod(seconds), alive] {
            let (mut world, mut met) = (World::default(), Met::default());
            for object in [pod, event.clone()] {
                assert!(intake::take(&mut world, object, &mut met).is_empty());
            }
            for now in ["2026-01-01T10:04:00Z", "2026-01-01T10:09:00Z"] {
                let target = target::parse("shop/web").expect("a target");
                let answer = question::answer(&world, now.parse().expect("a time"), &target, &Catalogue::default());
                assert!(matches!(answer, Ok(Answer::One { .. })), "{seconds}: {answer:?}");
            }
        }
    }
}
