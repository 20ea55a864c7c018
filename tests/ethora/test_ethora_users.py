"""``ethora.users`` against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from scripted_ethora import APP, people, person

from ethora_async import (
    ConflictError,
    EthoraClient,
    InvalidInputError,
    JobFailedError,
    JobTimeoutError,
    MongoId,
    NotFoundError,
    ServerFaultError,
    ValidationFailedError,
)
from ethora_async.platforms.ethora.users.api import UserChange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async import NewUser
    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.sandbox.ethora.records import App
    from ethora_async.testing.users import FakeClock

UID = UUID("12345678-1234-5678-1234-567812345678")


async def make(ethora: EthoraClient, *ids: Any) -> None:
    report = await ethora.users.create_many([person(id) for id in ids])
    assert report.counts == {"created": len(ids)}, report.failures


async def test_a_created_user_is_there_with_everything_that_was_said(ethora: EthoraClient, app: App) -> None:
    outcome = await ethora.users.create(
        "u1",
        email=" Ann@Example.COM ",
        first_name=" Ann ",
        last_name="O'Brien",
        password="hunter2hunter2",
        profile_image="https://example.com/a.png",
    )
    assert (outcome.status, outcome.key, outcome.value.id) == ("created", "u1", "u1")
    user = app.users.find("u1")
    assert user is not None
    assert (user.email, user.first_name, user.last_name) == ("ann@example.com", "Ann", "O'Brien")
    assert (user.password, user.profile_image) == ("hunter2hunter2", "https://example.com/a.png")


async def test_a_second_creation_finds_the_user_and_changes_nothing(ethora: EthoraClient, app: App) -> None:
    await make(ethora, "u1")
    outcome = await ethora.users.create("u1", email="u1@example.com", first_name="Other", last_name="Name")
    assert outcome.status == "existed"
    assert app.users.find("u1").first_name == "Ann"  # type: ignore[union-attr]


async def test_a_user_with_another_address_still_existed(ethora: EthoraClient) -> None:
    await make(ethora, "u1")
    outcome = await ethora.users.create("u1", email="new@example.com", first_name="Ann", last_name="Lee")
    assert outcome.status == "existed"


@pytest.mark.parametrize(("there", "new"), [("ann", "Ann"), ("zo\u00e9", "zoe\u0301"), ("ann", "\uff41nn")])
async def test_another_spelling_of_somebody_is_a_conflict_that_names_them(
    there: str, new: str, ethora: EthoraClient, app: App
) -> None:
    await ethora.users.create(there, email="ann@example.com", first_name="Ann", last_name="Lee")
    with pytest.raises(ConflictError, match="cannot be created because") as caught:
        await ethora.users.create(new, email="new@example.com", first_name="Bo", last_name="Xu")
    assert repr(there) in str(caught.value)
    (outcome,) = [one async for one in ethora.users.create_many([person(new, email="new@example.com")])]
    assert (outcome.status, type(outcome.error)) == ("failed", ConflictError)
    assert app.users.with_uuid(new) is None
    assert ethora.users.key(there) == ethora.users.key(new)


async def test_an_address_of_somebody_else_is_a_conflict(ethora: EthoraClient) -> None:
    await make(ethora, "u1")
    with pytest.raises(ConflictError, match="belongs to another user") as caught:
        await ethora.users.create("u2", email="u1@example.com", first_name="Bo", last_name="Xu")
    assert caught.value.effect == "none"


@pytest.mark.parametrize("id", ["u1", 7, UID, "0123456789abcdef01234567"])
async def test_every_type_of_id_creates_a_user_and_finds_it_again(id: Any, ethora: EthoraClient, app: App) -> None:
    await ethora.users.create(id, email="a@example.com", first_name="Ann", last_name="Lee")
    plain = str(id)
    assert app.users.with_uuid(plain) is not None
    user = await ethora.users.get(id)
    assert (user.id, user.xmpp_username) == (plain, f"{APP}_{plain}")


@pytest.mark.parametrize("id", [f"{APP}_u1", f"{APP}_{APP}_u1", f"{APP.upper()}_u1", f"{APP}_u1@xmpp.example.com"])
async def test_a_look_up_form_creates_nobody(id: str, ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    await make(ethora, "u1")
    asked = len(sandbox.requests)
    with pytest.raises(InvalidInputError) as caught:
        await ethora.users.create(id, email="a@example.com", first_name="Ann", last_name="Lee")
    assert caught.value.field == "id"
    assert len(sandbox.requests) == asked


@pytest.mark.parametrize("form", ["{id}", "{app}_{id}", "{app}_{app}_{id}", "{app}_{id}@xmpp.example.com", " {id} "])
async def test_a_user_is_looked_up_by_any_form(form: str, ethora: EthoraClient) -> None:
    await make(ethora, "u1")
    await ethora.chats.create("c1", title="Chat", members=["u1"])
    id = form.format(app=APP, id="u1")
    assert (await ethora.users.get(id)).id == "u1"
    assert [chat.id async for chat in ethora.users.chats(id)] == ["c1"]
    assert (await ethora.users.update(id, first_name="Bea")).status == "updated"
    assert (await ethora.users.delete(id)).status == "deleted"


async def test_a_record_id_finds_what_a_plain_id_of_the_same_digits_does_not(ethora: EthoraClient) -> None:
    await make(ethora, "u1")
    await ethora.chats.create("c1", title="Chat", members=["u1"])
    record = (await ethora.users.get("u1")).record_id
    assert isinstance(record, MongoId)
    assert (await ethora.users.get(record)).id == "u1"
    assert [chat.id async for chat in ethora.users.chats(record)] == ["c1"]
    assert (await ethora.users.delete(record)).status == "deleted"


async def test_an_unknown_user_is_not_found(ethora: EthoraClient) -> None:
    with pytest.raises(NotFoundError) as caught:
        await ethora.users.get("nobody")
    assert caught.value.code == "USER_NOT_FOUND"
    with pytest.raises(NotFoundError):
        await ethora.users.update("nobody", first_name="Ann")
    with pytest.raises(NotFoundError):
        await ethora.users.chats("nobody")
    assert (await ethora.users.delete("nobody")).status == "absent"


async def test_the_listing_shows_everyone_once(ethora: EthoraClient) -> None:
    await make(ethora, *(f"u{number}" for number in range(25)))
    listed = [user.id async for user in ethora.users.list(limit=7)]
    assert sorted(id for id in listed if id.startswith("u")) == sorted(f"u{number}" for number in range(25))
    assert len(listed) == len(set(listed)) == 26  # and the platform's own owner account


async def test_a_listing_can_be_resumed_at_a_page(ethora: EthoraClient) -> None:
    await make(ethora, *(f"u{number}" for number in range(9)))
    page = await ethora.users.list(limit=4)
    assert (len(page.items), page.total, page.next_offset) == (4, 10, 4)
    rest = [user.id async for user in ethora.users.list(limit=4, offset=page.next_offset or 0)]
    assert len(rest) == 6


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (501, 0), (1, -1)])
async def test_impossible_pages_are_refused(limit: int, offset: int, ethora: EthoraClient) -> None:
    for pages in (ethora.users.list, ethora.chats.list):
        with pytest.raises(InvalidInputError):
            pages(limit=limit, offset=offset)


async def test_the_listing_of_a_chat_shows_its_members(ethora: EthoraClient) -> None:
    await make(ethora, "u1", "u2", "u3")
    await ethora.chats.create("c1", title="Chat", members=["u1", "u3"])
    for form in ("c1", f"{APP}_c1", f"{APP}_c1@conference.xmpp.example.com"):
        assert [user.id async for user in ethora.users.list(chat=form)] == ["u1", "u3"]


async def test_chats_of_a_user_come_with_members_when_asked(ethora: EthoraClient) -> None:
    await make(ethora, "u1", "u2")
    await ethora.chats.create("c1", title="Chat", members=["u1", "u2"])
    (bare,) = (await ethora.users.chats("u1")).items
    (full,) = (await ethora.users.chats("u1", include_members=True)).items
    assert bare.members is None
    assert [member.id for member in full.members or ()] == ["u1", "u2"]


async def test_update_changes_what_is_named_and_nothing_else(ethora: EthoraClient, app: App) -> None:
    await make(ethora, "u1")
    outcome = await ethora.users.update("u1", first_name=" Bea ", profile_image="https://example.com/b.png")
    assert (outcome.status, outcome.value.first_name) == ("updated", "Bea")
    user = app.users.find("u1")
    assert user is not None
    assert (user.first_name, user.last_name, user.profile_image) == ("Bea", "Lee", "https://example.com/b.png")


async def test_an_empty_text_clears_a_field(ethora: EthoraClient, app: App) -> None:
    await make(ethora, "u1")
    await ethora.users.update("u1", profile_image="https://example.com/b.png")
    assert (await ethora.users.update("u1", profile_image="")).status == "updated"
    assert app.users.find("u1").profile_image == ""  # type: ignore[union-attr]


async def test_a_change_of_nothing_is_refused(ethora: EthoraClient) -> None:
    with pytest.raises(InvalidInputError, match="nothing to change") as caught:
        await ethora.users.update("u1")
    assert caught.value.effect == "none"


async def test_a_change_by_record_id_is_refused_with_the_way_out(ethora: EthoraClient) -> None:
    with pytest.raises(InvalidInputError, match="read the user first"):
        await ethora.users.update(MongoId("0" * 24), first_name="Ann")


async def test_update_many_fails_only_the_rows_at_fault(ethora: EthoraClient) -> None:
    await make(ethora, "u1", "u2", "u3")
    changes = [
        UserChange(id="u1", first_name="Bea"),
        UserChange(id="nobody", first_name="Bea"),
        UserChange(id="u2"),
        UserChange(id="@host", first_name="Bea"),
        UserChange(id=f"{APP}_u3", last_name="B"),  # the platform wants two characters
        UserChange(id="u3", last_name="Bo"),
    ]
    outcomes = [outcome async for outcome in ethora.users.update_many(changes, ordered=True)]
    assert [outcome.item for outcome in outcomes] == changes
    assert [outcome.status for outcome in outcomes] == ["updated", "failed", "failed", "failed", "failed", "updated"]
    kinds = [type(outcome.error) for outcome in outcomes if outcome.error is not None]
    assert kinds == [NotFoundError, InvalidInputError, InvalidInputError, ValidationFailedError]


async def test_create_many_takes_more_than_a_batch_and_async_sources(ethora: EthoraClient, app: App) -> None:
    async def source() -> AsyncIterator[NewUser]:
        for user in people(250):
            yield user

    report = await ethora.users.create_many(source(), batch_size=40, concurrency=3)
    assert report.counts == {"created": 250}
    assert sum(user.uuid.startswith("u") for user in app.users) == 250


async def test_create_many_keeps_the_input_order_when_asked(ethora: EthoraClient) -> None:
    users = people(120)
    users[50] = person("u50", first_name="A")  # too short for the platform
    outcomes = [outcome async for outcome in ethora.users.create_many(users, batch_size=10, ordered=True)]
    assert [outcome.item for outcome in outcomes] == users
    assert [outcome.key for outcome in outcomes if not outcome.ok] == ["u50"]


async def test_a_batch_refused_for_one_user_is_split_around_that_one(
    ethora: EthoraClient, app: App, sandbox: EthoraSandbox
) -> None:
    users = people(100)
    users[37] = person("u37", last_name="L")
    report = await ethora.users.create_many(users)
    assert report.counts == {"created": 99, "failed": 1}
    (failure,) = report.failures
    assert isinstance(failure.error, ValidationFailedError)
    assert (failure.key, app.users.find("u37")) == ("u37", None)
    assert sum(request.method == "POST" for request in sandbox.requests) <= 15


async def test_the_same_id_twice_fails_the_second_even_in_another_spelling_and_batch(ethora: EthoraClient) -> None:
    users = [
        person("u1"),
        person("u2"),
        person("u1", email="x@example.com"),
        person("U2", email="y@example.com"),
        person(f"{APP}_u2", email="z@example.com"),
    ]
    run = ethora.users.create_many(users, batch_size=2, concurrency=1, ordered=True)
    outcomes = [outcome async for outcome in run]
    assert [(outcome.key, outcome.status) for outcome in outcomes] == [
        ("u1", "created"),
        ("u2", "created"),
        ("u1", "failed"),
        ("U2", "failed"),
        (f"{APP}_u2", "failed"),
    ]
    assert all(isinstance(outcome.error, InvalidInputError) for outcome in outcomes[2:])


async def test_an_address_shared_inside_a_batch_makes_one_user_and_one_conflict(ethora: EthoraClient) -> None:
    users = [person("u1"), person("u2", email="u1@example.com"), person("u3")]
    outcomes = [outcome async for outcome in ethora.users.create_many(users, ordered=True)]
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    assert isinstance(outcomes[1].error, ConflictError)


async def test_delete_many_gets_past_unknown_and_unfit_ids(ethora: EthoraClient, app: App) -> None:
    await make(ethora, *(f"u{number}" for number in range(20)))
    ids: list[Any] = [f"u{number}" for number in range(20)]
    ids[3:3] = ["nobody", "", True, "@x", "no\x00body", "\ud800"]
    outcomes = [outcome async for outcome in ethora.users.delete_many(ids, ordered=True)]
    assert [outcome.item for outcome in outcomes] == ids
    assert [outcome.status for outcome in outcomes[3:9]] == ["absent"] + ["failed"] * 5
    assert {outcome.status for outcome in outcomes[:3] + outcomes[9:]} == {"deleted"}
    assert not any(user.uuid.startswith("u") for user in app.users)
    for outcome in outcomes:
        outcome.key.encode()  # printable, whatever came in


async def test_an_empty_input_sends_nothing(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    assert (await ethora.users.create_many([])).total == 0
    assert (await ethora.users.delete_many(iter(()))).total == 0
    assert str(await ethora.users.update_many([])) == "nothing to do"
    assert not sandbox.requests


@pytest.mark.parametrize(("batch_size", "concurrency"), [(0, 1), (101, 1), (1, 0)])
def test_impossible_batches_are_refused_at_once(batch_size: int, concurrency: int) -> None:
    client = EthoraClient(app_id=APP, secret="s" * 20, api_url="http://localhost")
    for method in (client.users.create_many, client.users.update_many, client.users.delete_many):
        with pytest.raises(InvalidInputError):
            method([], batch_size=batch_size, concurrency=concurrency)


async def test_a_slow_job_is_waited_for(ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock) -> None:
    sandbox.faults.job_polls = 12
    await make(ethora, "u1")
    assert len(clock.slept) == 13  # before the first question, and after twelve that found it at work
    assert clock.slept == sorted(clock.slept)


async def test_a_failed_job_leaves_it_open_what_was_done(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail_jobs(times=2, error="Redis went away")
    with pytest.raises(JobFailedError, match="Redis went away") as caught:
        await ethora.users.create("u1", email="u1@example.com", first_name="Ann", last_name="Lee")
    assert caught.value.effect == "unknown"
    report = await ethora.users.create_many(people(3))
    assert report.counts == {"unknown": 3}


async def test_a_job_past_its_deadline_is_unknown(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    sandbox.faults.job_delay = 1_000.0
    report = await ethora.users.create_many(people(3), timeout=60)
    assert report.counts == {"unknown": 3}
    assert all(isinstance(outcome.error, JobTimeoutError) for outcome in report.failures)
    assert "after 60 s" in str(report.failures[0].error)


async def test_a_failing_platform_leaves_items_unknown_and_says_how_often_it_was_asked(
    ethora: EthoraClient, sandbox: EthoraSandbox
) -> None:
    sandbox.faults.fail("POST /v2/users/batch", times=None, status=500)
    report = await ethora.users.create_many(people(3))
    assert report.counts == {"unknown": 3}
    assert all(isinstance(outcome.error, ServerFaultError) and outcome.attempts == 5 for outcome in report.failures)


async def test_a_lost_reply_is_made_good_by_asking_again(
    ethora: EthoraClient, sandbox: EthoraSandbox, app: App
) -> None:
    sandbox.faults.fail("POST /v2/users/batch", cut="after")
    report = await ethora.users.create_many(people(3))
    assert report.ok
    assert sum(user.uuid.startswith("u") for user in app.users) == 3
