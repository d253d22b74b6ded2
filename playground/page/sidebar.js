// The left side: channels, the app, and who one is.

import { avatar, fill, h, icon, roving } from "./dom.js";
import { bot, people, state } from "./state.js";

// deeds: {channel(id), home(), actAs(user)}; at: {channel, home}
export function drawSidebar(node, at, deeds) {
  const key = JSON.stringify([at.channel, at.home, state.me, state.channels, people(), bot(), [...state.unread]]);
  if (node.dataset.drawn === key) return;
  node.dataset.drawn = key;
  const held = node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  draw(node, at, deeds);
  if (held) node.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}

function draw(node, at, deeds) {
  const app = bot();
  fill(node,
    group("Channels", state.channels.filter((c) => !c.is_im).map((c) => channel(c, at, deeds))),
    group("Apps", [
      item("home", at.home, deeds.home, avatar(app, "small"), `${app.real_name || app.name}`, h("span", { class: "side-note" }, "Home")),
      ...state.channels.filter((c) => c.is_im).map((c) => direct(c, at, deeds)),
    ]),
    acting(deeds)); // prettier-ignore
}

function group(title, items) {
  const list = h("ul", { class: "side-list" }, items.map((i) => h("li", {}, i)));
  roving(list, "button");
  return h("section", { class: "side-group" }, h("h2", {}, title), list);
}

function item(key, current, onclick, mark, name, note) {
  return h("button", { type: "button", class: "side-item", "aria-current": current ? "page" : null, onclick, dataset: { key } }, mark, h("span", { class: "side-name" }, name), note);
}

function channel(c, at, deeds) {
  const unread = state.unread.get(c.id) ?? 0;
  const note = unread ? h("span", { class: "unread", "aria-label": `${unread} unread` }, unread > 99 ? "99+" : String(unread)) : null;
  return item(c.id, !at.home && at.channel === c.id, () => deeds.channel(c.id), icon("hash"), c.name, note);
}

function direct(c, at, deeds) {
  const unread = state.unread.get(c.id) ?? 0;
  const note = unread ? h("span", { class: "unread", "aria-label": `${unread} unread` }, String(unread)) : h("span", { class: "side-note" }, "Messages");
  return item(c.id, !at.home && at.channel === c.id, () => deeds.channel(c.id), avatar(bot(), "small"), bot().real_name || bot().name, note);
}

function acting(deeds) {
  const list = h("div", { class: "people", role: "radiogroup", "aria-label": "Act as" }, people().map((u) => person(u, deeds)));
  roving(list, "button");
  return h("section", { class: "side-group act-as" }, h("h2", {}, "Act as"), list);
}

function person(user, deeds) {
  const me = user.id === state.me;
  const about = state.people.get(user.id) ?? {};
  return h("button", { type: "button", class: "person", role: "radio", "aria-checked": String(me), onclick: () => deeds.actAs(user.id), dataset: { key: user.id } },
    avatar(user),
    h("span", { class: "person-words" },
      h("span", { class: "person-name" }, user.real_name || user.name, me ? h("span", { class: "you" }, "you") : null),
      h("span", { class: "person-title" }, user.title ?? ""),
      about.badge ? h("span", { class: "badge may" }, icon("check"), about.badge) : null)); // prettier-ignore
}
