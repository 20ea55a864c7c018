"""Members of a chat: `users-access` (docs/platforms/ethora.md#chat-members).

The values of `details[].status` are not public (docs/platforms/ethora.md#open-questions): `added`, `already-member`,
`removed`, `not-member` and `not-found` are this server's own, in the style of PATCH.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.errors import chat_not_found, forbidden, user_not_found
from ethora_async.sandbox.ethora.forms_chats import CHAT_MEMBERS
from ethora_async.sandbox.ethora.replies import COUNT, TEXT, Schema, closed, many, ref, success
from ethora_async.sandbox.ethora.routes_chats import require_control
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import member
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import Chat, User

ROUTES: Routes[Call] = Routes()
PATHS = ("/v1/chats/users-access", "/v2/chats/users-access", "/v2/apps/{appId}/chats/users-access")


def _schema(key: str) -> Schema:
    by_status = {"type": "object", "additionalProperties": COUNT}
    return success(
        {
            "summary": closed({"requested": COUNT, "byStatus": by_status}),
            "details": many(closed({"xmppUsername": TEXT, "status": TEXT})),
            key: many(ref("Member")),
        }
    )


@ROUTES.add(
    "POST", *PATHS, auth=Auth.TENANT_ACTOR, section="chats", body=CHAT_MEMBERS, replies={200: _schema("results")}
)
def add_members(call: Call) -> Reply:
    """Add users to a chat."""
    chat, members = _read(call)
    store = call.platform.store

    def add(user: User) -> str:
        return "added" if store.join(chat, user) else "already-member"

    return _answer(members, add, "results")


@ROUTES.add(
    "DELETE", *PATHS, auth=Auth.TENANT_ACTOR, section="chats", body=CHAT_MEMBERS, replies={200: _schema("result")}
)
def remove_members(call: Call) -> Reply:
    """Remove users from a chat; listings may lag. Callers cannot remove themselves; on v1 only the creator removes."""
    chat, members = _read(call)
    if call.route.path.startswith("/v1/") and call.user not in (None, chat.creator):
        raise forbidden()
    if call.user is not None and any(user is call.user for _, user in members):
        raise chat_not_found()
    store, lag = call.platform.store, call.platform.faults.deletion_lag

    def remove(user: User) -> str:
        return "removed" if store.leave(chat, user, call.now, lag) else "not-member"

    return _answer(members, remove, "result")


def _read(call: Call) -> tuple[Chat, list[tuple[str, User | None]]]:
    """Return the chat and the users named; v1 knows no row for an unknown user and answers 404."""
    form = call.form()
    chat = call.find_chat(form["chatName"])
    require_control(call, chat)
    members = [(reference, call.app.users.find(reference)) for reference in form["members"]]
    if call.route.path.startswith("/v1/") and any(user is None for _, user in members):
        raise user_not_found()
    return chat, members


def _answer(members: list[tuple[str, User | None]], act: Callable[[User], str], key: str) -> Reply:
    """Apply the change to each user; older clients read the members under `key`."""
    rows: list[dict[str, Any]] = [
        {"xmppUsername": reference, "status": "not-found"}
        if user is None
        else {"xmppUsername": user.xmpp_username, "status": act(user)}
        for reference, user in members
    ]
    return json_reply(
        {
            "ok": True,
            "success": True,
            "summary": {"requested": len(rows), "byStatus": Counter(row["status"] for row in rows)},
            "details": rows,
            key: [member(user) for _, user in members if user is not None],
        }
    )
