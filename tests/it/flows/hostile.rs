//! Text from the cluster is hostile: it rings nobody, steers no eye, and however long it is, an answer comes.

use super::chat::{Chat, assert_says};
use super::data::{granted, kubeconfig_at};
use super::proxy::Proxy;
use podoctor::playground::slack::ids;
use serde_json::Value;

/// A pod whose owner would like to be heard by everybody.
const LOUD: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: a3}
  status: {conditions: [{type: Ready, status: 'True', reason: KubeletReady, lastHeartbeatTime: now, lastTransitionTime: now-2h}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: loud-0, namespace: prod, creationTimestamp: now-18m}
  spec: {nodeName: a3, containers: [{name: app, image: 'loud:1'}]}
  status:
    phase: Running
    startTime: now-18m
    conditions: [{type: PodScheduled, status: 'True', lastTransitionTime: now-18m}]
    containerStatuses:
    - name: app
      image: loud:1
      imageID: ''
      containerID: containerd://c1
      ready: false
      restartCount: 9
      state: {waiting: {reason: CrashLoopBackOff, message: 'back-off 5m0s restarting failed container=app'}}
      lastState: {terminated: {exitCode: 1, reason: Error, message: NOISE, containerID: containerd://c1, startedAt: now-3m, finishedAt: now-2m}}
- apiVersion: v1
  kind: Event
  metadata: {namespace: prod}
  involvedObject: {apiVersion: v1, kind: Pod, name: loud-0, namespace: prod, fieldPath: 'spec.containers{app}'}
  type: Warning
  reason: Failed
  message: NOISE
  count: 12
  firstTimestamp: now-17m
  lastTimestamp: now-1m
  source: {component: kubelet, host: a3}
";

const NOISE: &str = "panic: <!channel> <!here> <@U0BOB> <!subteam^S0ONCALL> @everyone ```x``` *b* <https://evil.example|prod> & \u{202e}gnp.exe";

/// Returns every element of a message that rings somebody or leads somewhere.
fn loud<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| loud(item, found)),
        Value::Object(fields) => {
            if ["user", "usergroup", "broadcast", "link", "channel"].iter().any(|kind| value["type"] == *kind) {
                found.push(value);
            }
            fields.values().for_each(|field| loud(field, found));
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_cluster_says_rings_nobody_and_is_cut_where_it_is_long() {
    let (ns, _, _) = granted("prod").await;
    let quoted = serde_json::to_string(NOISE).unwrap();
    ns.apply(&LOUD.replace("NOISE", &quoted)).await;
    let log = format!("{}\n{NOISE}\n", format!("{NOISE} {}\n", "y".repeat(5_000)).repeat(40));
    let proxy = Proxy::with_log(&ns, &log).await;
    let kubeconfig = kubeconfig_at(&proxy.url);
    let chat = Chat::with(&[("prod", kubeconfig.path())]).await;
    let question = format!("{}/loud-0", ns.name);
    let answer = chat.alice().types(&format!("/podoctor {question}")).await;
    answer.parent_says(&["loud-0", "<@U0ALICE>"]).thread_says(&["How to fix it"]);
    let mention = chat.alice().in_channel(ids::TEAM_A).types(&format!("@podoctor {question}")).await;
    let whole = chat.alice().in_channel(ids::WITHOUT_BOT).types(&format!("/podoctor {question}")).await;
    assert_says(&whole.whispered(), &["loud-0", "/invite @podoctor"]);
    for message in answer.messages.iter().chain(&mention.messages).chain(&whole.messages) {
        let mut found = Vec::new();
        loud(&message["blocks"], &mut found);
        assert!(found.is_empty(), "{found:?}");
        // What is no rich text is read as mrkdwn, where these would count.
        let mut read = vec![message["text"].as_str().unwrap_or_default().to_owned()];
        for block in message["blocks"].as_array().into_iter().flatten().filter(|block| block["type"] != "rich_text") {
            read.push(block.to_string());
        }
        for text in read {
            for sign in ["<!", "<@U0BOB", "<https", "\u{202e}"] {
                let text = text.replace("<!date^", "");
                assert!(!text.contains(sign), "`{sign}` in {text}");
            }
        }
        assert!(!message.to_string().contains('\u{202e}'));
    }
    // Nothing that was sent was refused for its form.
    for call in chat.slack.calls() {
        assert!(!call.reply.as_ref().is_some_and(|reply| reply["error"] == "invalid_blocks"), "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_namespace_full_of_sick_pods_is_told_within_slacks_limits() {
    let (ns, kubeconfig, _) = granted("prod").await;
    // Without their node the pods would be collected.
    let mut pods = String::from(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Node\n  metadata: {name: a3}\n  status: {conditions: \
         [{type: Ready, status: 'True', reason: KubeletReady, lastHeartbeatTime: now, lastTransitionTime: now-2h}]}\n",
    );
    for n in 0..60 {
        pods += &format!(
            "- apiVersion: v1\n  kind: Pod\n  metadata: {{name: sick-{n:02}-{}, namespace: prod, creationTimestamp: now-1h}}\n  \
             spec: {{nodeName: a3, containers: [{{name: app, image: 'registry.example/sick:{n}'}}]}}\n  \
             status: {{phase: Pending, startTime: now-1h, containerStatuses: [{{name: app, image: 'x', imageID: '', ready: false, \
             restartCount: 0, state: {{waiting: {{reason: ImagePullBackOff, message: 'Back-off pulling image: not found'}}}}}}]}}\n",
            "x".repeat(100)
        );
    }
    ns.apply(&pods).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let answer = chat.alice().types(&format!("/podoctor {}", ns.name)).await;
    answer.parent_says(&["<@U0ALICE>", "sick-0"]);
    assert!(answer.messages.len() <= 10, "no flood: {} messages", answer.messages.len());
    assert_says(&answer.all(), &["60"]);
}
