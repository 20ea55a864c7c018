"""What a plan holds, what it leaves alone, what stops it, and what becomes of each item."""

# ruff: noqa: ASYNC240  the loop of a test may wait for its own files

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from fake_platform import Crash, FakePlatform, Fault
from fake_source import FakeSource, bad_row
from sync_world import Process, chats_of, members_of, mortal, people, person, survivors, users_of

from ethora_async.errors import (
    ChatError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotSentError,
    ReplyLostError,
    StoppedByGuardError,
    ValidationFailedError,
)
from ethora_async.sync import Progress, apply_plan, load_plan, make_plan, resume, save_plan, verify
from ethora_async.sync.store.journal import Journal
from ethora_async.testing.implementers import Canary, cancel_at_every_step
from ethora_async.testing.users import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from fake_client import FakeClient

    from ethora_async.sync import Plan

PASSWORD = "pw-canary-91cc"


def crowd(count: int) -> FakePlatform:
    platform = FakePlatform(page=50)
    for number in range(count):
        platform.seed_user(f"u{number}")
    return platform


def rows(count: int, start: int = 0) -> FakeSource[Any]:
    return people(*(f"u{number}" for number in range(start, count)))


async def changes(plan: Plan) -> list[tuple[str, str]]:
    return [(entry.action, entry.name) async for entry in plan.changes()]


async def problems(plan: Plan) -> list[tuple[str, str, str | None, int | None]]:
    return [(problem.kind, problem.id, problem.file, problem.line) async for problem in plan.problems()]


class Unchatty:
    """A client of a platform that manages users alone."""

    def __init__(self, client: FakeClient) -> None:
        self.users = client.users

    def __repr__(self) -> str:
        return "Unchatty()"


async def test_extras_are_kept_and_told_of() -> None:
    platform = crowd(3)
    async with await make_plan(platform.client(), users=rows(1)) as plan:
        assert plan.summary.extras == {"user": 2}
        assert [entry.key async for entry in plan.extras()] == ["u1", "u2"]
        assert plan.summary.in_step
        await apply_plan(platform.client(), plan)
    assert not platform.effects


@pytest.mark.parametrize(
    ("gone", "allowed", "stopped"), [(1, None, False), (2, None, True), (2, 2, False), (3, 2, True)]
)
async def test_a_tenth_may_go_and_no_more_unless_allowed(gone: int, allowed: int | None, stopped: bool) -> None:
    platform = crowd(10)
    platform.seed_user("owner-1", own=True)  # the platform's own do not make the tenth larger
    async with await make_plan(platform.client(), users=rows(10, gone), prune=True, allow_delete=allowed) as plan:
        assert (plan.guard is not None) == stopped
        if stopped:
            with pytest.raises(
                StoppedByGuardError, match=rf"would delete {gone} of 10 users, more than 10%: allow {gone}"
            ):
                await apply_plan(platform.client(), plan)
            assert not platform.effects
        else:
            assert (await apply_plan(platform.client(), plan)).counts == {("user", "delete", "deleted"): gone}


async def test_rows_that_cannot_be_used_forbid_to_prune() -> None:
    platform = crowd(20)
    source = users_of([*rows(19).items, bad_row("u19", 21, "people.csv")])
    async with await make_plan(platform.client(), users=source, prune=True, allow_delete=20) as plan:
        assert await problems(plan) == [("user", "u19", "people.csv", 21)]
        with pytest.raises(StoppedByGuardError, match="1 row is invalid, so pruning is unsafe"):
            await apply_plan(platform.client(), plan)
    async with await make_plan(platform.client(), users=source) as plan:
        assert plan.guard is None
        assert not plan.summary.in_step


async def test_an_address_or_a_user_named_twice_is_told_with_both_places() -> None:
    source = users_of([person("u1"), person("u2", email="u1@example.com"), person("u1", email="else@example.com")])
    async with await make_plan(FakePlatform().client(), users=source) as plan:
        found = [(problem.id, problem.line, problem.column, problem.reason) async for problem in plan.problems()]
        assert await changes(plan) == [("create", "u1")]
    assert found == [
        ("u2", 3, "email", "email 'u1@example.com' was already used on line 2 of people.csv"),
        ("u1", 4, "id", "id 'u1' was already used on line 2 of people.csv"),
    ]


