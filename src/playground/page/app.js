// The page of `podoctor try`: a workspace with one bot in it, drawn from the /try calls and kept live by their stream.

import { h, icon } from "./dom.js";
import { MessageList } from "./list.js";
import { Composer } from "./composer.js";
import { Guide } from "./guide.js";
import { confirmDialog, showView, closeViews } from "./dialogs.js";

const $ = (id) => document.getElementById(id);

const state = {
  info: null,
  me: stored("podoctor.me") ?? "U0ALICE",
  channel: null,
  thread: null,
  messages: [],
  unread: new Set(),
  seen: new Map(),
};

// What the drawing functions need to know.
const ctx = { users: new Map(), channels: new Map(), groups: new Map(), get me() { return state.me; } };

function stored(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

function store(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a private window: it is kept for this visit only */ }
}

async function look(path) {
  const response = await fetch(`/try/${path}`);
  return response.json();
}

async function play(what, body) {
  try {
    const response = await fetch(`/try/${what}`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    });
    return await response.json();
  } catch {
    return { ok: false, error: "podoctor does not answer; is it still running?" };
  }
}

export function toast(text) {
  const node = h("div", { class: "toast" }, text);
  $("toasts").append(node);
  setTimeout(() => node.remove(), 6000);
}

const WORDS = {
  operation_timeout: "The bot did not answer within 3 seconds.",
  dispatch_failed: "The bot is not connected.",
  not_in_channel: "You are not in this channel.",
  action_not_found: "That button is gone.",
  already_reacted: "You have already reacted with that.",
  is_archived: "This channel is archived.",
};

function complain(result) {
  if (!result.ok) toast(WORDS[result.error] ?? `That did not work: ${result.error}`);
  return result;
}

// People and channels

async function loadInfo() {
  const info = await look("info");
  state.info = info;
  ctx.users = new Map(info.users.map((user) => [user.id, user]));
  ctx.channels = new Map(info.channels.map((channel) => [channel.id, channel]));
  ctx.groups = new Map(info.usergroups.map((group) => [group.id, group]));
  drawWhoami();
  drawSidebar();
  drawPresence();
}

const ROLES = { U0ALICE: "may act", U0BOB: "may approve", U0GUEST: "guest", U0MALLORY: "another company" };

function drawWhoami() {
  const people = state.info.users.filter((user) => !user.is_bot);
  $("whoami").replaceChildren(...people.map((user) =>
    h("option", { value: user.id, selected: user.id === state.me }, `${user.name} (${ROLES[user.id] ?? "member"})`)));
}

function mine(channel) {
  return channel.members.includes(state.me) && (!channel.im_with || channel.im_with === state.me);
}

function channelButton(channel, name, glyph, current) {
  const unread = state.unread.has(channel) && !current;
  return h("li", {}, h("button", {
    class: `channel-link${unread ? " unread" : ""}`, "aria-current": current ? "page" : undefined,
    onclick: () => openChannel(channel),
  }, glyph, h("span", {}, name), unread && h("span", { class: "dot", role: "img", "aria-label": "new messages" })));
}

function drawSidebar() {
  const glyphs = (channel) => icon(channel.is_archived ? "archive" : channel.is_private ? "lock" : channel.is_ext_shared ? "globe" : "hash");
  const order = (channel) => (channel.id === "C0PODOCTOR" ? 0 : channel.is_archived ? 2 : 1);
  const channels = state.info.channels.filter((channel) => !channel.im_with && mine(channel));
  channels.sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name));
  $("channels").replaceChildren(...channels.map((channel) =>
    channelButton(channel.id, channel.name, glyphs(channel), channel.id === state.channel)));
  const direct = directId();
  $("directs").replaceChildren(channelButton(direct, "podoctor", h("span", { class: "mini-bot" }), direct === state.channel));
}

function directId() {
  return `D0${state.me.replace(/^U0/, "")}`;
}

function drawPresence() {
  const { sockets, delivery } = state.info;
  const there = delivery === "http" || sockets > 0;
  $("presence").className = `presence ${there ? "on" : "off"}`;
  $("presence").textContent = there ? `podoctor is here${delivery === "http" ? " over HTTP" : ""}` : "waiting for podoctor";
}

