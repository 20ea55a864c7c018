"""What Ethora's stream does beyond the contract: speaking, typing, history, edits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtime_places import on_ethora

from ethora_async import (
    ConfigError,
    EthoraClient,
    ForbiddenError,
    InvalidInputError,
    MongoId,
    NotFoundError,
    ReplyLostError,
    UnauthorizedError,
)
from ethora_async.platforms.ethora.realtime.events import (
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    RoomJoined,
    Typing,
)
from ethora_async.platforms.ethora.realtime.machine import Broken, LoggedIn, LoginRefused, XmppMachine
from ethora_async.platforms.ethora.realtime.stanzas import MAX_TEXT
from ethora_async.redaction import Secret
from ethora_async.sandbox.ethora.xmpp.content import rewrite
from ethora_async.sandbox.ethora.xmpp.elements import Element
from ethora_async.testing.implementers import cancel_at_every_step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from realtime_places import OnEthora

    from ethora_async.platforms.ethora.realtime.connection import Realtime

SOON = 120.0


@pytest.fixture
async def place() -> AsyncIterator[OnEthora]:
    async with on_ethora() as place:
        yield place


async def following(stream: Realtime, kind: type) -> Any:
    async with asyncio.timeout(SOON):
        async for event in stream:
            if isinstance(event, kind):
                return event
    return None


async def opened(place: OnEthora, user: str, *rooms: str) -> Realtime:
    """A stream in a user's session."""
    session = await place.client.sessions.exchange(await place.client.tokens.for_user(user))
    return place.client.as_user(session).realtime(rooms=rooms)


async def test_two_users_talk(place: OnEthora) -> None:
    async with await opened(place, "ann", "one") as ann, await opened(place, "bob", "one") as bob:
        await ann.typing("one")
        assert await following(bob, Typing) == Typing("one", "Ann Byron", True)
        sent = await ann.send("one", "Hello <Bob> & 'all'")
        heard = (await following(bob, object)).message
        assert heard.body == sent.body == "Hello <Bob> & 'all'"
        assert heard.id == sent.id
        assert heard.sender == f"{place.sandbox.app_id}_ann"
        assert heard.nick == "Ann Byron"
        assert [message.body for message in await bob.history("one")] == [sent.body]
        kept = [message async for message in place.client.chats.messages("one")]
        assert [(message.id, message.body) for message in kept] == [(sent.id, sent.body)]


async def test_who_is_not_there_cannot_speak(place: OnEthora) -> None:
    async with await opened(place, "ann", "one") as ann:
        with pytest.raises(ForbiddenError, match="not-acceptable"):
            await ann.send("secret", "let me in")
        with pytest.raises(NotFoundError):
            await ann.send("nowhere", "x")
        with pytest.raises(InvalidInputError):
            await ann.send("one", "")
        with pytest.raises(ForbiddenError):
            await ann.history("secret")
        with pytest.raises(InvalidInputError):
            await ann.history("one", limit=0)
        await place.revoke("one")
        await following(ann, object)
        with pytest.raises(ForbiddenError):
            await ann.send("one", "still?")


async def test_history_goes_back_page_by_page(place: OnEthora) -> None:
    for number in range(250):
        await place.say("one", str(number))
    async with await opened(place, "ann") as ann:
        newest = await ann.history("one", limit=130)
        assert [message.body for message in newest] == [str(number) for number in range(120, 250)]
        older = await ann.history("one", limit=1000, before=newest[0].id)
        assert [message.body for message in older] == [str(number) for number in range(120)]
        assert await ann.history("two") == []


@pytest.mark.parametrize("text", ["a\x00b", "\x0b", "\ufffe", "x" * 300_000, "<" * 100_000])
async def test_what_a_stanza_cannot_hold_is_refused_and_the_stream_goes_on(place: OnEthora, text: str) -> None:
    async with await opened(place, "ann", "one") as ann:
        with pytest.raises(InvalidInputError, match="the text cannot be sent"):
            await ann.send("one", text)
        sent = await ann.send("one", "line\r\n\r line\t")
        assert sent.body == "line\r\n\r line\t"
        assert (await anext(ann)).message == sent  # no Reconnected before it


async def test_a_longest_text_arrives(place: OnEthora) -> None:
    async with await opened(place, "ann", "one") as ann:
        text = "x" * MAX_TEXT
        assert (await ann.send("one", text)).body == text


