//! Where an alert goes: the first route that fits, else the pod's own annotation, else the default channel.

use crate::settings::{Settings, pattern};
use crate::watch::state::Due;

/// Returns the channel for a pod's alert; `None` = nobody said where.
pub fn channel(settings: &Settings, cluster: &str, due: &Due) -> Option<String> {
    let fits = |route: &&crate::settings::Route| {
        pattern::covers(&route.clusters, cluster)
            && pattern::covers(&route.namespaces, &due.pod.namespace)
            && route.labels.iter().all(|(key, value)| due.labels.get(key) == Some(value))
    };
    let by_route = settings.routes.iter().find(fits).map(|route| route.channel.clone());
    by_route.or_else(|| due.channel.clone()).or_else(|| settings.slack.default_channel.clone())
}
