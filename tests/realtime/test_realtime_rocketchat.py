"""What Rocket.Chat's stream does beyond the contract: names of people who type, direct rooms, lost replies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from realtime_places import on_rocketchat

from ethora_async import ChatError, NotFoundError
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.platforms.rocketchat.realtime.ddp import DdpMachine
from ethora_async.platforms.rocketchat.realtime.events import Typing
from ethora_async.testing.implementers import Canary, cancel_at_every_step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime_places import OnRocketChat

    from ethora_async.platforms.rocketchat.realtime.connection import Realtime


@pytest.fixture
async def place() -> AsyncIterator[OnRocketChat]:
    async with on_rocketchat() as place:
        yield place


async def typing(stream: Realtime) -> Typing:
    async with asyncio.timeout(120.0):
        async for event in stream:
            if isinstance(event, Typing):
                return event
    raise AssertionError


@pytest.mark.parametrize(("real_names", "shown"), [(False, "ann"), (True, "Ann Byron")])
async def test_people_type_under_the_name_that_the_server_shows(
    place: OnRocketChat, real_names: bool, shown: str
) -> None:
    await place.client.users.update("ann", name="Ann Byron")
    place.sandbox.settings["UI_Use_Real_Name"] = real_names
    async with place.stream(["one"]) as ann, place.stream([], user="bob") as bob:
        await bob.watch_room("one")
        await ann.typing("one")
        told = await typing(bob)
        assert (told.name, told.composing) == (shown, True)


async def test_a_direct_room_is_written_in_and_read(place: OnRocketChat) -> None:
    room = RecordId((await place.client.chats.direct(["ann", "bob"])).record_id or "")
    async with place.stream([]) as ann, place.stream([room], user="bob") as bob:
        sent = await ann.send(room, "between us")
        assert [message.id for message in await bob.history(room)] == [sent.id]


async def test_a_message_of_another_room_is_no_place_to_start_from(place: OnRocketChat) -> None:
    async with place.stream([]) as ann:
        elsewhere = await ann.send("two", "elsewhere")
        for unknown in (elsewhere.id, "nothing"):
            with pytest.raises(NotFoundError):
                await ann.history("one", before=unknown)


async def test_messages_of_one_moment_are_neither_lost_nor_doubled(place: OnRocketChat) -> None:
    async with place.stream([]) as ann:
        for moment in range(3):
            for number in range(45):
                await place.client.messages.send("one", f"{moment}.{number}")
            place.clock.advance(1.0)
        everything = [message.id for message in await ann.history("one", limit=1000)]
        assert len(everything) == len({*everything}) >= 135
        read: list[str] = []
        while page := await ann.history("one", limit=20, before=read[0] if read else None):
            read = [message.id for message in page] + read
        assert read == everything


async def test_cancelling_at_any_step_leaves_nothing_behind(place: OnRocketChat) -> None:
    async def talk() -> None:
        async with place.stream(["one"]) as stream:
            await stream.typing("one")
            await stream.send("one", "x")
            await stream.history("one")

    await cancel_at_every_step(talk)
    assert [str(task) for task in asyncio.all_tasks() if "Realtime" in str(task.get_coro())] == []


async def test_the_token_is_in_no_error_of_what_is_said(place: OnRocketChat) -> None:
    token = await place.client.tokens.for_user("ann")
    with Canary(token.secret.reveal()) as canary:
        async with place.stream(["one"]) as ann:
            for attempt in (ann.send("secret", "x"), ann.history("secret"), ann.history("one", before="nothing")):
                with pytest.raises(ChatError) as refused:
                    await attempt
                canary.check(refused.value, ann)
            await place.client.users.delete("ann")
            for attempt in (ann.send("one", "x"), ann.typing("one")):
                with pytest.raises(ChatError) as refused:
                    await attempt
                canary.check(refused.value, ann)


def test_without_a_log_in_no_method_is_called() -> None:
    machine = DdpMachine("u")
    machine.call("stream-notify-room", [])
    assert machine.to_send() == []
