//! What moves the recorded cluster: its controllers, scheduler and kubelets, one step at a time.
//!
//! A step looks at the world and the time and does what is due, so a world that was stepped through the same moments is the
//! same world. Nothing sleeps in here: `RecordedCluster::live` steps twice a second, tests step as they like.

mod collector;
mod kubelet;
mod replicas;
pub mod reports;
mod rollout;

use super::nodes;
use super::story::Story;
use super::time;
use super::workloads::text;
use super::world::{World, key_of};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// How often what fails says so again.
const REPEAT: u64 = 30;
/// How often a lease is renewed: the control plane's lasts 15 seconds, a node's 40.
const RENEW: u64 = 5;
/// How often a kubelet reports a node on which nothing changes.
const HEARTBEAT: u64 = 300;

/// What the parts of the cluster remember between steps.
#[derive(Debug, Default)]
pub struct Engine {
    pub stories: Vec<Story>,
    /// The pods that fail, by uid.
    sick: BTreeMap<String, Sickness>,
    /// Since when pods are being stopped, by uid.
    stopping: BTreeMap<String, Timestamp>,
    /// When something that repeats was last said, by what it is.
    said: BTreeMap<String, Timestamp>,
}

/// A pod's part in a story.
#[derive(Debug, Clone, Copy)]
struct Sickness {
    story: usize,
    /// When it shows.
    from: Timestamp,
    /// Whether it shows already.
    shows: bool,
}

impl Engine {
    /// Takes over the recorded stories and the pods that fail in them.
    pub fn new(stories: Vec<Story>, start: Timestamp) -> Engine {
        let mut engine = Engine::default();
        for (story, of) in stories.iter().enumerate() {
            for uid in &of.failing {
                engine.sick.insert(uid.clone(), Sickness { story, from: start, shows: true });
            }
        }
        engine.stories = stories;
        engine
    }

    /// Does everything that is due.
    pub fn step(&mut self, world: &mut World, now: Timestamp) {
        renew_leases(world, now);
        self.node_controller(world, now);
        self.begin_stories(world, now);
        rollout::deployments(world, now);
        replicas::quotas(world);
        self.replica_sets(world, now);
        self.stateful_sets(world, now);
        self.daemon_sets(world, now);
        self.schedule(world, now);
        self.kubelets(world, now);
        collector::collect(world, now);
        reports::statuses(world, now);
        self.said.retain(|_, at| now.duration_since(*at).as_secs() <= 2 * HEARTBEAT.cast_signed());
    }

    /// Starts the stories whose time has come with pods that were well until then.
    fn begin_stories(&mut self, world: &World, now: Timestamp) {
        for (index, story) in self.stories.iter_mut().enumerate() {
            if story.begins.is_none_or(|begins| now < begins) {
                continue;
            }
            story.begins = None;
            let mut left = story.pods;
            for pod in world.all("Pod").iter().filter(|pod| story.is_about_pod(world, pod)) {
                let uid = text(&pod["metadata"]["uid"]).to_owned();
                if left > 0 && !self.sick.contains_key(&uid) && !story.is_over(world, pod, now) {
                    self.sick.insert(uid, Sickness { story: index, from: now, shows: false });
                    left -= 1;
                }
            }
        }
    }

    /// Keeps the cordon's taint in line with the cordon, and lets live nodes report.
    fn node_controller(&mut self, world: &mut World, now: Timestamp) {
        const CORDON: &str = "node.kubernetes.io/unschedulable";
        for node in world.all("Node") {
            let mut new = (*node).clone();
            let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
            let cordoned = node["spec"]["unschedulable"] == true;
            let tainted = taints.iter().any(|taint| taint["key"] == CORDON);
            if cordoned && !tainted {
                let taint = serde_json::json!({"key": CORDON, "effect": "NoSchedule", "timeAdded": time::seconds(now)});
                taints.push(taint);
            } else if !cordoned {
                taints.retain(|taint| taint["key"] != CORDON);
            }
            match (taints.is_empty(), new["spec"].as_object_mut()) {
                (true, Some(spec)) => drop(spec.remove("taints")),
                _ => new["spec"]["taints"] = taints.into(),
            }
            if nodes::is_alive(&node) && self.due(&format!("heartbeat/{}", node["metadata"]["name"]), HEARTBEAT, now) {
                for condition in new["status"]["conditions"].as_array_mut().into_iter().flatten() {
                    condition["lastHeartbeatTime"] = time::seconds(now);
                }
            }
            put(world, new);
        }
    }

