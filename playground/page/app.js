// Puts the page together: what is shown, who one is, and what a click does.

import { get, post, stream } from "./api.js";
import { composer } from "./composer.js";
import { fill, h, icon } from "./dom.js";
import { Frame } from "./frame.js";
import { Home } from "./home.js";
import { Inspector } from "./inspector.js";
import { MessageList } from "./messages.js";
import { Modal } from "./modal.js";
import { scenarioPanel } from "./scenarios.js";
import { drawSidebar } from "./sidebar.js";
import * as store from "./state.js";
import { names, state } from "./state.js";
import { announce, toast } from "./toast.js";
import { Tour } from "./tour.js";
import { World } from "./world.js";

const $ = (id) => document.getElementById(id);
const at = { channel: null, home: false, thread: null };
let live = null;

const told = async (call) => {
  try {
    return await call();
  } catch (error) {
    toast(error.message, "error");
    throw error;
  }
};
const quietly = (call) => told(call).catch(() => null);

// --- what a person does ----------------------------------------------------------------------------------

const act = (where, payload) => quietly(() => post("action", { user: state.me, ...where, ...payload }));
const actOn = (channel, message, payload) => {
  if (payload.action_id === "approve") tour.done("approve");
  return act({ channel, message_ts: message.ts }, payload);
};
const say = (text, thread_ts) => told(() => post("message", { user: state.me, channel: at.channel, text, ...(thread_ts ? { thread_ts } : {}) }));
const command = (name, text) => {
  if (!state.commands.some((c) => c.command === name)) {
    toast(`${name} is not a valid command. Type / to see those there are.`, "error");
    throw new Error(name);
  }
  if (name === "/rotate-hive-tokens") tour.done("ask");
  post("command", { user: state.me, channel: at.channel, command: name, text }).catch((error) => toast(error.message, "error"));
};

const main = new MessageList($("messages"), { act: actOn, thread: openThread });
const inThread = new MessageList($("thread-messages"), { act: actOn }, { inThread: true });
const home = new Home($("home"), (view, payload) => act({ view_id: view.id }, payload));
const modal = new Modal(names, {
  submit: (view, values) => quietly(() => post("submit", { user: state.me, view_id: view.id, state: values })),
  close: (view) => quietly(() => post("close", { user: state.me, view_id: view.id })),
  act: (view, payload) => act({ view_id: view.id }, payload),
});
const write = composer({ send: (text) => say(text), command }, { label: "Message", placeholder: "Message, or / for a command" });
const answer = composer({ send: (text) => say(text, at.thread), command }, { label: "Reply", placeholder: "Reply…", commands: false });
const world = new World();
const inspector = new Inspector();
const tour = new Tour([
  { name: "break", text: "Production has new hive tokens; CI still has the old ones and breaks.", deed: { label: "Recycle the tokens", run: () => press("recycle").catch((e) => toast(e.message, "error")) } },
  { name: "ask", text: ["Ask for the hand-over: ", h("code", {}, "/rotate-hive-tokens")], deed: { label: "Type it for me", run: () => { frame.showChannel(); write.type("/rotate-hive-tokens "); } } },
  { name: "switch", text: "Act as somebody who may approve. Your own plans are not yours to approve.", deed: { label: "Become an approver", run: () => { const who = approver(); if (who) become(who); } } },
  { name: "approve", text: "Read the plan in the channel, then approve it." },
]);
const frame = new Frame({ closedThread });

function showWorld(facts) {
  world.show(facts);
  if (facts.stale) tour.done("break");
}

function approver() {
  return store.people().map((u) => u.id).find((id) => id !== state.me && state.people.get(id)?.may_approve);
}

async function press(name) {
  const answered = await post("scenario", { name, user: state.me });
  if (name === "recycle") tour.done("break");
  if (name === "start-over") { world.restart(); tour.restart(); showWorld(await get("world")); closeThread(); await become(state.me); }
  return answered;
}

// --- what is shown ---------------------------------------------------------------------------------------

function drawSide() {
  $("workspace").textContent = state.workspace;
  drawSidebar($("sidebar"), at, { channel: goTo, home: goHome, actAs: become });
}

function drawMessages() {
  main.show(at.channel, store.main(at.channel));
  if (!at.thread) return;
  const parent = store.find(at.channel, at.thread);
  if (parent) inThread.show(at.channel, [parent, ...store.replies(at.channel, at.thread)]);
  else closeThread();
}

function drawHead() {
  const channel = state.channels.find((c) => c.id === at.channel);
  const name = at.home ? (store.bot().real_name ?? "App") : channel?.name;
  fill($("channel-name"), at.home || channel?.is_im ? null : icon("hash"), name ?? "");
  $("channel-topic").textContent = at.home ? "App Home" : (channel?.topic ?? "");
  $("messages").hidden = $("composer").hidden = at.home;
  $("home").hidden = !at.home;
  document.title = `${state.unread.size ? "• " : ""}${name ?? ""} – Hivekeeper playground`;
}

function goTo(channel, { focus = true } = {}) {
  Object.assign(at, { channel, home: false });
  state.unread.delete(channel);
  closeThread();
  drawAll();
  $("messages").scrollTop = $("messages").scrollHeight;
  frame.showChannel();
  if (focus) write.focus();
}

