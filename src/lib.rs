//! podoctor says in Slack why a Kubernetes pod is stuck: the cause, the evidence, the fix.
//!
//! A request in Slack becomes **facts**, facts become a **diagnosis**, a diagnosis becomes a **reply**.
//! Everything between facts and reply is pure: no network, no clock, no environment, no failure.
//! The modules, in reading order:
//!
//! ```text
//! Slack ─► chat ─► handlers ─► gather ─► facts ─► diagnosis ─► render ─► chat ─► Slack
//! ```

pub mod app;
pub mod chat;
pub mod cli;
pub mod cluster;
pub mod diagnosis;
pub mod facts;
pub mod gather;
pub mod handlers;
#[cfg(feature = "try")]
pub mod playground;
pub mod question;
pub mod render;
pub mod server;
pub mod settings;
pub mod access;
pub mod target;
