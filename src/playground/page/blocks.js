// Draws a message: mrkdwn text, Block Kit, files.

import { h, append, icon, safeUrl } from "./dom.js";
import { emojiOf } from "./emoji.js";

const decode = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

// Long paths break after their separators before they break anywhere.
const breakable = (text) => text.split(/(?<=[./:_-])/).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));

function link(url, label) {
  const target = safeUrl(url);
  if (!target) return h("span", {}, label ?? url);
  return h("a", { href: target, target: "_blank", rel: "noopener noreferrer nofollow" }, label ?? url);
}

function mention(kind, text, isMe = false) {
  return h("span", { class: `mention ${kind}${isMe ? " me" : ""}` }, text);
}

function userMention(ctx, id, label) {
  const user = ctx.users.get(id);
  return mention("user", "@" + (user?.name ?? label ?? id), id === ctx.me);
}

function channelMention(ctx, id, label) {
  const channel = ctx.channels.get(id);
  return mention("channel", "#" + (channel?.name || label || "private"));
}

const pad = (number) => String(number).padStart(2, "0");

// Slack's date tokens, in the reader's own zone.
export function formatDate(seconds, format, fallback) {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return fallback ?? "";
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86400000);
  const near = { 0: "today", 1: "yesterday", "-1": "tomorrow" }[days];
  const say = (options) => date.toLocaleDateString(undefined, options);
  const short = say({ day: "numeric", month: "short", year: "numeric" });
  const long = say({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
  const clock = (options) => date.toLocaleTimeString([], { hour: "numeric", minute: "2-digit", ...options });
  const minutes = Math.round((Date.now() - date.getTime()) / 60000);
  const ago = Math.abs(minutes) < 60 ? `${Math.abs(minutes)} min` : `${Math.round(Math.abs(minutes) / 60)} h`;
  const tokens = {
    "{date_num}": `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`,
    "{date_slash}": `${pad(date.getMonth() + 1)}/${pad(date.getDate())}/${date.getFullYear()}`,
    "{date_long}": long, "{date_long_full}": long, "{date_long_pretty}": near ?? long,
    "{date_short}": short, "{date_short_pretty}": near ?? short, "{day_divider_pretty}": near ?? long,
    "{date}": say({ day: "numeric", month: "long", year: "numeric" }), "{date_pretty}": near ?? short,
    "{time}": clock(), "{time_secs}": clock({ second: "2-digit" }),
    "{ago}": minutes >= 0 ? `${ago} ago` : `in ${ago}`,
  };
  return format.replace(/\{[a-z_]+\}/g, (token) => tokens[token] ?? token);
}

function dateNode(seconds, format, fallback, url) {
  const text = formatDate(seconds, format, fallback);
  const node = h("time", { title: fallback ?? "", class: "date" }, text);
  return url ? append(link(url, ""), [node]) : node;
}

// What stands between < and >.
function live(ctx, inner) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? undefined : decode(inner.slice(bar + 1));
  if (target.startsWith("@")) return userMention(ctx, target.slice(1), label);
  if (target.startsWith("#")) return channelMention(ctx, target.slice(1), label);
  if (target.startsWith("!subteam^")) {
    const id = target.slice("!subteam^".length);
    return mention("group", "@" + (ctx.groups.get(id)?.handle ?? label ?? id));
  }
  if (target.startsWith("!date^")) {
    const [, seconds, format, url] = target.split("^");
    return dateNode(seconds, format ?? "", label, url);
  }
  if (target.startsWith("!")) return mention("broadcast", "@" + target.slice(1));
  return link(decode(target), label);
}

const INLINE = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])|(?<![\w_])_(\S(?:[^_\n]*\S)?)_(?![\w_])|(?<![\w~])~(\S(?:[^~\n]*\S)?)~(?![\w~])|:([a-z0-9_+'-]+(?:::skin-tone-\d)?):/g;

// Turns mrkdwn into nodes.
export function mrkdwn(ctx, text) {
  const out = [];
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, fence, code, inner, bold, italic, strike, emoji] = found;
    if (found.index > at) out.push(decode(text.slice(at, found.index)));
    if (fence !== undefined) out.push(h("pre", {}, decode(fence.replace(/^\n|\n$/g, ""))));
    else if (code !== undefined) out.push(h("code", {}, breakable(decode(code))));
    else if (inner !== undefined) out.push(live(ctx, inner));
    else if (bold !== undefined) out.push(h("strong", {}, mrkdwn(ctx, bold)));
    else if (italic !== undefined) out.push(h("em", {}, mrkdwn(ctx, italic)));
    else if (strike !== undefined) out.push(h("s", {}, mrkdwn(ctx, strike)));
    else out.push(emojiNode(emoji) ?? whole);
    at = found.index + whole.length;
  }
  if (at < text.length) out.push(decode(text.slice(at)));
  return out;
}

