//! The report of a morning: one message, once, whatever happens to podoctor or to the chat around that time.
//!
//! That it is about to be said is kept before it is said, and that it was said after; in between, the channel is asked.

use super::super::respond::language;
use super::{Event, Watching};
use crate::chat::front::{Front, FrontError, Place};
use crate::render::overview;
use crate::settings::calendar::{self, STILL_GOOD};
use crate::store::Store;
use crate::watch::incident::Incident;
use jiff::{SignedDuration, Timestamp};

/// How long a report may take before it is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(60);
/// How long it is remembered that a report was said.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(48);
const BEGINNING: &str = "report-";

impl<F: Front + 'static, S: Store + 'static> Watching<F, S> {
    /// Returns when the next report is due, or tried again.
    pub(super) fn next_report(&self, now: Timestamp) -> Option<Timestamp> {
        let settings = self.settings.get();
        let report = settings.report.as_ref()?;
        let (_, next) = calendar::around(report.at, &report.zone, &report.days, now);
        next.into_iter().chain(self.reporting).min()
    }

    /// Says the report that is due and was not said.
    pub(super) async fn report(&mut self, now: Timestamp) {
        let settings = self.settings.get();
        let Some(report) = &settings.report else { return };
        let Some(channel) = report.channel.clone().or_else(|| settings.slack.default_channel.clone()) else { return };
        let (Some(at), _) = calendar::around(report.at, &report.zone, &report.days, now) else { return };
        if now.duration_since(at) > STILL_GOOD {
            self.reporting = None;
            return;
        }
        let id = format!("{BEGINNING}{at}");
        if self.keeper.was_told(&said(&id)) || self.reporting.is_some_and(|until| until > now) {
            return;
        }
        self.reporting = now.checked_add(RETRY).ok();
        let doubtful = !self.keeper.tell_once(&id, now).await;
        self.keeper.forget_notices(BEGINNING, now.saturating_sub(REMEMBERED).unwrap_or(Timestamp::MIN)).await;
        let since = at.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let open: Vec<Incident> = self.book.open().cloned().collect();
        let mut lately = self.keeper.past().await;
        lately.extend(self.book.incidents.values().cloned());
        let message = overview::morning(&open, &lately, since, language(&settings, &channel));
        let (front, events) = (self.publisher.front(), self.events.clone());
        self.tasks.spawn(async move {
            let place = Place { channel, thread: None };
            let there = if doubtful { front.find(&place, &id).await } else { Ok(None) };
            let outcome = match there {
                Ok(Some(_)) => Ok(()),
                Ok(None) => front.post_as(&place, &message, &id).await.map(|_| ()),
                Err(error) => Err(error),
            };
            let outcome = outcome.map_err(|error: FrontError| error.to_string());
            // Nobody listens any more only when all ends.
            let _ = events.send(Event::Reported { id, outcome }).await;
        });
    }

    /// Takes in what came of saying a report.
    pub(super) async fn reported(&mut self, id: &str, outcome: Result<(), String>, now: Timestamp) {
        match outcome {
            Ok(()) => {
                self.reporting = None;
                self.keeper.tell_once(&said(id), now).await;
            }
            Err(why) => tracing::warn!(id, why, "the report could not be said, trying again: {why}"),
        }
    }
}

fn said(id: &str) -> String {
    format!("{id}-said")
}
