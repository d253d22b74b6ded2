// Block Kit: one block in, one node out. `context` says where the blocks are and how to act from there:
// {names, act(payload), errors: {block_id: sentence}, values: {block_id: {action_id: state}}}

import { h } from "./dom.js";
import { element, picture } from "./elements.js";
import { input } from "./inputs.js";
import { text } from "./mrkdwn.js";
import { markdown, richText, table } from "./richtext.js";

const BLOCKS = {
  header: (b, c) => h("h3", { class: "b-header" }, text(b.text, c.names)),
  divider: () => h("hr", { class: "b-divider" }),
  section,
  context: (b, c) => h("div", { class: "b-context" }, (b.elements ?? []).map((e) => contextItem(e, c))),
  actions: (b, c) => h("div", { class: "b-actions" }, (b.elements ?? []).map((e) => element(e, b, c))),
  rich_text: (b, c) => richText(b, c.names),
  markdown: (b) => markdown(b.text),
  table: (b, c) => table(b, c.names),
  image,
  input,
  alert: (b, c) => h("div", { class: `b-alert ${["error", "warning", "success", "info"].includes(b.level) ? b.level : ""}`, role: "note" }, text(b.text, c.names)),
};

export function blocks(list, context) {
  return h("div", { class: "blocks" }, (list ?? []).map((block) => one(block, context)));
}

function one(block, context) {
  const make = Object.hasOwn(BLOCKS, block.type) ? BLOCKS[block.type] : null;
  const node = make ? make(block, context) : h("div", { class: "b-unknown" }, `This page cannot draw a block of type ${block.type}.`);
  node.dataset.blockId = block.block_id ?? "";
  node.classList.add("block");
  return node;
}

function section(block, context) {
  const words = block.text ? h("div", { class: "b-text" }, text(block.text, context.names)) : null;
  const fields = block.fields?.length
    ? h("div", { class: "b-fields" }, block.fields.map((f) => h("div", { class: "b-field" }, text(f, context.names))))
    : null;
  const side = block.accessory ? h("div", { class: "b-accessory" }, element(block.accessory, block, context)) : null;
  return h("div", { class: "b-section" }, h("div", { class: "b-body" }, words, fields), side);
}

function contextItem(item, context) {
  if (item.type === "image") return picture(item, "tiny");
  return h("span", { class: "b-context-text" }, text(item, context.names));
}

function image(block, context) {
  const title = block.title ? h("figcaption", {}, text(block.title, context.names)) : null;
  return h("figure", { class: "b-image" }, title, picture(block, "wide"));
}
