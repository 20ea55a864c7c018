"""Every operation of Ethora that this client uses, listed once, with whether it may be repeated (design §4).

What can be asked of an app's users and chats stands in `AppOperations`, twice: in the form for the client's own app,
which is the one that the vendor's SDK sends (contract §4.1), and in the form for another app (``/v2/apps/{app}/…``).
"""

from __future__ import annotations

import attrs

from ethora_async.request import Method, Operation


def _repeatable(name: str, method: Method, path: str, source: str) -> Operation:
    return Operation(name, method, path, repeatable=True, source=f"contract §{source}")


def _once(name: str, method: Method, path: str, source: str) -> Operation:
    return Operation(name, method, path, repeatable=False, source=f"contract §{source}")


@attrs.frozen
class AppOperations:
    """What can be asked of one app's users and chats. Every path may name the app as ``{app}``."""

    create_users: Operation
    create_users_job: Operation
    delete_users: Operation
    update_users: Operation
    list_users: Operation
    get_user: Operation
    user_chats: Operation
    create_chat: Operation
    create_chat_without_id: Operation
    update_chat: Operation
    delete_chat: Operation
    list_chats: Operation
    grant: Operation
    revoke: Operation


_USER_CHATS = _repeatable("users.chats", "GET", "/v2/apps/{app}/users/{user}/chats", "1.4")
_UPDATE_CHAT = _repeatable("chats.update", "PATCH", "/v2/apps/{app}/chats/{chat}", "1.6")
_LIST_CHATS = _repeatable("chats.list", "GET", "/v2/apps/{app}/chats", "1.6")

# A batch names each user by uuid and e-mail: sent again, it finds them there. A chat with an id answers "already
# exists" to a second creation; without one it is made a second time.
OWN_APP = AppOperations(
    create_users=_repeatable("users.create", "POST", "/v2/users/batch", "1.4"),
    create_users_job=_repeatable("users.create.job", "GET", "/v2/users/batch/{job}", "1.4"),
    delete_users=_repeatable("users.delete", "DELETE", "/v1/users/batch", "1.4"),
    update_users=_repeatable("users.update", "PATCH", "/v2/chats/users", "1.4"),
    list_users=_repeatable("users.list", "GET", "/v2/chats/users", "1.4"),
    get_user=_repeatable("users.get", "GET", "/v2/chats/users", "1.4"),
    user_chats=_USER_CHATS,
    create_chat=_repeatable("chats.create", "POST", "/v2/chats", "1.6"),
    create_chat_without_id=_once("chats.create", "POST", "/v2/chats", "1.6"),
    update_chat=_UPDATE_CHAT,
    delete_chat=_repeatable("chats.delete", "DELETE", "/v1/chats", "1.6"),
    list_chats=_LIST_CHATS,
    grant=_repeatable("chats.grant", "POST", "/v2/chats/users-access", "1.6"),
    revoke=_repeatable("chats.revoke", "DELETE", "/v2/chats/users-access", "1.6"),
)

OTHER_APP = AppOperations(
    create_users=_repeatable("users.create", "POST", "/v2/apps/{app}/users/batch", "1.4"),
    create_users_job=_repeatable("users.create.job", "GET", "/v2/apps/{app}/users/batch/{job}", "1.4"),
    delete_users=_repeatable("users.delete", "DELETE", "/v2/apps/{app}/users/batch", "1.4"),
    update_users=_repeatable("users.update", "PATCH", "/v2/apps/{app}/chats/users", "1.4"),
    list_users=_repeatable("users.list", "GET", "/v1/users/{app}", "1.4"),
    get_user=_repeatable("users.get", "GET", "/v1/apps/users/{user}", "1.4"),
    user_chats=_USER_CHATS,
    create_chat=_repeatable("chats.create", "POST", "/v2/apps/{app}/chats", "1.6"),
    create_chat_without_id=_once("chats.create", "POST", "/v2/apps/{app}/chats", "1.6"),
    update_chat=_UPDATE_CHAT,
    delete_chat=_repeatable("chats.delete", "DELETE", "/v2/apps/{app}/chats", "1.6"),
    list_chats=_LIST_CHATS,
    grant=_repeatable("chats.grant", "POST", "/v2/apps/{app}/chats/users-access", "1.6"),
    revoke=_repeatable("chats.revoke", "DELETE", "/v2/apps/{app}/chats/users-access", "1.6"),
)

PING = _repeatable("ping", "GET", "/ping", "1.1")
EXCHANGE = _repeatable("sessions.exchange", "POST", "/v1/users/client", "1.5")
