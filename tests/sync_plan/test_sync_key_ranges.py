"""Plans in parts: together they are the whole plan, and each can be saved, carried out and guarded by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from fake_platform import USER_FIELDS, FakePlatform
from fake_source import FakeSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from two_sided_worlds import ROOM, Person, World, worlds

from ethora_async.errors import InvalidInputError
from ethora_async.records import NewChat, NewUser
from ethora_async.sync import apply_plan, load_plan, make_plan, save_plan, verify
from ethora_async.sync.store import sides
from ethora_async.sync.store.key_ranges import KeyRange, hash_of

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.sync import Plan

FIELDS = [USER_FIELDS, USER_FIELDS | {"id", "email"}]
CHATS = [ROOM, "Hall", "attic"]


def platform_of(world: World, fields: frozenset[str], *, folds: bool) -> FakePlatform:
    platform = FakePlatform(page=50, folds=folds, user_fields=fields)
    for one in world.there:
        platform.seed_user(one.id, email=one.email, first_name=one.name)
    platform.seed_chat(ROOM, members=sorted(world.inside))
    platform.seed_chat("cellar", members=sorted(world.inside)[:1])
    return platform


def sources_of(world: World, chats: list[str]) -> dict[str, Any]:
    pairs = [*world.pairs(), *((chat, user) for chat in chats for _, user in world.pairs()[:2])]
    return {
        "users": FakeSource(world.users(), "people.csv"),
        "chats": FakeSource([NewChat(id=ROOM, title="Chat"), *(NewChat(id=one, title="New") for one in chats)], "c"),
        "members": FakeSource(list(dict.fromkeys(pairs)), "members.csv"),
    }


async def content(plan: Plan) -> Counter[Any]:
    entries = [entry async for entry in plan.journal.everything()]
    problems = [problem async for problem in plan.problems()]
    told = [
        (one.step, one.kind, one.action, one.key, one.other, str(one.before), str(one.after), one.line, one.reason)
        for one in entries
    ]
    return Counter(told) + Counter((one.kind, one.id, one.line, one.column, one.reason) for one in problems)


WORLDS = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
UNION: dict[str, Any] = {
    "world": worlds(),
    "fields": st.sampled_from(FIELDS),
    "folds": st.booleans(),
    "prune": st.booleans(),
    "replace": st.booleans(),
    "parts": st.integers(1, 5),
    "many": st.booleans(),
    "chats": st.lists(st.sampled_from(CHATS[1:]), unique=True),
}


@WORLDS
@given(**UNION)
def test_the_parts_together_are_the_whole_plan(**world: Any) -> None:
    check_union(**world)


def test_an_address_that_only_the_second_pass_finds_is_followed_too() -> None:
    # In the first of two parts is cyd alone; Bea has cyd's address, bea folds into Bea, and ann has bea's address.
    there = (Person("ann", "c@example.com", "Ann"), Person("cyd", "d@example.com", "Ann"))
    wanted = (Person("bea", "c@example.com", "Ann"), Person("Bea", "d@example.com", "Ann"))
    world = World(there=there, wanted=wanted, inside=frozenset(), admitted=frozenset())
    check_union(world=world, fields=FIELDS[0], folds=True, prune=False, replace=False, parts=2, chats=[], many=False)


@pytest.mark.slow
@settings(WORLDS, max_examples=600)
@given(**UNION)
def test_the_parts_together_are_the_whole_plan_at_length(**world: Any) -> None:
    check_union(**world)


def check_union(
    *, world: World, fields: frozenset[str], folds: bool, prune: bool, replace: bool, parts: int, chats: list[str],
    many: bool,
) -> None:  # fmt: skip
    async def scenario() -> None:
        platform = platform_of(world, fields, folds=folds)
        options: dict[str, Any] = {**sources_of(world, chats), "prune": prune}
        if prune:
            options |= {"allow_delete": 100, "replace": replace}
        async with await make_plan(platform.client(), **options) as plan:
            whole, compared, left = await content(plan), Counter(plan.summary.compared), plan.summary.left
        united: Counter[Any] = Counter()
        for part in range(1, parts + 1):
            async with await make_plan(platform.client(), **options, part=(part, parts)) as plan:
                united += await content(plan)
                compared.subtract(plan.summary.compared)
                left -= plan.summary.left
        assert united == whole
        assert not any(compared.values())
        assert left == 0

    with mock.patch.object(sides, "_MANY", -1 if many else 20_000):
        asyncio.run(scenario())


@settings(WORLDS, max_examples=15)
@given(world=worlds(), fields=st.sampled_from(FIELDS), prune=st.booleans(), parts=st.integers(2, 3))
def test_parts_that_are_saved_and_carried_out_one_after_another_agree_in_the_end(
    world: World, fields: frozenset[str], prune: bool, parts: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("plans") / "plan.json"

    async def scenario() -> None:
        platform = platform_of(world, fields, folds=False)
        options: dict[str, Any] = {**sources_of(world, []), "prune": prune}
        for part in range(1, parts + 1):
            allowed = {"allow_delete": 100} if prune else {}
            async with await make_plan(platform.client(), **options, **allowed, part=(part, parts)) as plan:
                await save_plan(plan, path)
            async with await load_plan(path) as loaded:
                done = await apply_plan(platform.client(), loaded)
            assert done.ok, done.failures
        async with await make_plan(platform.client(), **options) as plan:
            assert not plan.summary.total, [one async for one in plan.changes()]

    asyncio.run(scenario())


async def test_the_guard_judges_each_part_by_itself() -> None:
    platform = FakePlatform()
    for number in range(40):
        platform.seed_user(f"u{number}", email=f"u{number}@example.com", first_name="Ann")
    second = [f"u{number}" for number in range(40) if KeyRange(2, 2).holds(f"u{number}")]
    kept = [
        NewUser(id=f"u{number}", email=f"u{number}@example.com", first_name="Ann", last_name="Lee")
        for number in range(40)
        if f"u{number}" not in second[:5]
    ]
    guards = []
    for part in (1, 2):
        options = {"users": FakeSource(kept, "users.csv"), "prune": True, "part": (part, 2)}
        async with await make_plan(platform.client(), **options) as plan:
            guards.append(plan.guard)
    assert guards[0] is None
    assert f"delete 5 of {len(second)} users" in str(guards[1])


async def test_a_part_holds_about_its_share(tmp_path: Path) -> None:
    people = [
        NewUser(id=f"u{number}", email=f"u{number}@example.com", first_name="Ann", last_name="Lee")
        for number in range(800)
    ]
    for part in range(1, 5):
        async with await make_plan(
            FakePlatform().client(), users=FakeSource(people, "users.csv"), part=(part, 4)
        ) as plan:
            assert 140 < plan.summary.total < 260
            assert plan.summary.compared == {"user": plan.summary.total}


async def test_verify_compares_one_part() -> None:
    platform = FakePlatform()
    names = [f"u{number}" for number in range(20)]
    for name in names:
        if KeyRange(1, 2).holds(name):
            platform.seed_user(name, email=f"{name}@example.com", first_name="Ann", last_name="Lee")
    people = [NewUser(id=name, email=f"{name}@example.com", first_name="Ann", last_name="Lee") for name in names]
    answers = [
        (await verify(platform.client(), users=FakeSource(people, "users.csv"), part=(part, 2))).in_step
        for part in (1, 2)
    ]
    assert answers == [True, False]


@given(parts=st.integers(1, 10_000), keys=st.lists(st.text(max_size=5), max_size=5))
def test_each_key_is_in_one_part(parts: int, keys: list[str]) -> None:
    for key in keys:
        part = (int(hash_of(key), 16) * parts >> 64) + 1
        assert KeyRange(part, parts).holds(key)
        assert KeyRange(part, parts).first <= int(hash_of(key), 16)
        assert KeyRange(part, parts).holds_hash(f"{KeyRange(part, parts).first:016x}")


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "-1/4", "1/10001", "a/b", "1/2/3", "１/２"])
def test_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="16"):
        KeyRange.parse(text)


async def test_limit_and_part_cannot_be_combined() -> None:
    with pytest.raises(InvalidInputError, match="part"):
        await make_plan(FakePlatform().client(), users=FakeSource([], "users.csv"), part=(1, 2), limit=1)
