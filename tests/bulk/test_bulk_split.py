"""Batches that are refused for some of their items."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.bulk.outcome import Outcome
from ethora_async.bulk.split import split_around
from ethora_async.errors import (
    ChatError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    UnauthorizedError,
    ValidationFailedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Platform:
    """Accepts a batch only if none of its items is bad."""

    def __init__(
        self, bad: set[int], kind: type[ChatError] = ValidationFailedError, *, says_absent: bool = False
    ) -> None:
        self.bad = bad
        self.kind = kind
        self.says_absent = says_absent
        self.taken: list[int] = []
        self.requests = 0

    async def send(self, items: Sequence[int]) -> list[Outcome[int]]:
        self.requests += 1
        if self.bad.intersection(items):
            if self.says_absent and len(items) == 1:
                return [Outcome(items[0], str(items[0]), "absent")]
            raise self.kind("refused")
        self.taken += items
        return [Outcome(item, str(item), "created") for item in items]


@pytest.mark.parametrize("place", [0, 1, 49, 50, 99])
@pytest.mark.parametrize("kind", [ValidationFailedError, NotFoundError, ConflictError, InvalidInputError])
async def test_one_bad_item_among_a_hundred_costs_at_most_ten_requests(place: int, kind: type[ChatError]) -> None:
    platform = Platform({place}, kind)
    outcomes = await split_around(range(100), platform.send, str)
    assert [outcome.item for outcome in outcomes] == list(range(100))
    assert [outcome.item for outcome in outcomes if not outcome.ok] == [place]
    assert isinstance(outcomes[place].error, kind)
    assert platform.requests <= 10


@given(st.integers(2, 1_000), st.data())
async def test_one_culprit_costs_the_logarithm_of_the_batch(size: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, size - 1))
    platform = Platform({place}, NotFoundError)
    await split_around(range(size), platform.send, str)
    assert platform.requests <= 3 + math.ceil(math.log2(size))  # all, halves, the culprit alone, the rest


@given(st.integers(2, 600), st.data(), st.booleans())
async def test_several_culprits_cost_about_k_times_the_logarithm_of_n_by_k(
    size: int, data: st.DataObject, says_absent: bool
) -> None:
    bad = set(data.draw(st.permutations(range(size)))[: data.draw(st.integers(1, max(1, size // 4)))])
    platform = Platform(bad, NotFoundError, says_absent=says_absent)
    outcomes = await split_around(range(size), platform.send, str)
    assert {outcome.item for outcome in outcomes if outcome.status != "created"} == bad
    count = len(bad)
    assert platform.requests <= 3 * math.log2(size) + 4 + 2.2 * count * (1 + math.log2(size / count))


@pytest.mark.parametrize("says_absent", [False, True])
@given(size=st.integers(1, 200), data=st.data())
async def test_whatever_is_bad_every_item_gets_its_own_outcome(
    says_absent: bool, size: int, data: st.DataObject
) -> None:
    bad = data.draw(st.sets(st.integers(0, size - 1)))
    platform = Platform(bad, says_absent=says_absent)
    outcomes = await split_around(range(size), platform.send, str)
    assert [(outcome.item, outcome.key) for outcome in outcomes] == [(item, str(item)) for item in range(size)]
    refused = "absent" if says_absent else "failed"
    assert {outcome.item for outcome in outcomes if outcome.status == refused} == bad
    assert {outcome.item for outcome in outcomes if outcome.status == "created"} == set(range(size)) - bad
    assert sorted(platform.taken) == sorted(set(range(size)) - bad)  # each once


@pytest.mark.parametrize("says_absent", [False, True])
async def test_where_all_are_bad_it_costs_little_more_than_one_request_an_item(says_absent: bool) -> None:
    platform = Platform(set(range(100)), says_absent=says_absent)
    outcomes = await split_around(range(100), platform.send, str)
    assert all(outcome.status == ("absent" if says_absent else "failed") for outcome in outcomes)
    assert platform.requests <= 120


@pytest.mark.parametrize(
    "kind",
    [
        UnauthorizedError,
        ForbiddenError,
        RateLimitedError,
        ServerFaultError,
        NotSentError,
        ReplyLostError,
        JobFailedError,
        JobTimeoutError,
        ChatError,
    ],
)
async def test_an_error_that_is_not_about_an_item_fails_all_at_once(kind: type[ChatError]) -> None:
    platform = Platform({5}, kind)
    outcomes = await split_around(range(100), platform.send, str)
    assert platform.requests == 1
    status = "unknown" if kind("").effect == "unknown" else "failed"
    assert {outcome.status for outcome in outcomes} == {status}


async def test_a_fault_in_the_middle_fails_only_what_was_sent_together() -> None:
    class Flaky(Platform):
        async def send(self, items: Sequence[int]) -> list[Outcome[int]]:
            if list(items) == [0, 1, 2, 3]:
                raise ServerFaultError("down")
            return await super().send(items)

    platform = Flaky({6})
    outcomes = await split_around(range(8), platform.send, str)
    assert [outcome.status for outcome in outcomes] == ["unknown"] * 4 + ["created", "created", "failed", "created"]


async def test_a_platform_that_went_down_is_not_searched_through() -> None:
    class Down(Platform):
        async def send(self, items: Sequence[int]) -> list[Outcome[int]]:
            self.requests += 1
            if self.requests > 1:
                raise ServerFaultError("down")
            raise NotFoundError("somebody")

    platform = Down(set())
    outcomes = await split_around(range(100), platform.send, str)
    assert {outcome.status for outcome in outcomes} == {"unknown"}
    assert platform.requests <= 3


async def test_a_refusal_of_the_size_blames_no_item() -> None:
    class Small(Platform):
        async def send(self, items: Sequence[int]) -> list[Outcome[int]]:
            if len(items) > 30:
                self.requests += 1
                raise ValidationFailedError("too large", status=413)
            return await super().send(items)

    platform = Small(set())
    outcomes = await split_around(range(100), platform.send, str)
    assert {outcome.status for outcome in outcomes} == {"created"}
    assert platform.requests <= 40


async def test_a_refusal_that_may_have_taken_effect_is_unknown() -> None:
    async def send(items: Sequence[int]) -> list[Outcome[int]]:
        raise NotFoundError("gone", effect="unknown", attempts=3)

    (outcome,) = await split_around([1], send, str)
    assert (outcome.status, outcome.attempts) == ("unknown", 3)


async def test_what_is_no_error_of_ours_is_not_hidden() -> None:
    async def send(items: Sequence[int]) -> list[Outcome[int]]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await split_around([1, 2], send, str)
