// A list of messages that changes in place: only what is new or different is drawn again.

import { blocks } from "./blockkit.js";
import { avatar, clock, h, icon } from "./dom.js";
import { glyph, mrkdwn } from "./mrkdwn.js";
import { author, names, replies } from "./state.js";

// deeds: {act(message, payload), thread(ts)}; `channel` may change through `show`.
export class MessageList {
  constructor(node, deeds, { inThread = false } = {}) {
    this.node = node;
    this.deeds = deeds;
    this.inThread = inThread;
    this.drawn = new Map();
    this.channel = null;
  }

  show(channel, list) {
    if (channel !== this.channel) this.clear();
    this.channel = channel;
    const atEnd = this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < 120;
    const wanted = new Set(list.map((m) => m.ts));
    for (const [ts, { row }] of this.drawn) if (!wanted.has(ts)) this.forget(ts, row);
    let last = null;
    list.forEach((message, n) => { last = this.place(message, list[n - 1], last); });
    if (atEnd) this.node.scrollTop = this.node.scrollHeight;
  }

  clear() {
    this.drawn.clear();
    this.node.replaceChildren();
  }

  forget(ts, row) {
    row.remove();
    this.drawn.delete(ts);
  }

  place(message, before, after) {
    const answers = this.inThread ? [] : replies(this.channel, message.ts);
    const key = JSON.stringify([message, answers.length, answers.at(-1)?.ts, grouped(message, before)]);
    let known = this.drawn.get(message.ts);
    if (known?.key !== key) {
      const row = this.draw(message, answers, before);
      const held = known?.row.contains(document.activeElement) ? document.activeElement.dataset.actionId : undefined;
      known?.row.replaceWith(row);
      if (held !== undefined) (row.querySelector(held && `[data-action-id="${CSS.escape(held)}"]`) ?? row).focus?.();
      known = { key, row };
      this.drawn.set(message.ts, known);
    }
    const sibling = after ? after.nextSibling : this.node.firstChild;
    if (sibling !== known.row) this.node.insertBefore(known.row, sibling);
    return known.row;
  }

  draw(message, answers, before) {
    const who = author(message);
    const joined = grouped(message, before);
    const label = `${who.real_name || who.name}, ${clock(message.ts)}${message.ephemeral ? ", only visible to you" : ""}`;
    const head = joined ? null : h("div", { class: "m-head" },
      h("span", { class: "m-name" }, message.username || who.real_name || who.name),
      who.is_bot || message.bot_id ? h("span", { class: "badge app" }, "APP") : null,
      time(message)); // prettier-ignore
    const row = h("li", { class: `message ${message.ephemeral ? "ephemeral" : ""} ${joined ? "joined" : ""}`, tabindex: "-1", "aria-label": label, dataset: { ts: message.ts } },
      h("div", { class: "m-side" }, joined ? time(message) : avatar(who)),
      h("div", { class: "m-main" },
        message.ephemeral ? h("div", { class: "m-private" }, icon("eye"), "Only visible to you") : null,
        head, this.body(message), this.reactions(message), this.summary(message, answers))); // prettier-ignore
    return row;
  }

  body(message) {
    const context = { names, act: (payload) => this.deeds.act(this.channel, message, payload) };
    const edited = message.edited ? h("span", { class: "m-edited" }, " (edited)") : null;
    const attached = (message.attachments ?? []).map((a) => attachment(a, context));
    const files = (message.files ?? []).map(file);
    const words = message.blocks?.length ? blocks(message.blocks, context) : h("div", { class: "m-text" }, mrkdwn(message.text, names));
    return [words, attached, files, edited];
  }

  reactions(message) {
    if (!message.reactions?.length) return null;
    return h("div", { class: "m-reactions" }, message.reactions.map((r) => h("span", { class: "reaction" }, glyph(r.name), ` ${r.count ?? r.users?.length ?? 1}`)));
  }

  summary(message, answers) {
    const count = Math.max(answers.length, message.reply_count ?? 0);
    if (this.inThread || !count) return null;
    const faces = [...new Set(answers.map((a) => author(a)))].slice(0, 3).map((who) => avatar(who, "small"));
    const latest = answers.at(-1) ? h("span", { class: "m-last" }, `last ${clock(answers.at(-1).ts)}`) : null;
    return h("button", { type: "button", class: "m-replies", onclick: () => this.deeds.thread(message.ts), dataset: { actionId: "thread" } },
      faces, h("span", { class: "m-count" }, `${count} ${count === 1 ? "reply" : "replies"}`), latest); // prettier-ignore
  }
}

function time(message) {
  const when = new Date(Number(message.ts) * 1000);
  return h("time", { class: "m-time", datetime: when.toISOString(), title: when.toString() }, clock(message.ts));
}

// Messages of one author within five minutes stand under one name.
function grouped(message, before) {
  if (!before || message.ephemeral || before.ephemeral) return false;
  const same = (message.user ?? message.bot_id) === (before.user ?? before.bot_id) && message.username === before.username;
  return same && Number(message.ts) - Number(before.ts) < 300 && !message.blocks?.length;
}

function attachment(a, context) {
  const node = h("div", { class: "attachment" },
    a.pretext ? h("div", {}, mrkdwn(a.pretext, names)) : null,
    a.title ? h("div", { class: "attachment-title" }, mrkdwn(a.title, names)) : null,
    a.text ? h("div", {}, mrkdwn(a.text, names)) : null,
    (a.fields ?? []).map((f) => h("div", { class: "b-field" }, h("strong", {}, f.title ?? ""), h("br"), mrkdwn(f.value, names))),
    a.blocks ? blocks(a.blocks, context) : null); // prettier-ignore
  const color = { good: "#2f8f5b", warning: "#c98a1b", danger: "#c4314b" }[a.color] ?? a.color ?? "";
  if (/^#?[0-9a-f]{6}$/i.test(color)) node.style.borderLeftColor = color.startsWith("#") ? color : `#${color}`;
  return node;
}

// A picture is shown from this page's own server, whatever address it was asked for under.
function file(f) {
  if (/^image\//.test(f.mimetype ?? "") && f.url_private) {
    const src = new URL(f.url_private, location.href).pathname;
    return h("figure", { class: "b-image" },
      h("figcaption", {}, f.title || f.name),
      h("a", { href: src, target: "_blank", rel: "noopener" }, h("img", { src, alt: f.alt_txt || f.title || "", class: "picture wide" }))); // prettier-ignore
  }
  return h("div", { class: "file" }, f.title || f.name || "file", f.mimetype ? h("span", { class: "file-type" }, f.mimetype) : null);
}

