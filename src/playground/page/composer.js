// The box to write in: grows with its text, sends with Enter, and offers commands and people.

import { h, icon } from "./dom.js";

const COMMANDS = [
  ["/podoctor", "what is sick now"],
  ["/podoctor ", "NAMESPACE/POD: why is it stuck? A prefix is enough, paste it as the table cut it"],
  ["/podoctor help", "everything it can do"],
  ["/podoctor status", "clusters, and who may do what here"],
  ["/podoctor silence ", "TARGET 2h why"],
  ["/podoctor silences", "what is silent, and until when"],
  ["/podoctor history ", "TARGET: what happened before"],
  ["/podoctor causes ", "ID: what a cause means"],
];

export class Composer {
  constructor(form, send, { id, slash, ctx }) {
    this.send = send;
    this.slash = slash;
    this.ctx = ctx;
    this.choices = [];
    this.chosen = 0;
    this.input = h("textarea", {
      id, rows: "1", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": `${id}-menu`,
      oninput: () => this.changed(), onkeydown: (event) => this.onKey(event), onblur: () => setTimeout(() => this.close(), 150),
    });
    this.menu = h("ul", { class: "menu", id: `${id}-menu`, role: "listbox", hidden: true });
    this.button = h("button", { class: "send", type: "submit", "aria-label": "Send", disabled: true }, icon("send"));
    this.hint = h("p", { class: "hint" }, slash
      ? [h("kbd", {}, "/podoctor"), " asks, ", h("kbd", {}, "@podoctor"), " too, in any words that name a pod"]
      : ["Commands do not work in threads; ", h("kbd", {}, "@podoctor"), " does"]);
    form.append(this.menu, h("div", { class: "box" }, this.input, this.button), this.hint);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  setPlace(name) {
    this.input.placeholder = `Message ${name}`;
    this.input.setAttribute("aria-label", `Message ${name}`);
  }

  setBlocked(why) {
    this.input.disabled = Boolean(why);
    if (why) this.input.placeholder = why;
  }

  fill(text) {
    this.input.value = text;
    this.input.focus();
    this.changed();
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  async submit() {
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = "";
    this.changed();
    if (!(await this.send(text)) && !this.input.value) this.fill(text);
  }

  changed() {
    this.button.disabled = !this.input.value.trim();
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 220)}px`;
    this.offer();
  }

  offer() {
    const before = this.input.value.slice(0, this.input.selectionStart);
    const at = /(?:^|\s)@([a-z]*)$/.exec(before);
    let choices = [];
    if (at) {
      const people = [...this.ctx.users.values()].filter((user) => user.name.startsWith(at[1]) && user.name !== "slackbot");
      people.sort((a, b) => Number(b.name === "podoctor") - Number(a.name === "podoctor"));
      choices = people.map((user) => ({
        label: `@${user.name}`, note: user.name === "podoctor" ? "why is prod/… stuck?" : user.real_name,
        text: `${before.slice(0, before.length - at[1].length)}${user.name} `, rest: this.input.value.slice(before.length),
      }));
    } else if (this.slash && /^\/[a-z]*( [a-z]*)?$/.test(this.input.value)) {
      const exact = this.input.value;
      choices = COMMANDS.filter(([text]) => text.startsWith(exact) && !(text === exact && exact !== "/podoctor"))
        .map(([text, note]) => ({ label: text.trim(), note, text, rest: "" }));
      if (exact === "/podoctor") choices = choices.filter((choice) => choice.text !== exact);
    }
    this.choices = choices.slice(0, 8);
    this.chosen = -1;
    this.drawMenu();
  }

  drawMenu() {
    const open = this.choices.length > 0;
    this.menu.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
    this.input.removeAttribute("aria-activedescendant");
    this.menu.replaceChildren(...this.choices.map((choice, index) => {
      const id = `${this.menu.id}-${index}`;
      if (index === this.chosen) this.input.setAttribute("aria-activedescendant", id);
      return h("li", {
        id, role: "option", "aria-selected": String(index === this.chosen),
        onmousedown: (event) => { event.preventDefault(); this.take(choice); },
      }, h("strong", {}, choice.label), h("span", {}, choice.note));
    }));
  }

  take(choice) {
    this.input.value = choice.text + choice.rest;
    this.input.setSelectionRange(choice.text.length, choice.text.length);
    this.input.focus();
    this.changed();
    if (!choice.text.endsWith(" ")) this.close();
  }

  close() {
    this.choices = [];
    this.drawMenu();
  }

  onKey(event) {
    if (event.isComposing) return;
    const open = this.choices.length > 0;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.chosen = (this.chosen + step + this.choices.length + (this.chosen < 0 && step < 0 ? 1 : 0)) % this.choices.length;
      this.drawMenu();
    } else if (open && event.key === "Tab") {
      event.preventDefault();
      this.take(this.choices[Math.max(this.chosen, 0)]);
    } else if (open && event.key === "Escape") {
      event.preventDefault();
      this.close();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      const at = /(?:^|\s)@[a-z]*$/.test(this.input.value.slice(0, this.input.selectionStart));
      if (open && (this.chosen >= 0 || at)) this.take(this.choices[Math.max(this.chosen, 0)]);
      else this.submit();
    }
  }
}
