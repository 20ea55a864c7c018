"use strict";

const EVERY = 1000;
const PAGE = 100;
const by = (id) => document.getElementById(id);
const asked = { table: "", search: "", limit: PAGE, open: "" };
let tag = null;
let shown = {};
let paused = false;
let asking = null;
let timer = 0;

function node(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key in made && key !== "role") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Replaces what an element holds only when it differs, so that focus, scrolling and selections stay.
function fill(element, key, value, make) {
  const text = JSON.stringify(value);
  if (shown[key] === text) return;
  shown[key] = text;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const top = element.scrollTop;
  element.replaceChildren(...make(value));
  element.scrollTop = top;
  if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function pairs(facts) {
  return Object.entries(facts).map(([name, value]) =>
    node("div", {}, node("dt", {}, name), node("dd", {}, String(value))));
}

function table(data, caption) {
  if (!data.rows.length) return [node("p", { className: "empty" }, `No ${data.title.toLowerCase()} yet.`)];
  const head = node("tr", {}, ...data.columns.map((column) => node("th", { scope: "col" }, column)));
  const rows = data.rows.map((row) => node("tr", {}, ...row.cells.map((cell, place) => {
    const content = place === 0 && row.opens
      ? node("a", { href: `#${row.opens}`, "data-key": `row ${row.opens} ${cell}` }, String(cell) || "(no name)")
      : String(cell);
    return node("td", { className: typeof cell === "number" ? "number" : "" }, content);
  })));
  return [node("table", {},
    node("caption", { className: caption ? "" : "hidden" }, data.title),
    node("thead", {}, head), node("tbody", {}, ...rows))];
}

function requests(rows) {
  if (!rows.length) return [node("p", { className: "empty" }, "No requests yet.")];
  const columns = ["Time", "Method", "Path", "Status", "Took", "Token"];
  return [node("table", {},
    node("caption", { className: "hidden" }, "Latest requests"),
    node("thead", {}, node("tr", {}, ...columns.map((column) => node("th", { scope: "col" }, column)))),
    node("tbody", {}, ...rows.map((row) => {
      const kind = row.status === 0 || row.status >= 500 ? "failed" : row.status >= 400 ? "refused" : "ok";
      return node("tr", {}, node("td", {}, row.time), node("td", {}, row.method),
        node("td", { className: "target" }, row.target),
        node("td", { className: `status ${kind}` }, row.status === 0 ? "cut" : String(row.status)),
        node("td", {}, `${row.ms} ms`), node("td", {}, row.token || "–"));
    })))];
}

function switches(state) {
  const made = state.switches.map((one) => node("label", {}, node("span", {}, one.label), node("input", {
    type: "checkbox", role: "switch", checked: one.on, "data-key": `switch ${one.key}`,
    onchange: (event) => change({ switch: one.key, on: event.target.checked }),
  })));
  const knobs = state.knobs.map((knob) => {
    const flag = typeof knob.value === "boolean";
    return node("label", {}, node("span", {}, knob.label), flag
      ? node("input", {
        type: "checkbox", role: "switch", checked: knob.value, "data-key": `knob ${knob.name}`,
        onchange: (event) => change({ set: knob.name, value: event.target.checked }),
      })
      : node("input", {
        type: "number", min: "0", step: "any", value: String(knob.value), "data-key": `knob ${knob.name}`,
        onchange: (event) => change({ set: knob.name, value: event.target.valueAsNumber }),
      }));
  });
  return [...made, ...knobs];
}

function active(faults) {
  return faults.map((fault) => node("li", {},
    node("span", {}, node("code", {}, fault.route),
      node("small", {}, `${fault.does} – ${fault.hits} ${fault.hits === 1 ? "hit" : "hits"}`)),
    node("button", {
      type: "button", className: "quiet", "data-key": `fault ${fault.id}`,
      "aria-label": `Remove the fault on ${fault.route}`, onclick: () => change({ remove: fault.id }),
    }, "Remove")));
}

function render(state) {
  document.title = `${state.platform} sandbox`;
  by("platform").textContent = state.platform;
  asked.table = state.key;
  fill(by("facts"), "facts", state.facts, pairs);
  fill(by("tabs"), "tabs", [state.tables, state.key], () => state.tables.map((one) => node("a", {
    href: `#${one.key}`, "aria-current": one.key === state.key ? "true" : null, "data-key": `tab ${one.key}`,
  }, one.title, node("span", {}, one.count.toLocaleString("en")))));
  const found = state.table;
  fill(by("table"), "table", found, (data) => (data.rows.length || !asked.search
    ? table(data, false)
    : [node("p", { className: "empty" }, `Nothing holds “${asked.search}”.`)]));
  by("note").textContent = found.rows.length < found.total || found.partial
    ? `${found.rows.length.toLocaleString("en")} of ${found.total.toLocaleString("en")}`
      + (found.partial ? " found among the first 5,000" : "")
    : "";
  by("more").hidden = found.rows.length >= found.total || asked.limit >= 1000;
  fill(by("requests"), "requests", state.requests, requests);
  fill(by("switches"), "switches", [state.switches, state.knobs], () => switches(state));
  fill(by("active"), "active", state.active, active);
  by("clear").disabled = !state.active.length;
  detail(state);
}

function detail(state) {
  const open = Boolean(asked.open);
  by("detail").hidden = !open;
  document.querySelector("main").classList.toggle("open", open);
  if (!open || state.open !== asked.open) return;
  const record = state.detail;
  by("detail-title").textContent = record ? record.title : "This record is gone";
  fill(by("detail-facts"), "detail-facts", record ? record.facts : {}, pairs);
  fill(by("detail-tables"), "detail-tables", record ? record.tables : [], (tables) => tables.map((one) =>
    node("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": one.title }, ...table(one, true))));
  const [kind, id] = asked.open.split(/\/(.*)/s);
  const chat = record && kind === "users" ? state.chat : null;
  by("chat").hidden = !chat;
  if (chat) by("chat").href = chat + encodeURIComponent(id);
}

