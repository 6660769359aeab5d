//! podoctor says in Slack why a Kubernetes pod is stuck: the cause, the evidence, the fix.
//!
//! A request in Slack becomes **facts**, facts become a **diagnosis**, a diagnosis becomes a **reply**.
//! Everything between facts and reply is pure: no network, no clock, no environment, no failure.
//! The modules, in reading order:
//!
//! ```text
//! Slack ─► chat ─► handlers ─► gather ─► facts ─► diagnosis ─► render ─► chat ─► Slack
//!                     └─► remedy (plan) ─► confirm ─► cluster::write
//! ```

pub mod target;
pub mod redact;
pub mod metrics;
pub mod facts;
pub mod diagnosis;
pub mod question;
pub mod remedy;
pub mod render;
pub mod chat;
pub mod cluster;
pub mod gather;
pub mod settings;
pub mod access;
pub mod watch;
pub mod store;
pub mod handlers;
pub mod server;
#[expect(clippy::disallowed_methods, reason = "the rim: says when something came in")]
pub mod app;
#[expect(clippy::disallowed_methods, reason = "the rim: the terminal's own clock and environment")]
pub mod cli;
#[cfg(feature = "try")]
#[expect(clippy::disallowed_methods, reason = "the rim: it plays the outside world, in real time")]
pub mod playground;
