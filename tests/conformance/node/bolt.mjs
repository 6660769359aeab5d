// @slack/bolt over signed HTTP: it checks every signature itself and refuses what does not fit.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import bolt from "@slack/bolt";
import { base, CHANNEL, check, look, play, quiet, until } from "./lib.mjs";

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

export async function overHttp() {
  const info = await look("info");
  const receiver = new bolt.HTTPReceiver({
    signingSecret: info.signing_secret, logger: quiet, endpoints: ["/slack/events", "/slack/commands", "/slack/interactivity"],
  });
  const app = new bolt.App({ token: info.bot_token, receiver, logger: quiet, clientOptions: { slackApiUrl: `${base}/api/`, logger: quiet } });
  const text = (words) => ({ type: "plain_text", text: words });
  const seen = {};
  app.command("/podoctor", async ({ ack, command, client, respond }) => {
    await ack({ text: "Bolt has it" });
    if (command.text === "modal") {
      seen.view = await client.views.open({ trigger_id: command.trigger_id, view: {
        type: "modal", callback_id: "silence", title: text("Silence"), submit: text("Go"),
        blocks: [{ type: "input", block_id: "why", label: text("Why"), element: { type: "plain_text_input", action_id: "text" } }],
      } });
    } else {
      await respond({ text: "Bolt answers", response_type: "in_channel" });
    }
  });
  app.event("app_mention", async ({ event, say }) => { await say({ text: "Bolt heard you", thread_ts: event.ts }); });
  app.event("reaction_added", async ({ event }) => { seen.reaction = event; });
  app.message("in private", async ({ message }) => { seen.direct = message; });
  app.action("go", async ({ ack, respond, action }) => { await ack(); await respond({ text: `pressed ${action.value}`, replace_original: true }); });
  app.shortcut("diagnose", async ({ ack, shortcut }) => { await ack(); seen.shortcut = shortcut; });
  app.view("silence", async ({ ack, view }) => {
    const why = view.state.values.why.text.value;
    if (why.length < 5) await ack({ response_action: "errors", errors: { why: "Say more" } });
    else { await ack(); seen.why = why; }
  });
  const port = await freePort();
  await app.start(port);
  const message = (wanted, query = "") => until(`a message: ${wanted}`, async () =>
    (await look(`channels/${CHANNEL}/messages${query}`)).messages.find((one) => one.text === wanted));

  await check("bolt: answers url_verification", async () => {
    const result = await play("delivery", { mode: "http", url: `http://127.0.0.1:${port}/slack` });
    assert.deepEqual(result, { ok: true });
  });

  await check("bolt: a command, its acknowledgement and its response_url", async () => {
    const result = await play("command", { user: "U0ALICE", channel: CHANNEL, text: "prod/manage" });
    assert.equal(result.ack.text, "Bolt has it");
    await message("Bolt has it", "?user=U0ALICE");
    await message("Bolt answers");
  });

  await check("bolt: a mention is answered in its thread", async () => {
    const { ts } = await play("message", { user: "U0ALICE", channel: CHANNEL, text: "@podoctor hello" });
    assert.equal((await message("Bolt heard you")).thread_ts, ts);
  });

  await check("bolt: a direct message", async () => {
    await play("message", { user: "U0ALICE", channel: "U0PODOCTOR", text: "in private" });
    await until("the direct message", () => seen.direct);
    assert.equal(seen.direct.channel_type, "im");
  });

  let ts;
  await check("bolt: a button, replaced through its response_url", async () => {
    const blocks = [{ type: "actions", elements: [{ type: "button", action_id: "go", value: "42", text: text("Go") }] }];
    ({ ts } = await app.client.chat.postMessage({ channel: CHANNEL, text: "press me", blocks }));
    assert.equal((await play("click", { user: "U0BOB", channel: CHANNEL, ts, action_id: "go" })).ok, true);
    assert.equal((await message("pressed 42")).ts, ts);
  });

  await check("bolt: a reaction", async () => {
    await play("reaction", { user: "U0ALICE", channel: CHANNEL, ts, name: "wrench" });
    await until("the reaction", () => seen.reaction);
    assert.deepEqual([seen.reaction.reaction, seen.reaction.item.ts, seen.reaction.item_user], ["wrench", ts, info.bot.user_id]);
  });

  await check("bolt: the message shortcut", async () => {
    assert.equal((await play("shortcut", { user: "U0ALICE", channel: CHANNEL, ts })).ok, true);
    await until("the shortcut", () => seen.shortcut);
    assert.equal(seen.shortcut.message.ts, ts);
  });

  await check("bolt: a modal, refused and then taken", async () => {
    await play("command", { user: "U0ALICE", channel: CHANNEL, text: "modal" });
    const { view } = await until("the modal", () => seen.view);
    const submit = (value) => play("view", { user: "U0ALICE", view_id: view.id, values: { why: { text: { type: "plain_text_input", value } } } });
    assert.equal((await submit("no")).ack.errors.why, "Say more");
    assert.equal((await submit("planned work")).ok, true);
    assert.equal(seen.why, "planned work");
    assert.deepEqual((await look("views?user=U0ALICE")).views, []);
  });

  await play("delivery", { mode: "socket" });
  await app.stop();
}
