// A chat as this page knows it: its messages in order, who is typing, whether this user may still write.

import { child } from "./xmpp.js";

const TYPING_LASTS = 6_000;  // ms without a further sign
const MOST_REACTIONS = 12;  // of one person to one message; a stanza may hold thousands

const later = (a, b) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);  // archive ids are numbers of any length

export class Room {
  constructor(jid, title, count) {
    this.jid = jid;
    this.name = jid.split("@")[0];
    this.title = title;
    this.count = count;
    this.state = "out";  // out, in, removed, deleted or refused
    this.why = "";
    this.mayWrite = true;
    this.messages = [];  // those with an archive id, in its order
    this.waiting = [];   // those sent and not yet echoed
    this.complete = false;
    this.loading = false;
    this.known = false;  // whether its latest message is
    this.unread = 0;
    this.draft = "";
    this.typing = new Map();
    this.reactions = new Map();  // by the archive id of the message, then by nick; they may come before the message
  }

  get first() { return this.messages[0]?.archive ?? null; }
  get shown() { return [...this.messages, ...this.waiting].filter((message) => !message.hidden); }
  get latest() { return this.shown.at(-1) ?? null; }

  find(archive) {
    return this.messages.find((message) => message.archive === archive) ?? null;
  }

  // Takes in a message stanza, live or from the archive; returns the message if it is a new one to show.
  take(stanza, user, stamp = null) {
    const nick = stanza.getAttribute("from").split("/").slice(1).join("/");
    const composing = child(stanza, "composing"), paused = child(stanza, "paused");
    const data = child(stanza, "data");
    if (composing || paused) {
      this.#types(nick, data?.getAttribute("fullName") || nick, Boolean(composing), user);
      return null;
    }
    const replace = child(stanza, "replace"), remove = child(stanza, "delete");
    if (replace) return this.#change(replace.getAttribute("id"), { body: replace.getAttribute("text"), edited: true });
    if (remove) return this.#change(remove.getAttribute("id"), { body: "", deleted: true, media: null });
    const mark = child(stanza, "archived") ?? child(stanza, "stanza-id");
    if (!mark) return null;
    const reactions = child(stanza, "reactions");
    if (reactions) this.#react(reactions, nick, nameIn(data, nick), mark.getAttribute("id"));
    return this.#keep(read(stanza, nick, data, mark.getAttribute("id"), user, stamp));
  }

  #types(nick, name, on, user) {
    if (nick === user) return;
    if (on) this.typing.set(nick, { name, until: Date.now() + TYPING_LASTS });
    else this.typing.delete(nick);
  }

  // What somebody says now replaces what they said before; nothing at all takes it back.
  #react(stanza, nick, name, archive) {
    const about = stanza.getAttribute("id") ?? "";
    const known = this.reactions.get(about) ?? new Map();
    if (known.has(nick) && later(known.get(nick).archive, archive) > 0) return;
    const kinds = [...stanza.children].filter((one) => one.localName === "reaction")
      .map((one) => one.textContent.trim().slice(0, 32)).filter(Boolean);
    known.set(nick, { archive, name, kinds: [...new Set(kinds)].slice(0, MOST_REACTIONS) });
    this.reactions.set(about, known);
    this.#change(about, {});
  }

  // What somebody reacted with to a message.
  reactionsOf(nick, message) {
    return this.reactions.get(message.archive)?.get(nick)?.kinds ?? [];
  }

  // Who reacted to a message, by the kind of reaction.
  reactionsTo(message) {
    const found = new Map();
    for (const { name, kinds } of (this.reactions.get(message.archive) ?? new Map()).values()) {
      for (const kind of kinds) found.set(kind, [...(found.get(kind) ?? []), name]);
    }
    return found;
  }

  #change(archive, fields) {
    const message = this.find(archive);
    if (message) Object.assign(message, fields, { revision: message.revision + 1 });
    return null;
  }

  #keep(message) {
    this.typing.delete(message.nick);
    const sent = message.mine ? this.waiting.findIndex((one) => one.id === message.id) : -1;
    const known = this.find(message.archive) ?? (sent >= 0 ? this.waiting[sent] : null);
    if (sent >= 0) this.waiting.splice(sent, 1);
    if (known) Object.assign(known, message, { revision: known.revision + 1, pending: false, failed: "", key: known.key });
    if (known && sent < 0) return null;
    let place = this.messages.length;
    while (place > 0 && later(this.messages[place - 1].archive, message.archive) > 0) place--;
    this.messages.splice(place, 0, known ?? message);
    return message.mine || message.hidden ? null : message;
  }

  // What was sent before the connection was lost and is in the history is there; the rest did not arrive.
  settle(connected) {
    for (const message of this.waiting) {
      if (message.pending && message.connected < connected) this.fail(message.id, "Not sent");
    }
  }

  fail(id, why) {
    const message = this.waiting.find((one) => one.id === id);
    if (message) Object.assign(message, { pending: false, failed: why, revision: message.revision + 1 });
  }

  typists() {
    const now = Date.now();
    for (const [nick, { until }] of this.typing) if (until <= now) this.typing.delete(nick);
    return [...this.typing.values()].map(({ name }) => name);
  }
}

const toldBy = (data) => (name) => (data?.getAttribute(name) ?? "").trim();

function nameIn(data, nick) {
  const told = toldBy(data);
  return told("fullName") || `${told("senderFirstName")} ${told("senderLastName")}`.trim() || nick;
}

function read(stanza, nick, data, archive, user, stamp) {
  const body = child(stanza, "body");
  const told = toldBy(data);
  const micros = Number(archive);
  return {
    key: archive,
    archive,
    id: stanza.getAttribute("id") ?? "",
    nick,
    name: nameIn(data, nick),
    mine: nick === user,
    body: body?.textContent ?? "",
    hidden: body === null,
    system: told("isSystemMessage") === "true",
    media: told("isMediafile") === "true" ? media(told) : null,
    edited: child(stanza, "replaced") !== null,
    deleted: child(stanza, "deleted") !== null,
    at: stamp === null ? new Date(micros / 1000) : new Date(stamp),
    revision: 0,
    pending: false,
    failed: "",
  };
}

// A file, to be shown as a picture only if it is one that this sandbox serves.
function media(told) {
  let url = null;
  try {
    url = new URL(told("location"), location.origin);
  } catch { /* no address: the name alone is shown */ }
  const safe = url !== null && (url.protocol === "http:" || url.protocol === "https:");
  const here = safe && url.pathname.startsWith("/files/") && isLocal(url.hostname);
  const picture = here && /^image\/(png|jpeg|gif|webp|avif)$/.test(told("mimetype"));
  return {
    name: told("originalName") || told("fileName") || "file",
    href: here ? url.pathname : safe ? url.href : null,
    picture,
  };
}

function isLocal(host) {
  return host === location.hostname || host === "localhost" || host === "[::1]" || host.startsWith("127.");
}
