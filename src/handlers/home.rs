//! The page that a person opens of the bot: what is open now.

use super::watching::{Ask, Event};
use crate::watch::incident::{Incident, State};
use tokio::sync::{mpsc, oneshot};

/// Returns what is open, what nobody looks after first, the oldest of those first; nothing where nobody watches.
pub async fn open(watch: Option<&mpsc::Sender<Event>>) -> Vec<Incident> {
    let Some(watch) = watch else { return Vec::new() };
    let (done, answer) = oneshot::channel();
    if watch.send(Event::Asked(Ask::Open { done })).await.is_err() {
        return Vec::new();
    }
    let mut open = answer.await.unwrap_or_default();
    open.sort_by_key(|incident| (incident.state != State::Open, incident.since, incident.id.clone()));
    open
}
