//! Who keeps an object as it is written elsewhere, and would put a change back: Argo CD, Flux, Helm.

use crate::remedy::plan::Note;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Returns a warning where the object is written by a tool that puts changes back, and what to change instead.
pub fn note(meta: &ObjectMeta) -> Option<Note> {
    let none = BTreeMap::new();
    let labels = meta.labels.as_ref().unwrap_or(&none);
    let annotations = meta.annotations.as_ref().unwrap_or(&none);
    let label = |name: &str| labels.get(name).map(String::as_str);
    // `APP:GROUP/KIND:NAMESPACE/NAME`
    let tracked = annotations.get("argocd.argoproj.io/tracking-id").map(|id| id.split(':').next().unwrap_or(id));
    if let Some(app) = tracked.or(label("argocd.argoproj.io/instance")) {
        return Some(Note::warning(
            format!(
                "Argo CD keeps it as application `{app}` is written: with self-heal this is put back at once, else at the next sync. Change it in Git as well."
            ),
            format!(
                "Argo CD 按应用 `{app}` 的定义维护它：开启 self-heal 时会立即被改回，否则在下次同步时改回。请同时在 Git 中修改。"
            ),
        ));
    }
    if let Some(name) = label("helm.toolkit.fluxcd.io/name") {
        return Some(Note::warning(
            format!(
                "Flux keeps it by HelmRelease `{name}`: the next upgrade, or drift correction, puts this back. Change the release's values as well."
            ),
            format!(
                "Flux 通过 HelmRelease `{name}` 维护它：下次升级或漂移修正时会被改回。请同时修改该 release 的 values。"
            ),
        ));
    }
    if let Some(name) = label("kustomize.toolkit.fluxcd.io/name") {
        return Some(Note::warning(
            format!(
                "Flux keeps it by Kustomization `{name}`: the next reconciliation puts this back. Change it in Git as well."
            ),
            format!("Flux 通过 Kustomization `{name}` 维护它：下次协调时会被改回。请同时在 Git 中修改。"),
        ));
    }
    let release = annotations.get("meta.helm.sh/release-name").map(String::as_str);
    if release.is_some() || label("app.kubernetes.io/managed-by") == Some("Helm") {
        let release = release.unwrap_or("?");
        return Some(Note::warning(
            format!(
                "Helm release `{release}` owns it: the next `helm upgrade` puts this back. Change its values as well."
            ),
            format!("它属于 Helm release `{release}`：下次 `helm upgrade` 会改回。请同时修改其 values。"),
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Option<String> {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let meta =
            ObjectMeta { labels: Some(map(labels)), annotations: Some(map(annotations)), ..ObjectMeta::default() };
        note(&meta).map(|note| note.words.en)
    }

    #[test]
    fn the_nearest_keeper_is_named() {
        let helm = ("meta.helm.sh/release-name", "web");
        let says =
            |found: Option<String>, part: &str| assert!(found.as_ref().is_some_and(|f| f.contains(part)), "{found:?}");
        says(
            said(&[], &[("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:shop/web"), helm]),
            "application `shop`",
        );
        says(said(&[("helm.toolkit.fluxcd.io/name", "web")], &[helm]), "HelmRelease `web`");
        says(said(&[("kustomize.toolkit.fluxcd.io/name", "apps")], &[]), "Kustomization `apps`");
        says(said(&[("app.kubernetes.io/managed-by", "Helm")], &[helm]), "Helm release `web`");
        assert_eq!(said(&[("app.kubernetes.io/managed-by", "kustomize")], &[]), None);
    }
}
