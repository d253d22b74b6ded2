// What the outside systems hold, told by fingerprints: what it was when the page opened, and what it is now.

import { fill, h } from "./dom.js";

const PULLED = "kubernetes.io/dockerconfigjson"; // the type of a Secret that pulls read

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
      (facts.pulls ?? []).map((cluster) => this.pulls(cluster)),
      facts.vault?.length ? null : h("p", { class: "quiet" }, "There is nothing to see here.")); // prettier-ignore
  }

  path(entry) {
    const state = entry.state ? h("span", { class: "badge warn" }, entry.state) : null;
    const kv = h("span", { class: "side-note" }, `KV v${entry.kv}${entry.version ? `, version ${entry.version}` : ""}`);
    return h("section", { class: "world-path" },
      h("h3", {}, h("span", { class: "path" }, ...breakable(entry.path)), kv, state),
      h("dl", {}, (entry.fields ?? []).map((f) => this.field(entry.path, f)))); // prettier-ignore
  }

  // A cluster whose pods pull from ECR: its workloads, and the logins that they pull with.
  pulls(cluster) {
    const logins = cluster.pull_secrets.flatMap((secret) => secret.logins.map((login) => {
      const note = secret.type === PULLED ? (login.ok ? "the registry takes it" : "the registry refuses it") : `of type ${secret.type}`;
      return this.field(cluster.cluster, { name: `${secret.namespace}/${secret.name}`, fingerprint: login.fingerprint, note, ok: login.ok && secret.type === PULLED });
    }));
    return h("section", { class: "world-path" }, h("h3", {}, "Cluster ", cluster.cluster), h("dl", {}, cluster.workloads.map(workloadRow), logins));
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

function workloadRow(one) {
  const well = one.available >= one.wanted;
  const note = one.waiting.length ? one.waiting.join(", ") : well ? "" : "starting";
  return [
    h("dt", {}, ...breakable(`${one.namespace}/${one.name}`)),
    h("dd", {}, `${one.available} of ${one.wanted} pods`, note ? h("span", { class: `world-note ${well ? "" : "bad"}` }, note) : null),
  ]; // prettier-ignore
}

function clusterRow(cluster) {
  return h("section", { class: "world-path" }, h("h3", {}, "Cluster ", cluster.name ?? ""),
    h("dl", {}, (cluster.accepts ?? []).map((a) => [h("dt", {}, ...breakable(a.subject)), h("dd", {}, "accepts ", h("code", {}, a.fingerprint))]))); // prettier-ignore
}

// Long paths may break after a slash or a dash.
function breakable(text) {
  return String(text).split(/(?<=[/:-])/).flatMap((part) => [part, document.createElement("wbr")]);
}
