//! Something came in from a chat: decide who may, answer in the right place, never twice and never silently.
//!
//! A command has no message of its own, so its answer is a parent with a thread; a mention is answered in its thread,
//! or the thread it stands in. Where the bot may not post, the whole answer goes back on the request's own path.

use super::answers::{self, Answers, Known};
use super::ask::Answered;
use super::clusters::Clusters;
use super::watching::{Ask as AskWatch, Event, Reaction};
use super::{ask, home, quiet, remedying, status};
use crate::access::{self, Refusal, Who};
use crate::chat::command::{self, Request};
use crate::chat::front::{Front, FrontError, Incoming, Person, Place, Posted, What};
use crate::diagnosis::{Catalogue, Language};
use crate::gather::pasted;
use crate::question::nearest;
use crate::render::message::{Message, Reply};
use crate::render::{alert, catalogue, guidance, overview};
use crate::settings::{self, InForce, Settings};
use crate::target::{Target, What as TargetWhat};
use crate::watch::incident::{Address, Incident};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the members of a user group are believed for a question; for a change they are read anew.
pub const MEMBERS_FRESH: Duration = Duration::from_secs(60);

/// What answers are made from and where they go.
pub struct Desk<F> {
    pub front: Arc<F>,
    pub clusters: Clusters,
    pub settings: InForce,
    /// The workspace whose people may ask.
    pub own_team: String,
    /// The way to the watch, where there is one.
    pub watch: Option<mpsc::Sender<Event>>,
    /// The way to the remedies, where there is one.
    pub remedies: Option<mpsc::Sender<remedying::Asked>>,
    /// What the last answers were about.
    pub answers: Arc<Answers>,
}

/// By which the messages of one answer are found again.
#[derive(Debug, Clone, Default)]
pub struct Key {
    pub id: String,
    /// Some of them may stand there already, from before a crash: what is there is not said again.
    pub doubtful: bool,
    /// What those are about.
    pub about: Option<Target>,
}

/// What is to be said, and how it wants to be heard.
pub enum Said {
    /// By everybody, with its thread.
    Openly(Answered),
    /// By the asker alone; in a thread, by those who read it.
    Quietly(Message),
    /// By the asker alone, wherever.
    Refused(Message),
    Nothing,
}

impl Said {
    /// Returns what an answer is about.
    pub fn about(&self) -> Option<&Target> {
        match self {
            Self::Openly(answered) => answered.about.as_ref(),
            _ => None,
        }
    }
}

impl<F: Front> Desk<F> {
    /// Handles one thing that came in.
    ///
    /// # Errors
    /// Where nothing could be said anywhere.
    pub async fn handle(&self, incoming: &Incoming, key: &Key, now: Timestamp) -> Result<(), FrontError> {
        if is_question(incoming) {
            let said = self.work_out(incoming, now).await;
            return self.say(incoming, said, key).await;
        }
        if let (Some(remedies), Some(asked)) = (&self.remedies, remedying::asked(incoming)) {
            // The remedies end with the process only.
            let _ = remedies.send(asked).await;
            return Ok(());
        }
        if incoming.what == What::HomeOpened {
            return self.home(incoming, now, language(&self.settings.get(), &incoming.place.channel)).await;
        }
        let reaction = match &incoming.what {
            What::Click { message, action, .. } => reaction_of_button(action).map(|reaction| (message, reaction)),
            What::Reaction { message, name, added: true } => {
                reaction_of_emoji(name).map(|reaction| (message, reaction))
            }
            _ => None,
        };
        match reaction {
            Some((message, reaction)) => {
                let language = language(&self.settings.get(), &incoming.place.channel);
                self.react(incoming, message, reaction, language).await
            }
            None => Ok(()),
        }
    }

    /// Works out what to say to a question; until then nothing is said, but a mention shows that somebody is at work.
    pub async fn work_out(&self, incoming: &Incoming, now: Timestamp) -> Said {
        let language = language(&self.settings.get(), &incoming.place.channel);
        match &incoming.what {
            What::Command { text } => self.answer(&command::parse(text), text, incoming, true, now, language).await,
            What::Mention { message, text } => {
                let seen = Posted { channel: incoming.place.channel.clone(), id: message.clone() };
                // The sign that somebody is at work is a courtesy: a channel that forbids it still gets its answer.
                let _ = self.front.react(&seen, "eyes").await;
                self.answer_text(text, incoming.at.unwrap_or(now), incoming, now, language).await
            }
            What::Shortcut { text, written, .. } => {
                self.answer_text(text, written.unwrap_or(now), incoming, now, language).await
            }
            What::Click { action, value, .. } if action == overview::DIAGNOSE => {
                self.answer(&command::parse(value), value, incoming, true, now, language).await
            }
            What::Click { .. } | What::Reaction { .. } | What::HomeOpened => Said::Nothing,
        }
    }

