//! Incidents from the first pod to the last.

use super::*;
use crate::facts::Workload;

const PACE: Pace = Pace { hold_down: SignedDuration::from_secs(30), remind_after: None };
const STORM: Storm = Storm { messages: 10, within: SignedDuration::from_secs(10) };

fn at(seconds: i64) -> Timestamp {
    "2026-05-01T10:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(seconds)
}

fn pod(name: &str) -> PodKey {
    PodKey { namespace: "prod".into(), name: name.into() }
}

fn due(workload: &str, name: &str) -> Due {
    Due {
        pod: pod(name),
        workload: Workload { kind: "Deployment".into(), namespace: "prod".into(), name: workload.into() },
        node: Some("n1".into()),
        labels: BTreeMap::new(),
        channel: None,
        symptom: Symptom::CrashLooping,
        since: at(-120),
        node_is_silent: false,
    }
}

/// Returns an open incident of a workload.
pub fn incident(subject: Subject) -> Incident {
    let Subject::Workload { name, .. } = &subject else { panic!("a workload is wanted") };
    let mut book = Book::default();
    let id = sick(&mut book, name, "p", at(0));
    book.incidents.remove(&id).expect("it was just opened")
}

fn sick(book: &mut Book, workload: &str, name: &str, now: Timestamp) -> String {
    let due = due(workload, name);
    let key = Key { cluster: "c".into(), subject: subject(&due, "cgroup-oom"), cause: "cgroup-oom".into() };
    book.sick(key, &due, Told::default(), "C1", now).incidents.pop_first().expect("an incident")
}

#[test]
fn pods_join_and_the_last_one_to_be_well_resolves_it_after_the_hold_down() {
    let mut book = Book::default();
    let id = sick(&mut book, "web", "web-1", at(0));
    assert_eq!(book.place(false, STORM, at(0), |_| false).notes, [(id.clone(), Note::Opened)]);
    assert!(book.join("c", &due("web", "web-2")).is_some());
    assert!(book.join("c", &due("api", "api-1")).is_none());
    assert!(book.join("other", &due("web", "web-3")).is_none());
    book.leave("c", &pod("web-1"), at(60));
    assert_eq!(book.next(PACE, |_| false), None, "one is still sick");
    book.leave("c", &pod("web-2"), at(70));
    assert_eq!(book.next(PACE, |_| false), Some(at(100)));
    assert_eq!(book.tick(at(99), PACE, |_| false, |_| false), Touched::default());
    assert_eq!(
        book.tick(at(100), PACE, |_| true, |_| false),
        Touched::default(),
        "another of its pods is on its way to be due"
    );
    let notes = book.tick(at(101), PACE, |_| false, |_| false).notes;
    assert_eq!(notes, [(id, Note::Resolved { after: SignedDuration::from_secs(190) })]);
}

#[test]
fn what_comes_back_goes_on_in_the_same_incident() {
    let mut book = Book::default();
    let id = sick(&mut book, "web", "web-1", at(0));
    book.leave("c", &pod("web-1"), at(10));
    assert_eq!(sick(&mut book, "web", "web-1", at(20)), id, "within the hold-down nothing is said");
    book.leave("c", &pod("web-1"), at(30));
    book.tick(at(60), PACE, |_| false, |_| false);
    let due = due("web", "web-1");
    let key = book.incidents[&id].key.clone();
    assert_eq!(book.sick(key, &due, Told::default(), "C1", at(600)).notes, [(id.clone(), Note::Reopened)]);
    book.leave("c", &pod("web-1"), at(700));
    book.tick(at(730), PACE, |_| false, |_| false);
    assert_ne!(sick(&mut book, "web", "web-1", at(700 + 3_600)), id, "an hour later it is a new one");
}

#[test]
fn fifty_workloads_at_once_are_one_message_and_a_trickle_is_at_most_ten() {
    let mut book = Book::default();
    for n in 0..50 {
        sick(&mut book, &format!("w{n}"), &format!("w{n}-1"), at(0));
    }
    let touched = book.place(false, STORM, at(0), |_| false);
    assert_eq!((touched.notes.len(), touched.digests.len()), (0, 1));

    let mut book = Book::default();
    let (mut own, mut digests) = (0, BTreeSet::new());
    for n in 0..50 {
        let now = at(n / 10);
        sick(&mut book, &format!("w{n}"), &format!("w{n}-1"), now);
        let touched = book.place(false, STORM, now, |_| false);
        own += touched.notes.len();
        digests.extend(touched.digests);
    }
    assert_eq!((own, digests.len()), (9, 1));
}

