"""For any intents, carried out in any pieces, the platform ends in the last wanted state."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from managed_platforms import chats_of, people_of, platform_of
from test_outbox_lanes import put

from ethora_async.outbox import Worker
from ethora_async.outbox.lanes import LaneKey
from ethora_async.outbox.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Sequence

PEOPLE, CHATS = ("ann", "bob", "cy"), ("c", "d")

acts = st.one_of(
    st.tuples(st.just("user"), st.sampled_from(PEOPLE), st.just(""), st.integers(0, 1)),
    st.tuples(st.just("gone"), st.sampled_from(PEOPLE), st.just(""), st.just(0)),
    st.tuples(st.just("chat"), st.sampled_from(CHATS), st.just(""), st.just(0)),
    st.tuples(st.just("no chat"), st.sampled_from(CHATS), st.just(""), st.just(0)),
    st.tuples(st.just("join"), st.sampled_from(CHATS), st.sampled_from(PEOPLE), st.just(0)),
    st.tuples(st.just("part"), st.sampled_from(CHATS), st.sampled_from(PEOPLE), st.just(0)),
    st.tuples(st.just("work"), st.just(""), st.just(""), st.just(0)),
    st.tuples(st.just("abandon"), st.just(""), st.just(""), st.just(0)),
)


class Application:
    """An application with tables: it describes only who is there, and lets in only who is there."""

    def __init__(self) -> None:
        self.people: dict[str, str] = {}
        self.rooms: dict[str, set[str]] = {}

    def intents(self, act: str, key: str, other: str, number: int) -> list[tuple[LaneKey, dict[str, Any] | None]]:
        user, chat, member = LaneKey("user", key), LaneKey("chat", key), LaneKey("member", key, other)
        if act == "user":
            email = f"{key}{number}@example.com"
            moved = self.people.get(key, email) != email
            self.people[key] = email
            wanted = {"email": email, "first_name": "Ann", "last_name": "Lee"}
            if not moved:
                return [(user, wanted)]
            seats = [LaneKey("member", room, key) for room, members in self.rooms.items() if key in members]
            return [(user, None), (user, wanted), *((seat, {}) for seat in seats)]
        if act == "gone":
            self.people.pop(key, None)
            for members in self.rooms.values():
                members.discard(key)
            return [(user, None)]
        if act == "chat":
            self.rooms.setdefault(key, set())
            return [(chat, {"title": "Room"})]
        if act == "no chat":
            self.rooms.pop(key, None)
            return [(chat, None)]
        if key not in self.rooms or other not in self.people:
            return []
        (self.rooms[key].add if act == "join" else self.rooms[key].discard)(other)
        return [(member, {} if act == "join" else None)]


async def play(script: Sequence[tuple[str, str, str, int]], batch: int) -> None:
    application = Application()
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "app.db")
        await store.init()
        async with platform_of("ethora") as platform:
            worker = Worker(platform.client, store, batch=batch)
            for act, key, other, number in script:
                if act == "work":
                    await worker.run_once()
                elif act == "abandon":
                    await store.take(batch, 0.001)  # a worker that dies with lanes in hand
                    await asyncio.sleep(0.002)
                elif intents := application.intents(act, key, other, number):
                    await put(store, *intents)
            await worker.run_once()
            assert await store.dead() == []
            assert await people_of(platform) == application.people
            assert await chats_of(platform) == application.rooms
        await store.aclose()


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(acts, max_size=25), batch=st.sampled_from([1, 2, 500]))
def test_the_platform_has_what_was_wanted_last(script: list[tuple[str, str, str, int]], batch: int) -> None:
    asyncio.run(play(script, batch))
