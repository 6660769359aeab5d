//! What is kept, when it is acknowledged, and what is said after a crash.

use super::super::clusters::Clusters;
use super::*;
use crate::chat::front::{Attached, Person, Place, Posted, Profile, Receipt, ReturnPath, Standing, What};
use crate::render::message::Message;
use crate::settings::{InForce, Settings};
use crate::store::Embedded;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A chat that remembers what was posted in it, by key.
#[derive(Default)]
struct Chat {
    posted: Mutex<Vec<String>>,
    looked_for: Mutex<usize>,
    whispered: Mutex<usize>,
}

impl Front for Chat {
    async fn post(&self, place: &Place, message: &Message) -> Result<Posted, FrontError> {
        self.post_as(place, message, "").await
    }

    async fn post_as(&self, place: &Place, _message: &Message, key: &str) -> Result<Posted, FrontError> {
        self.posted.lock().unwrap().push(key.to_owned());
        Ok(Posted { channel: place.channel.clone(), id: key.to_owned() })
    }

    async fn find(&self, place: &Place, key: &str) -> Result<Option<Posted>, FrontError> {
        *self.looked_for.lock().unwrap() += 1;
        let found = self.posted.lock().unwrap().iter().any(|posted| posted == key);
        Ok(found.then(|| Posted { channel: place.channel.clone(), id: key.to_owned() }))
    }

    async fn edit(&self, _posted: &Posted, _message: &Message) -> Result<(), FrontError> {
        Ok(())
    }

    async fn react(&self, _posted: &Posted, _name: &str) -> Result<(), FrontError> {
        Ok(())
    }

    async fn unreact(&self, _posted: &Posted, _name: &str) -> Result<(), FrontError> {
        Ok(())
    }

    async fn whisper(&self, _place: &Place, _person: &Person, _message: &Message) -> Result<(), FrontError> {
        *self.whispered.lock().unwrap() += 1;
        Ok(())
    }

    async fn respond(&self, _path: &ReturnPath, _message: &Message, _everyone: bool) -> Result<(), FrontError> {
        *self.whispered.lock().unwrap() += 1;
        Ok(())
    }

    async fn show_home(&self, _person: &Person, _message: &Message) -> Result<(), FrontError> {
        Ok(())
    }

    async fn read_file(&self, _file: &Attached) -> Result<String, FrontError> {
        Ok(String::new())
    }

    async fn standing(&self, _posted: &Posted) -> Result<Option<Standing>, FrontError> {
        Ok(None)
    }

    async fn profile(&self, _person: &str) -> Result<Profile, FrontError> {
        Ok(Profile::default())
    }

    async fn members(&self, _group: &str, _at_most: Duration) -> Result<Vec<String>, FrontError> {
        Ok(Vec::new())
    }
}

fn desk() -> Desk<Chat> {
    Desk {
        front: Arc::default(),
        clusters: Clusters::of(Vec::new()),
        settings: InForce::new(Settings::default()),
        own_team: "T1".to_owned(),
        watch: None,
        remedies: None,
        answers: Arc::default(),
    }
}

fn command(text: &str) -> Incoming {
    Incoming {
        person: Person { team: Some("T1".to_owned()), id: "U1".to_owned() },
        place: Place { channel: "C1".to_owned(), thread: None },
        at: None,
        shared_channel: false,
        files: Vec::new(),
        return_path: Some(ReturnPath("https://example.com/back".to_owned())),
        what: What::Command { text: text.to_owned() },
    }
}

fn now() -> Timestamp {
    "2026-01-01T10:00:00Z".parse().expect("a time")
}

/// An answer with a thread that needs no cluster.
const ASKED: &str = "causes no-such-cause";

#[tokio::test]
async fn a_question_is_kept_before_it_is_acknowledged_and_forgotten_when_answered() {
    let (store, desk) = (Embedded::in_memory().expect("a store"), desk());
    let questions = Questions::new(store.clone());
    let (receipt, taken) = Receipt::new();
    let received = Received { incoming: command(ASKED), keys: vec!["trigger:1".to_owned()], receipt };
    let question = questions.take(received, now()).await;
    taken.await.expect("acknowledged");
    assert_eq!(store.list(Kind::Question).await.expect("read").len(), 1);
    questions.answer(&desk, question, now()).await.expect("said");
    assert_eq!(store.list(Kind::Question).await.expect("read"), []);
    let posted = desk.front.posted.lock().unwrap().clone();
    assert!(posted.len() == 2 && posted[0].ends_with(".0") && posted[1].ends_with(".1"), "{posted:?}");
    assert_eq!(*desk.front.looked_for.lock().unwrap(), 0, "nothing is looked for where nothing can be");
}

#[tokio::test]
async fn what_is_no_question_is_acknowledged_and_not_kept() {
    let store = Embedded::in_memory().expect("a store");
    let (receipt, taken) = Receipt::new();
    let incoming = Incoming { what: What::HomeOpened, ..command("") };
    let received = Received { incoming, keys: Vec::new(), receipt };
    Questions::new(store.clone()).take(received, now()).await;
    taken.await.expect("acknowledged");
    assert_eq!(store.list(Kind::Question).await.expect("read"), []);
}

/// Returns what is posted and whispered after a start that finds this question, with the first message posted before.
async fn after_a_crash(text: &str, saying: bool, asked_before: SignedDuration, stands: bool) -> (Vec<String>, usize) {
    let (store, desk) = (Embedded::in_memory().expect("a store"), desk());
    if stands {
        desk.front.posted.lock().unwrap().push("q-1.0".to_owned());
    }
    let body = Body { incoming: command(text), keys: Vec::new(), received: now() - asked_before, saying, about: None };
    store::put(&store, Kind::Question, "q-1", &body, 0).await.expect("kept");
    let questions = Questions::new(store.clone());
    for question in questions.left_over().await {
        // What may have been whispered is not whispered again: then nothing is said.
        let _ = questions.answer(&desk, question, now()).await;
    }
    assert_eq!(store.list(Kind::Question).await.expect("read"), [], "whatever came of it, it is over");
    (desk.front.posted.lock().unwrap().clone(), *desk.front.whispered.lock().unwrap())
}

#[tokio::test]
async fn after_a_crash_only_what_does_not_stand_there_is_said() {
    let soon = SignedDuration::from_secs(5);
    let all = ["q-1.0".to_owned(), "q-1.1".to_owned()].to_vec();
    assert_eq!(after_a_crash(ASKED, false, soon, false).await, (all.clone(), 0), "never said");
    assert_eq!(after_a_crash(ASKED, true, soon, true).await, (all, 0), "the parent stands already");
    assert_eq!(after_a_crash("help", false, soon, false).await, (Vec::new(), 1));
    assert_eq!(after_a_crash("help", true, soon, false).await, (Vec::new(), 0), "perhaps whispered, and not again");
}

#[tokio::test]
async fn what_is_old_or_would_act_is_told_of_and_not_done() {
    let told = ["q-1.0".to_owned()].to_vec();
    let minutes = SignedDuration::from_mins(2);
    assert_eq!(after_a_crash(ASKED, false, minutes, false).await, (told.clone(), 0));
    assert_eq!(after_a_crash(ASKED, true, minutes, true).await, (told.clone(), 0), "its parent stands: nothing more");
    let soon = SignedDuration::from_secs(5);
    assert_eq!(after_a_crash("silence prod/web 2h known", false, soon, false).await, (told, 0));
}