// The channel and its thread

function drawHeader() {
  const channel = ctx.channels.get(state.channel);
  const direct = state.channel === directId();
  $("channel-name").replaceChildren(direct ? h("span", { class: "mini-bot" }) : icon(channel?.is_private ? "lock" : "hash"),
    direct ? "podoctor" : channel?.name ?? "");
  $("channel-topic").textContent = direct ? "Only you and the bot" : channel?.topic ?? "";
  $("members").textContent = channel && !direct ? `${channel.members.length} members${channel.has_bot ? "" : " · bot not invited"}` : "";
  document.title = `${direct ? "podoctor" : "#" + (channel?.name ?? "")} · podoctor try`;
}

async function openChannel(id) {
  state.channel = id;
  state.thread = null;
  state.unread.delete(id);
  $("app").dataset.pane = "channel";
  list.clear();
  state.messages = [];
  drawHeader();
  drawSidebar();
  drawThread();
  composer.setPlace(placeName());
  composer.setBlocked(blocked());
  await refresh();
  list.toBottom();
}

function placeName() {
  const channel = ctx.channels.get(state.channel);
  return state.channel === directId() ? "podoctor" : `#${channel?.name ?? ""}`;
}

function blocked() {
  return ctx.channels.get(state.channel)?.is_archived ? "This channel is archived." : "";
}

let refreshing = null;
let again = false;

// One request at a time; what changed in between is looked at once more.
function refresh() {
  if (refreshing) { again = true; return refreshing; }
  refreshing = (async () => {
    do {
      again = false;
      const channel = state.channel;
      const result = await look(`channels/${channel}/messages?user=${state.me}`).catch(() => ({ ok: false }));
      if (channel !== state.channel) { again = true; continue; }
      state.messages = result.ok ? result.messages : [];
      draw();
    } while (again);
  })().finally(() => { refreshing = null; });
  return refreshing;
}