@pytest.mark.parametrize("room", ["x/y", "a\x01b", MongoId("0123456789abcdef01234567")])
async def test_what_is_no_name_of_a_room_is_refused(place: OnEthora, room: Any) -> None:
    async with await opened(place, "ann", "one") as ann:
        for attempt in (ann.subscribe, ann.unsubscribe, ann.typing, ann.history, lambda name: ann.send(name, "x")):
            with pytest.raises(InvalidInputError, match="room"):
                await attempt(room)
        await ann.send("one", "still here")


async def test_a_name_that_xml_cannot_hold_is_shown_without_it(place: OnEthora) -> None:
    ann = place.sandbox.store.app(place.sandbox.app_id).users.find("ann")
    assert ann is not None
    ann.first_name = "An\x01n"
    async with await opened(place, "ann", "one") as stream:
        await stream.typing("one")
        assert (await stream.send("one", "x")).nick == "An\ufffdn Byron"


async def test_what_was_deleted_in_a_gap_does_not_come_and_a_mark_alone_hides_nothing(place: OnEthora) -> None:
    async with await opened(place, "ann", "one") as ann:
        await place.say("one", "0")
        await following(ann, MessageReceived)
        app = place.sandbox.store.app(place.sandbox.app_id)
        room, bob = app.chats.find("one"), app.users.find("bob")
        assert room is not None
        place.drop()
        # Nothing waits from here to the last message, so the stream cannot be back before it.
        for number in range(130):  # more than a page of deleted ones
            text = str(number) if number in (0, 7) else "wrong"
            message = place.sandbox.store.post(room, text, place.clock.now(), sender=bob)
            if text == "wrong":
                rewrite(room, message, "localhost", "deleted", Element("deleted", attributes={"timestamp": "1"}))
        spoofed = "<body>rude</body><deleted timestamp='1'/>"
        place.sandbox.store.post(room, "rude", place.clock.now(), sender=bob, inner=spoofed)
        heard = [(await following(ann, MessageReceived)).message.body for _ in range(3)]
        assert heard == ["0", "7", "rude"]


async def test_edits_and_deletions_are_told(place: OnEthora) -> None:
    async with await opened(place, "ann", "one") as ann, await opened(place, "bob", "one") as bob:
        first = await bob.send("one", "old")
        machine: Any = bob._machine
        room = f"{place.sandbox.app_id}_one@conference.{machine._domain}"
        for inside in (f"<replace id='{first.id}' text='new'/>", f"<body>wow</body><delete id='{first.id}'/>"):
            machine._send(f"<message xmlns='jabber:client' type='groupchat' id='e' to='{room}'>{inside}</message>")
            await bob._flush()
        assert await following(ann, MessageEdited) == MessageEdited("one", first.id, "new")
        assert await following(ann, MessageDeleted) == MessageDeleted("one", first.id)


async def test_being_let_into_another_chat_is_told(place: OnEthora) -> None:
    async with await opened(place, "ann") as ann:
        await place.grant("secret")
        assert await following(ann, RoomJoined) == RoomJoined("secret")
        await ann.subscribe("secret")
        await ann.send("secret", "thank you")


async def test_a_lost_connection_says_that_a_message_may_have_been_said(place: OnEthora) -> None:
    async with await opened(place, "ann", "one") as ann:
        sending = asyncio.ensure_future(ann.send("one", "in the air"))
        await asyncio.sleep(0)
        place.drop()
        with pytest.raises(ReplyLostError) as caught:
            await sending
        assert caught.value.effect == "unknown"


async def test_a_session_that_has_ended_ends_the_stream(place: OnEthora) -> None:
    session = await place.client.sessions.exchange(await place.client.tokens.for_user("ann"))
    user = place.client.as_user(session)
    async with user.realtime(rooms=["one"]) as stream:
        await user.logout()
        place.drop()
        with pytest.raises(UnauthorizedError):
            await following(stream, RoomJoined)


async def test_the_client_closes_its_streams(place: OnEthora) -> None:
    stream = await opened(place, "ann", "one")
    await stream.__aenter__()
    await place.client.aclose()
    assert await following(stream, RoomJoined) is None


