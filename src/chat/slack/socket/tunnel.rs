//! The way to a socket: straight, or through the proxy that the environment names, as the calls of the Web API go.
//!
//! A proxy is asked for a tunnel (`CONNECT`, RFC 9110 9.3.6); TLS and the WebSocket are spoken inside it, so the proxy
//! sees the host and nothing else.

use super::{MESSAGE_LIMIT, Socket, kind_of};
use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{client_async_tls_with_config, connect_async_with_config};

/// What a socket reads at once, in bytes. Envelopes are small, and each socket holds such a buffer all the time.
const READ_BUFFER: usize = 8 * 1024;
/// The longest answer of a proxy that is read.
const ANSWER_LIMIT: usize = 16 * 1024;

/// Opens the socket of an address.
///
/// # Errors
/// In words that hold neither the address nor the proxy's password.
pub async fn open(url: &str, proxies: &Matcher) -> Result<Socket, String> {
    let config = Some(WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).read_buffer_size(READ_BUFFER));
    let request = url.into_client_request().map_err(|error| kind_of(&error))?;
    let Some(proxy) = proxy_for(request.uri(), proxies) else {
        // Without Nagle: an acknowledgement is a small packet that somebody waits for.
        let opened = connect_async_with_config(request, config, true).await;
        return opened.map(|(socket, _)| socket).map_err(|error| kind_of(&error));
    };
    let stream = tunnel(request.uri(), &proxy).await?;
    let opened = client_async_tls_with_config(request, stream, config, None).await;
    opened.map(|(socket, _)| socket).map_err(|error| kind_of(&error))
}

/// Returns the proxy of a socket's address: that of `https` for `wss`, that of `http` for `ws`.
fn proxy_for(address: &Uri, proxies: &Matcher) -> Option<Intercept> {
    let mut parts = address.clone().into_parts();
    let scheme = if address.scheme_str() == Some("wss") { "https" } else { "http" };
    parts.scheme = scheme.parse().ok();
    proxies.intercept(&Uri::from_parts(parts).ok()?)
}

async fn tunnel(address: &Uri, proxy: &Intercept) -> Result<TcpStream, String> {
    let at = proxy.uri();
    if at.scheme_str() != Some("http") {
        return Err(format!("a proxy is spoken to over http://, not {}://", at.scheme_str().unwrap_or_default()));
    }
    let broken = |error: std::io::Error| format!("the proxy cannot be used ({:?})", error.kind());
    let host = at.host().unwrap_or_default();
    let mut stream = TcpStream::connect(format!("{host}:{}", at.port_u16().unwrap_or(80))).await.map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    stream.write_all(request(address, proxy).as_bytes()).await.map_err(broken)?;
    let answer = head(&mut stream).await.map_err(broken)?;
    match answer.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(stream),
        status => Err(format!("the proxy refuses the tunnel (HTTP {})", status.unwrap_or("without a status"))),
    }
}

fn request(address: &Uri, proxy: &Intercept) -> String {
    let default = if address.scheme_str() == Some("wss") { 443 } else { 80 };
    let authority = format!("{}:{}", address.host().unwrap_or_default(), address.port_u16().unwrap_or(default));
    let login = proxy.basic_auth().and_then(|value| value.to_str().ok());
    let login = login.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{login}\r\n")
}

/// Reads the head of an answer. Nothing follows it before we speak.
async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > ANSWER_LIMIT || stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
