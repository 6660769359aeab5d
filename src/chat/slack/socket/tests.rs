//! The loop against a small Slack on 127.0.0.1 whose sockets do what each test says.

use super::*;
use crate::settings::Secret;
use axum::routing::post;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(10);

fn quick() -> Timing {
    Timing {
        connect: Duration::from_millis(500),
        hello: Duration::from_millis(500),
        ping_every: Duration::from_millis(100),
        drain: Duration::from_millis(800),
        close: Duration::from_millis(100),
        backoff: Duration::from_millis(50),
        backoff_most: Duration::from_millis(200),
        ..Timing::default()
    }
}

/// Slack: what `apps.connections.open` answers, and the sockets as they come in.
struct Slack {
    opens: Arc<Mutex<Vec<Instant>>>,
    answer: Arc<Mutex<Option<Value>>>,
    sockets: mpsc::UnboundedReceiver<Peer>,
    /// What came in, until somebody listens.
    arrivals: Option<mpsc::Receiver<Arrived>>,
    envelopes: mpsc::UnboundedReceiver<Envelope>,
    taken: mpsc::UnboundedSender<Envelope>,
    ready: watch::Receiver<usize>,
    run: JoinHandle<Result<(), Ended>>,
}

/// Slack's end of a socket; it has said nothing yet.
struct Peer(WebSocketStream<TcpStream>);

impl Slack {
    async fn start(backlog: usize) -> Self {
        let mut slack = Self::with(backlog, quick()).await;
        slack.listen();
        slack
    }

    async fn with(backlog: usize, timing: Timing) -> Self {
        Self::through(Matcher::builder().build(), backlog, timing).await
    }

    async fn through(proxies: Matcher, backlog: usize, timing: Timing) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let links = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/link/?ticket=x", links.local_addr().unwrap());
        let base = format!("http://{}/api", listener.local_addr().unwrap());
        let opens = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Mutex<Option<Value>>> = Arc::default();
        let (asked, told) = (opens.clone(), answer.clone());
        let open = move || {
            asked.lock().unwrap().push(Instant::now());
            let reply = told.lock().unwrap().clone().unwrap_or_else(|| json!({"ok": true, "url": url}));
            async move { reply.to_string() }
        };
        let router = axum::Router::new().route("/api/apps.connections.open", post(open));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (arrived, sockets) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = links.accept().await {
                if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                    let _ = arrived.send(Peer(socket));
                }
            }
        });
        let (out, arrivals) = mpsc::channel(backlog);
        let (taken, envelopes) = mpsc::unbounded_channel();
        let (ready_sender, ready) = watch::channel(0);
        let api = Api::new(&base, Secret::new("xapp-1")).unwrap();
        let run = tokio::spawn(run_through(proxies, api, out, ready_sender, timing));
        Self { opens, answer, sockets, arrivals: Some(arrivals), envelopes, taken, ready, run }
    }

    /// Takes whatever comes in, as the bot does.
    fn listen(&mut self) {
        let (mut arrivals, taken) = (self.arrivals.take().unwrap(), self.taken.clone());
        tokio::spawn(async move {
            while let Some(Arrived { envelope, receipt }) = arrivals.recv().await {
                receipt.taken();
                // The test may be over.
                let _ = taken.send(envelope);
            }
        });
    }

    /// Starts it and lets both sockets say hello.
    async fn up() -> (Self, Peer, Peer) {
        Self::up_with(quick()).await
    }

    async fn up_with(timing: Timing) -> (Self, Peer, Peer) {
        let mut slack = Self::with(64, timing).await;
        slack.listen();
        let first = slack.next().await;
        let second = slack.next().await;
        slack.ready_is(2).await;
        (slack, first, second)
    }

    /// Returns the next socket, silent.
    async fn silent(&mut self) -> Peer {
        timeout(SOON, self.sockets.recv()).await.expect("a socket in time").unwrap()
    }

    /// Returns the next socket after its hello.
    async fn next(&mut self) -> Peer {
        let mut peer = self.silent().await;
        peer.say(json!({"type": "hello", "num_connections": 1})).await;
        peer
    }

    async fn ready_is(&mut self, count: usize) {
        timeout(SOON, self.ready.wait_for(|ready| *ready == count)).await.expect("that many sockets in time").unwrap();
    }

    async fn envelope(&mut self) -> Envelope {
        timeout(SOON, self.envelopes.recv()).await.expect("an envelope in time").unwrap()
    }

    async fn end(self) -> Result<(), Ended> {
        timeout(SOON, self.run).await.expect("an end in time").unwrap()
    }

    fn opened(&self) -> usize {
        self.opens.lock().unwrap().len()
    }
}

