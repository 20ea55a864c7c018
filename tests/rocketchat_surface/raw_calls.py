"""The routes that the sandbox serves and the client has no method for, each called once.

``w`` is a `World` with a room of the kind that the route is about.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
from surface_calls import World

PAST = "2000-01-01T00:00:00.000Z"
SENDING = json.dumps(
    {
        "msg": "method",
        "id": "1",
        "method": "sendMessage",
        "params": [{"_id": "abcdefghijklmnopq", "rid": "GENERAL", "msg": "hello"}],
    }
)


@attrs.frozen
class Raw:
    """One call: ``GET`` gives `given` as its query, ``POST`` as its body; `who` makes it."""

    route: str
    kind: str = " "
    given: Callable[[World], dict[str, Any]] = lambda _: {}
    who: str = "admin"
    first: str = ""
    """A route that is called with the same room before."""


def _room(w: World) -> dict[str, Any]:
    return {"roomId": w.room_id}


def hook(w: World, kind: str) -> dict[str, Any]:
    """A webhook of the world's room."""
    room = w.sandbox.store.rooms.with_id(w.room_id)
    assert room is not None
    more = (
        {"event": "sendMessage", "urls": ["https://example.com/hook"], "token": "t"}
        if kind == "webhook-outgoing"
        else {}
    )
    settings = {"name": "A hook", "username": w.sandbox.admin.username, "enabled": True, "scriptEnabled": False}
    return {"type": kind, "channel": f"#{room.name}", "scriptEngine": "isolated-vm", "script": "", **settings, **more}


def hook_id(w: World) -> str:
    """The oldest webhook."""
    return next(iter(w.sandbox.store.integrations))


def _everywhere(w: World) -> dict[str, Any]:
    return {**hook(w, "webhook-outgoing"), "channel": "all_public_channels"}


def _request(w: World) -> dict[str, Any]:
    """The oldest request of an outgoing webhook."""
    record = w.sandbox.store.webhook_history[0]
    return {"integrationId": record["integration"]["_id"], "historyId": record["_id"]}


def _named(routes: str, kinds: str = "cp", given: Any = _room, who: str = "admin", first: str = "") -> list[Raw]:
    family = {"c": "channels", "p": "groups", "d": "im"}
    return [
        Raw(routes.replace("{}", family[kind]), kind, given, who, first.replace("{}", family[kind])) for kind in kinds
    ]


