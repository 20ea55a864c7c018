// The page: a list of chats, one of them open. Everything that people wrote goes into the page as text.

import { EMOJI, wordOf } from "./emoji.js";
import { avatar, node } from "./elements.js";
import { Room } from "./room.js";
import { Connection, Refused, child, refusal, xml } from "./xmpp.js";

const CLIENT = "jabber:client";
const STATES = "http://jabber.org/protocol/chatstates";
const MAM = "urn:xmpp:mam:2";
const RSM = "http://jabber.org/protocol/rsm";
const PAGE = 30;
const TYPING_EVERY = 3_000;  // ms between two signs that we are typing
const TYPING_ENDS = 5_000;   // ms without a key
const by = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search).get("user") ?? "";
const rooms = new Map();
const elements = new Map();  // of messages shown, by key
let publicRooms = [];
let me = null;
let current = null;
let online = false;
let editing = null;
let choosing = null;  // the message whose reactions are being chosen
let connected = 0;  // how often we were
let told = 0, toldIn = null, quiet = 0;

// -- logging in, as a front end does: a token of the back end, exchanged for a session

async function credentials() {
  const minted = await fetch(`chat-token?${new URLSearchParams({ user: asked })}`, { method: "POST", cache: "no-store" });
  if (minted.status === 404) throw new Refused("There is no such user any more.");
  if (!minted.ok) throw new Error(await minted.text());
  const { token } = await minted.json();
  const reply = await fetch("/v1/users/client", { method: "POST", headers: { "x-custom-token": token } });
  if (reply.status === 401 || reply.status === 403) throw new Refused("The sandbox does not accept this user's token.");
  if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
  const { user } = await reply.json();
  me = { id: user.uuid ?? user.xmppUsername, name: `${user.firstName} ${user.lastName}`.trim(), first: user.firstName,
    last: user.lastName, photo: user.profileImage ?? "" };
  introduce(user.xmppUsername);
  const service = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
  return { service, domain: location.hostname, user: user.xmppUsername, password: user.xmppPassword };
}

function introduce(username) {
  const picture = avatar(me.name, username);
  picture.id = "my-avatar";
  by("my-avatar").replaceWith(picture);
  by("my-name").textContent = me.name;
  by("my-id").textContent = me.id;
  document.title = `${me.name} – chat`;
}

const connection = new Connection(credentials, { state: onState, stanza: onStanza });

function onState(state, text = "") {
  online = state === "online";
  const words = { connecting: "connecting", online: "online", offline: "offline, trying again", refused: "logged out" };
  by("live").dataset.state = { online: "on", connecting: "wait" }[state] ?? "off";
  by("live").textContent = words[state];
  if (state === "refused") notify(text);
  if (online) connected++;
  if (online) enterAll().catch(() => {});
  else {
    for (const room of rooms.values()) if (room.state === "in") room.state = "out";
    drawRoom();
  }
}

// -- chats

async function enterAll() {
  const [own, open] = await Promise.all([
    connection.query("get", null, xml("query", { xmlns: "ns:getrooms" })),
    connection.query("get", `conference.${connection.domain}`,
      xml("query", { xmlns: "http://jabber.org/protocol/disco#items" })),
  ]);
  const listed = new Set();
  for (const row of own.querySelectorAll("room")) {
    const name = row.getAttribute("jid").split("@")[0];
    listed.add(name);
    const room = rooms.get(name) ?? new Room(row.getAttribute("jid"), "", 0);
    room.title = row.getAttribute("name");
    room.count = Number(row.getAttribute("users_cnt"));
    rooms.set(name, room);
    if (room.state !== "in") enter(room);
  }
  for (const [name, room] of rooms) if (!listed.has(name) && room.state === "out") lose(room, "removed");
  publicRooms = [...open.querySelectorAll("item")].map((item) => (
    { jid: item.getAttribute("jid"), name: item.getAttribute("jid").split("@")[0], title: item.getAttribute("name") }));
  follow();
}