    /// Says what was worked out, in the right place.
    ///
    /// # Errors
    /// Where it could not be said anywhere, or may have been said before a crash and nobody can tell.
    pub async fn say(&self, incoming: &Incoming, said: Said, key: &Key) -> Result<(), FrontError> {
        match &incoming.what {
            What::Command { .. } => self.say_to_command(incoming, said, key).await,
            What::Mention { message, .. } => {
                let seen = Posted { channel: incoming.place.channel.clone(), id: message.clone() };
                let outcome = self.say_in_thread(incoming, message, said, key).await;
                let _ = self.front.unreact(&seen, "eyes").await;
                outcome
            }
            What::Shortcut { message, .. } => self.say_in_thread(incoming, message, said, key).await,
            What::Click { .. } => self.say_to_command(incoming, said, key).await,
            What::Reaction { .. } | What::HomeOpened => Ok(()),
        }
    }

    /// Returns what is said to a question that was left unanswered for too long, or that must not be acted on twice.
    pub fn too_late(&self, incoming: &Incoming, asked: Timestamp) -> Said {
        let language = language(&self.settings.get(), &incoming.place.channel);
        let (text, asker) = match &incoming.what {
            What::Command { text } => (format!("/podoctor {text}"), Some(incoming.person.id.as_str())),
            _ => (String::new(), None),
        };
        Said::Openly(Reply::just(guidance::too_late(text.trim(), asked, asker, language)).into())
    }

    /// Answers a message: from what it holds of kubectl's own text, else from the cluster that it names.
    async fn answer_text(
        &self,
        text: &str,
        written: Timestamp,
        incoming: &Incoming,
        now: Timestamp,
        language: Language,
    ) -> Said {
        let attached = self.attached(incoming).await;
        // What is attached comes first: the message itself may hold its beginning once more.
        let whole = [attached.as_str(), text].join("\n");
        let Some(paste) = pasted::read(&whole, written) else {
            return self.answer(&command::parse_mention(text), text, incoming, false, now, language).await;
        };
        let request = paste.target.clone().map_or(Request::Sick, Request::Diagnose);
        match self.may_ask(&request, incoming).await {
            Ok(()) => Said::Openly(ask::ask_paste(&paste, written, language, &self.settings.catalogue()).into()),
            Err(refusal) => Said::Refused(guidance::refused(&refusal, language)),
        }
    }

    /// Returns the text of the files that are attached.
    async fn attached(&self, incoming: &Incoming) -> String {
        let mut texts = String::new();
        for file in &incoming.files {
            match self.front.read_file(file).await {
                Ok(text) => {
                    texts.push_str(&text);
                    texts.push('\n');
                }
                // Its beginning is in the message; what it does not show is unreadable.
                Err(error) => tracing::warn!(%error, "an attached file could not be read"),
            }
        }
        texts
    }

    async fn answer(
        &self,
        request: &Request,
        text: &str,
        incoming: &Incoming,
        name_asker: bool,
        now: Timestamp,
        language: Language,
    ) -> Said {
        if let Err(refusal) = self.may_ask(request, incoming).await {
            return Said::Refused(guidance::refused(&refusal, language));
        }
        let causes = self.settings.catalogue();
        let asker = name_asker.then_some(incoming.person.id.as_str());
        match request {
            Request::Help => Said::Quietly(guidance::help(language)),
            Request::Status => Said::Quietly(status::status(&self.clusters, &self.settings.get(), language).await),
            Request::Causes(None) => Said::Quietly(catalogue::list(&causes, language)),
            Request::Causes(Some(id)) => match causes.by_id(id) {
                Some(cause) => Said::Quietly(catalogue::page(cause, language)),
                None => Said::Openly(guidance::sorry(text, &no_cause(&causes, id, language), asker, language).into()),
            },
            Request::Sick => {
                let all = Target { cluster: None, what: TargetWhat::Cluster };
                Said::Openly(ask::ask(&self.clusters, &all, now, asker, language, &causes).await)
            }
            Request::Diagnose(target) => {
                Said::Openly(ask::ask(&self.clusters, target, now, asker, language, &causes).await)
            }
            Request::Silence { .. } | Request::Unsilence(_) | Request::Silences | Request::History(_) => {
                let by = &incoming.person.id;
                match quiet::answer(self.watch.as_ref(), &self.clusters, request, by, now, language).await {
                    Ok(message) => Said::Openly(Reply::just(message).into()),
                    Err(why) => Said::Openly(guidance::sorry(text, &why, asker, language).into()),
                }
            }
            Request::Again => Said::Quietly(quiet::again(self.watch.as_ref(), &incoming.place, language).await),
            Request::Unclear(unclear) => {
                Said::Openly(guidance::sorry(text, &guidance::unclear(unclear, language), asker, language).into())
            }
        }
    }

