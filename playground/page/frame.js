// The frame around it all: drawers on a small window, tabs, light and dark, Escape.

import { fill, h, icon, roving } from "./dom.js";

const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 760px)");
const wide = matchMedia("(min-width: 1180px)");
const roomy = matchMedia("(min-width: 1560px)"); // enough for channel, thread and tools side by side

export class Frame {
  constructor({ closedThread }) {
    this.closedThread = closedThread;
    fill($("open-sidebar"), icon("menu")).onclick = () => this.drawer("sidebar", true);
    fill($("open-tools"), icon("tools")).onclick = () => this.drawer("tools", !this.isOpen("tools"));
    fill($("close-tools"), icon("close")).onclick = () => this.drawer("tools", false);
    fill($("close-thread"), icon("close")).onclick = () => this.hideThread();
    $("veil").onclick = () => this.closeDrawers();
    document.addEventListener("keydown", (event) => this.key(event));
    theme();
    this.drawer("tools", wide.matches);
    narrow.addEventListener("change", () => this.closeDrawers());
  }

  key(event) {
    if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (!$("veil").hidden) this.closeDrawers();
    else if (!$("thread").hidden) this.hideThread();
  }

  isOpen(name) {
    return $("frame").classList.contains(`${name}-open`);
  }

  drawer(name, open) {
    const had = this.isOpen(name);
    $("frame").classList.toggle(`${name}-open`, open);
    const opener = $(`open-${name}`);
    opener.setAttribute("aria-expanded", String(open));
    const over = (name === "sidebar" && narrow.matches) || (name === "tools" && !wide.matches);
    $("veil").hidden = !(open && over);
    $("main").inert = !$("veil").hidden;
    if (open && over) ($(name).querySelector('[tabindex="0"], button') ?? $(name)).focus();
    else if (had && !open && over) opener.focus();
  }

  closeDrawers() {
    if (narrow.matches || this.isOpen("sidebar")) this.drawer("sidebar", false);
    if (!wide.matches) this.drawer("tools", false);
  }

  showChannel() {
    this.closeDrawers();
  }

  showThread() {
    this.putAway = this.isOpen("tools") && !roomy.matches;
    if (this.putAway) this.drawer("tools", false);
    $("thread").hidden = false;
    $("frame").classList.add("thread-open");
  }

  hideThread() {
    $("thread").hidden = true;
    $("frame").classList.remove("thread-open");
    if (this.putAway && wide.matches) this.drawer("tools", true);
    this.putAway = false;
    this.closedThread();
  }

  // {name: node}
  tabs(panels) {
    const all = Object.entries(panels).map(([name, node], n) => {
      const tab = h("button", { type: "button", role: "tab", id: `tab-${n}`, "aria-controls": `panel-${n}`, "aria-selected": String(n === 0) }, name);
      const panel = h("div", { role: "tabpanel", id: `panel-${n}`, "aria-labelledby": `tab-${n}`, class: "tool-panel", hidden: n !== 0, tabindex: "0" }, node);
      return { tab, panel };
    });
    for (const { tab, panel } of all) {
      tab.addEventListener("focus", () => tab.click());
      tab.addEventListener("click", () => all.forEach((o) => { o.panel.hidden = o.panel !== panel; o.tab.setAttribute("aria-selected", String(o.tab === tab)); }));
    }
    fill($("tabs"), all.map((a) => a.tab));
    fill($("tool-panels"), all.map((a) => a.panel));
    roving($("tabs"), "button");
  }
}

function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => localStorage.getItem("playground.theme") ?? (dark.matches ? "dark" : "light");
  const show = () => {
    document.documentElement.dataset.theme = now();
    fill($("theme"), icon(now() === "dark" ? "sun" : "moon"));
  };
  $("theme").onclick = () => { localStorage.setItem("playground.theme", now() === "dark" ? "light" : "dark"); show(); };
  dark.addEventListener("change", show);
  show();
}
