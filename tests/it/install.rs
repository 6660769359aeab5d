//! The manifests of `deploy/`, sent to a real API server: it takes them to the letter, and they grant what they should.

use crate::house::source;
use crate::plane::Plane;
use podoctor::cluster::Resource;
use serde_json::{Value, json};

const ACCOUNT: &str = "system:serviceaccount:podoctor:podoctor";

fn manifest(name: &str) -> Value {
    serde_saphyr::from_str(&source::text(&format!("deploy/{name}.yaml"))).expect("the house tests read it too")
}

/// Sends an object; unknown fields are refused. With `dry_run` everything is checked and nothing kept.
async fn send(plane: &Plane, object: &Value, dry_run: bool) {
    let (version, kind) = (object["apiVersion"].as_str().expect("a version"), object["kind"].as_str().expect("a kind"));
    let api = plane.admin();
    let resource = api.resource(version, kind).await.expect("an answer").expect("a kind that is served");
    let path = resource.path(object["metadata"]["namespace"].as_str().unwrap_or_default(), "");
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    let path = format!("{}?fieldValidation=Strict{dry_run}", path.trim_end_matches('/'));
    match api.post(&path, object).await {
        Ok(_) => {}
        Err(refused) if refused.code == 409 => {}
        Err(refused) => panic!("{kind} {}: {refused}", object["metadata"]["name"]),
    }
}

#[tokio::test]
async fn the_manifests_are_taken_to_the_letter() {
    // The one whose admission is at work.
    let plane = Plane::live().await;
    for name in ["namespace", "serviceaccount"] {
        send(plane, &manifest(name), false).await;
    }
    for name in ["clusterrole", "clusterrolebinding", "configmap", "deployment"] {
        send(plane, &manifest(name), true).await;
    }
    // The namespace enforces the restricted profile, which the API server holds against pods only.
    let template = &manifest("deployment")["spec"]["template"];
    let mut pod =
        json!({ "apiVersion": "v1", "kind": "Pod", "spec": template["spec"], "metadata": template["metadata"] });
    pod["metadata"]["name"] = "podoctor".into();
    pod["metadata"]["namespace"] = "podoctor".into();
    send(plane, &pod, true).await;
}

#[tokio::test]
async fn the_cluster_role_lets_podoctor_read_and_nothing_else() {
    let plane = Plane::shared().await;
    for name in ["clusterrole", "clusterrolebinding"] {
        send(plane, &manifest(name), false).await;
    }
    for resource in Resource::ALL {
        let (group, _, plural, _) = resource.parts();
        for verb in ["get", "list"] {
            becomes_allowed(plane, verb, group, plural, "").await;
        }
    }
    for resource in Resource::WATCHED {
        becomes_allowed(plane, "watch", "", resource.parts().2, "").await;
    }
    becomes_allowed(plane, "get", "", "pods", "log").await;
    let forbidden = [
        ("get", "", "secrets", ""),
        ("list", "", "secrets", ""),
        ("get", "", "nodes", "proxy"),
        ("get", "", "pods", "exec"),
        ("create", "", "pods", "exec"),
        ("delete", "", "pods", ""),
        ("patch", "", "pods", ""),
        ("create", "", "pods", "eviction"),
        ("patch", "apps", "deployments", ""),
        ("impersonate", "", "users", ""),
    ];
    for (verb, group, resource, part) in forbidden {
        assert!(!may(plane, verb, group, resource, part).await, "it may {verb} {resource}/{part}");
    }
}

/// A new role takes a moment until the API server goes by it.
async fn becomes_allowed(plane: &Plane, verb: &str, group: &str, resource: &str, part: &str) {
    let what = format!("podoctor may {verb} {group}/{resource}/{part}");
    crate::plane::eventually(&what, || async { may(plane, verb, group, resource, part).await.then_some(()) }).await;
}

async fn may(plane: &Plane, verb: &str, group: &str, resource: &str, part: &str) -> bool {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": ACCOUNT,
            "resourceAttributes": { "verb": verb, "group": group, "resource": resource, "subresource": part },
        },
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    plane.admin().post(path, &review).await.expect("an answer")["status"]["allowed"] == true
}
