"""When to try again, and after how long: properties of the pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from ethora_async.config import RetryPolicy
from ethora_async.engine.retry import backoff, read_retry_after, wait_before_retry
from ethora_async.errors import (
    ApiError,
    ChatError,
    ConfigError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
)

NOW = 1_700_000_000.0
ERRORS = st.sampled_from(
    [NotSentError, ReplyLostError, RateLimitedError, ServerFaultError, ApiError, ConfigError],
)


@given(failures=st.integers(1, 10**6), draw=st.floats(0, 1), base=st.floats(0, 100), cap=st.floats(0, 100))
def test_backoff_stays_between_zero_and_the_cap(failures: int, draw: float, base: float, cap: float) -> None:
    assert 0 <= backoff(failures, RetryPolicy(base=base, cap=cap), lambda: draw) <= cap


def test_backoff_doubles_up_to_the_cap() -> None:
    waits = [backoff(n, RetryPolicy(), lambda: 1.0) for n in range(1, 9)]
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 8, 8]


@given(
    kind=ERRORS,
    status=st.sampled_from([None, 200, 400, 401, 404, 408, 425, 429, 500, 501, 502, 503, 504]),
    retry_after=st.none() | st.floats(0, 1e6),
    repeatable=st.booleans(),
    failures=st.integers(1, 10),
    remaining=st.floats(-10, 100),
    draw=st.floats(0, 1),
)
def test_no_retry_outlives_the_deadline_or_repeats_what_must_be_done_once(
    kind: type[ChatError],
    status: int | None,
    retry_after: float | None,
    repeatable: bool,
    failures: int,
    remaining: float,
    draw: float,
) -> None:
    error = kind("x", status=status, retry_after=retry_after) if kind is not ConfigError else ConfigError("x")
    policy = RetryPolicy(attempts=5)
    wait = wait_before_retry(
        error, repeatable=repeatable, failures=failures, policy=policy, remaining=remaining, draw=lambda: draw
    )
    if wait is None:
        return
    assert wait < remaining
    assert failures < policy.attempts
    assert kind is not ConfigError
    if error.retry_after is not None:
        assert wait == error.retry_after
    if not repeatable:
        assert isinstance(error, (NotSentError, RateLimitedError))


@given(st.dictionaries(st.sampled_from(["Retry-After", "retry-after-ms"]), st.text()), st.floats(0, 4e9))
def test_any_header_gives_a_wait_or_none(headers: dict[str, str], now: float) -> None:
    wait = read_retry_after(CIMultiDict(headers), now)
    assert wait is None or 0 <= wait < float("inf")


@given(st.integers(0, 10**6))
def test_a_date_is_as_far_away_as_it_says(ahead: int) -> None:
    assert read_retry_after({"retry-after": formatdate(NOW + ahead, usegmt=True)}, NOW) == ahead


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
def test_a_date_of_unknown_zone_is_gmt_on_every_machine(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        date = format_datetime(datetime.fromtimestamp(NOW + 30, UTC)).replace("+0000", "-0000")
        assert read_retry_after({"retry-after": date}, NOW) == 30
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("value", ["", "-1", "nan", "inf", "1e999", "soon", "Wed, 99 Foo 2026 00:00:00 GMT"])
def test_nonsense_asks_for_nothing(value: str) -> None:
    assert read_retry_after({"retry-after": value, "retry-after-ms": value}, NOW) is None