    /// Returns whether something that repeats is due again, and takes it as done.
    fn due(&mut self, what: &str, every: u64, now: Timestamp) -> bool {
        let last = self.said.get(what).copied();
        let due = last.is_none_or(|last| now.duration_since(last).as_secs() >= every.cast_signed());
        if due {
            self.said.insert(what.to_owned(), now);
        }
        due
    }
}

/// Renews the leases of all that are alive: the control plane's, and those of nodes that report.
pub fn renew_leases(world: &mut World, now: Timestamp) {
    for lease in world.all("Lease") {
        let holder = text(&lease["metadata"]["name"]);
        let alive = world.find("Node", "", holder).is_none_or(|node| nodes::is_alive(node));
        let due = time::age(&lease["spec"]["renewTime"], now).is_some_and(|age| age >= RENEW);
        if alive && due {
            let mut renewed = (*lease).clone();
            renewed["spec"]["renewTime"] = time::micros(now);
            put(world, renewed);
        }
    }
}

fn put(world: &mut World, object: Value) {
    if let Some(key) = key_of(&object) {
        world.put(key, object);
    }
}

#[cfg(test)]
mod tests {
    use crate::playground::cluster::kinds::Kind;
    use crate::playground::cluster::write::{self, DeleteOptions, PatchFormat};
    use crate::playground::cluster::{RecordedCluster, pods};
    use serde_json::{Value, json};
    use std::sync::Arc;
    use std::time::Duration;

    fn cluster() -> Arc<RecordedCluster> {
        RecordedCluster::load("2026-11-24T10:00:00Z".parse().unwrap())
    }

    fn live(cluster: &RecordedCluster, seconds: u64) {
        for _ in 0..seconds {
            cluster.skip(Duration::from_secs(1));
            cluster.step();
        }
    }

    /// The pods of a namespace whose names begin so, as `name: ready, reason of the first container`.
    fn pods(cluster: &RecordedCluster, namespace: &str, prefix: &str) -> Vec<(String, bool, String)> {
        let all = cluster.objects();
        let wanted = all.iter().filter(|object| {
            let metadata = &object["metadata"];
            object["kind"] == "Pod"
                && metadata["namespace"] == namespace
                && metadata["name"].as_str().is_some_and(|name| name.starts_with(prefix))
        });
        wanted
            .map(|pod| {
                let reason = &pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"];
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                (name.to_owned(), pods::is_ready(pod), reason.as_str().unwrap_or_default().to_owned())
            })
            .collect()
    }

    /// Changes an object as a client would.
    fn change(cluster: &RecordedCluster, kind: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = cluster.get(kind, namespace, name).unwrap();
        change(&mut object);
        let generation = object["metadata"]["generation"].as_u64().unwrap_or(0) + 1;
        object["metadata"]["generation"] = generation.into();
        cluster.apply(object).unwrap();
    }

