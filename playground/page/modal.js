// Modals. The browser's own <dialog> keeps the focus inside.

import { blocks } from "./blockkit.js";
import { h, icon } from "./dom.js";
import { readState } from "./inputs.js";
import { text } from "./mrkdwn.js";

// One modal at a time (its stack lives at Slack's side; we show the view on top).
// deeds: {submit(view, state) -> {errors?}, close(view), act(view, payload)}
export class Modal {
  constructor(names, deeds) {
    this.names = names;
    this.deeds = deeds;
    this.view = null;
    this.dialog = null;
    this.before = null;
  }

  show(view) {
    if (this.view && view.id === this.view.id && view.hash === this.view.hash) return; // somebody is filling it in
    const same = this.view && (view.id === this.view.id || view.root_view_id === this.view.root_view_id);
    const values = same && view.id === this.view.id ? readState(this.dialog).values : {};
    const focused = same ? document.activeElement?.dataset.blockId : null;
    this.view = view;
    if (!this.dialog) this.open();
    this.draw({}, values);
    this.focus(focused);
  }

  open() {
    this.before = document.activeElement;
    this.dialog = h("dialog", { class: "dialog modal", "aria-labelledby": "modal-title" });
    this.dialog.addEventListener("cancel", (event) => { event.preventDefault(); this.leave(); });
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  draw(errors, values) {
    const { view, names } = this;
    const context = { names, errors, values, act: (payload) => this.deeds.act(view, payload) };
    const submit = view.submit ? h("button", { type: "submit", class: "button primary solid" }, text(view.submit, names)) : null;
    const cancel = h("button", { type: "button", class: "button plain", onclick: () => this.leave() }, view.close ? text(view.close, names) : submit ? "Cancel" : "Close");
    const form = h("form", { novalidate: true },
      h("header", {}, h("h2", { id: "modal-title" }, text(view.title, names)),
        h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => this.leave() }, icon("close"))),
      h("div", { class: "dialog-body" }, blocks(view.blocks, context)),
      h("footer", {}, cancel, submit)); // prettier-ignore
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(form, submit); });
    form.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
    this.dialog.replaceChildren(form);
  }

  focus(blockId) {
    const fields = [...this.dialog.querySelectorAll(".dialog-body input, .dialog-body select, .dialog-body textarea")];
    const wrong = this.dialog.querySelector("[aria-invalid]");
    (wrong ?? fields.find((f) => blockId && f.dataset.blockId === blockId) ?? fields[0] ?? this.dialog.querySelector("footer .button:last-child"))?.focus();
  }

  async submit(form, button) {
    if (!button || button.classList.contains("busy")) return;
    button.classList.add("busy");
    button.setAttribute("aria-busy", "true");
    const state = readState(form);
    const errors = missing(this.view, state);
    const answer = Object.keys(errors).length ? { errors } : await this.deeds.submit(this.view, state);
    button.classList.remove("busy");
    button.removeAttribute("aria-busy");
    if (answer?.errors && this.dialog) {
      this.draw(answer.errors, state.values);
      this.focus();
    }
  }

  leave() {
    const view = this.view;
    this.hide();
    if (view) this.deeds.close(view);
  }

  hide() {
    if (!this.dialog) return;
    this.dialog.close();
    this.dialog.remove();
    this.dialog = this.view = null;
    if (this.before?.isConnected) this.before.focus();
  }
}

// Slack itself refuses to send a modal whose required inputs are empty.
function missing(view, state) {
  const errors = {};
  for (const block of view.blocks ?? []) {
    if (block.type !== "input" || block.optional) continue;
    const now = state.values[block.block_id]?.[block.element?.action_id] ?? {};
    const empty = !(now.value || now.selected_option || now.selected_options?.length || now.selected_date || now.selected_time);
    if (empty) errors[block.block_id] = "Please complete this required field.";
  }
  return errors;
}
