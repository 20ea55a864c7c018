"""Create and delete users (docs/platforms/ethora.md#users)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora import replies
from ethora_async.sandbox.ethora.answers import accepted, job_body
from ethora_async.sandbox.ethora.errors import (
    forbidden,
    job_not_found,
    legacy_not_found,
    user_exists,
    user_not_found,
)
from ethora_async.sandbox.ethora.forms import USER_DELETION
from ethora_async.sandbox.ethora.jobs import JobKind, Row
from ethora_async.sandbox.ethora.names import folded
from ethora_async.sandbox.ethora.replies import COUNT, STARTED, TEXT, closed, many, ref, success
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import full_user
from ethora_async.sandbox.ethora.store import UserData
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import App, User
    from ethora_async.sandbox.ethora.tokens import Signer

ROUTES: Routes[Call] = Routes()
ROW = closed({"status": TEXT, "xmppUsername": TEXT, "user": ref("OwnUser")})


@ROUTES.add(
    "POST",
    "/v1/users/batch",
    auth=Auth.TENANT_ACTOR,
    section="users",
    admin=True,
    body=lambda forms: forms.users,
    replies={200: success({"results": many(ref("OwnUser"))})},
)
def create_users(call: Call) -> Reply:
    """Create 1 to 100 users at once, or none if an e-mail address or uuid is taken."""
    rows = [_user_data(call, row) for row in call.form()["usersList"]]
    check_free(call.app, rows, "usersList[{}]")
    users = [call.platform.store.create_user(call.app, row, call.now) for row in rows]
    signer = call.platform.signer
    return json_reply({"ok": True, "success": True, "results": [full_user(user, signer) for user in users]})


@ROUTES.add(
    "POST",
    "/v1/users",
    auth=Auth.SERVER,
    section="users",
    body=lambda forms: forms.user,
    replies={201: success({"user": ref("OwnUser")})},
)
def create_user(call: Call) -> Reply:
    """Create one user; the e-mail address is optional."""
    row = _user_data(call, call.form())
    check_free(call.app, [row], "")
    user = call.platform.store.create_user(call.app, row, call.now)
    return json_reply({"ok": True, "success": True, "user": full_user(user, call.platform.signer)}, 201)


@ROUTES.add(
    "POST",
    "/v2/users/batch",
    "/v2/apps/{appId}/users/batch",
    auth=Auth.TENANT_ACTOR,
    section="users",
    admin=True,
    body=lambda forms: forms.users,
    replies=STARTED,
)
def create_users_in_job(call: Call) -> Reply:
    """Create 1 to 100 users in a job, which reports existing users in its rows."""
    users = [_user_data(call, row) for row in call.form()["usersList"]]

    def create() -> Callable[[], dict[str, Any]]:
        return partial(_report, call.platform.signer, [_create_or_meet(call, user) for user in users])

    job = call.platform.jobs.run(JobKind.USERS, call.app, call.now, create)
    return accepted(job, call.route.path.replace("{appId}", call.app.id))


@ROUTES.add(
    "GET",
    "/v2/users/batch/{jobId}",
    "/v2/apps/{appId}/users/batch/{jobId}",
    auth=Auth.TENANT_ACTOR,
    section="users",
    admin=True,
    replies=replies.job(closed({"total": COUNT, "results": many(ROW)})),
)
def read_job(call: Call) -> Reply:
    """Return the progress of a batch and, once it is done, its rows."""
    job = call.platform.jobs.find(JobKind.USERS, call.params["jobId"], call.app)
    if job is None:
        raise job_not_found()
    return json_reply(job_body(job, call.now))


@ROUTES.add(
    "DELETE",
    "/v1/users/batch",
    "/v2/apps/{appId}/users/batch",
    auth=Auth.TENANT_ACTOR,
    section="users",
    admin=True,
    body=USER_DELETION,
)
def delete_users(call: Call) -> Reply:
    """Delete users, or none if one is unknown. The platform's own accounts cannot be deleted."""
    references = call.form()["usersIdList"]
    users: dict[User, None] = {}
    for reference in references:
        user = call.app.users.find(reference)
        if user is None:
            legacy = call.platform.faults.legacy_errors and call.route.path.startswith("/v1/")
            raise legacy_not_found("Users") if legacy else user_not_found()
        users[user] = None
    if any(user.platform_owned for user in users):
        raise forbidden()
    for user in users:
        call.platform.store.delete_user(user)
    return json_reply({"ok": True, "success": True})


def _user_data(call: Call, row: dict[str, Any]) -> UserData:
    return UserData(
        first_name=row["firstName"],
        last_name=row.get("lastName", ""),
        email=row.get("email"),
        uuid=call.plain_uuid(row.get("uuid")),
        password=row.get("password"),
        profile_image=row.get("profileImage"),
    )


def check_free(app: App, rows: list[UserData], where: str) -> None:
    """Refuse the creation when an e-mail or uuid is taken, by a user or by an earlier row."""
    emails: set[str] = set()
    uuids: set[str] = set()
    for index, row in enumerate(rows):
        if row.email is not None and (row.email in emails or app.users.with_email(row.email) is not None):
            raise user_exists("email", where.format(index))
        if row.uuid is not None and (folded(row.uuid) in uuids or app.users.sharing_jid(row.uuid) is not None):
            raise user_exists("uuid", where.format(index))
        if row.email is not None:
            emails.add(row.email)
        if row.uuid is not None:
            uuids.add(folded(row.uuid))


def _create_or_meet(call: Call, data: UserData) -> Row:
    """Create a user, or return the one who has the e-mail or, failing that, the uuid."""
    users = call.app.users
    known = None if data.email is None else users.with_email(data.email)
    if known is not None:
        return Row("exists", known)
    known = None if data.uuid is None else users.sharing_jid(data.uuid)
    if known is not None:
        return Row("uuid_exists", known)
    return Row("created", call.platform.store.create_user(call.app, data, call.now))


def _report(signer: Signer, rows: list[Row]) -> dict[str, Any]:
    results = [
        {"status": row.status, "xmppUsername": row.user.xmpp_username, "user": full_user(row.user, signer)}
        for row in rows
    ]
    return {"total": len(results), "results": results}