#[test]
fn at_the_start_what_was_sick_already_is_one_summary() {
    let mut book = Book::default();
    for n in 0..5 {
        sick(&mut book, &format!("w{n}"), &format!("w{n}-p"), at(0));
    }
    let touched = book.place(true, STORM, at(0), |_| false);
    assert_eq!((touched.notes.len(), touched.digests.len()), (0, 1));
    assert_eq!(book.place(true, STORM, at(1), |_| false), Touched::default(), "each is told once");
}

#[test]
fn a_thread_is_reminded_three_times_unless_somebody_looks_after_it() {
    let mut book = Book::default();
    let id = sick(&mut book, "web", "web-1", at(0));
    book.place(false, STORM, at(0), |_| false);
    book.incidents.get_mut(&id).expect("there").message =
        Some(super::super::incident::Address { channel: "C1".into(), id: "1".into() });
    let every = Pace { remind_after: Some(SignedDuration::from_secs(600)), ..PACE };
    assert_eq!(book.next(every, |_| false), Some(at(600)));
    let reminders = (1..10).map(|n| book.tick(at(n * 600), every, |_| false, |_| false).notes.len()).sum::<usize>();
    assert_eq!(reminders, 3);
    assert_eq!(book.acknowledge(&id, "U1", at(9_000)).notes, [(id.clone(), Note::Acknowledged { by: "U1".into() })]);
    assert_eq!(book.acknowledge(&id, "U2", at(9_001)), Touched::default(), "the first one has it");
}

#[test]
fn what_many_workloads_share_is_one_incident_in_each_channel() {
    let mut book = Book::default();
    let registry = Subject::Shared { kind: "registry".into(), namespace: String::new(), name: "r.example".into() };
    let key = Key { cluster: "c".into(), subject: registry, cause: "registry-unreachable".into() };
    let mut ids = BTreeSet::new();
    for n in 0..50 {
        let due = due(&format!("w{n}"), &format!("w{n}-1"));
        ids.extend(book.sick(key.clone(), &due, Told::default(), "C1", at(0)).incidents);
    }
    assert_eq!(ids.len(), 1);
    assert!(book.join("c", &due("w7", "w7-2")).is_some(), "its next pod needs no diagnosis");
    assert!(book.join("c", &due("other", "other-1")).is_none());
    let id = ids.pop_first().expect("an incident");
    assert_eq!((book.incidents[&id].pods.len(), book.incidents[&id].workloads.len()), (51, 50));
    // Another team hears of it in its own channel, also where it is told in a third one because that is closed.
    let theirs = book.sick(key.clone(), &due("x", "x-1"), Told::default(), "C2", at(1)).incidents;
    assert!(!theirs.contains(&id));
    book.incidents.get_mut(theirs.first().expect("an incident")).expect("there").channel = "C1".into();
    assert_eq!(book.sick(key, &due("y", "y-1"), Told::default(), "C2", at(2)).incidents, theirs);
}

#[test]
fn an_incident_learns_its_cause_and_does_not_unlearn_it() {
    let mut book = Book::default();
    let due = due("web", "web-1");
    let key = |cause: &str| Key { cluster: "c".into(), subject: Subject::of(&due.workload), cause: cause.into() };
    let id = book.sick(key(UNKNOWN), &due, Told::default(), "C1", at(0)).incidents.pop_first().expect("an incident");
    assert_eq!(book.sick(key("cgroup-oom"), &due, Told::default(), "C1", at(9)).notes, [(id.clone(), Note::Opened)]);
    assert_eq!(book.sick(key(UNKNOWN), &due, Told::default(), "C1", at(19)).notes, []);
    assert_eq!((book.incidents.len(), book.incidents[&id].key.cause.as_str()), (1, "cgroup-oom"));
}

#[test]
fn a_workload_is_compared_with_itself_from_the_beginning_on() {
    let mut book = Book::default();
    let id = sick(&mut book, "web", "web-1", at(0));
    let scope = |serving| Scope { wanted: Some(3), serving: Some(serving), ..Scope::default() };
    assert_eq!(book.scoped(&id, scope(0)).incidents.len(), 1);
    assert_eq!(book.scoped(&id, scope(0)), Touched::default(), "nothing new, nothing to say");
    book.scoped(&id, scope(3));
    let incident = &book.incidents[&id];
    assert_eq!((incident.first.clone(), incident.last.clone()), (Some(scope(0)), Some(scope(3))));
}

