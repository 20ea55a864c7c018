"""Renames, exchanges, chains, other spellings and prunes, on platforms that can and cannot change ids and addresses."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from fake_platform import USER_FIELDS, FakePlatform
from fake_source import FakeSource
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from two_sided_worlds import ROOM, Person, World, spelled_like, worlds

from ethora_async.records import NewChat
from ethora_async.sync import Plan, apply_plan, load_plan, make_plan, save_plan

if TYPE_CHECKING:
    from pathlib import Path


FIELDS = [USER_FIELDS, USER_FIELDS | {"id", "email"}]


def platform_of(world: World, fields: frozenset[str], *, folds: bool) -> FakePlatform:
    platform = FakePlatform(page=50, folds=folds, user_fields=fields)
    for one in world.there:
        platform.seed_user(one.id, email=one.email, first_name=one.name)
    platform.seed_chat(ROOM, members=sorted(world.inside))
    return platform


def sources_of(world: World) -> dict[str, Any]:
    return {
        "users": FakeSource(world.users(), "people.csv"),
        "chats": FakeSource([NewChat(id=ROOM, title="Chat")], "chats.csv"),
        "members": FakeSource(world.pairs(), "members.csv"),
    }


class Watch:
    """Remembers who was ever missing from the room, by the marks that the people there have from the start."""

    def __init__(self, platform: FakePlatform, world: World) -> None:
        self.lost: set[str] = set()
        self.now = {one.id: one.id for one in world.there}
        self._inside = world.inside
        self._platform = platform
        platform.then = self.look

    def look(self, renamed: tuple[str, str] | None = None) -> None:
        if renamed is not None:
            self.now = {mark: renamed[1] if now == renamed[0] else now for mark, now in self.now.items()}
        self.lost |= {mark for mark in self._inside if self.now[mark] not in self._platform.members[ROOM]}


async def told(plan: Plan) -> set[tuple[Any, ...]]:
    problems = {(one.kind, one.id.lower(), one.column) for one in [one async for one in plan.problems()]}
    stuck = [one async for one in plan.cannot_change()]
    return problems | {(one.key, tuple(sorted((one.after or {})["fields"].items()))) for one in stuck}


@pytest.mark.parametrize("examples", [20, pytest.param(2_000, marks=pytest.mark.slow)])
def test_the_second_plan_holds_only_what_was_told(examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        world=worlds(),
        fields=st.sampled_from(FIELDS),
        folds=st.booleans(),
        prune=st.booleans(),
        limit=st.none() | st.integers(1, 2),
    )
    def check(world: World, fields: frozenset[str], folds: bool, prune: bool, limit: int | None) -> None:
        asyncio.run(converge(world, fields, folds=folds, prune=prune, limit=limit))

    check()


async def converge(world: World, fields: frozenset[str], *, folds: bool, prune: bool, limit: int | None = None) -> None:
    platform = platform_of(world, fields, folds=folds)
    watch = Watch(platform, world)
    options: dict[str, Any] = {**sources_of(world), "prune": prune, "allow_delete": 100}
    reported: set[tuple[Any, ...]] = set()
    for _ in range(20):
        async with await make_plan(platform.client(), **options, limit=limit) as plan:
            reported = await told(plan)
            done = await apply_plan(platform.client(), plan)
        assert done.ok, done.failures
        if not plan.summary.total:
            break
    async with await make_plan(platform.client(), **options) as plan:
        assert not plan.summary.total, [one async for one in plan.changes()]
        assert await told(plan) == reported
    kept = set(world.matches(folds=folds).values())
    deleted = {name for action, kind, name in platform.effects if (action, kind) == ("delete", "user")}
    assert not kept & deleted
    if folds:
        assert not [id for id in deleted if spelled_like(id, [one.id for one in world.wanted])]
    admitted = {there for id, there in world.matches(folds=folds).items() if id in world.admitted}
    assert not admitted & watch.lost
    check_room(platform, world, watch, folds=folds)


def check_room(platform: FakePlatform, world: World, watch: Watch, *, folds: bool) -> None:
    """Check that every member was admitted under their own id or address."""
    marks = {now: mark for mark, now in watch.now.items()}
    by_address = {one.email: one.id for one in world.wanted}
    matched = world.matches(folds=folds)
    before = {other: id for id, other in matched.items()}
    for id in platform.members[ROOM]:
        if marks.get(id) in world.inside:
            continue
        address = by_address.get(platform.users[id].email or "")
        wanted = id if id in {one.id for one in world.wanted} else before.get(id, address)
        assert wanted in world.admitted, (id, wanted)


TWICE = World(
    there=(Person("Ann", "c@example.com", "Ann"), Person("Bea", "b@example.com", "Bea")),
    wanted=(
        Person("bea", "c@example.com", "Bea"),
        Person("Bea", "b@example.com", "Bea"),
        Person("Ann", "e@example.com", "Ann"),
    ),
    inside=frozenset({"Ann"}),
    admitted=frozenset(),
)
"""Ann has the address of a refused row, which may mean her: only the plan after her new address takes her out."""


@pytest.mark.parametrize("examples", [12, pytest.param(500, marks=pytest.mark.slow)])
def test_a_saved_plan_does_the_same(examples: int, tmp_path: Path) -> None:
    numbers = itertools.count()

    async def scenario(world: World, fields: frozenset[str], folds: bool, prune: bool) -> None:
        platform = platform_of(world, fields, folds=folds)
        sources = sources_of(world)
        for _ in range(20):
            path = tmp_path / f"{next(numbers)}.json"
            async with await make_plan(platform.client(), **sources, prune=prune, allow_delete=100) as plan:
                if not plan.summary.total:
                    break
                await save_plan(plan, path)
            async with await load_plan(path) as loaded:
                done = await apply_plan(platform.client(), loaded)
            assert done.ok, done.failures
        async with await make_plan(platform.client(), **sources, prune=prune) as plan:
            assert not plan.summary.total

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(world=worlds(), fields=st.sampled_from(FIELDS), folds=st.booleans(), prune=st.booleans())
    @example(world=TWICE, fields=FIELDS[1], folds=True, prune=True)
    def check(world: World, fields: frozenset[str], folds: bool, prune: bool) -> None:
        asyncio.run(scenario(world, fields, folds, prune))

    check()
