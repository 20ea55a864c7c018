"""Users for an app's managers, with a user session (docs/platforms/ethora.md#users).

`usersIdList` holds record ids here, not the caller's own: these routes are those of the admin's web page.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.sandbox.ethora.errors import forbidden, user_not_found
from ethora_async.sandbox.ethora.forms_users import (
    ACL,
    IMPORT_MANY,
    IMPORTED,
    PROFILE,
    UNREAD,
    USER_IDS,
    USER_LIST,
    USER_TAGS,
)
from ethora_async.sandbox.ethora.passwords import mail_new_password
from ethora_async.sandbox.ethora.profiles import change_profile
from ethora_async.sandbox.ethora.replies import COUNT, FLAG, MAP, TEXT, closed, listed, many, ref, success
from ethora_async.sandbox.ethora.routes_user_records import users_in_order
from ethora_async.sandbox.ethora.routes_users import check_free
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import brief_user, full_user, listing, timestamp
from ethora_async.sandbox.ethora.store import UserData
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import User

ROUTES: Routes[Call] = Routes()
COLUMNS = ("_id", "uuid", "xmppUsername", "email", "firstName", "lastName", "tags", "createdAt")
ORDER = {"orderBy": TEXT, "order": TEXT}
ACL_REPLY = success({"result": closed({"userId": TEXT, "application?": MAP, "network?": MAP})})
UNREAD_ROW = closed({"userId": TEXT, "xmppUsername": TEXT, "status": TEXT, "count?": COUNT, "hasUnread?": FLAG})


@ROUTES.add(
    "POST",
    "/v1/users/create-with-app-id/{appId}",
    auth=Auth.USER,
    section="users",
    admin=True,
    body=IMPORTED,
    replies={200: success({"user": ref("OwnUser")})},
)
def create_one(call: Call) -> Reply:
    """Create a user and mail the password."""
    user = _create(call, [call.form()], "")[0]
    return json_reply({"ok": True, "success": True, "user": full_user(user, call.platform.signer)})


@ROUTES.add(
    "POST",
    "/v1/users/create-many-with-app-id/{appId}",
    auth=Auth.USER,
    section="users",
    admin=True,
    body=IMPORT_MANY,
    replies={200: success({"results": many(ref("OwnUser"))})},
)
def create_many(call: Call) -> Reply:
    """Create 1 to 100 users, or none if an e-mail address is taken. This is the import of the older guide."""
    users = _create(call, call.form()["usersList"], "usersList[{}]")
    rows = [full_user(user, call.platform.signer) for user in users]
    return json_reply({"ok": True, "success": True, "results": rows})


@ROUTES.add(
    "POST", "/v1/users/delete-many-with-app-id/{appId}", auth=Auth.USER, section="users", admin=True, body=USER_IDS
)
def delete_many(call: Call) -> Reply:
    """Delete users, or none if one is unknown or belongs to the platform."""
    users = _users(call, call.form()["usersIdList"])
    if any(user.platform_owned for user in users):
        raise forbidden()
    for user in users:
        call.platform.store.delete_user(user)
    return json_reply({"ok": True, "success": True})


@ROUTES.add(
    "POST", "/v1/users/reset-passwords-with-app-id/{appId}", auth=Auth.USER, section="users", admin=True, body=USER_IDS
)
def reset_passwords(call: Call) -> Reply:
    """Mail new passwords; the old ones and all sessions become invalid."""
    users = _users(call, call.form()["usersIdList"])
    for user in users:
        mail_new_password(call.platform, user)
    call.platform.sessions.end(lambda session: session.user in users)
    return json_reply({"ok": True, "success": True})


@ROUTES.add("POST", "/v1/users/tags-set/{appId}", auth=Auth.USER, section="users", admin=True, body=USER_TAGS)
def set_tags(call: Call) -> Reply:
    """Replace the tags of users."""
    return _tag(call, lambda _, sent: sent)


@ROUTES.add("POST", "/v1/users/tags-add/{appId}", auth=Auth.USER, section="users", admin=True, body=USER_TAGS)
def add_tags(call: Call) -> Reply:
    """Add tags to users."""
    return _tag(call, lambda had, sent: [*had, *sent])


@ROUTES.add("POST", "/v1/users/tags-delete/{appId}", auth=Auth.USER, section="users", admin=True, body=USER_TAGS)
def delete_tags(call: Call) -> Reply:
    """Remove tags from users."""
    return _tag(call, lambda had, sent: [tag for tag in had if tag not in sent])


@ROUTES.add(
    "GET",
    "/v1/users/{appId}",
    auth=Auth.USER,
    section="users",
    admin=True,
    query=USER_LIST,
    replies=listed("users", ref("User"), ORDER),
)
def list_users(call: Call) -> Reply:
    """List the users of the app in order."""
    asked = call.asked()
    rows = [brief_user(user) for user in users_in_order(call.app, asked)]
    further = {"orderBy": asked["orderBy"], "order": asked["order"]}
    page = {"limit": asked["limit"], "offset": asked["offset"]}
    return listing("users", rows, total=len(call.app.users), further=further, **page)


@ROUTES.add(
    "GET",
    "/v1/users/export/{appId}",
    auth=Auth.USER,
    section="users",
    admin=True,
    replies={200: TEXT},
    kinds=("text/csv",),
)
def export_users(call: Call) -> Reply:
    """Export all users of the app as CSV; tags are separated by semicolons."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for user in call.app.users:
        names = (user.id, user.uuid, user.xmpp_username, user.email or "", user.first_name, user.last_name)
        writer.writerow((*names, ";".join(user.profile.tags), timestamp(user.created_at)))
    return Reply(200, buffer.getvalue().encode("utf-8", "replace"), "text/csv; charset=utf-8")


