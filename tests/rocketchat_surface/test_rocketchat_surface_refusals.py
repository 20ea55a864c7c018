"""Bad input, for every operation of the table, in the forms of 6.x to 9.x: a typed error with the platform's code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from surface_calls import ALL, World, carry_out, in_room

from ethora_async.errors import (
    ApiError,
    ChatError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    ValidationFailedError,
)
from ethora_async.platforms.rocketchat.names import RecordId

if TYPE_CHECKING:
    from collections.abc import Callable

    from surface_calls import Operation, Recorder

every_version = pytest.mark.parametrize("version", ["6.5.0", "7.13.9", "8.8.1", "9.0.0"], indirect=True)
ABOUT_ROOMS = [one for one in ALL if one.takes_room and one.kinds]
BY_MESSAGE = [one for one in ALL if one.kinds and not one.takes_room]


async def refusal(world: World, operation: Operation, **instead: Any) -> ChatError | None:
    try:
        await carry_out(world, operation, **instead)
    except ChatError as error:
        return error
    return None


def told(error: ChatError | None) -> str:
    return "nothing" if error is None else f"{type(error).__name__} {getattr(error, 'code', None)}"


@every_version
async def test_an_unknown_room_is_not_found(world: World) -> None:
    here = await in_room(world, "c", 1)
    for name in ("nowhere", RecordId("nowhere1234567890")):
        found = {one.words: await refusal(here, one, room=name) for one in ABOUT_ROOMS}
        absent = {"delete", "leave", "delete a message", "subscription"}  # what is not there is not there: no error
        wrong = {
            words: told(error)
            for words, error in found.items()
            if not (isinstance(error, (NotFoundError, ForbiddenError)) and (error.code or words == "edit"))
            and words not in absent
        }
        assert wrong == {}, name


@every_version
async def test_an_unknown_message_is_not_found(world: World) -> None:
    here = attrs.evolve(await in_room(world, "c", 1), message="nothing-here-000001")
    found = {one.words: await refusal(here, one) for one in BY_MESSAGE}
    wrong = {words: told(error) for words, error in found.items() if not isinstance(error, NotFoundError)}
    assert wrong == {}


async def test_a_room_of_another_kind_is_refused_before_anything_is_sent(world: World, recorded: Recorder) -> None:
    rooms = {kind: await in_room(world, kind, 1) for kind in "cpd"}
    for operation in ABOUT_ROOMS:
        for kind in set("cpd") - set(operation.kinds):
            if operation.words in ("type", "type back", "join", "join code", "topic of a direct room", "topic"):
                continue  # each has its other kinds under other words, or the server's own answer
            here = rooms[kind]
            before = len(recorded.seen)
            error = await refusal(here, operation)
            sent = {one.route for one in recorded.seen[before:] if one.method == "POST"} - {"POST users.createToken"}
            allowed = isinstance(error, (InvalidInputError, ApiError)) or error is None
            assert allowed, (operation.words, kind, told(error))
            if isinstance(error, InvalidInputError):
                assert sent == set(), (operation.words, kind)


@every_version
async def test_who_is_not_in_a_group_may_do_nothing_in_it(world: World) -> None:
    here = await in_room(world, "p", 1)
    eve = world.client.as_user("eve")
    stranger = attrs.evolve(here, client=_Only(eve), ada=eve, bob=eve)
    wrong = {}
    for operation in ABOUT_ROOMS + BY_MESSAGE:
        if "p" not in operation.kinds:
            continue
        error = await refusal(stranger, operation, room=RecordId(here.room_id))
        good = isinstance(error, (ForbiddenError, NotFoundError, ValidationFailedError))
        if not good and operation.words not in ("leave", "subscription"):
            wrong[operation.words] = told(error)
    assert wrong == {}


class _Only:
    """The methods of a user's own view under the names that the client has them by."""

    def __init__(self, view: Any) -> None:
        self.chats, self.messages = view.chats, view.messages


ARCHIVED = {
    "send",
    "answer in a thread",
    "media in one step",
    "media in two steps",
    "create a discussion",
    "join",
    "pin",
}


@every_version
async def test_an_archived_room_takes_nothing_more(world: World) -> None:
    here = await in_room(world, "c", 1)
    await world.client.chats.archive(here.room)
    eve = world.client.as_user("eve")
    for operation in ALL:
        if operation.words not in ARCHIVED:
            continue
        who = attrs.evolve(here, ada=eve) if operation.words == "join" else here
        error = await refusal(who, operation)
        assert isinstance(error, ConflictError), (operation.words, told(error))
        assert error.code == "error-room-archived"


NAMES: list[tuple[str, type[ChatError], Callable[[World], Any]]] = [
    ("a channel's name", ConflictError, lambda w: w.client.chats.rename(w.room, "taken")),
    ("a user name", ConflictError, lambda w: w.client.users.update("ada", username="bob")),
    ("an e-mail address", ConflictError, lambda w: w.client.users.update("ada", email="bob@sandbox.localhost")),
    ("a token's name", ConflictError, lambda w: w.client.personal_tokens.create("robot")),
    ("no name", InvalidInputError, lambda w: w.client.chats.rename(w.room, "")),
    ("a name with a blank", InvalidInputError, lambda w: w.client.chats.rename(w.room, "a b")),
    ("an unknown role", ValidationFailedError, lambda w: w.client.users.add_role("ada", "king")),
    ("a text that is too long", ValidationFailedError, lambda w: w.client.messages.send(w.room, "x" * 5001)),
    ("an unknown user", NotFoundError, lambda w: w.client.chats.add_role(w.room, "nobody", "owner")),
    ("an unknown user's status", NotFoundError, lambda w: w.client.users.status("nobody")),
    ("an unknown user's presence", NotFoundError, lambda w: w.client.users.present(["nobody"])),
    ("an unknown user's role", NotFoundError, lambda w: w.client.users.add_role("nobody", "bot")),
    ("an unknown user to ignore", NotFoundError, lambda w: w.ada.messages.ignore_user(w.room, "nobody")),
    ("a discussion without a name", InvalidInputError, lambda w: w.client.chats.create_discussion(w.room, " ")),
    ("an unknown user's direct room", NotFoundError, lambda w: w.ada.direct("nobody")),
    ("an unknown token", NotFoundError, lambda w: w.client.personal_tokens.renew("no such token")),
]


@every_version
async def test_names_and_texts_that_cannot_be_have_their_own_error(world: World) -> None:
    here = await in_room(world, "c", 1)
    await world.client.chats.create("taken", title="Taken", access="public")
    await world.client.personal_tokens.create("robot")
    wrong = {}
    for what, kind, call in NAMES:
        error: ChatError | None = None
        try:
            await call(here)
        except ChatError as refused:
            error = refused
        coded = isinstance(error, InvalidInputError) or getattr(error, "code", None) is not None
        if not isinstance(error, kind) or not (coded or "user not found" in error.message.lower()):
            wrong[what] = told(error)
    assert wrong == {}
