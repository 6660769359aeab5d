// @slack/socket-mode: hello, envelopes, acknowledgements with a payload, refresh.

import assert from "node:assert/strict";
import { SocketModeClient } from "@slack/socket-mode";
import { WebClient } from "@slack/web-api";
import { base, CHANNEL, check, look, play, quiet, refused, until, untilOurs } from "./lib.mjs";

export async function socketMode() {
  const info = await look("info");
  const clientOptions = { slackApiUrl: `${base}/api/`, logger: quiet };
  const client = new SocketModeClient({ appToken: info.app_token, clientOptions, logger: quiet });
  const got = { events: [], commands: [], interactive: [] };
  let answer;
  client.on("slack_event", async ({ ack, type, body }) => {
    if (type === "slash_commands") {
      got.commands.push(body);
      await ack(answer);
      return;
    }
    (type === "interactive" ? got.interactive : got.events).push(body);
    await ack();
  });

  await check("socket-mode: a wrong token does not open a socket", async () => {
    const error = await refused(new WebClient("xapp-wrong", clientOptions).apps.connections.open());
    assert.equal(error.data.error, "invalid_auth");
  });

  await check("socket-mode: connects and is told hello", async () => {
    const before = (await look("info")).sockets;
    await client.start();
    await until("one socket more", async () => (await look("info")).sockets > before);
  });

  await check("socket-mode: hears a mention once it is acknowledged", async () => {
    const said = new Set();
    const event = await untilOurs("app_mention", async () => {
      said.add((await play("message", { user: "U0ALICE", channel: CHANNEL, text: "@podoctor help" })).ts);
    }, () => got.events.find((body) => body.event?.type === "app_mention"));
    assert.ok(said.has(event.event.ts));
    assert.equal(event.authorizations[0].user_id, info.bot.user_id);
    assert.match(event.event.text, /^<@U0PODOCTOR>/);
  });

  await check("socket-mode: answers a command in its acknowledgement", async () => {
    answer = { text: "Got it, looking" };
    let acked;
    const command = await untilOurs("slash_commands", async () => {
      const result = await play("command", { user: "U0ALICE", channel: CHANNEL, text: "help" });
      if (result.ack?.text === "Got it, looking") acked = result;
    }, () => got.commands[0]);
    assert.equal(command.command, "/podoctor");
    assert.ok(acked);
    const { messages } = await look(`channels/${CHANNEL}/messages?user=U0ALICE`);
    assert.ok(messages.some((message) => message.text === "Got it, looking" && message.is_ephemeral));
    const reply = await fetch(command.response_url, { method: "POST", body: JSON.stringify({ text: "by response_url" }) });
    assert.equal(await reply.text(), "ok");
  });

  await check("socket-mode: a press arrives whole", async () => {
    const web = new WebClient(info.bot_token, clientOptions);
    const blocks = [{ type: "actions", elements: [{ type: "button", action_id: "conformance", value: "nonce", text: { type: "plain_text", text: "Press" } }] }];
    const { ts } = await web.chat.postMessage({ channel: CHANNEL, text: "press", blocks });
    const press = await untilOurs("block_actions", () => play("click", { user: "U0BOB", channel: CHANNEL, ts, action_id: "conformance" }),
      () => got.interactive.find((body) => body.type === "block_actions"));
    assert.deepEqual([press.actions[0].value, press.message.ts, press.user.id], ["nonce", ts, "U0BOB"]);
  });

  await check("socket-mode: comes back after it was told to refresh", async () => {
    let reconnected = false;
    client.once("connected", () => { reconnected = true; });
    await play("fault", { kind: "disconnect", reason: "refresh_requested" });
    await until("connected again", () => reconnected, 15000);
    got.events.length = 0;
    await untilOurs("app_mention", () => play("message", { user: "U0ALICE", channel: CHANNEL, text: "@podoctor help" }),
      () => got.events.find((body) => body.event?.type === "app_mention"));
  });

  await check("socket-mode: comes back after its socket was cut", async () => {
    let reconnected = false;
    client.once("connected", () => { reconnected = true; });
    await play("fault", { kind: "drop_sockets" });
    await until("connected again", () => reconnected, 15000);
  });

  await client.disconnect();
}
