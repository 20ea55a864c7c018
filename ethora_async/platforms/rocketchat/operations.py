"""Every route of Rocket.Chat that this client uses, listed once, with whether it may be repeated (design §4).

Creating a user or a room names it: asked for twice, the second answer is "already in use". A message carries an id made
here, so that a second one is recognised. A token or a session made twice leaves one that nobody uses.
"""

from __future__ import annotations

from ethora_async.request import Method, Operation


def _route(name: str, method: Method, route: str, source: str) -> Operation:
    return Operation(name, method, f"/api/v1/{route}", repeatable=True, source=f"contract §{source}")


SERVER_INFO = Operation("server.info", "GET", "/api/info", repeatable=True, source="contract §1.12")
PUBLIC_SETTINGS = _route("server.settings", "GET", "settings.public", "1.7")

LOGIN = _route("session.login", "POST", "login", "1.3")
LOGOUT = _route("tokens.revoke", "POST", "logout", "1.5")
ME = _route("session.me", "GET", "me", "1.5")
SEND_EMAIL_CODE = _route("session.send_email_code", "POST", "users.2fa.sendEmailCode", "1.4")

CREATE_TOKEN = _route("tokens.for_user", "POST", "users.createToken", "1.6")
LOGOUT_USER = _route("logout", "POST", "users.logout", "1.5")

CREATE_USER = _route("users.create", "POST", "users.create", "1.5")
GET_USER = _route("users.get", "GET", "users.info", "1.5")
LIST_USERS = _route("users.list", "GET", "users.list", "1.5")
UPDATE_USER = _route("users.update", "POST", "users.update", "1.5")
DELETE_USER = _route("users.delete", "POST", "users.delete", "1.5")
SET_ACTIVE = _route("users.set_active", "POST", "users.setActiveStatus", "1.5")

CREATE_CHANNEL = _route("chats.create", "POST", "channels.create", "1.8")
CREATE_GROUP = _route("chats.create", "POST", "groups.create", "1.8")
CREATE_DIRECT = _route("chats.direct", "POST", "im.create", "1.8")
GET_ROOM = _route("chats.get", "GET", "rooms.info", "1.8")
DELETE_ROOM = _route("chats.delete", "POST", "rooms.delete", "1.8")
LIST_CHANNELS = _route("chats.channels", "GET", "channels.list", "1.8")
LIST_GROUPS = _route("chats.groups", "GET", "groups.listAll", "1.8")
CHANNEL_MEMBERS = _route("chats.members", "GET", "channels.members", "1.8")
GROUP_MEMBERS = _route("chats.members", "GET", "groups.members", "1.8")
INVITE_TO_CHANNEL = _route("chats.invite", "POST", "channels.invite", "1.8")
INVITE_TO_GROUP = _route("chats.invite", "POST", "groups.invite", "1.8")
KICK_FROM_CHANNEL = _route("chats.kick", "POST", "channels.kick", "1.8")
KICK_FROM_GROUP = _route("chats.kick", "POST", "groups.kick", "1.8")
CHANNEL_TOPIC = _route("chats.update", "POST", "channels.setTopic", "1.8")
GROUP_TOPIC = _route("chats.update", "POST", "groups.setTopic", "1.8")
CHANNEL_DESCRIPTION = _route("chats.update", "POST", "channels.setDescription", "1.8")
GROUP_DESCRIPTION = _route("chats.update", "POST", "groups.setDescription", "1.8")

JOINED_ROOMS = _route("me.rooms", "GET", "rooms.get", "1.8")
SUBSCRIPTIONS = _route("me.subscriptions", "GET", "subscriptions.get", "1.8")

SEND_MESSAGE = _route("messages.send", "POST", "chat.sendMessage", "1.9")
GET_MESSAGE = _route("messages.get", "GET", "chat.getMessage", "1.9")
SYNC_MESSAGES = _route("messages.changes", "GET", "chat.syncMessages", "1.9")
CHANNEL_HISTORY = _route("messages.history", "GET", "channels.history", "1.9")
GROUP_HISTORY = _route("messages.history", "GET", "groups.history", "1.9")
DIRECT_HISTORY = _route("messages.history", "GET", "im.history", "1.9")
