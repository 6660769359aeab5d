//! Clusters given as data, and kubeconfigs with exactly the rights that podoctor asks for.

use crate::plane::{Ns, Plane};
use std::path::PathBuf;

/// The pod of the README: killed for memory again and again.
pub const MANAGE: &str = "manage-5bd487cf9d-bqmvm";

/// A Deployment whose one pod reaches its memory limit.
pub const OOM: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: a3}
  status:
    allocatable: {cpu: '4', memory: 8Gi, pods: '110'}
    capacity: {cpu: '4', memory: 8Gi, pods: '110'}
    conditions: [{type: Ready, status: 'True', reason: KubeletReady, lastHeartbeatTime: now, lastTransitionTime: now-2h}]
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: manage, namespace: prod}
  spec:
    replicas: 1
    selector: &selector {matchLabels: {app: manage}}
    template: &template
      metadata: {labels: {app: manage}}
      spec: &spec
        containers:
        - {name: manage, image: 'registry.example/manage:1.4', resources: {limits: {memory: 256Mi}, requests: {memory: 256Mi}}}
  status: {replicas: 1, updatedReplicas: 1, unavailableReplicas: 1}
- apiVersion: apps/v1
  kind: ReplicaSet
  metadata:
    name: manage-5bd487cf9d
    namespace: prod
    labels: {app: manage, pod-template-hash: 5bd487cf9d}
    ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: manage, controller: true}]
  spec: {replicas: 1, selector: *selector, template: *template}
  status: {replicas: 1}
- apiVersion: v1
  kind: Pod
  metadata:
    name: manage-5bd487cf9d-bqmvm
    namespace: prod
    labels: {app: manage, pod-template-hash: 5bd487cf9d}
    creationTimestamp: now-18m
    ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: manage-5bd487cf9d, controller: true}]
  spec:
    nodeName: a3
    containers:
    - {name: manage, image: 'registry.example/manage:1.4', resources: {limits: {memory: 256Mi}, requests: {memory: 256Mi}}}
  status:
    phase: Running
    startTime: now-18m
    conditions:
    - {type: PodScheduled, status: 'True', lastTransitionTime: now-18m}
    - {type: Initialized, status: 'True', lastTransitionTime: now-18m}
    - {type: Ready, status: 'False', reason: ContainersNotReady, message: 'containers with unready status: [manage]', lastTransitionTime: now-18m}
    - {type: ContainersReady, status: 'False', reason: ContainersNotReady, message: 'containers with unready status: [manage]', lastTransitionTime: now-18m}
    containerStatuses:
    - name: manage
      image: registry.example/manage:1.4
      imageID: registry.example/manage@sha256:5bd4
      containerID: containerd://c1
      ready: false
      started: false
      restartCount: 7
      state: {waiting: {reason: CrashLoopBackOff, message: 'back-off 5m0s restarting failed container=manage'}}
      lastState: {terminated: {exitCode: 137, reason: OOMKilled, containerID: containerd://c1, startedAt: now-3m, finishedAt: now-2m}}
- apiVersion: v1
  kind: Event
  metadata: {namespace: prod}
  involvedObject: {apiVersion: v1, kind: Pod, name: manage-5bd487cf9d-bqmvm, namespace: prod, fieldPath: 'spec.containers{manage}'}
  type: Warning
  reason: BackOff
  message: Back-off restarting failed container manage in pod manage-5bd487cf9d-bqmvm_prod
  count: 42
  firstTimestamp: now-17m
  lastTimestamp: now-1m
  source: {component: kubelet, host: a3}
";

/// Returns the rules of `deploy/clusterrole.yaml`, to the letter.
pub fn rules() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/clusterrole.yaml");
    let role = std::fs::read_to_string(path).unwrap();
    role.split_once("\nrules:\n").expect("the ClusterRole has rules").1.to_owned()
}

/// Makes a namespace, and a kubeconfig of an account with the rights of `deploy/clusterrole.yaml`.
pub async fn granted(prefix: &str) -> (Ns<'static>, PathBuf, String) {
    let ns = Plane::shared().await.namespace(prefix).await;
    let (kubeconfig, user) = ns.service_account("podoctor").await;
    ns.plane.grant(&user, &rules()).await;
    (ns, kubeconfig, user)
}

/// Writes a kubeconfig for an address that asks for no credentials.
pub fn kubeconfig_at(url: &str) -> tempfile::NamedTempFile {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         clusters: [{{name: here, cluster: {{server: '{url}'}}}}]\n\
         contexts: [{{name: here, context: {{cluster: here, user: me}}}}]\n\
         users: [{{name: me, user: {{}}}}]\n"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// Pods and workloads that are stuck in other ways, so that a question about each needs other objects.
pub const SICK: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: greedy, namespace: prod}
  spec:
    serviceName: greedy
    replicas: 1
    selector: {matchLabels: {app: greedy}}
    template:
      metadata: {labels: {app: greedy}}
      spec: {containers: [{name: app, image: 'greedy:1', resources: {requests: {memory: 1Ti}}}]}
  status: {replicas: 1}
- apiVersion: v1
  kind: Pod
  metadata:
    name: greedy-0
    namespace: prod
    labels: {app: greedy}
    creationTimestamp: now-30m
    ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: greedy, controller: true}]
  spec: {containers: [{name: app, image: 'greedy:1', resources: {requests: {memory: 1Ti}}}]}
  status:
    phase: Pending
    conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.', lastTransitionTime: now-30m}]
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {name: data-claims-0, namespace: prod, creationTimestamp: now-30m}
  spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
  status: {phase: Pending}
