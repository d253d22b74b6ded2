// Drawings for the few signs our own messages use, so that they look the same where no emoji font is installed.
// Each is a list of [path, fill] or [path, "none", stroke] on a grid of 16.

const ROUND = "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z";
const BOX = "M3 1.5h10A1.5 1.5 0 0 1 14.5 3v10a1.5 1.5 0 0 1-1.5 1.5H3A1.5 1.5 0 0 1 1.5 13V3A1.5 1.5 0 0 1 3 1.5z";
const TICK = "M4.2 8.4l2.6 2.7 5-6";
const CROSS = "M3.5 3.5l9 9M12.5 3.5l-9 9";
const GLASS = [["M4 1.5h8v2.5c0 2-2.5 2.7-2.5 4S12 10 12 12v2.5H4V12c0-2 2.5-2.7 2.5-4S4 6 4 4z", "#cfe3f5"], ["M3.2 1h9.6v1.3H3.2zM3.2 13.7h9.6V15H3.2z", "#8a6d3b"], ["M5.4 13.7c.3-1.8 1.8-2.2 2.6-3 .8.8 2.3 1.2 2.6 3zM6 5h4L8 7.5z", "#e0a12e"]];

const ART = {
  "✅": ["done", [BOX, "#2f9e5f"], [TICK, "none", "#fff"]],
  "✔": ["check", [TICK, "none", "#2f9e5f"]],
  "❌": ["failed", [CROSS, "none", "#d63a5e"]],
  "✖": ["cancelled", [CROSS, "none", "#8c8798"]],
  "⚠": ["warning", ["M8 1.2 15.3 14.5H.7z", "#f2b335"], ["M8 5.8v4.2M8 12.2v.1", "none", "#3a2a05"]],
  "⏳": ["waiting", ...GLASS],
  "⌛": ["time is over", ...GLASS],
  "🚫": ["denied", [ROUND, "none", "#d63a5e"], ["M3.4 3.4l9.2 9.2", "none", "#d63a5e"]],
  "⛔": ["no entry", [ROUND, "#d63a5e"], ["M4 6.7h8v2.6H4z", "#fff"]],
  "🔴": ["red", [ROUND, "#d63a5e"]],
  "🟡": ["yellow", [ROUND, "#f2b335"]],
  "🟢": ["green", [ROUND, "#2f9e5f"]],
  "❔": ["not known", ["M4.5 5.2a3.5 3.5 0 1 1 5 3.1c-1 .5-1.5 1-1.5 2.2M8 13.4v.2", "none", "#8c8798"]],
  "👍": ["approved", ["M1.5 7h2.5v7H1.5zM5 7l3-5.5c1.5 0 2 1.1 1.7 2.3L9.3 6H13c1 0 1.6.8 1.3 1.8l-1.5 5c-.2.7-.8 1.2-1.6 1.2H5z", "#eab13c"]],
  "✋": ["stop", ["M4 8V3.5a1 1 0 0 1 2 0V2a1 1 0 0 1 2 0v1a1 1 0 0 1 2 0v1.5a1 1 0 0 1 2 0V10a4.5 4.5 0 0 1-8.5 2L1.8 8.8A1 1 0 0 1 3.4 7.6z", "#eab13c"]],
  "🔎": ["looking", ["M9.8 1.5a4.7 4.7 0 1 0 0 9.4 4.7 4.7 0 0 0 0-9.4z", "#bfe0f7", "#4a5d73"], ["M6.3 9.7 1.5 14.5", "none", "#4a5d73"]],
  "💬": ["message", ["M2 2.5h12v8.5H7.5L4 14v-3H2z", "#9aa7b8"]],
  "↩": ["put back", ["M6 3 2.5 6.5 6 10M2.5 6.5H10a3.5 3.5 0 0 1 0 7H7", "none", "#3c7fc0"]],
  "➡": ["next", ["M2 8h11M9 4l4 4-4 4", "none", "#3c7fc0"]],
  "🕰": ["superseded", [ROUND, "none", "#8a6d3b"], ["M8 4.5V8l2.6 1.6", "none", "#8a6d3b"]],
  "👀": ["eyes", ["M4.2 3a3 4.6 0 1 0 .1 0zM11.7 3a3 4.6 0 1 0 .1 0z", "#f4f4f4", "#77808c"], ["M5 6a1.4 1.9 0 1 0 .1 0zM12.4 6a1.4 1.9 0 1 0 .1 0z", "#222"]],
};

const SVG = "http://www.w3.org/2000/svg";
const KNOWN = new RegExp(`(${Object.keys(ART).join("|")})\\uFE0F?`, "u");

function draw(sign) {
  const [label, ...shapes] = ART[sign];
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "art");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  for (const [d, fill, stroke] of shapes) {
    const path = document.createElementNS(SVG, "path");
    for (const [name, value] of Object.entries({ d, fill, stroke: stroke ?? "none" })) path.setAttribute(name, value);
    svg.append(path);
  }
  return svg;
}

// Text as nodes: known signs drawn, the rest as it is.
export function drawn(text) {
  return text.split(KNOWN).map((part, n) => (n % 2 ? draw(part) : part)).filter((part) => part !== "");
}
