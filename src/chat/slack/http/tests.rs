//! The routes over real HTTP, with requests signed as Slack signs them.

use super::*;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::Sha256;
use std::net::SocketAddr;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const FORM: &str = "application/x-www-form-urlencoded";
const COMMAND: &str = "command=%2Fpodoctor&text=prod%2Fweb&user_id=U1&channel_id=C1&team_id=T1&trigger_id=1.2";

struct Server {
    address: SocketAddr,
    envelopes: mpsc::UnboundedReceiver<Envelope>,
    http: reqwest::Client,
}

async fn server(backlog: usize) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (out, mut arrivals) = mpsc::channel::<Arrived>(backlog);
    let (taken, envelopes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Arrived { envelope, receipt }) = arrivals.recv().await {
            taken.send(envelope).unwrap();
            receipt.taken();
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = routes(&Secret::new(SECRET), out);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    Server { address, envelopes, http }
}

fn sign(timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={hex}")
}

#[expect(clippy::disallowed_methods, reason = "the verifier has a clock of its own, and the test signs by the same")]
fn now(offset: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    (i64::try_from(now).unwrap() + offset).to_string()
}

impl Server {
    async fn send(&self, what: &str, kind: &str, body: &[u8], offset: i64) -> (u16, String) {
        let timestamp = now(offset);
        let signature = sign(&timestamp, body);
        self.send_signed(what, kind, body, &timestamp, &signature).await
    }

    async fn send_signed(
        &self,
        what: &str,
        kind: &str,
        body: &[u8],
        timestamp: &str,
        signature: &str,
    ) -> (u16, String) {
        let request = self
            .http
            .post(format!("http://{}/slack/{what}", self.address))
            .header("content-type", kind)
            .header("x-slack-request-timestamp", timestamp)
            .header("x-slack-signature", signature)
            .body(body.to_vec());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn event(&self, body: &str) -> (u16, String) {
        self.send("events", "application/json", body.as_bytes(), 0).await
    }
}

#[test]
fn slacks_own_example_of_a_signature_holds() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
        channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=\
        https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
        trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let verifier = verifier(&Secret::new(SECRET));
    // Right, and long ago: only the time is at fault.
    let check = |signature: &str, time: &str, body: &str| check_signature(&verifier, signature, time, body.as_bytes());
    assert_eq!(check(signature, "1531420618", body), Err(Unsigned::Time));
    assert_eq!(sign("1531420618", body.as_bytes()), signature);
    assert_eq!(check(signature, "1531420618", &format!("{body}x")), Err(Unsigned::Signature));
    assert_eq!(check(signature, "1531420619", body), Err(Unsigned::Signature));
    for odd in ["", "x", "-9223372036854775808", "99999999999999999999"] {
        assert_eq!(check(&sign(odd, body.as_bytes()), odd, body), Err(Unsigned::Time), "{odd}");
    }
}

#[tokio::test]
async fn only_what_slack_signed_within_five_minutes_is_taken() {
    let mut server = server(8).await;
    let body = COMMAND.as_bytes();
    let timestamp = now(0);
    let wrong = sign(&timestamp, b"other");
    assert_eq!(server.send_signed("commands", FORM, body, &timestamp, &wrong).await.0, 401);
    assert_eq!(server.send_signed("commands", FORM, body, &timestamp, "").await.0, 401);
    assert_eq!(server.send_signed("commands", FORM, body, "", &sign("", body)).await.0, 401);
    assert_eq!(server.send("commands", FORM, body, -301).await.0, 401);
    assert_eq!(server.send("commands", FORM, body, 310).await.0, 401);
    let bare =
        server.http.post(format!("http://{}/slack/commands", server.address)).body(COMMAND).send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
    assert!(server.envelopes.try_recv().is_err());
    assert_eq!(server.send("commands", FORM, body, -290).await, (200, String::new()));
    let envelope = server.envelopes.try_recv().unwrap();
    assert_eq!((envelope.kind.as_str(), envelope.payload["text"].as_str()), ("slash_commands", Some("prod/web")));
}

