//! The Web API: takes a call apart, checks its token and scope, lets ordered trouble happen, and answers.

mod args;
mod chat;
mod conversations;
mod files;
mod reactions;
mod users;
mod views;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};

use super::blocks::{self, Surface};
use super::cut::Connection;
use super::faults::Failure;
use super::refusal::Refusal;
use super::{Workspace, ids};
use args::Args;

/// A body larger than this is no call of the Web API.
const BODY_LIMIT: usize = 4 << 20;

/// What a method answers: the object without `ok`, or a refusal.
type Reply = Result<Value, Refusal>;

pub fn router() -> Router<Workspace> {
    Router::new()
        .route("/api/{method}", any(call))
        .route("/files-pri/{file}", axum::routing::get(files::private))
        .route("/upload/{file}", any(files::upload).layer(DefaultBodyLimit::max(64 << 20)))
}

async fn call(State(workspace): State<Workspace>, Path(method): Path<String>, request: Request) -> Response {
    let connection = request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone());
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let read = Args::read(&parts.headers, parts.uri.query(), &body);
    let index = workspace.log().called(&method, read.as_ref().map_or(Value::Null, Args::logged));
    // Two statements: the first holds the lock that the second takes.
    let ordered = workspace.faults().take(&method);
    let trouble = ordered.or_else(|| workspace.too_fast(&method, read.as_ref().ok()?));
    let answer = |status: u16, body: Value| {
        workspace.log().answered(index, status, Some(body.clone()));
        workspace.respond(&method, body)
    };
    let plain = |status: u16, text: &'static str| {
        workspace.log().answered(index, status, None);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
    };
    match &trouble {
        Some(Failure::RateLimited(seconds)) => {
            workspace.log().answered(index, 429, None);
            let body = axum::Json(json!({"ok": false, "error": "ratelimited"}));
            let headers = [("retry-after", seconds.to_string())];
            return (StatusCode::TOO_MANY_REQUESTS, headers, body).into_response();
        }
        Some(Failure::Status(status)) => return plain(*status, "upstream connect error or disconnect/reset"),
        Some(Failure::Html) => return plain(200, "<!DOCTYPE html><html><title>Slack</title>Server error</html>"),
        Some(Failure::Error(code)) => return answer(200, json!({"ok": false, "error": code})),
        Some(Failure::Cut) => return lost(connection),
        Some(Failure::Slow(_) | Failure::LostReply) | None => {}
    }
    let reply = read.and_then(|args| workspace.checked(&method, &parts.headers, &args));
    if let Some(Failure::Slow(time)) = trouble {
        tokio::time::sleep(time).await;
    }
    if trouble == Some(Failure::LostReply) {
        return lost(connection);
    }
    let mut body = match reply {
        Ok(mut body) => {
            body["ok"] = json!(true);
            body
        }
        Err(refusal) => refusal.body(),
    };
    if lacks_charset(&parts.headers) && body.get("warning").is_none() {
        body["warning"] = json!("missing_charset");
        body["response_metadata"]["warnings"] = json!(["missing_charset"]);
    }
    answer(200, body)
}

/// Ends the connection without an answer.
fn lost(connection: Option<Connection>) -> Response {
    if let Some(connection) = connection {
        connection.cut();
        return StatusCode::OK.into_response();
    }
    // Under a listener of somebody else's, the body at least breaks off.
    let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut on order")) });
    Response::new(Body::from_stream(broken))
}

fn lacks_charset(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json") && !kind.contains("charset"))
}

