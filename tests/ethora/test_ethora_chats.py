"""``ethora.chats`` against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from scripted_ethora import APP, SECRET, person

from ethora_async import Chat, EthoraClient, InvalidInputError, MongoId, NewChat, NotFoundError, ValidationFailedError

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.sandbox.ethora.records import App
    from ethora_async.testing.users import FakeClock

FORMS = ["c1", f"{APP}_c1", f"{APP}_{APP}_c1", f"{APP}_c1@conference.xmpp.example.com", " c1 "]


@pytest.fixture(autouse=True)
async def crowd(ethora: EthoraClient) -> None:
    await ethora.users.create_many([person(f"u{number}") for number in range(6)])


async def members(ethora: EthoraClient, chat: Any = "c1") -> list[str]:
    return [user.id async for user in ethora.chats.members(chat)]


async def test_a_created_chat_is_there_with_everything_that_was_said(ethora: EthoraClient, app: App) -> None:
    outcome = await ethora.chats.create(
        "c1", title=" Order 1 ", access="public", description="", members=["u1", "u2", "u1"]
    )
    assert (outcome.status, outcome.key) == ("created", "c1")
    chat = app.chats.find("c1")
    assert chat is not None
    assert (chat.title, chat.type, chat.description) == ("Order 1", "public", "")
    assert await members(ethora) == ["u1", "u2"]
    assert (outcome.value.name, outcome.value.access, outcome.value.member_count) == (f"{APP}_c1", "public", 2)


async def test_a_chat_is_private_unless_asked_otherwise(ethora: EthoraClient, app: App) -> None:
    outcome = await ethora.chats.create(42, title="Order")
    assert (outcome.value.access, outcome.value.type, outcome.key) == ("private", "group", "42")


async def test_a_second_creation_finds_the_chat_and_changes_nothing(ethora: EthoraClient) -> None:
    await ethora.chats.create("c1", title="First")
    assert (await ethora.chats.create("c1", title="Second")).status == "existed"
    assert (await ethora.chats.get("c1")).title == "First"


async def test_an_unknown_member_leaves_no_chat_behind(ethora: EthoraClient) -> None:
    with pytest.raises(NotFoundError) as caught:
        await ethora.chats.create("c1", title="Chat", members=["u1", "nobody"])
    assert caught.value.code == "USER_NOT_FOUND"
    with pytest.raises(NotFoundError, match="no chat 'c1'"):
        await ethora.chats.get("c1")


async def test_one_member_need_not_stand_in_a_list(ethora: EthoraClient) -> None:
    await ethora.chats.create("c1", title="Chat", members="u3")
    assert await members(ethora) == ["u3"]


async def test_members_may_be_record_ids(ethora: EthoraClient) -> None:
    record = (await ethora.users.get("u2")).record_id
    assert isinstance(record, MongoId)
    await ethora.chats.create("c1", title="Chat", members=[record])
    assert await members(ethora) == ["u2"]


async def test_a_chat_without_an_id_gets_one_and_can_be_found_by_it(ethora: EthoraClient) -> None:
    first = await ethora.chats.create(title="Chat", members=["u1"])
    second = await ethora.chats.create(title="Chat")
    assert first.key != second.key
    assert (await ethora.chats.get(first.key)).record_id == first.value.record_id
    assert first.item.members == ("u1",)


@pytest.mark.parametrize("id", FORMS)
async def test_a_chat_is_found_changed_and_deleted_by_any_form(id: str, ethora: EthoraClient) -> None:
    await ethora.chats.create("c1", title="Chat", description="old")
    assert (await ethora.chats.get(id)).id == "c1"
    assert (await ethora.chats.update(id, title="New", description="")).status == "updated"
    chat = await ethora.chats.get("c1")
    assert (chat.title, chat.description) == ("New", "")
    assert (await ethora.chats.grant(id, "u1")).counts == {"created": 1}
    assert (await ethora.chats.revoke(id, ["u1"])).counts == {"deleted": 1}
    outcome = await ethora.chats.delete(id)
    assert (outcome.status, outcome.key) == ("deleted", "c1")


async def test_a_chat_is_found_by_record_id(ethora: EthoraClient) -> None:
    record = (await ethora.chats.create("c1", title="Chat")).value.record_id
    assert (await ethora.chats.get(record)).id == "c1"
    with pytest.raises(NotFoundError):
        await ethora.chats.get(str(record))  # a plain text is always the caller's own id


async def test_changes_of_nothing_or_to_nothing_are_refused(ethora: EthoraClient) -> None:
    with pytest.raises(InvalidInputError, match="nothing to change"):
        await ethora.chats.update("c1")
    with pytest.raises(InvalidInputError, match="title is empty"):
        await ethora.chats.update("c1", title="  ")
    with pytest.raises(InvalidInputError, match="description"):
        await ethora.chats.update("c1", description="half a pair \ud800")


async def test_what_is_not_there_is_not_found_or_absent(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    for legacy in (False, True):
        sandbox.faults.legacy_errors = legacy
        assert (await ethora.chats.delete("c1")).status == "absent"
        with pytest.raises(NotFoundError):
            await ethora.chats.update("c1", title="New")
        with pytest.raises(NotFoundError):
            await ethora.chats.grant("c1", "u1")
        with pytest.raises(NotFoundError):
            await ethora.chats.revoke("c1", "u1")
        with pytest.raises(NotFoundError):
            await ethora.chats.members("c1")


async def test_the_listing_shows_every_chat_once_with_members_when_asked(ethora: EthoraClient) -> None:
    report = await ethora.chats.create_many(
        NewChat(id=f"c{number}", title="Chat", members=["u1"]) for number in range(12)
    )
    assert report.counts == {"created": 12}
    listed = [chat async for chat in ethora.chats.list(limit=5, include_members=True)]
    assert sorted(chat.id for chat in listed) == sorted(f"c{number}" for number in range(12))
    assert all([member.id for member in chat.members or ()] == ["u1"] for chat in listed)
    (first, *_) = (await ethora.chats.list(limit=5)).items
    assert isinstance(first, Chat)
    assert first.members is None


async def test_create_many_ends_each_chat_by_itself(ethora: EthoraClient) -> None:
    await ethora.chats.create("c1", title="Chat")
    chats = [
        NewChat(id="c0", title="Chat"),
        NewChat(id="c1", title="Chat"),
        NewChat(id=f"{APP}_c1", title="Chat"),
        NewChat(id="c2", title="Chat", members=["nobody"]),
        NewChat(id="c3", title="Chat"),
    ]
    outcomes = [outcome async for outcome in ethora.chats.create_many(chats, ordered=True)]
    assert [(outcome.key, outcome.status) for outcome in outcomes] == [
        ("c0", "created"),
        ("c1", "existed"),
        (f"{APP}_c1", "failed"),
        ("c2", "failed"),
        ("c3", "created"),
    ]


async def test_delete_many_gets_past_unknown_and_unfit_ids(ethora: EthoraClient, app: App) -> None:
    await ethora.chats.create_many(NewChat(id=f"c{number}", title="Chat") for number in range(3))
    ids = ["c0", "", "nowhere", "c1", "a\x00b", "c2"]
    outcomes = [outcome async for outcome in ethora.chats.delete_many(ids, ordered=True)]
    assert [outcome.status for outcome in outcomes] == ["deleted", "failed", "absent", "deleted", "failed", "deleted"]
    assert len(app.chats) == 0


async def test_a_deleted_chat_is_gone_before_listings_know(
    ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    sandbox.faults.deletion_lag = 10.0
    await ethora.chats.create("c1", title="Chat")
    await ethora.chats.delete("c1")
    assert (await ethora.chats.delete("c1")).status == "absent"
    assert [chat.id async for chat in ethora.chats.list()] == ["c1"]
    clock.advance(11)
    assert [chat.id async for chat in ethora.chats.list()] == []


async def test_grants_say_for_each_user_what_became_of_it(ethora: EthoraClient) -> None:
    await ethora.chats.create("c1", title="Chat", members=["u1"])
    report = await ethora.chats.grant("c1", ["u1", "u2", "nobody", "u2"])
    assert report.counts == {"existed": 1, "created": 1, "failed": 1}
    (failure,) = report.failures
    assert isinstance(failure.error, NotFoundError)
    assert failure.key == "nobody"
    assert await members(ethora) == ["u1", "u2"]


async def test_revoking_says_for_each_user_what_became_of_it(ethora: EthoraClient) -> None:
    await ethora.chats.create("c1", title="Chat", members=["u1", "u2"])
    report = await ethora.chats.revoke("c1", ["u1", "u3", "nobody"])
    assert report.counts == {"deleted": 1, "absent": 1, "failed": 1}
    assert await members(ethora) == ["u2"]


@pytest.mark.parametrize("user", ["u1", 7, UUID(int=7)])
async def test_every_type_of_id_can_be_granted(user: Any, ethora: EthoraClient) -> None:
    await ethora.users.create_many([person(7), person(UUID(int=7))])
    await ethora.chats.create("c1", title="Chat")
    assert (await ethora.chats.grant("c1", user)).counts == {"created": 1}
    assert (await ethora.chats.grant("c1", {user})).counts == {"existed": 1}


@pytest.mark.parametrize("user", [f"{APP}_u1", f"{APP}_u1@xmpp.example.com", " u1", "u1\u00a0", "u1@example.com"])
async def test_who_is_not_named_by_their_plain_id_is_granted_nothing(user: str, ethora: EthoraClient) -> None:
    await ethora.chats.create("c1", title="Chat")
    with pytest.raises(InvalidInputError):
        await ethora.chats.grant("c1", user)
    with pytest.raises(InvalidInputError):
        await ethora.chats.create("c2", title="Chat", members=["u2", user])
    report = await ethora.chats.grant_many([("c1", user)])
    assert report.counts == {"failed": 1}
    assert await members(ethora) == []


async def test_granting_nobody_is_refused(ethora: EthoraClient) -> None:
    for nobody in ([], iter(())):
        with pytest.raises(InvalidInputError, match="users is empty"):
            await ethora.chats.grant("c1", nobody)
    with pytest.raises(InvalidInputError):
        await ethora.chats.grant("c1", ["u1", ""])


async def test_many_members_go_in_several_requests(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    await ethora.users.create_many([person(f"v{number}") for number in range(230)])
    await ethora.chats.create("c1", title="Chat")
    report = await ethora.chats.grant("c1", (f"v{number}" for number in range(230)))
    assert report.counts == {"created": 230}
    assert sum(request.path.endswith("/users-access") for request in sandbox.requests) == 3


async def test_grant_many_keeps_pairs_in_order_and_fails_only_those_at_fault(ethora: EthoraClient) -> None:
    await ethora.chats.create_many([NewChat(id="c1", title="Chat"), NewChat(id="c2", title="Chat", members=["u1"])])
    pair = ("c1", "u1")
    pairs: list[tuple[Any, Any]] = [
        pair,
        ("c2", "u1"),
        ("nowhere", "u1"),
        ("c1", "nobody"),
        ("c1", ""),
        (f"{APP}_c1", "u1"),
        pair,
        ("c1", "nobody"),
        ("c2", "u2"),
    ]
    outcomes = [outcome async for outcome in ethora.chats.grant_many(pairs, ordered=True)]
    assert [outcome.item for outcome in outcomes] == pairs
    assert [outcome.status for outcome in outcomes] == [
        "created",
        "existed",
        "failed",
        "failed",
        "failed",
        "existed",
        "existed",
        "failed",
        "created",
    ]
    assert [outcome.key for outcome in outcomes][:4] == ["c1/u1", "c2/u1", "nowhere/u1", "c1/nobody"]


async def test_a_missing_chat_is_asked_for_once_whatever_the_number_of_members(
    ethora: EthoraClient, sandbox: EthoraSandbox
) -> None:
    sandbox.requests.clear()
    report = await ethora.chats.grant_many(("nowhere", f"u{number}") for number in range(100))
    assert report.counts == {"failed": 100}
    assert len(sandbox.requests) == 1


async def test_the_bot_is_let_in_by_its_address(ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock) -> None:
    await ethora.chats.create("c1", title="Chat")
    with pytest.raises(InvalidInputError, match="ETHORA_CHAT_BOT_JID"):
        await ethora.chats.grant_bot("c1")
    options: dict[str, Any] = {"app_id": APP, "secret": SECRET, "api_url": sandbox.url, "clock": clock}
    async with EthoraClient(**options, bot_jid=f"{APP}_u5@xmpp.example.com") as client:
        assert (await client.chats.grant_bot("c1")).counts == {"created": 1}
    assert await members(ethora) == ["u5"]


async def test_the_platforms_own_refusals_are_told(ethora: EthoraClient) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        await ethora.users.create("u9", email="u9@example.com", first_name="A", last_name="Lee")
    assert caught.value.code == "VALIDATION_ERROR"
    assert "at least 2 characters" in caught.value.message
