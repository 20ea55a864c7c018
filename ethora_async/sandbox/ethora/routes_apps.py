"""List, create, change and archive apps (docs/platforms/ethora.md#apps).

An app may be used by its own server token, that of its parent, its creator, and the owner accounts of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.answers import accepted, job_body, session_reply
from ethora_async.sandbox.ethora.errors import RefusedError, forbidden, job_not_found
from ethora_async.sandbox.ethora.forms_apps import (
    APP_CHANGE,
    APP_DELETION,
    APP_ORDER,
    CHECK_DOMAIN,
    NEW_APP,
    SETTINGS,
    USER_DEFAULTS,
)
from ethora_async.sandbox.ethora.jobs import JobKind
from ethora_async.sandbox.ethora.replies import (
    FLAG,
    SESSION,
    TEXT,
    closed,
    job,
    listed,
    ref,
    success,
)
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import listing
from ethora_async.sandbox.ethora.shapes_apps import TOTALS, app_record, total
from ethora_async.sandbox.ethora.tenancy import AppData, open_app, owner_of
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import App

ROUTES: Routes[Call] = Routes()
APP = ref("App")
ORDER = {"orderBy": TEXT, "order": TEXT}
STATUS = {"ok": FLAG, "success": FLAG, "status?": TEXT, "result?": TEXT}


@ROUTES.add("GET", "/v1/apps", auth=Auth.USER, section="apps", query=APP_ORDER, replies=listed("apps", APP, ORDER))
def list_own_apps(call: Call) -> Reply:
    """List the apps that the user manages, secrets included."""
    return _list(call, secret=True)


@ROUTES.add(
    "GET", "/v2/apps", auth=Auth.TENANT_ACTOR, section="apps", query=APP_ORDER, replies=listed("apps", APP, ORDER)
)
def list_apps(call: Call) -> Reply:
    """List the apps that the caller may act in: for a server token its own app and the children."""
    return _list(call, secret=False)


@ROUTES.add("POST", "/v1/apps", auth=Auth.USER, section="apps", body=NEW_APP, replies={200: success({"app": APP})})
def create_own_app(call: Call) -> Reply:
    """Create an app that the user manages, below the base app."""
    return _create(call, 200)


@ROUTES.add(
    "POST", "/v2/apps", auth=Auth.TENANT_ACTOR, section="apps", body=NEW_APP, replies={201: success({"app": APP})}
)
def create_app(call: Call) -> Reply:
    """Create an app below the caller's."""
    return _create(call, 201)


@ROUTES.add(
    "GET",
    "/v1/apps/{appId}",
    auth=Auth.USER,
    section="apps",
    admin=True,
    archived=True,
    replies={200: success({"result": APP, "app": APP})},
)
def read_own_app(call: Call) -> Reply:
    """Read one app, its secret included."""
    return _answer(call, secret=True)


@ROUTES.add(
    "GET",
    "/v2/apps/{appId}",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    archived=True,
    replies={200: success({"result": APP, "app": APP})},
)
def read_app(call: Call) -> Reply:
    """Read one app, archived or not."""
    return _answer(call)


@ROUTES.add(
    "PUT",
    "/v1/apps/{appId}",
    auth=Auth.USER,
    section="apps",
    admin=True,
    body=APP_CHANGE,
    uploads=(0, 5),
    replies={200: success({"result": APP, "app": APP})},
)
@ROUTES.add(
    "PATCH",
    "/v2/apps/{appId}",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    body=APP_CHANGE,
    replies={200: success({"result": APP, "app": APP})},
)
def change_app(call: Call) -> Reply:
    """Change names or settings of an app."""
    form, app, store = call.form(), call.app, call.platform.store
    domain_name = form.get("domainName", app.domain_name)
    if store.app_of_domain(domain_name) not in (None, app):
        raise domain_taken()
    app.display_name = form.get("displayName", app.display_name)
    store.rename_domain(app, domain_name)
    _set(call, form)
    return _answer(call)


@ROUTES.add(
    "PUT",
    "/v1/apps/user-defaults/{appId}",
    auth=Auth.USER,
    section="apps",
    admin=True,
    body=USER_DEFAULTS,
    replies={200: success({"result": APP, "app": APP})},
)
def change_user_defaults(call: Call) -> Reply:
    """Change the defaults for new users of the app."""
    _set(call, call.form())
    return _answer(call)


@ROUTES.add(
    "DELETE",
    "/v1/apps/{appId}",
    "/v2/apps/{appId}",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    archived=True,
    query=APP_DELETION,
    replies={200: success({"status": TEXT}), 202: success({"jobId": TEXT, "statusUrl": TEXT})},
)
def delete_app(call: Call) -> Reply:
    """Archive an app, or with `mode=hard` delete it permanently in a job. The base app stays."""
    hard, app, caller = call.asked()["mode"] == "hard", call.app, call.caller
    if app.parent is None or caller is None:
        raise forbidden()
    if not hard:
        app.archived_at = call.now if app.archived_at is None else app.archived_at
        return json_reply({"ok": True, "success": True, "status": "archived"})

    def purge() -> Callable[[], dict[str, Any]]:
        call.platform.store.purge_app(app)
        call.platform.sessions.end(lambda session: session.user.app is app)
        return lambda: {"appId": app.id}

    purged = call.platform.jobs.run(JobKind.PURGE, caller.app, call.now, purge)
    return accepted(purged, "/v2/apps/purge-jobs")


