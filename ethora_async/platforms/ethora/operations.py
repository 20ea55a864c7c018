"""Every operation of Ethora that this client uses, listed once, with whether it may be repeated (design §4).

An operation of the app's own and its twin for a child app (``/v2/apps/{app}/…``) stand side by side; the own form is
the one that the vendor's SDK sends (contract §4.1).
"""

from __future__ import annotations

from ethora_async.request import Method, Operation


def _repeatable(name: str, method: Method, path: str, source: str) -> Operation:
    return Operation(name, method, path, repeatable=True, source=f"contract §{source}")


def _once(name: str, method: Method, path: str, source: str) -> Operation:
    return Operation(name, method, path, repeatable=False, source=f"contract §{source}")


PING = _repeatable("ping", "GET", "/ping", "1.1")
GET_CONFIG = _repeatable("apps.config", "GET", "/v1/apps/get-config", "1.7")

# A batch names each user by uuid and e-mail: sent again, it finds them there.
CREATE_USERS = _repeatable("users.create", "POST", "/v2/users/batch", "1.4")
CREATE_USERS_JOB = _repeatable("users.create.job", "GET", "/v2/users/batch/{job}", "1.4")
DELETE_USERS = _repeatable("users.delete", "DELETE", "/v1/users/batch", "1.4")
LIST_USERS = _repeatable("users.list", "GET", "/v2/chats/users", "1.4")
GET_USER = _repeatable("users.get", "GET", "/v2/chats/users", "1.4")
UPDATE_USERS = _repeatable("users.update", "PATCH", "/v2/chats/users", "1.4")
LIST_USER_CHATS = _repeatable("users.chats", "GET", "/v2/apps/{app}/users/{user}/chats", "1.4")

# With an id, a second creation answers "already exists"; without one it makes a second chat.
CREATE_CHAT = _repeatable("chats.create", "POST", "/v2/chats", "1.6")
CREATE_CHAT_WITHOUT_ID = _once("chats.create", "POST", "/v2/chats", "1.6")
UPDATE_CHAT = _repeatable("chats.update", "PATCH", "/v2/apps/{app}/chats/{chat}", "1.6")
DELETE_CHAT = _repeatable("chats.delete", "DELETE", "/v1/chats", "1.6")
LIST_CHATS = _repeatable("chats.list", "GET", "/v2/apps/{app}/chats", "1.6")
GRANT = _repeatable("chats.grant", "POST", "/v2/chats/users-access", "1.6")
REVOKE = _repeatable("chats.revoke", "DELETE", "/v2/chats/users-access", "1.6")

EXCHANGE = _repeatable("sessions.exchange", "POST", "/v1/users/client", "1.5")
