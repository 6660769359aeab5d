// @slack/web-api against /api.

import assert from "node:assert/strict";
import { WebClient, ErrorCode } from "@slack/web-api";
import { base, CHANNEL, check, look, play, quiet, refused, until } from "./lib.mjs";

const section = (text) => [{ type: "section", text: { type: "mrkdwn", text } }];

export async function webApi() {
  const info = await look("info");
  const options = { slackApiUrl: `${base}/api/`, logger: quiet };
  const client = new WebClient(info.bot_token, options);
  let ts;

  await check("web-api: auth.test knows the bot", async () => {
    const me = await client.auth.test();
    assert.equal(me.user_id, info.bot.user_id);
    assert.equal(me.bot_id, info.bot.bot_id);
    assert.ok(me.response_metadata.scopes.includes("chat:write"));
  });

  await check("web-api: a wrong token is invalid_auth", async () => {
    const error = await refused(new WebClient("xoxb-wrong", options).auth.test());
    assert.equal(error.code, ErrorCode.PlatformError);
    assert.equal(error.data.error, "invalid_auth");
  });

  await check("web-api: post, edit, read back", async () => {
    const posted = await client.chat.postMessage({
      channel: CHANNEL, text: "conformance", blocks: section("*one*"),
      metadata: { event_type: "conformance", event_payload: { id: "1" } },
    });
    ts = posted.ts;
    assert.equal(posted.message.bot_id, info.bot.bot_id);
    const edited = await client.chat.update({ channel: CHANNEL, ts, text: "conformance 2", blocks: section("*two*") });
    assert.equal(edited.ts, ts);
    const { messages } = await client.conversations.history({ channel: CHANNEL, latest: ts, inclusive: true, limit: 1, include_all_metadata: true });
    assert.equal(messages[0].blocks[0].text.text, "*two*");
    assert.equal(messages[0].metadata.event_payload.id, "1");
  });

  await check("web-api: a thread, page by page", async () => {
    for (let n = 0; n < 5; n += 1) await client.chat.postMessage({ channel: CHANNEL, text: `reply ${n}`, thread_ts: ts });
    const texts = [];
    for await (const page of client.paginate("conversations.replies", { channel: CHANNEL, ts, limit: 2 })) {
      texts.push(...page.messages.map((message) => message.text));
    }
    assert.deepEqual(texts, ["conformance 2", "reply 0", "reply 1", "reply 2", "reply 3", "reply 4"]);
  });

  await check("web-api: reactions", async () => {
    await client.reactions.add({ channel: CHANNEL, timestamp: ts, name: "eyes" });
    assert.equal((await refused(client.reactions.add({ channel: CHANNEL, timestamp: ts, name: "eyes" }))).data.error, "already_reacted");
    const { message } = await client.reactions.get({ channel: CHANNEL, timestamp: ts, full: true });
    assert.deepEqual(message.reactions, [{ name: "eyes", users: [info.bot.user_id], count: 1 }]);
    await client.reactions.remove({ channel: CHANNEL, timestamp: ts, name: "eyes" });
  });

  await check("web-api: people, groups and channels", async () => {
    const { user } = await client.users.info({ user: "U0GUEST" });
    assert.equal(user.is_ultra_restricted, true);
    assert.equal((await client.users.lookupByEmail({ email: "alice@example.com" })).user.id, "U0ALICE");
    assert.deepEqual((await client.usergroups.users.list({ usergroup: "S0ONCALL" })).users, ["U0ALICE"]);
    const { channel } = await client.conversations.info({ channel: CHANNEL });
    assert.equal(channel.is_member, true);
    const members = [];
    for await (const page of client.paginate("conversations.members", { channel: CHANNEL, limit: 2 })) members.push(...page.members);
    assert.ok(members.includes("U0ALICE") && members.includes(info.bot.user_id));
    const opened = await client.conversations.open({ users: "U0BOB" });
    assert.match(opened.channel.id, /^D/);
  });

  await check("web-api: bad blocks are pointed at", async () => {
    const error = await refused(client.chat.postMessage({ channel: CHANNEL, text: "x", blocks: section("x".repeat(3001)) }));
    assert.equal(error.data.error, "invalid_blocks");
    assert.match(error.data.response_metadata.messages[0], /json-pointer:\/blocks\/0\/text\/text/);
  });

  await check("web-api: places refuse in Slack's words", async () => {
    for (const [channel, code] of [["C0RANDOM", "not_in_channel"], ["C0SECRET", "channel_not_found"], ["C0ARCHIVED", "is_archived"]]) {
      assert.equal((await refused(client.chat.postMessage({ channel, text: "x" }))).data.error, code);
    }
  });

  await check("web-api: an ephemeral message reaches one person", async () => {
    const { message_ts } = await client.chat.postEphemeral({ channel: CHANNEL, user: "U0BOB", text: "between us" });
    const seen = async (user) => (await look(`channels/${CHANNEL}/messages?user=${user}`)).messages.some((message) => message.ts === message_ts);
    assert.deepEqual([await seen("U0BOB"), await seen("U0ALICE")], [true, false]);
  });

  await check("web-api: a permalink", async () => {
    const { permalink } = await client.chat.getPermalink({ channel: CHANNEL, message_ts: ts });
    assert.equal((await fetch(permalink)).status, 200);
  });

  await check("web-api: filesUploadV2", async () => {
    await client.filesUploadV2({ channel_id: CHANNEL, thread_ts: ts, filename: "pod.log", content: "line 1\nline 2\n", title: "the log", initial_comment: "here it is" });
    const shared = await until("the file in the thread", async () =>
      (await look(`channels/${CHANNEL}/messages`)).messages.find((message) => message.files?.[0]?.title === "the log"));
    assert.equal(shared.thread_ts, ts);
    assert.equal(await (await fetch(shared.files[0].permalink)).text(), "line 1\nline 2\n");
  });

  await check("web-api: 429 is waited out", async () => {
    await play("fault", { kind: "rate_limited", method: "team.info", retry_after: 1 });
    const start = Date.now();
    await client.team.info();
    assert.ok(Date.now() - start >= 900);
  });

  await check("web-api: a rate limit is an error where nobody waits", async () => {
    await play("fault", { kind: "rate_limited", method: "team.info", retry_after: 7 });
    const error = await refused(new WebClient(info.bot_token, { ...options, rejectRateLimitedCalls: true }).team.info());
    assert.deepEqual([error.code, error.retryAfter], [ErrorCode.RateLimitedError, 7]);
  });

  await check("web-api: 5xx is an HTTP error", async () => {
    await play("fault", { kind: "status", method: "team.info", status: 503 });
    const error = await refused(new WebClient(info.bot_token, { ...options, retryConfig: { retries: 0 } }).team.info());
    assert.equal(error.code, ErrorCode.HTTPError);
    assert.equal(error.statusCode, 503);
  });

  await check("web-api: a lost reply leaves the message", async () => {
    await play("fault", { kind: "lost_reply", method: "chat.postMessage" });
    const once = new WebClient(info.bot_token, { ...options, retryConfig: { retries: 0 } });
    await refused(once.chat.postMessage({ channel: "C0TEAMA", text: "posted but lost" }));
    const { messages } = await client.conversations.history({ channel: "C0TEAMA" });
    assert.ok(messages.some((message) => message.text === "posted but lost"));
  });
}