impl Workspace {
    fn respond(&self, method: &str, body: Value) -> Response {
        let mut response = axum::Json(body).into_response();
        let scopes = self.config().scopes.iter().cloned().collect::<Vec<_>>().join(",");
        for (name, value) in [("x-oauth-scopes", scopes), ("x-accepted-oauth-scopes", accepted(method).join(","))] {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// The rate limit of posts, where one is set.
    fn too_fast(&self, method: &str, args: &Args) -> Option<Failure> {
        let burst = self.config().post_burst.filter(|_| method == "chat.postMessage")?;
        let channel = args.text("channel")?;
        (!self.faults().may_post(&channel, burst)).then_some(Failure::RateLimited(1))
    }

    /// Checks method, token and scope, then does it.
    fn checked(&self, method: &str, headers: &HeaderMap, args: &Args) -> Reply {
        let known = METHODS.iter().any(|(name, _)| *name == method);
        if !known {
            return Err(Refusal::from("unknown_method").with("req_method", json!(method)));
        }
        if method == "api.test" {
            let error = args.text("error");
            let echo = json!({"args": args.logged()});
            return error.map_or(Ok(echo.clone()), |code| Err(Refusal::coded(code).with("args", echo["args"].clone())));
        }
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        let token = bearer.or_else(|| args.text("token")).ok_or("not_authed")?;
        let config = self.config();
        let wanted = if method == "apps.connections.open" { &config.app_token } else { &config.bot_token };
        if token != *wanted {
            let other = token == config.app_token || token == config.bot_token;
            return Err(if other { "not_allowed_token_type" } else { "invalid_auth" }.into());
        }
        let needed = accepted(method);
        if let Some(first) = needed.first()
            && !needed.iter().any(|scope| config.scopes.contains(*scope))
        {
            let provided = config.scopes.iter().cloned().collect::<Vec<_>>().join(",");
            let refusal = Refusal::from("missing_scope");
            return Err(refusal.with("needed", json!(first)).with("provided", json!(provided)));
        }
        self.done(method, args)
    }

    fn done(&self, method: &str, args: &Args) -> Reply {
        match method {
            "auth.test" => Ok(self.auth_test()),
            "apps.connections.open" => Ok(json!({"url": self.socket_url()})),
            "blocks.validate" => validate(args),
            "chat.postMessage" => self.chat_post(args),
            "chat.postEphemeral" => self.chat_post_ephemeral(args),
            "chat.update" => self.chat_update(args),
            "chat.delete" => self.chat_delete(args),
            "chat.getPermalink" => self.chat_permalink(args),
            "reactions.add" => self.reactions_change(args, true),
            "reactions.remove" => self.reactions_change(args, false),
            "reactions.get" => self.reactions_get(args),
            "conversations.info" => self.conversations_info(args),
            "conversations.list" => self.conversations_list(args),
            "conversations.history" => self.conversations_history(args),
            "conversations.replies" => self.conversations_replies(args),
            "conversations.members" => self.conversations_members(args),
            "conversations.open" => self.conversations_open(args),
            "conversations.join" => self.conversations_join(args),
            "users.info" => self.users_info(args),
            "users.list" => self.users_list(args),
            "users.lookupByEmail" => self.users_by_email(args),
            "usergroups.list" => Ok(self.usergroups_list(args)),
            "usergroups.users.list" => self.usergroups_users(args),
            "views.open" => self.views_open(args, false),
            "views.push" => self.views_open(args, true),
            "views.update" => self.views_update(args),
            "views.publish" => self.views_publish(args),
            "files.getUploadURLExternal" => self.files_upload_url(args),
            "files.completeUploadExternal" => self.files_complete(args),
            "files.info" => self.files_info(args),
            "team.info" => Ok(json!({"team": {"id": ids::TEAM, "name": "podoctor try", "domain": "podoctor-try",
                "email_domain": "example.com", "icon": {"image_default": true}}})),
            "bots.info" => {
                Ok(json!({"bot": {"id": ids::BOT, "deleted": false, "name": "podoctor", "updated": 1_700_000_000,
                "app_id": ids::APP, "user_id": ids::BOT_USER, "icons": {}}}))
            }
            _ => Err(Refusal::from("unknown_method").with("req_method", json!(method))),
        }
    }

    fn auth_test(&self) -> Value {
        json!({
            "url": format!("{}/", self.base_url()), "team": "podoctor try", "user": "podoctor", "team_id": ids::TEAM,
            "user_id": ids::BOT_USER, "bot_id": ids::BOT, "is_enterprise_install": false,
        })
    }
}

/// The methods there are, with the scopes of which one is enough; none needed where the list is empty.
const METHODS: &[(&str, &[&str])] = &[
    ("api.test", &[]),
    ("auth.test", &[]),
    ("apps.connections.open", &[]),
    ("blocks.validate", &[]),
    ("bots.info", &["users:read"]),
    ("chat.postMessage", &["chat:write"]),
    ("chat.postEphemeral", &["chat:write"]),
    ("chat.update", &["chat:write"]),
    ("chat.delete", &["chat:write"]),
    ("chat.getPermalink", &[]),
    ("conversations.history", &["channels:history", "groups:history", "im:history", "mpim:history"]),
    ("conversations.info", &["channels:read", "groups:read", "im:read", "mpim:read"]),
    ("conversations.join", &["channels:join"]),
    ("conversations.list", &["channels:read", "groups:read", "im:read", "mpim:read"]),
    ("conversations.members", &["channels:read", "groups:read", "im:read", "mpim:read"]),
    ("conversations.open", &["im:write", "mpim:write"]),
    ("conversations.replies", &["channels:history", "groups:history", "im:history", "mpim:history"]),
    ("files.completeUploadExternal", &["files:write"]),
    ("files.getUploadURLExternal", &["files:write"]),
    ("files.info", &["files:read", "files:write"]),
    ("reactions.add", &["reactions:write"]),
    ("reactions.get", &["reactions:read"]),
    ("reactions.remove", &["reactions:write"]),
    ("team.info", &[]),
    ("usergroups.list", &["usergroups:read"]),
    ("usergroups.users.list", &["usergroups:read"]),
    ("users.info", &["users:read"]),
    ("users.list", &["users:read"]),
    ("users.lookupByEmail", &["users:read.email"]),
    ("views.open", &[]),
    ("views.publish", &[]),
    ("views.push", &[]),
    ("views.update", &[]),
];

fn accepted(method: &str) -> &'static [&'static str] {
    METHODS.iter().find(|(name, _)| *name == method).map_or(&[], |(_, scopes)| scopes)
}

/// `blocks.validate`: checks without posting; answers with pointers and codes.
fn validate(args: &Args) -> Reply {
    let given = |field: &str| args.json(field).map_err(|_| Refusal::from("invalid_arguments"));
    let (code, problems) = match (given("blocks")?, given("message")?, given("view")?) {
        (Some(blocks), None, None) => ("invalid_blocks", blocks::problems(&blocks, Surface::Message, "/blocks")),
        (None, Some(message), None) => {
            let list = message.get("blocks").cloned().unwrap_or(json!([]));
            ("invalid_message", blocks::problems(&list, Surface::Message, "/blocks"))
        }
        (None, None, Some(view)) => ("invalid_view", blocks::problems(&view["blocks"], Surface::View, "/blocks")),
        _ => return Err("invalid_arguments".into()),
    };
    if problems.is_empty() {
        return Ok(json!({}));
    }
    let errors: Vec<Value> = problems
        .into_iter()
        .map(|problem| {
            let code = if problem.missing { "missing_field" } else { "failed_constraint" };
            json!({"pointer": problem.pointer, "code": code, "message": problem.message})
        })
        .collect();
    Err(Refusal::from(code).with("errors", json!(errors)))
}
