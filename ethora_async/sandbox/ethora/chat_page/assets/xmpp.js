// XMPP over a websocket (RFC 7395) as Ethora's front end speaks it: connect, log in, stay connected.

const FRAMING = "urn:ietf:params:xml:ns:xmpp-framing";
const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
const BIND = "urn:ietf:params:xml:ns:xmpp-bind";
const PING_EVERY = 20_000, ANSWER_WITHIN = 15_000;  // ms
const FIRST_WAIT = 500, LONGEST_WAIT = 15_000;  // ms, between two attempts
const NOT_XML = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

// Text with what XML cannot hold left out, and its markup escaped.
function escaped(text) {
  return String(text).replace(NOT_XML, "").replace(/[&<>"']/g, (one) => ESCAPES[one]);
}

class Xml {
  constructor(text) { this.text = text; }
}

// An element as text. Strings among the children are escaped; attributes that are null are left out.
export function xml(name, attributes = {}, ...children) {
  const given = Object.entries(attributes).filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(value)}"`).join("");
  const inner = children.map((child) => (child instanceof Xml ? child.text : escaped(child))).join("");
  return new Xml(`<${name}${given}>${inner}</${name}>`);
}

// The first child element with a local name, or null.
export function child(element, name) {
  return element ? [...element.children].find((one) => one.localName === name) ?? null : null;
}

export class Refused extends Error {}

export class Connection {
  #credentials;
  #on;
  #socket = null;
  #login = null;
  #jid = null;
  #waiting = new Map();
  #number = 0;
  #attempts = 0;
  #timer = 0;
  #alive = 0;
  #stopped = false;

  // credentials: an async function that returns {service, domain, user, password}.
  // on: {state(name, text), stanza(element)}; states are "connecting", "online", "offline" and "refused".
  constructor(credentials, on) {
    this.#credentials = credentials;
    this.#on = on;
    // Timers of hidden tabs and sleeping laptops are late: look again when somebody comes back.
    window.addEventListener("online", () => this.#again());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#again(); });
  }

  get user() { return this.#login.user; }
  get jid() { return this.#jid; }
  get domain() { return this.#login.domain; }

  start() {
    this.#stopped = false;
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#socket instanceof WebSocket) this.#socket.close();
    else this.#socket = null;
  }

  send(stanza) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(stanza.text);
  }

  // Sends a query and returns the answer's element; rejects with a Refused, or when the connection ends.
  query(type, to, payload) {
    const id = `q${++this.#number}`;
    this.send(xml("iq", { xmlns: "jabber:client", type, id, to }, payload));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, () => reject(new Error("no answer"))), ANSWER_WITHIN);
      this.#waiting.set(id, { resolve, reject, timer });
    });
  }

  #again() {
    if (this.#socket === null && !this.#stopped && this.#attempts) this.#connect();
  }

  async #connect() {
    clearTimeout(this.#timer);
    if (this.#socket !== null) return;
    this.#on.state("connecting");
    const opening = this.#socket = {};
    try {
      this.#login = await this.#credentials();
    } catch (error) {
      this.#socket = null;
      if (error instanceof Refused) this.#refuse(error.message);
      else this.#retry();
      return;
    }
    if (this.#socket !== opening || this.#stopped) return;
    const socket = this.#socket = new WebSocket(this.#login.service, "xmpp");
    socket.addEventListener("open", () => this.#open());
    socket.addEventListener("message", (event) => {
      if (this.#socket === socket) this.#receive(event.data);
    });
    socket.addEventListener("close", () => {
      if (this.#socket === socket) this.#lost();
    });
  }

  #open() {
    this.#socket.send(xml("open", { xmlns: FRAMING, to: this.#login.domain, version: "1.0" }).text);
  }

  #receive(text) {
    const frame = new DOMParser().parseFromString(text, "text/xml").documentElement;
    clearTimeout(this.#alive);
    this.#alive = setTimeout(() => this.#ping(), PING_EVERY);
    switch (frame.localName) {
      case "features": return this.#negotiate(frame);
      case "success": return this.#open();
      case "failure": return this.#refuse("The sandbox does not accept this user's password.");
      case "error": return this.#end(frame);
      case "close": return this.#socket.close();
      case "iq": return this.#answer(frame);
      case "message": case "presence": return this.#on.stanza(frame);
      default: return undefined;
    }
  }

  #negotiate(features) {
    const { user, password } = this.#login;
    if (child(features, "mechanisms")) {
      const plain = btoa(String.fromCharCode(...new TextEncoder().encode(`\0${user}\0${password}`)));
      this.#socket.send(xml("auth", { xmlns: SASL, mechanism: "PLAIN" }, plain).text);
      return;
    }
    this.query("set", null, xml("bind", { xmlns: BIND })).then((answer) => {
      this.#jid = answer.querySelector("jid").textContent;
      this.#attempts = 0;
      this.send(xml("presence", { xmlns: "jabber:client" }));
      this.#on.state("online");
    }, () => this.#socket?.close());
  }

  #answer(iq) {
    const id = iq.getAttribute("id");
    if (iq.getAttribute("type") === "result") this.#settle(id, (one) => one.resolve(iq));
    else if (iq.getAttribute("type") === "error") {
      this.#settle(id, (one) => one.reject(new Refused(refusal(iq))));
    }
  }

  #settle(id, how) {
    const one = this.#waiting.get(id);
    if (!one) return;
    this.#waiting.delete(id);
    clearTimeout(one.timer);
    how(one);
  }

  #ping() {
    const socket = this.#socket;
    this.query("get", null, xml("ping", { xmlns: "urn:xmpp:ping" })).catch(() => {
      // Nobody answers: what close() waits for may never come either.
      if (this.#socket === socket) {
        socket?.close();
        this.#lost();
      }
    });
  }

  #end(error) {
    if (child(error, "not-authorized")) this.#refuse("This account is gone.");
  }

  #lost() {
    clearTimeout(this.#alive);
    this.#socket = null;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, (one) => one.reject(new Error("disconnected")));
    if (!this.#stopped) this.#retry();
  }

  #retry() {
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempts++);
    this.#on.state("offline");
    this.#timer = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2));
  }

  #refuse(text) {
    this.stop();
    this.#on.state("refused", text);
  }
}

// Why a stanza came back, in words.
export function refusal(stanza) {
  const error = child(stanza, "error");
  const condition = [...(error?.children ?? [])].find((one) => one.localName !== "text")?.localName;
  return child(error, "text")?.textContent || condition || "refused";
}
