// Dialogs: the question before a button acts, and modals that the bot opens.

import { h } from "./dom.js";
import { blocks, mrkdwn } from "./blocks.js";

// Asks as a button's `confirm` wants it, and resolves to the answer.
export function confirmDialog(confirm) {
  return new Promise((resolve) => {
    const words = (text) => text?.type === "mrkdwn" ? mrkdwn({ users: new Map(), channels: new Map(), groups: new Map() }, text.text) : text?.text ?? "";
    const answer = (yes) => () => { dialog.close(); dialog.remove(); resolve(yes); };
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "confirm-title" },
      h("h2", { id: "confirm-title" }, words(confirm.title)),
      h("p", {}, words(confirm.text)),
      h("div", { class: "dialog-buttons" },
        h("button", { type: "button", class: "block-button", onclick: answer(false) }, words(confirm.deny)),
        h("button", { type: "button", class: `block-button ${confirm.style ?? "primary"}`, onclick: answer(true) }, words(confirm.confirm))));
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); answer(false)(); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

let shown = null;

// Shows a modal; `send` gets its values and says whether they were taken.
export function showView(ctx, view, send, dismiss) {
  const key = JSON.stringify(view);
  if (shown?.key === key) return;
  closeViews();
  const drawing = Object.assign(Object.create(ctx), { errors: view.errors, values: view.state?.values ?? {}, act: () => {} });
  const form = h("form", { method: "dialog" },
    h("h2", { id: "view-title" }, view.title?.text ?? ""),
    h("div", { class: "view-body" }, blocks(drawing, view.blocks ?? [])),
    h("div", { class: "dialog-buttons" },
      h("button", { type: "button", class: "block-button", onclick: () => { closeViews(); dismiss(); } }, view.close?.text ?? "Cancel"),
      view.submit && h("button", { type: "submit", class: "block-button primary" }, view.submit.text)));
  form.addEventListener("submit", (event) => { event.preventDefault(); send(values(form)); });
  const dialog = h("dialog", { class: "dialog view", "aria-labelledby": "view-title" }, form);
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); closeViews(); dismiss(); });
  document.body.append(dialog);
  dialog.showModal();
  shown = { key, dialog };
}

export function closeViews() {
  shown?.dialog.remove();
  shown = null;
}

function values(form) {
  const out = {};
  for (const field of form.querySelectorAll("[name]")) {
    const [block, action] = field.name.split("\n");
    const type = field.dataset.type;
    const value = field.tagName === "SELECT" ? { type, selected_option: JSON.parse(field.value) } : { type, value: field.value || null };
    out[block] = { ...out[block], [action]: value };
  }
  return out;
}