@ROUTES.add(
    "PUT",
    "/v1/users/{appId}/{userId}",
    auth=Auth.USER,
    section="users",
    admin=True,
    body=PROFILE,
    uploads=(0, 1),
    replies={200: success({"user": ref("OwnUser"), "result": ref("OwnUser")})},
)
def change_user(call: Call) -> Reply:
    """Change the profile of a user."""
    user, form = call.find_user(call.params["userId"]), call.form()
    change_profile(call, user, form)
    record = full_user(user, call.platform.signer)
    return json_reply({"ok": True, "success": True, "user": record, "result": record})


@ROUTES.add("GET", "/v1/users/acl", auth=Auth.USER, section="users", replies={200: ACL_REPLY})
def read_own_acl(call: Call) -> Reply:
    """Read the caller's own access rules."""
    return _acl(call.signed_in()[0])


@ROUTES.add(
    "GET",
    "/v1/users/acl/{appId}/{userId}",
    auth=Auth.USER,
    section="users",
    admin=True,
    replies={200: ACL_REPLY},
)
def read_acl(call: Call) -> Reply:
    """Read the access rules of a user."""
    return _acl(call.find_user(call.params["userId"]))


@ROUTES.add(
    "PUT",
    "/v1/users/acl/{appId}/{userId}",
    auth=Auth.USER,
    section="users",
    admin=True,
    body=ACL,
    replies={200: ACL_REPLY},
)
def change_acl(call: Call) -> Reply:
    """Store the access rules of a user. The sandbox returns them but does not enforce them."""
    user = call.find_user(call.params["userId"])
    user.profile = attrs.evolve(user.profile, acl={**user.profile.acl, **call.form()})
    return _acl(user)


@ROUTES.add(
    "POST",
    "/v2/apps/{appId}/users/unread-counts",
    auth=Auth.TENANT_ACTOR,
    section="users",
    admin=True,
    body=UNREAD,
    replies={200: success({"mode": TEXT, "results": many(UNREAD_ROW), "items": many(UNREAD_ROW)})},
)
def count_unread(call: Call) -> Reply:
    """Count the unread messages of 1 to 100 users over all their chats, or report only whether there are any."""
    form = call.form()
    rows = [_unread(call, form, reference) for reference in form["userIds"]]
    return json_reply({"ok": True, "success": True, "mode": form["mode"], "results": rows, "items": rows})


def _unread(call: Call, form: dict[str, Any], reference: str) -> dict[str, Any]:
    user = call.app.users.find(reference)
    if user is None:
        return {"userId": reference, "xmppUsername": reference, "status": "not-found"}
    count = sum(chat.unread(user) for chat in user.chats)
    told = {"hasUnread": count > 0} if form["mode"] == "flag" else {"count": min(count, form.get("cap", count))}
    return {"userId": reference, "xmppUsername": user.xmpp_username, "status": "ok", **told}


def _create(call: Call, rows: list[dict[str, Any]], where: str) -> list[User]:
    users = [
        UserData(first_name=row["firstName"], last_name=row.get("lastName", ""), email=row["email"]) for row in rows
    ]
    check_free(call.app, users, where)
    made = [call.platform.store.create_user(call.app, user, call.now) for user in users]
    for user in made:
        mail_new_password(call.platform, user)
    return made


def _users(call: Call, ids: list[str]) -> dict[User, None]:
    users = [call.app.users.with_id(record_id) for record_id in ids]
    found = [user for user in users if user is not None]
    if len(found) < len(users):
        raise user_not_found()
    return dict.fromkeys(found)


def _tag(call: Call, change: Callable[[list[str], list[str]], list[str]]) -> Reply:
    form = call.form()
    for user in _users(call, form.get("usersIdList") or form["userIdList"]):
        tags = change(list(user.profile.tags), form["tagsList"])
        user.profile = attrs.evolve(user.profile, tags=tuple(dict.fromkeys(tags)))
        user.updated_at = call.now
    return json_reply({"ok": True, "success": True})


def _acl(user: User) -> Reply:
    return json_reply({"ok": True, "success": True, "result": {"userId": user.id, **user.profile.acl}})
