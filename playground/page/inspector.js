// The traffic between the bot and what it talks to.

import { fill, h } from "./dom.js";

const WORDS = { to_slack: ["bot → Slack", "out"], to_bot: ["Slack → bot", "in"], to_vault: ["bot → Vault", "vault"], to_cluster: ["bot → cluster", "vault"] };
const KEEP = 400;

export class Inspector {
  constructor() {
    this.seen = new Map();
    this.list = h("ol", { class: "traffic", "aria-label": "Traffic, newest first" });
    this.filter = h("input", { type: "search", class: "field", placeholder: "Filter, e.g. chat.update", "aria-label": "Filter the traffic" });
    this.filter.addEventListener("input", () => this.sieve());
    this.node = h("div", { class: "inspector" }, h("div", { class: "inspector-head" }, this.filter,
      h("button", { type: "button", class: "button plain", onclick: () => this.clear() }, "Clear")), this.list); // prettier-ignore
  }

  get last() {
    return Math.max(0, ...this.seen.keys());
  }

  clear() {
    fill(this.list);
    this.rows()?.forEach((r) => r.remove());
  }

  rows() {
    return [...this.list.children];
  }

  add(entry) {
    const row = this.draw(entry);
    const known = this.seen.get(entry.n);
    if (known?.isConnected) known.replaceWith(row);
    else if (!known) this.list.prepend(row);
    this.seen.set(entry.n, row);
    this.sieve([row]);
    while (this.list.children.length > KEEP) this.list.lastElementChild.remove();
  }

  sieve(rows = this.rows()) {
    const wanted = this.filter.value.trim().toLowerCase();
    for (const row of rows) row.hidden = Boolean(wanted) && !row.dataset.words.includes(wanted);
  }

  draw(entry) {
    const [direction, kind] = WORDS[entry.direction] ?? [entry.direction, "out"];
    const bad = isBad(entry);
    const at = new Date(entry.at * 1000).toLocaleTimeString([], { hour12: false });
    const more = h("details", { class: "traffic-entry" },
      h("summary", {},
        h("span", { class: `direction ${kind}` }, direction),
        h("span", { class: "what" }, entry.what),
        h("span", { class: `status ${bad ? "bad" : ""}` }, bad ? "✕ " : "", String(entry.status ?? "…")),
        h("span", { class: "ms" }, !entry.ms ? "" : `${Math.round(entry.ms)} ms`),
        h("time", { class: "ms" }, at))); // prettier-ignore
    more.addEventListener("toggle", () => { if (more.open && more.children.length === 1) more.append(part("request", entry.request), part("response", entry.response)); });
    return h("li", { dataset: { words: `${direction} ${entry.what} ${entry.status}`.toLowerCase() } }, more);
  }
}

function isBad(entry) {
  return Number(entry.status) >= 400 || entry.response?.ok === false || entry.status === "timeout" || entry.status === "refused";
}

function part(name, body) {
  if (body === null || body === undefined || body === "") return h("p", { class: "quiet" }, `no ${name} body`);
  return h("div", {}, h("h4", {}, name), h("pre", { class: "code", tabindex: "0" }, typeof body === "string" ? body : JSON.stringify(body, null, 2)));
}