#[test]
fn what_breaks_in_quiet_hours_is_one_summary_at_their_end() {
    let mut book = Book::default();
    let quiet = crate::settings::Quiet {
        from: "09:00".parse().expect("a time"),
        to: "11:00".parse().expect("a time"),
        zone: crate::settings::Zone::default(),
        days: Vec::new(),
    };
    let ids: Vec<String> = ["a", "b"].iter().map(|name| sick(&mut book, name, "p", at(0))).collect();
    for id in &ids {
        book.incidents.get_mut(id).expect("there").quiet = Some(quiet.clone());
    }
    let held = book.place(false, STORM, at(0), |_| false);
    assert_eq!((held.incidents.len(), held.digests.len(), held.notes.len()), (2, 0, 0), "kept, and not told");
    assert_eq!(book.heard_at(at(1), |_| false), Some(at(3_600)));
    assert_eq!(book.heard_at(at(3_601), |_| true), None, "what is silenced too waits for the end of that");
    book.leave("c", &PodKey { namespace: "prod".into(), name: "p".into() }, at(10));
    book.tick(at(60), PACE, |_| false, |_| false);
    assert_eq!(book.forget(at(9_999)).0, [], "even what is over is told before it is forgotten");
    let told = book.place(false, STORM, at(3_600), |_| false);
    let digest = told.digests.first().expect("a summary");
    assert!(book.digests[digest].held && book.digests[digest].incidents.len() == 2);
    assert_eq!(book.heard_at(at(3_601), |_| false), None);
}

#[test]
fn nobody_is_reminded_of_what_is_silenced() {
    let mut book = Book::default();
    let id = sick(&mut book, "web", "web-1", at(0));
    book.place(false, STORM, at(0), |_| false);
    book.incidents.get_mut(&id).expect("there").message =
        Some(super::super::incident::Address { channel: "C1".into(), id: "1".into() });
    let every = Pace { remind_after: Some(SignedDuration::from_secs(600)), ..PACE };
    assert_eq!(book.tick(at(600), every, |_| false, |_| true), Touched::default());
    assert_eq!(book.next(every, |_| false), Some(at(1_200)), "and nobody looks again all the time");
    assert_eq!(book.tick(at(1_200), every, |_| false, |_| false).notes.len(), 1);
}

fn touched(book: &mut Book, touched: Touched) -> Touched {
    book.write_down(&touched);
    touched
}

fn reread(book: &Book) -> Book {
    let json = serde_json::to_string(&(
        book.incidents.values().collect::<Vec<_>>(),
        book.digests.values().collect::<Vec<_>>(),
    ));
    let (incidents, digests) = serde_json::from_str(&json.expect("json")).expect("incidents and digests");
    Book::of(incidents, digests)
}

#[test]
fn what_is_to_be_said_outlives_a_crash() {
    let mut book = Book::default();
    let id = sick(&mut book, "web", "web-1", at(0));
    assert!(book.has_untold());
    let opened = book.place(false, STORM, at(0), |_| false);
    touched(&mut book, opened);
    let mut book = reread(&book);
    assert!(!book.has_untold());
    assert_eq!((&*book.incidents[&id].unsaid, book.incidents[&id].stale), (&[(1, Note::Opened)][..], true));
    let seen = book.acknowledge(&id, "U1", at(1));
    touched(&mut book, seen);
    let numbers: Vec<u32> = reread(&book).incidents[&id].unsaid.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2], "each has a number of its own, by which it is found again");
}

#[test]
fn a_crash_between_an_incident_and_its_digest_loses_neither() {
    let mut book = Book::default();
    for n in 0..5 {
        sick(&mut book, &format!("w{n}"), &format!("w{n}-p"), at(0));
    }
    book.place(true, STORM, at(0), |_| false);
    let mut without = reread(&book);
    without.digests.clear();
    let mut without = reread(&without);
    assert!(without.has_untold(), "their digest was never kept");
    assert_eq!(without.place(true, STORM, at(1), |_| false).digests.len(), 1);

    let mut shorter = reread(&book);
    let digest = shorter.digests.values_mut().next().expect("a digest");
    let last = digest.incidents.pop().expect("incidents");
    let healed = reread(&shorter);
    let digest = healed.digests.values().next().expect("a digest");
    assert!(digest.incidents.contains(&last) && digest.stale);
}

#[test]
fn a_pod_that_is_diagnosed_anew_takes_its_incident_along() {
    let mut book = Book::default();
    let id = sick(&mut book, "web", "web-1", at(0));
    let due = due("web", "web-1");
    let key = |cause: &str| Key { cluster: "c".into(), subject: subject(&due, cause), cause: cause.into() };
    book.sick(key("bad-config"), &due, Told::default(), "C1", at(5));
    assert_eq!(book.incidents.len(), 1, "no second message for the same trouble");
    assert_eq!(book.incidents[&id].key.cause, "bad-config");
}

#[test]
fn what_is_calm_while_others_are_on_their_way_waits_without_spinning() {
    let mut book = Book::default();
    sick(&mut book, "web", "web-1", at(0));
    book.leave("c", &pod("web-1"), at(10));
    assert_eq!(book.next(PACE, |_| false), Some(at(40)));
    assert_eq!(book.next(PACE, |_| true), None, "its pods are waited for, not a moment that has passed");
}
