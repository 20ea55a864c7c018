"""Batches that are refused for some of their items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.bulk.outcome import Outcome
from ethora_async.bulk.split import split_around
from ethora_async.errors import (
    ChatError,
    Conflict,
    Forbidden,
    InvalidInput,
    JobFailed,
    JobTimeout,
    NotFound,
    NotSent,
    RateLimited,
    ReplyLost,
    ServerFault,
    Unauthorized,
    ValidationFailed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Platform:
    """Takes a batch when none of its items is bad; otherwise the whole batch is refused."""

    def __init__(self, bad: set[int], kind: type[ChatError] = ValidationFailed) -> None:
        self.bad = bad
        self.kind = kind
        self.taken: list[int] = []
        self.requests = 0

    async def send(self, items: Sequence[int]) -> list[Outcome[int]]:
        self.requests += 1
        if self.bad.intersection(items):
            raise self.kind("refused")
        self.taken += items
        return [Outcome(item, str(item), "created") for item in items]


@pytest.mark.parametrize("place", [0, 1, 49, 50, 99])
@pytest.mark.parametrize("kind", [ValidationFailed, NotFound, Conflict, InvalidInput])
async def test_one_bad_item_among_a_hundred_costs_about_fifteen_requests(place: int, kind: type[ChatError]) -> None:
    platform = Platform({place}, kind)
    outcomes = await split_around(range(100), platform.send, str)
    assert [outcome.item for outcome in outcomes] == list(range(100))
    assert [outcome.item for outcome in outcomes if not outcome.ok] == [place]
    assert isinstance(outcomes[place].error, kind)
    assert platform.requests <= 15


@given(st.integers(1, 60).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1)))))
async def test_any_number_of_bad_items_fails_and_all_others_go_through_once(case: tuple[int, set[int]]) -> None:
    size, bad = case
    platform = Platform(bad)
    outcomes = await split_around(range(size), platform.send, str)
    assert [(outcome.item, outcome.key) for outcome in outcomes] == [(item, str(item)) for item in range(size)]
    assert {outcome.item for outcome in outcomes if outcome.status == "failed"} == bad
    assert sorted(platform.taken) == sorted(set(range(size)) - bad)
    assert platform.requests <= 2 * size


async def test_all_bad_costs_at_most_two_requests_an_item() -> None:
    platform = Platform(set(range(100)))
    outcomes = await split_around(range(100), platform.send, str)
    assert all(outcome.status == "failed" for outcome in outcomes)
    assert platform.requests == 199


@pytest.mark.parametrize(
    "kind",
    [Unauthorized, Forbidden, RateLimited, ServerFault, NotSent, ReplyLost, JobFailed, JobTimeout, ChatError],
)
async def test_an_error_that_is_not_about_an_item_fails_all_at_once(kind: type[ChatError]) -> None:
    platform = Platform({5}, kind)
    outcomes = await split_around(range(100), platform.send, str)
    assert platform.requests == 1
    status = "unknown" if kind("").effect == "unknown" else "failed"
    assert {outcome.status for outcome in outcomes} == {status}


async def test_a_fault_on_one_half_does_not_touch_the_other() -> None:
    class Flaky(Platform):
        async def send(self, items: Sequence[int]) -> list[Outcome[int]]:
            if list(items) == [2, 3]:
                raise ServerFault("down")
            return await super().send(items)

    outcomes = await split_around(range(4), Flaky({0}).send, str)
    assert [outcome.status for outcome in outcomes] == ["failed", "created", "unknown", "unknown"]


async def test_a_refusal_that_may_have_taken_effect_is_unknown() -> None:
    async def send(items: Sequence[int]) -> list[Outcome[int]]:
        raise NotFound("gone", effect="unknown", attempts=3)

    (outcome,) = await split_around([1], send, str)
    assert (outcome.status, outcome.attempts) == ("unknown", 3)


async def test_what_is_no_error_of_ours_is_not_hidden() -> None:
    async def send(items: Sequence[int]) -> list[Outcome[int]]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await split_around([1, 2], send, str)
