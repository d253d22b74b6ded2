// Input blocks of a modal: drawing them, and reading what was typed as Slack would send it.

import { h } from "./dom.js";
import { text } from "./mrkdwn.js";

let count = 0;

export function input(block, context) {
  const id = `input-${++count}`;
  const field = control(block.element ?? {}, block, context, id);
  const error = context.errors?.[block.block_id];
  const grouped = field.matches("fieldset,.choices");
  const label = text(block.label, context.names);
  const optional = block.optional ? h("span", { class: "optional" }, " (optional)") : null;
  const hint = block.hint ? h("p", { class: "hint", id: `${id}-hint` }, text(block.hint, context.names)) : null;
  const told = h("p", { class: "field-error", id: `${id}-error`, role: error ? "alert" : null, hidden: !error }, error ?? "");
  if (grouped) field.setAttribute("aria-labelledby", `${id}-label`);
  const target = grouped ? field : field.matches("input,select,textarea") ? field : field.querySelector("input,select,textarea");
  target?.setAttribute("aria-describedby", [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(" "));
  if (error) target?.setAttribute("aria-invalid", "true");
  if (!block.optional && !grouped) target?.setAttribute("aria-required", "true");
  return h("div", { class: `b-input ${error ? "wrong" : ""}` }, h("label", { for: grouped ? null : id, id: `${id}-label` }, label, optional), field, told, hint);
}

function control(item, block, context, id) {
  const before = context.values?.[block.block_id]?.[item.action_id];
  const make = Object.hasOwn(CONTROLS, item.type) ? CONTROLS[item.type] : CONTROLS.plain_text_input;
  const node = make(item, before, context, id, block);
  node.dataset.blockId = block.block_id ?? "";
  node.dataset.actionId = item.action_id ?? "";
  node.dataset.type = item.type;
  if (block.dispatch_action) node.addEventListener("change", () => context.act({ block_id: block.block_id, action_id: item.action_id, ...chosen(node) }));
  return node;
}

const typed = (type, extra = {}) => (item, before, context, id) =>
  h("input", { id, type, ...extra, class: "field", value: before?.value ?? before?.selected_date ?? before?.selected_time ?? item.initial_value ?? item.initial_date ?? item.initial_time ?? "",
    placeholder: item.placeholder?.text ?? null, maxlength: item.max_length ?? null, min: item.min_value ?? null, max: item.max_value ?? null, autocomplete: "off" }); // prettier-ignore

const CONTROLS = {
  plain_text_input: (item, before, context, id) => {
    if (!item.multiline) return typed("text")(item, before, context, id);
    return h("textarea", { id, rows: 4, class: "field", value: before?.value ?? item.initial_value ?? "", placeholder: item.placeholder?.text ?? null, maxlength: item.max_length ?? null });
  },
  number_input: typed("text", { inputmode: "decimal" }),
  email_text_input: typed("email"),
  url_text_input: typed("url"),
  datepicker: typed("date"),
  timepicker: typed("time"),
  static_select: (item, before, context, id) => {
    const node = selectOf(item, context, before?.selected_option?.value ?? item.initial_option?.value);
    node.id = id;
    return node;
  },
  multi_static_select: (item, before, context, id, block) => choiceList(item, block, context, "checkbox", picked(item, before)),
  checkboxes: (item, before, context, id, block) => choiceList(item, block, context, "checkbox", picked(item, before)),
  radio_buttons: (item, before, context, id, block) => choiceList(item, block, context, "radio", [before?.selected_option?.value ?? item.initial_option?.value]),
};

function picked(item, before) {
  return (before?.selected_options ?? item.initial_options ?? []).map((o) => o.value);
}

export function optionsOf(item) {
  return item.options ?? (item.option_groups ?? []).flatMap((group) => group.options ?? []);
}

export function selectOf(item, context, value) {
  const option = (o) => h("option", { value: o.value }, text(o.text, context.names));
  const groups = (item.option_groups ?? []).map((g) => h("optgroup", { label: g.label?.text ?? "" }, (g.options ?? []).map(option)));
  const none = h("option", { value: "" }, item.placeholder?.text ?? "Choose…");
  const node = h("select", { class: "field select", "aria-label": item.placeholder?.text ?? "Choose" }, none, groups.length ? groups : (item.options ?? []).map(option));
  node.value = value ?? "";
  node.choices = optionsOf(item);
  return node;
}

export function choiceList(item, block, context, type, values) {
  const name = `choice-${++count}`;
  const rows = optionsOf(item).map((o) => {
    const box = h("input", { type, name, value: o.value, checked: values.includes(o.value) });
    const more = o.description ? h("span", { class: "choice-more" }, text(o.description, context.names)) : null;
    return h("label", { class: "choice" }, box, h("span", {}, text(o.text, context.names), more));
  });
  const node = h("div", { class: "choices", role: type === "radio" ? "radiogroup" : "group" }, rows);
  node.choices = optionsOf(item);
  return node;
}

function chosen(node) {
  const now = stateOf(node);
  return { value: now.value, selected: now.selected_option?.value, selected_options: now.selected_options?.map((o) => o.value) };
}

// {values: {block_id: {action_id: {type, …}}}}
export function readState(form) {
  const values = {};
  for (const node of form.querySelectorAll("[data-type][data-action-id]")) {
    (values[node.dataset.blockId] ??= {})[node.dataset.actionId] = stateOf(node);
  }
  return { values };
}

function stateOf(node) {
  const type = node.dataset.type;
  const option = (value) => node.choices?.find((o) => o.value === value) ?? null;
  if (type === "static_select") return { type, selected_option: option(node.value) };
  if (type === "radio_buttons") return { type, selected_option: option(node.querySelector("input:checked")?.value) };
  if (node.choices) return { type, selected_options: [...node.querySelectorAll("input:checked")].map((i) => option(i.value)) };
  if (type === "datepicker") return { type, selected_date: node.value || null };
  if (type === "timepicker") return { type, selected_time: node.value || null };
  return { type, value: node.value === "" ? null : node.value };
}
