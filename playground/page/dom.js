// Elements are made here and nowhere else: text always goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

// h("p", {class: "x", onclick: f, "aria-label": "…"}, "text", node, [nodes], null)
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) set(node, name, value);
  node.append(...flat(children));
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "dataset") Object.assign(node.dataset, value);
  else if (name === "value" || name === "checked" || name === "disabled") node[name] = value;
  else node.setAttribute(name, value === true ? "" : String(value));
}

function flat(children) {
  return children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== "");
}

export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

// Only addresses a browser may follow without running anything.
export function safeUrl(text) {
  try {
    const url = new URL(text, location.href);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function link(url, ...label) {
  const href = safeUrl(url);
  return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...label) : h("span", {}, ...label);
}

const PATHS = {
  hash: "M6 2 5 14M11 2l-1 12M2.5 5.5h12M1.5 10.5h12",
  menu: "M2 4h12M2 8h12M2 12h12",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  send: "M2 8h11M9 4l4 4-4 4",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.4 1.4M11.6 11.6 13 13M13 3l-1.4 1.4M4.4 11.6 3 13",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  tools: "M9.5 2.5a3.5 3.5 0 0 0-3 5L2 12l2 2 4.5-4.5a3.5 3.5 0 0 0 5-4.3L11.3 7.3 8.7 4.7z",
  home: "M2 8l6-5.5L14 8M4 7v6.5h8V7",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  check: "M3 8.5l3.5 3.5L13 4.5",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  down: "M4 6l4 4 4-4",
  bolt: "M9 1.5 3.5 9H8l-1 5.5L12.5 7H8z",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function avatar(user, size = "") {
  const letters = (user?.real_name || user?.name || "?").split(/\s+/).map((w) => w[0]).slice(0, 2).join("");
  const node = h("span", { class: `avatar ${size}`, "aria-hidden": "true" }, user?.is_bot ? hexagon() : letters.toUpperCase());
  node.style.setProperty("--tint", /^#?[0-9a-f]{6}$/i.test(user?.color ?? "") ? `#${user.color.replace("#", "")}` : "#5b6472");
  return node;
}

function hexagon() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  for (const [d, filled] of [["M12 3l7.8 4.5v9L12 21l-7.8-4.5v-9z", false], ["M12 8l3.5 2v4L12 16l-3.5-2v-4z", true]]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", filled ? "filled" : "outline");
    svg.append(path);
  }
  return svg;
}

export function clock(ts) {
  return new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

// Arrow keys move inside a list of which only one element is in the tab order.
export function roving(list, selector) {
  const items = () => [...list.querySelectorAll(selector)];
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const all = items();
    const at = all.indexOf(document.activeElement);
    if (at < 0 || (!step && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    const next = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : (at + step + all.length) % all.length;
    all[next].focus();
  });
  list.addEventListener("focusin", () => items().forEach((i) => i.setAttribute("tabindex", i === document.activeElement ? "0" : "-1")));
  const all = items();
  const current = all.find((i) => i.matches("[aria-current],[aria-checked=true],[aria-selected=true]")) ?? all[0];
  all.forEach((i) => i.setAttribute("tabindex", i === current ? "0" : "-1"));
}