    /// A person reacts to one of our messages. Whether it is an alert, the watch knows.
    async fn react(
        &self,
        incoming: &Incoming,
        message: &str,
        reaction: Reaction,
        language: Language,
    ) -> Result<(), FrontError> {
        if let Err(refusal) = self.may_ask(&Request::Silences, incoming).await {
            let refused = guidance::refused(&refusal, language);
            return self.front.whisper(&incoming.place, &incoming.person, &refused).await;
        }
        let Some(watch) = &self.watch else { return Ok(()) };
        let message = Address { channel: incoming.place.channel.clone(), id: message.to_owned() };
        let ask = AskWatch::React { message, by: incoming.person.id.clone(), reaction };
        // The watch ends with the process only.
        let _ = watch.send(Event::Asked(ask)).await;
        Ok(())
    }

    /// Shows a person what is open, of what that person may ask about.
    async fn home(&self, incoming: &Incoming, now: Timestamp, language: Language) -> Result<(), FrontError> {
        let settings = self.settings.get();
        let who = self.who(incoming).await;
        let mut open = home::open(self.watch.as_ref()).await;
        let may = |incident: &Incident| {
            let namespace = incident.key.subject.namespace();
            access::may_ask(&settings.access, &self.own_team, &who, &incident.key.cluster, namespace).is_ok()
        };
        open.retain(may);
        let page = match self.may_ask(&Request::Silences, incoming).await {
            Err(refusal) if open.is_empty() => guidance::refused(&refusal, language),
            _ => overview::home(&open, now, language),
        };
        self.front.show_home(&incoming.person, &page).await
    }

    async fn who(&self, incoming: &Incoming) -> Who {
        let mut who = Who {
            id: incoming.person.id.clone(),
            team: incoming.person.team.clone(),
            groups: Vec::new(),
            channel: incoming.place.channel.clone(),
        };
        let rules = &self.settings.get().access;
        for group in access::groups_for_asking(rules) {
            // A group that cannot be read grants nothing.
            if self.front.members(group, MEMBERS_FRESH).await.is_ok_and(|members| members.contains(&who.id)) {
                who.groups.push(group.to_owned());
            }
        }
        who
    }

    async fn may_ask(&self, request: &Request, incoming: &Incoming) -> Result<(), Refusal> {
        let who = self.who(incoming).await;
        let rules = &self.settings.get().access;
        let named = match request {
            Request::Diagnose(target)
            | Request::Silence { target, .. }
            | Request::Unsilence(target)
            | Request::History(target) => target.cluster.as_deref(),
            _ => None,
        };
        let cluster = self.clusters.get(named).map_or("", |cluster| cluster.name.as_str());
        access::may_ask(rules, &self.own_team, &who, cluster, request.namespace())
    }

    async fn say_to_command(&self, incoming: &Incoming, said: Said, key: &Key) -> Result<(), FrontError> {
        match said {
            Said::Nothing => Ok(()),
            Said::Quietly(message) | Said::Refused(message) => self.whisper(incoming, &message, key).await,
            Said::Openly(answered) => {
                let place = Place { thread: None, ..incoming.place.clone() };
                match self.post_answer(&place, &answered, key).await {
                    Err(FrontError::NotMember { .. } | FrontError::Closed { .. }) if incoming.return_path.is_some() => {
                        self.whisper(incoming, &self.whole(&answered.reply, incoming), key).await
                    }
                    outcome => outcome,
                }
            }
        }
    }

    async fn say_in_thread(&self, incoming: &Incoming, message: &str, said: Said, key: &Key) -> Result<(), FrontError> {
        let channel = incoming.place.channel.clone();
        let thread = incoming.place.thread.clone().unwrap_or_else(|| message.to_owned());
        let place = Place { channel, thread: Some(thread) };
        let answered = match said {
            Said::Nothing => return Ok(()),
            Said::Openly(answered) => answered,
            Said::Quietly(message) => Reply { parent: message, thread: Vec::new() }.into(),
            Said::Refused(message) => return self.whisper_in(&place, &incoming.person, &message, key).await,
        };
        match self.post_answer(&place, &answered, key).await {
            Err(FrontError::NotMember { .. } | FrontError::Closed { .. }) if incoming.return_path.is_some() => {
                self.whisper(incoming, &self.whole(&answered.reply, incoming), key).await
            }
            outcome => outcome,
        }
    }

