//! Slack in trouble: what is delivered again is answered once, what is asked to wait waits, what is lost is not doubled.

use super::bot::PATIENCE;
use super::chat::{Chat, assert_says, ts, words};
use super::data::{MANAGE, OOM, granted};
use podoctor::playground::slack::{Config, DisconnectReason, Failure, ids};
use std::time::{Duration, Instant};

/// Mentions in a busy minute, each in a channel of its own.
const CHANNELS: [&str; 3] = [ids::CHANNEL, ids::TEAM_A, ids::SHARED];

/// Waits until all that was delivered so far is acknowledged and whatever it made the bot do is done, by asking once more.
async fn settled(chat: &Chat) {
    let acked = chat.slack.wait_until(PATIENCE, |slack| {
        let deliveries = slack.deliveries();
        let newest =
            |id: &Option<String>| deliveries.iter().rfind(|d| d.event_id == *id).is_some_and(|d| d.ack.is_some());
        deliveries.iter().all(|d| d.ack.is_some() || (d.event_id.is_some() && newest(&d.event_id)))
    });
    assert!(acked.await, "{:?}", chat.slack.deliveries());
    let asked = chat.alice().in_channel(ids::TEAM_A).types("/podoctor help").await;
    assert_says(&asked.whispered(), &["/podoctor status"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_event_that_comes_again_is_answered_once() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let mut config = Config::default();
    // A mention is then told twice: as `app_mention` and as `message`.
    config.events.insert("message.channels".to_owned());
    config.retry_after =
        vec![Duration::ZERO, Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
    let chat = Chat::configured(config, &[("prod", &kubeconfig)]).await;
    let question = format!("@podoctor what about {}/manage?", ns.name);

    chat.slack.duplicate_events(1, true);
    let once = chat.alice().types(&question).await;
    settled(&chat).await;
    let mentions = chat.slack.deliveries().iter().filter(|d| d.what == "app_mention").count();
    let messages = chat.slack.deliveries().iter().filter(|d| d.what == "message").count();
    assert!(mentions == 2 && messages >= 1, "a mention, again, and as a message: {:?}", chat.slack.deliveries());
    assert_eq!(chat.bot.handled(), 2, "{}", chat.bot.log());
    assert_eq!(chat.replies(ids::CHANNEL, &once.to).len(), once.messages.len());
    assert_eq!(chat.slack.calls_of("reactions.add").len(), 1);

    // Again under another id.
    chat.slack.duplicate_events(2, false);
    let other = chat.alice().in_channel(ids::SHARED).types(&question).await;
    settled(&chat).await;
    assert_eq!(chat.bot.handled(), 4, "{}", chat.bot.log());
    assert_eq!(chat.replies(ids::SHARED, &other.to).len(), other.messages.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_under_way_on_a_dropped_socket_is_answered_once() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let retry_after = vec![Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(5)];
    let chat = Chat::configured(Config { retry_after, ..Config::default() }, &[("prod", &kubeconfig)]).await;
    let redelivered = |chat: &Chat| chat.slack.deliveries().iter().any(|d| d.attempt > 0);
    // The event has left, and its acknowledgement does not arrive any more: now and then it is faster than the cut.
    for round in 0..20 {
        let ts = chat.alice().says(&format!("@podoctor {}/manage?", ns.name), None);
        chat.slack.drop_sockets();
        chat.handled(2 * round + 1).await;
        assert!(chat.slack.wait_for_sockets(2, PATIENCE).await, "{}", chat.bot.log());
        settled(&chat).await;
        assert_eq!(chat.bot.handled(), 2 * round + 2, "{}", chat.bot.log());
        let replies = chat.replies(ids::CHANNEL, &ts);
        assert_eq!(replies.iter().filter(|reply| words(reply).contains("How to fix it")).count(), 1);
        if redelivered(&chat) {
            break;
        }
    }
    assert!(redelivered(&chat), "{:?}", chat.slack.deliveries());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_warned_socket_is_replaced_before_it_ends_and_nothing_is_lost() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let retry_after = vec![Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
    let chat = Chat::configured(Config { retry_after, ..Config::default() }, &[("prod", &kubeconfig)]).await;
    let opened = chat.slack.calls_of("apps.connections.open").len();
    chat.slack.disconnect(DisconnectReason::Warning);
    let asked = CHANNELS.map(|channel| {
        let alice = chat.alice().in_channel(channel);
        (channel, alice.says(&format!("@podoctor {}/manage?", ns.name), None))
    });
    let mut fewest = usize::MAX;
    let replaced = chat.slack.wait_until(PATIENCE, |slack| {
        fewest = fewest.min(slack.open_sockets());
        slack.calls_of("apps.connections.open").len() >= opened + 2
    });
    assert!(replaced.await, "{}", chat.bot.log());
    chat.handled(3).await;
    assert!(fewest >= 2, "new comes before old: {fewest} sockets were open");
    settled(&chat).await;
    for (channel, ts) in asked {
        let replies = chat.replies(channel, &ts);
        assert_eq!(replies.iter().filter(|reply| words(reply).contains("How to fix it")).count(), 1, "{channel}");
    }
    assert_eq!(chat.bot.handled(), 4, "{}", chat.bot.log());
    // Also where the sockets do end: refreshed, with time to finish.
    chat.slack.disconnect(DisconnectReason::RefreshRequested);
    assert!(chat.slack.wait_for_sockets(2, PATIENCE).await, "{}", chat.bot.log());
    chat.alice().types(&format!("/podoctor {}/manage", ns.name)).await.parent_says(&["256Mi"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_to_wait_is_honoured_and_the_order_kept() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    chat.slack.fail("chat.postMessage", Failure::RateLimited(2), 1);
    let answer = chat.alice().types(&format!("/podoctor {}/manage", ns.name)).await;
    let calls = chat.slack.calls_of("chat.postMessage");
    assert_eq!((calls[0].status, calls[1].status), (Some(429), Some(200)));
    let waited = calls[1].at - calls[0].at;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    assert_eq!(calls[1].args["text"], calls[0].args["text"], "the parent comes before its thread");
    answer.parent_says(&[MANAGE, "256Mi"]).thread_says(&["OOMKilled", "How to fix it"]);

    // In the middle of a thread, with somebody else waiting in the same channel.
    chat.slack.fail("chat.postMessage", Failure::RateLimited(1), 2);
    let both = [chat.alice(), chat.bob()].map(|person| person.says(&format!("@podoctor {}/manage?", ns.name), None));
    chat.handled(3).await;
    for question in both {
        let replies = chat.replies(ids::CHANNEL, &question);
        assert!(words(&replies[0]).contains("256Mi") && words(&replies[1]).contains("How to fix it"), "{replies:#?}");
        assert!(replies.is_sorted_by_key(ts));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_or_garbled_reply_neither_loses_nor_doubles_an_answer() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let troubles = [
        (Failure::LostReply, ids::CHANNEL),
        (Failure::Html, ids::TEAM_A),
        (Failure::Cut, ids::SHARED),
        (Failure::Status(503), ids::CHANNEL),
    ];
    let mut expected = std::collections::BTreeMap::new();
    for (trouble, channel) in troubles {
        chat.slack.fail("chat.postMessage", trouble.clone(), 1);
        let answer = chat.alice().in_channel(channel).types(&format!("/podoctor {}/manage", ns.name)).await;
        answer.parent_says(&[MANAGE, "256Mi"]).thread_says(&["OOMKilled", "How to fix it"]);
        let count = expected.entry(channel).or_insert(0);
        *count += 1;
        assert_eq!(chat.parents(channel).len(), *count, "after {trouble:?}");
    }
    // The thread's own messages are not doubled either.
    let before = chat.slack.messages(ids::TEAM_A).len();
    let mention = chat.alice().in_channel(ids::TEAM_A);
    let plain = mention.types(&format!("@podoctor {}/manage", ns.name)).await.messages.len();
    chat.slack.fail("chat.postMessage", Failure::LostReply, 2);
    let lossy = mention.types(&format!("@podoctor {}/manage", ns.name)).await;
    assert_eq!(lossy.messages.len(), plain);
    assert_eq!(chat.slack.messages(ids::TEAM_A).len(), before + 2 * (plain + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_the_bot_is_no_member_the_whole_answer_goes_to_the_asker() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    for channel in [ids::WITHOUT_BOT, ids::PRIVATE] {
        let started = Instant::now();
        let answer = chat.alice().in_channel(channel).types(&format!("/podoctor {}/manage", ns.name)).await;
        let whispered = answer.whispered();
        assert_says(&whispered, &[MANAGE, "256Mi", "OOMKilled", "How to fix it", "kubectl", "/invite @podoctor"]);
        assert_eq!(chat.parents(channel).len(), 0);
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(chat.slack.calls_of("response_url").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_guest_is_answered_and_a_stranger_hears_nothing_of_the_cluster() {
    let (ns, kubeconfig, user) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let question = format!("{}/manage-5bd...", ns.name);
    chat.person(ids::GUEST).types(&format!("/podoctor {question}")).await.parent_says(&["256Mi", "<@U0GUEST>"]);

    let mark = ns.plane.mark().await;
    let public = chat.slack.messages(ids::CHANNEL).len();
    let mallory = chat.person(ids::MALLORY);
    let shared = mallory.in_channel(ids::SHARED);
    let heard = [
        mallory.types(&format!("/podoctor {question}")).await,
        mallory.types("/podoctor").await,
        mallory.types("/podoctor status").await,
        mallory.types("/podoctor nowhere:prod/web").await,
        shared.types(&format!("@podoctor why is {question} stuck?")).await,
        shared.types("@podoctor status").await,
    ];
    for heard in heard {
        assert_says(&heard.whispered(), &["people of this workspace only"]);
        let all = heard.messages.iter().map(|message| message.to_string()).collect::<String>();
        for word in [&*ns.name, "manage", "prod", "256Mi", "Kubernetes", &ns.node("a3")] {
            assert!(!all.contains(word), "`{word}` is told: {all}");
        }
        assert_eq!(heard.messages.len(), 1);
    }
    assert_eq!(chat.slack.messages(ids::CHANNEL).len(), public);
    let asked = ns.plane.requests_since(mark, &user).await;
    assert_eq!(asked, [], "nothing is asked on a stranger's behalf");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_channel_that_forbids_reactions_or_is_closed_gets_its_answer_all_the_same() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    chat.slack.fail("reactions.add", Failure::Error("no_permission".to_owned()), 1);
    let answer = chat.alice().types(&format!("@podoctor {}/manage", ns.name)).await;
    assert_says(&answer.in_thread_of(&answer.to), &[MANAGE, "256Mi", "How to fix it"]);

    chat.slack.archive(ids::TEAM_A);
    let closed = chat.alice().in_channel(ids::TEAM_A).types(&format!("/podoctor {}/manage", ns.name)).await;
    assert_says(&closed.whispered(), &[MANAGE, "256Mi", "How to fix it"]);
}
