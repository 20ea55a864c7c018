"""``/healthz`` and ``/readyz``: whether the process is alive, and whether it can work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from ethora_async.capabilities import AnswersPing, KnowsWhetherReady
from ethora_async.clock import SystemClock
from ethora_async.config import Seconds, seconds
from ethora_async.errors import ChatError
from ethora_async.web.clients import place_of
from ethora_async.web.failures import retry_after
from ethora_async.web.request import HTTPError, check_method
from ethora_async.web_response import WebResponse
from ethora_async_secrets.concurrency import FlightCancelledError, SingleFlight

if TYPE_CHECKING:
    from ethora_async.protocols import Clock
    from ethora_async.web.request import Request

log: logging.Logger = logging.getLogger("ethora_async.web")

Check = Callable[[], Awaitable[object]]
"""Passes unless it raises, or returns False."""

CACHE, TIMEOUT = 5.0, 3.0


class Live:
    """``/healthz``: 200 as long as the process can answer. It checks no dependency: a restart would not repair one."""

    async def handle(self, request: Request) -> WebResponse:
        """WebResponse one request."""
        try:
            check_method(request, "GET", "HEAD")
        except HTTPError as refusal:
            return refusal.answer
        return WebResponse.json(200, {"status": "ok"})


class Health:
    """The health of a process: `live` and `ready` are endpoints.

    ``/readyz`` answers 200 when every check has passed, otherwise 503. The checks are ``secret`` (the client could sign
    a call now) and ``platform`` (the platform answers a ping), if the client supports them, and your own. The body
    names the checks; the reason for a failure is in the log.

    Concurrent requests share one run of the checks, which is repeated at most every few seconds.

    Args:
        client: a client, an `AppClient` or another function that returns one, or an `OwnLoop`; or None.
        checks: your own, by name.
        cache: how long a result is reused (default 5 s).
        timeout: for all checks together, which run concurrently (default 3 s).
        clock: the source of time.
    """

    def __init__(
        self,
        client: object = None,
        *,
        checks: Mapping[str, Check] | None = None,
        cache: Seconds = CACHE,
        timeout: Seconds = TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        self._place = place_of(client) if client is not None else None
        self._checks = dict(checks or {})
        self._cache = seconds(cache, "cache")
        self._timeout = seconds(timeout, "timeout")
        self._clock: Clock = clock or SystemClock()
        self._flight = SingleFlight(self._look)
        self._seen: tuple[float, Mapping[str, bool]] | None = None
        self._draining = False
        self.live: Live = Live()
        self.ready: Readiness = Readiness(self)

    @property
    def draining(self) -> bool:
        """Whether the process is shutting down."""
        return self._draining

    def drain(self) -> None:
        """Report as unready from now on, so that no new requests are sent here: the process is shutting down."""
        self._draining = True

    async def results(self) -> Mapping[str, bool]:
        """Return which checks passed, at most a few seconds ago."""
        while True:
            if self._seen is not None and self._clock.monotonic() < self._seen[0] + self._cache:
                return self._seen[1]
            try:
                return await self._flight.join()
            except FlightCancelledError:
                continue  # the loop that ran it has ended

    async def _look(self) -> Mapping[str, bool]:
        checks = {**self._own_checks(), **self._checks}
        passed = await asyncio.gather(*(self._passes(name, check) for name, check in checks.items()))
        found = dict(zip(checks, passed, strict=True))
        self._seen = (self._clock.monotonic(), found)
        return found

    def _own_checks(self) -> dict[str, Check]:
        place = self._place
        if place is None:
            return {}
        return {"secret": lambda: place.run(_secret), "platform": lambda: place.run(_platform)}

    async def _passes(self, name: str, check: Check) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                good = await check() is not False
        except TimeoutError:
            log.warning("readiness: %s did not pass within %g s", name, self._timeout)
            return False
        except ChatError as error:
            log.warning("readiness: %s failed, %s: %s", name, type(error).__name__, error)
            return False
        except Exception as error:  # noqa: BLE001  any error of a custom check means failure
            # Only the type: errors of other code may contain a secret.
            log.warning("readiness: %s failed, %s", name, type(error).__name__)
            return False
        if not good:
            log.warning("readiness: %s did not pass", name)
        return good


class Readiness:
    """``/readyz``."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def handle(self, request: Request) -> WebResponse:
        """WebResponse one request."""
        try:
            check_method(request, "GET", "HEAD")
        except HTTPError as refusal:
            return refusal.answer
        if self._health.draining:
            return WebResponse.json(503, {"status": "shutting down", "checks": {}}, retry_after(1.0))
        results = await self._health.results()
        shown = {name: "ok" if good else "failed" for name, good in results.items()}
        if all(results.values()):
            return WebResponse.json(200, {"status": "ready", "checks": shown})
        return WebResponse.json(503, {"status": "not ready", "checks": shown}, retry_after(1.0))


async def _secret(client: object) -> None:
    if isinstance(client, KnowsWhetherReady):
        await client.ready()


async def _platform(client: object) -> None:
    if isinstance(client, AnswersPing):
        await client.ping()
