//! The manifests of `deploy/`: complete, restricted, and granting just what the code asks for.

use super::generated::assert_generated;
use super::source::{self, text};
use podoctor::cluster::Resource;
use podoctor::diagnosis::Remedy;
use podoctor::remedy::rights::{self, Asks};
use podoctor::settings::{self, tokens};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn deployment() -> Value {
    yaml("deploy/deployment.yaml")["spec"]["template"]["spec"].take()
}

#[test]
fn the_cluster_role_grants_what_is_asked_for() {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for resource in Resource::ALL {
        let (group, _, plural, _) = resource.parts();
        groups.entry(group).or_default().insert(plural);
    }
    let mut role = String::from(
        "# What podoctor may read, made from the code's list of what it asks for. It may change nothing.\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: podoctor\nrules:\n",
    );
    for (group, plurals) in &groups {
        let plurals = plurals.iter().map(|plural| format!("      - {plural}\n")).collect::<String>();
        let rule = format!("  - apiGroups: [\"{group}\"]\n    resources:\n{plurals}    verbs: [get, list]\n");
        role.push_str(&rule);
    }
    let watched =
        Resource::WATCHED.iter().map(|resource| format!("      - {}\n", resource.parts().2)).collect::<String>();
    write!(role, "  - apiGroups: [\"\"]\n    resources:\n{watched}    verbs: [watch]\n").expect("text");
    write!(role, "  - apiGroups: [\"\"]\n    resources:\n      - pods/log\n    verbs: [get]\n").expect("text");
    assert_generated("deploy/clusterrole.yaml", &role);
}

#[test]
fn the_rights_of_all_remedies_are_fresh() {
    let asks = Asks { reviews: true, impersonates: false };
    let all = rights::cluster_role(&Remedy::ALL.into(), asks).expect("some rights");
    assert_generated("deploy/remedies/clusterrole.yaml", &all);
}

#[test]
fn the_cluster_role_grants_nothing_dangerous() {
    let role = yaml("deploy/clusterrole.yaml");
    for rule in role["rules"].as_array().expect("rules") {
        for verb in rule["verbs"].as_array().expect("verbs") {
            assert!(["get", "list", "watch"].iter().any(|allowed| verb == allowed), "{rule}");
        }
        for resource in rule["resources"].as_array().expect("resources").iter().filter_map(Value::as_str) {
            assert!(!resource.contains('*') && resource != "secrets", "{rule}");
            assert!(!resource.contains('/') || resource == "pods/log", "{rule}");
        }
        assert!(rule.get("nonResourceURLs").is_none(), "{rule}");
    }
}

#[test]
fn kustomize_lists_every_manifest() {
    let listed: BTreeSet<String> = yaml("deploy/kustomization.yaml")["resources"]
        .as_array()
        .expect("resources")
        .iter()
        .map(|name| format!("deploy/{}", name.as_str().expect("a file's name")))
        .collect();
    let there: BTreeSet<String> = source::files("deploy", ".yaml")
        .into_iter()
        .filter(|path| {
            !path.starts_with("deploy/slack/")
                && !path.starts_with("deploy/remedies/")
                && path != "deploy/kustomization.yaml"
        })
        .collect();
    assert_eq!(listed, there);
    for path in &there {
        let object = yaml(path);
        assert!(object["apiVersion"].is_string() && object["kind"].is_string(), "{path}");
        assert_ne!(object["kind"], "Secret", "{path}: secrets are made by hand");
    }
}

#[test]
fn the_manifests_name_each_other_rightly() {
    let binding = yaml("deploy/clusterrolebinding.yaml");
    let account = yaml("deploy/serviceaccount.yaml");
    assert_eq!(binding["roleRef"]["name"], yaml("deploy/clusterrole.yaml")["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["name"], account["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["namespace"], account["metadata"]["namespace"]);
    assert_eq!(deployment()["serviceAccountName"], account["metadata"]["name"]);
    let namespace = yaml("deploy/namespace.yaml")["metadata"]["name"].clone();
    for file in ["serviceaccount", "configmap", "deployment"] {
        assert_eq!(yaml(&format!("deploy/{file}.yaml"))["metadata"]["namespace"], namespace, "{file}");
    }
    assert_eq!(deployment()["volumes"][0]["configMap"]["name"], yaml("deploy/configmap.yaml")["metadata"]["name"]);
}

#[test]
fn the_settings_of_the_config_map_load() {
    let map = yaml("deploy/configmap.yaml");
    let settings = map["data"]["podoctor.yaml"].as_str().expect("the settings");
    settings::parse("configmap", settings, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_pod_is_restricted_and_probed() {
    let pod = deployment();
    let container = &pod["containers"][0];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert!(
        container["resources"]["limits"]["memory"].is_string() && container["resources"]["requests"]["cpu"].is_string()
    );
}

#[test]
fn the_pods_secrets_are_files_that_the_settings_know() {
    let pod = deployment();
    let container = &pod["containers"][0];
    let mount = container["volumeMounts"].as_array().expect("mounts").iter().find(|mount| mount["name"] == "secrets");
    let folder = mount.expect("the secrets are mounted")["mountPath"].as_str().expect("a path");
    for variable in container["env"].as_array().expect("variables") {
        let name = variable["name"].as_str().expect("a name");
        let token =
            tokens::ALL.iter().find(|token| format!("{}_FILE", token.variable) == name).expect("a known secret");
        assert_eq!(variable["value"], format!("{folder}/{}", token.variable));
    }
}

#[test]
fn the_image_runs_as_a_numbered_user_that_is_not_root() {
    let dockerfile = text("deploy/Dockerfile");
    let user = dockerfile.lines().find_map(|line| line.strip_prefix("USER ")).expect("a user");
    let pod = deployment();
    let expected = format!("{}:{}", pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]);
    assert_eq!(user, expected);
    let rust = text("Cargo.toml")
        .lines()
        .find_map(|line| Some(line.strip_prefix("rust-version = \"")?.trim_end_matches('"').to_owned()));
    assert!(
        dockerfile.contains(&format!("FROM rust:{}-", rust.expect("a Rust version"))),
        "the image builds with another Rust"
    );
}

/// Cargo must find every target it is told of, and the compiler every file that the source holds in it.
#[test]
fn the_image_is_built_from_all_that_cargo_asks_for() {
    let root = source::root();
    let context = tempfile::tempdir().expect("a folder");
    for path in text(".dockerignore").lines().filter_map(|line| line.strip_prefix('!')) {
        let within = if root.join(path).is_dir() { source::files(path, "") } else { BTreeSet::from([path.to_owned()]) };
        for file in within {
            let copy = context.path().join(&file);
            std::fs::create_dir_all(copy.parent().expect("a folder")).expect("it can be made");
            std::fs::copy(root.join(&file), copy).expect("it can be copied");
        }
    }
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(context.path())
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let mut embedded = 0;
    for file in source::files("src", ".rs") {
        for path in text(&file).split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let path = context.path().join(&file).parent().expect("a folder").join(path);
            assert!(path.exists(), "{file} holds {}, which the image does not have", path.display());
            embedded += 1;
        }
    }
    assert!(embedded > 5, "{embedded} files are embedded");
}