async def test_a_form_that_the_platform_uses_is_no_id_in_a_list() -> None:
    platform = FakePlatform()
    platform.seed_user("u1")
    platform.seed_chat("c1")
    sources: dict[str, Any] = {
        "users": users_of([person("app_u1")]),
        "chats": chats_of("app_c1"),
        "members": members_of(("c1", "app_u1"), ("app_c1", "u1")),
    }
    async with await make_plan(platform.client(), **sources) as plan:
        assert await changes(plan) == []
        found = [(problem.kind, problem.id, problem.column) async for problem in plan.problems()]
    assert found == [
        ("user", "app_u1", "id"), ("chat", "app_c1", "id"), ("member", "c1/app_u1", "user"),
        ("member", "app_c1/u1", "chat"),
    ]  # fmt: skip


async def test_memberships_of_the_unknown_are_told_before_anything_is_sent() -> None:
    platform = FakePlatform()
    platform.seed_user("u1")
    platform.seed_user("owner-1", own=True)
    platform.seed_chat("c1")
    platform.seed_chat("lobby", own=True, members=["owner-1", "u1"])
    pairs = [("c1", "u1"), ("c1", "ghost"), ("nowhere", "u1"), ("c1", "u2"), ("c1", "owner-1"), ("lobby", "u1")]
    source = members_of(*pairs)
    for sources in ({}, {"users": people("u1", "u2")}):
        async with await make_plan(platform.client(), members=source, prune=True, **sources) as plan:
            found = await problems(plan)
            known = {("member", "c1/u2", "members.csv", 5)} if not sources else set()
            assert set(found) == known | {
                ("member", "c1/ghost", "members.csv", 3),
                ("member", "nowhere/u1", "members.csv", 4),
                ("member", "c1/owner-1", "members.csv", 6),
                ("member", "lobby/u1", "members.csv", 7),
            }
            assert [change for change in await changes(plan) if change[0] != "create"] == (
                [("grant", "c1/u1")] if not sources else [("grant", "c1/u1"), ("grant", "c1/u2")]
            )


async def test_memberships_of_those_who_are_to_go_are_told_and_go_with_them() -> None:
    platform = crowd(20)
    platform.seed_chat("c1", members=["u19"])
    async with await make_plan(
        platform.client(), users=rows(19), members=members_of(("c1", "u19"), ("c1", "u1")), prune=True
    ) as plan:
        assert await problems(plan) == [("member", "c1/u19", "members.csv", 2)]
        assert plan.guard is None
        assert await changes(plan) == [("delete", "u19"), ("grant", "c1/u1")]


async def test_wanted_ids_of_the_platforms_own_are_refused() -> None:
    platform = FakePlatform()
    platform.seed_user("owner-1", own=True)
    platform.seed_chat("lobby", own=True)
    source = people("owner-1", "u1")
    async with await make_plan(platform.client(), users=source, chats=chats_of("lobby", "c1")) as plan:
        assert await changes(plan) == [("create", "u1"), ("create", "c1")]
        assert {one[1:3] for one in await problems(plan)} == {("owner-1", "people.csv"), ("lobby", "chats.csv")}


async def test_what_cannot_be_changed_is_told_and_stays() -> None:
    platform = FakePlatform()
    platform.seed_user("u1", email="old@example.com", first_name="Old")
    platform.seed_chat("c1", access="public", title="Old")
    client = platform.client()
    sources = {"users": people("u1"), "chats": chats_of("c1")}
    async with await make_plan(client, **sources) as plan:
        stuck = [(entry.kind, entry.key, entry.before, entry.after) async for entry in plan.cannot_change()]
        assert stuck == [
            ("user", "u1", {"email": "old@example.com"}, {"fields": {"email": "u1@example.com"}}),
            ("chat", "c1", {"access": "public"}, {"fields": {"access": "private"}}),
        ]
        assert (await apply_plan(client, plan)).counts == {
            ("user", "update", "updated"): 1, ("chat", "update", "updated"): 1,
        }  # fmt: skip
    assert (platform.users["u1"].email, platform.chats["c1"].access) == ("old@example.com", "public")
    found = await verify(client, **sources)
    assert (found.in_step, found.verdict, found.summary.compared) == (False, "cannot change", {"user": 1, "chat": 1})
    assert [(entry.action, entry.key) for entry in found.examples] == [("cannot change", "u1"), ("cannot change", "c1")]


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (["users"], {"create u2"}),
        (["chats"], {"create c1"}),
        (["access"], {"grant c0/u1"}),
        (["users", "access"], {"create u2", "grant c0/u1", "grant c0/u2"}),
    ],
)
async def test_only_some_parts_are_carried_out(only: list[Any], found: set[str]) -> None:
    platform = FakePlatform()
    platform.seed_user("u1")
    platform.seed_chat("c0")
    sources: dict[str, Any] = {
        "users": people("u1", "u2"),
        "chats": chats_of("c0", "c1"),
        "members": members_of(("c0", "u1"), ("c0", "u2"), ("c1", "u1")),
    }
    client = platform.client()
    async with await make_plan(client, **sources, only=only) as plan:
        assert {" ".join(change) for change in await changes(plan)} == found
        assert not plan.summary.problems
        assert (await apply_plan(client, plan)).ok
    async with await make_plan(client, **sources) as plan:
        assert (await apply_plan(client, plan)).ok
    assert (await verify(client, **sources)).in_step


