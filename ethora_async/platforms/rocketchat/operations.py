"""Every route of Rocket.Chat that this client uses, listed once, with whether it may be repeated.

See docs/architecture.md#sending.

Creating a user or a room names it: asked for twice, the second answer is "already in use". A message carries an id made
here, so that a second one is recognised. A token or a session made twice leaves one that nobody uses.
"""

from __future__ import annotations

from ethora_async.request import Method, Operation


def _route(name: str, method: Method, route: str, source: str) -> Operation:
    return Operation(name, method, f"/api/v1/{route}", repeatable=True, source=f"docs/platforms/rocketchat.md#{source}")


SERVER_INFO = Operation(
    "server.info", "GET", "/api/info", repeatable=True, source="docs/platforms/rocketchat.md#server-info"
)
PUBLIC_SETTINGS = _route("server.settings", "GET", "settings.public", "token-lifetime")

LOGIN = _route("session.login", "POST", "login", "log-in")
LOGOUT = _route("tokens.revoke", "POST", "logout", "users")
ME = _route("session.me", "GET", "me", "users")
SEND_EMAIL_CODE = _route("session.send_email_code", "POST", "users.2fa.sendEmailCode", "second-factor")

CREATE_TOKEN = _route("tokens.for_user", "POST", "users.createToken", "minting-tokens")
LOGOUT_USER = _route("logout", "POST", "users.logout", "users")

CREATE_USER = _route("users.create", "POST", "users.create", "users")
GET_USER = _route("users.get", "GET", "users.info", "users")
LIST_USERS = _route("users.list", "GET", "users.list", "users")
UPDATE_USER = _route("users.update", "POST", "users.update", "users")
DELETE_USER = _route("users.delete", "POST", "users.delete", "users")
SET_ACTIVE = _route("users.set_active", "POST", "users.setActiveStatus", "users")

CREATE_CHANNEL = _route("chats.create", "POST", "channels.create", "rooms")
CREATE_GROUP = _route("chats.create", "POST", "groups.create", "rooms")
CREATE_DIRECT = _route("chats.direct", "POST", "im.create", "rooms")
GET_ROOM = _route("chats.get", "GET", "rooms.info", "rooms")
DELETE_ROOM = _route("chats.delete", "POST", "rooms.delete", "rooms")
LIST_CHANNELS = _route("chats.channels", "GET", "channels.list", "rooms")
LIST_GROUPS = _route("chats.groups", "GET", "groups.listAll", "rooms")
CHANNEL_MEMBERS = _route("chats.members", "GET", "channels.members", "rooms")
GROUP_MEMBERS = _route("chats.members", "GET", "groups.members", "rooms")
INVITE_TO_CHANNEL = _route("chats.invite", "POST", "channels.invite", "rooms")
INVITE_TO_GROUP = _route("chats.invite", "POST", "groups.invite", "rooms")
KICK_FROM_CHANNEL = _route("chats.kick", "POST", "channels.kick", "rooms")
KICK_FROM_GROUP = _route("chats.kick", "POST", "groups.kick", "rooms")
CHANNEL_TOPIC = _route("chats.update", "POST", "channels.setTopic", "rooms")
GROUP_TOPIC = _route("chats.update", "POST", "groups.setTopic", "rooms")
CHANNEL_DESCRIPTION = _route("chats.update", "POST", "channels.setDescription", "rooms")
GROUP_DESCRIPTION = _route("chats.update", "POST", "groups.setDescription", "rooms")

JOINED_ROOMS = _route("me.rooms", "GET", "rooms.get", "rooms")
SUBSCRIPTIONS = _route("me.subscriptions", "GET", "subscriptions.get", "rooms")

SEND_MESSAGE = _route("messages.send", "POST", "chat.sendMessage", "messages")
GET_MESSAGE = _route("messages.get", "GET", "chat.getMessage", "messages")
SYNC_MESSAGES = _route("messages.changes", "GET", "chat.syncMessages", "messages")
CHANNEL_HISTORY = _route("messages.history", "GET", "channels.history", "messages")
GROUP_HISTORY = _route("messages.history", "GET", "groups.history", "messages")
DIRECT_HISTORY = _route("messages.history", "GET", "im.history", "messages")
