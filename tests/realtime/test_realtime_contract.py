"""What every platform that tells what happens does alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from realtime_places import PLACES, Place

from ethora_async import ForbiddenError, InvalidInputError, NotFoundError, NotSentError, UnauthorizedError
from ethora_async.capabilities import StreamsEvents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SOON = 120.0


@pytest.fixture(params=sorted(PLACES))
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Each platform."""
    async with PLACES[request.param]() as place:
        yield place
    running = [str(task.get_coro()) for task in asyncio.all_tasks()]
    assert [one for one in running if "Realtime." in one] == []


async def next_of(stream: Any, name: str) -> Any:
    """The next event whose class has this name."""
    async with asyncio.timeout(SOON):
        async for event in stream:
            if type(event).__name__ == name:
                return event
    return None


async def texts(place: Place, stream: Any, count: int) -> list[str]:
    """What people said next."""
    found: list[str] = []
    while len(found) < count:
        text = place.said(await next_of(stream, "MessageReceived"))
        if text is not None:
            found.append(text)
    return found


async def test_the_client_has_the_capability(place: Place) -> None:
    assert isinstance(place.client, StreamsEvents)


async def test_messages_come_in_order_from_the_chats_that_were_asked_for(place: Place) -> None:
    async with place.stream(["one"]) as stream:
        for number in range(10):
            await place.say("one", f"text {number}")
            await place.say("two", f"not this {number}")
        assert await texts(place, stream, 10) == [f"text {number}" for number in range(10)]


async def test_a_chat_can_be_asked_for_later_and_no_more(place: Place) -> None:
    async with place.stream([]) as stream:
        await place.say("one", "before")
        await stream.subscribe("one")
        await stream.subscribe("one")
        await place.say("one", "while")
        assert await texts(place, stream, 1) == ["while"]
        await stream.unsubscribe("one")
        await place.say("one", "after")
        await stream.subscribe("two")
        await place.say("two", "elsewhere")
        assert await texts(place, stream, 1) == ["elsewhere"]


async def test_chats_of_others_are_refused_and_unknown_ones_not_found(place: Place) -> None:
    async with place.stream(["one"]) as stream:
        with pytest.raises(ForbiddenError):
            await stream.subscribe("secret")
        with pytest.raises(NotFoundError):
            await stream.subscribe("nowhere")
        await place.say("one", "still here")
        assert await texts(place, stream, 1) == ["still here"]


async def test_a_chat_that_cannot_be_entered_at_the_start_is_said(place: Place) -> None:
    with pytest.raises(ForbiddenError):
        async with place.stream(["secret"]):
            pytest.fail("entered")


async def test_what_was_missed_comes_once_and_in_order(place: Place) -> None:
    async with place.stream(["one", "two"]) as stream:
        await place.say("one", "0")
        assert await texts(place, stream, 1) == ["0"]
        for gap in range(3):
            place.drop()
            for number in range(5):
                await place.say("one", f"{gap}.{number}")
            await next_of(stream, "Reconnected")
            assert await texts(place, stream, 5) == [f"{gap}.{number}" for number in range(5)]
        await place.say("two", "end")
        assert await texts(place, stream, 1) == ["end"]


async def test_a_server_that_comes_back_is_found_again(place: Place) -> None:
    async with place.stream(["one"]) as stream:
        await place.stop()
        await asyncio.sleep(0.05)
        await place.start()
        await next_of(stream, "Reconnected")
        await place.say("one", "back")
        assert await texts(place, stream, 1) == ["back"]


async def test_being_taken_out_is_told_and_coming_back_brings_the_messages(place: Place) -> None:
    async with place.stream(["one", "two"]) as stream:
        await place.revoke("one")
        await next_of(stream, "RoomLeft")
        await place.say("two", "going on")
        assert await texts(place, stream, 1) == ["going on"]
        await place.grant("one")
        await place.say("one", "again")
        assert (await texts(place, stream, 1))[-1] == "again"


async def test_an_invitation_that_was_missed_counts(place: Place) -> None:
    async with place.stream(["one"]) as stream:
        await place.revoke("one")
        await next_of(stream, "RoomLeft")
        place.drop()
        await place.grant("one")
        await next_of(stream, "Reconnected")
        await place.say("one", "again")
        assert (await texts(place, stream, 1))[-1] == "again"


async def test_the_end_of_the_user_is_the_end_of_the_stream(place: Place) -> None:
    async with place.stream(["one"]) as stream:
        await place.say("one", "last words")
        assert await texts(place, stream, 1) == ["last words"]
        await place.delete_ann()
        with pytest.raises(UnauthorizedError):
            await next_of(stream, "Nothing")


async def test_closing_ends_the_iteration(place: Place) -> None:
    async with place.stream(["one"]) as stream:
        waiting = asyncio.ensure_future(next_of(stream, "Nothing"))
        await asyncio.sleep(0)
        await stream.aclose()
        assert await waiting is None
        await stream.aclose()


async def test_it_is_used_inside_its_block(place: Place) -> None:
    stream = place.stream(["one"])
    with pytest.raises(NotSentError):
        await stream.subscribe("two")
    async with stream:
        with pytest.raises(NotSentError):
            await stream.__aenter__()


