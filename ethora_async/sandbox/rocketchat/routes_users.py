"""Create, look up and list users (docs/platforms/rocketchat.md#users)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.rocketchat import accounts
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import user_not_found
from ethora_async.sandbox.rocketchat.ids import new_token
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, FLAG, MAP, NUMBER, TEXT, TEXTS, closed, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import full_user, listed_user, user_for, user_room

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import User
    from ethora_async.sandbox.rocketchat.schema import Schema
    from ethora_async.sandbox.rocketchat.versions import Version
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
NEW_USER = closed(
    {"email": TEXT, "name": TEXT, "password": TEXT, "username": TEXT},
    {
        **dict.fromkeys(("bio", "nickname", "statusText", "fields", "freeSwitchExtension"), maybe(TEXT)),
        **dict.fromkeys(("active", "joinDefaultChannels", "requirePasswordChange"), maybe(FLAG)),
        **dict.fromkeys(("setRandomPassword", "sendWelcomeEmail", "verified"), maybe(FLAG)),
        "roles": TEXTS,
        "customFields": MAP,
    },
)
ORDERS: dict[str, Any] = {
    "username": lambda user: user.username.lower(),
    "name": lambda user: user.name.lower(),
    "createdAt": lambda user: user.created_at,
    "emails.address": lambda user: user.email or "",
}


@ROUTES.add("POST", "users.create", section="users", creation=True, body=NEW_USER)
def create(call: Call) -> Reply:
    """Create an account."""
    user = accounts.create(call.platform, call.body, call.user, call.now)
    # Old servers also return the password's hash.
    more = {} if call.platform.version.since(7) else {"services": {"password": {"bcrypt": f"$2b$10${new_token()}"}}}
    return success(user={**full_user(user), **more})


def _info_query(version: Version) -> Schema:
    """Return the forms of `users.info`: exactly one way to name the user; further ways came with 8.4 and 8.5."""
    ways = ["userId", "username", "importId"]
    ways += ["email"] if version.since(8, 4) else []
    ways += ["freeSwitchExtension"] if version.since(8, 5) else []
    more = {"includeUserRooms": TEXT, "fields": maybe(TEXT)}
    return one_of(*(closed({way: TEXT}, more) for way in ways))


@ROUTES.add("GET", "users.info", section="users", query=_info_query)
def info(call: Call) -> Reply:
    """Return one user, optionally with their rooms."""
    user = _named(call)
    if user is None:
        raise user_not_found()
    shape = user_for(call.caller, user)
    if call.query.get("includeUserRooms") == "true":
        shape["rooms"] = [user_room(member) for member in user.rooms.values()]
    return success(user=shape)


def _named(call: Call) -> User | None:
    users, query = call.platform.store.users, call.query
    if "userId" in query:
        return users.with_id(query["userId"])
    if "username" in query:
        return users.with_username(query["username"])
    if "email" in query:
        return users.with_email(query["email"])
    if "importId" in query:
        return next((user for user in users if query["importId"] in user.import_ids), None)
    return next((user for user in users if user.extension == query["freeSwitchExtension"]), None)


@ROUTES.add(
    "GET",
    "users.list",
    section="users",
    any_of=("view-d-room",),
    query=closed(
        {},
        {
            **dict.fromkeys(("fields", "query", "sort"), maybe(TEXT)),
            **dict.fromkeys(("count", "offset"), maybe(NUMBER)),
            "email": maybe(FILLED),
        },
    ),
)
def list_users(call: Call) -> Reply:
    """List the users by user name, or in the order that `sort` names."""
    viewer = call.user
    users = _sorted(call)
    if call.query.get("email"):
        users = [user for user in users if (user.email or "").startswith(call.query["email"].lower())]
    return call.listing("users", users, lambda user: listed_user(user, viewer))


def _sorted(call: Call) -> list[User]:
    """Order by the first key of `sort` that the sandbox knows."""
    try:
        asked: Any = orjson.loads(call.query.get("sort") or "{}")
    except ValueError:
        asked = {}
    keys = [key for key in asked if key in ORDERS] if isinstance(asked, dict) else []
    key = keys[0] if keys else "username"
    users = call.platform.store.users.sorted_by(key, ORDERS[key])
    return users[::-1] if keys and asked[key] == -1 else users
