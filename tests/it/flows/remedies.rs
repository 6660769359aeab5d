//! A wrench, a check mark, and it is done: by whom who may, once, and nothing else.

use super::bot::{Bot, Setup};
use super::chat::{Chat, Person, assert_says, ts, words, workspace};
use super::data::granted;
use crate::plane::{Ns, eventually};
use podoctor::playground::slack::{Config, ids};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A pod that is done and deleted, and kept by a finalizer whose owner is nowhere.
const STUCK: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: backup-0
  namespace: prod
  creationTimestamp: now-3h
  deletionTimestamp: now-1h
  deletionGracePeriodSeconds: 0
  finalizers: [backup.example.com/cleanup]
spec: {nodeName: a3, containers: [{name: app, image: 'backup:1'}]}
status: {phase: Succeeded, startTime: now-3h}
";

/// What podoctor needs beside reading.
const WRITE: &str = "
- {apiGroups: [''], resources: [pods], verbs: [patch]}
- {apiGroups: [''], resources: [events], verbs: [create]}
- {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
";
const PATCH_PODS: &str = "[{apiGroups: [''], resources: [pods], verbs: [patch]}]";

/// A namespace with the stuck pod, a bot that may remove finalizers there, and people who may ask for it.
struct Ward {
    ns: Ns<'static>,
    chat: Chat,
    user: String,
    setup: Setup,
    _store: TempDir,
}

impl Ward {
    async fn of(settings: &str) -> Ward {
        let (ns, kubeconfig, user) = granted("prod").await;
        ns.plane.grant(&user, WRITE).await;
        ns.grant("alice@example.com", PATCH_PODS).await;
        ns.grant("bob@example.com", PATCH_PODS).await;
        ns.apply(STUCK).await;
        Ward::open(ns, kubeconfig, user, settings).await
    }

    async fn open(ns: Ns<'static>, kubeconfig: PathBuf, user: String, settings: &str) -> Ward {
        let store = tempfile::tempdir().unwrap();
        let slack = workspace(Config::default()).await;
        let setup = with(&Setup::of(&slack, &[("prod", &kubeconfig)]), settings, store.path());
        let chat = Chat::of(slack, &setup).await;
        Ward { ns, chat, user, setup, _store: store }
    }

    /// Asks about the pod, and returns the ts of the answer's parent.
    async fn answer(&self, person: Person<'_>) -> String {
        let heard = person.types(&format!("/podoctor {}/backup-0", self.ns.name)).await;
        heard.parent_says(&["Terminating", "backup.example.com/cleanup"]);
        ts(heard.parent())
    }

    /// Waits for the plan in a thread.
    async fn plan(&self, thread: &str) -> Value {
        self.reply(thread, &["Plan", "backup.example.com/cleanup"]).await
    }

    /// Waits until a message of the thread says all of these.
    async fn reply(&self, thread: &str, parts: &[&str]) -> Value {
        let fits = |message: &Value| parts.iter().all(|part| words(message).contains(part));
        let what = format!("the thread says {parts:?}");
        self.chat
            .bot
            .until(&what, |_| self.chat.replies(ids::CHANNEL, thread).into_iter().find(|message| fits(message)))
            .await
    }

    /// Waits until a person, and nobody else, is told all of these.
    async fn whispered(&self, person: &str, parts: &[&str]) -> String {
        let what = format!("{person} alone is told {parts:?}");
        let told = |message: &Value| {
            let text = words(message);
            (message["is_ephemeral"] == true && parts.iter().all(|part| text.contains(part))).then_some(text)
        };
        let seen = |_: &_| self.chat.slack.messages_seen_by(ids::CHANNEL, person).iter().find_map(told);
        self.chat.bot.until(&what, seen).await
    }

    fn react(&self, person: &str, ts: &str, name: &str) {
        self.chat.slack.react(person, ids::CHANNEL, ts, name).unwrap();
    }

    async fn pod(&self) -> Option<Value> {
        self.ns.get("v1", "Pod", "backup-0").await
    }

    /// Fails the test when the bot has written anything but Events and reviews.
    async fn assert_untouched(&self) {
        let pod = self.pod().await.expect("the pod is there");
        assert_eq!(pod["metadata"]["finalizers"], json!(["backup.example.com/cleanup"]));
    }
}

/// Settings that let Alice act and Bob approve.
fn with(setup: &Setup, settings: &str, store: &Path) -> Setup {
    let yaml = format!("{}store: {{path: {}}}\n{settings}", setup.yaml, store.join("podoctor.db").display());
    Setup { yaml, ..setup.clone() }
}

const ONE: &str = "
remedies: [{remedy: remove-finalizers}]
access: {act: [{users: [U0ALICE]}], approve: [{users: [U0BOB]}]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_reactions_cure_a_pod_that_a_finalizer_keeps() {
    let ward = Ward::of(ONE).await;
    let mark = ward.ns.plane.mark().await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ward.plan(&answer).await;
    assert_says(
        &words(&plan),
        &[
            "- metadata.finalizers[0]: backup.example.com/cleanup",
            "has backup in its name",
            "Cannot be undone",
            "Confirm",
            "Cancel",
        ],
    );
    ward.assert_untouched().await;

    ward.react(ids::ALICE, &ts(&plan), "white_check_mark");
    ward.reply(&answer, &["It helped", "the pod is gone", "<@U0ALICE>"]).await;
    assert_eq!(ward.pod().await, None);
    let edited = ward.reply(&answer, &["Done, and it helped", "confirmed by", "<@U0ALICE>"]).await;
    assert_eq!(ts(&edited), ts(&plan), "the plan's own message is edited");
    assert!(!words(&edited).contains("Confirm\n"), "nothing is left to press");

    let writes: Vec<String> = ward
        .ns
        .plane
        .requests_since(mark, &ward.user)
        .await
        .into_iter()
        .filter(|entry| entry.verb == "patch")
        .map(|entry| entry.uri)
        .collect();
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes[0].contains("dryRun=All") && !writes[1].contains("dryRun"), "{writes:?}");
    // An Event before and after tells on the object who it was.
    let events = ward.ns.api.get(&format!("/api/v1/namespaces/{}/events", ward.ns.name)).await.unwrap();
    let reasons: Vec<(&str, &str)> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["source"]["component"] == "podoctor")
        .map(|event| (event["reason"].as_str().unwrap(), event["message"].as_str().unwrap()))
        .collect();
    for reason in ["RemedyStarted", "RemedyDone"] {
        let found = reasons.iter().find(|(found, _)| *found == reason).unwrap_or_else(|| panic!("{reasons:?}"));
        assert!(found.1.contains("alice@example.com (U0ALICE)"), "{found:?}");
    }
    // The audit is in the log as well, each line by itself.
    for action in ["proposed", "approved", "sent", "done", "succeeded"] {
        let fits = |line: &&Value| line["audit"] == true && line["action"] == action;
        let lines = ward.chat.bot.lines();
        let line = lines.iter().find(fits).unwrap_or_else(|| panic!("{action} is not in the log"));
        assert_eq!((&line["remedy"], &line["cluster"]), (&json!("remove-finalizers"), &json!("prod")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_buttons_do_the_same_and_once() {
    let ward = Ward::of(ONE).await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ts(&ward.plan(&answer).await);
    let slack = &ward.chat.slack;
    // Who may not changes nothing by pressing.
    slack.click(ids::BOB, ids::CHANNEL, &plan, "remedy-confirm", None).await.unwrap();
    ward.whispered(ids::BOB, &["You may not change this", "<@U0ALICE>"]).await;
    ward.assert_untouched().await;
    let mark = ward.ns.plane.mark().await;
    for _ in 0..5 {
        slack.click(ids::ALICE, ids::CHANNEL, &plan, "remedy-confirm", None).await.ok();
    }
    ward.reply(&answer, &["It helped"]).await;
    // The button is pressed again in a window that has not heard of the edit.
    let proposal = format!("{}-{answer}-1", ids::CHANNEL);
    slack.click(ids::ALICE, ids::CHANNEL, &plan, "remedy-confirm", Some(&proposal)).await.unwrap();
    ward.whispered(ids::ALICE, &["Nothing was done now", "it helped"]).await;
    let entries = ward.ns.plane.requests_since(mark, &ward.user).await;
    assert_eq!(entries.iter().filter(|entry| entry.verb == "patch").count(), 1, "{entries:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_guests_and_others_are_refused_and_told_why() {
    let ward = Ward::of(ONE).await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::GUEST, &answer, "wrench");
    ward.whispered(ids::GUEST, &["Guests may ask, but change nothing"]).await;
    ward.react(ids::BOB, &answer, "wrench");
    ward.whispered(ids::BOB, &["You may not change this", "<@U0ALICE>"]).await;
    // A stranger sits in the channel that is shared with another workspace.
    let told = ward.chat.person(ids::ALICE).in_channel(ids::SHARED);
    let shared = ts(told.types(&format!("/podoctor {}/backup-0", ward.ns.name)).await.parent());
    ward.chat.slack.react(ids::MALLORY, ids::SHARED, &shared, "wrench").unwrap();
    let refused = |message: &Value| words(message).contains("people of this workspace only");
    ward.chat
        .bot
        .until("the stranger is refused", |_| {
            ward.chat.slack.messages_seen_by(ids::SHARED, ids::MALLORY).into_iter().find(|message| refused(message))
        })
        .await;
    assert_eq!(ward.chat.replies(ids::CHANNEL, &answer).iter().filter(|m| words(m).contains("Plan")).count(), 0);

    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ts(&ward.plan(&answer).await);
    for person in [ids::GUEST, ids::BOB] {
        ward.react(person, &plan, "white_check_mark");
    }
    ward.whispered(ids::GUEST, &["Guests may ask"]).await;
    ward.assert_untouched().await;
    // A second wrench makes no second plan.
    ward.chat.slack.unreact(ids::ALICE, ids::CHANNEL, &answer, "wrench").unwrap();
    ward.react(ids::ALICE, &answer, "wrench");
    ward.whispered(ids::ALICE, &["There is a plan in this thread already"]).await;
    // Withdrawn, nobody can confirm it.
    ward.react(ids::ALICE, &plan, "x");
    ward.reply(&answer, &["Withdrawn by", "<@U0ALICE>"]).await;
    ward.react(ids::ALICE, &plan, "white_check_mark");
    ward.whispered(ids::ALICE, &["Nothing was done now", "Withdrawn"]).await;
    ward.assert_untouched().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_decides_as_well() {
    let (ns, kubeconfig, user) = granted("prod").await;
    ns.plane.grant(&user, WRITE).await;
    ns.apply(STUCK).await;
    let ward = Ward::open(ns, kubeconfig, user, ONE).await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ts(&ward.plan(&answer).await);
    ward.react(ids::ALICE, &plan, "white_check_mark");
    ward.whispered(ids::ALICE, &["Kubernetes does not let alice@example.com", "patch", "pods/backup-0"]).await;
    ward.assert_untouched().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_switched_on_is_told_as_a_command() {
    let (ns, kubeconfig, user) = granted("prod").await;
    ns.apply(STUCK).await;
    let ward = Ward::open(ns, kubeconfig, user, "access: {act: [{users: [U0ALICE]}]}\n").await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ward.reply(&answer, &["I only read here", "kubectl -n", "patch pod backup-0 --type=json"]).await;
    assert!(!words(&plan).contains("Confirm"), "{}", words(&plan));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_two_must_confirm_one_person_is_not_enough() {
    let settings = ONE.replace("remove-finalizers}", "remove-finalizers, approvals: 2}");
    let ward = Ward::of(&settings).await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ts(&ward.reply(&answer, &["Plan: 2 people must confirm it"]).await);
    ward.react(ids::ALICE, &plan, "white_check_mark");
    ward.reply(&answer, &["one more person must confirm it", "confirmed by", "<@U0ALICE>"]).await;
    ward.chat.slack.click(ids::ALICE, ids::CHANNEL, &plan, "remedy-confirm", None).await.unwrap();
    ward.whispered(ids::ALICE, &["confirmed it already", "another person"]).await;
    ward.assert_untouched().await;
    ward.react(ids::BOB, &plan, "white_check_mark");
    ward.reply(&answer, &["It helped", "the pod is gone"]).await;
    ward.reply(&answer, &["Done, and it helped", "<@U0ALICE>", "<@U0BOB>"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_time_nobody_confirms_a_plan() {
    let ward = Ward::of(&format!("{ONE}remedy_expiry: 2s\n")).await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ts(&ward.reply(&answer, &["Expired: nobody confirmed it in time"]).await);
    ward.react(ids::ALICE, &plan, "white_check_mark");
    ward.whispered(ids::ALICE, &["Nothing was done now", "Expired"]).await;
    ward.assert_untouched().await;
    // Another wrench makes another plan.
    ward.chat.slack.unreact(ids::ALICE, ids::CHANNEL, &answer, "wrench").unwrap();
    ward.react(ids::ALICE, &answer, "wrench");
    let another = ward.reply(&answer, &["Plan, to be confirmed"]).await;
    assert_ne!(ts(&another), plan);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_pod_of_the_same_name_is_not_touched() {
    let ward = Ward::of(ONE).await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ts(&ward.plan(&answer).await);
    let first = ward.pod().await.unwrap()["metadata"]["uid"].clone();
    let path = format!("/api/v1/namespaces/{}/pods/backup-0", ward.ns.name);
    ward.ns.api.merge(&path, &json!({"metadata": {"finalizers": null}})).await.unwrap();
    ward.ns.apply(STUCK).await;
    assert_ne!(ward.pod().await.unwrap()["metadata"]["uid"], first);
    ward.react(ids::ALICE, &plan, "white_check_mark");
    ward.reply(&answer, &["Not carried out", "there is another pod"]).await;
    ward.assert_untouched().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_shown_and_does_not_count_may_change() {
    let ward = Ward::of(ONE).await;
    let answer = ward.answer(ward.chat.alice()).await;
    ward.react(ids::ALICE, &answer, "wrench");
    let plan = ts(&ward.plan(&answer).await);
    let path = format!("/api/v1/namespaces/{}/pods/backup-0", ward.ns.name);
    ward.ns.api.merge(&path, &json!({"metadata": {"labels": {"seen": "yes"}}})).await.unwrap();
    ward.react(ids::ALICE, &plan, "white_check_mark");
    // The patch is sent against the newest version, with the same tests.
    ward.reply(&answer, &["It helped", "the pod is gone"]).await;
}

/// Killed at any moment: never twice, never half, and the thread tells how it ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_works_it_ends_in_a_known_state() {
    let mut ward = Ward::of(ONE).await;
    for (round, pause) in [0_u64, 3, 8, 15, 25, 40, 80, 150].into_iter().enumerate() {
        let name = format!("backup-{}", round + 1);
        ward.ns.apply(&STUCK.replace("backup-0", &name)).await;
        let asked = ward.chat.alice().types(&format!("/podoctor {}/{name}", ward.ns.name)).await;
        let answer = ts(asked.parent());
        ward.react(ids::ALICE, &answer, "wrench");
        let plan = ts(&ward.plan(&answer).await);
        let mark = ward.ns.plane.mark().await;
        ward.react(ids::ALICE, &plan, "white_check_mark");
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        // Dropping it kills it with -9; a reaction that it had not kept yet is lost with it.
        ward.chat.bot = Bot::start(&ward.setup).await;
        // What the message says and what the cluster holds come to agree.
        let agreed = eventually("the plan's message tells what is", || async {
            let there = ward.ns.get("v1", "Pod", &name).await.is_some();
            let replies = ward.chat.replies(ids::CHANNEL, &answer);
            let text = replies.iter().find(|message| ts(message) == plan).map(words).unwrap_or_default();
            let undone = text.contains("Not carried out") || text.contains("Plan, to be confirmed");
            ((there && undone) || (!there && text.contains("Done, and it helped"))).then_some(text)
        });
        agreed.await;
        let entries = ward.ns.plane.requests_since(mark, &ward.user).await;
        let writes = entries.iter().filter(|e| e.verb == "patch" && !e.uri.contains("dryRun")).count();
        assert!(writes <= 1, "after {pause} ms: {entries:#?}");
    }
}

/// Runs podoctor on a terminal; returns its exit code and what it printed.
async fn podoctor(words: &[&str]) -> (i32, String) {
    let run = tokio::process::Command::new(env!("CARGO_BIN_EXE_podoctor")).args(words).output();
    let output = run.await.unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_terminal_it_is_shown_done_and_kept_in_the_audit() {
    let (ns, kubeconfig, user) = granted("prod").await;
    ns.plane.grant(&user, WRITE).await;
    ns.apply(STUCK).await;
    let folder = tempfile::tempdir().unwrap();
    let (settings, store) = (folder.path().join("podoctor.yaml"), folder.path().join("podoctor.db"));
    std::fs::write(&settings, format!("store: {{kind: embedded, path: {}}}\n", store.display())).unwrap();
    // A store that the bot has made.
    drop(podoctor::store::Embedded::open(&store).unwrap());
    let (settings, kubeconfig) = (settings.display().to_string(), kubeconfig.display().to_string());
    let target = format!("{}/backup-0", ns.name);
    let remedy = ["remedy", target.as_str(), "--kubeconfig", &kubeconfig, "--config", &settings];

    let (code, shown) = podoctor(&remedy).await;
    assert_says(&shown, &["- metadata.finalizers[0]: backup.example.com/cleanup", "With --yes", "kubectl -n"]);
    assert_eq!(code, 0);
    assert!(ns.get("v1", "Pod", "backup-0").await.is_some(), "nothing is done without --yes");
    let (code, none) = podoctor(&[&remedy[..], &["restart-rollout"]].concat()).await;
    assert_eq!(code, 1, "{none}");
    assert_says(&none, &["What would help is", "remove-finalizers"]);

    let (code, done) = podoctor(&[&remedy[..], &["--yes"]].concat()).await;
    assert_says(&done, &["It helped", "the pod is gone"]);
    assert_eq!(code, 0);
    assert_eq!(ns.get("v1", "Pod", "backup-0").await, None);
    let (code, audit) = podoctor(&["audit", "--since", "1h", "-o", "json", "--config", &settings]).await;
    assert_eq!(code, 0);
    let entries: Vec<Value> = serde_json::from_str(&audit).unwrap();
    let actions: Vec<&str> = entries.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(actions, ["proposed", "approved", "sent", "done", "succeeded"]);
    assert!(entries.iter().all(|entry| entry["remedy"] == "remove-finalizers"), "{entries:#?}");
}
