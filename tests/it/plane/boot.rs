//! How the parts of the control plane are started, and with what.

use super::process::Process;
use super::{Plane, USERS, audit, binaries, poll, token_of};
use anyhow::Context;
use serde_json::json;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// What goes on in a plane besides what tests write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Nothing: every object is taken as it is and stays as it is. For clusters given as data.
    Recorded,
    /// Everything: admission, all controllers, the scheduler. A node without a fresh lease is lost after 12 seconds.
    Real,
}

/// What would change, add to or refuse objects that are given as data.
const ADMISSION_THAT_MEDDLES: &str = "DefaultIngressClass,DefaultStorageClass,DefaultTolerationSeconds,LimitRanger,\
    MutatingAdmissionPolicy,MutatingAdmissionWebhook,PersistentVolumeClaimResize,PodSecurity,PodTopologyLabels,Priority,\
    ResourceQuota,RuntimeClass,ServiceAccount,StorageObjectInUseProtection,TaintNodesByCondition,\
    ValidatingAdmissionPolicy,ValidatingAdmissionWebhook,CertificateApproval,CertificateSigning,\
    CertificateSubjectRestriction,ClusterTrustBundleAttest";

/// The controllers that a namespace and an eviction need.
const CONTROLLERS_OF_RECORDED: &str = "serviceaccount-controller,root-ca-certificate-publisher-controller,\
    namespace-controller,disruption-controller";

/// Where the parts listen, on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub etcd: u16,
    peers: u16,
    pub api: u16,
}

impl Ports {
    /// Finds ports that are free now. Somebody else may be faster; then the start is tried again.
    fn find() -> anyhow::Result<Ports> {
        let sockets: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let port = |index: usize| Ok::<u16, std::io::Error>(sockets[index].local_addr()?.port());
        Ok(Ports { etcd: port(0)?, peers: port(1)?, api: port(2)? })
    }
}

/// Starts a plane; returns when it is ready.
pub(super) async fn start(life: Life) -> anyhow::Result<Plane> {
    // Whoever was first has installed it; there is just one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let programs = tokio::task::spawn_blocking(binaries::folder).await??;
    let mut attempt = 1;
    loop {
        match start_once(life, &programs).await {
            // Ports found free may have been taken meanwhile.
            Err(error) if attempt < 3 && format!("{error:#}").contains("address already in use") => attempt += 1,
            outcome => return outcome,
        }
    }
}

async fn start_once(life: Life, programs: &Path) -> anyhow::Result<Plane> {
    static PLANES: AtomicU32 = AtomicU32::new(0);
    let number = PLANES.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plane-{}-{number}", std::process::id()));
    // A process of the same number may have left one, if the machine went down.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("kubeconfig")).with_context(|| folder.display().to_string())?;
    let ports = Ports::find()?;
    write_files(&folder)?;
    let mut etcd = etcd(programs, &folder, &ports)?;
    poll("etcd listens", async || {
        etcd.check()?;
        Ok(tokio::net::TcpStream::connect(("127.0.0.1", ports.etcd)).await.ok())
    })
    .await?;
    let plane = Plane {
        life,
        apiserver: Mutex::new(Some(apiserver(life, programs, &folder, &ports)?)),
        folder,
        ports,
        programs: programs.to_owned(),
        heartbeat: Mutex::default(),
        clients: Mutex::default(),
        _etcd: etcd,
        namespaces: AtomicU32::new(1),
        fences: AtomicU32::new(0),
    };
    plane.ready().await?;
    let clients = clients(life, programs, &plane.folder, &ports)?;
    *plane.clients.lock().expect("nothing panics while it is held") = clients;
    Ok(plane)
}

fn etcd(programs: &Path, folder: &Path, ports: &Ports) -> anyhow::Result<Process> {
    let own = format!("http://127.0.0.1:{}", ports.etcd);
    let peers = format!("http://127.0.0.1:{}", ports.peers);
    let args = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={own}"),
        format!("--advertise-client-urls={own}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=error".to_owned(),
    ];
    let sweep = std::env::var_os("PODOCTOR_KEEP_PLANE").is_none().then_some(folder);
    Process::start(&programs.join("etcd"), &args, &folder.join("etcd.log"), sweep)
}