impl Peer {
    async fn say(&mut self, frame: Value) {
        self.0.send(Frame::text(frame.to_string())).await.unwrap();
    }

    async fn event(&mut self, id: &str) {
        self.say(json!({"envelope_id": id, "type": "events_api", "payload": {"event_id": id}})).await;
    }

    /// Returns the id of the next acknowledgement; `None` = the socket is closed.
    async fn acknowledged(&mut self) -> Option<String> {
        timeout(SOON, async {
            loop {
                match self.0.next().await? {
                    Ok(Frame::Text(text)) => {
                        let ack: Value = serde_json::from_str(&text).unwrap();
                        return ack["envelope_id"].as_str().map(str::to_owned);
                    }
                    Ok(Frame::Close(_)) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
        .await
        .expect("an acknowledgement or an end in time")
    }
}

#[tokio::test]
async fn envelopes_are_acknowledged_and_handed_over_once_two_sockets_are_ready() {
    let (mut slack, mut first, mut second) = Slack::up().await;
    first.say(json!({"envelope_id": "a-1", "type": "slash_commands", "payload": {"text": "x"}})).await;
    assert_eq!(first.acknowledged().await.as_deref(), Some("a-1"));
    let expected = Envelope { kind: "slash_commands".to_owned(), payload: json!({"text": "x"}) };
    assert_eq!(slack.envelope().await, expected);
    second.event("e-1").await;
    assert_eq!(second.acknowledged().await.as_deref(), Some("e-1"));
    assert_eq!(slack.opened(), 2);
}

#[tokio::test]
async fn it_is_not_ready_before_hello_and_gives_a_mute_socket_up() {
    let mut slack = Slack::start(8).await;
    let _mute = slack.silent().await;
    assert_eq!(*slack.ready.borrow(), 0);
    let _first = slack.next().await;
    slack.ready_is(1).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_acknowledged_too() {
    let (_slack, mut first, _second) = Slack::up().await;
    first.say(json!({"envelope_id": "odd-1", "type": "who_knows"})).await;
    assert_eq!(first.acknowledged().await.as_deref(), Some("odd-1"));
    first.0.send(Frame::text(r#"{"envelope_id": "cut-1", "payload": {"#)).await.unwrap();
    assert_eq!(first.acknowledged().await.as_deref(), Some("cut-1"));
    let deep = format!(r#"{{"envelope_id":"deep-1","payload":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    first.0.send(Frame::text(deep)).await.unwrap();
    assert_eq!(first.acknowledged().await.as_deref(), Some("deep-1"));
}

#[tokio::test]
async fn a_new_socket_is_up_before_the_old_one_ends_and_both_are_acknowledged() {
    let (mut slack, mut old, _second) = Slack::up().await;
    old.event("before").await;
    old.say(json!({"type": "disconnect", "reason": "warning"})).await;
    assert_eq!(old.acknowledged().await.as_deref(), Some("before"), "nothing is lost over a disconnect");
    let mut new = slack.silent().await;
    old.event("meanwhile").await;
    assert_eq!(old.acknowledged().await.as_deref(), Some("meanwhile"));
    assert_eq!(*slack.ready.borrow(), 2, "the old one counts until it ends");
    new.say(json!({"type": "hello"})).await;
    slack.ready_is(3).await;
    old.event("late").await;
    assert_eq!(old.acknowledged().await.as_deref(), Some("late"));
    new.event("new").await;
    assert_eq!(new.acknowledged().await.as_deref(), Some("new"));
    assert_eq!(old.acknowledged().await, None, "the old one is closed, without Slack's help");
    slack.ready_is(2).await;
    for expected in ["before", "meanwhile", "late", "new"] {
        assert_eq!(slack.envelope().await.payload["event_id"], expected);
    }
}

#[tokio::test]
async fn an_old_socket_that_breaks_while_its_successor_comes_up_does_no_harm() {
    let (mut slack, mut old, _second) = Slack::up().await;
    old.say(json!({"type": "disconnect", "reason": "refresh_requested"})).await;
    let mut new = slack.silent().await;
    drop(old);
    slack.ready_is(1).await;
    new.say(json!({"type": "hello"})).await;
    slack.ready_is(2).await;
    new.event("e").await;
    assert_eq!(new.acknowledged().await.as_deref(), Some("e"));
}

#[tokio::test]
async fn a_socket_that_falls_silent_is_replaced() {
    let (mut slack, first, second) = Slack::up_with(Timing { silence: Duration::from_millis(400), ..quick() }).await;
    // Neither is read nor answers any more; TCP stays open.
    let _third = slack.next().await;
    let _fourth = slack.next().await;
    slack.ready_is(2).await;
    drop((first, second));
}

/// Starts a proxy that answers every request with this line, and is a tunnel where it says 200. What is asked comes out.
async fn proxy(answer: &'static str) -> (std::net::SocketAddr, mpsc::UnboundedReceiver<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && client.read_buf(&mut head).await.unwrap() > 0 {}
            let head = String::from_utf8(head).unwrap();
            let to = head.split(' ').nth(1).unwrap().to_owned();
            let _ = asked.send(head);
            client.write_all(format!("HTTP/1.1 {answer}\r\nVia: x\r\n\r\n").as_bytes()).await.unwrap();
            if answer.starts_with("200") {
                let mut slack = TcpStream::connect(to).await.unwrap();
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut slack).await });
            }
        }
    });
    (address, requests)
}

#[tokio::test]
async fn a_socket_goes_through_the_proxy_and_says_who_it_is() {
    let (address, mut requests) = proxy("200 Connection established").await;
    let through = Matcher::builder().http(format!("http://ann:s3cret@{address}")).build();
    let mut slack = Slack::through(through, 64, quick()).await;
    slack.listen();
    let mut first = slack.next().await;
    slack.next().await;
    slack.ready_is(2).await;
    first.event("e").await;
    assert_eq!(first.acknowledged().await.as_deref(), Some("e"));
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("CONNECT 127.0.0.1:") && !request.contains("ticket"), "{request}");
    assert!(request.contains("\r\nProxy-Authorization: Basic YW5uOnMzY3JldA==\r\n"), "{request}");
}

#[tokio::test]
async fn what_no_proxy_names_is_reached_straight() {
    let (address, mut requests) = proxy("502 Bad Gateway").await;
    let around = Matcher::builder().all(format!("http://{address}")).no("127.0.0.1").build();
    let mut slack = Slack::through(around, 64, quick()).await;
    slack.next().await;
    slack.ready_is(1).await;
    assert!(requests.try_recv().is_err(), "the proxy is not asked");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_without_its_password() {
    let (address, _requests) = proxy("407 Proxy Authentication Required").await;
    let url = "ws://127.0.0.1:9/link/?ticket=x";
    let refusal = tunnel::open(url, &Matcher::builder().all(format!("http://ann:s3cret@{address}")).build()).await;
    assert_eq!(refusal.err().as_deref(), Some("the proxy refuses the tunnel (HTTP 407)"));
    let other = tunnel::open(url, &Matcher::builder().all("socks5://ann:s3cret@127.0.0.1:9").build()).await;
    assert_eq!(other.err().as_deref(), Some("a proxy is spoken to over http://, not socks5://"));
}

#[tokio::test]
async fn a_refused_token_ends_it_at_once_with_slacks_code() {
    for code in ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "team_disabled"] {
        let slack = Slack::start(8).await;
        // Set before the first call: the spawned loop has not run yet on this single thread.
        *slack.answer.lock().unwrap() = Some(json!({"ok": false, "error": code}));
        let opens = slack.opens.clone();
        let ended = slack.end().await.unwrap_err();
        assert_eq!(ended.code, code);
        assert!(ended.to_string().contains("SLACK_APP_TOKEN"), "{ended}");
        assert_eq!(opens.lock().unwrap().len(), 1, "tried once and not twice");
    }
}

#[tokio::test]
async fn link_disabled_ends_it() {
    let (slack, mut first, _second) = Slack::up().await;
    first.say(json!({"type": "disconnect", "reason": "link_disabled"})).await;
    let ended = slack.end().await.unwrap_err();
    assert_eq!(ended.code, "link_disabled");
    assert!(ended.to_string().contains("Socket Mode is off"), "{ended}");
}

#[tokio::test]
async fn link_disabled_on_an_old_socket_ends_it_too() {
    let (slack, mut first, _second) = Slack::up().await;
    first.say(json!({"type": "disconnect", "reason": "warning"})).await;
    first.say(json!({"type": "disconnect", "reason": "link_disabled"})).await;
    assert_eq!(slack.end().await.unwrap_err().code, "link_disabled");
}

#[tokio::test]
async fn sockets_that_end_at_once_make_no_hot_loop() {
    let mut slack = Slack::start(8).await;
    let start = Instant::now();
    for _ in 0..8 {
        drop(slack.next().await);
    }
    // Two lines: each pays nothing, 0 ms, 50, 100, 200 ms, with up to a half on top.
    assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
    let opens = slack.opened();
    sleep(Duration::from_millis(400)).await;
    assert!(slack.opened() - opens <= 6, "{} opens in 400 ms", slack.opened() - opens);
}

#[tokio::test]
async fn slacks_trouble_is_waited_out() {
    let mut slack = Slack::start(8).await;
    *slack.answer.lock().unwrap() = Some(json!("<html>502</html>"));
    timeout(SOON, async {
        while slack.opened() < 3 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it goes on trying");
    assert!(!slack.run.is_finished());
    *slack.answer.lock().unwrap() = None;
    let _first = slack.next().await;
    let _second = slack.next().await;
    slack.ready_is(2).await;
}

#[tokio::test]
async fn what_finds_no_room_or_is_not_taken_is_not_acknowledged() {
    let mut slack = Slack::with(1, quick()).await;
    let mut first = slack.next().await;
    let _second = slack.next().await;
    slack.ready_is(2).await;
    first.event("fits").await;
    first.event("too-much").await;
    // The next frame that is answered comes after it, so that it was read by then; and nothing else was answered.
    first.0.send(Frame::Ping("p".into())).await.unwrap();
    let pong = async {
        loop {
            match first.0.next().await {
                Some(Ok(Frame::Pong(_))) => return,
                Some(Ok(Frame::Text(text))) => panic!("acknowledged before anybody took it: {text}"),
                _ => {}
            }
        }
    };
    timeout(SOON, pong).await.unwrap();
    slack.listen();
    assert_eq!(first.acknowledged().await.as_deref(), Some("fits"));
    assert_eq!(slack.envelope().await.payload["event_id"], "fits");
    first.event("again").await;
    assert_eq!(first.acknowledged().await.as_deref(), Some("again"), "`too-much` was never acknowledged");
}

#[tokio::test]
async fn what_is_dropped_untaken_is_not_acknowledged_and_the_socket_lives_on() {
    let mut slack = Slack::with(8, quick()).await;
    let mut first = slack.next().await;
    let _second = slack.next().await;
    slack.ready_is(2).await;
    first.event("lost").await;
    let arrived = timeout(SOON, slack.arrivals.as_mut().unwrap().recv()).await.expect("in time").unwrap();
    assert_eq!(arrived.envelope.payload["event_id"], "lost");
    drop(arrived);
    slack.listen();
    first.event("kept").await;
    assert_eq!(first.acknowledged().await.as_deref(), Some("kept"));
}

#[tokio::test]
async fn it_ends_when_nobody_listens_and_closes_its_sockets() {
    let mut slack = Slack::with(8, quick()).await;
    let mut first = slack.next().await;
    let _second = slack.next().await;
    slack.ready_is(2).await;
    drop(slack.arrivals.take());
    assert_eq!(timeout(SOON, slack.run).await.expect("an end in time").unwrap(), Ok(()));
    assert_eq!(first.acknowledged().await, None);
}

#[tokio::test]
async fn acknowledgements_are_fast_under_a_burst() {
    let (mut slack, mut first, _second) = Slack::up().await;
    let mut took = Vec::new();
    for n in 0..200 {
        let start = Instant::now();
        first.event(&format!("e-{n}")).await;
        first.acknowledged().await.unwrap();
        took.push(start.elapsed());
        slack.envelope().await;
    }
    took.sort();
    // Nagle and delayed acknowledgements of TCP would make each of them 40 ms.
    assert!(took[100] < Duration::from_millis(20), "median {:?}", took[100]);
}
