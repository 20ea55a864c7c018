"""Every outcome and record that comes from a reply names the reply's request id, on every platform."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from multidict import CIMultiDict

from ethora_async import AvayaClient, EthoraClient, NewChat, NewUser, RocketChatClient
from ethora_async.bulk import Outcome
from ethora_async.bulk.outcome import Outcomes
from ethora_async.errors import InvalidInputError, NotFoundError, ReplyLostError
from ethora_async.platforms.ethora import wire as ethora_wire
from ethora_async.platforms.ethora.names import Names
from ethora_async.platforms.rocketchat import wire as rocketchat_wire
from ethora_async.request import Origin, Response
from ethora_async.sandbox import AvayaSandbox, EthoraSandbox, RocketChatSandbox
from ethora_async.transport import AiohttpTransport

if TYPE_CHECKING:
    from ethora_async.records import Chat, User
    from ethora_async.request import Request


class Stamped:
    """A transport whose every reply has a request id of its own."""

    def __init__(self) -> None:
        self.inner = AiohttpTransport()
        self.numbers = count(1)
        self.given: list[str] = []

    async def send(self, request: Request, /) -> Response:
        response = await self.inner.send(request)
        headers = CIMultiDict(response.headers)
        self.given.append(headers.setdefault("x-request-id", f"req-{next(self.numbers)}"))
        return Response(response.status, headers, response.body)

    async def aclose(self) -> None:
        await self.inner.aclose()


def ids(found: Any) -> list[str | None]:
    """The request ids of the records and outcomes in a result."""
    if isinstance(found, (list, tuple)):
        return [one for item in found for one in ids(item)]
    if isinstance(found, Outcome):
        return [found.request_id, *ids(found.value)]
    if attrs.has(type(found)):
        own = [getattr(found, "request_id", "none")]
        return own + [one for field in attrs.fields(type(found)) for one in ids_in(getattr(found, field.name))]
    return []


def ids_in(value: Any) -> list[str | None]:
    return ids(value) if isinstance(value, tuple) else []


async def read(found: Any) -> Any:
    return [one async for one in found] if isinstance(found, AsyncIterator) or hasattr(found, "__aiter__") else found


def person(id: str) -> NewUser:
    return NewUser(id=id, email=f"{id}@example.com", first_name=id.title(), last_name="Example")


async def ethora() -> AsyncIterator[tuple[Stamped, str, Any]]:
    stamped = Stamped()
    async with EthoraSandbox() as sandbox:
        names = {"api_url": "API_URL", "app_id": "APP_ID", "secret": "APP_SECRET"}
        given = {key: sandbox.environment[f"ETHORA_CHAT_{name}"] for key, name in names.items()}
        async with EthoraClient(**given, transport=stamped) as client:
            async for name, found in in_step(client):
                yield stamped, name, found
            session = await client.sessions.exchange(await client.tokens.for_user("ann"))
            yield stamped, "sessions.exchange", session
            ann = client.as_user(session)
            yield stamped, "me", await ann.me()
            yield stamped, "me.chats", await read(ann.chats.list())
            yield stamped, "ping", await client.ping()
            yield stamped, "broadcast", await read(await client.broadcasts.send("hello", chats=["c1"]))


async def rocketchat() -> AsyncIterator[tuple[Stamped, str, Any]]:
    stamped = Stamped()
    async with RocketChatSandbox(rate_limit=None) as sandbox:
        names = {"url": "URL", "user": "USER", "password": "PASSWORD", "create_tokens_secret": "CREATE_TOKENS_SECRET"}
        given = {key: sandbox.environment[f"ROCKETCHAT_{name}"] for key, name in names.items()}
        async with RocketChatClient(**given, transport=stamped) as client:
            async for name, found in in_step(client):
                yield stamped, name, found
            ann = client.as_user("ann")
            sent = await ann.messages.send("c1", "hello")
            yield stamped, "messages.send", sent
            yield stamped, "messages.history", await client.messages.history("c1")
            yield stamped, "messages.react", await ann.messages.react(sent.id, "tada")
            yield stamped, "chats.counters", await client.chats.counters("c1")
            yield stamped, "chats.roles", await client.chats.roles("c1")
            yield stamped, "users.status", await client.users.status("ann")
            yield stamped, "server.search", await client.server.search("ann")
            yield stamped, "rooms", await ann.rooms()
            yield stamped, "subscriptions", await ann.subscriptions()
            yield stamped, "tokens", await client.tokens.for_user("ann")
            yield stamped, "ping", await client.ping()
            yield stamped, "leave", await ann.chats.leave("c1")


async def in_step(client: Any) -> AsyncIterator[tuple[str, Any]]:
    """What both platforms with users and chats do."""
    yield "users.create_many", await read(client.users.create_many([person("ann"), person("bob")]))
    yield "users.create_many again", await read(client.users.create_many([person("ann"), person("bob")]))
    yield "users.list", await read(client.users.list())
    yield "users.get", await client.users.get("ann")
    chat = NewChat(id="c1", title="One", members=["ann", "bob"])
    yield "chats.create_many", await read(client.chats.create_many([chat]))
    yield "chats.create_many again", await read(client.chats.create_many([chat]))
    yield "chats.list", await read(client.chats.list())
    yield "chats.get", await client.chats.get("c1")
    yield "chats.members", await read(client.chats.members("c1"))
    yield "chats.update", await client.chats.update("c1", title="Two")
    yield "grant_many", await read(client.chats.grant_many([("c1", "ann")]))
    yield "revoke_many", await read(client.chats.revoke_many([("c1", "bob")]))
    yield "users.delete_many", await read(client.users.delete_many(["bob"]))
    yield "users.delete_many again", await read(client.users.delete_many(["bob"]))


async def avaya() -> AsyncIterator[tuple[Stamped, str, Any]]:
    stamped = Stamped()
    async with AvayaSandbox() as sandbox:
        given = {key.removeprefix("AVAYA_").lower(): value for key, value in sandbox.environment.items()}
        given["secret"] = given.pop("client_secret")
        async with AvayaClient(**given, transport=stamped) as client:
            yield stamped, "tokens", await client.tokens.for_user("ann")


@pytest.mark.parametrize("platform", [ethora, rocketchat, avaya])
async def test_whatever_comes_from_a_reply_names_its_request(platform: Any) -> None:
    seen = 0
    async for stamped, name, found in platform():
        named = ids(found)
        assert named, name
        assert set(named) <= {*stamped.given}, name
        seen += len(named)
    assert seen


async def test_the_id_is_that_of_the_very_reply() -> None:
    async for stamped, name, found in rocketchat():
        if name in ("users.get", "messages.send", "messages.react", "chats.counters", "users.status", "rooms", "ping"):
            assert set(ids(found)) == {stamped.given[-1]}, name


@pytest.mark.parametrize("codec", [ethora_wire.codec, rocketchat_wire.codec], ids=["ethora", "rocketchat"])
def test_every_record_of_a_reply_has_the_field_and_is_compared_and_shown_without_it(codec: Any) -> None:
    assert len(codec._names) > 5
    for cls in codec._names:
        field = attrs.fields_dict(cls)["request_id"]
        assert (field.default, field.eq, field.repr, field.kw_only) == (None, False, False, True), cls


def test_a_record_keeps_its_id_through_pickling_and_equals_one_without() -> None:
    data = {"_id": "u1", "username": "ann"}
    read = rocketchat_wire.read_user(data, origin=Origin("x", request_id="req-1"))
    without = rocketchat_wire.read_user(data, origin=Origin("x"))
    kept = pickle.loads(pickle.dumps(read))
    assert (kept.request_id, kept, hash(kept)) == ("req-1", without, hash(without))
    assert without.request_id is None
    assert "req-1" not in repr(read)


def test_records_inside_records_have_it_too_and_so_has_what_cattrs_reads() -> None:
    row = {"_id": "6" * 24, "name": "app_c1", "title": "C", "type": "group", "usersCnt": "3", "members": []}
    names = Names("app")
    member = {"uuid": "ann", "email": "a@example.com"}
    origin = Origin("x", 200, "req-1")
    chat: Chat = ethora_wire.read_chat({**row, "usersCnt": 3, "members": [member]}, names, origin=origin)
    assert [chat.request_id, *(user.request_id for user in chat.members or ())] == ["req-1", "req-1"]
    numbered = {**row, "usersCnt": 3, "members": [member], "title": 7}  # not the usual case: cattrs reads it
    chat = ethora_wire.read_chat(numbered, names, origin=origin)
    assert (chat.title, [chat.request_id, *(user.request_id for user in chat.members or ())]) == ("7", ["req-1"] * 2)
    with pytest.raises(ReplyLostError) as lost:
        ethora_wire.read_chat({**row, "usersCnt": []}, names, origin=origin)
    assert (lost.value.request_id, lost.value.status, lost.value.operation) == ("req-1", 200, "x")


def test_outcomes_of_a_batch_have_it_and_so_have_their_pickled_records() -> None:
    def made(row: Mapping[str, Any], request_id: str | None) -> User:
        return rocketchat_wire.read_user(row, origin=Origin("x", request_id=request_id))

    batch = Outcomes(["ann"], ["ann"], ["created"], [{"_id": "u1", "username": "ann"}], made, 1, "req-9")
    unread = pickle.loads(pickle.dumps(batch[0]))
    assert (batch[0].request_id, unread.request_id, unread.value.request_id) == ("req-9",) * 3


async def test_an_error_without_a_reply_has_none() -> None:
    async with RocketChatSandbox(rate_limit=None) as sandbox:
        given = {"url": sandbox.url, "user": "admin", "password": sandbox.admin_password}
        stamped = Stamped()
        async with RocketChatClient(**given, transport=stamped) as client:
            with pytest.raises(InvalidInputError) as refused:
                await client.users.get("")
            assert refused.value.request_id is None
            with pytest.raises(NotFoundError) as missing:
                await client.users.get("nobody")
            assert missing.value.request_id == stamped.given[-1]
