//! What is secret stays where it is: in no message, in no call, in no line of the bot's own log.

use super::chat::{Chat, assert_says};
use super::data::{granted, kubeconfig_at};
use super::proxy::Proxy;
use podoctor::playground::slack::{Config, ids};

/// Each of these stands somewhere in the pod, its events or its log.
const PLANTED: [&str; 7] = [
    "Pl4nted-Env-Passw0rd",
    "Pl4ntedInEventUrl",
    "Pl4ntedInLogUrl",
    "Pl4nted-Log-Passw0rd",
    "AKIAPL4NTEDINLOGKEY1",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJQTDRudGVkIn0.cGw0bnRlZHNpZ25hdHVyZTEyMzQ1",
    "xoxb-1234567890-pl4ntedtokenpl4nted",
];

const POD: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: shop-0, namespace: prod, creationTimestamp: now-18m}
  spec:
    nodeName: a3
    containers:
    - name: shop
      image: registry.example/shop:1
      args: ['--password=Pl4nted-Env-Passw0rd']
      env:
      - {name: DB_PASSWORD, value: Pl4nted-Env-Passw0rd}
      - {name: DATABASE_URL, value: 'postgres://shop:Pl4ntedInLogUrl@db:5432/shop'}
  status:
    phase: Running
    startTime: now-18m
    conditions:
    - {type: PodScheduled, status: 'True', lastTransitionTime: now-18m}
    - {type: Ready, status: 'False', reason: ContainersNotReady, lastTransitionTime: now-18m}
    containerStatuses:
    - name: shop
      image: registry.example/shop:1
      imageID: ''
      containerID: containerd://c1
      ready: false
      restartCount: 9
      state: {waiting: {reason: CrashLoopBackOff, message: 'back-off 5m0s restarting failed container=shop'}}
      lastState:
        terminated:
          exitCode: 1
          reason: Error
          containerID: containerd://c1
          startedAt: now-3m
          finishedAt: now-2m
          message: 'password=Pl4nted-Log-Passw0rd was refused'
- apiVersion: v1
  kind: Event
  metadata: {namespace: prod}
  involvedObject: {apiVersion: v1, kind: Pod, name: shop-0, namespace: prod, fieldPath: 'spec.containers{shop}'}
  type: Warning
  reason: Unhealthy
  message: 'Startup probe failed: Get \"http://admin:Pl4ntedInEventUrl@10.0.0.1:8080/\": token=Pl4nted-Log-Passw0rd'
  count: 12
  firstTimestamp: now-17m
  lastTimestamp: now-1m
  source: {component: kubelet, host: a3}
- apiVersion: v1
  kind: Event
  metadata: {namespace: prod}
  involvedObject: {apiVersion: v1, kind: Pod, name: shop-0, namespace: prod, fieldPath: 'spec.containers{shop}'}
  type: Warning
  reason: BackOff
  message: Back-off restarting failed container shop in pod shop-0_prod
  count: 12
  firstTimestamp: now-17m
  lastTimestamp: now-1m
  source: {component: kubelet, host: a3}
";

const LOG: &str = "\
shop 1.4 is starting
config: DB_PASSWORD=Pl4nted-Log-Passw0rd AWS_ACCESS_KEY_ID=AKIAPL4NTEDINLOGKEY1
authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJQTDRudGVkIn0.cGw0bnRlZHNpZ25hdHVyZTEyMzQ1
notifier: xoxb-1234567890-pl4ntedtokenpl4nted
panic: cannot log in to postgres://shop:Pl4ntedInLogUrl@db:5432/shop: password authentication failed for user \"shop\"
";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn planted_secrets_are_said_nowhere() {
    let (ns, _kubeconfig, _) = granted("prod").await;
    ns.apply(POD).await;
    let proxy = Proxy::with_log(&ns, LOG).await;
    let kubeconfig = kubeconfig_at(&proxy.url);
    let chat = Chat::configured(Config::default(), &[("prod", kubeconfig.path())]).await;
    let alice = chat.alice();
    let answer = alice.types(&format!("/podoctor {}/shop-0", ns.name)).await;
    // The log was read and quoted, without what is secret in it.
    assert_says(&answer.all(), &["password authentication failed"]);
    alice.in_channel(ids::TEAM_A).types(&format!("@podoctor {}/shop-0", ns.name)).await;
    alice.in_channel(ids::SHARED).types(&format!("/podoctor {}", ns.name)).await;
    alice.in_channel(ids::WITHOUT_BOT).types(&format!("/podoctor {}/shop-0", ns.name)).await;

    let calls: String = chat.slack.calls().iter().map(|call| call.args.to_string() + "\n").collect();
    let log = chat.bot.log();
    for secret in PLANTED {
        for (place, text) in [("messages", &chat.all_said()), ("calls", &calls), ("log", &log)] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the {place}");
        }
    }
    let config = chat.slack.config();
    for own in [&config.bot_token, &config.app_token, &config.signing_secret] {
        assert!(!log.contains(own.as_str()), "a token of its own is in the log:\n{log}");
    }
    assert!(
        !log.contains("/commands/T0TEAM/") && !log.contains("ticket="),
        "an address that is a secret is in the log:\n{log}"
    );
}
