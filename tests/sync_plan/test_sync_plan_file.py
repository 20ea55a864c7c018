"""Plan files: a saved plan loads unchanged; files that are damaged, forged or not plans are refused."""

# ruff: noqa: ASYNC240  the loop of a test may wait for its own files

from __future__ import annotations

import asyncio
import json
import stat
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fake_platform import FakePlatform
from hypothesis import given, settings
from hypothesis import strategies as st
from sync_world import chats_of, members_of, people, person, users_of

from ethora_async.errors import InvalidInputError
from ethora_async.sync import apply_plan, check_plan, load_plan, make_plan, resume, save_plan
from ethora_async.sync.plan.plan import Plan, Summary, summary_of
from ethora_async.sync.plan.plan_file import check_target
from ethora_async.sync.store.items import STEPS, Entry
from ethora_async.sync.store.journal import Journal
from ethora_async.testing.implementers import cancel_at_every_step

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
IDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
NAMED = TEXT.map(lambda text: f"x{text.strip()}y")
FIELDS = st.dictionaries(st.sampled_from(["first_name", "last_name"]), st.none() | TEXT, min_size=1)
USER = st.fixed_dictionaries(
    {"id": IDS, "email": st.just("a@example.com"), "first_name": NAMED, "last_name": NAMED},
    optional={"profile_image": NAMED},
)
CHAT = st.fixed_dictionaries(
    {"id": IDS, "title": NAMED, "access": st.sampled_from(["private", "public"])}, optional={"description": TEXT}
)


def entry(kind: str, action: str, **fields: Any) -> Any:
    places = {"file": st.none() | TEXT, "line": st.none() | st.integers(1, 10**9)}
    other = IDS if kind == "member" else st.just("")
    made = {"number": st.just(0), "kind": st.just(kind), "action": st.just(action), "key": IDS, "other": other}
    return st.builds(Entry, step=st.just(STEPS.get((kind, action), 0)), **made, **places, **fields)


def changed(item: Any) -> Any:
    return st.fixed_dictionaries({"fields": FIELDS, "item": item})


ENTRIES = st.one_of(
    entry("user", "create", after=USER, needs_source=st.booleans()),
    entry("chat", "create", after=CHAT),
    entry("user", "update", before=FIELDS, after=changed(USER)),
    entry("chat", "update", before=FIELDS, after=changed(CHAT)),
    entry("user", "delete", before=FIELDS),
    entry("member", "grant", after=st.just({})),
    entry("member", "revoke"),
    entry("user", "cannot change", before=FIELDS, after=st.fixed_dictionaries({"fields": FIELDS})),
    entry("chat", "extra", before=FIELDS),
)


async def plan_of(entries: list[Entry]) -> Plan:
    journal = await Journal.create(meta={"state": "planned", "made_at": 1.5, "sources": {}})
    await journal.add(entries)
    return Plan(journal, {}, await summary_of(journal), None, "FakeClient('fake')")


async def everything(plan: Plan) -> list[Any]:
    return await plan.journal.entries(limit=10**9)


def same(path: Path) -> None:
    """The layout of the program."""