async def test_only_takes_known_parts() -> None:
    with pytest.raises(InvalidInputError, match="only takes users, chats, access, not 'people'"):
        await make_plan(FakePlatform().client(), users=people("u1"), only=["people"])  # type: ignore[list-item]
    with pytest.raises(InvalidInputError, match="limit must be at least 1"):
        await make_plan(FakePlatform().client(), users=people("u1"), limit=0)
    with pytest.raises(InvalidInputError, match="there is nothing to compare"):
        await make_plan(FakePlatform().client())


async def test_a_few_first_then_the_rest() -> None:
    platform = FakePlatform()
    client = platform.client()
    sources: dict[str, Any] = {
        "users": people("u1", "u2", "u3"),
        "chats": chats_of("c1", "c2"),
        "members": members_of(("c1", "u1"), ("c1", "u2"), ("c2", "u1"), ("c2", "u3")),
    }
    left = []
    for _ in range(9):
        async with await make_plan(client, **sources, limit=1) as plan:
            left.append((plan.summary.total, plan.summary.left))
            assert (await apply_plan(client, plan)).ok
            if plan.summary.in_step:
                break
    assert left == [(3, 6), (3, 3), (2, 1), (1, 0), (0, 0)]
    assert (await verify(client, **sources)).in_step


async def test_the_memberships_of_a_chat_that_goes_are_not_revoked_one_by_one() -> None:
    platform = crowd(2)
    platform.seed_chat("c1", members=["u0", "u1"])
    platform.seed_chat("c2", members=["u0", "u1"])
    platform.seed_user("bot", own=True)
    platform.members["c2"].add("bot")
    client = platform.client()
    async with await make_plan(
        client, chats=chats_of("c2"), members=members_of(("c2", "u0")), prune=True, allow_delete=1
    ) as plan:
        assert await changes(plan) == [("delete", "c1"), ("revoke", "c2/u1")]
        await apply_plan(client, plan)
    assert platform.members == {"c2": {"u0", "bot"}}
    assert not platform.attacks


async def test_a_client_without_chats_says_so() -> None:
    client: Any = Unchatty(crowd(1).client())
    for given in ({"chats": chats_of("c1")}, {"members": members_of(("c1", "u1"))}):
        with pytest.raises(InvalidInputError, match="Unchatty manages no chats: leave chats and members out"):
            await make_plan(client, users=rows(1), **given)
    async with await make_plan(client, users=rows(2)) as plan:
        assert (await apply_plan(client, plan)).counts == {("user", "create", "created"): 1}


async def test_passwords_are_read_from_the_source_and_kept_nowhere(tmp_path: Path) -> None:
    seen: dict[str, str | None] = {}
    platform = FakePlatform()
    create = platform.create_user

    def spy(new: Any, key: str) -> Any:
        seen[key] = new.password and new.password.reveal()
        return create(new, key)

    platform.create_user = spy  # type: ignore[method-assign]
    source = users_of([person("u1", password=PASSWORD), person("u2"), person("u3", password=PASSWORD + "3")])
    client = platform.client()
    with Canary(PASSWORD) as canary:
        async with await make_plan(client, users=source, journal=tmp_path / "j") as plan:
            await save_plan(plan, tmp_path / "plan")
            entries = [entry async for entry in plan.changes()]
            assert [entry.needs_source for entry in entries] == [True, False, True]
            done = await apply_plan(client, plan)
            canary.check(plan, *entries, done, *(file.read_bytes() for file in tmp_path.iterdir()))
    assert seen == {"u1": PASSWORD, "u2": None, "u3": PASSWORD + "3"}
    canary.check(*(file.read_bytes() for file in tmp_path.iterdir()))


