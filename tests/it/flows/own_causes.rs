//! A team's own causes: a question is answered with the team's words and its runbook.

use super::bot::Setup;
use super::chat::{Chat, assert_says, workspace};
use super::data::{MANAGE, OOM, granted};
use podoctor::playground::slack::Config;

const OWN: &str = "
id: acme-report-too-large
phases: [crashing]
certainty: confirmed
when: |
  pod.metadata.labels.app == 'manage' && container.status.lastState.terminated.reason == 'OOMKilled'
evidence: [container.resources.limits.memory]
summary:
  en: A monthly report is larger than the {{ container.resources.limits.memory }} of `{{ container.name }}`.
  zh-CN: 月度报表超出了 `{{ container.name }}` 的 {{ container.resources.limits.memory }}。
fixes: [{text: Stop the report, command: 'reports stop {{ pod.metadata.name }}', risk: careful}]
runbook: https://wiki.example.com/runbooks/reports
explains: [cgroup-oom]
title: {en: A report is too large, zh-CN: 报表过大}
what: {en: Reports are built in memory., zh-CN: 报表在内存中生成。}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_answered_in_the_teams_words_with_its_runbook() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.yaml");
    std::fs::write(&file, OWN).unwrap();
    let slack = workspace(Config::default()).await;
    let mut setup = Setup::of(&slack, &[("prod", &kubeconfig)]);
    setup.yaml += &format!("causes: [{}]\n", folder.path().display());
    let chat = Chat::of(slack, &setup).await;
    let alice = chat.alice();

    let answer = alice.types(&format!("/podoctor {}/manage-5bd...", ns.name)).await;
    answer.parent_says(&[MANAGE, "A monthly report is larger than the 256Mi of", "Stop the report"]);
    answer.thread_says(&[
        "pod.spec.containers[0].resources.limits.memory",
        &format!("reports stop {MANAGE}"),
        "https://wiki.example.com/runbooks/reports",
        "acme-report-too-large",
        // What podoctor itself found is still there, as what follows.
        "256Mi",
    ]);
    let page = alice.types("/podoctor causes acme-report-too-large").await.whispered();
    assert_says(&page, &["A report is too large", "Reports are built in memory", "wiki.example.com"]);
    assert_says(&alice.types("/podoctor causes").await.whispered(), &["acme-report-too-large", "cgroup-oom"]);

    // A mistake is refused with its place and the old words stay; a good change is taken up.
    std::fs::write(&file, OWN.replace("container.status", "contaner.status")).unwrap();
    let words = "when: there is no variable `contaner`; did you mean `container`?";
    chat.bot.until(words, |bot| bot.log().contains(words).then_some(())).await;
    alice.types(&format!("/podoctor {}/manage", ns.name)).await.parent_says(&["A monthly report"]);
    std::fs::write(&file, OWN.replace("A monthly report", "The yearly report")).unwrap();
    let words = "new settings are in force: causes";
    chat.bot.until(words, |bot| bot.log().contains(words).then_some(())).await;
    alice.types(&format!("/podoctor {}/manage", ns.name)).await.parent_says(&["The yearly report"]);
}

/// Hangs on what nothing else calls for: the Namespace, and only where the container says that it matters.
const TEAM: &str = "
id: acme-team-frozen
phases: [crashing]
certainty: confirmed
when: |
  container.name == 'manage' && namespaceObject.metadata.labels['acme.example/freeze'] == 'yes'
summary: The team of this namespace has frozen its releases.
explains: [cgroup-oom]
runbook: https://wiki.example.com/runbooks/freeze
title: Frozen
what: Releases are frozen.
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cause_hangs_on_is_read_for_a_question_and_for_a_scan() {
    let (ns, kubeconfig, user) = granted("prod").await;
    ns.apply(OOM).await;
    let client = ns.plane.client("admin").await;
    let namespaces = kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(client);
    let label = serde_json::json!({"metadata": {"labels": {"acme.example/freeze": "yes"}}});
    namespaces.patch(&ns.name, &Default::default(), &kube::api::Patch::Merge(label)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("frozen.yaml"), TEAM).unwrap();
    let slack = workspace(Config::default()).await;
    let mut setup = Setup::of(&slack, &[("prod", &kubeconfig)]);
    setup.yaml += &format!("causes: [{}]\n", folder.path().display());
    let chat = Chat::of(slack, &setup).await;
    for target in [format!("{}/{MANAGE}", ns.name), format!("{}/manage...", ns.name), ns.name.clone()] {
        let mark = ns.plane.mark().await;
        let answer = chat.alice().types(&format!("/podoctor {target}")).await;
        assert_says(&answer.all(), &["has frozen its releases"]);
        let asked = ns.plane.requests_since(mark, &user).await;
        assert!(asked.len() <= 12, "{target}: {} requests", asked.len());
    }
}