// Opens the chat with the latest news once all are known, where there is space for both.
function openFirst() {
  if (named() !== null || isNarrow() || ![...rooms.values()].every((room) => room.known || room.state !== "in")) return;
  history.replaceState(null, "", hashOf(ordered()[0]));
  follow();
}

const isNarrow = () => window.matchMedia("(max-width: 760px)").matches;

function enter(room) {
  const to = `${room.jid}/${connection.user}`;
  connection.send(xml("presence", { xmlns: CLIENT, id: `enter-${room.name}`, to },
    xml("x", { xmlns: "http://jabber.org/protocol/muc" })));
}

function lose(room, state, why = "") {
  room.state = state;
  room.why = why;
  room.typing.clear();
  for (const message of [...room.waiting]) room.fail(message.id, "Not sent");
  draw();
}

function join(open) {
  if (!rooms.has(open.name)) rooms.set(open.name, new Room(open.jid, open.title, 0));
  enter(rooms.get(open.name));
  location.hash = hashOf(open);
}

function hashOf(room) {
  return `#room/${encodeURIComponent(room.name)}`;
}

// -- what comes in

function onStanza(stanza) {
  if (stanza.localName === "presence") onPresence(stanza);
  else if (stanza.getAttribute("type") === "error") onError(stanza);
  else onMessage(stanza);
}

function roomOf(stanza) {
  const [name, domain = ""] = (stanza.getAttribute("from") ?? "").split("/")[0].split("@");
  return domain.startsWith("conference.") ? rooms.get(name) ?? null : null;
}

function onPresence(presence) {
  const room = roomOf(presence);
  if (room === null) return;
  if (presence.getAttribute("type") === "error") {
    lose(room, child(child(presence, "error"), "registration-required") ? "removed" : "refused", refusal(presence));
    return;
  }
  const about = child(presence, "x");
  const codes = [...(about?.children ?? [])].filter((one) => one.localName === "status").map((one) => one.getAttribute("code"));
  const self = presence.getAttribute("from").split("/").slice(1).join("/") === connection.user;
  if (presence.getAttribute("type") === "unavailable") {
    if (child(about, "destroy")) lose(room, "deleted");
    else if (self && codes.includes("321")) lose(room, "removed");
    else room.typing.delete(presence.getAttribute("from").split("/").slice(1).join("/"));
  } else if (codes.includes("110")) {
    const again = room.state !== "in";
    room.state = "in";
    room.mayWrite = child(about, "item")?.getAttribute("role") !== "visitor";
    if (again) catchUp(room).catch(() => {});
  }
  draw();
}

function onError(stanza) {
  const room = roomOf(stanza);
  if (room === null) return;
  room.fail(stanza.getAttribute("id"), refusal(stanza));
  if (child(child(stanza, "error"), "not-acceptable")) enter(room);
  draw();
}

function onMessage(stanza) {
  const result = child(stanza, "result");
  if (result) {
    const forwarded = child(result, "forwarded");
    roomOf(stanza)?.take(child(forwarded, "message"), connection.user, child(forwarded, "delay")?.getAttribute("stamp"));
    return;
  }
  if (child(child(stanza, "x"), "invite") || child(stanza, "chat-update")) {
    enterAll().catch(() => {});
    return;
  }
  const room = roomOf(stanza);
  if (room === null || stanza.getAttribute("type") !== "groupchat") return;
  const fresh = room.take(stanza, connection.user);
  if (fresh && (room !== current || document.hidden)) room.unread++;
  draw();
}

// -- history

async function page(room, asks) {
  const set = xml("set", { xmlns: RSM }, ...asks);
  const answer = await connection.query("set", room.jid, xml("query", { xmlns: MAM }, set));
  const complete = answer.querySelector("fin").getAttribute("complete") === "true";
  return { complete, last: answer.querySelector("last")?.textContent ?? null };
}

