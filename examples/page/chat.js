// Logs a page in to the chat with tokens from its own back end, and stays logged in.
//
// The page knows no secret and no user id: the back end knows who is logged in (POST /chat/token). A token is asked for
// again at `refresh_in`, before it ends. Tokens are kept in memory alone: not in localStorage, cookies or URLs.

const LONGEST_TIMER = 2 ** 31 - 1;  // ms; a browser fires longer ones at once
const FIRST_WAIT = 1000, LONGEST_WAIT = 60_000;  // ms, between two attempts

class LoggedOut extends Error {}
class Refused extends Error {}

export class ChatSession {
  #options;
  #timer;
  #due = Infinity;
  #attempts = 0;
  #renewals = 0;
  #run = 0;
  #user;

  // tokenUrl: your back end's endpoint. platformUrl: the platform's API.
  // onChange({state, user, renewals}): state is "in", "out", "waiting" or "failed".
  // onSession(session): called after each log-in; session.rooms() asks the platform.
  constructor(options) {
    this.#options = options;
    // Timers of hidden tabs and sleeping laptops are late: look at the clock when somebody comes back.
    document.addEventListener("visibilitychange", () => this.#wake());
    window.addEventListener("online", () => this.#wake());
  }

  start() {
    this.#attempts = 0;
    return this.#logIn();
  }

  stop() {
    this.#run++;
    clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#user = undefined;
    this.#tell("out");
  }

  async #logIn() {
    const run = ++this.#run;  // what an older attempt still brings is thrown away
    clearTimeout(this.#timer);
    this.#due = Infinity;
    try {
      const token = await this.#token();
      const session = await this.#exchange(token);
      if (run !== this.#run) return;
      const renewed = this.#user !== undefined;
      this.#user = session.user;
      this.#renewals += renewed ? 1 : 0;
      this.#attempts = 0;
      // Browsers' timers may be a little early, and a second later does no harm.
      this.#plan((token.refresh_in + 1) * 1000);
      this.#tell("in");
      await this.#options.onSession?.({ user: session.user, rooms: () => this.#rooms(session.token) });
    } catch (error) {
      if (run === this.#run) this.#failed(error);
    }
  }

  #failed(error) {
    if (error instanceof LoggedOut) return this.stop();
    if (error instanceof Refused) return this.#tell("failed");
    const wait = Math.min(FIRST_WAIT * 2 ** this.#attempts++, LONGEST_WAIT);
    this.#plan(Math.max(error.retryAfter ?? 0, wait * (0.5 + Math.random() / 2)));
    this.#tell("waiting");
  }

  async #token() {
    return json(await fetch(this.#options.tokenUrl, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    }));
  }

  // The platform's side: a token for a session (POST /v1/users/client), as its own chat component does.
  async #exchange(token) {
    return json(await fetch(`${this.#options.platformUrl}/v1/users/client`, {
      method: "POST",
      headers: { "x-custom-token": token.token },
    }), false);
  }

  async #rooms(sessionToken) {
    const value = sessionToken.startsWith("JWT ") ? sessionToken : `Bearer ${sessionToken}`;
    const reply = await fetch(`${this.#options.platformUrl}/v1/chats/my`, { headers: { Authorization: value } });
    return (await json(reply, false)).items;
  }

  #plan(ms) {
    clearTimeout(this.#timer);
    this.#due = Date.now() + ms;
    this.#timer = setTimeout(() => this.#wake(), Math.min(ms, LONGEST_TIMER));
  }

  #wake() {
    if (Date.now() >= this.#due) return this.#logIn();
    if (this.#due !== Infinity) this.#plan(this.#due - Date.now());
  }

  #tell(state) {
    this.#options.onChange?.({ state, user: this.#user, renewals: this.#renewals });
  }
}

async function json(reply, own = true) {
  if (reply.ok) return reply.json();
  if (reply.status === 401 && own) throw new LoggedOut("nobody is logged in");
  if (reply.status >= 400 && reply.status < 500 && ![408, 429].includes(reply.status)) {
    throw new Refused(`refused with ${reply.status}`);
  }
  const error = new Error(`answered with ${reply.status}`);
  error.retryAfter = 1000 * Number(reply.headers.get("Retry-After")) || 0;
  throw error;
}
