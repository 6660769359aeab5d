//! What `podoctor try` embeds: a Slack-compatible workspace and a recorded cluster.

pub mod cluster;
pub mod slack;