/// Starts the API server; it makes its own certificate, whose key also signs the tokens of service accounts.
pub(super) fn apiserver(life: Life, programs: &Path, folder: &Path, ports: &Ports) -> anyhow::Result<Process> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut args = vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.api),
        format!("--cert-dir={}", file("certificate")),
        format!("--service-account-key-file={}", file("certificate/apiserver.key")),
        format!("--service-account-signing-key-file={}", file("certificate/apiserver.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", file("tokens.csv")),
        format!("--audit-policy-file={}", file("audit-policy.json")),
        format!("--audit-log-path={}", audit_log(folder).display()),
        "--audit-log-maxsize=4096".to_owned(),
        "--event-ttl=6h".to_owned(),
        // As in most clusters, which run their network and storage in privileged pods.
        "--allow-privileged=true".to_owned(),
        // Lets the harness correct what is stored (see `api::Etcd`).
        "--storage-media-type=application/json".to_owned(),
    ];
    if life == Life::Recorded {
        args.push(format!("--disable-admission-plugins={ADMISSION_THAT_MEDDLES}"));
    }
    Process::start(&programs.join("kube-apiserver"), &args, &folder.join("kube-apiserver.log"), None)
}

/// Starts what is a client of the API server.
fn clients(life: Life, programs: &Path, folder: &Path, ports: &Ports) -> anyhow::Result<Vec<Process>> {
    let certificate_key = folder.join("certificate/apiserver.key");
    let common = |user: &str| -> anyhow::Result<Vec<String>> {
        let kubeconfig = write_kubeconfig(folder, ports, user, &token_of(user))?;
        Ok(vec![
            format!("--kubeconfig={}", kubeconfig.display()),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ])
    };
    let mut controllers = common("system:kube-controller-manager")?;
    controllers.extend([
        format!("--service-account-private-key-file={}", certificate_key.display()),
        format!("--root-ca-file={}", certificate(folder).display()),
        "--use-service-account-credentials".to_owned(),
        "--node-monitor-grace-period=12s".to_owned(),
        "--node-monitor-period=1s".to_owned(),
    ]);
    if life == Life::Recorded {
        controllers.push(format!("--controllers={CONTROLLERS_OF_RECORDED}"));
    }
    let run = |name: &str, args: &[String]| {
        Process::start(&programs.join(name), args, &folder.join(format!("{name}.log")), None)
    };
    let mut processes = vec![run("kube-controller-manager", &controllers)?];
    if life == Life::Real {
        processes.push(run("kube-scheduler", &common("system:kube-scheduler")?)?);
    }
    Ok(processes)
}

fn write_files(folder: &Path) -> anyhow::Result<()> {
    let lines: Vec<String> =
        USERS.iter().map(|(user, groups)| format!("{},{user},{user},\"{groups}\"\n", token_of(user))).collect();
    std::fs::write(folder.join("tokens.csv"), lines.concat())?;
    std::fs::write(folder.join("audit-policy.json"), audit::POLICY)?;
    Ok(())
}

/// Writes a kubeconfig for a user of a plane.
pub(super) fn write_kubeconfig(folder: &Path, ports: &Ports, user: &str, token: &str) -> anyhow::Result<PathBuf> {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "plane",
        "clusters": [{"name": "plane", "cluster": {
            "server": format!("https://127.0.0.1:{}", ports.api), "certificate-authority": certificate(folder)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": user}}],
    });
    let path = folder.join("kubeconfig").join(format!("{}.yaml", user.replace([':', '/'], "_")));
    std::fs::write(&path, serde_json::to_vec_pretty(&config)?)?;
    Ok(path)
}

pub(super) fn certificate(folder: &Path) -> PathBuf {
    folder.join("certificate/apiserver.crt")
}

pub(super) fn audit_log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}