// After a log-in: the latest message of a new room; everything since the first one shown of a room known already, so
// that nothing is missing that was said, edited or deleted meanwhile.
async function catchUp(room) {
  if (room.first === null) {
    ({ complete: room.complete } = await page(room, [xml("max", {}, "1"), xml("before")]));
  } else {
    let after = String(BigInt(room.first) - 1n), complete = false;
    while (!complete && after !== null) {
      // Not from the last one shown: what comes in meanwhile is later than what is still missing.
      ({ complete, last: after } = await page(room, [xml("max", {}, "100"), xml("after", {}, after)]));
    }
  }
  room.known = true;
  room.settle(connected);
  draw();
  openFirst();
  if (room === current) await fillUp(room);
}

async function fillUp(room) {
  if (room.state === "in" && !room.complete && room.shown.length < PAGE) await loadOlder(room);
}

async function loadOlder(room) {
  if (room.loading || room.complete || !online) return;
  room.loading = true;
  const before = room.first === null ? xml("before") : xml("before", {}, room.first);
  const scroll = by("scroll"), height = scroll.scrollHeight, end = atEnd();
  try {
    ({ complete: room.complete } = await page(room, [xml("max", {}, String(PAGE)), before]));
  } finally {
    room.loading = false;
  }
  draw();
  if (room === current) scroll.scrollTop = end ? scroll.scrollHeight : scroll.scrollTop + scroll.scrollHeight - height;
}

// -- what goes out

function about(room, more = {}) {
  const jid = `${connection.user}@${connection.domain}`;
  return xml("data", { senderFirstName: me.first, senderLastName: me.last, fullName: me.name, photo: me.photo,
    photoURL: me.photo, senderJID: jid, senderWalletAddress: connection.user, roomJid: room.jid, isSystemMessage: "false",
    tokenAmount: "0", quickReplies: "", notDisplayedValue: "", showInChannel: "false", isReply: "false", mainMessage: "",
    push: "true", ...more });
}

function toRoom(room, id, ...children) {
  connection.send(xml("message", { xmlns: CLIENT, to: room.jid, type: "groupchat", id }, ...children));
}

function say(room, body, id = `send-text-message-${crypto.randomUUID()}`) {
  room.waiting.push({ key: id, archive: null, id, nick: connection.user, name: me.name, mine: true, body, hidden: false,
    system: false, media: null, edited: false, deleted: false, at: new Date(), revision: 0, pending: true, failed: "",
    connected });
  toRoom(room, id, about(room), xml("body", {}, body));
}

function again(message) {
  current.waiting = current.waiting.filter((one) => one !== message);
  elements.get(message.key)?.element.remove();
  elements.delete(message.key);
  say(current, message.body);
  draw();
  toEnd();
}

function remove(message) {
  toRoom(current, "deleteMessageStanza", xml("body", {}, "wow"), xml("delete", { id: message.archive }));
  by("text").focus();
}

// Adds one of our reactions to a message, or takes it back. What we send replaces what we sent before.
function react(message, kind) {
  const own = current.reactionsOf(connection.user, message);
  const kinds = own.includes(kind) ? own.filter((one) => one !== kind) : [...own, kind];
  toRoom(current, `message-reaction:${Date.now()}`,
    xml("reactions", { xmlns: "urn:xmpp:reactions:0", id: message.archive, from: connection.jid },
      ...kinds.map((one) => xml("reaction", {}, one))),
    about(current), xml("store", { xmlns: "urn:xmpp:hints" }));
}

function choose(message) {
  const before = choosing;
  choosing = message;
  drawRoom();
  const shown = elements.get((message ?? before)?.key)?.element;
  shown?.querySelector(message ? ".choice button" : "[data-act=React]")?.focus();
}

function edit(message) {
  editing = message;
  by("editing").hidden = message === null;
  by("text").value = message?.body ?? current.draft;
  fit();
  by("text").focus();
}