#[tokio::test]
async fn the_same_signed_command_again_is_refused_and_a_new_one_is_not() {
    let mut server = server(8).await;
    let (timestamp, body) = (now(-1), COMMAND.as_bytes());
    let signature = sign(&timestamp, body);
    assert_eq!(server.send_signed("commands", FORM, body, &timestamp, &signature).await.0, 200);
    assert_eq!(server.send_signed("commands", FORM, body, &timestamp, &signature).await.0, 409);
    let click = b"payload=%7B%22type%22%3A%22block_actions%22%7D";
    let signature = sign(&timestamp, click);
    assert_eq!(server.send_signed("interactivity", FORM, click, &timestamp, &signature).await.0, 200);
    assert_eq!(server.send_signed("interactivity", FORM, click, &timestamp, &signature).await.0, 409);
    assert_eq!(server.send("commands", FORM, body, 1).await.0, 200);
    let kinds: Vec<_> = std::iter::from_fn(|| server.envelopes.try_recv().ok()).map(|envelope| envelope.kind).collect();
    assert_eq!(kinds, ["slash_commands", "interactive", "slash_commands"]);
}

#[tokio::test]
async fn each_shape_has_its_status() {
    let server = server(8).await;
    for (what, kind, body, status) in [
        ("events", "text/plain", &b"{}"[..], 415),
        ("commands", "application/json", b"{}", 415),
        ("commands", "application/x-www-form-urlencoded; charset=utf-8", COMMAND.as_bytes(), 200),
        ("events", "application/json; charset=utf-8", br#"{"type":"app_rate_limited"}"#, 200),
        ("events", "application/json", b"{", 400),
        ("events", "application/json", b"[]", 400),
        ("events", "application/json", b"\xff\xfe", 400),
        ("events", "application/json", br#"{"type":"url_verification"}"#, 400),
        ("commands", FORM, b"text=x", 400),
        ("commands", FORM, b"user_id=U1&channel_id=C1&text=%ff", 400),
        ("interactivity", FORM, b"payload=x", 400),
        ("interactivity", FORM, b"payload=%5B%5D", 400),
        ("commands", FORM, b"ssl_check=1&token=x", 200),
        ("nowhere", FORM, b"x=1", 404),
    ] {
        let (got, _) = server.send(what, kind, body, 0).await;
        assert_eq!(got, status, "{what} {kind} {}", String::from_utf8_lossy(body));
    }
    let unsigned = server.send_signed("commands", FORM, b"ssl_check=1", &now(0), "v0=0").await;
    assert_eq!(unsigned.0, 401);
}

#[tokio::test]
async fn the_challenge_comes_back_as_text() {
    let mut server = server(8).await;
    let answer = server.event(r#"{"type":"url_verification","challenge":"3eZbrw1aB"}"#).await;
    assert_eq!(answer, (200, "3eZbrw1aB".to_owned()));
    assert!(server.envelopes.try_recv().is_err());
}

#[tokio::test]
async fn a_body_too_long_is_refused_before_it_is_checked() {
    let server = server(8).await;
    let (status, _) = server.send_signed("events", "application/json", &vec![b'x'; BODY_LIMIT + 1], "0", "v0=0").await;
    assert_eq!(status, 413);
    // And without a length ahead of it.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST /slack/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = [b"40000\r\n", vec![b'x'; 0x40000].as_slice(), b"\r\n"].concat();
    for _ in 0..5 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut answer = [0; 12];
    timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(std::str::from_utf8(&answer).unwrap(), "HTTP/1.1 413");
}

#[tokio::test]
async fn what_finds_no_room_or_is_not_taken_is_told_so() {
    let (out, mut arrivals) = mpsc::channel(1);
    let receiver = Receiver { verifier: Arc::new(verifier(&Secret::new(SECRET))), out, signatures: Arc::default() };
    let hand_over = || receiver.hand_over("events_api", Value::Null);
    let status = |response: Response| response.status().as_u16();
    let (first, second, ()) = tokio::join!(hand_over(), hand_over(), async {
        // By now both have been handed over, as far as there is room.
        let arrived = arrivals.recv().await.unwrap();
        arrived.receipt.taken();
    });
    assert_eq!((status(first), status(second)), (200, 429));
    let (dropped, ()) = tokio::join!(hand_over(), async { drop(arrivals.recv().await.unwrap()) });
    assert_eq!(status(dropped), 503, "an event comes again");
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200), time in "\\PC{0,24}", signature in "\\PC{0,80}") {
        for what in ["events", "commands", "interactivity"] {
            let _ = read_content(what, &body);
        }
        prop_assert!(check_signature(&verifier(&Secret::new(SECRET)), &signature, &time, &body).is_err());
    }

    #[test]
    fn no_form_panics(body in "(payload=|user_id=|&|=|%|%7B|%22|type|[a-z0-9+]){0,40}") {
        for what in ["commands", "interactivity"] {
            let _ = read_content(what, body.as_bytes());
        }
    }
}
