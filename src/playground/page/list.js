// A list of messages that changes only where something changed, so that focus, selection and scrolling stay.

import { h, icon } from "./dom.js";
import { body } from "./blocks.js";
import { REACTIONS, emojiOf } from "./emoji.js";

const clock = (ts) => new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
const full = (ts) => new Date(Number(ts) * 1000).toLocaleString();
const dayOf = (ts) => new Date(Number(ts) * 1000).toDateString();

function dayName(ts) {
  const day = dayOf(ts);
  if (day === new Date().toDateString()) return "Today";
  if (day === new Date(Date.now() - 86400000).toDateString()) return "Yesterday";
  return new Date(Number(ts) * 1000).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}

export class MessageList {
  constructor(root, actions, { thread }) {
    this.root = root;
    this.actions = actions;
    this.thread = thread;
    this.rows = new Map();
    this.waiting = h("div", { class: "pending", role: "status", hidden: true });
    this.picker = null;
    document.addEventListener("click", (event) => { if (this.picker && !this.picker.contains(event.target)) this.closePicker(); });
    root.addEventListener("keydown", (event) => this.onKey(event));
    root.addEventListener("scroll", () => this.offerJump(), { passive: true });
    this.jump = h("button", { class: "jump", type: "button", hidden: true, onclick: () => this.toBottom() }, "Jump to the latest ↓");
    root.after(this.jump);
    this.unseen = false;
  }

  clear() {
    this.rows.clear();
    this.root.replaceChildren();
  }

  // Lets everything be drawn anew, for texts that depend on the time.
  age() {
    for (const row of this.rows.values()) row.key = "";
  }

  pending(text) {
    this.waiting.hidden = !text;
    this.waiting.textContent = text;
    if (text) { this.root.append(this.waiting); this.toBottom(); }
  }

  draw(messages, channel) {
    const atBottom = this.away() < 80;
    const fresh = this.rows.size === 0;
    const wanted = [];
    let before = null;
    for (const message of messages) {
      if (!before || dayOf(before.ts) !== dayOf(message.ts)) wanted.push(this.divider(message, before));
      wanted.push(this.row(message, before));
      if (this.thread && before === null && messages.length > 1) wanted.push(this.count(messages.length - 1));
      before = message;
    }
    if (!messages.length) wanted.push(this.empty(channel));
    const keep = new Set(wanted.map((row) => row.id));
    for (const id of [...this.rows.keys()]) if (!keep.has(id)) this.drop(id);
    let at = this.root.firstChild;
    for (const row of wanted) {
      if (row.node === at) at = at.nextSibling;
      else this.root.insertBefore(row.node, at);
    }
    if (!this.waiting.hidden) this.root.append(this.waiting);
    const last = messages.at(-1)?.ts;
    if (last !== this.last && !atBottom && !fresh) this.unseen = true;
    this.last = last;
    if (atBottom && !fresh) this.toBottom();
    this.offerJump();
  }

  away() {
    return this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight;
  }

  // A way down, when the end is out of sight.
  offerJump() {
    const away = this.away();
    if (away < 60) this.unseen = false;
    this.jump.hidden = !(this.unseen ? away >= 60 : away > 500);
    this.jump.textContent = this.unseen ? "New messages ↓" : "Jump to the latest ↓";
  }

  drop(id) {
    this.rows.get(id).node.remove();
    this.rows.delete(id);
  }

  keyed(id, key, make) {
    const old = this.rows.get(id);
    if (old?.key === key) return old;
    const node = make();
    if (old) {
      const held = old.node.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
      old.node.replaceWith(node);
      if (held) [...node.querySelectorAll("[data-key]")].find((one) => one.dataset.key === held)?.focus();
    }
    const row = { id, key, node };
    this.rows.set(id, row);
    return row;
  }

  divider(message) {
    const name = dayName(message.ts);
    return this.keyed(`day ${dayOf(message.ts)}`, name, () => h("div", { class: "day", role: "separator" }, h("span", {}, name)));
  }

  count(replies) {
    const text = `${replies} ${replies === 1 ? "reply" : "replies"}`;
    return this.keyed("count", text, () => h("div", { class: "count" }, h("span", {}, text)));
  }

  empty(channel) {
    const text = channel && !channel.has_bot ? "The bot is not in this channel. /invite @podoctor lets it in." : "Nothing has been said here yet.";
    return this.keyed("empty", text, () => h("p", { class: "empty" }, text));
  }

  row(message, before) {
    const { ctx } = this.actions;
    const follows = before && before.user === message.user && before.is_ephemeral === message.is_ephemeral
      && Number(message.ts) - Number(before.ts) < 240 && dayOf(before.ts) === dayOf(message.ts)
      && !(this.thread && before.ts === message.thread_ts) && !before.reply_count
      && !message.blocks?.some((block) => block.type === "actions" || block.type === "header");
    const key = JSON.stringify([message, follows, ctx.me]);
    return this.keyed(message.ts, key, () => this.build(message, follows));
  }

