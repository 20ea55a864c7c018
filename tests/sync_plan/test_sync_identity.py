"""Who is the same person, and who lets an e-mail address go first: the cases one by one."""

# ruff: noqa: ASYNC240  the loop of a test may wait for its own files

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest
from fake_platform import USER_FIELDS, FakePlatform
from fake_source import bad_row
from sync_world import chats_of, members_of, person, users_of

from ethora_async.sync import apply_plan, make_plan, save_plan

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.sync import Plan

EVERYTHING = USER_FIELDS | {"id", "email"}


def able(**options: Any) -> FakePlatform:
    """A platform that can change ids and addresses, and folds case."""
    return FakePlatform(page=50, folds=True, user_fields=EVERYTHING, **options)


def user(id: str, address: str, **fields: Any) -> Any:
    return person(id, email=f"{address}@example.com", **fields)


async def changes(plan: Plan) -> list[tuple[str, str]]:
    return [(entry.action, entry.name) async for entry in plan.changes()]


async def reasons(plan: Plan) -> list[tuple[str, str]]:
    return [(problem.id, problem.reason) async for problem in plan.problems()]


def addresses(platform: FakePlatform) -> dict[str, str]:
    return {id: (one.email or "").partition("@")[0] for id, one in platform.users.items()}


async def test_two_ids_that_fold_into_one_are_one_conflict_and_nobody_is_let_in() -> None:
    platform = able()
    sources = {
        "users": users_of([user("Alice", "a1"), user("alice", "a2")]),
        "chats": chats_of("board"),
        "members": members_of(("board", "alice")),
    }
    async with await make_plan(platform.client(), **sources, prune=True) as plan:  # type: ignore[arg-type]
        told = await reasons(plan)
        assert (await apply_plan(platform.client(), plan)).ok
    assert told == [
        ("alice", "ids 'alice' and 'Alice' (on line 2 of people.csv) name the same user on this platform"),
        ("board/alice", "the user alice cannot be used"),
    ]
    assert platform.members["board"] == set()


async def test_the_spelling_that_the_platform_has_wins() -> None:
    platform = able()
    platform.seed_user("alice", email="a2@example.com")
    async with await make_plan(
        platform.client(), users=users_of([user("Alice", "a1"), user("alice", "a2")]), prune=True
    ) as plan:
        assert [id for id, _ in await reasons(plan)] == ["Alice"]
        assert await changes(plan) == []


@pytest.mark.parametrize("prune", [False, True])
async def test_the_same_person_under_another_spelling_is_renamed_and_keeps_access(prune: bool) -> None:
    platform = able()
    platform.seed_user("Bob", email="bob@example.com")
    platform.seed_chat("board", members=["Bob"])
    sources = {"users": users_of([user("bob", "bob")]), "chats": chats_of("board"),
               "members": members_of(("board", "bob"))}  # fmt: skip
    async with await make_plan(platform.client(), **sources, prune=prune) as plan:  # type: ignore[arg-type]
        assert await changes(plan) == [("update", "Bob")]
        assert (await apply_plan(platform.client(), plan)).ok
    assert (list(platform.users), platform.members) == (["bob"], {"board": {"bob"}})


async def test_somebody_else_under_another_spelling_is_a_conflict_and_is_left_alone() -> None:
    platform = able()
    platform.seed_user("Bob", email="other@example.com")
    platform.seed_chat("board", members=["Bob"])
    sources = {"users": users_of([user("bob", "bob")]), "chats": chats_of("board"),
               "members": members_of(("board", "bob"))}  # fmt: skip
    async with await make_plan(platform.client(), **sources, prune=True) as plan:  # type: ignore[arg-type]
        told = dict(await reasons(plan))
        assert await changes(plan) == []
    assert "names the same user as 'Bob' on the platform, who has another e-mail address" in told["bob"]
    assert told["board/bob"] == "the user bob cannot be used"


