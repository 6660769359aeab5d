//! Slack as a front: Socket Mode or HTTP in, the Web API out.

pub mod api;
pub mod draw;
pub mod once;
pub mod payload;