    fn delete_pod(cluster: &RecordedCluster, namespace: &str, name: &str) {
        let now = cluster.now();
        let kind = Kind::by_name("Pod").unwrap();
        let options = DeleteOptions::default();
        let place = (kind, namespace, name);
        cluster.change(|world| write::delete(world, place, &options, false, now)).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_recorded_is_what_the_controllers_would_leave_alone() {
        let cluster = cluster();
        let plain = |cluster: &RecordedCluster| -> Vec<Value> {
            let mut all = cluster.objects();
            all.retain(|o| !["Lease", "Node", "Event"].contains(&o["kind"].as_str().unwrap_or_default()));
            all
        };
        let before = plain(&cluster);
        cluster.step();
        for (before, after) in before.iter().zip(plain(&cluster)) {
            assert_eq!(*before, after);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_steps_give_the_same_world() {
        let (one, other) = (cluster(), cluster());
        live(&one, 40);
        live(&other, 40);
        let names = |cluster: &RecordedCluster| pods(cluster, "shop", "");
        assert_eq!(names(&one), names(&other));
    }

    #[tokio::test(start_paused = true)]
    async fn one_pod_recovers_and_another_breaks() {
        let cluster = cluster();
        live(&cluster, 18);
        assert_eq!(pods(&cluster, "shop", "search")[0].2, "ImagePullBackOff");
        assert!(pods(&cluster, "shop", "checkout").iter().all(|pod| pod.1));
        live(&cluster, 30);
        assert!(pods(&cluster, "shop", "search")[0].1);
        let broken = pods(&cluster, "shop", "checkout");
        assert!(broken.iter().all(|pod| !pod.1 && pod.2 == "CrashLoopBackOff"), "{broken:?}");
        live(&cluster, 60);
        let pod = cluster.get("Pod", "shop", &broken[0].0).unwrap();
        let status = &pod["status"]["containerStatuses"][0];
        assert!(status["restartCount"].as_u64().unwrap() >= 3, "{status}");
        let message = status["state"]["waiting"]["message"].as_str().unwrap();
        assert!(message.starts_with("back-off 1m20s restarting failed container=checkout pod=checkout-"), "{message}");
    }

    #[test]
    fn a_higher_memory_limit_cures_and_a_restart_does_not() {
        let cluster = cluster();
        change(&cluster, "Deployment", "prod", "manage", |deployment| {
            deployment["spec"]["template"]["metadata"]["annotations"] =
                json!({"kubectl.kubernetes.io/restartedAt": "now"});
        });
        live(&cluster, 120);
        let restarted = pods(&cluster, "prod", "manage");
        assert_eq!(restarted.iter().filter(|pod| pod.2 == "CrashLoopBackOff").count(), 2, "{restarted:?}");
        change(&cluster, "Deployment", "prod", "manage", |deployment| {
            let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
            container["resources"]["limits"]["memory"] = "384Mi".into();
        });
        live(&cluster, 90);
        let cured = pods(&cluster, "prod", "manage");
        assert!(cured.len() == 3 && cured.iter().all(|pod| pod.1), "{cured:?}");
        let deployment = cluster.get("Deployment", "prod", "manage").unwrap();
        assert_eq!(deployment["status"]["observedGeneration"], deployment["metadata"]["generation"]);
        assert_eq!(deployment["status"]["readyReplicas"], 3);
        let progress = deployment["status"]["conditions"][1]["reason"].as_str();
        assert_eq!(progress, Some("NewReplicaSetAvailable"));
    }

    #[test]
    fn an_old_template_is_taken_up_by_its_old_replica_set() {
        let cluster = cluster();
        let old = cluster.get("ReplicaSet", "shop", "storefront-5f6b9d7c84").unwrap();
        let mut template = old["spec"]["template"].clone();
        template["metadata"]["labels"].as_object_mut().unwrap().remove("pod-template-hash");
        // kubectl writes what a template never has as null.
        template["metadata"]["creationTimestamp"] = Value::Null;
        let undo = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
        let kind = Kind::by_name("Deployment").unwrap();
        let (place, format) = ((kind, "shop", "storefront"), PatchFormat::Json);
        let patched = cluster.change(|world| write::patch(world, place, None, format, &undo, false));
        patched.unwrap();
        live(&cluster, 20);
        let storefront = pods(&cluster, "shop", "storefront");
        assert!(
            storefront.len() == 2 && storefront.iter().all(|pod| pod.1 && pod.0.starts_with("storefront-5f6b9d7c84"))
        );
        let deployment = cluster.get("Deployment", "shop", "storefront").unwrap();
        assert_eq!(deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "19");
    }

    #[test]
    fn what_takes_a_pod_s_place_fails_only_as_long_as_its_cause_is_there() {
        let cluster = cluster();
        delete_pod(&cluster, "prod", "notify-6bb4d78c9f-wm4kd");
        live(&cluster, 10);
        let still = pods(&cluster, "prod", "notify");
        assert!(still.len() == 1 && still[0].0 != "notify-6bb4d78c9f-wm4kd", "{still:?}");
        assert_eq!(still[0].2, "CreateContainerConfigError");
        let settings = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "notify-settings", "namespace": "prod"}, "data": {}});
        cluster.apply(settings).unwrap();
        live(&cluster, 10);
        assert!(pods(&cluster, "prod", "notify")[0].1);
    }

