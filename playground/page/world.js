// What the outside systems hold, told by fingerprints: what it was when the page opened, and what it is now.

import { fill, h } from "./dom.js";

const PULLED = "kubernetes.io/dockerconfigjson"; // the type of a Secret that pulls read

const KEPT = "-before-hivekeeper"; // what a Secret was before the bot's last run

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
      (facts.grid ?? []).map((part) => this.part(part)),
      facts.mail?.length ? h("section", { class: "world-path" }, h("h3", {}, "Mail"), facts.mail.map(letter)) : null,
      facts.vault?.length ? null : h("p", { class: "quiet" }, "There is nothing to see here.")); // prettier-ignore
  }

  path(entry) {
    const state = entry.state ? h("span", { class: "badge warn" }, entry.state) : null;
    const kv = h("span", { class: "side-note" }, `KV v${entry.kv}${entry.version ? `, version ${entry.version}` : ""}`);
    return h("section", { class: "world-path" },
      h("h3", {}, h("span", { class: "path" }, ...breakable(entry.path)), kv, state),
      h("dl", {}, (entry.fields ?? []).map((f) => this.field(entry.path, f)))); // prettier-ignore
  }

  // A cluster: its workloads, the logins that its pods and its machines pull with, and how far its machines have them.
  pulls(cluster) {
    const logins = cluster.pull_secrets.filter((secret) => !secret.name.endsWith(KEPT)).flatMap((secret) => secret.logins.map((login) => {
      const note = secret.type === PULLED ? (login.ok ? "is accepted" : "is refused") : `of type ${secret.type}`;
      const at = secret.logins.length > 1 ? `, ${login.host}` : "";
      return this.field(cluster.cluster, { name: `${secret.namespace}/${secret.name}${at}`, fingerprint: login.fingerprint, note, ok: login.ok && secret.type === PULLED });
    }));
    return h("section", { class: "world-path" }, h("h3", {}, "Cluster ", cluster.cluster), h("dl", {}, cluster.workloads.map(workloadRow), logins, (cluster.pools ?? []).map(poolRow)));
  }

  part(part) {
    return h("section", { class: "world-path" }, h("h3", {}, part.title), h("dl", {}, part.fields.map((field) => this.field(part.title, field))));
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

function letter(mail) {
  return h("details", {}, h("summary", {}, `${mail.to}: ${mail.subject}`), h("p", { class: "letter" }, mail.body));
}

function workloadRow(one) {
  const well = one.available >= one.wanted;
  const note = one.waiting.length ? one.waiting.join(", ") : well ? "" : "starting";
  return [
    h("dt", {}, ...breakable(`${one.namespace}/${one.name}`)),
    h("dd", {}, `${one.available} of ${one.wanted} pods`, note ? h("span", { class: `world-note ${well ? "" : "bad"}` }, note) : null),
  ]; // prettier-ignore
}

function poolRow(one) {
  const note = [one.paused ? "paused" : "", one.degraded ? "degraded" : ""].filter(Boolean).join(", ");
  return [
    h("dt", {}, `pool ${one.name}`),
    h("dd", {}, `${one.updated} of ${one.machines} machines are up to date`, note ? h("span", { class: "world-note bad" }, note) : null),
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