function submit() {
  const text = by("text").value.trim();
  if (!text || !online || current?.state !== "in" || !current.mayWrite) return;
  if (editing !== null) {
    toRoom(current, `edit-message-${Date.now()}`, xml("replace", { id: editing.archive, text }));
    edit(null);
    return;
  }
  by("text").value = current.draft = "";
  fit();
  say(current, text);
  told = 0;
  draw();
  toEnd();
}

function types() {
  current.draft = editing === null ? by("text").value : current.draft;
  clearTimeout(quiet);
  if (!by("text").value.trim()) {
    stopsTyping();
    return;
  }
  quiet = setTimeout(stopsTyping, TYPING_ENDS);
  if (Date.now() - told < TYPING_EVERY && toldIn === current) return;
  told = Date.now();
  toldIn = current;
  toRoom(current, `typing-${told}`, xml("composing", { xmlns: STATES }), about(current));
}

function stopsTyping() {
  clearTimeout(quiet);
  if (told && toldIn?.state === "in") toRoom(toldIn, `typing-${Date.now()}`, xml("paused", { xmlns: STATES }), about(toldIn));
  told = 0;
}

// -- what is seen

function draw() {
  drawRooms();
  drawRoom();
}

function preview(room) {
  if (room.state === "removed") return "You were removed";
  if (room.state === "deleted") return "Deleted";
  const last = room.latest;
  if (last === null) return `${room.count.toLocaleString("en")} ${room.count === 1 ? "member" : "members"}`;
  const text = last.deleted ? "Deleted message" : last.media ? last.media.name : last.body;
  return last.system ? text : `${last.mine ? "You" : last.name}: ${text}`;
}

// The chats with the latest news first.
function ordered() {
  const when = (room) => Number(room.latest?.at ?? 0);
  return [...rooms.values()].filter((room) => room.state !== "deleted" || room === current)
    .sort((a, b) => when(b) - when(a) || a.title.localeCompare(b.title));
}

function drawRooms() {
  const own = ordered();
  replace(by("rooms"), own.map((room) => node("li", { className: room === current ? "current" : "" },
    node("a", { href: hashOf(room), "aria-current": room === current ? "true" : null, "data-key": room.name },
      avatar(room.title, room.name),
      node("span", { className: "lines" }, node("b", {}, room.title), node("small", {}, preview(room))),
      room.unread ? node("span", { className: "unread", title: "unread" }, String(room.unread)) : null))));
  by("no-rooms").hidden = own.length > 0 || !online;
  const open = publicRooms.filter((one) => !rooms.has(one.name));
  by("public-title").hidden = open.length === 0;
  replace(by("public"), open.map((one) => node("li", {},
    node("span", { className: "place" }, avatar(one.title, one.name),
      node("span", { className: "lines" }, node("b", {}, one.title), node("small", {}, "Open to everybody"))),
    node("button", { type: "button", className: "quiet", "aria-label": `Join ${one.title}`, "data-key": `join ${one.name}`,
      onclick: () => join(one) }, "Join"))));
}

// Replaces the children of an element only when they differ, so that the focus stays.
function replace(element, children) {
  const made = node("div", {}, ...children);
  if (made.innerHTML === element.innerHTML) return;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  element.replaceChildren(...made.childNodes);
  if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function notify(text) {
  if (by("notice").textContent !== text) by("notice").textContent = text;
  by("notice").hidden = !text;
}

function drawRoom() {
  const room = current;
  by("room-title").textContent = room?.title ?? "Choose a chat";
  by("room-members").textContent = room && room.count
    ? `${room.count.toLocaleString("en")} ${room.count === 1 ? "member" : "members"}` : "";
  const notices = { removed: "You were removed from this chat.", deleted: "This chat was deleted.",
    refused: `You cannot enter this chat: ${room?.why}` };
  if (by("live").textContent !== "logged out") notify(notices[room?.state] ?? "");
  const writable = room !== null && online && room.state === "in" && room.mayWrite;
  by("room").toggleAttribute("data-locked", !writable);
  by("fields").disabled = !writable && !(room && room.state === "out" && room.mayWrite);
  by("send").disabled = !writable;
  by("text").placeholder = room && !room.mayWrite ? "You may read here, not write" : "Write a message";
  by("older").hidden = !room || room.complete || !room.messages.length;
  by("nothing").hidden = !room || room.shown.length > 0 || !room.complete;
  drawMessages(room);
  drawTyping();
}

function drawTyping() {
  const names = current ? current.typists() : [];
  const text = names.length === 0 ? "" : names.length === 1 ? `${names[0]} is typing…`
    : names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : "Several people are typing…";
  if (by("typing").textContent !== text) by("typing").textContent = text;
}

const dayOf = (date) => date.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });
const timeOf = (date) => date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });

