"""Pages at any offset cost the same: checked by counting the blocks that a page touches, not by timing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.sandbox.ethora.names import RecordIds
from ethora_async.sandbox.ethora.store import Store, UserData
from ethora_async.sandbox.ledger import BLOCK, Roster, TicketIndex

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import App


class Counting(list):
    """A list that counts its reads."""

    looks = 0

    def __getitem__(self, index):
        type(self).looks += 1
        return super().__getitem__(index)


def looks_for_page(ledger: TicketIndex, offset: int) -> int:
    """Count the blocks and tree nodes that one page of 500 reads."""
    ledger._tree, ledger._blocks = Counting(ledger._tree), Counting(ledger._blocks)
    Counting.looks = 0
    assert ledger.window(offset, 500)
    return Counting.looks


def load(count: int) -> App:
    store = Store()
    app = store.create_app(secret="s", now=0.0, display_name="A", domain_name="a", app_id="a")
    for index in range(count):
        store.create_user(app, UserData("Ada", "Byron", f"u{index}@example.com", f"u{index}"), 0.0)
    return app


def check_cost(count: int) -> None:
    app = load(count)
    ledger = app.users._ledger
    most = max(looks_for_page(ledger, offset) for offset in (0, count // 3, count // 2, count - 500))
    steps_down_the_tree = (count // BLOCK).bit_length() + 1
    assert most <= 2 * steps_down_the_tree + 500 // BLOCK + 2
    assert [user.uuid for user in app.users.window(count - 2, 500)] == [f"u{count - 2}", f"u{count - 1}"]


def test_a_page_costs_the_same_at_any_offset() -> None:
    check_cost(20_000)


@pytest.mark.slow
def test_a_page_costs_the_same_at_any_offset_of_a_million() -> None:
    check_cost(1_000_000)


def test_a_deletion_touches_one_block() -> None:
    app = load(20 * BLOCK)
    before = [list(block) for block in app.users._ledger._blocks]
    app.users.remove(app.users.find(f"u{5 * BLOCK + 3}"))
    changed = [index for index, block in enumerate(app.users._ledger._blocks) if block != before[index]]
    assert changed == [5]


def test_deleting_almost_everything_gives_the_room_back() -> None:
    ledger: TicketIndex[int] = TicketIndex()
    for number in range(40 * BLOCK):
        ledger.append(number, number)
    for number in range(39 * BLOCK):
        assert ledger.remove(number)
    assert len(ledger._blocks) <= 5
    assert ledger.window(0, 3) == [39 * BLOCK, 39 * BLOCK + 1, 39 * BLOCK + 2]
    assert len(ledger) == BLOCK


STEPS = st.lists(st.tuples(st.sampled_from(["add", "add", "add", "remove"]), st.integers(0, 400)), max_size=200)


@given(steps=STEPS, offset=st.integers(0, 120), limit=st.integers(0, 60))
def test_a_ledger_is_a_list_that_is_quick(steps, offset: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ethora_async.sandbox.ledger.BLOCK", 4)
        ledger: TicketIndex[str] = TicketIndex()
        model: dict[int, str] = {}
        for number, (step, pick) in enumerate(steps):
            if step == "add":
                ledger.append(number * 3, f"i{number}")
                model[number * 3] = f"i{number}"
            elif model and pick % 2:
                ticket = list(model)[pick % len(model)]
                assert ledger.remove(ticket)
                del model[ticket]
            else:
                assert ledger.remove(pick) is (model.pop(pick, None) is not None)
        assert list(ledger) == list(model.values())
        assert len(ledger) == len(model)
        assert ledger.window(offset, limit) == list(model.values())[offset : offset + limit]
        assert [ledger.get(ticket) for ticket in range(30)] == [model.get(ticket) for ticket in range(30)]


@given(steps=st.lists(st.tuples(st.sampled_from(["add", "leave", "fade", "forget"]), st.integers(0, 4)), max_size=40))
def test_a_roster_lists_members_once_and_those_who_fade_until_they_are_forgotten(steps) -> None:
    roster: Roster[int] = Roster()
    inside: dict[int, None] = {}
    fading: dict[int, float] = {}
    for time, (step, member) in enumerate(steps):
        if step == "add":
            assert roster.add(member) is (member not in inside)
            inside[member] = None
            fading.pop(member, None)
        elif step == "forget":
            roster.forget(member, fading.pop(member, -1.0))
        else:
            due = float(time) if step == "fade" else None
            assert roster.discard(member, due) is (member in inside)
            if member in inside and due is not None:
                fading[member] = due
            inside.pop(member, None)
        listed = roster.window(0, 100)
        assert sorted(listed) == sorted([*inside, *fading])
        assert (len(roster), roster.listed, set(roster)) == (len(inside), len(listed), set(inside))


@given(number=st.integers(1, 2**32 - 1))
def test_record_ids_are_24_hex_and_read_back(number: int) -> None:
    ids = RecordIds()
    text = ids.text(number)
    assert (len(text), ids.number(text), ids.number(text.upper())) in [(24, number, None), (24, number, number)]


@given(text=st.text())
def test_text_that_is_no_record_id_is_none(text: str) -> None:
    ids = RecordIds()
    assert ids.number(text) is None
    assert ids.number(ids.text(1)[:16] + text) in (None, 1)
