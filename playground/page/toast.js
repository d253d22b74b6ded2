// Short notices, and the live region that reads new messages aloud.

import { h } from "./dom.js";

export function toast(text, kind = "info") {
  const stack = document.getElementById("toasts");
  const node = h("div", { class: `toast ${kind === "error" ? "error" : "info"}`, role: kind === "error" ? "alert" : "status" },
    h("span", { class: "toast-mark", "aria-hidden": "true" }, kind === "error" ? "!" : "i"), h("span", {}, text),
    h("button", { type: "button", class: "toast-close", "aria-label": "Dismiss", onclick: () => node.remove() }, "×")); // prettier-ignore
  stack.append(node);
  while (stack.children.length > 4) stack.firstElementChild.remove();
  setTimeout(() => node.remove(), kind === "error" ? 12000 : 7000);
}

export function announce(text) {
  document.getElementById("live").textContent = text.slice(0, 400);
}