    #[test]
    fn a_stale_mount_is_cured_by_a_new_pod() {
        let cluster = cluster();
        live(&cluster, 5);
        assert_eq!(pods(&cluster, "prod", "apigateway")[0].2, "CrashLoopBackOff");
        delete_pod(&cluster, "prod", "apigateway-6dc48bf8b6-l8xrw");
        live(&cluster, 10);
        let fresh = pods(&cluster, "prod", "apigateway");
        assert!(fresh.len() == 1 && fresh[0].1, "{fresh:?}");
    }

    #[test]
    fn lifting_a_cordon_gives_a_waiting_pod_its_node() {
        let cluster = cluster();
        change(&cluster, "Node", "", "node-a2", |node| node["spec"]["unschedulable"] = false.into());
        live(&cluster, 10);
        let ledger = pods(&cluster, "data", "ledger");
        assert!(ledger[0].1, "{ledger:?}");
        assert_eq!(cluster.get("Pod", "data", &ledger[0].0).unwrap()["spec"]["nodeName"], "node-a2");
        assert!(cluster.get("Node", "", "node-a2").unwrap()["spec"].get("taints").is_none());
    }

    #[test]
    fn a_pod_of_a_lost_node_is_replaced_once_it_is_given_up() {
        let cluster = cluster();
        live(&cluster, 5);
        assert_eq!(pods(&cluster, "data", "kafka").len(), 3);
        cluster.delete("Pod", "data", "kafka-1");
        live(&cluster, 10);
        let kafka = cluster.get("Pod", "data", "kafka-1").unwrap();
        assert!(pods::is_ready(&kafka) && kafka["spec"]["nodeName"] != "node-b1", "{}", kafka["status"]);
    }

    #[test]
    fn a_node_declared_out_of_service_gives_up_its_pods_and_disks() {
        let cluster = cluster();
        live(&cluster, 5);
        assert_eq!(pods(&cluster, "data", "wiki").len(), 2);
        change(&cluster, "Node", "", "node-b1", |node| {
            let taint =
                json!({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"});
            node["spec"]["taints"].as_array_mut().unwrap().push(taint);
        });
        live(&cluster, 15);
        let wiki = pods(&cluster, "data", "wiki");
        assert!(wiki.len() == 1 && wiki[0].1, "{wiki:?}");
        assert!(pods(&cluster, "data", "kafka").iter().all(|pod| pod.1));
    }

    #[test]
    fn a_larger_quota_lets_the_missing_pod_come() {
        let cluster = cluster();
        live(&cluster, 5);
        assert_eq!(pods(&cluster, "team-a", "api").len(), 1);
        change(&cluster, "ResourceQuota", "team-a", "team-a", |quota| quota["spec"]["hard"]["pods"] = "10".into());
        live(&cluster, 10);
        let api = pods(&cluster, "team-a", "api");
        assert!(api.len() == 2 && api.iter().all(|pod| pod.1), "{api:?}");
        let conditions = cluster.get("Deployment", "team-a", "api").unwrap()["status"]["conditions"].clone();
        assert_eq!(conditions.as_array().unwrap().len(), 2, "{conditions}");
    }

    #[test]
    fn a_rollout_that_is_well_comes_to_its_end() {
        let cluster = cluster();
        live(&cluster, 90);
        let catalog = pods(&cluster, "shop", "catalog");
        assert!(
            catalog.len() == 3 && catalog.iter().all(|pod| pod.1 && pod.0.starts_with("catalog-76d5f8c9bb")),
            "{catalog:?}"
        );
        let storefront = pods(&cluster, "shop", "storefront");
        assert_eq!(storefront.iter().filter(|pod| pod.1).count(), 2, "{storefront:?}");
    }
}
