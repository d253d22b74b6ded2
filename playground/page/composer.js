// Where one types: a growing text field, and the list of slash commands that opens on "/".

import { h, icon } from "./dom.js";
import { state } from "./state.js";

let count = 0;

// deeds: {send(text), command(command, text)}; both may throw, and then the text stays.
export function composer(deeds, { label, placeholder, commands = true }) {
  const id = `completion-${++count}`;
  const list = h("ul", { class: "completion", role: "listbox", id, "aria-label": "Commands", hidden: true });
  const field = h("textarea", { rows: 1, class: "composer-field", "aria-label": label, placeholder, role: commands ? "combobox" : null, "aria-autocomplete": commands ? "list" : null, "aria-controls": commands ? id : null, "aria-expanded": commands ? "false" : null, spellcheck: "false", autocapitalize: "none" });
  const send = h("button", { type: "submit", class: "icon-button send", "aria-label": "Send", disabled: true }, icon("send"));
  const usage = h("div", { class: "usage", "aria-live": "polite" });
  const form = h("form", { class: "composer" }, list, h("div", { class: "composer-box" }, field, send), usage);
  let found = [];
  let at = 0;

  const refresh = () => {
    send.disabled = !field.value.trim();
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, 160)}px`;
    found = commands ? matching(field.value) : [];
    at = Math.min(at, Math.max(found.length - 1, 0));
    draw();
    usage.replaceChildren(...hint(field.value, found));
  };
  const draw = () => {
    list.hidden = !found.length;
    field.setAttribute("aria-expanded", String(found.length > 0));
    list.replaceChildren(...found.map((c, n) => option(c, n, `${id}-${n}`, n === at, () => take(n))));
    const active = found.length ? `${id}-${at}` : null;
    if (active) { field.setAttribute("aria-activedescendant", active); list.children[at].scrollIntoView({ block: "nearest" }); }
    else field.removeAttribute("aria-activedescendant");
  };
  const take = (n) => {
    field.value = `${found[n].command} `;
    field.focus();
    refresh();
  };
  const close = () => { found = []; draw(); };

  field.addEventListener("input", () => { at = 0; refresh(); });
  field.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== field) close(); }, 120));
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const open = found.length > 0;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (open && step) { event.preventDefault(); at = (at + step + found.length) % found.length; draw(); }
    else if (open && event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); }
    else if (open && (event.key === "Tab" || event.key === "Enter") && !event.shiftKey) { event.preventDefault(); take(at); }
    else if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const typed = field.value.trim();
    if (!typed) return;
    field.value = "";
    refresh();
    try {
      await dispatch(typed, deeds, commands);
    } catch {
      if (!field.value) { field.value = typed; refresh(); }
    }
  });
  return { node: form, focus: () => field.focus(), type: (text) => { field.value = text; field.focus(); refresh(); } };
}

function dispatch(typed, deeds, commands) {
  const slash = /^(\/[^\s]+)(?:\s+([\s\S]*))?$/.exec(typed);
  return slash && commands ? deeds.command(slash[1], slash[2] ?? "") : deeds.send(typed);
}

function matching(typed) {
  if (!/^\/\S*$/.test(typed)) return [];
  const word = typed.slice(1).toLowerCase();
  const starts = state.commands.filter((c) => c.command.slice(1).startsWith(word));
  const holds = state.commands.filter((c) => !starts.includes(c) && c.command.includes(word));
  return [...starts, ...holds];
}

function option(command, n, id, active, take) {
  const node = h("li", { id, role: "option", "aria-selected": String(active), class: active ? "active" : null },
    h("div", { class: "c-line" }, h("strong", {}, command.command), h("span", { class: "c-hint" }, command.usage_hint ?? "")),
    h("div", { class: "c-what" }, command.description ?? "")); // prettier-ignore
  node.addEventListener("mousedown", (event) => { event.preventDefault(); take(); });
  return node;
}

function hint(typed, found) {
  const word = /^(\/\S+)\s/.exec(typed)?.[1];
  const command = state.commands.find((c) => c.command === word);
  if (command) return [h("strong", {}, command.command), " ", h("code", {}, command.usage_hint || "(no parameters)"), " – ", command.description ?? ""];
  if (found.length) return [h("kbd", {}, "↑"), h("kbd", {}, "↓"), " choose  ", h("kbd", {}, "Tab"), " or ", h("kbd", {}, "Enter"), " take  ", h("kbd", {}, "Esc"), " close"];
  return [];
}
