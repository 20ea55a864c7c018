"""The cache of tokens: bounded, and correct when either clock changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ethora_async.tokens.cache import TokenCache, margin

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock


def test_the_least_recently_used_goes_first(clock: FakeClock) -> None:
    cache: TokenCache[str] = TokenCache(clock, size=2)
    cache.put("a", "A", 3600)
    cache.put("b", "B", 3600)
    assert cache.get("a") == "A"
    cache.put("c", "C", 3600)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == ("A", None, "C", 2)


@pytest.mark.parametrize(("ttl", "kept"), [(3600.0, 3540.0), (120.0, 60.0), (10.0, 5.0)])
def test_a_token_is_kept_until_its_margin(clock: FakeClock, ttl: float, kept: float) -> None:
    cache: TokenCache[str] = TokenCache(clock)
    cache.put("a", "A", ttl)
    clock.advance(kept - 0.5)
    assert cache.get("a") == "A"
    clock.advance(0.5)
    assert cache.get("a") is None
    assert len(cache) == 0
    assert margin(ttl) == ttl - kept


def test_a_suspended_machine_does_not_hand_out_an_ended_token(clock: FakeClock) -> None:
    cache: TokenCache[str] = TokenCache(clock)
    cache.put("a", "A", 3600)
    clock._now += 7200  # the monotonic clock stood still meanwhile
    assert cache.get("a") is None


def test_a_clock_set_back_does_not_lengthen_a_tokens_life(clock: FakeClock) -> None:
    cache: TokenCache[str] = TokenCache(clock)
    cache.put("a", "A", 3600)
    clock.advance(3600)
    clock._now -= 7200
    assert cache.get("a") is None


def test_putting_again_renews_and_clearing_forgets(clock: FakeClock) -> None:
    cache: TokenCache[str] = TokenCache(clock)
    cache.put("a", "A", 100)
    clock.advance(49)
    cache.put("a", "B", 100)
    clock.advance(49)
    assert cache.get("a") == "B"
    cache.clear()
    assert cache.get("a") is None
