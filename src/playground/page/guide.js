// The first minute: steps that tick themselves off.

import { h, icon } from "./dom.js";

const STEPS = [
  { id: "ask", text: "Ask", hint: "/podoctor prod/manage-5bd...", fill: "/podoctor prod/manage-5bd..." },
  { id: "read", text: "Open the answer's thread", hint: "why, how to fix it, where it looked" },
  { id: "more", text: "Ask about all that is sick", hint: "/podoctor", fill: "/podoctor" },
];

export class Guide {
  constructor(root, { fill, stored, store }) {
    this.root = root;
    this.fill = fill;
    this.store = store;
    this.closed = stored("podoctor.guide") === "closed";
    this.done = new Set();
    this.noted = new Set();
  }

  note(what) {
    this.noted.add(what);
    if (what === "command") this.tick(this.done.has("ask") ? "more" : "ask");
    if (what === "thread") this.tick("read");
  }

  tick(id) {
    this.done.add(id);
    this.paint();
  }

  draw() {
    this.paint();
  }

  paint() {
    const key = `${this.closed} ${[...this.done].sort().join()}`;
    if (key === this.painted) return;
    this.painted = key;
    this.root.hidden = this.closed;
    if (this.closed) return;
    const next = STEPS.find((step) => !this.done.has(step.id));
    this.root.replaceChildren(
      h("ol", {}, STEPS.map((step, index) => h("li", {
        class: [this.done.has(step.id) && "done", step === next && "next"].filter(Boolean).join(" "),
        "aria-current": step === next ? "step" : undefined,
      },
        h("span", { class: "step-mark", "aria-hidden": "true" }, this.done.has(step.id) ? icon("check") : String(index + 1)),
        step.fill && step === next
          ? h("button", { type: "button", class: "step-try", onclick: () => this.fill(step.fill) }, step.text, " ", h("kbd", {}, step.hint))
          : h("span", { class: "step-text" }, step.text, step === next && step.hint && h("small", {}, step.hint)),
        this.done.has(step.id) && h("span", { class: "sr" }, "done")))),
      h("button", { type: "button", class: "icon-button", "aria-label": "Hide the first steps", onclick: () => {
        this.closed = true;
        this.store("podoctor.guide", "closed");
        this.paint();
      } }, icon("close")));
  }
}