def indented(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        document = json.load(file)
    with path.open("w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)


def compact(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")), separators=(",", ":")), "utf-8")


@settings(max_examples=40, deadline=None)
@given(entries=st.lists(ENTRIES, max_size=6), lay_out=st.sampled_from([same, indented, compact]))
def test_what_is_saved_is_loaded_whoever_laid_it_out(entries: list[Entry], lay_out: Callable[[Path], None]) -> None:
    async def scenario(path: Path) -> None:
        async with await plan_of(entries) as plan:
            await save_plan(plan, path)
            lay_out(path)
            async with await load_plan(path) as loaded:
                assert await everything(loaded) == await everything(plan)
                assert loaded.summary == plan.summary
        assert len(json.loads(path.read_text("utf-8"))["changes"]) == len(entries)

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(scenario(Path(directory) / "plan.json"))


async def saved(path: Path, platform: FakePlatform, **options: Any) -> Path:
    async with await make_plan(platform.client(), **options) as plan:
        await save_plan(plan, path)
    return path


def world() -> tuple[FakePlatform, dict[str, Any]]:
    platform = FakePlatform()
    for id in ("old", "stays", "gone"):
        platform.seed_user(id, last_name="Before")
    platform.seed_chat("room", title="Before", members=["stays"])
    platform.seed_chat("spare")
    sources = {
        "users": people("old", "new", last_name="After"),
        "chats": chats_of("room", "hall", title="After"),
        "members": members_of(("room", "old"), ("hall", "new")),
    }
    return platform, {**sources, "prune": True, "allow_delete": 3}


async def test_it_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    platform, options = world()
    path = await saved(tmp_path / "plan", platform, **options)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["plan"]
    with pytest.raises(InvalidInputError, match="cannot be written: No such file"):
        await saved(tmp_path / "none" / "plan", platform, **options)
    with pytest.raises(InvalidInputError, match="cannot be read: No such file"):
        await load_plan(tmp_path / "none")


async def test_its_numbers_stand_in_its_head(tmp_path: Path) -> None:
    platform, options = world()
    users = users_of([*options["users"].items, person("x", email="new@example.com")])
    path = await saved(tmp_path / "plan", platform, **(options | {"users": users, "prune": False}))
    head = json.loads(path.read_text())
    assert head["ethora_plan"] == 1
    assert head["problems"] == {"user": 1}
    assert head["counts"] == {
        "user create": 1, "user update": 1, "chat create": 1, "chat update": 1, "member grant": 2,
        "user extra": 2, "chat extra": 1, "member extra": 1,
    }  # fmt: skip
    async with await load_plan(path) as plan:
        assert plan.summary.problems == {"user": 1}
        assert not plan.summary.in_step


async def test_cut_anywhere_it_is_refused(tmp_path: Path) -> None:
    platform, options = world()
    whole = (await saved(tmp_path / "plan", platform, **options)).read_bytes()
    for end in range(0, len(whole.rstrip()), 7):
        (tmp_path / "cut").write_bytes(whole[:end])
        with pytest.raises(InvalidInputError, match=r"is not a plan|cannot be read after change"):
            await load_plan(tmp_path / "cut")
    (tmp_path / "longer").write_bytes(whole + b"{}")
    with pytest.raises(InvalidInputError, match="has data after its end"):
        await load_plan(tmp_path / "longer")


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff\xfe\x00", b"[]", b"null", b"id,email\n", b'{"changes": []}', b'{"ethora_plan": 1}', b"[" * 99999],
)
async def test_what_is_no_plan_is_refused(garbage: bytes, tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(garbage)
    with pytest.raises(InvalidInputError, match="is not a plan: name a file that ethora plan wrote"):
        await load_plan(tmp_path / "plan")


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    platform, options = world()
    path = await saved(tmp_path / "plan", platform, **options)
    path.write_text(path.read_text().replace('"ethora_plan":1', '"ethora_plan":2'))
    with pytest.raises(InvalidInputError, match="is a plan of schema 2, but this version reads 1"):
        await load_plan(path)
    (tmp_path / "next").write_text('{"ethora_plan": 2, "steps": [], "changes": []}')
    with pytest.raises(InvalidInputError, match="is a plan of schema 2"):
        await load_plan(tmp_path / "next")


GOOD = {
    "kind": "user", "action": "create", "id": "u1",
    "after": {"id": "u1", "email": "u1@example.com", "first_name": "A", "last_name": "B"},
}  # fmt: skip
UPDATE = {
    **GOOD,
    "action": "update",
    "before": {"first_name": "O"},
    "after": {"first_name": "A"},
    "record": GOOD["after"],
}


@pytest.mark.parametrize(
    "change",
    [
        7, "text", {}, {**GOOD, "kind": "robot"}, {**GOOD, "action": "explode"}, {**GOOD, "action": "grant"},
        {**GOOD, "id": ""}, {**GOOD, "id": None}, {**GOOD, "after": None}, {**GOOD, "after": ["x"]},
        {**GOOD, "after": {"id": "u1"}}, {**GOOD, "after": {**GOOD["after"], "email": "no"}},  # type: ignore[dict-item]
        {**GOOD, "after": {**GOOD["after"], "password": "pw-canary-1"}},  # type: ignore[dict-item]
        {**GOOD, "after": {**GOOD["after"], "shoe_size": "9"}},  # type: ignore[dict-item]
        {**UPDATE, "record": None}, {**UPDATE, "before": 5}, {**UPDATE, "after": {"first_name": ["A"]}},
        {"kind": "member", "action": "grant", "id": "c1"},
        {"kind": "member", "action": "grant", "id": "c1", "user": ""},
    ],
)  # fmt: skip
async def test_a_change_that_no_plan_can_hold_is_refused_before_anything_is_sent(change: Any, tmp_path: Path) -> None:
    path = await saved(tmp_path / "plan", FakePlatform(), users=people("u0"))
    document = json.loads(path.read_text())
    document["changes"].append(change)
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidInputError, match=r"change 2 of .* is not a valid change") as caught:
        await load_plan(path, journal=tmp_path / "j")
    assert "pw-canary" not in str(caught.value)
    with pytest.raises(InvalidInputError, match="was not read to its end"):
        await resume(FakePlatform().client(), tmp_path / "j")


async def test_a_change_whose_record_says_something_else_is_not_carried_out(tmp_path: Path) -> None:
    platform, options = world()
    path = await saved(tmp_path / "plan", platform, **options)
    path.write_text(path.read_text().replace('"after":{"last_name":"After"},', '"after":{"last_name":"Reviewed"},'))
    async with await load_plan(path) as plan:
        done = await apply_plan(platform.client(), plan)
    assert [(one.name, one.reason) for one in done.failures] == [
        ("old", "the change does not match its record: make a new plan")
    ]
    assert platform.users["old"].last_name == "Before"


async def test_another_platforms_plan_is_refused(tmp_path: Path) -> None:
    platform, options = world()
    path = await saved(tmp_path / "plan", platform, **options)
    path.write_text(path.read_text().replace("FakeClient(", "FakeClient(not "))
    for use in (apply_plan, check_plan):
        async with await load_plan(path) as plan:
            with pytest.raises(InvalidInputError, match="the plan was made for FakeClient"):
                await use(platform.client(), plan)
    assert not platform.effects


async def test_the_guard_is_judged_by_what_is_there_now(tmp_path: Path) -> None:
    platform = FakePlatform()
    for number in range(20):
        platform.seed_user(f"u{number}")
    path = await saved(tmp_path / "plan", platform, users=people(*(f"u{n}" for n in range(18))), prune=True)
    for number in range(10):
        del platform.users[f"u{number}"]
    async with await load_plan(path) as plan:
        with pytest.raises(Exception, match="would delete 2 of 10 users"):
            await apply_plan(platform.client(), plan)
    assert not platform.effects


CHANGED: list[tuple[Any, str, str | None]] = [
    (lambda p: p.seed_user("new", last_name="Else"), "new",
     "changed since the plan was made: it was created with last_name 'Else', not 'After'"),
    (lambda p: p.seed_user("new", last_name="After"), "new", None),
    (lambda p: p.seed_user("old", last_name="Else"), "old",
     "changed since the plan was made: last_name was 'Before', and is 'Else' now"),
    (lambda p: p.seed_user("old", last_name="After"), "old", None),
    (lambda p: p.users.pop("old"), "old", "changed since the plan was made: it does not exist any more"),
    (lambda p: p.seed_user("gone", last_name="Else"), "gone",
     "changed since the plan was made: last_name was 'Before', and is 'Else' now"),
    (lambda p: p.users.pop("gone"), "gone", None),
    (lambda p: p.own_users.add("gone"), "gone", "it is one of the platform's own, which are left alone"),
    (lambda p: p.seed_chat("hall", title="Else"), "hall",
     "changed since the plan was made: it was created with title 'Else', not 'After'"),
    (lambda p: p.seed_chat("room", title="Else"), "room",
     "changed since the plan was made: title was 'Before', and is 'Else' now"),
    (lambda p: p.seed_chat("spare", title="Else"), "spare",
     "changed since the plan was made: title was 'Chat', and is 'Else' now"),
    (lambda p: p.seed_member("room", "old"), "room/old", None),
    (lambda p: p.members["room"].discard("stays"), "room/stays", None),
]  # fmt: skip


@pytest.mark.parametrize(("change", "name", "reason"), CHANGED)
async def test_what_changed_meanwhile_is_refused_item_by_item(
    change: Callable[[FakePlatform], Any], name: str, reason: str | None, tmp_path: Path
) -> None:
    platform, options = world()
    path = await saved(tmp_path / "plan", platform, **options)
    change(platform)
    async with await load_plan(path, journal=tmp_path / "j") as plan:
        assert await check_plan(platform.client(), plan) == (reason is not None)
        done = await apply_plan(platform.client(), plan)
    found = {one.name: one.reason for one in done.failures}
    assert found.get(name) == reason
    if reason is not None:
        kind = "chat" if name in platform.chats or name == "room" else "user"
        assert not [effect for effect in platform.effects if effect[1:] == (kind, name)]
    again = await resume(platform.client(), tmp_path / "j")
    assert {one.name: one.reason for one in again.failures}.get(name) == reason
    assert not platform.attacks


async def test_a_journal_that_is_unchecked_is_checked_when_it_is_resumed(tmp_path: Path) -> None:
    platform, options = world()
    path = await saved(tmp_path / "plan", platform, **options)
    async with await load_plan(path, journal=tmp_path / "j"):
        pass
    platform.seed_user("old", last_name="Else")
    done = await resume(platform.client(), tmp_path / "j")
    assert [one.name for one in done.failures] == ["old"]


async def test_cancelled_anywhere_no_file_is_left_open_or_half_written(tmp_path: Path) -> None:
    platform, options = world()
    path = tmp_path / "plan"
    async with await make_plan(platform.client(), **options) as plan:

        async def save() -> None:
            path.unlink(missing_ok=True)
            await save_plan(plan, path)

        async def check() -> None:
            assert {file.name for file in tmp_path.iterdir()} <= {"plan"}
            if path.exists():
                json.loads(path.read_text())

        assert await cancel_at_every_step(save, check=check) >= 3

    async def load() -> None:
        async with await load_plan(path):
            pass

    assert await cancel_at_every_step(load) >= 4


async def peaks(count: int, path: Path) -> tuple[int, int]:
    plan, step = await plan_of([]), STEPS["user", "create"]
    async with plan:
        for start in range(0, count, 5000):
            await plan.journal.add(
                [
                    Entry(0, step, "user", "create", f"u{number}", after={**GOOD["after"], "id": f"u{number}"})  # type: ignore[dict-item]
                    for number in range(start, start + 5000)
                ]
            )
        tracemalloc.start()
        await save_plan(plan, path)
        saving = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        async with await load_plan(path) as loaded:
            assert loaded.summary == Summary({("user", "create"): count}, {}, {}, {})
        loading = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return saving, loading


@pytest.mark.slow
async def test_a_hundred_thousand_changes_need_no_more_memory_than_five(tmp_path: Path) -> None:
    few, many = await peaks(5_000, tmp_path / "few"), await peaks(100_000, tmp_path / "many")
    assert max(many) < 4_000_000
    assert all(more < 1.5 * less + 200_000 for less, more in zip(few, many, strict=True))


async def test_a_folder_that_is_missing_is_noticed_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be written: No such file"):
        await check_target(tmp_path / "none" / "plan.json")
    await check_target(tmp_path / "plan.json")