async def test_a_slow_reader_loses_nothing(place: Place) -> None:
    async with place.stream(["one"], queue_size=2) as stream:
        for number in range(30):
            await place.say("one", str(number))
        await asyncio.sleep(0.05)
        assert await texts(place, stream, 30) == [str(number) for number in range(30)]


async def test_what_is_sent_is_heard_once_and_kept(place: Place) -> None:
    async with place.stream(["one"]) as ann, place.stream(["one"], user="bob") as bob:
        sent = await ann.send("one", "Hello <Bob> & 'all'")
        assert place.text(sent) == "Hello <Bob> & 'all'"
        heard = await next_of(bob, "MessageReceived")
        while place.said(heard) is None:
            heard = await next_of(bob, "MessageReceived")
        assert (heard.message.id, place.said(heard)) == (sent.id, "Hello <Bob> & 'all'")
        await bob.send("one", "Hello Ann")
        assert await texts(place, ann, 2) == ["Hello <Bob> & 'all'", "Hello Ann"]
        assert [place.text(one) for one in await bob.history("one") if place.text(one)] == [
            "Hello <Bob> & 'all'",
            "Hello Ann",
        ]


async def test_typing_is_told_to_the_others(place: Place) -> None:
    async with place.stream(["one"]) as ann, place.stream(["one"], user="bob") as bob:
        await place.hear_typing(bob, "one")
        await ann.typing("one")
        assert (await next_of(bob, "Typing")).composing is True
        await ann.typing("one", composing=False)
        assert (await next_of(bob, "Typing")).composing is False


async def test_history_goes_back_from_a_message(place: Place) -> None:
    for number in range(230):
        await place.say("one", str(number))
    async with place.stream([]) as ann:
        newest = await ann.history("one", limit=120)
        assert [place.text(one) for one in newest] == [str(number) for number in range(110, 230)]
        older = await ann.history("one", limit=1000, before=newest[0].id)
        assert [place.text(one) for one in older if place.text(one) is not None] == [str(n) for n in range(110)]
        assert [place.text(one) for one in await ann.history("one", limit=1)] == ["229"]


async def test_a_stream_writes_and_reads_only_what_its_user_may(place: Place) -> None:
    async with place.stream(["one", "two"]) as ann:
        for attempt in (ann.send("secret", "let me in"), ann.history("secret")):
            with pytest.raises(ForbiddenError):
                await attempt
        for attempt in (ann.send("nowhere", "x"), ann.history("nowhere")):
            with pytest.raises(NotFoundError):
                await attempt
        for attempt in (ann.send("one", ""), ann.history("one", limit=0)):
            with pytest.raises(InvalidInputError):
                await attempt
        await place.revoke("one")
        await next_of(ann, "RoomLeft")
        with pytest.raises(ForbiddenError):
            await ann.send("one", "still?")
        await ann.send("two", "going on")


async def test_a_stream_speaks_inside_its_block(place: Place) -> None:
    stream = place.stream(["one"])
    for attempt in (stream.send("one", "x"), stream.typing("one"), stream.history("one")):
        with pytest.raises(NotSentError):
            await attempt


@pytest.mark.parametrize("text", [None, 3, b"x", "", "half of \ud800 a pair"])
async def test_what_is_no_text_is_not_sent(place: Place, text: Any) -> None:
    async with place.stream(["one"]) as stream:
        with pytest.raises(InvalidInputError):
            await stream.send("one", text)
        await stream.send("one", "still here")
        assert await texts(place, stream, 1) == ["still here"]


@pytest.mark.parametrize("limit", [None, True, 1.5, "3", -1])
async def test_a_limit_is_a_whole_number(place: Place, limit: Any) -> None:
    async with place.stream([]) as stream:
        with pytest.raises(InvalidInputError, match="limit"):
            await stream.history("one", limit=limit)


@pytest.mark.parametrize("before", ["", "no such message"])
async def test_history_goes_back_from_messages_only(place: Place, before: Any) -> None:
    async with place.stream([]) as stream:
        with pytest.raises((InvalidInputError, NotFoundError)):
            await stream.history("one", before=before)


async def test_a_chat_that_is_left_and_entered_again_is_not_lost(place: Place) -> None:
    async with place.stream(["one"]) as stream:
        for _ in range(3):
            await stream.unsubscribe("one")
            await stream.subscribe("one")
        await place.say("one", "here")
        async with asyncio.timeout(SOON):
            event = await anext(stream)
        assert (type(event).__name__, place.said(event)) == ("MessageReceived", "here")


async def test_who_gives_up_entering_takes_nobody_with_them(place: Place) -> None:
    async with place.stream([]) as stream:
        first = asyncio.ensure_future(stream.subscribe("one"))
        second = asyncio.ensure_future(stream.subscribe("one"))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait({first})
        await second
        await place.say("one", "here")
        assert await texts(place, stream, 1) == ["here"]


async def test_a_queue_holds_something(place: Place) -> None:
    with pytest.raises(InvalidInputError):
        place.stream([], queue_size=0)
