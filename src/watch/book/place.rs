//! Where an incident is told: in a message of its own, or with others in one, so that no storm is a flood.

use super::{Book, Note, Storm, Touched};
use crate::watch::incident::{Digest, Incident};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// At the start more than this many incidents are told in one summary.
const SUMMARY_ABOVE: usize = 3;

/// Why several incidents are told in one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Storm,
    Start,
    Quiet,
}

impl Book {
    /// Gives the incidents that are told nowhere yet their place: a message each, or in a storm, at the start and after
    /// quiet hours one digest a channel. What is `silenced`, or in quiet hours, waits.
    pub fn place(
        &mut self,
        at_start: bool,
        storm: Storm,
        now: Timestamp,
        silenced: impl Fn(&Incident) -> bool,
    ) -> Touched {
        while self.opened.front().is_some_and(|at| now.duration_since(*at) > storm.within) {
            self.opened.pop_front();
        }
        let mut touched = Touched::default();
        let mut new: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
        for incident in self.incidents.values_mut().filter(|incident| !incident.placed) {
            // What came and went in quiet hours is told as well: somebody may want to know why the night was slow.
            if !(incident.is_open() || incident.held) || silenced(incident) {
                continue;
            }
            if incident.quiet_until(now).is_some() {
                if !std::mem::replace(&mut incident.held, true) {
                    touched.incidents.insert(incident.id.clone());
                }
                continue;
            }
            new.entry((incident.channel.clone(), incident.held)).or_default().push(incident.id.clone());
        }
        for ((channel, held), ids) in new {
            if held {
                touched.add(self.digest(&channel, &ids, Occasion::Quiet, storm, now));
                continue;
            }
            // The digest is a message too: it takes the last place.
            let room = storm.messages.saturating_sub(self.opened.len() + 1);
            let summary = at_start && ids.len() > SUMMARY_ABOVE;
            let fits = match ids.len() {
                _ if summary => 0,
                count if count <= room => count,
                count if count > storm.messages => 0,
                _ => room,
            };
            let (own, rest) = ids.split_at(fits);
            for id in own {
                self.opened.push_back(now);
                if let Some(incident) = self.incidents.get_mut(id) {
                    (incident.placed, incident.reminded) = (true, Some(now));
                    touched.add(Touched::incident(id).note(id, Note::Opened));
                }
            }
            if !rest.is_empty() {
                let occasion = if summary { Occasion::Start } else { Occasion::Storm };
                touched.add(self.digest(&channel, rest, occasion, storm, now));
            }
        }
        touched
    }

    /// Returns the next moment at which quiet hours end that something waits for; `now` where they are over already. What is
    /// `silenced` as well waits for the end of that.
    pub fn heard_at(&self, now: Timestamp, silenced: impl Fn(&Incident) -> bool) -> Option<Timestamp> {
        let waiting =
            self.incidents.values().filter(|incident| incident.held && !incident.placed && !silenced(incident));
        waiting.map(|incident| incident.quiet_until(now).unwrap_or(now)).min()
    }

    /// Puts incidents into the digest that is going on, or into a new one.
    fn digest(&mut self, channel: &str, ids: &[String], occasion: Occasion, storm: Storm, now: Timestamp) -> Touched {
        let (at_start, held) = (occasion == Occasion::Start, occasion == Occasion::Quiet);
        // What belongs to the same storm, or to the same start, goes into the same message.
        let going_on = self.digests.values().find(|digest| {
            digest.channel == channel
                && (digest.at_start, digest.held) == (at_start, held)
                && now.duration_since(digest.opened) < storm.within * 6
        });
        let id = match going_on {
            Some(digest) => digest.id.clone(),
            None => {
                self.numbers += 1;
                self.opened.push_back(now);
                let id = format!("digest-{:x}-{}", now.as_millisecond(), self.numbers);
                let digest = Digest {
                    id: id.clone(),
                    channel: channel.to_owned(),
                    at_start,
                    held,
                    opened: now,
                    incidents: Vec::new(),
                    message: None,
                    stale: false,
                    listed: 0,
                };
                self.digests.insert(id.clone(), digest);
                id
            }
        };
        let mut touched = Touched { digests: [id.clone()].into(), ..Touched::default() };
        for incident in ids {
            if let Some(incident) = self.incidents.get_mut(incident) {
                incident.digest = Some(id.clone());
                (incident.placed, incident.reminded) = (true, Some(now));
                touched.incidents.insert(incident.id.clone());
            }
        }
        if let Some(digest) = self.digests.get_mut(&id) {
            digest.incidents.extend(ids.iter().cloned());
        }
        touched
    }
}
