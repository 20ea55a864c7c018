"""An app as one document: export and import (docs/platforms/ethora.md#apps).

Passwords, tokens and secrets are not in a bundle. The keys below `schemaVersion` are not public: these are
this server's.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.ethora.bots import NEW_BOT
from ethora_async.sandbox.ethora.errors import forbidden, invalid
from ethora_async.sandbox.ethora.forms_apps import BUNDLE, EXPORT, IMPORT, SCHEMA_VERSION, SETTINGS
from ethora_async.sandbox.ethora.names import collapse
from ethora_async.sandbox.ethora.replies import COUNT, MAP, TEXT, closed, many, success
from ethora_async.sandbox.ethora.routes_apps import domain_taken
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.store import ChatData, UserData
from ethora_async.sandbox.ethora.tenancy import AppData, open_app
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import App, Chat, User

ROUTES: Routes[Call] = Routes()
PARTS = ("users", "chats")
EXPORTED = closed(
    {"schemaVersion": TEXT, "app": MAP, "bot?": MAP, "users?": many(MAP), "chats?": many(MAP)},
)
IMPORTED = success({"summary": closed({"newAppId": TEXT, "domainName": TEXT, "users": COUNT, "chats": COUNT})})


@ROUTES.add(
    "GET",
    "/v2/apps/{appId}/export",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    archived=True,
    query=EXPORT,
    replies={200: EXPORTED},
    kinds=("application/json", "application/zip"),
)
def export_app(call: Call) -> Reply:
    """Export the app as JSON or zip, with its users and chats on request (`include=users,chats`)."""
    asked = call.asked()
    parts = [part.strip() for part in asked["include"].split(",") if part.strip()]
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise invalid(f'"include" must be one of [{", ".join(PARTS)}]', "include")
    app = call.app
    bundle: dict[str, Any] = {
        "schemaVersion": SCHEMA_VERSION,
        "app": {"displayName": app.display_name, "domainName": app.domain_name, **app.settings},
    }
    if app.bot is not None:
        bundle["bot"] = {key: value for key, value in app.bot.items() if value is not None}
    if "users" in parts:
        bundle["users"] = [_user(user) for user in app.users if not user.platform_owned]
    if "chats" in parts:
        bundle["chats"] = [_chat(chat) for chat in app.chats if chat.type != "private"]
    return _zipped(bundle) if asked["format"] == "zip" else json_reply(bundle)


@ROUTES.add(
    "POST",
    "/v2/apps/import",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    body=BUNDLE,
    query=IMPORT,
    replies={201: IMPORTED},
)
def import_app(call: Call) -> Reply:
    """Create an app from a bundle, as a child of the caller's."""
    form, creator, store = call.form(), call.founder(), call.platform.store
    if not creator.may_create_apps:
        raise forbidden()
    head = form["app"]
    domain_name = call.asked().get("domainNameOverride", head.get("domainName"))
    if domain_name is not None and store.app_of_domain(domain_name) is not None:
        raise domain_taken()
    _check(form, f"owner-{creator.id}")
    settings = {key: head[key] for key in SETTINGS if key in head}
    data = AppData(display_name=head["displayName"], domain_name=domain_name, settings=settings)
    app = open_app(store, data, call.now, parent=creator.app, creator=creator)
    app.bot = {**NEW_BOT, **form["bot"]}
    _fill(call, app, form)
    summary = {"newAppId": app.id, "domainName": app.domain_name}
    counts = {part: len(form[part]) for part in PARTS}
    return json_reply({"ok": True, "success": True, "summary": {**summary, **counts}}, 201)


def _user(user: User) -> dict[str, Any]:
    return {
        "uuid": user.uuid,
        "email": user.email or "",
        "firstName": user.first_name,
        "lastName": user.last_name,
        "tags": user.profile.tags,
    }


def _chat(chat: Chat) -> dict[str, Any]:
    return {
        "uuid": chat.uuid,
        "title": chat.title,
        "description": chat.description,
        "type": chat.type,
        "isAppChat": chat.is_app_chat,
        "members": [user.uuid for user in chat.members if not user.platform_owned],
    }


def _check(form: dict[str, Any], owner: str) -> None:
    """Refuse a bundle whose ids repeat or are the new owner's, or whose chats name users that are not in it."""
    for part in PARTS:
        uuids = [owner, *(row["uuid"] for row in form[part])]
        if len(set(uuids)) < len(uuids):
            raise invalid(f'"{part}" contains a duplicate value', part)
    emails = [row["email"].lower() for row in form["users"] if row.get("email")]
    if len(set(emails)) < len(emails):
        raise invalid('"users" contains a duplicate value', "users")
    known = {row["uuid"] for row in form["users"]}
    for index, row in enumerate(form["chats"]):
        if not known.issuperset(row["members"]):
            raise invalid(f'"chats[{index}].members" names a user who is not in the bundle', f"chats[{index}].members")


def _fill(call: Call, app: App, form: dict[str, Any]) -> None:
    store = call.platform.store
    taken = {user.email for user in app.users}
    users: dict[str, User] = {}
    for row in form["users"]:
        email = row.get("email", "").lower() or None
        data = UserData(
            first_name=row["firstName"],
            last_name=row["lastName"],
            email=None if email in taken else email,
            uuid=collapse(app.id, row["uuid"]) or None,
            tags=tuple(row["tags"]),
        )
        users[row["uuid"]] = store.create_user(app, data, call.now)
    for row in form["chats"]:
        chat = ChatData(
            title=row["title"],
            type=row["type"],
            uuid=collapse(app.id, row["uuid"]) or None,
            description=row["description"],
            is_app_chat=row["isAppChat"],
        )
        store.create_chat(app, chat, call.now, members=[users[uuid] for uuid in row["members"]])


def _zipped(bundle: dict[str, Any]) -> Reply:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", orjson.dumps(bundle, option=orjson.OPT_INDENT_2))
    return Reply(200, buffer.getvalue(), "application/zip")
