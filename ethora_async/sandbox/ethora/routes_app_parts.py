"""The parts of an app: its default rooms and its bot (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.errors import RefusedError, chat_not_found
from ethora_async.sandbox.ethora.forms_apps import BOT_CHANGE, PROVISION, ROOM, ROOM_DELETION
from ethora_async.sandbox.ethora.replies import many, ref, result, success
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes_apps import default_room
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import DefaultRoom

ROUTES: Routes[Call] = Routes()
ROOMS = {200: success({"result": many(ref("DefaultRoom")), "rooms": many(ref("DefaultRoom"))})}
BOT = {200: success({"result": ref("Bot"), "bot": ref("Bot")})}


@ROUTES.add(
    "POST",
    "/v2/apps/{appId}/provision",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    body=PROVISION,
    replies=ROOMS,
)
def provision(call: Call) -> Reply:
    """Create up to 20 default rooms."""
    rooms = [_open(call, room) for room in call.form()["rooms"]]
    return _rooms(rooms)


@ROUTES.add(
    "POST",
    "/v1/apps/create-app-chat/{appId}",
    auth=Auth.USER,
    section="apps",
    admin=True,
    body=ROOM,
    replies=result(ref("DefaultRoom")),
)
def create_room(call: Call) -> Reply:
    """Create a default room."""
    room = _open(call, call.form())
    return json_reply({"ok": True, "success": True, "result": default_room(room)})


@ROUTES.add(
    "DELETE",
    "/v1/apps/delete-app-chat/{appId}",
    auth=Auth.USER,
    section="apps",
    admin=True,
    body=ROOM_DELETION,
    replies=result(ref("DefaultRoom")),
)
def delete_room(call: Call) -> Reply:
    """Delete a default room with its chat."""
    chat = call.find_chat(call.form()["chatJid"])
    room = next((room for room in call.app.rooms if room.chat is chat), None)
    if room is None:
        raise chat_not_found()
    call.platform.store.delete_chat(chat, call.now, call.platform.faults.deletion_lag)
    return json_reply({"ok": True, "success": True, "result": default_room(room)})


@ROUTES.add("GET", "/v1/apps/get-default-rooms", auth=Auth.APP_OR_USER, section="apps", replies=ROOMS)
@ROUTES.add("GET", "/v1/apps/get-default-rooms/app-id/{appId}", auth=Auth.USER, section="apps", replies=ROOMS)
def list_rooms(call: Call) -> Reply:
    """List the default rooms."""
    return _rooms(call.app.rooms)


@ROUTES.add("GET", "/v2/apps/{appId}/bot", auth=Auth.TENANT_ACTOR, section="apps", admin=True, replies=BOT)
@ROUTES.add("GET", "/v2/bot", auth=Auth.APP, section="apps", replies=BOT)
def read_bot(call: Call) -> Reply:
    """Read the settings of the app's bot."""
    return _bot(_settings(call))


@ROUTES.add(
    "PUT", "/v2/apps/{appId}/bot", auth=Auth.TENANT_ACTOR, section="apps", admin=True, body=BOT_CHANGE, replies=BOT
)
@ROUTES.add("PUT", "/v2/bot", auth=Auth.APP, section="apps", body=BOT_CHANGE, replies=BOT)
def change_bot(call: Call) -> Reply:
    """Change the settings of the app's bot."""
    changes, settings = call.form(), _settings(call)
    settings.update(changes)
    return _bot(settings)


def _settings(call: Call) -> dict[str, Any]:
    settings = call.app.bot
    if settings is None:
        raise RefusedError(422, "The bot of this app is not initialized", "BOT_NOT_INITIALIZED")
    return settings


def _bot(settings: dict[str, Any]) -> Reply:
    return json_reply({"ok": True, "success": True, "result": settings, "bot": settings})


def _open(call: Call, room: dict[str, Any]) -> DefaultRoom:
    return call.platform.store.open_room(call.app, room["title"], call.now, pinned=room["pinned"])


def _rooms(rooms: list[DefaultRoom]) -> Reply:
    rows = [default_room(room) for room in rooms]
    return json_reply({"ok": True, "success": True, "result": rows, "rooms": rows})