@ROUTES.add(
    "GET",
    "/v2/apps/purge-jobs/{jobId}",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    replies=job(closed({"appId": TEXT})),
)
def read_purge(call: Call) -> Reply:
    """Return the progress of a purge, to the app that started it only."""
    job = call.platform.jobs.find(JobKind.PURGE, call.params["jobId"], call.app)
    if job is None:
        raise job_not_found()
    return json_reply(job_body(job, call.now))


@ROUTES.add(
    "POST",
    "/v1/apps/{appId}/restore",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    archived=True,
    replies={200: success({"status": TEXT})},
)
def restore_app(call: Call) -> Reply:
    """Restore an archived app."""
    call.app.archived_at = None
    return json_reply({"ok": True, "success": True, "status": "active"})


@ROUTES.add(
    "POST",
    "/v2/apps/{appId}/owner-session",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    replies={200: success(SESSION)},
)
def open_owner_session(call: Call) -> Reply:
    """Open a session of the caller's owner account in the app, and create the account if needed."""
    owner = owner_of(call.platform.store, call.app, call.founder(), call.now)
    return session_reply(call, call.platform.sessions.open(owner))


@ROUTES.add(
    "DELETE",
    "/v1/apps/rotate-jwt/{appId}",
    auth=Auth.USER,
    section="apps",
    admin=True,
    replies={200: success({"result": APP, "app": APP})},
)
def rotate_app_token(call: Call) -> Reply:
    """Replace the app token; the previous one stops working."""
    call.app.token_version += 1
    return _answer(call)


@ROUTES.add(
    "POST",
    "/v1/apps/check-domain-name",
    auth=Auth.APP_OR_USER,
    section="apps",
    body=CHECK_DOMAIN,
    replies={200: success({"exists": FLAG})},
)
def check_domain_name(call: Call) -> Reply:
    """Return whether a domain name is free; 422 if it is not."""
    if call.platform.store.app_of_domain(call.form()["domainName"]) is not None:
        raise domain_taken()
    return json_reply({"success": True, "exists": False})


def domain_taken() -> RefusedError:
    """Return the 422 for a domain name that another app has."""
    return RefusedError(422, "domainName already exists", "DOMAIN_NAME_EXISTS", extra={"exists": True})


def _create(call: Call, status: int) -> Reply:
    form, creator = call.form(), call.founder()
    if not creator.may_create_apps:
        raise forbidden()
    store, domain_name = call.platform.store, form.get("domainName")
    if domain_name is not None and store.app_of_domain(domain_name) is not None:
        raise domain_taken()
    data = AppData(
        display_name=form["displayName"],
        domain_name=domain_name,
        settings={key: form[key] for key in SETTINGS if key in form},
        main_chat=form["createDefaultChat"],
    )
    app = open_app(store, data, call.now, parent=creator.app, creator=creator)
    return json_reply({"ok": True, "success": True, "app": app_record(app, call.platform, secret=True)}, status)


def _set(call: Call, form: dict[str, Any]) -> None:
    call.app.settings |= {key: form[key] for key in SETTINGS if key in form}
    call.app.updated_at = call.now


def _answer(call: Call, *, secret: bool = False) -> Reply:
    record = app_record(call.app, call.platform, secret=secret)
    return json_reply({"ok": True, "success": True, "result": record, "app": record})


def _list(call: Call, *, secret: bool) -> Reply:
    asked = call.asked()
    apps = [app for app in call.platform.store.apps if _may_see(call, app) and _wanted(app, asked)]
    apps.sort(key=lambda app: _sort_key(call, app, asked["orderBy"]), reverse=asked["order"] == "desc")
    page = apps[asked["offset"] : asked["offset"] + asked["limit"]]
    rows = [app_record(app, call.platform, secret=secret) for app in page]
    further = {"orderBy": asked["orderBy"], "order": asked["order"]}
    return listing("apps", rows, total=len(apps), limit=asked["limit"], offset=asked["offset"], further=further)


def _may_see(call: Call, app: App) -> bool:
    if call.user is not None:
        return call.user.manages(app)
    return call.app in (app, app.parent)


def _wanted(app: App, asked: dict[str, Any]) -> bool:
    if "status" in asked:
        return app.archived is (asked["status"] == "archived")
    return asked["includeArchived"] or not app.archived


def _sort_key(call: Call, app: App, order: str) -> Any:
    if order in TOTALS:
        return total(app, call.platform, order)
    return app.display_name.casefold() if order == "displayName" else app.created_at