async def test_a_membership_alone_is_not_taken_for_somebody_spelled_otherwise() -> None:
    platform = able()
    platform.seed_user("Bob")
    platform.seed_chat("board", members=["Bob"])
    async with await make_plan(platform.client(), members=members_of(("board", "bob")), prune=True) as plan:
        ((id, reason),) = await reasons(plan)
        assert await changes(plan) == []
    assert (id, "is spelled 'Bob' elsewhere" in reason) == ("board/bob", True)


async def test_a_chat_that_folds_is_a_conflict() -> None:
    platform = able()
    platform.seed_chat("Team", title="Chat")
    async with await make_plan(platform.client(), chats=chats_of("team"), prune=True, allow_delete=9) as plan:
        ((id, reason),) = await reasons(plan)
        assert (await changes(plan), id) == ([], "team")
    assert "names the same chat as 'Team' on the platform" in reason


async def test_a_new_id_with_the_same_address_is_renamed_where_the_platform_can() -> None:
    platform = able()
    platform.seed_user("old", email="s@example.com")
    platform.seed_user("guest", email="g@example.com")
    platform.seed_chat("board", members=["old", "guest"])
    sources = {"users": users_of([user("new", "s"), user("guest", "g")]), "chats": chats_of("board"),
               "members": members_of(("board", "new"))}  # fmt: skip
    async with await make_plan(platform.client(), **sources, prune=True, allow_delete=9) as plan:  # type: ignore[arg-type]
        assert await changes(plan) == [("update", "old"), ("revoke", "board/guest")]
        assert (await apply_plan(platform.client(), plan)).ok
    assert (sorted(platform.users), platform.members["board"]) == (["guest", "new"], {"new"})


async def test_the_former_id_of_a_renamed_user_is_told_and_they_stay_inside() -> None:
    platform = able()
    platform.seed_user("old", email="s@example.com")
    platform.seed_chat("board", members=["old"])
    sources = {"users": users_of([user("new", "s")]), "chats": chats_of("board"),
               "members": members_of(("board", "old"))}  # fmt: skip
    async with await make_plan(platform.client(), **sources, prune=True, allow_delete=9) as plan:  # type: ignore[arg-type]
        assert await reasons(plan) == [("board/old", "the user old is renamed to new: write the new id")]
        assert await changes(plan) == [("update", "old")]
        assert (await apply_plan(platform.client(), plan)).ok
    assert (sorted(platform.users), platform.members["board"]) == (["new"], {"new"})


async def test_a_row_that_cannot_be_read_names_its_user_all_the_same() -> None:
    platform = able()
    platform.seed_user("there", email="t@example.com")
    sources = {"users": users_of([bad_row("there", 2, "people.csv"), bad_row("new", 3, "people.csv")]),
               "chats": chats_of("board"), "members": members_of(("board", "there"), ("board", "new"))}  # fmt: skip
    async with await make_plan(platform.client(), **sources) as plan:  # type: ignore[arg-type]
        assert plan.summary.extras == {}
        assert await changes(plan) == [("create", "board"), ("grant", "board/there")]
        assert (await reasons(plan))[-1] == ("board/new", "the user new cannot be used: its own row is not valid")


@pytest.mark.parametrize("prune", [False, True])
async def test_who_has_the_address_of_somebody_listed_is_named_and_never_deleted(prune: bool) -> None:
    platform = FakePlatform(page=50)
    for id, address in (("a", "1"), ("b", "2"), ("c", "3")):
        platform.seed_user(id, email=f"{address}@example.com")
    # Ids moved on by one: b is a's new id, and c is b's.
    users = users_of([user("b", "1"), user("c", "2")])
    async with await make_plan(platform.client(), users=users, prune=prune, allow_delete=9) as plan:
        assert await changes(plan) == []
        assert plan.summary.extras == {}
        assert [(entry.key, entry.reason) async for entry in plan.cannot_change()] == [
            ("b", "email '1@example.com' belongs to 'a' on the platform, who keeps it"),
            ("c", "email '2@example.com' belongs to 'b' on the platform, who keeps it"),
        ]


