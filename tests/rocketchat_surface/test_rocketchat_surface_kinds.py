"""The wrong kind of room, in the forms of 6.x to 9.x: refused by the client, or by the server with a typed error."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from raw_calls import RAW
from surface_calls import ALL, FAMILY, ROOMS, World, carry_out, in_room, prepare

from ethora_async.bulk.report import Report
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.platforms.rocketchat.names import RecordId

if TYPE_CHECKING:
    from surface_calls import Operation, Recorder

every_version = pytest.mark.parametrize("version", ["6.5.0", "7.13.9", "8.8.1", "9.0.0"], indirect=True)
KIND_OF = {family: kind for kind, family in FAMILY.items()}
WRONG = [(one, kind) for one in ALL if one.takes_room and one.kinds for kind in "cpd" if kind not in one.kinds]
SERVERS_ANSWER = {
    ("join", "p"): "NotFoundError error-room-not-found",
    ("join", "d"): "NotFoundError error-room-not-found",
    ("leave", "d"): "ForbiddenError error-not-allowed",
    ("messages of others", "c"): "NotFoundError error-room-not-found",
    ("messages of others", "p"): "NotFoundError error-room-not-found",
    # It is the topic of a room that ada does not own.
    ("topic of a direct room", "c"): "ForbiddenError error-not-allowed",
    ("topic of a direct room", "p"): "ForbiddenError error-not-allowed",
    # The room is public, or private, already.
    ("type", "p"): "done",
    ("type back", "c"): "done",
    # The table tries these in channels and groups alone, but direct rooms have them too.
    **dict.fromkeys(
        [
            *(("topic", "d"), ("members", "d"), ("members of a direct room", "c"), ("members of a direct room", "p")),
            *(("clean history", "d"), ("list discussions", "d"), ("delete", "d"), ("edit", "d"), ("mentions", "d")),
            *(("delete a message", "d"), ("messages of discussions", "d"), ("pinned", "d"), ("deleted", "d")),
        ],
        "done",
    ),
    ("encrypted", "c"): "ForbiddenError error-action-not-allowed",
    # `rooms.saveRoomSettings` keeps these for rooms of any kind.
    **dict.fromkeys([("encrypted", "d"), ("default", "d"), ("join code", "d"), ("join code", "p")], "done"),
}
"""Where the kind is not refused by the client: what comes of it."""


async def rooms_of_all_kinds(world: World, number: int) -> dict[str, World]:
    """A room of each kind, with the administrator in it: who is outside is told something else."""
    found = {kind: await in_room(world, kind, number) for kind in "cp"}
    direct = await world.client.chats.direct([world.sandbox.admin.username, "ada"])
    room = RecordId(direct.record_id or "")
    sent = await world.client.messages.send(room, "hello")
    found["d"] = attrs.evolve(world, room=room, room_id=room, message=sent.id)
    return {kind: attrs.evolve(here, room=RecordId(here.room_id)) for kind, here in found.items()}


async def outcome(world: World, operation: Operation) -> str:
    try:
        done = await carry_out(world, operation)
        if isinstance(done, Report) and done.failures:
            raise done.failures[0].error or AssertionError
    except InvalidInputError as error:
        return f"InvalidInputError {error.field}"
    except ChatError as error:
        return f"{type(error).__name__} {getattr(error, 'code', None)}"
    return "done"


@every_version
async def test_the_client_refuses_a_kind_or_the_server_does_so_with_a_code(world: World, recorded: Recorder) -> None:
    rooms = await rooms_of_all_kinds(world, 1)
    await world.client.tokens.for_user("ada")
    found = {}
    for operation, kind in sorted(WRONG, key=lambda one: one[0].words in ("delete a message", "delete")):
        if operation.words == "edit":  # who wrote it may edit it
            rooms[kind] = attrs.evolve(
                rooms[kind], message=(await world.client.messages.send(rooms[kind].room, "x")).id
            )
        before = len(recorded.seen)
        told = await outcome(rooms[kind], operation)
        changed = [one.route for one in recorded.seen[before:] if one.method != "GET"]
        if told != "InvalidInputError id" or changed:
            found[operation.words, kind] = told
    assert found == SERVERS_ANSWER


async def family_requests(world: World, rooms: dict[str, World], recorded: Recorder) -> dict[tuple[str, str], Any]:
    """What a request of each route of channels, groups or direct rooms holds, with the names of their rooms."""
    for kind, here in rooms.items():
        for operation in ROOMS:
            if kind in operation.kinds and operation.words not in ("delete", "leave"):
                with suppress(ChatError):  # an operation before it may have closed the room: the request is the same
                    await prepare(here, operation)
                    await carry_out(here, operation)
    found: dict[tuple[str, str], Any] = {
        (one.method, one.path.rpartition("/")[2]): one.query if one.method == "GET" else one.body
        for one in recorded.seen
    }
    for raw in RAW:
        method, name = raw.route.split(" ")
        if raw.kind in rooms and family(name):
            found.setdefault((method, name), raw.given(rooms[raw.kind]))
    families = {route: given for route, given in found.items() if family(route[1]) and isinstance(given, dict)}
    return {route: given for route, given in families.items() if {"roomId", "_id"} & given.keys()}


def family(name: str) -> str | None:
    """The kind of room that a route is about."""
    return KIND_OF.get(name.partition(".")[0].replace("dm", "im"))


@every_version
async def test_a_servers_refusal_of_a_kind_is_typed_on_every_route(world: World, recorded: Recorder) -> None:
    asked = await family_requests(world, await rooms_of_all_kinds(world, 1), recorded)
    fresh = await rooms_of_all_kinds(world, 2)
    told = {}
    for (method, name), given in asked.items():
        key = "roomId" if "roomId" in given else "_id"
        for other in set("cpd") - {family(name)}:
            form = {"query" if method == "GET" else "json": {**given, key: fresh[other].room_id}}
            try:
                await world.client.request(method, f"/api/v1/{name}", **form)  # type: ignore[arg-type]
            except ChatError as error:
                told[name, other] = f"{type(error).__name__} {getattr(error, 'code', None)}"
            else:
                told[name, other] = "done"
    assert {one: words for one, words in told.items() if words != "NotFoundError error-room-not-found"} == {}
    assert len(told) > 100
