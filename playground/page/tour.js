// The first two minutes: three steps that tick themselves off.

import { fill, h, icon } from "./dom.js";

// steps: [{name, text: [nodes or strings], deed?: {label, run}}]
export class Tour {
  constructor(steps) {
    this.steps = steps;
    this.finished = new Set();
    this.node = h("section", { class: "tour", "aria-label": "Try this" });
    this.draw();
  }

  done(name) {
    if (this.finished.has(name) || !this.steps.some((s) => s.name === name)) return;
    this.finished.add(name);
    this.draw();
  }

  restart() {
    this.finished.clear();
    this.draw();
  }

  draw() {
    const next = this.steps.find((s) => !this.finished.has(s.name));
    fill(this.node, h("h3", {}, next ? "Try this" : "That was the whole story"), h("ol", {}, this.steps.map((s) => this.step(s, s === next))));
  }

  step(step, next) {
    const done = this.finished.has(step.name);
    const deed = next && step.deed ? h("button", { type: "button", class: "button plain", onclick: step.deed.run }, step.deed.label) : null;
    return h("li", { class: done ? "done" : next ? "next" : "", "aria-current": next ? "step" : null },
      h("span", { class: "tour-mark" }, done ? icon("check") : null), h("div", {}, h("span", {}, step.text), done ? h("span", { class: "sr-only" }, " (done)") : null, deed)); // prettier-ignore
  }
}