async def test_a_conflict_names_the_holder() -> None:
    platform = FakePlatform(page=50)
    platform.seed_user("a", email="s@example.com")
    async with await make_plan(platform.client(), users=users_of([user("a", "x"), user("n", "s")])) as plan:
        assert await reasons(plan) == [("n", "email 's@example.com' belongs to 'a' on the platform, who keeps it")]
        assert await changes(plan) == []


WORLDS = {
    "given up and taken": ({"a": "s"}, {"a": "x", "n": "s"}),
    "chain": ({"a": "1", "b": "2", "c": "3"}, {"a": "2", "b": "3", "c": "4"}),
    "chain the other way": ({"c": "1", "b": "2", "a": "3"}, {"c": "2", "b": "3", "a": "4"}),
    "exchange": ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}),
    "three in a ring": ({"a": "1", "b": "2", "c": "3"}, {"a": "2", "b": "3", "c": "1"}),
    "two rings": ({"a": "1", "b": "2", "c": "3", "d": "4"}, {"a": "2", "b": "1", "c": "4", "d": "3"}),
    "from one who goes": ({"a": "1", "gone": "2"}, {"a": "2"}),
    "from one who goes, and on": ({"a": "1", "gone": "2"}, {"a": "2", "n": "1"}),
}


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("name", WORLDS)
async def test_addresses_are_handed_on_in_order(name: str, limit: int | None) -> None:
    there, wanted = WORLDS[name]
    platform = able()
    for id, address in there.items():
        platform.seed_user(id, email=f"{address}@example.com")
    source = users_of([user(id, address) for id, address in wanted.items()])
    for _ in range(9):
        async with await make_plan(platform.client(), users=source, prune=True, allow_delete=9, limit=limit) as plan:
            assert (await apply_plan(platform.client(), plan)).ok
    assert addresses(platform) == wanted


async def test_an_exchange_steps_aside_in_the_plan() -> None:
    platform = able()
    platform.seed_user("a", email="1@example.com")
    platform.seed_user("b", email="2@example.com")
    async with await make_plan(platform.client(), users=users_of([user("a", "2"), user("b", "1")]), limit=1) as plan:
        sent = [(entry.step, entry.key, (entry.after or {})["fields"]["email"]) async for entry in plan.changes()]
    assert len(sent) == 3
    aside, *_ = [(key, address) for _, key, address in sorted(sent)]
    assert aside[0] == "a"
    assert aside[1].startswith("2+moving-")


async def test_the_examples_of_an_exchange_are_in_the_order_in_which_they_are_applied() -> None:
    platform = able()
    platform.seed_user("a", email="1@example.com")
    platform.seed_user("b", email="2@example.com")
    async with await make_plan(platform.client(), users=users_of([user("a", "2"), user("b", "1")])) as plan:
        found = await plan.journal.examples("user", "update", 9)
    assert [entry.key for entry in found] == ["a", "b", "a"]
    assert [(entry.reason or "").partition(":")[0] for entry in found] == ["temporary", "", ""]


async def test_a_plan_file_is_created_exclusively(tmp_path: Path) -> None:
    platform = able()
    target = tmp_path / "victim"
    target.write_text("precious")
    async with await make_plan(platform.client(), users=users_of([user("a", "1")])) as plan:
        (tmp_path / "plan.json").symlink_to(target)
        with pytest.raises(Exception, match="exists and is not a plan"):
            await save_plan(plan, tmp_path / "plan.json")
        (tmp_path / "plan.json").unlink()
        await save_plan(plan, tmp_path / "plan.json")
        (tmp_path / "plan.json").chmod(0o666)
        await save_plan(plan, tmp_path / "plan.json")
    assert target.read_text() == "precious"
    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["plan.json", "victim"]
