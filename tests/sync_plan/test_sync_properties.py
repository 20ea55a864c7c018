"""For any data on both sides, any failure and any crash, both sides agree in the end."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from fake_platform import Crash, FakePlatform, Fault
from fake_source import FakeSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sync_world import Process, mortal, survivors

from ethora_async.errors import (
    ChatError,
    ConflictError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    StoppedByGuardError,
    ValidationFailedError,
)
from ethora_async.records import NewChat, NewUser
from ethora_async.sync import apply_plan, load_plan, make_plan, resume, save_plan, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from ethora_async.capabilities import State
    from ethora_async.sync.plan.apply import Applied

PASSWORD = "pw-canary-5e1f"
USERS = [f"u{number}" for number in range(7)]
CHATS = [f"c{number}" for number in range(4)]
NAMES = st.sampled_from(["Ann", "Bea", "Zoë 💬"])
TRANSIENT = [NotSentError, ReplyLostError, RateLimitedError, ServerFaultError, ConflictError, ValidationFailedError]
WRITES: list[Any] = [
    "users.create", "users.update", "users.delete", "chats.create", "chats.update", "chats.delete", "chats.grant",
    "chats.revoke",
]  # fmt: skip
READS: list[Any] = ["users.reserved", "users.list", "chats.reserved", "chats.list", "chats.members"]

Members = set[tuple[str, str]]


@attrs.frozen
class Desired:
    users: dict[str, NewUser]
    chats: dict[str, NewChat] | None
    members: Members | None

    def sources(self) -> dict[Any, FakeSource[Any]]:
        found: dict[Any, FakeSource[Any]] = {"user": FakeSource(self.users.values(), "people.csv")}
        if self.chats is not None:
            found["chat"] = FakeSource(self.chats.values(), "chats.csv")
        if self.members is not None:
            found["member"] = FakeSource(sorted(self.members), "members.csv")
        return found


@attrs.frozen
class Death:
    """Of one process: at its n-th request or its n-th transaction, before or after that is done."""

    at: int
    of_transaction: bool
    after: bool


@st.composite
def wanted_users(draw: st.DrawFn) -> dict[str, NewUser]:
    found = {}
    for id in draw(st.sets(st.sampled_from(USERS))):
        found[id] = NewUser(
            id=id,
            email=f"{id}@example.com",
            first_name=draw(NAMES),
            last_name=draw(NAMES),
            password=draw(st.sampled_from([None, PASSWORD])),
            profile_image=draw(st.sampled_from([None, "https://example.com/a.png"])),
        )
    return found


@st.composite
def desires(draw: st.DrawFn) -> Desired:
    users = draw(wanted_users())
    if draw(st.booleans()):
        return Desired(users, None, None)
    chats = {
        id: NewChat(
            id=id,
            title=draw(st.sampled_from(["One", "Two"])),
            description=draw(st.sampled_from([None, "", "About"])),
            access=draw(st.sampled_from(["private", "public"])),
        )
        for id in draw(st.sets(st.sampled_from(CHATS)))
    }
    pairs = [(chat, user) for chat in chats for user in users]
    members = draw(st.none() | st.sets(st.sampled_from(pairs))) if pairs else None
    return Desired(users, chats, members)


@st.composite
def platforms(draw: st.DrawFn) -> FakePlatform:
    platform = FakePlatform(page=draw(st.sampled_from([1, 3, 100])))
    platform.seed_user("owner-1", own=True)
    platform.seed_user("bot", own=True)
    platform.seed_chat("lobby", own=True, members=["owner-1"])
    for id in sorted(draw(st.sets(st.sampled_from(USERS)))):
        platform.seed_user(
            id,
            first_name=draw(NAMES),
            email=draw(st.sampled_from([f"{id}@example.com", f"{id}@old.example.com"])),
            profile_image=draw(st.sampled_from([None, "https://example.com/b.png"])),
        )
    there = [id for id in platform.users if id not in platform.own_users]
    for id in sorted(draw(st.sets(st.sampled_from(CHATS)))):
        inside = draw(st.sets(st.sampled_from(there))) if there else ()
        platform.seed_chat(
            id,
            title=draw(st.sampled_from(["One", "Two"])),
            description=draw(st.sampled_from(["", "Old"])),
            access=draw(st.sampled_from(["private", "public"])),
            members=inside,
        )
    return platform


FAULTS = st.lists(
    st.builds(
        Fault,
        st.sampled_from([*WRITES, *WRITES, *READS]),
        st.sampled_from(TRANSIENT),
        key=st.none() | st.sampled_from(USERS),
        times=st.integers(1, 12),
    ),
    max_size=4,
)
DEATHS = st.lists(st.builds(Death, st.integers(1, 40), st.booleans(), st.booleans()), max_size=5)


def expected(
    platform: FakePlatform, desired: Desired, *, prune: bool
) -> tuple[dict[str, State], dict[str, State], Members]:
    """What there should be in the end, worked out by hand."""
    users, chats, members = platform.state()
    after: dict[str, State] = {id: dict(state) for id, state in users.items() if id in desired.users or not prune}
    for id, user in desired.users.items():
        new = {"first_name": user.first_name, "last_name": user.last_name}
        there: Mapping[str, str | None] = users.get(id, {"email": user.email, "profile_image": None})
        after[id] = {**there, **new, **({"profile_image": user.profile_image} if user.profile_image else {})}
    if desired.chats is None:
        return after, chats, {pair for pair in members if pair[1] in after}
    rooms: dict[str, State] = {id: dict(state) for id, state in chats.items() if id in desired.chats or not prune}
    for id, chat in desired.chats.items():
        here: Mapping[str, str | None] = chats.get(id, {"description": "", "access": chat.access})
        described = {"description": chat.description} if chat.description is not None else {}
        rooms[id] = {**here, "title": chat.title, **described}
    inside = set(members)
    if desired.members is not None:
        if prune:
            inside = {pair for pair in inside if pair[0] not in desired.chats}
        inside |= desired.members
    return after, rooms, {(chat, user) for chat, user in inside if chat in rooms and user in after}


class Story:
    """Processes try to synchronise both sides one after another, and die."""

    def __init__(
        self, directory: Path, platform: FakePlatform, sources: Mapping[Any, FakeSource[Any]], **options: Any
    ) -> None:
        self.directory, self.platform, self.sources, self.options = directory, platform, sources, options
        self.path = self.directory / "people.journal"
        self.deaths = 0

    async def live(self, death: Death | None) -> Applied | None:
        """One process; None when it did not come to its end."""
        process = None
        if death is not None and death.of_transaction:
            process = Process(death.at, after_commit=death.after, then=self._survive)
        elif death is not None:
            self.platform.crash(death.at, after_effect=death.after, then=self._survive)
        before = self.path
        try:
            with mortal(process):
                return await self._work()
        except StoppedByGuardError:
            raise
        except (Crash, ChatError):
            return None
        finally:
            self.platform._crash = None
            if before != self.path:  # what the dead one's `finally` did to its files, a real one's would not have
                for file in before.parent.glob("people.journal*"):
                    file.unlink()

    async def _work(self) -> Applied:
        client = self.platform.client(batch_size=2, concurrency=3)
        if self.path.exists():
            return await resume(client, self.path, sources=self.sources)
        names = {"user": "users", "chat": "chats", "member": "members"}
        given = {names[kind]: source for kind, source in self.sources.items()}
        async with await make_plan(client, **given, journal=self.path, **self.options) as plan:
            return await apply_plan(client, plan)

    def _survive(self) -> None:
        self.deaths += 1
        self.path = survivors(self.path, self.directory / str(self.deaths))

    async def until_done(self, deaths: list[Death]) -> Applied:
        for death in deaths:
            await self.live(death)
        self.platform.survive()
        done = None
        for _ in range(3):
            done = await self.live(None)
            if done is not None and done.ok:
                return done
        raise AssertionError(done and done.failures)

    def no_password_was_kept(self) -> None:
        for file in self.directory.rglob("people*"):
            assert PASSWORD.encode() not in file.read_bytes()


def in_a_directory(scenario: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(scenario(Path(directory)))


THOROUGH = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@settings(THOROUGH, max_examples=20)
@given(platform=platforms(), desired=desires(), faults=FAULTS, deaths=DEATHS, prune=st.booleans())
def test_both_sides_agree_in_the_end(
    platform: FakePlatform, desired: Desired, faults: list[Fault], deaths: list[Death], prune: bool
) -> None:
    async def scenario(directory: Path) -> None:
        aim, own = expected(platform, desired, prune=prune), platform.own_state()
        platform.faults.extend(faults)
        story = Story(directory, platform, desired.sources(), prune=prune, allow_delete=100)
        done = await story.until_done(deaths)
        assert platform.state() == aim
        assert platform.own_state() == own
        assert not platform.attacks
        check_effects(platform, done)
        story.no_password_was_kept()
        await check_second_plan(platform, desired, prune=prune)

    in_a_directory(scenario)


def check_effects(platform: FakePlatform, done: Applied) -> None:
    """Nothing happened twice, and the journal knows what did."""
    for (action, kind, key), times in platform.effects.items():
        assert times == 1 or action == "update", (action, kind, key)
    for action, status in (("create", "created"), ("delete", "deleted"), ("grant", "created"), ("revoke", "deleted")):
        for kind in ("user", "chat", "member"):
            happened = sum(effect[:2] == (action, kind) for effect in platform.effects)
            assert done.counts.get((kind, action, status), 0) == happened, (kind, action)


async def check_second_plan(platform: FakePlatform, desired: Desired, *, prune: bool) -> None:
    names = {"user": "users", "chat": "chats", "member": "members"}
    given: dict[str, Any] = {names[kind]: source for kind, source in desired.sources().items()}
    async with await make_plan(platform.client(), **given, prune=prune) as plan:
        assert (plan.summary.total, plan.summary.problems) == (0, {})
        for kind, fields in (("user", {"email"}), ("chat", {"access"})):
            stuck = [entry async for entry in plan.cannot_change() if entry.kind == kind]
            assert all(set((entry.after or {})["fields"]) == fields for entry in stuck)
    if all(source.items for source in given.values()):  # an empty list would agree with anything
        stuck_at_all = bool(plan.summary.cannot_change)
        verdict = (await verify(platform.client(), **given, prune=prune)).verdict
        assert verdict == ("cannot change" if stuck_at_all else "in step")


@THOROUGH
@given(platform=platforms(), desired=desires(), limit=st.none() | st.integers(1, 3), allow=st.integers(0, 3))
def test_prune_never_exceeds_its_guard(platform: FakePlatform, desired: Desired, limit: int | None, allow: int) -> None:
    async def scenario(directory: Path) -> None:
        users, chats, members = platform.state()
        story = Story(directory, platform, desired.sources(), prune=True, allow_delete=allow, limit=limit)
        try:
            await story.live(None)
        except StoppedByGuardError:
            assert not platform.effects
            return
        for _there, kind, action in (
            (users, "user", "delete"),
            (chats, "chat", "delete"),
            (members, "member", "revoke"),
        ):
            gone = sum(effect[:2] == (action, kind) for effect in platform.effects)
            assert gone <= allow
        assert not platform.attacks

    in_a_directory(scenario)


def meanwhile(platform: FakePlatform, desired: Desired) -> list[Callable[[], object]]:
    return [
        lambda: platform.users.pop("u0", None) and [inside.discard("u0") for inside in platform.members.values()],  # type: ignore[func-returns-value]
        lambda: "u1" in platform.users and platform.seed_user("u1", first_name="Changed"),
        lambda: "u2" in platform.users or platform.seed_user("u2", first_name="Changed"),
        lambda: platform.chats.pop("c0", None) and platform.members.pop("c0"),
        lambda: "c1" in platform.chats or platform.seed_chat("c1", title="Changed"),
    ]


@THOROUGH
@given(platform=platforms(), desired=desires(), which=st.sets(st.integers(0, 4)), prune=st.booleans())
def test_a_saved_plan_never_touches_what_has_changed(
    platform: FakePlatform, desired: Desired, which: set[int], prune: bool
) -> None:
    async def scenario(directory: Path) -> None:
        client = platform.client()
        given: dict[str, Any] = {
            {"user": "users", "chat": "chats", "member": "members"}[kind]: one
            for kind, one in desired.sources().items()
        }
        path = directory / "plan.json"
        async with await make_plan(client, **given, prune=prune, allow_delete=100) as plan:
            await save_plan(plan, path)
        assert PASSWORD.encode() not in path.read_bytes()
        for number in which:
            meanwhile(platform, desired)[number]()
        meant = [id for id, user in platform.users.items() if user.first_name == "Changed"]
        titled = [id for id, chat in platform.chats.items() if chat.title == "Changed"]
        async with await load_plan(path, sources=desired.sources()) as plan:
            done = await apply_plan(platform.client(), plan)
            again = await apply_plan(platform.client(), plan)
        assert all(platform.users[id].first_name == "Changed" for id in meant)
        assert all(platform.chats[id].title == "Changed" for id in titled)
        assert not platform.attacks
        changed = [one for one in done.failures if "changed since" in (one.reason or "")]
        assert [one for one in again.failures if "changed since" in (one.reason or "")] == changed

    in_a_directory(scenario)


@pytest.mark.slow
@settings(THOROUGH, max_examples=3000)
@given(platform=platforms(), desired=desires(), faults=FAULTS, deaths=DEATHS, prune=st.booleans())
def test_both_sides_agree_in_the_end_at_length(
    platform: FakePlatform, desired: Desired, faults: list[Fault], deaths: list[Death], prune: bool
) -> None:
    inner_test: Any = test_both_sides_agree_in_the_end.hypothesis.inner_test  # type: ignore[attr-defined]
    inner_test(platform, desired, faults, deaths, prune)
