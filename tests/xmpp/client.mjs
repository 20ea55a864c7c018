// A conversation through @xmpp/client, told as one JSON object: arguments are url, domain, room, then user and password
// of a member, and of somebody who is not one.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.MODULES}/`);
globalThis.WebSocket ??= require("ws"); // node has one of its own from version 22 on
const { client, xml } = await import(require.resolve("@xmpp/client"));
const [service, domain, room, member, password, stranger, theirs] = process.argv.slice(2);
const told = {};

function connect(username, password) {
  const xmpp = client({ service, domain, username, password, resource: "node" });
  xmpp.reconnect.stop();
  xmpp.on("error", () => {});
  return xmpp;
}

function next(xmpp, wanted) {
  return new Promise((resolve) => {
    const look = (stanza) => {
      if (wanted(stanza)) {
        xmpp.removeListener("stanza", look);
        resolve(stanza);
      }
    };
    xmpp.on("stanza", look);
  });
}

const condition = (stanza) => stanza.getChild("error").children[0].name;
const enter = (xmpp, user, id) => {
  const answer = next(xmpp, (stanza) => stanza.is("presence") && stanza.attrs.id === id);
  xmpp.send(xml("presence", { to: `${room}/${user}`, id }, xml("x", { xmlns: "http://jabber.org/protocol/muc" })));
  return answer;
};
const say = (xmpp, text, id) => {
  const answer = next(xmpp, (stanza) => stanza.is("message") && stanza.attrs.id === id);
  xmpp.send(xml("message", { to: room, type: "groupchat", id }, xml("body", {}, text)));
  return answer;
};
const history = (xmpp) =>
  xmpp.iqCaller.request(
    xml("iq", { type: "set", to: room }, xml("query", { xmlns: "urn:xmpp:mam:2" }, xml("set", { xmlns: "http://jabber.org/protocol/rsm" }, xml("max", {}, "10"), xml("before"))))
  );

const wrong = connect(member, "wrong");
told.wrong = await wrong.start().then(() => "logged in", (error) => error.condition);
await wrong.stop();

const one = connect(member, password);
told.jid = (await one.start()).toString();
const entered = await enter(one, member, "enter");
told.entered = entered.getChild("x").getChildren("status").map((status) => status.attrs.code);
const echo = await say(one, "Hello <there> & you", "hello");
told.said = echo.getChildText("body");
told.archived = echo.getChild("archived").attrs.id === echo.getChild("stanza-id").attrs.id;

const other = connect(stranger, theirs);
await other.start();
told.refused = condition(await enter(other, stranger, "enter"));
told.unheard = condition(await say(other, "let me in", "let"));
told.unread = await history(other).then(() => "read", (error) => error.condition);

const pages = [];
one.on("stanza", (stanza) => {
  const result = stanza.getChild("result", "urn:xmpp:mam:2");
  if (result) pages.push(result.getChild("forwarded").getChild("message").getChildText("body"));
});
const fin = await history(one);
told.history = pages;
told.complete = fin.getChild("fin").attrs.complete;
told.ping = (await one.iqCaller.get(xml("ping", { xmlns: "urn:xmpp:ping" }), domain)) ?? null;
await one.stop();
await other.stop();
console.log(JSON.stringify(told));
process.exit(0);
