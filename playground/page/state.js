// What this page knows, as one person sees it: filled from GET state, kept by the stream.

export const state = {
  me: null, users: new Map(), channels: [], commands: [], messages: new Map(), scenarios: [], groups: new Map(),
  bot: { user_id: null, connected: false }, people: new Map(), unread: new Map(), workspace: "Playground",
}; // prettier-ignore

export function load(document) {
  state.users = new Map(document.users.map((u) => [u.id, u]));
  state.channels = document.channels ?? [];
  state.commands = (document.commands ?? []).toSorted((a, b) => a.command.localeCompare(b.command));
  state.messages = new Map(Object.entries(document.messages ?? {}).map(([c, list]) => [c, [...list]]));
  state.scenarios = document.scenarios ?? [];
  state.groups = new Map((document.usergroups ?? []).map((g) => [g.id, g.handle ? `@${g.handle}` : g.name]));
  state.bot = document.bot ?? state.bot;
  state.workspace = document.workspace ?? state.workspace;
  state.me = document.me ?? state.me;
}

export const names = {
  user: (id) => { const u = state.users.get(id); return u ? u.real_name || u.name : null; },
  channel: (id) => state.channels.find((c) => c.id === id)?.name ?? null,
  group: (id) => state.groups.get(id) ?? null,
}; // prettier-ignore

export function people() {
  return [...state.users.values()].filter((u) => !u.is_bot);
}

export function bot() {
  return state.users.get(state.bot.user_id) ?? [...state.users.values()].find((u) => u.is_bot) ?? { name: "bot", is_bot: true };
}

export function author(message) {
  const user = state.users.get(message.user);
  return message.bot_id && !user ? { ...bot(), real_name: message.username || bot().real_name || bot().name } : (user ?? { name: message.user ?? "?" });
}

// Puts a new or changed message where it belongs; true when it was not there before.
export function put(channel, message) {
  const list = state.messages.get(channel) ?? [];
  const at = list.findIndex((m) => m.ts === message.ts);
  if (at >= 0) list[at] = message;
  else list.push(message);
  list.sort((a, b) => Number(a.ts) - Number(b.ts));
  state.messages.set(channel, list);
  return at < 0;
}

export function drop(channel, ts) {
  state.messages.set(channel, (state.messages.get(channel) ?? []).filter((m) => m.ts !== ts));
}

const isReply = (m) => m.thread_ts && m.thread_ts !== m.ts;

// The channel itself: no replies, except those sent to the channel as well.
export function main(channel) {
  return (state.messages.get(channel) ?? []).filter((m) => !isReply(m) || m.subtype === "thread_broadcast");
}

export function replies(channel, ts) {
  return (state.messages.get(channel) ?? []).filter((m) => isReply(m) && m.thread_ts === ts);
}

export function find(channel, ts) {
  return (state.messages.get(channel) ?? []).find((m) => m.ts === ts);
}