- apiVersion: v1
  kind: Pod
  metadata: {name: claims-0, namespace: prod, creationTimestamp: now-30m}
  spec:
    containers: [{name: app, image: 'claims:1', volumeMounts: [{name: data, mountPath: /data}]}]
    volumes: [{name: data, persistentVolumeClaim: {claimName: data-claims-0}}]
  status:
    phase: Pending
    conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found', lastTransitionTime: now-30m}]
- apiVersion: v1
  kind: Pod
  metadata: {name: mounts-0, namespace: prod, creationTimestamp: now-30m}
  spec:
    nodeName: a3
    containers: [{name: app, image: 'mounts:1', volumeMounts: [{name: conf, mountPath: /conf}]}]
    volumes: [{name: conf, configMap: {name: nowhere}}]
  status:
    phase: Pending
    startTime: now-30m
    conditions: [{type: PodScheduled, status: 'True', lastTransitionTime: now-30m}]
    containerStatuses: [{name: app, image: 'mounts:1', imageID: '', ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}]
- apiVersion: v1
  kind: Event
  metadata: {namespace: prod}
  involvedObject: {apiVersion: v1, kind: Pod, name: mounts-0, namespace: prod}
  type: Warning
  reason: FailedMount
  message: 'MountVolume.SetUp failed for volume \"conf\" : configmap \"nowhere\" not found'
  count: 20
  firstTimestamp: now-29m
  lastTimestamp: now-1m
  source: {component: kubelet, host: a3}
- apiVersion: v1
  kind: Pod
  metadata: {name: pulls-0, namespace: prod, creationTimestamp: now-30m}
  spec: {nodeName: a3, containers: [{name: app, image: 'registry.example/pulls:9'}]}
  status:
    phase: Pending
    startTime: now-30m
    conditions: [{type: PodScheduled, status: 'True', lastTransitionTime: now-30m}]
    containerStatuses: [{name: app, image: 'registry.example/pulls:9', imageID: '', ready: false, restartCount: 0, state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image \"registry.example/pulls:9\": ErrImagePull: failed to authorize: 401 Unauthorized'}}}]
- apiVersion: v1
  kind: Pod
  metadata: {name: leaving-0, namespace: prod, creationTimestamp: now-3h, deletionTimestamp: now-1h, deletionGracePeriodSeconds: 30, finalizers: [example.com/cleanup]}
  spec: {nodeName: a3, containers: [{name: app, image: 'leaving:1'}]}
  status: {phase: Running, startTime: now-3h}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: quota, namespace: prod, generation: 1}
  spec:
    replicas: 2
    selector: {matchLabels: {app: quota}}
    template:
      metadata: {labels: {app: quota}}
      spec: {containers: [{name: app, image: 'quota:1'}]}
  status:
    observedGeneration: 1
    unavailableReplicas: 2
    conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: 'pods \"quota-1-x\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=5, limited: pods=5', lastTransitionTime: now-20m, lastUpdateTime: now-20m}]
- apiVersion: batch/v1
  kind: Job
  metadata: {name: once, namespace: prod}
  spec:
    template:
      spec: {restartPolicy: Never, containers: [{name: app, image: 'once:1'}]}
";