@pytest.mark.parametrize("how", ["absent", "changed", "unreadable"])
async def test_without_their_source_those_with_a_password_fail_alone(how: str, tmp_path: Path) -> None:
    class Gone(FakeSource[Any]):
        async def fingerprint(self) -> str:
            raise InvalidInputError("people.csv cannot be read", file="people.csv")

    platform = FakePlatform()
    wanted = [person("u1", password=PASSWORD), person("u2")]
    sources: dict[Any, Any] = {"user": users_of(wanted)}
    pairs = members_of(("c1", "u1"), ("c1", "u2"))
    plan = await make_plan(
        platform.client(), users=sources["user"], chats=chats_of("c1"), members=pairs, journal=tmp_path / "j"
    )
    await plan.aclose()
    given: dict[str, dict[Any, Any]] = {
        "absent": {},
        "changed": {"user": users_of([person("u1", password=PASSWORD, last_name="Ray"), *wanted[1:]])},
        "unreadable": {"user": Gone(wanted)},
    }
    seen: list[Progress] = []
    done = await resume(platform.client(), tmp_path / "j", sources=given[how], on_progress=seen.append)
    assert [(entry.name, entry.status) for entry in done.failures] == [("u1", "failed"), ("c1/u1", "failed")]
    assert "its password is only in the source" in (done.failures[0].reason or "")
    assert done.failures[1].reason == "the user u1 was not created"
    assert [*platform.users] == ["u2"]
    last = [one for one in seen if one.step == "create user"][-1]
    assert (last.done, last.total, last.failed) == (2, 2, 1)
    elsewhere = FakeSource(wanted, "/another/machine/people.csv")
    assert (await resume(platform.client(), tmp_path / "j", sources={"user": elsewhere})).ok
    assert platform.members["c1"] == {"u1", "u2"}


async def test_the_row_that_was_accepted_gives_the_password(tmp_path: Path) -> None:
    platform = FakePlatform()
    other = person("u1", email="other@example.com", first_name="Other", password=PASSWORD)
    source = users_of([person("u1", password=PASSWORD + "1"), other])
    async with await make_plan(platform.client(), users=source) as plan:
        assert (await apply_plan(platform.client(), plan)).counts == {("user", "create", "created"): 1}
    assert platform.users["u1"].first_name == "Ann"


async def test_rows_that_come_in_another_order_still_give_the_password(tmp_path: Path) -> None:
    class Unordered(FakeSource[Any]):
        async def fingerprint(self) -> str:
            return "the same in any order"

    platform = FakePlatform()
    wanted = [person(f"u{number}", password=f"{PASSWORD}-{number}") for number in range(5)]
    plan = await make_plan(platform.client(), users=Unordered(wanted), journal=tmp_path / "j")
    await plan.aclose()
    assert (await resume(platform.client(), tmp_path / "j", sources={"user": Unordered(wanted[::-1])})).ok
    assert len(platform.users) == 5


async def test_grants_of_what_could_not_be_created_fail_with_the_reason_and_are_retried(tmp_path: Path) -> None:
    platform = FakePlatform()
    platform.faults += [
        Fault("users.create", ValidationFailedError, key="u1"),
        Fault("chats.create", ConflictError, key="c2"),
    ]
    client = platform.client()
    sources: dict[str, Any] = {
        "users": people("u1", "u2"),
        "chats": chats_of("c1", "c2"),
        "members": members_of(("c1", "u1"), ("c1", "u2"), ("c2", "u2")),
    }
    async with await make_plan(client, **sources, journal=tmp_path / "j") as plan:
        done = await apply_plan(client, plan)
    reasons = {entry.name: entry.reason for entry in done.failures}
    assert reasons.keys() == {"u1", "c2", "c1/u1", "c2/u2"}
    assert (reasons["c1/u1"], reasons["c2/u2"]) == ("the user u1 was not created", "the chat c2 was not created")
    assert platform.steps["chats.grant"] == 1
    with pytest.raises(ExceptionGroup, match="4 of 7 changes failed"):
        done.raise_for_failures()
    assert (await resume(client, tmp_path / "j")).raise_for_failures().total == 7
    assert (await verify(client, **sources)).in_step


