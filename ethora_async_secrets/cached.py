"""A cache for a provider: early refresh, one shared call, old values while the store is down."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from typing import TYPE_CHECKING, Protocol

from ethora_async_secrets.concurrency import FlightCancelledError, FlightUnfinishedError, SingleFlight, own_copy
from ethora_async_secrets.errors import SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ethora_async_secrets.bundle import SecretBundle
    from ethora_async_secrets.provider import SecretProvider

_log = logging.getLogger(__name__)

_PATIENCE = 2.0
"""Seconds for which a call that could use the old bundle waits for the store."""


class Clock(Protocol):
    """A source of time: the `time` module, or a test's own object."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...


class CachedProvider:
    """Cache the bundle of `provider` for `ttl` seconds. The cache owns the provider and closes it.

    * From `refresh_ahead` (a fraction) of `ttl` on, using the bundle starts a refresh in the background. The start is
      earlier by a random part of up to `jitter` (also a fraction), so that processes that started together drift apart.
    * Any number of waiters share one call; cancelling them causes no further call.
    * While the store fails, the old bundle is served until `max_stale` seconds after its `ttl`, even when it was
      invalidated, since it is the latest known answer. `refresh` never serves it. A `fetch` that waits for 2 s treats
      the store as failing; after a failure `fetch` does not wait, except when the bundle was invalidated.
    * After a failure the store is not called for `failure_ttl` seconds, doubling up to `failure_ttl_max` while it keeps
      failing. During that time `fetch` repeats the failure only when there is no old bundle to serve.
    * `on_rotated(old_version, new_version)` is called in the event loop when a new version arrives; its errors are
      logged.

    Can be used from a second event loop after the first one ended: tasks left in the first loop are not awaited. It
    must not be used from two loops at a time. Raises `ValueError` for invalid limits.
    """

    __slots__ = (
        "_bundle",
        "_closed",
        "_expires_at",
        "_failure",
        "_failure_ttl",
        "_failure_ttl_max",
        "_failures",
        "_fetching",
        "_invalidated",
        "_jitter",
        "_max_stale",
        "_monotonic",
        "_on_rotated",
        "_order",
        "_provider",
        "_refresh_at",
        "_refresh_share",
        "_refreshing",
        "_retry_at",
        "_stale_until",
        "_stored_order",
        "_ttl",
    )

    def __init__(
        self,
        provider: SecretProvider,
        *,
        ttl: float = 60.0,
        refresh_ahead: float = 0.8,
        jitter: float = 0.1,
        max_stale: float = 3600.0,
        failure_ttl: float = 1.0,
        failure_ttl_max: float = 30.0,
        clock: Clock = time,
        on_rotated: Callable[[str, str], None] | None = None,
    ) -> None:
        _check(ttl, refresh_ahead, jitter, max_stale, failure_ttl, failure_ttl_max)
        self._provider = provider
        self._ttl = ttl
        self._refresh_share = refresh_ahead
        self._jitter = jitter
        self._max_stale = max_stale
        self._failure_ttl = failure_ttl
        self._failure_ttl_max = failure_ttl_max
        self._monotonic = clock.monotonic
        self._on_rotated = on_rotated
        self._bundle: SecretBundle | None = None
        self._refresh_at = self._expires_at = self._stale_until = self._retry_at = -math.inf
        self._failure: BaseException | None = None
        self._failures = 0
        self._order = self._stored_order = 0
        self._invalidated = ("", 0)
        self._closed = False
        self._fetching = SingleFlight(self._load_by_fetch)
        self._refreshing = SingleFlight(self._load_by_refresh)

    def __repr__(self) -> str:
        return f"CachedProvider({self._provider!r}, ttl={self._ttl!r})"

    @property
    def source(self) -> str:
        """The inner provider's source."""
        return self._provider.source

    def peek(self) -> SecretBundle | None:
        """Return the bundle when it is fresh, else None, without waiting.

        Late in its `ttl` this also starts the refresh, when called in a running loop.
        """
        if self._monotonic() < self._refresh_at:
            return self._bundle
        return self._peek_late()

    async def fetch(self) -> SecretBundle:
        """Return the fresh bundle, or wait for the store, or serve the old bundle while the store fails."""
        if (fresh := self.peek()) is not None:
            return fresh
        self._ensure_open()
        if self._failure is not None:
            old, waits = self._servable(), self._monotonic() < self._retry_at
            if old is not None and (waits or self._expires_at > -math.inf):
                # it failed the last time, and may take long to fail again: do not wait
                if not waits:
                    self._start_ahead()
                return old
            if waits:
                raise own_copy(self._failure)
        try:
            bundle = await self._join_any()
            # a call that was pending at the invalidation: the store has not been asked since
            if self._answered_before_rejection(bundle, self._stored_order):
                bundle = await self._join_any()
            return bundle
        except Exception:
            if (old := self._servable()) is None:
                raise
            return old

    async def refresh(self) -> SecretBundle:
        """Read the store, bypassing every cache; concurrent calls share one read, and its error."""
        self._ensure_open()
        return await self._join(self._refreshing)

    def invalidate(self, version: str) -> None:
        """Make the next `fetch` read the store if `version` is the cached one; else do nothing."""
        if self._bundle is not None and self._bundle.version == version:
            self._refresh_at = self._expires_at = -math.inf
            self._invalidated = (version, self._order)
        self._provider.invalidate(version)

    async def aclose(self) -> None:
        """Cancel pending calls, forget the bundle and close the inner provider; later calls raise an error."""
        self._closed = True
        self._bundle = self._failure = None
        self._refresh_at = self._expires_at = self._stale_until = -math.inf
        await self._fetching.aclose()
        await self._refreshing.aclose()
        await self._provider.aclose()

    def _peek_late(self) -> SecretBundle | None:
        now = self._monotonic()
        if now >= self._expires_at:
            return None
        if now >= self._retry_at:
            self._start_ahead()
        return self._bundle

    def _start_ahead(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        if not self._refreshing.running:
            self._fetching.start()

    def _servable(self) -> SecretBundle | None:
        return self._bundle if self._monotonic() < self._stale_until else None

    def _ensure_open(self) -> None:
        if self._closed:
            raise SecretUnavailableError(f"The cache of {self.source} is closed: make a new one.", self.source)

    async def _join(self, flight: SingleFlight[SecretBundle], timeout: float | None = None) -> SecretBundle:
        try:
            return await flight.join(timeout)
        except FlightCancelledError:
            reason = f"Reading {self.source} was cancelled: its cache is being closed."
        except FlightUnfinishedError:
            reason = f"{self.source} has not answered within {_PATIENCE:g} s: it may be down."
        raise SecretUnavailableError(reason, self.source)

    async def _join_any(self) -> SecretBundle:
        # a pending refresh will bring a version that is at least as new
        flight = self._refreshing if self._refreshing.running else self._fetching
        return await self._join(flight, None if self._servable() is None else _PATIENCE)

    async def _load_by_fetch(self) -> SecretBundle:
        return await self._load(self._provider.fetch)

    async def _load_by_refresh(self) -> SecretBundle:
        return await self._load(self._provider.refresh)

    async def _load(self, ask: Callable[[], Awaitable[SecretBundle]]) -> SecretBundle:
        self._order += 1
        order = self._order
        try:
            bundle = await ask()
        except Exception as error:
            # a call that began before a later one was answered says nothing new
            if order > self._stored_order:
                self._note_failure(error)
            raise
        return self._store(bundle, order)

    def _store(self, bundle: SecretBundle, order: int) -> SecretBundle:
        old = self._bundle
        # a slow fetch that began before a refresh must not replace the refreshed value by an older one
        if old is not None and order < self._stored_order:
            return old
        if self._closed:
            return bundle
        self._bundle = bundle
        self._stored_order = order
        self._set_lifetime(fresh=not self._answered_before_rejection(bundle, order))
        self._retry_at = -math.inf
        self._failures = 0
        self._failure = None
        if old is not None and old.version != bundle.version:
            self._tell(old.version, bundle.version)
        return bundle

    def _set_lifetime(self, *, fresh: bool) -> None:
        now = self._monotonic()
        share = self._refresh_share * (1 - self._jitter * random.random())  # noqa: S311  not used for a secret
        self._refresh_at = now + self._ttl * share if fresh else -math.inf
        self._expires_at = now + self._ttl if fresh else -math.inf
        self._stale_until = now + self._ttl + self._max_stale

    def _answered_before_rejection(self, bundle: SecretBundle, order: int) -> bool:
        """Return whether a call that was pending at an `invalidate` returned the invalidated version."""
        version, last_order = self._invalidated
        return bundle.version == version and order <= last_order

    def _tell(self, old_version: str, new_version: str) -> None:
        if self._on_rotated is None:
            return
        try:
            self._on_rotated(old_version, new_version)
        except Exception:  # noqa: BLE001
            _log.exception("on_rotated failed for %s", self.source)

    def _note_failure(self, error: Exception) -> None:
        if self._closed:
            return
        # the exponent is capped: 2.0 ** 1100 overflows
        wait = min(self._failure_ttl * 2.0 ** min(self._failures, 60), self._failure_ttl_max)
        self._failures += 1
        self._failure = own_copy(error)
        self._retry_at = self._monotonic() + wait
        if (old := self._servable()) is not None:
            # only the class: the message of a foreign error may contain anything
            _log.warning(
                "%s did not answer (%s); serving version %s, next try in %g s",
                self.source, type(error).__name__, old.version, wait,
            )  # fmt: skip


def _check(
    ttl: float, refresh_ahead: float, jitter: float, max_stale: float, failure_ttl: float, failure_ttl_max: float
) -> None:
    if not ttl > 0:
        raise ValueError(f"ttl is {ttl!r}; it must be a number of seconds above 0.")
    if not 0 < refresh_ahead <= 1:
        raise ValueError(f"refresh_ahead is {refresh_ahead!r}; it must be a fraction of ttl above 0, up to 1.")
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter is {jitter!r}; it must be a fraction from 0 up to, but not including, 1.")
    if not max_stale >= 0:
        raise ValueError(f"max_stale is {max_stale!r}; it must be a number of seconds, 0 or more.")
    if not 0 < failure_ttl <= failure_ttl_max:
        raise ValueError(f"failure_ttl is {failure_ttl!r}; it must be above 0 and at most failure_ttl_max.")
