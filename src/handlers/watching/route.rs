//! Where an alert goes: the first route that fits, else the annotation of the pod, its workload or its namespace, else
//! the default channel.

use crate::settings::{Quiet, Settings, pattern};
use crate::watch::state::Due;

/// The annotation that names a channel.
pub const ANNOTATION: &str = "podoctor.dev/channel";

/// Returns the channel for a pod's alert and the quiet hours of its route; `None` = nobody said where. `annotated` = what
/// the pod's workload, or its namespace, says.
pub fn channel(
    settings: &Settings,
    cluster: &str,
    due: &Due,
    annotated: Option<&String>,
) -> Option<(String, Option<Quiet>)> {
    let fits = |route: &&crate::settings::Route| {
        pattern::covers(&route.clusters, cluster)
            && pattern::covers(&route.namespaces, &due.pod.namespace)
            && pattern::selects(&route.labels, |name| due.labels.get(name).map(String::as_str))
    };
    if let Some(route) = settings.routes.iter().find(fits) {
        return Some((route.channel.clone(), route.quiet.clone()));
    }
    let said = due.channel.as_ref().or(annotated).map(|channel| channel.trim()).filter(|channel| !channel.is_empty());
    let channel = said.map(str::to_owned).or_else(|| settings.slack.default_channel.clone())?;
    Some((channel, None))
}

/// Returns what in the settings or in the cluster names a channel, in words for whoever set it.
pub fn named_by(settings: &Settings, channel: &str) -> String {
    let route = settings.routes.iter().position(|route| route.channel == channel);
    match route {
        Some(index) => format!("routes[{index}].channel"),
        None if settings.slack.default_channel.as_deref() == Some(channel) => "slack.default_channel".to_owned(),
        None => ANNOTATION.to_owned(),
    }
}
