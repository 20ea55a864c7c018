"""Two spellings of one room or account are never treated as the same id, whichever exists first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted_ethora import APP, SECRET, URL, Scripted, ok, person, reply

from ethora_async import EthoraClient
from ethora_async.errors import ConflictError, ServerFaultError
from ethora_async.platforms.ethora.chats import namesakes
from ethora_async.records import NewChat
from ethora_async.sandbox.ethora.names import folded
from ethora_async.sandbox.ethora.store import ChatData
from ethora_async_secrets import SecretBundle
from ethora_async_secrets.static import StaticProvider

if TYPE_CHECKING:
    from ethora_async.request import Response
    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.testing.users import FakeClock

SPELLINGS = [("Board", "board"), ("board", "BOARD"), ("caf\u00e9", "cafe\u0301"), ("\uff42oard", "board")]
EXISTS = reply(422, {"error": "Chat already exists", "code": "CHAT_ALREADY_EXISTS"})


def listings(sandbox: EthoraSandbox) -> int:
    return sum(request.method == "GET" and request.path.endswith("/chats") for request in sandbox.requests)


def listed(*ids: str) -> Response:
    return ok({"results": [{"_id": f"{n:024x}", "name": f"{APP}_{id}", "title": id} for n, id in enumerate(ids)]})


@pytest.mark.parametrize(("there", "wanted"), SPELLINGS)
async def test_a_chat_in_the_room_of_another_spelling_is_a_conflict_that_names_it(
    there: str, wanted: str, ethora: EthoraClient
) -> None:
    await ethora.chats.create(there, title="First")
    with pytest.raises(ConflictError) as caught:
        await ethora.chats.create(wanted, title="Second")
    assert repr(there) in str(caught.value)
    assert repr(wanted) in str(caught.value)
    assert caught.value.effect == "none"
    assert (await ethora.chats.create(there, title="Third")).status == "existed"
    run = ethora.chats.create_many([NewChat(id=wanted, title="Second"), NewChat(id="new", title="New")], ordered=True)
    assert [outcome.status async for outcome in run] == ["failed", "created"]


async def test_a_thousand_chats_that_exist_are_listed_once(
    ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    store = sandbox.store
    for number in range(120):
        store.create_chat(store.app(APP), ChatData(f"Chat {number}", "group", f"c{number}"), clock.now())
    wanted = [NewChat(id=f"c{number}", title="Chat") for number in range(121)]
    assert (await ethora.chats.create_many(wanted)).counts == {"existed": 120, "created": 1}
    assert listings(sandbox) == 1
    # What came after the listing is found all the same, and a listing grows old.
    assert (await ethora.chats.create("c120", title="Chat")).status == "existed"
    assert listings(sandbox) == 2
    await ethora.chats.create("c120", title="Chat")
    assert listings(sandbox) == 2
    clock.advance(namesakes.KEPT + 1)
    await ethora.chats.create("c120", title="Chat")
    assert listings(sandbox) == 3


async def test_a_chat_that_was_replaced_by_another_spelling_is_told_from_it(
    ethora: EthoraClient, clock: FakeClock
) -> None:
    await ethora.chats.create("board", title="First")
    await ethora.chats.create("board", title="First")
    await ethora.chats.delete("board")
    await ethora.chats.create("Board", title="Second")
    clock.advance(namesakes.KEPT + 1)
    with pytest.raises(ConflictError, match="'Board'"):
        await ethora.chats.create("board", title="First")


async def test_a_room_that_nobody_lists_is_a_conflict(clock: FakeClock) -> None:
    wire = Scripted(clock, EXISTS, listed("other"))
    with pytest.raises(ConflictError, match="does not list it"):
        await wire.client.chats.create("c1", title="Chat")


async def test_a_listing_that_fails_leaves_the_chat_failed_with_the_reason(clock: FakeClock) -> None:
    wire = Scripted(clock, EXISTS, reply(500))
    (outcome,) = [one async for one in wire.client.chats.create_many([NewChat(id="c1", title="Chat")])]
    assert outcome.status == "failed"
    assert isinstance(outcome.error, ServerFaultError)


async def test_who_may_not_list_has_the_platforms_word(clock: FakeClock) -> None:
    wire = Scripted(clock, EXISTS, reply(403, {"error": "Forbidden"}))
    assert (await wire.client.chats.create("c1", title="Chat")).status == "existed"


@pytest.mark.parametrize("refusal", [reply(429), reply(401, {"error": "Invalid token"})])
@pytest.mark.parametrize("holder", ["C1", "c1"])
async def test_an_attempt_that_was_refused_created_nothing(refusal: Response, holder: str, clock: FakeClock) -> None:
    wire = Scripted(clock, refusal, EXISTS, listed(holder))
    bundle = SecretBundle({"ETHORA_CHAT_APP_SECRET": SECRET}, previous={"ETHORA_CHAT_APP_SECRET": SECRET[::-1]})
    wire.client = EthoraClient(
        app_id=APP, secret=StaticProvider(bundle), api_url=URL, transport=wire.transport, clock=clock
    )
    (outcome,) = [one async for one in wire.client.chats.create_many([NewChat(id="c1", title="Chat")])]
    assert outcome.attempts == 2
    if holder == "c1":
        assert outcome.status == "existed"
    else:
        assert isinstance(outcome.error, ConflictError)
        assert "'C1'" in str(outcome.error)


@pytest.mark.parametrize(("there", "wanted"), SPELLINGS)
async def test_a_user_of_another_spelling_is_a_conflict_on_the_synchronous_route_too(
    there: str, wanted: str, clock: FakeClock
) -> None:
    assert folded(there) == folded(wanted)
    found = {"_id": "0" * 24, "xmppUsername": f"{APP}_{there}", "firstName": "Ann", "lastName": "Lee"}
    taken = reply(422, {"error": "user already exists", "code": "USER_ALREADY_EXISTS"})
    wire = Scripted(clock, taken, ok({"result": found}))
    (outcome,) = [one async for one in wire.client.users.create_many([person("b", id=wanted)], synchronous=True)]
    assert outcome.status == "failed"
    assert isinstance(outcome.error, ConflictError)
    assert repr(there) in str(outcome.error)
