"""Presence and preferences (docs/platforms/rocketchat.md#presence-and-preferences)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.rocketchat import announce
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, missing_permission, user_not_found
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import TEXT, closed
from ethora_async.sandbox.rocketchat.shapes import full_user

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import User
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "presence-and-preferences"
WHO = closed({}, dict.fromkeys(("userId", "username", "user"), TEXT))


def _asked(call: Call) -> User:
    return call.user_of(call.query) if call.query else call.user


@ROUTES.add("GET", "users.getPresence", section=SECTION, query=WHO)
def presence(call: Call) -> Reply:
    """Return a user's presence; the caller's own includes that of the connection."""
    user = _asked(call)
    own = {"connectionStatus": user.status} if user is call.user else {}
    return success(presence=user.status, **own)


@ROUTES.add("GET", "users.getStatus", section=SECTION, query=WHO)
def status(call: Call) -> Reply:
    """Return a user's presence and status text."""
    user = _asked(call)
    return success(_id=user.id, status=user.status, message=user.status_text, connectionStatus=user.status)


@ROUTES.add("GET", "users.presence", section=SECTION)
def presences(call: Call) -> Reply:
    """List the users who are not offline, or those with the given ids."""
    ids = call.query.get("ids")
    if ids is None:
        users = [user for user in call.platform.store.users if user.status != "offline"]
    else:
        wanted = ids if isinstance(ids, list) else [one for one in str(ids).split(",") if one]
        found = (call.platform.store.users.with_id(one) for one in wanted)
        users = [user for user in found if user is not None]
    return success(users=[_presence(user) for user in users], full=ids is None)


def _presence(user: User) -> dict[str, Any]:
    return {
        "_id": user.id,
        "username": user.username,
        "name": user.name,
        "status": user.status,
        "statusText": user.status_text,
        "utcOffset": 0,
    }


@ROUTES.add("GET", "users.getPreferences", section=SECTION)
def preferences(call: Call) -> Reply:
    """Return the caller's preferences."""
    return success(preferences=dict(call.user.preferences))


@ROUTES.add("POST", "users.setPreferences", section=SECTION)
def set_preferences(call: Call) -> Reply:
    """Change some of a user's preferences."""
    data = call.body.get("data")
    if not isinstance(data, dict) or not set(call.body) <= {"userId", "data"}:
        raise MeteorError("invalid-params", "must have required property 'data'")
    user = call.user
    if call.body.get("userId") not in (None, user.id):
        if not may(user, "edit-other-user-info"):
            raise MeteorError("error-action-not-allowed", "Editing user is not allowed")
        found = call.platform.store.users.with_id(str(call.body["userId"]))
        if found is None:
            raise MeteorError("error-invalid-user", 'The optional "userId" param provided does not match any users')
        user = found
    user.preferences |= data
    user.updated_at = call.now
    announce.user_data(call.platform, user, {f"settings.preferences.{key}": value for key, value in data.items()})
    return success(user={"_id": user.id, "settings": {"preferences": {**user.preferences, "language": "en"}}})


@ROUTES.add("GET", "users.listByStatus", section=SECTION, any_of=("view-d-room",))
def by_status(call: Call) -> Reply:
    """List users by activity, past log-ins, type, roles or a word."""
    if not may(call.user, "view-full-other-user-info"):
        raise missing_permission()
    query = call.query
    roles = query.get("roles")
    wanted = set(roles if isinstance(roles, list) else [roles]) if roles else set()
    logged_in = {"true": True, "false": False}.get(str(query.get("hasLoggedIn")))
    term = str(query.get("searchTerm") or "").lower()

    def fits(user: User) -> bool:
        return (
            query.get("status") in (None, "active" if user.active else "deactivated")
            and (logged_in is None or (user.last_login is not None) is logged_in)
            and query.get("type") in (None, user.kind)
            and (not wanted or not wanted.isdisjoint(user.roles))
            and any(term in (text or "").lower() for text in (user.username, user.name, user.email))
        )

    users = sorted((user for user in call.platform.store.users if fits(user)), key=lambda user: user.username)
    return call.listing("users", users, full_user)


@ROUTES.add("GET", "users.autocomplete", section=SECTION)
def autocomplete(call: Call) -> Reply:
    """List users whose names begin with the `term` in the JSON of `selector`."""
    try:
        term = str(orjson.loads(str(call.query.get("selector") or "{}")).get("term") or "").lower()
    except (ValueError, AttributeError):
        raise MeteorError("error-invalid-params", "selector must be JSON") from None
    found = [user for user in call.platform.store.users if term in user.username.lower() or term in user.name.lower()]
    return success(items=[_presence(user) for user in found[:10]])


@ROUTES.add("GET", "users.listTeams", section=SECTION, query=closed({"userId": TEXT}))
def teams(call: Call) -> Reply:
    """List the teams that a user is in."""
    user = call.platform.store.users.with_id(call.query["userId"])
    if user is None:
        raise user_not_found()
    mains = [member for member in user.rooms.values() if member.room.team_main]
    return success(
        teams=[
            {
                "_id": member.room.team_id,
                "name": member.room.name,
                "isOwner": "owner" in member.roles,
                "type": 1 if member.room.type == "p" else 0,
            }
            for member in mains
        ]
    )
