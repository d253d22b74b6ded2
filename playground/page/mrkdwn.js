// Slack's mrkdwn, read into nodes. Foreign text can only ever become text, a link that is safe to follow, or a name.

import { drawn } from "./art.js";
import { h, link } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const STYLES = { "*": "strong", "_": "em", "~": "s" };

export function unescape(text) {
  return text.replace(/&(?:amp|lt|gt);/g, (found) => ENTITIES[found]);
}

// A text object of Block Kit.
export function text(object, names) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text, names);
  const plain = unescape(object.text ?? "");
  return drawn(object.emoji === false ? plain : withEmoji(plain));
}

// names: {user(id), channel(id), group(id)} -> a name or null
export function mrkdwn(text, names) {
  return String(text ?? "").split("```").flatMap((part, n, all) => {
    const closed = n % 2 === 1 && n < all.length - 1;
    if (closed) return [h("pre", { class: "code" }, unescape(part.replace(/^\n|\n$/g, "")))];
    return paragraphs(n % 2 === 1 ? "```" + part : trimmed(part, n, all), names);
  });
}

function trimmed(part, n, all) {
  const text = n > 0 ? part.replace(/^\n/, "") : part;
  return n < all.length - 1 ? text.replace(/\n$/, "") : text;
}

function paragraphs(text, names) {
  if (!text) return [];
  const nodes = [];
  let quote = null;
  for (const [n, line] of text.split("\n").entries()) {
    const quoted = /^(?:&gt;|>) ?/.exec(line);
    if (quoted) {
      if (!quote) nodes.push((quote = h("blockquote")));
      else quote.append("\n");
      quote.append(...inline(line.slice(quoted[0].length), names));
    } else {
      if (n > 0 && !quote) nodes.push("\n");
      quote = null;
      nodes.push(...inline(line, names));
    }
  }
  return nodes;
}

// One line: references, code, emoji, bare addresses, then the three paired marks.
const TOKEN = /<([^<>\n]+)>|`([^`\n]+)`|:([a-z0-9_+-]+):|(https?:\/\/[^\s<>|]+)|([*_~])/g;

export function inline(line, names) {
  const nodes = [];
  let at = 0;
  TOKEN.lastIndex = 0;
  const take = (upTo) => { if (upTo > at) nodes.push(...drawn(unescape(line.slice(at, upTo)))); };
  for (let found; (found = TOKEN.exec(line)); ) {
    const made = token(found, line, names);
    if (!made) { if (found[5]) TOKEN.lastIndex = found.index + 1; continue; }
    take(found.index);
    nodes.push(made.node);
    at = TOKEN.lastIndex = made.end;
  }
  take(line.length);
  return nodes;
}

function token(found, line, names) {
  const end = found.index + found[0].length;
  if (found[1]) return { node: reference(found[1], names), end };
  if (found[2]) return { node: h("code", {}, unescape(found[2])), end };
  if (found[3]) return emoji(found[3]) ? { node: glyph(found[3]), end } : null;
  if (found[4]) return { node: link(unescape(found[4]), unescape(found[4])), end };
  return paired(found, line, names);
}

export function glyph(name) {
  const sign = emoji(name);
  return sign ? h("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " "), title: `:${name}:` }, drawn(sign)) : `:${name}:`;
}

function paired(found, line, names) {
  const mark = found[5];
  const from = found.index;
  const opens = /^$|[\s(["'“.,;:!?/—–*_~-]/.test(line[from - 1] ?? "") && /\S/.test(line[from + 1] ?? "");
  if (!opens || line[from + 1] === mark) return null;
  for (let to = line.indexOf(mark, from + 2); to > 0; to = line.indexOf(mark, to + 1)) {
    const closes = /\S/.test(line[to - 1]) && !/[\p{L}\p{N}]/u.test(line[to + 1] ?? "");
    if (closes) {
      const rest = TOKEN.lastIndex;
      const node = h(STYLES[mark], {}, inline(line.slice(from + 1, to), names));
      TOKEN.lastIndex = rest;
      return { node, end: to + 1 };
    }
  }
  return null;
}

function reference(inside, names) {
  const bar = inside.indexOf("|");
  const target = bar < 0 ? inside : inside.slice(0, bar);
  const label = bar < 0 ? null : unescape(inside.slice(bar + 1));
  if (target.startsWith("@")) return mention("@", names.user(target.slice(1)) ?? label ?? target.slice(1));
  if (target.startsWith("#")) return mention("#", names.channel(target.slice(1)) ?? label ?? target.slice(1));
  if (target.startsWith("!subteam^")) return mention("", names.group(target.slice(9)) ?? label ?? "@group");
  if (target.startsWith("!date^")) return date(target.slice(6), label);
  if (/^!(here|channel|everyone)$/.test(target)) return mention("@", target.slice(1), "loud");
  if (/^(https?:|mailto:)/.test(target)) return link(unescape(target), label ?? unescape(target));
  return document.createTextNode(`<${unescape(inside)}>`);
}

export function mention(sign, name, kind = "") {
  return h("span", { class: `mention ${kind}` }, sign + name);
}

const DAY = { year: "numeric", month: "long", day: "numeric" };
const FORMATS = {
  date_num: (d) => d.toLocaleDateString("sv"),
  date: (d) => d.toLocaleDateString([], DAY),
  date_short: (d) => d.toLocaleDateString([], { ...DAY, month: "short" }),
  date_long: (d) => d.toLocaleDateString([], { ...DAY, weekday: "long" }),
  time: (d) => d.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
  time_secs: (d) => d.toLocaleTimeString(),
};

// seconds^format^link|fallback
export function date(inside, fallback) {
  const [seconds, format = "{date}", href] = inside.split("^");
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return document.createTextNode(fallback ?? inside);
  const text = format.replace(/\{(\w+?)(_pretty)?\}/g, (whole, name, pretty) => {
    if (name === "ago") return ago(when);
    const near = pretty && nearby(when);
    return near || (Object.hasOwn(FORMATS, name) ? FORMATS[name](when) : whole);
  });
  const node = h("time", { datetime: when.toISOString(), title: when.toString() }, text);
  return href ? link(href, node) : node;
}

function nearby(when) {
  const days = Math.round((new Date(when).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000);
  return { 0: "today", 1: "tomorrow", "-1": "yesterday" }[days];
}

function ago(when) {
  const minutes = Math.round((when - Date.now()) / 60000);
  return new Intl.RelativeTimeFormat([], { numeric: "auto" }).format(minutes, "minute");
}
