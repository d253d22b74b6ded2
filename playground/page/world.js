// What the outside systems hold, told by fingerprints: what it was when the page opened, and what it is now.

import { fill, h } from "./dom.js";

export class World {
  constructor() {
    this.node = h("div", { class: "world" }, h("p", { class: "quiet" }, "Looking…"));
    this.first = new Map();
  }

  restart() {
    this.first.clear();
  }

  show(facts) {
    fill(this.node,
      h("p", { class: "quiet" }, "Values never leave Vault. A fingerprint tells old from new without showing either."),
      (facts.vault ?? []).map((entry) => this.path(entry)),
      (facts.cluster ?? []).map(clusterRow),
      facts.vault?.length ? null : h("p", { class: "quiet" }, "There is nothing to see here.")); // prettier-ignore
  }

  path(entry) {
    const state = entry.state ? h("span", { class: "badge warn" }, entry.state) : null;
    const kv = h("span", { class: "side-note" }, `KV v${entry.kv}${entry.version ? `, version ${entry.version}` : ""}`);
    return h("section", { class: "world-path" },
      h("h3", {}, h("span", { class: "path" }, ...breakable(entry.path)), kv, state),
      h("dl", {}, (entry.fields ?? []).map((f) => this.field(entry.path, f)))); // prettier-ignore
  }

  field(path, field) {
    const key = `${path} ${field.name}`;
    if (!this.first.has(key)) this.first.set(key, field.fingerprint);
    const was = this.first.get(key);
    const changed = was !== field.fingerprint;
    const now = h("code", { class: changed ? "fresh" : null }, field.fingerprint ?? "absent");
    return [
      h("dt", {}, ...breakable(field.name)),
      h("dd", {}, changed ? [h("code", { class: "old" }, was ?? "absent"), " → ", now, h("span", { class: "badge may" }, "changed")] : now,
        field.note ? h("span", { class: `world-note ${field.ok === false ? "bad" : field.ok ? "good" : ""}` }, field.note) : null),
    ]; // prettier-ignore
  }
}

function clusterRow(cluster) {
  return h("section", { class: "world-path" }, h("h3", {}, "Cluster ", cluster.name ?? ""),
    h("dl", {}, (cluster.accepts ?? []).map((a) => [h("dt", {}, ...breakable(a.subject)), h("dd", {}, "accepts ", h("code", {}, a.fingerprint))]))); // prettier-ignore
}

// Long paths may break after a slash or a dash.
function breakable(text) {
  return String(text).split(/(?<=[/:-])/).flatMap((part) => [part, document.createElement("wbr")]);
}
