// rich_text, markdown and table blocks.

import { drawn } from "./art.js";
import { h, link } from "./dom.js";
import { date, glyph, mention } from "./mrkdwn.js";

// --- rich_text -------------------------------------------------------------------------------------------

const CONTAINERS = {
  rich_text_section: (e, names) => h("div", { class: "rich-section" }, leaves(e, names)),
  rich_text_preformatted: (e, names) => h("pre", { class: "code" }, leaves(e, names)),
  rich_text_quote: (e, names) => h("blockquote", {}, leaves(e, names)),
  rich_text_list: (e, names) => {
    const items = (e.elements ?? []).map((item) => h("li", {}, leaves(item, names)));
    return h(e.style === "ordered" ? "ol" : "ul", { class: `rich-list indent-${Math.min(e.indent ?? 0, 4)}`, start: e.offset ? e.offset + 1 : null }, items);
  },
};

export function richText(block, names) {
  return h("div", { class: "rich" }, (block.elements ?? []).map((e) => CONTAINERS[e.type]?.(e, names)));
}

function leaves(container, names) {
  return (container.elements ?? []).map((leaf) => styled(LEAVES[leaf.type]?.(leaf, names) ?? `[${leaf.type}]`, leaf.style));
}

const LEAVES = {
  text: (l) => drawn(l.text),
  link: (l) => link(l.url, l.text ?? l.url),
  emoji: (l) => glyph(l.name),
  user: (l, names) => mention("@", names.user(l.user_id) ?? l.user_id),
  usergroup: (l, names) => mention("", names.group(l.usergroup_id) ?? "@group"),
  channel: (l, names) => mention("#", names.channel(l.channel_id) ?? l.channel_id),
  broadcast: (l) => mention("@", l.range, "loud"),
  date: (l) => date(`${l.timestamp}^${l.format ?? "{date}"}`, l.fallback),
  color: (l) => l.value,
};

function styled(node, style = {}) {
  const wraps = [["bold", "strong"], ["italic", "em"], ["strike", "s"], ["underline", "u"], ["code", "code"]];
  return wraps.reduce((inner, [key, tag]) => (style?.[key] ? h(tag, {}, inner) : inner), node);
}

// --- markdown: a small, safe subset ----------------------------------------------------------------------

export function markdown(text) {
  const nodes = [];
  const lines = String(text ?? "").split("\n");
  while (lines.length) nodes.push(...blockOf(lines));
  return h("div", { class: "rich markdown" }, nodes);
}

function blockOf(lines) {
  const line = lines.shift();
  if (!line.trim()) return [];
  const heading = /^(#{1,6})\s+(.*)/.exec(line);
  if (line.startsWith("```")) return [h("pre", { class: "code" }, until(lines, (l) => l.startsWith("```")).join("\n"))];
  if (heading) return [h("p", { class: `md-heading level-${heading[1].length}` }, spans(heading[2]))];
  if (/^(---+|\*\*\*+)$/.test(line.trim())) return [h("hr")];
  if (/^>/.test(line)) return [h("blockquote", {}, run(lines, line, /^> ?/).map(brOf))];
  if (/^\s*[-*+] /.test(line)) return [h("ul", {}, run(lines, line, /^\s*[-*+] /).map((l) => h("li", {}, spans(l))))];
  if (/^\s*\d+[.)] /.test(line)) return [h("ol", {}, run(lines, line, /^\s*\d+[.)] /).map((l) => h("li", {}, spans(l))))];
  if (/^\|.*\|\s*$/.test(line)) return [mdTable(run(lines, line, /^\|/))];
  return [h("p", {}, spans(line))];
}

function until(lines, ends) {
  const taken = [];
  while (lines.length && !ends(lines[0])) taken.push(lines.shift());
  lines.shift();
  return taken;
}

function run(lines, first, mark) {
  const taken = [first.replace(mark, "")];
  while (lines.length && mark.test(lines[0])) taken.push(lines.shift().replace(mark, ""));
  return taken;
}

function brOf(line, n) {
  return [n ? h("br") : null, spans(line)];
}

function mdTable(rows) {
  const cells = rows.filter((r) => !/^[\s|:-]+$/.test(r)).map((r) => r.replace(/\|\s*$/, "").split("|").map((c) => spans(c.trim())));
  return grid(cells);
}

const SPAN = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|~~([^~]+)~~|\*([^*\s][^*]*)\*|\b_([^_]+)_\b|\[([^\]]+)\]\(([^)\s]+)\)|:([a-z0-9_+-]+):/g;

function spans(text) {
  const nodes = [];
  let at = 0;
  for (const m of text.matchAll(SPAN)) {
    nodes.push(text.slice(at, m.index), spanOf(m));
    at = m.index + m[0].length;
  }
  return [...nodes, text.slice(at)];
}

function spanOf([, code, bold, bold2, strike, italic, italic2, label, url, name]) {
  if (code) return h("code", {}, code);
  if (bold ?? bold2) return h("strong", {}, spans(bold ?? bold2));
  if (strike) return h("s", {}, spans(strike));
  if (italic ?? italic2) return h("em", {}, spans(italic ?? italic2));
  if (label) return link(url, label);
  return glyph(name);
}

// --- table -----------------------------------------------------------------------------------------------

export function table(block, names) {
  const settings = block.column_settings ?? [];
  const rows = (block.rows ?? []).map((row) => row.map((cell) => cellOf(cell, names)));
  return grid(rows, settings.map((s) => s?.align));
}

function cellOf(cell, names) {
  if (cell.type === "rich_text") return richText(cell, names);
  return drawn(String(cell.text ?? cell.value ?? ""));
}

function grid([head = [], ...rows], align = []) {
  const cell = (tag) => (content, n) => h(tag, { class: align[n] ? `to-${align[n]}` : null, scope: tag === "th" ? "col" : null }, content);
  return h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Table" },
    h("table", {}, h("thead", {}, h("tr", {}, head.map(cell("th")))), h("tbody", {}, rows.map((r) => h("tr", {}, r.map(cell("td"))))))); // prettier-ignore
}