function live(state, text) {
  if (by("live").dataset.state === state && by("live").textContent === text) return;
  by("live").dataset.state = state;
  by("live").textContent = text;
}

async function refresh() {
  clearTimeout(timer);
  asking?.abort();
  const mine = asking = new AbortController();
  try {
    const headers = tag ? { "If-None-Match": tag } : {};
    const reply = await fetch(`state?${new URLSearchParams(asked)}`, { headers, signal: mine.signal, cache: "no-store" });
    if (reply.status === 200) {
      const state = await reply.json();
      if (mine.signal.aborted) return;
      tag = reply.headers.get("ETag");
      render(state);
    } else if (reply.status !== 304) throw new Error(await reply.text());
    live(paused ? "wait" : "on", paused ? "paused" : "live");
  } catch (error) {
    if (error.name === "AbortError") return;
    live("off", "not reachable; trying again");
  }
  if (!paused && !document.hidden) timer = setTimeout(refresh, EVERY);
}

async function change(body) {
  by("problem").textContent = "";
  try {
    const reply = await fetch("faults", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (!reply.ok) by("problem").textContent = await reply.text();
    delete shown.switches;
    tag = null;
    await refresh();
    return reply.ok;
  } catch {
    live("off", "not reachable; trying again");
    return false;
  }
}

function follow() {
  const place = location.hash.slice(1);
  if (place.includes("/")) {
    asked.open = place;
  } else {
    asked.open = "";
    if (place) asked.table = place;
    asked.limit = PAGE;
  }
  tag = null;
  refresh().then(() => {
    if (asked.open) by("detail").focus();
  });
}

by("search").addEventListener("input", (event) => {
  asked.search = event.target.value;
  asked.limit = PAGE;
  tag = null;
  refresh();
});
by("more").addEventListener("click", () => {
  asked.limit = Math.min(1000, asked.limit + 3 * PAGE);
  tag = null;
  refresh();
});
by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").setAttribute("aria-pressed", String(paused));
  by("pause").textContent = paused ? "Go on" : "Pause";
  refresh();
});
by("clear").addEventListener("click", () => change({ clear: true }));
by("close").addEventListener("click", (event) => {
  event.preventDefault();
  location.hash = asked.table;
});
by("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await change({ add: by("spec").value })) by("spec").value = "";
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && asked.open) location.hash = asked.table;
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    by("search").focus();
  }
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
window.addEventListener("hashchange", follow);
follow();