RAW: list[Raw] = [
    *_named("GET {}.info"),
    *_named("GET {}.messages", "cpd", who="ada"),
    *_named("GET {}.moderators"),
    *_named("POST {}.close", "cpd", who="ada"),
    *_named("POST {}.open", "cpd", who="ada", first="POST {}.close"),
    *_named("POST {}.leave", who="ada"),
    *_named("POST {}.delete"),
    *_named("POST {}.setPurpose", given=lambda w: {**_room(w), "purpose": "All"}),
    Raw("POST im.delete", "d", _room),
    Raw("POST channels.setDefault", "c", lambda w: {**_room(w), "default": True}),
    Raw("POST channels.setJoinCode", "c", lambda w: {**_room(w), "joinCode": "sesame"}),
    Raw("POST groups.setEncrypted", "p", lambda w: {**_room(w), "encrypted": True}),
    Raw("GET channels.getAllUserMentionsByChannel", "c", _room),
    Raw("GET channels.list.joined"),
    Raw("GET groups.list"),
    Raw("GET im.list", who="ada"),
    Raw("GET im.list.everyone"),
    *(
        Raw(f"{method} dm.{name}", "d", given, who)
        for method, name, given, who in (
            ("GET", "counters", _room, "ada"), ("GET", "files", _room, "ada"), ("GET", "history", _room, "ada"),
            ("GET", "list", lambda _: {}, "ada"), ("GET", "list.everyone", lambda _: {}, "admin"),
            ("GET", "members", _room, "ada"), ("GET", "messages", _room, "ada"),
            ("GET", "messages.others", _room, "admin"), ("POST", "close", _room, "ada"),
            ("POST", "setTopic", lambda w: {**_room(w), "topic": "us"}, "ada"), ("POST", "delete", _room, "admin"),
        )
    ),
    Raw("POST dm.open", "d", _room, "ada", "POST dm.close"),
    Raw("POST dm.create", given=lambda _: {"username": "eve"}, who="ada"),
    Raw("GET chat.syncThreadsList", "c", lambda w: {"rid": w.room_id, "updatedSince": PAST}, "ada"),
    Raw("POST chat.postMessage", "c", lambda w: {**_room(w), "text": "hello"}),
    Raw("POST rooms.changeArchivationState", "c", lambda w: {"rid": w.room_id, "action": "archive"}),
    Raw("POST rooms.join", "c", _room, "eve"),
    Raw("GET rooms.isMember", "c", lambda w: {**_room(w), "username": "ada"}),
    Raw("GET rooms.membersOrderedByRole", "c", _room),
    Raw("GET rooms.nameExists", given=lambda _: {"roomName": "general"}),
    Raw("GET rooms.adminRooms.getRoom", "c", lambda w: {"rid": w.room_id}),
    Raw("GET rooms.autocomplete.channelAndPrivate", given=lambda _: {"selector": '{"name": "gen"}'}),
    Raw("POST integrations.create", "c", lambda w: hook(w, "webhook-incoming")),
    Raw("POST integrations.create", "p", lambda w: hook(w, "webhook-outgoing")),
    Raw("POST integrations.create", "c", _everywhere),
    Raw("POST chat.postMessage", "c", lambda w: {**_room(w), "text": "to the webhook"}),
    Raw("GET integrations.history", given=lambda w: {"id": _request(w)["integrationId"]}),
    Raw("POST integrations.replayOutgoing", given=_request),
    Raw("POST integrations.clearHistory", given=lambda w: {"integrationId": _request(w)["integrationId"]}),
    Raw("GET integrations.list"),
    Raw("GET integrations.get", given=lambda w: {"integrationId": hook_id(w)}),
    Raw("PUT integrations.update", "c", lambda w: {**hook(w, "webhook-incoming"), "integrationId": hook_id(w)}),
    Raw("POST integrations.remove", given=lambda w: {"type": "webhook-incoming", "integrationId": hook_id(w)}),
    Raw("GET roles.list"),
    Raw("GET users.autocomplete", given=lambda _: {"selector": '{"term": "ad"}'}),
    Raw("GET users.checkUsernameAvailability", given=lambda _: {"username": "nobody-yet"}),
    Raw("GET users.getAvatarSuggestion"),
    Raw("GET users.getPresence", given=lambda w: {"userId": w.user_id("ada")}),
    Raw("GET users.listTeams", given=lambda w: {"userId": w.user_id("ada")}),
    Raw("POST users.2fa.enableEmail", who="ada"),
    Raw("POST users.2fa.disableEmail", who="ada"),
    Raw("POST users.2fa.sendEmailCode", given=lambda _: {"emailOrUsername": "ada"}),
    Raw("POST users.resetTOTP", given=lambda w: {"userId": w.user_id("eve")}),
    Raw("POST users.forgotPassword", given=lambda _: {"email": "ada@sandbox.localhost"}),
    Raw("POST users.logoutOtherClients", who="ada"),
    Raw("GET settings/Site_Name"),
    Raw("POST settings/Site_Name", given=lambda _: {"value": "Ours"}),
    Raw("POST method.call/sendMessage", given=lambda _: {"message": SENDING}),
]  # fmt: skip
NOT_CALLED = {
    "GET /api/v1/chat.getMessageReadReceipts": "the community edition refuses it",
    "GET /api/v1/users.getAvatar": "it answers with a redirection to the picture",
    "GET /avatar/{username}": "it answers with a picture",
    "GET /avatar/room/{rid}": "it answers with a picture",
    "POST /hooks/{integrationId}/{token}": "sites call it, without a log-in",
    "POST /hooks/{integrationId}/{userId}/{token}": "likewise",
    "GET /hooks/{integrationId}/{token}": "likewise",
    "GET /hooks/{integrationId}/{userId}/{token}": "likewise",
    "GET /file-upload/{fileId}/{name}": "it answers with a file",
    "GET /api/v1/logout": "the same as with POST, which ends the client's session",
    "POST /api/v1/logout": "it ends the client's session",
    "POST /api/v1/users.register": "nobody may be logged in",
    "POST /api/v1/rooms.invite": "invitations take a federated server",
}
"""Routes without a call here, and why; `tests/sandbox_rocketchat` has them."""
