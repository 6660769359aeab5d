//! What began with a rollout says so, with the revisions that the real Deployment controller makes.

use super::chat::{Chat, assert_says};
use super::data::rules;
use crate::plane::{Plane, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

const GOOD: &str = "registry.example/web:1.4";
const BAD: &str = "registry.example/web:1.5-typo";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_image_is_told_with_the_rollout_that_brought_it_asked_by_name_and_by_prefix() {
    let ns = Plane::live().await.namespace("rolled").await;
    let (kubeconfig, user) = ns.service_account("podoctor").await;
    ns.plane.grant(&user, &rules()).await;
    // For nobody but what names it.
    let taint = "spec: {taints: [{key: only-for, value: rollouts, effect: NoSchedule}]}";
    ns.apply(&format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: worker}}\n{taint}\nstatus: {{conditions: [{{type: Ready, status: 'True', \
         reason: KubeletReady, lastHeartbeatTime: now, lastTransitionTime: now-2h}}]}}"
    ))
    .await;
    let node = ns.node("worker");
    let client = ns.plane.client("admin").await;
    let deployments = Api::<Deployment>::namespaced(client.clone(), &ns.name);
    let web = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"nodeName": node, "containers": [{"name": "app", "image": GOOD}]},
        }},
    });
    deployments.create(&Default::default(), &serde_json::from_value(web).unwrap()).await.unwrap();
    let pods = Api::<Pod>::namespaced(client, &ns.name);
    let pod_with = async |image: &str| {
        let all = pods.list(&ListParams::default().labels("app=web")).await.unwrap().items;
        let has = |pod: &Pod| pod.spec.as_ref().unwrap().containers[0].image.as_deref() == Some(image);
        all.into_iter().find(has).and_then(|pod| pod.metadata.name)
    };
    eventually("the first revision has its pod", || pod_with(GOOD)).await;
    let change = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": BAD}]}}}});
    deployments.patch("web", &PatchParams::default(), &Patch::Strategic(change)).await.unwrap();
    let pod = eventually("the second revision has its pod", || pod_with(BAD)).await;
    let now = jiff::Timestamp::now().to_string();
    let waiting = json!({"reason": "ImagePullBackOff", "message": format!(
        "Back-off pulling image \"{BAD}\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \
         \"{BAD}\": failed to resolve reference \"{BAD}\": {BAD}: not found"
    )});
    let status = json!({
        "phase": "Pending", "startTime": now,
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": now},
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": now}],
        "containerStatuses": [{"name": "app", "image": BAD, "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": waiting}}],
    });
    ns.patch_pod_status(&pod, status).await;

    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let (start, _) = pod.rsplit_once('-').unwrap();
    for name in [pod.as_str(), &format!("{start}..."), &format!("{}...", &start[..start.len() - 2])] {
        let mark = ns.plane.mark().await;
        let answer = chat.alice().types(&format!("/podoctor {}/{name}", ns.name)).await;
        let asked = ns.plane.requests_since(mark, &user).await;
        assert!(answer.all().contains("the rollout of revision 2"), "{}\n{asked:#?}", answer.all());
        answer.parent_says(&[&pod, "the rollout of revision 2", GOOD, "→", BAD]);
        assert_says(&answer.thread(), &["rollout undo deployment/web --to-revision=1"]);
        assert!(asked.len() <= 8, "{name}: {} requests: {asked:#?}", asked.len());
    }
}