function draw() {
  const channel = ctx.channels.get(state.channel);
  const top = state.messages.filter((message) => !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast");
  list.draw(top, channel);
  drawThread();
  guide.draw(state.messages, state.me);
}

function drawThread() {
  const pane = $("thread-pane");
  const open = state.thread !== null;
  pane.hidden = !open;
  $("app").classList.toggle("with-thread", open);
  if (!open) return;
  const thread = state.messages.filter((message) => message.ts === state.thread || message.thread_ts === state.thread);
  $("thread-where").textContent = placeName();
  replies.draw(thread, ctx.channels.get(state.channel));
}

function openThread(ts) {
  const opening = state.thread !== ts;
  state.thread = ts;
  if (opening) replies.clear();
  $("app").dataset.pane = "thread";
  guide.note("thread");
  drawThread();
  threadComposer.setPlace("the thread");
  threadComposer.setBlocked(blocked());
  if (opening) $("replies").scrollTop = 0;
  if (matchMedia("(min-width: 761px)").matches) threadComposer.focus();
}

function closeThread() {
  const ts = state.thread;
  state.thread = null;
  $("app").dataset.pane = "channel";
  drawThread();
  list.focus(ts);
}

// What a person does

const actions = {
  ctx,
  openThread,
  async react(message, name) {
    const given = message.reactions?.find((reaction) => reaction.name === name)?.users.includes(state.me);
    if (!given) guide.note(`react:${name}`);
    complain(await play("reaction", { user: state.me, channel: state.channel, ts: message.ts, name, remove: Boolean(given) }));
    refresh();
  },
  async diagnose(message) {
    complain(await play("shortcut", { user: state.me, channel: state.channel, ts: message.ts }));
  },
  async act(message, element, node) {
    if (element.confirm && !(await confirmDialog(element.confirm))) return;
    if (element.url) window.open(element.url, "_blank", "noopener");
    node.disabled = true;
    node.classList.add("busy");
    const result = await play("click", {
      user: state.me, channel: state.channel, ts: message.ts, action_id: element.action_id, value: element.value,
    });
    node.disabled = false;
    node.classList.remove("busy");
    if (complain(result).ok) guide.note(`act:${element.action_id}`);
  },
};

async function send(text, thread) {
  const command = state.info.command;
  if (text === "/invite @podoctor") {
    return complain(await play("member", { user: state.info.bot.user_id, channel: state.channel })).ok;
  }
  if (text.startsWith("/") && thread) {
    toast(`${text.split(" ")[0]} cannot be used in threads. Mention @podoctor instead.`);
    return false;
  }
  if (text === command || text.startsWith(command + " ")) {
    guide.note("command");
    list.pending(`${text} …`);
    const result = await play("command", { user: state.me, channel: state.channel, text: text.slice(command.length).trim() });
    list.pending("");
    if (!["operation_timeout", "dispatch_failed"].includes(result.error)) complain(result);
    refresh();
    return true;
  }
  if (text.startsWith("/")) {
    toast(`${text.split(" ")[0]} is not a command here; try ${command}.`);
    return false;
  }
  const channel = state.channel === directId() ? state.info.bot.user_id : state.channel;
  if (text.includes("@podoctor")) guide.note("command");
  const result = complain(await play("message", { user: state.me, channel, text, thread_ts: thread ?? undefined }));
  await refresh();
  (thread ? replies : list).toBottom();
  return result.ok;
}

async function drawViews() {
  const { views } = await look(`views?user=${state.me}`).catch(() => ({ views: [] }));
  const top = views?.at(-1);
  if (!top) return closeViews();
  showView(ctx, top, async (values) => {
    const result = complain(await play("view", { user: state.me, view_id: top.id, values }));
    return result.ok;
  }, () => play("view", { user: state.me, view_id: top.id }));
}

function become(id) {
  state.me = id;
  store("podoctor.me", id);
  drawSidebar();
  const channel = ctx.channels.get(state.channel);
  const stays = channel && !channel.im_with && mine(channel);
  openChannel(stays ? state.channel : "C0PODOCTOR");
  drawViews();
}

// The stream of changes

let timer = null;
const stale = new Set();

function changed(channel) {
  stale.add(channel);
  timer ??= setTimeout(async () => {
    timer = null;
    const all = stale.has("");
    if (all || stale.has(state.channel)) refresh();
    for (const other of stale) if (other && other !== state.channel) state.unread.add(other);
    stale.clear();
    if (all) { await loadInfo(); drawHeader(); drawViews(); } else drawSidebar();
  }, 30);
}

function listen() {
  const stream = new EventSource("/try/events");
  let lost = false;
  stream.onmessage = (event) => changed(JSON.parse(event.data).channel);
  stream.onopen = () => { if (lost) changed(""); lost = false; };
  stream.onerror = () => {
    lost = true;
    $("presence").className = "presence off";
    $("presence").textContent = "connection lost, trying again";
  };
}

// Start

const list = new MessageList($("messages"), actions, { thread: false });
const replies = new MessageList($("replies"), actions, { thread: true });
const composer = new Composer($("composer-main"), (text) => send(text, null), { id: "composer-main-input", slash: true, ctx });
const threadComposer = new Composer($("composer-thread"), (text) => send(text, state.thread), { id: "composer-thread-input", slash: false, ctx });
const guide = new Guide($("guide"), { fill: (text) => composer.fill(text), stored, store });

$("to-sidebar").append(icon("menu"));
$("to-sidebar").onclick = () => { $("app").dataset.pane = "sidebar"; };
$("thread-close").append(icon("close"));
$("thread-close").onclick = closeThread;
$("thread-back").append(icon("back"));
$("thread-back").onclick = closeThread;
$("whoami").onchange = (event) => become(event.target.value);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.thread && !event.defaultPrevented && !document.querySelector("dialog[open]")) closeThread();
});

await loadInfo();
if (!ctx.users.has(state.me)) state.me = "U0ALICE";
const [, , linked, point] = location.pathname.split("/");
await openChannel(ctx.channels.has(linked) ? linked : "C0PODOCTOR");
if (point?.startsWith("p")) {
  const ts = point.slice(1).replace(/(\d{6})$/, ".$1");
  const thread = new URLSearchParams(location.search).get("thread_ts");
  if (thread) openThread(thread);
  (thread ? replies : list).focus(ts);
}
listen();
drawViews();
// Relative times ("5 min ago") grow old.
setInterval(() => { list.age(); replies.age(); draw(); }, 60000);
