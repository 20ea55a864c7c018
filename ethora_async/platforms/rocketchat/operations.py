"""Every route of Rocket.Chat that this client uses, listed once, and whether it may be repeated.

See docs/architecture.md#sending.

Creating a user or a room names it: a second request is answered with "already in use". A message carries an id
generated here, so that a second one is recognised. A second token or session only leaves one that nobody uses.
"""

from __future__ import annotations

from ethora_async.request import Method, Operation


def route(name: str, method: Method, path: str, source: str, *, repeatable: bool = True) -> Operation:
    """Return an operation below ``/api/v1/``, from a heading of docs/platforms/rocketchat.md."""
    source = f"docs/platforms/rocketchat.md#{source}"
    return Operation(name, method, f"/api/v1/{path}", repeatable=repeatable, source=source)


SERVER_INFO = Operation(
    "server.info", "GET", "/api/info", repeatable=True, source="docs/platforms/rocketchat.md#server-info"
)
PUBLIC_SETTINGS = route("server.settings", "GET", "settings.public", "token-lifetime")

LOGIN = route("session.login", "POST", "login", "log-in")
LOGOUT = route("tokens.revoke", "POST", "logout", "users")
ME = route("session.me", "GET", "me", "users")
SEND_EMAIL_CODE = route("session.send_email_code", "POST", "users.2fa.sendEmailCode", "second-factor")

CREATE_TOKEN = route("tokens.for_user", "POST", "users.createToken", "minting-tokens")
LOGOUT_USER = route("logout", "POST", "users.logout", "users")

CREATE_USER = route("users.create", "POST", "users.create", "users")
GET_USER = route("users.get", "GET", "users.info", "users")
LIST_USERS = route("users.list", "GET", "users.list", "users")
UPDATE_USER = route("users.update", "POST", "users.update", "users")
DELETE_USER = route("users.delete", "POST", "users.delete", "users")
SET_ACTIVE = route("users.set_active", "POST", "users.setActiveStatus", "users")

CREATE_CHANNEL = route("chats.create", "POST", "channels.create", "rooms")
CREATE_GROUP = route("chats.create", "POST", "groups.create", "rooms")
CREATE_DIRECT = route("chats.direct", "POST", "im.create", "rooms")
GET_ROOM = route("chats.get", "GET", "rooms.info", "rooms")
DELETE_ROOM = route("chats.delete", "POST", "rooms.delete", "rooms")
LIST_CHANNELS = route("chats.channels", "GET", "channels.list", "rooms")
LIST_GROUPS = route("chats.groups", "GET", "groups.listAll", "rooms")
CHANNEL_MEMBERS = route("chats.members", "GET", "channels.members", "rooms")
GROUP_MEMBERS = route("chats.members", "GET", "groups.members", "rooms")
DIRECT_MEMBERS = route("chats.members", "GET", "im.members", "rooms")
INVITE_TO_CHANNEL = route("chats.invite", "POST", "channels.invite", "rooms")
INVITE_TO_GROUP = route("chats.invite", "POST", "groups.invite", "rooms")
KICK_FROM_CHANNEL = route("chats.kick", "POST", "channels.kick", "rooms")
KICK_FROM_GROUP = route("chats.kick", "POST", "groups.kick", "rooms")
CHANNEL_TOPIC = route("chats.update", "POST", "channels.setTopic", "room-settings")
GROUP_TOPIC = route("chats.update", "POST", "groups.setTopic", "room-settings")
CHANNEL_DESCRIPTION = route("chats.update", "POST", "channels.setDescription", "room-settings")
GROUP_DESCRIPTION = route("chats.update", "POST", "groups.setDescription", "room-settings")

JOINED_ROOMS = route("me.rooms", "GET", "rooms.get", "rooms")
SUBSCRIPTIONS = route("me.subscriptions", "GET", "subscriptions.get", "rooms")

SEND_MESSAGE = route("messages.send", "POST", "chat.sendMessage", "messages")
GET_MESSAGE = route("messages.get", "GET", "chat.getMessage", "messages")
SYNC_MESSAGES = route("messages.changes", "GET", "chat.syncMessages", "messages")
CHANNEL_HISTORY = route("messages.history", "GET", "channels.history", "messages")
GROUP_HISTORY = route("messages.history", "GET", "groups.history", "messages")
DIRECT_HISTORY = route("messages.history", "GET", "im.history", "messages")
