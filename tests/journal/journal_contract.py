"""The contract of every journal, independent of its tables: a subclass creates and reopens one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.errors import InvalidInputError
from ethora_async.sync.store import Actual, Comparison, Entry, Journal, Problem, Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FIELDS = {"user": frozenset({"first_name"}), "chat": frozenset({"title"})}
EVERYTHING: Any = frozenset({"user", "chat", "member"})


def item(key: str, action: str = "create", step: int = 2, **fields: Any) -> Entry:
    return Entry(0, step, fields.pop("kind", "user"), action, key, **fields)


def user(key: str, name: str = "Ann", **fields: Any) -> Wanted:
    record = {"id": key, "email": f"{key}@example.com", "first_name": name}
    state = {"email": record["email"], "first_name": name}
    given = {"state": state, "item": record, "email": record["email"], "file": "u.csv", "line": 2, **fields}
    return Wanted("user", key, **given)


def listed(key: str, name: str = "Ann", **fields: Any) -> Actual:
    return Actual("user", key, state={"email": f"{key}@example.com", "first_name": name}, **fields)


async def all_of(items: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in items]


async def shown(journal: Journal) -> list[tuple[str, str]]:
    return [(one.action, one.name) for one in await journal.entries(limit=99)]


class JournalContract:
    """The tests; each gets an empty `journal`."""

    async def reopen(self, journal: Journal) -> Journal:
        """Close the journal, as the end of its process does, and open it again."""
        raise NotImplementedError

    async def test_settings_are_kept(self, journal: Journal) -> None:
        await journal.set_meta(recipe={"users": ["people.csv"]}, nothing=None)
        await journal.set_meta(state="planned")
        journal = await self.reopen(journal)
        assert await journal.meta("recipe") == {"users": ["people.csv"]}
        assert [await journal.meta(name, "else") for name in ("nothing", "never", "state")] == [None, "else", "planned"]

    async def test_items_come_back_as_they_were(self, journal: Journal) -> None:
        entries = [
            item("u1", after={"id": "u1"}, needs_source=True, file="u.csv", line=3),
            item("c1", "grant", 6, kind="member", other="u1"),
            item("u2", "cannot change", 0, before={"email": "a"}, after={"fields": {"email": "b"}}),
            item("u3", "extra", 0, before={"email": "c"}),
        ]
        await journal.add(entries)
        found = await (await self.reopen(journal)).entries(limit=9)
        assert [(one.step, one.kind, one.action, one.name) for one in found] == [
            (2, "user", "create", "u1"), (6, "member", "grant", "c1/u1"), (0, "user", "cannot change", "u2"),
            (0, "user", "extra", "u3"),
        ]  # fmt: skip
        assert [(one.before, one.after, one.needs_source, one.file, one.line) for one in found] == [
            (one.before, one.after, one.needs_source, one.file, one.line) for one in entries
        ]
        assert [one.number for one in found] == sorted({one.number for one in found})

    async def test_items_are_asked_for_by_name(self, journal: Journal) -> None:
        await journal.add([item("u1"), item("u2"), item("u3", "extra", 0), item("u4", "cannot change", 0)])
        assert [one.key for one in await all_of(journal.changes())] == ["u1", "u2"]
        assert [one.key for one in await all_of(journal.extras())] == ["u3"]
        assert [one.key for one in await all_of(journal.cannot_change())] == ["u4"]
        assert [one.key for one in await journal.examples("user", "create", 1)] == ["u1"]
        assert len(await all_of(journal.everything())) == 4
        assert await journal.counts() == {
            ("user", "create", None): 2, ("user", "extra", None): 1, ("user", "cannot change", None): 1,
        }  # fmt: skip

    async def test_a_long_list_is_read_in_pages(self, journal: Journal) -> None:
        await journal.add([item(f"u{number}") for number in range(1203)])
        assert [one.key for one in await all_of(journal.changes())] == [f"u{number}" for number in range(1203)]
        assert [one.key for one in await journal.sendable(2, after=1200, limit=9)] == ["u1200", "u1201", "u1202"]

    async def test_what_was_sent_and_what_is_known_survive(self, journal: Journal) -> None:
        await journal.add([item("u1"), item("u2"), item("u3"), item("u4")])
        assert not await journal.was_begun()
        await journal.mark_sent(range(1, 4))
        await journal.mark_known([("created", None, 2, 1), ("failed", "no", 1, 2)])
        journal = await self.reopen(journal)
        assert await journal.was_begun()
        assert (await journal.remaining(), await journal.remaining(2), await journal.remaining(3)) == (2, 2, 0)
        assert [one.key for one in await journal.first_failures(9)] == ["u2"]
        assert await journal.take_up() == 3
        assert [one.key for one in await journal.sendable(2, after=0, limit=9)] == ["u2", "u3", "u4"]
        assert [one.key for one in await all_of(journal.to_do())] == ["u2", "u3", "u4"]

    async def test_what_is_known_stays_known(self, journal: Journal) -> None:
        await journal.add([item("u1")])
        await journal.mark_known([("created", None, 1, 1)])
        await journal.mark_known([("failed", "late", 5, 1)])
        assert [(one.status, one.reason) for one in await journal.entries()] == [("created", None)]

    async def test_what_was_sent_and_is_found_done_was_done_by_us(self, journal: Journal) -> None:
        await journal.add([item("u1"), item("u2"), item("u3", "delete", 9), item("u4", "delete", 9)])
        await journal.mark_sent([1, 3])
        await journal.take_up()
        await journal.mark_known([("existed", None, 1, 1), ("existed", None, 1, 2)])
        await journal.mark_known([("absent", None, 1, 3), ("absent", None, 1, 4)])
        assert [one.status for one in await journal.entries()] == ["created", "existed", "deleted", "absent"]

    async def test_what_is_refused_is_never_taken_up(self, journal: Journal) -> None:
        await journal.add([item("u1"), item("u2")])
        await journal.refuse([("failed", "changed", 0, 1)])
        assert await journal.take_up() == 1
        assert [(one.key, one.status) for one in await journal.entries()] == [("u1", "failed"), ("u2", None)]

    async def test_passwords_are_waited_for(self, journal: Journal) -> None:
        await journal.add(
            [item("u1", after={"id": "u1"}, needs_source=True), item("u2"), item("u3", needs_source=True)]
        )
        assert [one.key for one in await journal.sendable(2, after=0, limit=9)] == ["u2"]
        assert await journal.awaiting_source(2, ["u1", "u2", "u9"]) == [("u1", {"id": "u1"}, 1)]
        assert await journal.awaiting_source(2, []) == []
        await journal.mark_sent([1])
        assert await journal.fail_awaiting_source(2, "no source") == 1
        assert [(one.key, one.reason) for one in await journal.first_failures(9)] == [("u3", "no source")]

    async def test_grants_of_what_was_not_created_fail(self, journal: Journal) -> None:
        grants = [item(chat, "grant", 6, kind="member", other=who) for chat, who in (("c1", "u1"), ("c1", "u2"))]
        await journal.add([item("u1"), item("u2"), *grants])
        await journal.mark_known([("failed", "no", 1, 1), ("created", None, 1, 2)])
        await journal.fail_grants_of_the_uncreated(6)
        assert [one.name for one in await journal.sendable(6, after=0, limit=9)] == ["c1/u2"]
        assert [one.reason for one in await journal.first_failures(9)] == ["no", "the user u1 was not created"]

    async def test_differences_become_items(self, journal: Journal) -> None:
        await journal.add_wanted([user("u1"), user("u2", "Bea"), user("u3")])
        await journal.add_actual([listed("u2"), listed("u3"), listed("u4"), listed("owner", own=True)])
        found = await journal.compare(Comparison(EVERYTHING, False, FIELDS))  # type: ignore[arg-type]
        assert (found.left, found.counts) == (0, {"user": 3, "chat": 0, "member": 0})
        assert await shown(journal) == [("create", "u1"), ("update", "u2"), ("extra", "u4")]
        await journal.clear()
        assert await journal.entries() == []

    async def test_prune_deletes_and_is_counted(self, journal: Journal) -> None:
        await journal.add_wanted([user("u1")])
        await journal.add_actual([listed("u1"), listed("u2"), listed("owner", own=True)])
        await journal.compare(Comparison(EVERYTHING, True, FIELDS))  # type: ignore[arg-type]
        assert await shown(journal) == [("delete", "u2")]
        found = {(one.kind, one.action): (one.count, one.listed) for one in await journal.deletions()}
        assert found == {("user", "delete"): (1, 2), ("chat", "delete"): (0, 0), ("member", "revoke"): (0, 0)}

    async def test_rows_that_cannot_be_used_are_kept_in_their_order(self, journal: Journal) -> None:
        bad = [Problem("user", f"b{number}", "u.csv", number, "email", "email is empty") for number in range(3)]
        await journal.add_wanted([user("u1"), user("u1", line=7)], bad)
        journal = await self.reopen(journal)
        assert await journal.problem_counts() == {"user": 4}
        assert [one.id for one in await all_of(journal.problems())] == ["u1", "b0", "b1", "b2"]
        assert (await journal.first_problems(2))[1] == bad[0]

    async def test_refused_rows_are_found_by_line_or_by_id(self, journal: Journal) -> None:
        assert not await journal.collect_refused()
        await journal.add_wanted([], [Problem("user", "b1", "u.csv", 5, "email", "email is empty")])
        await journal.add([item("u1", file="u.csv", line=2)])
        await journal.mark_known([("failed", "no", 1, 1)])
        assert await journal.collect_refused()
        rows: Any = [("b1", "u.csv", 5), ("b1", "u.csv", 6), ("u1", "u.csv", 2), ("u2", "u.csv", 3)]
        assert await journal.refused_rows("user", rows, by_line=True) == ["email is empty", None, "no", None]
        assert await journal.refused_rows("user", rows, by_line=False) == ["email is empty"] * 2 + ["no", None]

    async def test_what_the_platform_lists_can_be_listed_again(self, journal: Journal) -> None:
        await journal.add([item("c1", "grant", 6, kind="member", other="u1"), item("u2", "delete", 9)])
        await journal.add_actual([listed("u2")])
        await journal.forget_actual()
        await journal.add_actual([listed("u2", "Bea"), Actual("chat", "c1", state={}), Actual("chat", "c2", state={})])
        assert await journal.chats_to_list(after="", limit=9) == ["c1"]
        found = await journal.actual_of(await journal.entries())
        assert found == [None, (False, {"email": "u2@example.com", "first_name": "Bea"})]

    async def test_a_closed_one_says_so(self, journal: Journal) -> None:
        await journal.aclose()
        with pytest.raises(InvalidInputError, match="is closed"):
            await journal.counts()
