"""Slack's Python client against a running `podoctor try`, whose address is the argument.

Prints a line for each check: `ok - ...` or `not ok - ...: why`.
"""

import json
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.models.blocks import Block
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

CHANNEL = "C0PODOCTOR"
failed = 0


def check(name):
    """Runs the decorated function at once as a check."""

    def run(function):
        global failed
        try:
            function()
            print(f"ok - {name}", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is what the line says
            failed += 1
            print(f"not ok - {name}: {type(error).__name__}: {' '.join(str(error).split())[:400]}", flush=True)

    return run


def request(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{BASE}/try/{path}", data=data), timeout=10) as answer:
        return json.load(answer)


def until(what, so, seconds=5.0):
    """Waits, never longer than told, until `so()` is true, and returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = so()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not seen within {seconds} s: {what}")


def until_ours(what, play, received):
    """Plays until our own socket gets it: each payload goes to any one of the app's sockets, the bot's included."""
    for _ in range(60):
        play()
        try:
            return until(what, received, 0.25)
        except AssertionError:
            continue
    raise AssertionError(f"our socket never got: {what}")


def messages(user=None):
    query = f"?user={user}" if user else ""
    return request(f"channels/{CHANNEL}/messages{query}")["messages"]


def web_api(client, info):
    @check("slack_sdk: auth.test and scopes")
    def _():
        me = client.auth_test()
        assert me["user_id"] == info["bot"]["user_id"]
        assert "chat:write" in me.headers["x-oauth-scopes"]

    @check("slack_sdk: post, edit, delete")
    def _():
        ts = client.chat_postMessage(channel=CHANNEL, text="from python", blocks=[{"type": "divider"}])["ts"]
        client.chat_update(channel=CHANNEL, ts=ts, text="edited by python")
        edited = next(message for message in messages() if message["ts"] == ts)
        assert edited["text"] == "edited by python" and "blocks" not in edited, edited
        client.chat_delete(channel=CHANNEL, ts=ts)
        assert all(message["ts"] != ts for message in messages())

    @check("slack_sdk: errors carry Slack's codes")
    def _():
        for wanted, call in [
            ("no_text", lambda: client.chat_postMessage(channel=CHANNEL)),
            ("channel_not_found", lambda: client.chat_postMessage(channel="C0NOWHERE", text="x")),
            ("message_not_found", lambda: client.reactions_add(channel=CHANNEL, timestamp="1.000001", name="eyes")),
            ("user_not_found", lambda: client.users_info(user="U0NOBODY")),
            ("unknown_method", lambda: client.api_call("chat.shout")),
            ("invalid_trigger_id", lambda: client.views_open(trigger_id="1.2.x", view={
                "type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": []})),
        ]:
            try:
                call()
            except SlackApiError as error:
                assert error.response["error"] == wanted, (wanted, error.response.data)
            else:
                raise AssertionError(f"{wanted} was expected")

    @check("slack_sdk: cursors of conversations.list and users.list")
    def _():
        names = [channel["name"] for page in client.conversations_list(limit=2) for channel in page["channels"]]
        assert "podoctor" in names and "secret-ops" not in names, names
        users = [user["id"] for page in client.users_list(limit=2) for user in page["members"]]
        assert {"U0ALICE", "U0MALLORY"} <= set(users), users

    @check("slack_sdk: files_upload_v2")
    def _():
        client.files_upload_v2(channel=CHANNEL, filename="py.log", content="hello\n", title="from python")
        until("the file", lambda: any(m.get("files", [{}])[0].get("title") == "from python" for m in messages()))

    @check("slack_sdk: 429 is waited out")
    def _():
        request("fault", {"kind": "rate_limited", "method": "team.info", "retry_after": 1})
        start = time.monotonic()
        assert client.team_info()["ok"]
        assert time.monotonic() - start >= 0.9


def socket_mode(info):
    received = []
    socket = SocketModeClient(app_token=info["app_token"], web_client=WebClient(base_url=f"{BASE}/api/"))

    def listen(client, envelope):
        payload = {"text": "python has it"} if envelope.type == "slash_commands" else None
        client.send_socket_mode_response(SocketModeResponse(envelope_id=envelope.envelope_id, payload=payload))
        received.append(envelope)

    socket.socket_mode_request_listeners.append(listen)

    @check("slack_sdk: Socket Mode connects")
    def _():
        socket.connect()
        until("a connection", socket.is_connected)

    def mentions():
        return [one for one in received if one.type == "events_api" and one.payload["event"]["type"] == "app_mention"]

    @check("slack_sdk: an event over the socket")
    def _():
        envelope = until_ours(
            "app_mention",
            lambda: request("message", {"user": "U0ALICE", "channel": CHANNEL, "text": "@podoctor help"}),
            lambda: next(iter(mentions()), None),
        )
        assert envelope.payload["event"]["user"] == "U0ALICE"
        assert envelope.retry_attempt == 0

    @check("slack_sdk: a command over the socket, answered")
    def _():
        until_ours(
            "slash_commands",
            lambda: request("command", {"user": "U0BOB", "channel": CHANNEL, "text": "help"}),
            lambda: any(one.type == "slash_commands" for one in received),
        )
        until("the answer", lambda: any(message["text"] == "python has it" for message in messages("U0BOB")))

    @check("slack_sdk: Socket Mode comes back after a refresh")
    def _():
        old = socket.session_id()
        request("fault", {"kind": "disconnect", "reason": "refresh_requested"})
        received.clear()
        until("a connection", socket.is_connected, 10)
        until_ours(
            "app_mention",
            lambda: request("message", {"user": "U0ALICE", "channel": CHANNEL, "text": "@podoctor help"}),
            mentions,
        )
        assert socket.session_id() != old

    socket.close()


def signatures(info):
    verifier = SignatureVerifier(info["signing_secret"])
    verified = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802 - the name http.server wants
            body = self.rfile.read(int(self.headers["content-length"]))
            verified.append((self.path, verifier.is_valid_request(body, dict(self.headers))))
            answer = b""
            if self.path.endswith("/events") and b"url_verification" in body:
                answer = json.loads(body)["challenge"].encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    @check("slack_sdk: SignatureVerifier accepts what is delivered over HTTP")
    def _():
        url = f"http://127.0.0.1:{server.server_port}/slack"
        assert request("delivery", {"mode": "http", "url": url})["ok"]
        try:
            assert request("command", {"user": "U0ALICE", "channel": CHANNEL, "text": "help"})["ok"]
            request("message", {"user": "U0ALICE", "channel": CHANNEL, "text": "@podoctor ä 漢字 & <x>"})
            until("both", lambda: len(verified) >= 3)
        finally:
            request("delivery", {"mode": "socket"})
        assert all(good for _, good in verified), verified

    server.shutdown()


def blocks_of_the_bot():
    """Lets slack_sdk's own models judge every message the bot posted."""
    for message in messages("*"):
        if "bot_id" not in message or not message.get("blocks"):
            continue

        @check(f"slack_sdk: the blocks of message {message['ts']}")
        def _(message=message):
            for block in message["blocks"]:
                parsed = Block.parse(block)
                assert parsed is not None, f"unknown block {block['type']}"
                parsed.to_dict()


def main():
    info = request("info")
    client = WebClient(token=info["bot_token"], base_url=f"{BASE}/api/")
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    blocks_of_the_bot()
    web_api(client, info)
    socket_mode(info)
    signatures(info)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: conformance.py http://127.0.0.1:PORT")
    BASE = sys.argv[1].rstrip("/")
    main()
    sys.exit(1 if failed else 0)
