//! Conversations with the real binary, `podoctor serve`: a Slack-compatible workspace on one side, a real Kubernetes API
//! server on the other, and what people type in between.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod alerts;
mod asking;
mod bot;
pub mod chat;
mod cluster_trouble;
mod data;
mod delivery;
mod hostile;
mod http;
mod incidents;
mod kills;
mod mistakes;
mod network;
mod outages;
mod overview;
mod own_causes;
mod proxy;
mod quiet;
mod reloading;
mod remedies;
mod rights;
mod rollouts;
mod secrets;
mod starting;
mod unanswered;
mod watched;
