//! Takes up changed settings while podoctor runs.

use crate::settings::{InForce, Reload, Reloader};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the file is looked at. Looking, unlike watching, also sees a mounted ConfigMap that is swapped, and costs
/// one small read.
const EVERY: Duration = Duration::from_secs(2);

/// Looks at the settings file for ever. What is wrong is told once; the old settings stay.
pub async fn keep(mut reloader: Reloader, settings: InForce) -> anyhow::Result<()> {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match reloader.look() {
            Reload::Unchanged => {}
            Reload::Changed { applied, restart } => {
                settings.set(reloader.current().clone(), reloader.catalogue().clone());
                let (applied, restart) = (applied.join(", "), restart.join(", "));
                if !applied.is_empty() {
                    tracing::info!(applied, "new settings are in force: {applied}");
                }
                if !restart.is_empty() {
                    tracing::warn!(restart, "these settings changed and need a restart: {restart}");
                }
            }
            Reload::Refused(error) => {
                tracing::error!(%error, "the new settings are refused, the old ones stay in force: {error}");
            }
        }
    }
}