    /// Posts an answer: into a thread, or as a parent with its own. Each message remembers what it is about.
    ///
    /// # Errors
    /// Where the first message could not be posted.
    async fn post_answer(&self, place: &Place, answered: &Answered, key: &Key) -> Result<(), FrontError> {
        let mut place = place.clone();
        // What stands there already was about what it was about then.
        let about = if key.doubtful { &key.about } else { &answered.about };
        let messages = std::iter::once(&answered.reply.parent).chain(&answered.reply.thread);
        for (number, message) in messages.enumerate() {
            let id = match about {
                Some(target) => answers::key(target, &key.id, number),
                None => format!("{}.{number}", key.id),
            };
            let posted = self.post(&place, message, key.doubtful, &id).await?;
            let thread = place.thread.get_or_insert_with(|| posted.id.clone()).clone();
            place.channel.clone_from(&posted.channel);
            if let Some(target) = about.clone() {
                self.answers.remember(posted, Known { target, thread });
            }
        }
        Ok(())
    }

    /// Posts one message of an answer, unless it stands there already.
    async fn post(&self, place: &Place, message: &Message, doubtful: bool, id: &str) -> Result<Posted, FrontError> {
        if doubtful && let Some(posted) = self.front.find(place, id).await? {
            return Ok(posted);
        }
        self.front.post_as(place, message, id).await
    }

    async fn whisper(&self, incoming: &Incoming, message: &Message, key: &Key) -> Result<(), FrontError> {
        match &incoming.return_path {
            Some(_) if key.doubtful => Err(perhaps_said()),
            Some(path) => self.front.respond(path, message, false).await,
            None => self.whisper_in(&incoming.place, &incoming.person, message, key).await,
        }
    }

    async fn whisper_in(&self, place: &Place, person: &Person, message: &Message, key: &Key) -> Result<(), FrontError> {
        if key.doubtful {
            return Err(perhaps_said());
        }
        self.front.whisper(place, person, message).await
    }

    /// Returns a whole reply as one message, with the hint how to get a thread next time.
    fn whole(&self, reply: &Reply, incoming: &Incoming) -> Message {
        let mut message = reply.parent.clone();
        for reply in &reply.thread {
            message.parts.extend(reply.parts.iter().cloned());
        }
        message.with(guidance::invite(language(&self.settings.get(), &incoming.place.channel)))
    }
}

/// Nobody can find again what one person alone was told.
fn perhaps_said() -> FrontError {
    FrontError::Unknown { cause: "the asker may have been told before a crash".to_owned() }
}

/// Returns true where something that came in wants an answer.
pub fn is_question(incoming: &Incoming) -> bool {
    match &incoming.what {
        What::Command { .. } | What::Mention { .. } | What::Shortcut { .. } => true,
        What::Click { action, .. } => action == overview::DIAGNOSE,
        What::Reaction { .. } | What::HomeOpened => false,
    }
}

/// Returns true where a question only asks: it may be worked on again after a crash.
pub fn only_asks(incoming: &Incoming) -> bool {
    let request = match &incoming.what {
        What::Command { text } => command::parse(text),
        What::Click { action, value, .. } if action == overview::DIAGNOSE => command::parse(value),
        What::Mention { text, .. } | What::Shortcut { text, .. } => command::parse_mention(text),
        What::Click { .. } | What::Reaction { .. } | What::HomeOpened => return false,
    };
    use Request as R;
    match request {
        R::Help | R::Status | R::Causes(_) | R::Sick | R::Diagnose(_) | R::Silences | R::History(_) | R::Unclear(_) => {
            true
        }
        R::Silence { .. } | R::Unsilence(_) | R::Again => false,
    }
}

fn reaction_of_button(action: &str) -> Option<Reaction> {
    match action {
        alert::ACKNOWLEDGE => Some(Reaction::Acknowledge),
        alert::MUTE => Some(Reaction::Mute),
        alert::AGAIN => Some(Reaction::Again),
        _ => None,
    }
}

fn reaction_of_emoji(name: &str) -> Option<Reaction> {
    match name {
        "eyes" => Some(Reaction::Acknowledge),
        "mute" => Some(Reaction::Mute),
        "repeat" => Some(Reaction::Again),
        _ => None,
    }
}

fn no_cause(causes: &Catalogue, id: &str, language: Language) -> String {
    let near = nearest(id, causes.all().map(|cause| cause.id)).join(", ");
    match (language, near.is_empty()) {
        (Language::English, true) => format!("There is no cause `{id}`; /podoctor causes lists them."),
        (Language::English, false) => format!("There is no cause `{id}`; nearest: {near}."),
        (Language::Chinese, true) => format!("没有原因 `{id}`；/podoctor causes 列出全部。"),
        (Language::Chinese, false) => format!("没有原因 `{id}`；最接近的是：{near}。"),
    }
}

/// Returns the language of a conversation.
pub fn language(settings: &Settings, channel: &str) -> Language {
    match settings.language_in(channel) {
        settings::Language::English => Language::English,
        settings::Language::SimplifiedChinese => Language::Chinese,
    }
}
