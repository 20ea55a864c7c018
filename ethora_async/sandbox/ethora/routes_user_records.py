"""Reading and changing users (docs/platforms/ethora.md#users)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.errors import app_archived, user_not_found
from ethora_async.sandbox.ethora.forms import PAGE, USER_ORDER, USER_SEARCH
from ethora_async.sandbox.ethora.replies import TEXT, closed, listed, many, ref, result, success
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import brief_user, chat_record, chat_with_members, listing
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import App, User

ROUTES: Routes[Call] = Routes()
ORDERS = {"firsName": "first_name", "firstName": "first_name", "lastName": "last_name", "email": "email"}
CHANGES = {
    "firstName": "first_name",
    "lastName": "last_name",
    "username": "username",
    "profileImage": "profile_image",
}
CHANGED = closed({"xmppUsername": TEXT, "status": TEXT, "user?": ref("User")})


@ROUTES.add(
    "GET",
    "/v2/chats/users",
    auth=Auth.TENANT_ACTOR,
    section="users",
    query=USER_SEARCH,
    replies={200: {"anyOf": [listed("users", ref("User"))[200], result(ref("User"))[200]]}},
)
def find_users(call: Call) -> Reply:
    """Look one user up, or list the users of the app or of one chat."""
    asked = call.asked()
    chat = call.find_chat(asked["chatName"]) if "chatName" in asked else None
    reference = asked.get("xmppUsername", asked.get("userId"))
    if reference is not None:
        user = call.find_user(reference)
        if chat is not None and user not in chat.members:
            raise user_not_found()
        return json_reply({"ok": True, "success": True, "result": brief_user(user)})
    offset, limit = asked["offset"], asked["limit"]
    source = call.app.users if chat is None else chat.members
    total = len(call.app.users) if chat is None else chat.members.listed
    rows = [brief_user(user) for user in source.window(offset, limit)]
    return listing("users", rows, total=total, limit=limit, offset=offset)


@ROUTES.add(
    "PATCH",
    "/v2/chats/users",
    "/v2/apps/{appId}/chats/users",
    "/v1/chats/users",
    auth=Auth.TENANT_ACTOR,
    section="users",
    admin=True,
    body=lambda forms: forms.user_changes,
    replies={200: success({"results": many(CHANGED)})},
)
def change_users(call: Call) -> Reply:
    """Change names and pictures of 1 to 100 users, row by row."""
    rows = call.form()["users"]
    results = [_change_user(call, row) for row in rows]
    call.app.users.renamed()
    return json_reply({"ok": True, "success": True, "results": results})


@ROUTES.add(
    "GET",
    "/v2/apps/{appId}/users/{userId}/chats",
    auth=Auth.TENANT_ACTOR,
    section="users",
    admin=True,
    query=PAGE,
    replies=listed("chats", {"anyOf": [ref("Chat"), ref("ChatWithMembers")]}),
)
def list_chats_of_user(call: Call) -> Reply:
    """List the chats that a user is a member of."""
    asked = call.asked()
    user = call.find_user(call.params["userId"])
    shape = chat_with_members if asked["includeMembers"] else chat_record
    rows = [shape(chat) for chat in user.chats.window(asked["offset"], asked["limit"])]
    return listing("chats", rows, total=user.chats.listed, limit=asked["limit"], offset=asked["offset"])


@ROUTES.add(
    "GET", "/v1/apps/users/{xmppUsername}", auth=Auth.TENANT_ACTOR, section="users", replies=result(ref("User"))
)
def read_user(call: Call) -> Reply:
    """Look one user up by xmppUsername: of the token's own app, or of the child app in the name's prefix.

    No source says whether a parent may look up a child's user; the sandbox allows it. An archived
    child is refused with 403 `APP_ARCHIVED`, as by the routes that name it in their path.
    """
    name = call.params["xmppUsername"]
    named = call.platform.store.find_app(name.partition("_")[0])
    child = named is not None and named.parent is call.app and (call.user is None or call.user.manages(named))
    app = named if named is not None and child else call.app
    if app.archived:
        raise app_archived()
    user = app.users.find(name)
    if user is None:
        raise user_not_found()
    return json_reply({"ok": True, "success": True, "result": brief_user(user)})


@ROUTES.add(
    "GET", "/v1/apps/users", auth=Auth.SERVER, section="users", query=USER_ORDER, replies=listed("users", ref("User"))
)
def list_users_in_order(call: Call) -> Reply:
    """List the users of the app by name or time of creation."""
    asked = call.asked()
    rows = [brief_user(user) for user in users_in_order(call.app, asked)]
    return listing("users", rows, total=len(call.app.users), limit=asked["limit"], offset=asked["offset"])


def users_in_order(app: App, asked: dict[str, Any]) -> list[User]:
    """Return the page of users that `limit`, `offset`, `orderBy` and `order` ask for."""
    offset, limit, total = asked["offset"], asked["limit"], len(app.users)
    descending = asked["order"] == "desc"
    start = max(0, total - offset - limit) if descending else offset
    count = min(limit, max(0, total - offset))
    field = ORDERS.get(asked["orderBy"])
    users = app.users.window(start, count) if field is None else app.users.sorted_by(field)[start : start + count]
    return users[::-1] if descending else users


def _change_user(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    user = call.app.users.find(row["xmppUsername"])
    if user is None:
        return {"xmppUsername": row["xmppUsername"], "status": "not-found"}
    changes = {field: row[key] for key, field in CHANGES.items() if key in row}
    if changes:
        _apply(user, changes, call.now)
        call.platform.store.user_changed(user)
    status = "updated" if changes else "skipped"
    return {"xmppUsername": user.xmpp_username, "status": status, "user": brief_user(user)}


def _apply(user: User, changes: dict[str, str], now: float) -> None:
    for field, value in changes.items():
        setattr(user, field, value)
    user.updated_at = now