  build(message, follows) {
    const { ctx } = this.actions;
    const user = ctx.users.get(message.user);
    const name = user?.name ?? message.user;
    const drawing = Object.assign(Object.create(ctx), { act: (element, node) => this.actions.act(message, element, node) });
    const mentioned = message.text?.includes(`<@${ctx.me}>`);
    const classes = ["message", follows && "follows", message.is_ephemeral && "ephemeral", mentioned && "mentioned", this.isRecent(message) && "fresh"];
    const head = !follows && h("div", { class: "head" },
      h("span", { class: "name" }, name),
      message.bot_id && h("span", { class: "badge" }, "APP"),
      user?.is_guest && h("span", { class: "badge soft" }, "guest"),
      user?.is_stranger && h("span", { class: "badge soft" }, "other company"),
      h("time", { class: "time", title: full(message.ts) }, clock(message.ts)));
    return h("article", {
      class: classes.filter(Boolean).join(" "), "data-ts": message.ts, tabindex: "-1",
      "aria-label": `${name}, ${clock(message.ts)}${message.is_ephemeral ? ", only visible to you" : ""}`,
    },
      follows ? h("time", { class: "time side", title: full(message.ts) }, clock(message.ts)) : this.avatar(message, user),
      h("div", { class: "content" },
        head,
        message.is_ephemeral && h("div", { class: "only-you" }, "Only visible to you"),
        message.subtype === "thread_broadcast" && h("div", { class: "only-you" }, "replied to a thread"),
        h("div", { class: "body" }, body(drawing, message)),
        this.reactions(message),
        !this.thread && message.reply_count && this.threadLink(message)),
      !message.is_ephemeral && this.tools(message));
  }

  isRecent(message) {
    return Date.now() / 1000 - Number(message.ts) < 1.5;
  }

  avatar(message, user) {
    if (message.user === "U0PODOCTOR") return h("span", { class: "avatar bot", "aria-hidden": "true" }, icon("pulse"));
    const letter = (user?.name ?? "?")[0].toUpperCase();
    return h("span", { class: `avatar hue-${[...message.user].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 6}`, "aria-hidden": "true" }, letter);
  }

  reactions(message) {
    if (!message.reactions?.length) return null;
    const { ctx } = this.actions;
    return h("div", { class: "reactions" }, message.reactions.map((reaction) => {
      const mine = reaction.users.includes(ctx.me);
      const who = reaction.users.map((id) => ctx.users.get(id)?.name ?? id).join(", ");
      return h("button", {
        class: `reaction${mine ? " mine" : ""}`, type: "button", "aria-pressed": String(mine), title: `${who} reacted with :${reaction.name}:`,
        "aria-label": `${reaction.name.replaceAll("_", " ")}, ${reaction.count}, ${who}`, "data-key": `reaction:${reaction.name}`,
        onclick: () => this.actions.react(message, reaction.name),
      }, h("span", { "aria-hidden": "true" }, emojiOf(reaction.name) ?? `:${reaction.name}:`), h("span", {}, reaction.count));
    }));
  }

  threadLink(message) {
    const faces = (message.reply_users ?? []).slice(0, 3).map((id) => this.avatar({ user: id }, this.actions.ctx.users.get(id)));
    const text = `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`;
    return h("button", { class: "thread-link", type: "button", "data-key": "thread", onclick: () => this.actions.openThread(message.ts) },
      h("span", { class: "faces" }, faces), h("strong", {}, text), h("span", { class: "last" }, `last at ${clock(message.latest_reply)}`));
  }

  tools(message) {
    const tool = (name, glyph, label, onclick) => h("button", {
      class: "tool", type: "button", title: label, "aria-label": label, "data-key": `tool:${name}`, onclick,
    }, icon(glyph));
    return h("div", { class: "tools", role: "toolbar", "aria-label": "Message actions" },
      tool("react", "smile", "Add a reaction", (event) => { event.stopPropagation(); this.openPicker(event.currentTarget, message); }),
      !this.thread && tool("reply", "reply", "Reply in a thread", () => this.actions.openThread(message.thread_ts ?? message.ts)),
      h("button", { class: "tool wide", type: "button", "data-key": "tool:diagnose", title: "Message shortcut: Diagnose what this message names",
        onclick: () => this.actions.diagnose(message) }, icon("pulse"), "Diagnose"));
  }

  openPicker(anchor, message) {
    this.closePicker();
    this.picker = h("div", { class: "picker", role: "menu", "aria-label": "Reactions" }, REACTIONS.map(([name, meaning]) => h("button", {
      class: "pick", type: "button", role: "menuitem", onclick: () => { this.closePicker(); this.actions.react(message, name); },
    }, h("span", { class: "pick-emoji", "aria-hidden": "true" }, emojiOf(name)), h("span", {}, meaning))));
    this.picker.anchor = anchor;
    anchor.closest(".message").append(this.picker);
    const row = anchor.closest(".message").getBoundingClientRect();
    const view = this.root.getBoundingClientRect();
    this.picker.classList.toggle("up", row.top + this.picker.offsetHeight + 40 > view.bottom && row.top - this.picker.offsetHeight > view.top);
    this.picker.querySelector("button").focus();
  }

  closePicker() {
    if (!this.picker) return;
    const { anchor } = this.picker;
    const held = this.picker.contains(document.activeElement);
    this.picker.remove();
    this.picker = null;
    if (held) anchor.focus();
  }

  onKey(event) {
    if (this.picker) {
      const picks = [...this.picker.querySelectorAll("button")];
      const at = picks.indexOf(document.activeElement);
      if (event.key === "Escape") { event.preventDefault(); this.closePicker(); }
      if (event.key === "ArrowDown") { event.preventDefault(); picks[(at + 1) % picks.length].focus(); }
      if (event.key === "ArrowUp") { event.preventDefault(); picks[(at - 1 + picks.length) % picks.length].focus(); }
      return;
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    if (event.target !== this.root && !event.target.classList.contains("message")) return;
    const rows = [...this.root.querySelectorAll(".message")];
    const at = rows.indexOf(document.activeElement);
    const next = event.key === "ArrowDown" ? rows[at + 1] : rows[at < 0 ? rows.length - 1 : at - 1];
    if (next) { event.preventDefault(); next.focus(); }
  }

  focus(ts) {
    const node = this.rows.get(ts)?.node;
    node?.scrollIntoView({ block: "center" });
    node?.focus({ preventScroll: true });
  }

  toBottom() {
    this.root.scrollTop = this.root.scrollHeight;
    this.offerJump();
  }
}
