"""Messages are stored once, however often they are sent (docs/platforms/rocketchat.md#messages)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rocketchat_helpers import Server, ok, plain_failure

from ethora_async import ForbiddenError, InvalidInputError, NotFoundError, ReplyLostError, ValidationFailedError
from ethora_async.platforms.rocketchat.names import RecordId

if TYPE_CHECKING:
    from rocketchat_helpers import Sent

    from ethora_async import RocketChatClient
    from ethora_async.request import Response
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.testing.users import FakeClock


@pytest.fixture
async def room(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> str:
    sandbox.add_user("ann", password="a-password-1")
    sandbox.add_user("bob", password="a-password-1")
    await rocketchat.chats.create("order-7", title="Order", members=["ann"])
    return "order-7"


def texts(sandbox: RocketChatSandbox) -> list[str]:
    room = sandbox.store.rooms.with_name("order-7")
    assert room is not None
    return [message.text for message in room.messages.values() if message.kind is None]


async def test_a_message_is_written_by_the_admin_and_by_users(
    rocketchat: RocketChatClient, room: str, clock: FakeClock
) -> None:
    first = await rocketchat.messages.send(room, "Hello, 世界 <b>")
    clock.advance(1)
    answer = await rocketchat.as_user("ann").messages.send(room, "Hi", thread=first.id)
    assert (first.username, answer.username, answer.thread_id) == ("admin", "ann", first.id)
    assert first.text == "Hello, 世界 <b>"
    assert first.sent_at is not None
    assert abs(first.sent_at.timestamp() - (clock.now() - 1)) < 1
    assert re.fullmatch(r"[A-Za-z0-9]{17}", first.id)
    assert (await rocketchat.messages.get(first.id)).text == first.text
    history = await rocketchat.messages.history(room, count=10)
    assert next(message.id for message in history if message.type is None) in (first.id, answer.id)
    assert first.id in {message.id for message in history}
    with pytest.raises(ForbiddenError):
        await rocketchat.as_user("bob").messages.send(room, "Me too")
    with pytest.raises(NotFoundError):
        await rocketchat.messages.send("nowhere", "x")
    with pytest.raises(InvalidInputError):
        await rocketchat.messages.send(room, " \n")


@pytest.mark.parametrize("fault", [{"cut": "after"}, {"status": 502}, {"cut": "before"}])
async def test_a_lost_reply_does_not_write_it_twice(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, room: str, fault: dict[str, Any]
) -> None:
    sandbox.faults.fail("POST /api/v1/chat.sendMessage", **fault)
    sent = await rocketchat.messages.send(room, "once")
    assert sent.text == "once"
    assert texts(sandbox) == ["once"]


async def test_an_own_id_makes_it_once_over_calls(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, room: str
) -> None:
    for _ in range(3):
        assert (await rocketchat.messages.send(room, "once", id="myOwnMessageId001")).id == "myOwnMessageId001"
    assert texts(sandbox) == ["once"]
    with pytest.raises(ValidationFailedError):
        await rocketchat.messages.send(room, "something else", id="myOwnMessageId001")


async def test_what_changed_since_a_moment(rocketchat: RocketChatClient, room: str, clock: FakeClock) -> None:
    await rocketchat.messages.send(room, "before")
    clock.advance(10)
    since = datetime.fromtimestamp(clock.now() - 1, UTC)
    one = await rocketchat.messages.send(room, "one")
    clock.advance(1)
    two = await rocketchat.messages.send(room, "two")
    changes = await rocketchat.messages.changes(room, since)
    assert [message.id for message in changes.updated] == [one.id, two.id]
    assert changes.deleted == ()
    with pytest.raises(InvalidInputError, match="time zone"):
        await rocketchat.messages.changes(room, datetime(2024, 1, 1))  # noqa: DTZ001


async def test_history_is_asked_for_by_kind(clock: FakeClock) -> None:
    kinds = {"c": "channels.history", "p": "groups.history", "d": "im.history"}
    server = Server(
        rooms__info=lambda sent: ok(room={"_id": sent.query["roomId"], "t": sent.query["roomId"]}),
        **{route.replace(".", "__"): ok(messages=[{"_id": "m", "rid": "r", "msg": ""}]) for route in kinds.values()},
    )
    async with server.client(clock) as client:
        for kind, route in kinds.items():
            moment = datetime(2024, 1, 2, 3, 4, 5, 678900, UTC)
            await client.messages.history(RecordId(kind), after=moment, count=7)
            assert server.to(route)[0].query == {"roomId": kind, "count": "7", "oldest": "2024-01-02T03:04:05.678Z"}
        with pytest.raises(InvalidInputError, match="history"):
            await client.messages.history(RecordId("l"))
        for count in (0, 101):
            with pytest.raises(InvalidInputError, match="count"):
                await client.messages.history(RecordId("c"), count=count)


async def test_a_first_refusal_is_a_refusal(clock: FakeClock) -> None:
    server = Server(rooms__info=ok(room={"_id": "r", "t": "c"}), chat__sendMessage=plain_failure("no"))
    async with server.client(clock) as client:
        with pytest.raises(ValidationFailedError):
            await client.messages.send("r", "x")
    assert server.to("chat.getMessage") == []


async def test_a_refused_repeat_counts_only_when_the_message_is_really_there(clock: FakeClock) -> None:
    tries = 0

    def send(sent: Sent) -> Response:
        nonlocal tries
        tries += 1
        return plain_failure("boom", 500) if tries == 1 else plain_failure("duplicate key")

    server = Server(
        rooms__info=ok(room={"_id": "r", "t": "c"}),
        chat__sendMessage=send,
        chat__getMessage=ok(message={"_id": "other", "rid": "another-room", "msg": "x"}),
    )
    async with server.client(clock) as client:
        with pytest.raises(ValidationFailedError):
            await client.messages.send("r", "x")
    ids = {sent.body["message"]["_id"] for sent in server.to("chat.sendMessage")}
    assert len(ids) == 1


@pytest.mark.parametrize("message", [None, [], {"_id": "m"}, {"_id": "m", "rid": "r", "ts": {"x": 1}}])
async def test_a_message_of_a_strange_shape_is_said(message: Any, clock: FakeClock) -> None:
    server = Server(chat__getMessage=ok(message=message))
    async with server.client(clock) as client:
        with pytest.raises(ReplyLostError, match="unexpected shape"):
            await client.messages.get("m")
