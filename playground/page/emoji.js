// The names our messages and a few people use; an unknown name stays as it was written, as in Slack.

const TABLE = {
  white_check_mark: "✅", heavy_check_mark: "✔️", ballot_box_with_check: "☑️", x: "❌", no_entry: "⛔",
  no_entry_sign: "🚫", warning: "⚠️", rotating_light: "🚨", information_source: "ℹ️", question: "❓",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", clock3: "🕒", alarm_clock: "⏰", stopwatch: "⏱️",
  key: "🔑", old_key: "🗝️", lock: "🔒", unlock: "🔓", closed_lock_with_key: "🔐", bee: "🐝", honeybee: "🐝",
  honey_pot: "🍯", robot_face: "🤖", eyes: "👀", wave: "👋", tada: "🎉", rocket: "🚀", fire: "🔥", bug: "🐛",
  wrench: "🔧", gear: "⚙️", mag: "🔍", bulb: "💡", memo: "📝", clipboard: "📋", bar_chart: "📊", link: "🔗",
  arrow_right: "➡️", arrow_left: "⬅️", arrows_counterclockwise: "🔄", repeat: "🔁", leftwards_arrow_with_hook: "↩️",
  rewind: "⏪", large_green_circle: "🟢", large_yellow_circle: "🟡", red_circle: "🔴", large_blue_circle: "🔵",
  white_circle: "⚪", black_circle: "⚫", small_blue_diamond: "🔹", thumbsup: "👍", "+1": "👍", thumbsdown: "👎",
  "-1": "👎", pray: "🙏", raised_hands: "🙌", smile: "😄", slightly_smiling_face: "🙂", thinking_face: "🤔",
  coffee: "☕", heart: "❤️", star: "⭐", zzz: "💤", bell: "🔔", no_bell: "🔕", speech_balloon: "💬",
  point_right: "👉", construction: "🚧", package: "📦", label: "🏷️", calendar: "📅", shield: "🛡️", boom: "💥",
  black_large_square: "⬛", white_large_square: "⬜", double_vertical_bar: "⏸️", arrow_forward: "▶️",
  black_square_for_stop: "⏹️", one: "1️⃣", two: "2️⃣", three: "3️⃣", heavy_minus_sign: "➖", heavy_plus_sign: "➕",
};

export function emoji(name) {
  return Object.hasOwn(TABLE, name) ? TABLE[name] : null;
}

// ":bee: done" -> "🐝 done"
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji(name) ?? whole);
}