async def test_unknown_outcomes_are_tried_again_and_count_as_ours(tmp_path: Path) -> None:
    platform = FakePlatform()
    platform.faults += [
        Fault("users.create", ReplyLostError, key="u1"),
        Fault("users.create", ReplyLostError, key="u2", took_effect=False),
    ]
    async with await make_plan(platform.client(), users=people("u1", "u2"), journal=tmp_path / "j") as plan:
        done = await apply_plan(platform.client(), plan)
        assert done.counts == {("user", "create", "unknown"): 2}
    done = await resume(platform.client(), tmp_path / "j")
    assert done.counts == {("user", "create", "created"): 2}
    assert set(platform.effects.values()) == {1}


async def test_giving_up_leaves_a_journal_to_go_on_from(tmp_path: Path) -> None:
    platform = FakePlatform()
    platform.faults.append(Fault("users.create", NotSentError, times=None))
    client = platform.client(batch_size=1, concurrency=2)
    with pytest.raises(NotSentError):
        async with await make_plan(client, users=rows(40), journal=tmp_path / "j") as plan:
            await apply_plan(client, plan)
    assert 10 <= platform.steps["users.create"] <= 12
    async with await Journal.open(tmp_path / "j") as journal:
        counts = await journal.counts()
    assert counts["user", "create", "failed"] >= 10
    assert sum(counts.values()) == 40
    platform.survive()
    assert (await resume(client, tmp_path / "j")).counts == {("user", "create", "created"): 40}


async def test_a_journal_that_fails_stops_the_sending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise ChatError("the disk is full")

    platform = FakePlatform()
    client = platform.client(batch_size=1, concurrency=2)
    async with await make_plan(client, users=rows(400), journal=tmp_path / "j") as plan:
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "mark_known", full)
            with pytest.raises(ChatError, match="the disk is full"):
                await apply_plan(client, plan)
        sent = platform.steps["users.create"]
        assert sent < 200
        assert (await apply_plan(client, plan)).counts == {("user", "create", "created"): 400}
    assert set(platform.effects.values()) == {1}


async def test_cancelled_anywhere_the_journal_can_be_resumed(tmp_path: Path) -> None:
    rounds = iter(range(10_000))
    platform, path = FakePlatform(), tmp_path
    sources: dict[Any, Any] = {
        "user": users_of([person("u1"), person("u2", password=PASSWORD)]),
        "chat": chats_of("c1"),
        "member": members_of(("c1", "u1")),
    }
    named = {"users": sources["user"], "chats": sources["chat"], "members": sources["member"]}

    async def scenario() -> None:
        nonlocal platform, path
        platform, path = FakePlatform(), tmp_path / str(next(rounds))
        client = platform.client(concurrency=1)
        async with await make_plan(client, **named, journal=path) as plan:
            await apply_plan(client, plan)

    async def check() -> None:
        if path.exists():
            assert (await resume(platform.client(), path, sources=sources)).ok
            assert [*platform.users] == ["u1", "u2"]
            assert platform.members == {"c1": {"u1"}}
            assert set(platform.effects.values()) == {1}

    assert await cancel_at_every_step(scenario, check=check, steps=3000) > 30


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_plan_that_was_half_made_is_made_anew_with_its_options(after_commit: bool, tmp_path: Path) -> None:
    kinds: dict[Any, Any] = {"user": rows(19), "chat": chats_of("c1"), "member": members_of(("c1", "u1"))}
    named = {"users": kinds["user"], "chats": kinds["chat"], "members": kinds["member"]}
    for at in range(1, 60):
        platform = crowd(20)
        process = Process(
            at, after_commit=after_commit, then=lambda at=at: survivors(tmp_path / "j", tmp_path / str(at))
        )  # type: ignore[misc]
        try:
            with mortal(process):
                plan = await make_plan(platform.client(), **named, prune=True, journal=tmp_path / "j")
        except Crash:
            (tmp_path / "j").unlink()
            left = tmp_path / str(at) / "j"
            assert not platform.effects
            if await state_of(left) == "planning":
                with pytest.raises(
                    InvalidInputError, match="was not finished, and nothing of it was carried out: pass the sources"
                ):
                    await resume(platform.client(), left)
                with pytest.raises(InvalidInputError, match="pass its sources of chats, members again"):
                    await resume(platform.client(), left, sources={"user": kinds["user"]})
            done = await resume(platform.client(), left, sources=kinds)
            assert done.counts == {
                ("user", "delete", "deleted"): 1, ("chat", "create", "created"): 1, ("member", "grant", "created"): 1,
            }  # fmt: skip
            continue
        await plan.aclose()
        break
    assert at > 10


