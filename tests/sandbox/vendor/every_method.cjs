// Calls every public method of the vendor's SDK once or more, and prints what each answered as JSON.
// argv: the directory of the installed package, the id of the child app to act in.
"use strict";

const [, , installed, child] = process.argv;
const { getEthoraSDKService, EthoraSDKService } = require(`${installed}/node_modules/@ethora/sdk-backend`);

const sdk = getEthoraSDKService();
const replies = {};

async function call(method, ...args) {
  const reply = await sdk[method](...args);
  (replies[method] ??= []).push(reply);
  return reply;
}

async function ownApp() {
  await call("createChatName", "room");
  await call("createChatName", "room", false);
  await call("createChatUserJwtToken", "ada");
  for (const [id, name] of [["ada", "Ada Lovelace"], ["bob", "Bob"], ["eve", "Eve Moneypenny"]]) {
    await call("createUser", id, { email: `${id}@example.com`, displayName: name, role: "user" });
  }
  await call("createChatRoom", "room", { title: "The room" });
  await call("createChatRoom", "doomed");
  await call("grantUserAccessToChatRoom", "room", ["ada", "bob"]);
  await call("grantUserAccessToChatRoom", "room", "eve");
  await call("removeUserAccessFromChatRoom", "room", "bob");
  await call("updateChatRoom", "room", { title: "A better room", description: "for all" });
  await call("updateUsers", [{ xmppUsername: sdk.createChatName("ada", false), firstName: "Augusta" }]);
  await call("getUsers", { chatName: sdk.createChatName("room", false), limit: 10, offset: 0 });
  await call("getUsers");
  await call("getUserChats", "ada", { includeMembers: true });
  await call("getAppUserByXmppUsername", sdk.createChatName("ada", false));
  await call("deleteChatRoom", "doomed");
  await call("deleteUsers", ["eve"]);
}

async function childApp() {
  const row = (id) => ({ uuid: id, email: `${id}@example.com`, firstName: "Carl", lastName: "Gauss" });
  const users = { bypassEmailConfirmation: true, usersList: [row("carl"), row("dora")] };
  const { jobId } = await call("createUsersInApp", child, users);
  await call("getUsersBatchJob", child, jobId);
  await call("getUsersBatchJob", child, jobId);
  await call("createChatRoomInApp", child, "room", { title: "Child room" });
  await call("createChatRoomInApp", child, "doomed");
  await call("grantUserAccessToChatRoomInApp", child, "room", ["carl", "dora"]);
  await call("removeUserAccessFromChatRoomInApp", child, "room", "dora");
  await call("updateChatRoomInApp", child, "room", { title: "Grown up" });
  await call("getUserChatsInApp", child, "carl", { limit: 5 });
  const sent = await call("broadcastToAppChats", child, { text: "hello", chatNames: [`${child}_room`] });
  await call("getAppBroadcastJob", child, sent.jobId);
  await call("getAppBroadcastJob", child, sent.jobId);
  await call("deleteChatRoomInApp", child, "doomed");
  await call("listChatsInApp", child, { limit: 10, includeMembers: true });
  await call("deleteUsersInApp", child, ["dora"]);
}

async function administration() {
  const created = await call("createApp", { displayName: "Made by Node", domainName: "madebynode", bundleId: "x.y" });
  const app = created.app._id;
  await call("createApp", { displayName: "Doomed" });
  await call("deleteApp", replies.createApp[1].app._id);
  await call("getApp", app);
  await call("listApps", { limit: 10, offset: 0, order: "desc", orderBy: "displayName" });
  const first = await call("createAppToken", app, { label: "ci" });
  const second = await call("rotateAppToken", app, first.tokenId, { label: "ci 2" });
  await call("createAppToken", app);
  await call("revokeAppToken", app, second.tokenId);
  await call("listAppTokens", app);
  await call("provisionApp", app, { rooms: [{ title: "Lobby", pinned: true }, { title: "Help" }] });
  await call("getAppBot", app);
  await call("updateAppBot", app, { status: "on", trigger: "/bot", prompt: "Be kind." });
}

async function main() {
  await ownApp();
  await childApp();
  await administration();
  const prototype = EthoraSDKService.prototype;
  const methods = Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
  process.stdout.write("\n" + JSON.stringify({ methods, replies }));
}

main().catch((error) => {
  console.error(error.message, JSON.stringify(error.response ?? null));
  process.exit(1);
});