function emojiNode(name) {
  const glyph = emojiOf(name);
  return glyph && h("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " "), title: `:${name}:` }, glyph);
}

// Lines that begin with > become quotes.
function mrkdwnLines(ctx, text) {
  const out = [];
  const parts = text.split(/(```[\s\S]+?```)/);
  for (const part of parts) {
    if (part.startsWith("```") && part.length > 6) {
      out.push(...mrkdwn(ctx, part));
      continue;
    }
    let quote = [];
    let plain = [];
    const flushPlain = () => { if (plain.length) out.push(...mrkdwn(ctx, plain.join("\n"))); plain = []; };
    const flushQuote = () => { if (quote.length) out.push(h("blockquote", {}, mrkdwn(ctx, quote.join("\n")))); quote = []; };
    for (const line of part.split("\n")) {
      if (/^(&gt;|>) ?/.test(line)) {
        flushPlain();
        quote.push(line.replace(/^(&gt;|>) ?/, ""));
      } else {
        flushQuote();
        plain.push(line);
      }
    }
    flushPlain();
    flushQuote();
  }
  return out;
}

// A text object: mrkdwn or plain.
function textObject(ctx, text) {
  if (!text) return [];
  if (text.type === "mrkdwn") return mrkdwnLines(ctx, text.text ?? "");
  return plainText(text);
}

function plainText(text) {
  const words = text.text ?? "";
  if (text.emoji === false) return [words];
  return words.split(/(:[a-z0-9_+-]+:)/).map((part) => (/^:.+:$/.test(part) && emojiNode(part.slice(1, -1))) || part);
}

const styled = (element, node) => {
  const style = element.style ?? {};
  if (style.code && typeof node === "string") node = breakable(node);
  for (const [name, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"], ["underline", "u"]]) {
    if (style[name]) node = h(tag, {}, node);
  }
  return node;
};

function richInline(ctx, element) {
  switch (element.type) {
    case "text": return styled(element, element.text ?? "");
    case "link": return styled(element, link(element.url, element.text));
    case "user": return styled(element, userMention(ctx, element.user_id));
    case "channel": return styled(element, channelMention(ctx, element.channel_id));
    case "usergroup": return mention("group", "@" + (ctx.groups.get(element.usergroup_id)?.handle ?? element.usergroup_id));
    case "broadcast": return mention("broadcast", "@" + element.range);
    case "emoji": return emojiNode(element.name) ?? `:${element.name}:`;
    case "date": return styled(element, dateNode(element.timestamp, element.format ?? "", element.fallback, element.url));
    case "color": return h("code", {}, element.value ?? "");
    default: return element.text ?? "";
  }
}

function richText(ctx, element) {
  const inlines = (element.elements ?? []).map((inner) => inner.type?.startsWith("rich_text") ? inner : richInline(ctx, inner));
  switch (element.type) {
    case "rich_text_section": return h("div", { class: "rich-section" }, inlines);
    case "rich_text_quote": return h("blockquote", {}, inlines);
    case "rich_text_preformatted": return h("pre", { tabindex: "0", "data-language": element.language }, inlines);
    case "rich_text_list": {
      const tag = element.style === "ordered" ? "ol" : "ul";
      const start = tag === "ol" && element.offset ? String(element.offset + 1) : undefined;
      const items = (element.elements ?? []).map((item) => h("li", {}, (item.elements ?? []).map((inner) => richInline(ctx, inner))));
      return h(tag, { class: `rich-list indent-${Math.min(element.indent ?? 0, 4)}`, start }, items);
    }
    default: return h("div", {}, inlines.filter((inline) => inline instanceof Node || typeof inline === "string"));
  }
}

function button(ctx, element) {
  const style = element.style ? ` ${element.style}` : "";
  return h("button", {
    class: `block-button${style}`, type: "button", "data-key": `action:${element.action_id}:${element.value ?? ""}`,
    "aria-label": element.accessibility_label, onclick: (event) => ctx.act(element, event.currentTarget),
  }, textObject(ctx, element.text));
}

function select(ctx, element) {
  const options = [...(element.options ?? []), ...(element.option_groups ?? []).flatMap((group) => group.options ?? [])];
  const label = element.placeholder?.text ?? (element.type === "overflow" ? "⋯" : "Choose");
  return h("select", {
    class: "block-select", "aria-label": label, onchange: (event) => {
      const chosen = options[event.target.selectedIndex - 1];
      if (chosen) ctx.act({ ...element, value: chosen.value }, event.currentTarget);
      event.target.selectedIndex = 0;
    },
  }, h("option", {}, label), options.map((option) => h("option", {}, option.text?.text ?? option.value)));
}

function accessory(ctx, element) {
  if (element.type === "button") return button(ctx, element);
  if (element.type === "image") return image(element);
  if (["static_select", "overflow", "radio_buttons"].includes(element.type)) return select(ctx, element);
  return h("span", { class: "unknown" }, element.type);
}

// Images are not fetched: an address in a message must not learn who reads it.
function image(element) {
  return h("span", { class: "image", role: "img", "aria-label": element.alt_text ?? "image" }, icon("image"),
    h("span", {}, element.title?.text ?? element.alt_text ?? "image"));
}

function table(block, ctx) {
  const cell = (cell) => cell?.type === "rich_text" ? (cell.elements ?? []).map((element) => richText(ctx, element)) : String(cell?.text ?? "");
  const rows = block.rows ?? [];
  return h("div", { class: "table-scroll", tabindex: "0" }, h("table", {}, rows.map((row, index) =>
    h("tr", {}, row.map((item) => h(index === 0 ? "th" : "td", {}, cell(item)))))));
}

function input(ctx, block) {
  const element = block.element ?? {};
  const name = `${block.block_id}\n${element.action_id ?? ""}`;
  // What was typed stays when the bot asks for more.
  const given = ctx.values?.[block.block_id]?.[element.action_id];
  let field;
  if (element.type === "plain_text_input") {
    const props = { name, "data-type": element.type, placeholder: element.placeholder?.text, required: !block.optional };
    field = element.multiline ? h("textarea", { ...props, rows: "4" }) : h("input", props);
    field.value = given?.value ?? element.initial_value ?? "";
  } else if (element.options) {
    field = h("select", { name, "data-type": element.type }, element.options.map((option) =>
      h("option", { value: JSON.stringify(option), selected: option.value === (given?.selected_option ?? element.initial_option)?.value }, option.text?.text ?? "")));
  } else {
    field = h("input", { name, "data-type": element.type ?? "" });
    field.value = given?.value ?? "";
  }
  return h("label", { class: "field" }, h("span", {}, textObject(ctx, block.label)), field,
    block.hint && h("small", {}, textObject(ctx, block.hint)),
    ctx.errors?.[block.block_id] && h("strong", { class: "field-error", role: "alert" }, ctx.errors[block.block_id]));
}

function block(ctx, one) {
  switch (one.type) {
    case "header": return h("h3", { class: "block-header" }, textObject(ctx, one.text));
    case "divider": return h("hr");
    case "section": return h("div", { class: "block-section" },
      h("div", { class: "section-text" },
        one.text && h("div", {}, textObject(ctx, one.text)),
        one.fields && h("div", { class: "fields" }, one.fields.map((field) => h("div", {}, textObject(ctx, field))))),
      one.accessory && accessory(ctx, one.accessory));
    case "context": return h("div", { class: "block-context" }, (one.elements ?? []).map((element) =>
      element.type === "image" ? image(element) : h("span", {}, textObject(ctx, element))));
    case "actions": return h("div", { class: "block-actions" }, (one.elements ?? []).map((element) => accessory(ctx, element)));
    case "rich_text": return h("div", { class: "rich" }, (one.elements ?? []).map((element) => richText(ctx, element)));
    case "image": return image(one);
    case "input": return input(ctx, one);
    case "table":
    case "data_table": return table(one, ctx);
    case "markdown": return h("div", { class: "rich plain" }, one.text ?? "");
    case "alert": return h("div", { class: `alert ${/^[a-z]+$/.test(one.level ?? "") ? one.level : "default"}` },
      typeof one.text === "string" ? one.text : textObject(ctx, one.text));
    default: return h("p", { class: "unknown" }, `[${one.type} block]`);
  }
}

export function blocks(ctx, list) {
  return list.map((one) => block(ctx, one));
}

export function files(list) {
  return list.map((file) => h("figure", { class: "snippet" },
    h("figcaption", {}, icon("file"), h("span", { class: "snippet-name" }, file.title || file.name),
      h("span", { class: "snippet-size" }, `${file.lines ?? "?"} lines · ${size(file.size ?? 0)}`),
      file.permalink && link(file.url_private, "Open")),
    h("pre", { tabindex: "0" }, file.preview ?? "", file.preview_is_truncated && "\n…")));
}

const size = (bytes) => bytes < 1024 ? `${bytes} B` : bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / (1 << 20)).toFixed(1)} MB`;

// The words of a message: its blocks, or else its text.
export function body(ctx, message) {
  const parts = [];
  if (message.blocks?.length) parts.push(...blocks(ctx, message.blocks));
  else if (message.text) {
    const text = h("div", { class: "plain" }, mrkdwnLines(ctx, message.text));
    if (message.edited) text.append(h("span", { class: "edited" }, " (edited)"));
    parts.push(text);
  }
  for (const attachment of message.attachments ?? []) {
    const node = h("div", { class: "attachment" }, attachment.blocks ? blocks(ctx, attachment.blocks)
      : mrkdwnLines(ctx, attachment.text ?? attachment.fallback ?? ""));
    const colour = { good: "#2e9e6b", warning: "#d9a514", danger: "#d3423b" }[attachment.color] ?? attachment.color;
    if (/^#?[0-9a-f]{6}$/i.test(colour ?? "")) node.style.borderLeftColor = colour.startsWith("#") ? colour : `#${colour}`;
    parts.push(node);
  }
  if (message.files?.length) parts.push(...files(message.files));
  return parts;
}