async def state_of(path: Path) -> Any:
    async with await Journal.open(path) as journal:
        return await journal.meta("state")


async def test_a_journal_of_another_platform_is_refused(tmp_path: Path) -> None:
    async with await make_plan(FakePlatform().client(), users=people("u1"), journal=tmp_path / "j"):
        pass
    other: Any = Unchatty(FakePlatform().client())
    with pytest.raises(InvalidInputError, match=r"made for FakeClient.*, and this is Unchatty\(\)"):
        await resume(other, tmp_path / "j")


async def test_progress_only_grows_and_ends_at_its_total() -> None:
    platform = crowd(60)
    platform.faults.append(Fault("users.create", ValidationFailedError, key="u70"))
    seen: list[Progress] = []
    source = users_of([*rows(250, 10).items, person("with", password=PASSWORD)])
    async with await make_plan(
        platform.client(), users=source, prune=True, allow_delete=10, on_progress=seen.append
    ) as plan:
        await apply_plan(platform.client(), plan, on_progress=seen.append)
    steps = list(dict.fromkeys(one.step for one in seen))
    assert steps == ["listing users", "reading users", "comparing", "create user", "delete user"]
    for step in steps:
        told = [one for one in seen if one.step == step]
        assert [one.done for one in told] == sorted(one.done for one in told)
        assert [one.failed for one in told] == sorted(one.failed for one in told)
    last = {one.step: (one.done, one.total, one.failed) for one in seen}
    assert (last["create user"], last["delete user"]) == ((191, 191, 1), (10, 10, 0))


async def test_verify_waits_until_the_listing_has_caught_up_and_no_longer() -> None:
    platform = crowd(12)
    platform.lag = 4
    client = platform.client()
    async with await make_plan(client, users=rows(11), prune=True) as plan:
        await apply_plan(client, plan)
    at_once = await verify(client, users=rows(11), prune=True, clock=FakeClock())
    assert (at_once.in_step, at_once.summary.changes) == (False, {("user", "delete"): 1})
    assert (await verify(client, users=rows(11))).in_step  # extras do not count without prune
    clock = FakeClock()
    found = await verify(client, users=rows(11), prune=True, wait=60, clock=clock)
    assert (found.in_step, found.waited, clock.slept) == (True, 3.0, [1.0, 2.0])


async def test_verify_asks_a_last_time_at_its_deadline() -> None:
    clock = FakeClock()
    found = await verify(crowd(1).client(), users=rows(2), wait=10, clock=clock)
    assert (found.in_step, found.waited, sum(clock.slept)) == (False, 10.0, 10.0)
    assert [(entry.action, entry.key) for entry in found.examples] == [("create", "u1")]


async def test_a_chat_that_is_gone_but_still_listed_has_no_members() -> None:
    platform = crowd(1)
    platform.seed_chat("c1", members=["u0"])
    platform.faults.append(Fault("chats.members", NotFoundError))
    async with await make_plan(platform.client(), members=members_of(("c1", "u0"))) as plan:
        assert await changes(plan) == [("grant", "c1/u0")]
    platform.faults.append(Fault("chats.members", ValidationFailedError))
    with pytest.raises(ValidationFailedError):
        await make_plan(platform.client(), members=members_of(("c1", "u0")))


async def test_the_address_of_one_who_goes_can_be_taken_at_once() -> None:
    platform = crowd(20)
    source = users_of([*rows(19).items, person("new", email="u19@example.com")])
    async with await make_plan(platform.client(), users=source, prune=True, replace=True) as plan:
        assert await changes(plan) == [("create", "new"), ("delete", "u19")]
        assert (await apply_plan(platform.client(), plan)).ok
    assert platform.users["new"].email == "u19@example.com"


async def test_sources_in_a_plan_are_named_with_their_fingerprints(tmp_path: Path) -> None:
    source = people("u1")
    async with await make_plan(FakePlatform().client(), users=source, recipe={"users": "people.csv"}) as plan:
        await save_plan(plan, tmp_path / "plan")
    head = json.loads((tmp_path / "plan").read_text())
    assert head["sources"] == {"user": {"name": "people.csv", "fingerprint": await source.fingerprint()}}
    async with await load_plan(tmp_path / "plan") as plan:
        assert await plan.journal.meta("recipe") == {"users": "people.csv"}