function goHome() {
  Object.assign(at, { home: true });
  closeThread();
  home.loading();
  drawAll();
  frame.showChannel();
  $("channel-name").focus();
  quietly(async () => {
    const { view } = await post("home", { user: state.me });
    if (view) home.show(view);
  });
}

function openThread(ts) {
  at.thread = ts;
  inThread.clear();
  frame.showThread();
  drawMessages();
  answer.focus();
}

function closeThread() {
  if (at.thread) frame.hideThread();
}

function closedThread() {
  const ts = at.thread;
  at.thread = null;
  document.querySelector(`#messages [data-ts="${CSS.escape(ts ?? "")}"] .m-replies`)?.focus();
}

function drawAll() {
  drawSide();
  drawHead();
  drawMessages();
  drawBot();
}

function drawBot() {
  $("bot-state").className = `bot-state ${state.bot.connected ? "on" : "off"}`;
  fill($("bot-state-text"), h("span", { class: "bot-name" }, `${store.bot().real_name ?? "bot"} `), state.bot.connected ? "connected" : "disconnected");
}

// --- what happens ----------------------------------------------------------------------------------------

const EVENTS = {
  message: ({ channel, message }) => arrived(channel, message),
  ephemeral: ({ channel, message }) => arrived(channel, { ...message, ephemeral: true }),
  message_changed: ({ channel, message }) => {
    const before = store.find(channel, message.ts)?.text;
    store.put(channel, message);
    if (before !== message.text) announce(`${names.user(message.user) ?? "App"} changed a message: ${message.text}`);
  },
  message_deleted: ({ channel, ts }) => store.drop(channel, ts),
  view_opened: ({ view }) => modal.show(view),
  view_updated: ({ view }) => (view.type === "home" ? home.show(view) : modal.show(view)),
  view_closed: ({ view_id }) => { if (!view_id || modal.view?.id === view_id) modal.hide(); },
  home: ({ view }) => home.show(view),
  bot: ({ connected }) => {
    if (state.bot.connected !== connected) announce(connected ? "The bot is connected." : "The bot is disconnected.");
    state.bot = { ...state.bot, connected };
  },
  toast: ({ text, kind }) => toast(text, kind === "info" ? "info" : "error"),
  traffic: ({ entry }) => inspector.add(entry),
  world: ({ facts }) => showWorld(facts),
  cleared: () => become(state.me),
};

function arrived(channel, message) {
  const fresh = store.put(channel, message);
  if (!fresh || message.user === state.me) return;
  announce(`${names.user(message.user) ?? message.username ?? "App"} says: ${message.text || "a message"}`);
  if (channel !== at.channel || at.home) state.unread.set(channel, (state.unread.get(channel) ?? 0) + 1);
}

let drawing = false;
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; drawAll(); });
}

let loading = 0;
const meanwhile = []; // an answer on its way may be older than an event, and would undo it

function happened(event) {
  if (loading) {
    meanwhile.push(event);
    return;
  }
  EVENTS[event.type]?.(event);
  if (!["traffic", "world", "home", "toast"].includes(event.type)) drawSoon();
}

async function become(user) {
  if (user !== state.me && state.people.get(user)?.may_approve) tour.done("switch");
  const switching = state.me && user !== state.me;
  modal.hide();
  live?.close();
  meanwhile.length = 0; // told to somebody else
  state.me = user;
  sessionStorage.setItem("playground.me", user);
  await refresh();
  if (state.me !== user) return;
  live = stream(state.me, { event: happened, lost: () => { state.bot.connected = false; drawBot(); $("bot-state-text").textContent = "playground not reachable"; }, back: () => quietly(refresh) });
  if (switching) {
    announce(`You are now ${names.user(state.me)}.`);
    if (at.home) goHome();
    document.querySelector(`.sidebar [data-key="${CSS.escape(state.me)}"]`)?.focus();
  }
}

// Asks for everything anew. The answers may be older than what happens in the meantime: that is told after them.
async function refresh() {
  const me = state.me;
  loading += 1;
  try {
    const asked = [`state?user=${encodeURIComponent(me)}`, "world", `traffic?after=${inspector.last}`].map(get);
    const answers = await Promise.all(asked);
    if (me === state.me) take(...answers);
  } finally {
    loading -= 1;
    if (!loading) meanwhile.splice(0).forEach(happened);
  }
}

function take(document, facts, traffic) {
  store.load(document);
  if (!state.channels.some((c) => c.id === at.channel)) at.channel = state.channels.find((c) => c.members?.includes(state.me))?.id ?? state.channels[0]?.id;
  drawAll();
  const open = document.views?.at(-1);
  if (open) modal.show(open);
  else modal.hide();
  (traffic.entries ?? traffic).forEach((entry) => inspector.add(entry));
  showWorld(facts);
}

async function start() {
  $("composer").append(write.node);
  $("thread-composer").append(answer.node);
  const demo = await get("demo").catch(() => ({ people: {} }));
  state.people = new Map(Object.entries(demo.people ?? {}));
  state.workspace = demo.workspace ?? state.workspace;
  const remembered = sessionStorage.getItem("playground.me");
  await become(remembered || demo.me).catch((error) => toast(error.message, "error"));
  frame.tabs({ Scenarios: scenarioPanel(press, tour.node), World: world.node, Traffic: inspector.node });
  write.focus();
}

start();