function drawMessages(room) {
  const list = by("messages"), end = atEnd(), wanted = [];
  const shown = room?.shown ?? [];
  shown.forEach((message, place) => {
    const before = shown[place - 1], after = shown[place + 1];
    const newDay = !before || dayOf(before.at) !== dayOf(message.at);
    if (newDay) wanted.push(element(`day ${dayOf(message.at)}`, "", () => node("li", { className: "day" }, dayOf(message.at))));
    const first = newDay || before.nick !== message.nick || before.system;
    const last = !after || after.nick !== message.nick || after.system || dayOf(after.at) !== dayOf(message.at);
    const state = `${message.revision} ${message.archive !== null} ${first} ${last} ${message === choosing}`;
    wanted.push(element(message.key, state, () => (message.system ? notice(message) : bubble(message, first, last))));
  });
  let place = list.firstChild;
  for (const one of wanted) {
    if (one === place) place = place.nextSibling;
    else list.insertBefore(one, place);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
  if (end && wanted.length) toEnd();
  else by("newest").hidden = atEnd();
}

function element(key, state, make) {
  const known = elements.get(key);
  if (known?.state === state) return known.element;
  const made = make();
  if (known?.element.isConnected) {
    const focused = known.element.contains(document.activeElement) ? document.activeElement.dataset.act ?? "" : null;
    known.element.replaceWith(made);
    if (focused !== null) (made.querySelector(`[data-act="${CSS.escape(focused)}"]`) ?? by("text")).focus();
  }
  elements.set(key, { state, element: made });
  return made;
}

function notice(message) {
  return node("li", { className: "system" }, node("b", {}, message.name), message.deleted ? "Message deleted" : message.body);
}

function bubble(message, first, last) {
  const kinds = ["message", message.mine && "mine", first && "first", last && "last", message.pending && "pending"];
  return node("li", { className: kinds.filter(Boolean).join(" ") }, message.mine ? null : avatar(message.name, message.nick),
    node("div", { className: "bubble" },
      node("p", { className: "name" }, message.mine ? "" : message.name), content(message), reactions(message),
      message === choosing ? choice(message) : null, footer(message)));
}

function reactions(message) {
  const found = message.deleted ? [] : [...current.reactionsTo(message)];
  if (!found.length) return null;
  return node("ul", { className: "reactions", "aria-label": "Reactions" }, ...found.map(([kind, names]) => {
    const word = wordOf(kind), own = current.reactionsOf(connection.user, message).includes(kind);
    return node("li", { title: names.join(", "), className: own ? "own" : "" },
      node("span", { "aria-hidden": "true" }, `${Object.hasOwn(EMOJI, word) ? EMOJI[word] : kind} ${names.length}`),
      node("span", { className: "hidden" }, `${names.join(", ")}: ${word}`),
      mayReact(message) ? node("button", { type: "button", className: "cover", "data-act": `also ${kind}`,
        "aria-label": `React with ${word}`, "aria-pressed": String(own), onclick: () => react(message, kind) }) : null);
  }));
}

function mayReact(message) {
  return message.archive !== null && !message.deleted && current.state === "in" && current.mayWrite;
}

// What one may react with: a reaction that is ours already is taken back.
function choice(message) {
  const own = current.reactionsOf(connection.user, message).map(wordOf);
  return node("div", { className: "choice", role: "group", "aria-label": "Choose a reaction",
    onkeydown: (event) => { if (event.key === "Escape") choose(null); } },
  ...Object.entries(EMOJI).map(([word, seen]) => node("button", { type: "button", "aria-label": word,
    "aria-pressed": String(own.includes(word)), onclick: () => {
      react(message, current.reactionsOf(connection.user, message).find((one) => wordOf(one) === word) ?? word);
      choose(null);
    } }, seen)));
}

function content(message) {
  if (message.deleted) return node("p", { className: "body deleted" }, "Message deleted");
  if (!message.media) return node("p", { className: "body" }, message.body);
  const { name, href, picture } = message.media;
  const inside = picture ? node("img", { src: href, alt: name, loading: "lazy", onload: () => { if (nearEnd) toEnd(); } }) : name;
  return node("p", { className: "body" },
    href === null ? name : node("a", { href, target: "_blank", rel: "noopener noreferrer" }, inside));
}

function footer(message) {
  const state = message.failed ? node("span", { className: "failed" }, message.failed)
    : message.pending ? "sending" : message.edited && !message.deleted ? "edited" : null;
  const acts = [];
  if (message.failed) acts.push(["Send again", () => again(message)]);
  else if (message.mine && message.archive !== null && !message.deleted && current.state === "in" && current.mayWrite) {
    if (!message.media) acts.push(["Edit", () => edit(message)]);
    acts.push(["Delete", () => remove(message)]);
  }
  return node("footer", {},
    acts.length ? node("span", { className: message.failed ? "acts" : "acts quiet" }, ...acts.map(([label, act]) =>
      node("button", { type: "button", onclick: act }, label))) : null,
    mayReact(message) ? node("span", { className: "reacts" }, node("button", { type: "button", "data-act": "React",
      "aria-expanded": String(message === choosing), onclick: () => choose(message === choosing ? null : message) },
    "React")) : null,
    state, node("time", { dateTime: message.at.toISOString() }, timeOf(message.at)));
}

let nearEnd = true;
function atEnd() {
  const scroll = by("scroll");
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
}

function toEnd() {
  by("scroll").scrollTop = by("scroll").scrollHeight;
  by("newest").hidden = true;
}

function fit() {
  by("text").style.height = "auto";
  by("text").style.height = `${by("text").scrollHeight + 2}px`;
}

// -- where the page is

// The chat that the address names, or null.
function named() {
  if (!location.hash.startsWith("#room/")) return null;
  try {
    return decodeURIComponent(location.hash.slice("#room/".length));
  } catch {
    return null;
  }
}

function follow() {
  const room = rooms.get(named()) ?? null;
  document.body.dataset.view = named() === null ? "rooms" : "room";
  if (room !== current) {
    stopsTyping();
    editing = choosing = null;
    by("editing").hidden = true;
    elements.clear();
    by("messages").replaceChildren();
    current = room;
    by("text").value = room?.draft ?? "";
    fit();
  }
  if (room) room.unread = 0;
  draw();
  toEnd();
  if (room) fillUp(room).catch(() => {});
}

by("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
by("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
  if (event.key === "Escape" && editing !== null) edit(null);
});
by("text").addEventListener("input", () => {
  fit();
  if (current) types();
});
by("cancel").addEventListener("click", () => edit(null));
by("older").addEventListener("click", () => loadOlder(current).catch(() => {}));
by("newest").addEventListener("click", toEnd);
by("scroll").addEventListener("scroll", () => {
  nearEnd = atEnd();
  if (nearEnd) by("newest").hidden = true;
  if (by("scroll").scrollTop < 40 && current && current.messages.length >= PAGE) loadOlder(current).catch(() => {});
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && current) current.unread = 0;
  if (!document.hidden) draw();
});
window.addEventListener("hashchange", () => {
  follow();
  if (current && !isNarrow()) by("text").focus();
});
setInterval(drawTyping, 1_000);
connection.start();
