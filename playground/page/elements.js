// Things to click in a message, a modal or the Home tab. Each tells `context.act` what was chosen.

import { confirmed } from "./confirm.js";
import { h, icon, safeUrl } from "./dom.js";
import { choiceList, selectOf } from "./inputs.js";
import { text } from "./mrkdwn.js";

const ELEMENTS = {
  button,
  static_select: (e, b, c) => select(e, b, c, false),
  multi_static_select: (e, b, c) => choices(e, b, c, "checkbox"),
  overflow,
  checkboxes: (e, b, c) => choices(e, b, c, "checkbox"),
  radio_buttons: (e, b, c) => choices(e, b, c, "radio"),
  image: (e) => picture(e, "thumb"),
};

export function element(item, block, context) {
  const make = Object.hasOwn(ELEMENTS, item.type) ? ELEMENTS[item.type] : null;
  return make ? make(item, block, context) : h("span", { class: "b-unknown" }, `[${item.type}]`);
}

export function picture(item, kind) {
  const src = safeUrl(item.image_url ?? item.slack_file?.url ?? "");
  return src ? h("img", { src, alt: item.alt_text ?? "", class: `picture ${kind}`, loading: "lazy" }) : h("span", {}, `[${item.alt_text ?? "image"}]`);
}

async function act(item, block, context, chosen, trigger) {
  if (item.confirm && !(await confirmed(item.confirm, context.names))) return trigger?.focus();
  trigger?.classList.add("busy");
  trigger?.setAttribute("aria-busy", "true");
  try {
    await context.act({ block_id: block.block_id, action_id: item.action_id, ...chosen });
  } finally {
    trigger?.classList.remove("busy");
    trigger?.removeAttribute("aria-busy");
  }
}

function button(item, block, context) {
  const style = ["primary", "danger"].includes(item.style) ? item.style : "plain";
  const node = h("button", { type: "button", class: `button ${style}`, "aria-label": item.accessibility_label ?? null, dataset: { actionId: item.action_id ?? "" } }, text(item.text, context.names));
  node.addEventListener("click", () => {
    if (node.classList.contains("busy")) return;
    if (item.url) window.open(item.url, "_blank", "noopener,noreferrer");
    act(item, block, context, { value: item.value }, node);
  });
  return node;
}

function select(item, block, context) {
  const node = selectOf(item, context, item.initial_option?.value);
  node.addEventListener("change", () => act(item, block, context, { selected: node.value || null }, node));
  return node;
}

function choices(item, block, context, type) {
  const many = type === "checkbox";
  const picked = many ? (item.initial_options ?? []).map((o) => o.value) : [item.initial_option?.value];
  const list = choiceList(item, block, context, type, picked);
  list.addEventListener("change", () => {
    const values = [...list.querySelectorAll("input:checked")].map((i) => i.value);
    act(item, block, context, many ? { selected_options: values } : { selected: values[0] });
  });
  return list;
}

function overflow(item, block, context) {
  const menu = h("div", { class: "menu", role: "menu", hidden: true });
  const opener = h("button", { type: "button", class: "button plain square", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": "More actions" }, icon("more"));
  const show = (open) => {
    menu.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    if (open) menu.firstElementChild?.focus();
  };
  for (const option of item.options ?? []) {
    const choose = () => { show(false); act(item, block, context, { selected: option.value }, opener); };
    menu.append(h("button", { type: "button", role: "menuitem", onclick: choose }, text(option.text, context.names)));
  }
  opener.addEventListener("click", () => show(menu.hidden));
  const wrap = h("span", { class: "menu-wrap" }, opener, menu);
  wrap.addEventListener("focusout", (e) => { if (!wrap.contains(e.relatedTarget)) show(false); });
  wrap.addEventListener("keydown", (e) => menuKey(e, menu, () => { show(false); opener.focus(); }));
  return wrap;
}

function menuKey(event, menu, close) {
  if (menu.hidden) return;
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  if (event.key === "Escape") { event.stopPropagation(); close(); }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) { event.preventDefault(); items[(at + step + items.length) % items.length].focus(); }
}