@pytest.mark.parametrize("service", ["nonsense", "ftp://x/ws", "ws://"])
async def test_an_address_that_is_none_is_said(place: OnEthora, service: str) -> None:
    sandbox = place.sandbox
    async with EthoraClient(
        app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url, xmpp_service=service
    ) as client:
        with pytest.raises(ConfigError, match="ETHORA_XMPP_SERVICE"):
            await client.realtime("ann").__aenter__()


async def test_cancelling_at_any_step_leaves_nothing_behind(place: OnEthora) -> None:
    async def talk() -> None:
        async with place.client.realtime("ann", rooms=["one"]) as stream:
            await stream.send("one", "x")

    await cancel_at_every_step(talk)
    assert [str(task) for task in asyncio.all_tasks() if "Realtime" in str(task.get_coro())] == []


async def test_no_password_is_in_what_is_shown(place: OnEthora) -> None:
    async with await opened(place, "ann", "one") as ann:
        account: Any = ann._account
        shown = f"{ann!r} {vars(ann)!r} {account!r} {vars(ann._machine)!r}"
        assert account.password.reveal() not in shown


def machine() -> XmppMachine:
    machine = XmppMachine("localhost")
    machine.opened("app_ann", Secret("canary-password"), 0.0)
    return machine


FEATURES = (
    '<stream:features xmlns:stream="http://etherx.jabber.org/streams"><mechanisms'
    ' xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><mechanism>{}</mechanism></mechanisms></stream:features>'
)


def test_a_server_without_plain_gets_no_password() -> None:
    one = machine()
    one.to_send()
    (event,) = one.received(FEATURES.format("SCRAM-SHA-1"), 0.0)
    assert isinstance(event, Broken)
    assert one.to_send() == []


def test_a_refused_log_in_is_told() -> None:
    one = machine()
    one.received(FEATURES.format("PLAIN"), 0.0)
    failure = '<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><not-authorized/></failure>'
    assert one.received(failure, 0.0) == [LoginRefused("not-authorized")]


def test_silence_is_asked_about_and_then_given_up() -> None:
    one = machine()
    assert isinstance(one.on_time(20.0)[0], Broken)
    one = machine()
    for frame in (
        FEATURES.format("PLAIN"),
        '<success xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>',
        '<stream:features xmlns:stream="http://etherx.jabber.org/streams"/>',
    ):
        assert one.received(frame, 1.0) == []
    bound = (
        '<iq xmlns="jabber:client" type="result" id="bind"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind">'
        "<jid>app_ann@localhost/x</jid></bind></iq>"
    )
    assert one.received(bound, 1.0) == [LoggedIn()]
    one.to_send()
    assert one.on_time(45.0) == []
    assert one.on_time(46.0) == []
    assert "urn:xmpp:ping" in one.to_send()[0]
    assert isinstance(one.on_time(61.0)[0], Broken)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "<a",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        '<stream:error xmlns:stream="http://etherx.jabber.org/streams"><conflict/></stream:error>',
        '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>',
    ],
)
def test_what_ends_a_connection(frame: str) -> None:
    one = machine()
    (event,) = one.received(frame, 0.0)
    assert isinstance(event, Broken)
    assert one.received("<a/>", 0.0) == []


NAMES = st.sampled_from(["message", "presence", "iq", "open", "features", "success", "failure", "fin", "result", "x"])
SPACES = st.sampled_from(
    ["jabber:client", "urn:xmpp:mam:2", "urn:ietf:params:xml:ns:xmpp-sasl", "http://jabber.org/protocol/muc#user", ""]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["id", "from", "to", "type", "code", "queryid", "text", "complete"]),
    st.sampled_from(
        ["", "bind", "history-1", "110", "error", "result", "a@conference.b/c", "²", "unavailable", "9" * 30]
    ),
)


def element(name: str, space: str, given: dict[str, str], inside: str) -> str:
    attributes = "".join(f' {key}="{value}"' for key, value in given.items())
    return f'<{name} xmlns="{space}"{attributes}>{inside}</{name}>'


TREES = st.recursive(
    st.just(""), lambda inner: st.builds(element, NAMES, SPACES, ATTRIBUTES, inner | st.text("ab<&", max_size=3))
)


@given(st.lists(TREES | st.text(max_size=20), max_size=8))
def test_no_frame_breaks_the_machine(frames: list[str]) -> None:
    one = machine()
    for frame in frames:
        one.received(frame, 0.0)
        sent = "".join(one.to_send())
        assert "canary-password" not in sent
