"""Making and deleting users (contract §1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.errors import (
    forbidden,
    job_not_found,
    legacy_not_found,
    user_exists,
    user_not_found,
)
from ethora_async.sandbox.ethora.forms import USER_DELETION
from ethora_async.sandbox.ethora.jobs import Job, Row
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import full_user, timestamp
from ethora_async.sandbox.ethora.store import UserData
from ethora_async.sandbox.wire import Answer, json_answer

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import App, User

ROUTES = Routes()


@ROUTES.add("POST", "/v1/users/batch", auth=Auth.TENANT_ACTOR, section="1.4", admin=True)
def create_users(call: Call) -> Answer:
    """Create 1 to 100 users at once; none of them when an e-mail or uuid is taken."""
    rows = [_user_data(call, row) for row in call.form(call.platform.forms.users)["usersList"]]
    _check_free(call.app, rows, "usersList[{}]")
    users = [call.platform.store.create_user(call.app, row, call.now) for row in rows]
    signer = call.platform.signer
    return json_answer({"ok": True, "success": True, "results": [full_user(user, signer) for user in users]})


@ROUTES.add("POST", "/v1/users", auth=Auth.SERVER, section="1.4")
def create_user(call: Call) -> Answer:
    """Create one user; the e-mail is optional here."""
    row = _user_data(call, call.form(call.platform.forms.user))
    _check_free(call.app, [row], "")
    user = call.platform.store.create_user(call.app, row, call.now)
    return json_answer({"ok": True, "success": True, "user": full_user(user, call.platform.signer)}, 201)


@ROUTES.add(
    "POST",
    "/v2/users/batch",
    "/v2/apps/{appId}/users/batch",
    auth=Auth.TENANT_ACTOR,
    section="1.4",
    admin=True,
)
def create_users_in_job(call: Call) -> Answer:
    """Create 1 to 100 users as a job; rows that are there already are reported, not refused."""
    users = [_user_data(call, row) for row in call.form(call.platform.forms.users)["usersList"]]
    faults = call.platform.faults
    error = faults.take_job_failure()
    rows = [] if error else [_create_or_meet(call, user) for user in users]
    job = call.platform.jobs.add(
        call.app, rows, now=call.now, polls=faults.job_polls, delay=faults.job_delay, error=error
    )
    prefix = call.route.path.replace("{appId}", call.app.id)
    return json_answer({"ok": True, "jobId": job.id, "statusUrl": f"{prefix}/{job.id}"}, 202)


@ROUTES.add(
    "GET",
    "/v2/users/batch/{jobId}",
    "/v2/apps/{appId}/users/batch/{jobId}",
    auth=Auth.TENANT_ACTOR,
    section="1.4",
    admin=True,
)
def read_job(call: Call) -> Answer:
    """Tell how far a batch is, and its rows once it is done."""
    job = call.platform.jobs.find(call.params["jobId"], call.app)
    if job is None:
        raise job_not_found()
    state = job.poll(call.now)
    body: dict[str, Any] = {
        "ok": True,
        "jobId": job.id,
        "state": state,
        "createdAt": timestamp(job.created_at),
    }
    if state == "completed":
        body["result"] = _job_result(call, job)
    if state == "failed":
        body["error"] = job.error
    return json_answer(body)


@ROUTES.add(
    "DELETE",
    "/v1/users/batch",
    "/v2/apps/{appId}/users/batch",
    auth=Auth.TENANT_ACTOR,
    section="1.4",
    admin=True,
)
def delete_users(call: Call) -> Answer:
    """Delete users; none of them when one is unknown. The platform's own accounts cannot be deleted."""
    references = call.form(USER_DELETION)["usersIdList"]
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
        call.app.users.remove(user)
    return json_answer({"ok": True, "success": True})


def _user_data(call: Call, row: dict[str, Any]) -> UserData:
    return UserData(
        first_name=row["firstName"],
        last_name=row.get("lastName", ""),
        email=row.get("email"),
        uuid=call.plain_uuid(row.get("uuid")),
        password=row.get("password"),
        profile_image=row.get("profileImage"),
    )


def _check_free(app: App, rows: list[UserData], where: str) -> None:
    """Refuse the creation when an e-mail or uuid is taken, by a user or by an earlier row."""
    emails: set[str] = set()
    uuids: set[str] = set()
    for index, row in enumerate(rows):
        if row.email is not None and (row.email in emails or app.users.with_email(row.email) is not None):
            raise user_exists("email", where.format(index))
        if row.uuid is not None and (row.uuid in uuids or app.users.with_uuid(row.uuid) is not None):
            raise user_exists("uuid", where.format(index))
        if row.email is not None:
            emails.add(row.email)
        if row.uuid is not None:
            uuids.add(row.uuid)


def _create_or_meet(call: Call, data: UserData) -> Row:
    """Create a user, or return the one who has the e-mail or, failing that, the uuid."""
    users = call.app.users
    known = None if data.email is None else users.with_email(data.email)
    if known is not None:
        return Row("exists", known)
    known = None if data.uuid is None else users.with_uuid(data.uuid)
    if known is not None:
        return Row("uuid_exists", known)
    return Row("created", call.platform.store.create_user(call.app, data, call.now))


def _job_result(call: Call, job: Job) -> dict[str, Any]:
    signer = call.platform.signer
    rows = [
        {"status": row.status, "xmppUsername": row.user.xmpp_username, "user": full_user(row.user, signer)}
        for row in job.rows
    ]
    return {"total": len(rows), "results": rows}
