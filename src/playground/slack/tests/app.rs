//! A tiny app for the tests: calls methods and answers sockets, with nothing hidden by a library.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::playground::slack::{Config, Running, Workspace};

/// Longer than anything here takes, short enough to wait for.
pub const SOON: Duration = Duration::from_secs(5);

pub struct App {
    pub workspace: Running,
    pub http: reqwest::Client,
}

pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// Starts a workspace with quick retries.
pub async fn app() -> App {
    app_with(Config::default()).await
}

pub async fn app_with(config: Config) -> App {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let workspace = Workspace::start(config).await.unwrap();
    App { workspace, http: reqwest::Client::builder().no_proxy().build().unwrap() }
}

pub fn quick() -> Config {
    Config {
        ack_within: Duration::from_millis(200),
        retry_after: vec![Duration::ZERO, Duration::from_millis(50), Duration::from_millis(50)],
        ..Config::default()
    }
}

impl App {
    /// Calls a method with the bot's token and returns status, headers and JSON.
    pub async fn call(&self, method: &str, args: Value) -> Value {
        let token = self.workspace.config().bot_token.clone();
        self.request(method, &token, args).send().await.unwrap().json().await.unwrap()
    }

    pub fn request(&self, method: &str, token: &str, args: Value) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}/{method}", self.workspace.api_url()))
            .bearer_auth(token)
            .header("content-type", "application/json; charset=utf-8")
            .body(args.to_string())
    }

    pub async fn post(&self, channel: &str, text: &str) -> String {
        let reply = self.call("chat.postMessage", json!({"channel": channel, "text": text})).await;
        reply["ts"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    pub async fn play(&self, what: &str, body: Value) -> Value {
        let url = format!("{}/try/{what}", self.workspace.base_url());
        self.http.post(url).body(body.to_string()).send().await.unwrap().json().await.unwrap()
    }

    pub async fn look(&self, what: &str) -> Value {
        let url = format!("{}/try/{what}", self.workspace.base_url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Opens a socket and reads its hello.
    pub async fn socket(&self) -> Socket {
        let mut socket = self.silent_socket().await;
        assert_eq!(socket.next().await["type"], "hello");
        socket
    }

    pub async fn silent_socket(&self) -> Socket {
        let token = self.workspace.config().app_token.clone();
        let reply = self.request("apps.connections.open", &token, json!({})).send().await.unwrap();
        let reply: Value = reply.json().await.unwrap();
        let (socket, _) = connect_async(reply["url"].as_str().unwrap()).await.unwrap();
        Socket(socket)
    }
}

impl Socket {
    /// Returns the next JSON frame.
    pub async fn next(&mut self) -> Value {
        self.maybe_next(SOON).await.expect("a frame in time")
    }

    /// Returns the next JSON frame, if one comes in time and the socket stands.
    pub async fn maybe_next(&mut self, within: Duration) -> Option<Value> {
        let frame = async {
            loop {
                match self.0.next().await? {
                    Ok(Message::Text(text)) => return serde_json::from_str(&text).ok(),
                    Ok(Message::Close(_)) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        };
        tokio::time::timeout(within, frame).await.ok().flatten()
    }

    pub async fn ack(&mut self, envelope: &Value, payload: Option<Value>) {
        let mut ack = json!({"envelope_id": envelope["envelope_id"]});
        if let Some(payload) = payload {
            ack["payload"] = payload;
        }
        self.0.send(Message::text(ack.to_string())).await.unwrap();
    }

    /// Reads the next envelope and acknowledges it.
    pub async fn take(&mut self) -> Value {
        let envelope = self.next().await;
        self.ack(&envelope, None).await;
        envelope
    }
}
