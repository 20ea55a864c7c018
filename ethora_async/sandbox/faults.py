"""Faults that make a sandbox misbehave on purpose.

A *route* selects the calls that a fault affects: `"*"`, `"POST /v2/users/batch"` (a placeholder such as
`{appId}` stands for any value, whatever its name), `"DELETE *"`, or a path alone. Both the route's pattern
and the path that was really called are compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal, Self

import attrs
import orjson

from ethora_async.sandbox.fault_spec import Spec, read_spec
from ethora_async.sandbox.wire import JSON, TEXT, Reply, text_reply

Cut = Literal["before", "after", "body"]
CUTS: tuple[Cut, ...] = ("before", "after", "body")
Wording = Callable[[int, float | str | None], Reply]
SELECTOR = re.compile(r"\*|(?:[A-Z]+ )?(?:/\S*|\*)")
PLACEHOLDER = re.compile(r"\\\{[^{}\\]*+\\\}")


@attrs.frozen
class InjectedFailure:
    """A failure of a call: an `answer` instead of the real one, or a `cut` connection.

    `after_work` answers only after the real work is done, like a gateway with a timeout.
    """

    answer: Reply | None = None
    cut: Cut | None = None
    after_work: bool = False


@attrs.frozen
class FaultPlan:
    """The faults of one request: seconds to wait first, then optionally a failure."""

    latency: float
    failure: InjectedFailure | None


class InjectedFault:
    """One active fault. `hits` counts the affected calls; `remove()` removes it."""

    def __init__(self, owner: Faults, route: str, times: int | None) -> None:
        if SELECTOR.fullmatch(route) is None:
            msg = f'The route {route!r} selects nothing: write "*", "METHOD /path", "METHOD *" or "/path".'
            raise ValueError(msg)
        if times is not None and times < 1:
            msg = f"times={times} for the route {route!r}: a fault applies at least once."
            raise ValueError(msg)
        self.route = route
        self.hits: int = 0
        self._owner = owner
        self._left = times
        self._every = 1
        self._lasts = 0.0
        self._calls = 0
        self._until = float("-inf")
        pattern = PLACEHOLDER.sub("[^/]+", re.escape(route)).replace(r"\*", ".*")
        self._pattern = re.compile(pattern if " " in route or route == "*" else f"[A-Z]+ {pattern}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.route!r} hits={self.hits}>"

    def strikes(self, calls: tuple[str, ...], now: float) -> bool:
        """Return whether this fault applies to a call, and count it."""
        if not any(self._pattern.fullmatch(call) for call in calls) or not self._due(now):
            return False
        self.hits += 1
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.remove()
        return True

    def only(self, *, every: int = 1, lasts: float = 0.0) -> Self:
        """Strike only every `every`-th call that the route selects, and all calls for `lasts` seconds after it.

        Return this fault.

        `fail(times=None).only(every=50)` strikes 2 % of the calls, `only(every=500, lasts=0.5)` in bursts of half a
        second.
        """
        if every < 1 or not 0 <= lasts < float("inf"):
            msg = f"every={every} lasts={lasts} for the route {self.route!r}: a number from 1 and seconds from 0 on."
            raise ValueError(msg)
        self._every = every
        self._lasts = lasts
        return self

    def remove(self) -> None:
        """Remove the fault; does nothing when it is already gone."""
        self._owner.drop(self)

    def _due(self, now: float) -> bool:
        if now < self._until:
            return True
        self._calls += 1
        if self._calls % self._every:
            return False
        self._until = now + self._lasts
        return True


class Delay(InjectedFault):
    """Waits before the call is handled."""

    def __init__(self, owner: Faults, route: str, times: int | None, seconds: float) -> None:
        super().__init__(owner, route, times)
        self.seconds = seconds


class Break(InjectedFault):
    """Makes the call fail."""

    def __init__(self, owner: Faults, route: str, times: int | None, failure: InjectedFailure) -> None:
        super().__init__(owner, route, times)
        self.failure = failure


class Limit(Break):
    """Rejects calls above `limit` in a window of `per` seconds."""

    def __init__(self, owner: Faults, route: str, failure: InjectedFailure, limit: int, per: float) -> None:
        super().__init__(owner, route, None, failure)
        self._limit = limit
        self._per = per
        self._opened = float("-inf")
        self._seen = 0

    def _due(self, now: float) -> bool:
        if not 0 <= now - self._opened < self._per:
            self._opened, self._seen = now, 0
        self._seen += 1
        return self._seen > self._limit


class Faults:
    """All faults of a sandbox.

    `job_polls`: how many polls see a job unfinished (1). `job_delay`: seconds, by the sandbox's clock, before
    a job may finish. `job_stall`: seconds that each `job_stall_every`-th job (0: none) takes on top. `deletion_lag`:
    seconds for which deleted chats and removed members stay listed. `legacy_errors`: bare text in place of JSON where
    older servers answered so. `wording`: the platform's body of a failure without a given body.
    """

    def __init__(
        self,
        *,
        job_polls: int = 1,
        job_delay: float = 0.0,
        deletion_lag: float = 0.0,
        legacy_errors: bool = False,
        wording: Wording | None = None,
    ) -> None:
        self._wording = wording
        self.job_polls = job_polls
        self.job_delay = job_delay
        self.job_stall: float = 0.0
        self.job_stall_every = 0
        self.deletion_lag = deletion_lag
        self.legacy_errors = legacy_errors
        self._active: list[InjectedFault] = []
        self._job_failures: list[str] = []

    @classmethod
    def parse(cls, spec: str) -> Faults:
        """Read a compact SPEC: `POST /v2/users/batch: status=503 times=2; *: latency=0.05; job_polls=3`.

        Keys of a route: status, times, every, lasts, cut, after_work, retry_after, body, content_type, latency,
        limit, per. Without a route: job_polls, job_delay, job_stall, job_stall_every, deletion_lag, legacy_errors.
        ValueError names the part that is wrong.
        """
        faults = cls()
        faults.load(spec)
        return faults

    @property
    def armed(self) -> bool:
        """True while some fault is active."""
        return bool(self._active)

    @property
    def active(self) -> tuple[InjectedFault, ...]:
        """The active faults, in the order they were set."""
        return tuple(self._active)

    def load(self, spec: str) -> None:
        """Add the faults of a SPEC (see `parse`); nothing is added when a part of it is invalid."""
        entries = read_spec(spec)
        trial = Faults()
        for faults in (trial, self):
            for entry in entries:
                _apply(faults, entry)

    def fail(
        self,
        route: str = "*",
        *,
        times: int | None = 1,
        status: int = 503,
        cut: Cut | None = None,
        after_work: bool = False,
        retry_after: float | str | None = None,
        body: object = None,
        content_type: str | None = None,
    ) -> InjectedFault:
        """Let the next `times` calls (None: all) fail with a status, or cut their connection.

        `cut`: "before" resets it before any work, "after" once the work is done, "body" sends half of the
        real reply. `after_work` does the work before it answers with `status`. `retry_after` is seconds or an
        HTTP date. `body` is text, or anything that JSON can say; the default is the platform's error object.
        """
        if cut is not None:
            if cut not in CUTS:
                msg = f"cut={cut!r} for the route {route!r}: choose one of {', '.join(CUTS)}."
                raise ValueError(msg)
            return self._add(Break(self, route, times, InjectedFailure(cut=cut)))
        answer = self._failure_answer(status, retry_after, body, content_type)
        return self._add(Break(self, route, times, InjectedFailure(answer, after_work=after_work)))

    def latency(self, seconds: float, route: str = "*", *, times: int | None = None) -> InjectedFault:
        """Wait before calls are handled; several latencies add up."""
        if not 0 <= seconds < float("inf"):
            msg = f"latency={seconds} for the route {route!r}: give seconds from 0 on."
            raise ValueError(msg)
        return self._add(Delay(self, route, times, seconds))

    def rate_limit(
        self,
        route: str = "*",
        *,
        times: int = 1,
        limit: int | None = None,
        per: float = 1.0,
        retry_after: float | str | None = 1,
    ) -> InjectedFault:
        """Reply 429: to the next `times` calls, or with `limit` to all above that many in `per` seconds."""
        if limit is None:
            return self.fail(route, times=times, status=429, retry_after=retry_after)
        if limit < 0 or not per > 0:
            msg = f"limit={limit} per={per} for the route {route!r}: give a limit from 0 on and a time above 0."
            raise ValueError(msg)
        failure = InjectedFailure(self._failure_answer(429, retry_after, None, None))
        return self._add(Limit(self, route, failure, limit, per))

    def fail_jobs(self, times: int = 1, error: str = "Job failed") -> None:
        """Let the next `times` jobs end as `failed`, without any effect."""
        self._job_failures += [error] * times

    def take_job_failure(self) -> str | None:
        """Return the error of the new job, if it must fail."""
        return self._job_failures.pop(0) if self._job_failures else None

    def job_time(self, number: int) -> float:
        """Return the seconds before a job may finish; jobs are numbered from 1."""
        stalls = self.job_stall_every > 0 and number % self.job_stall_every == 0
        return self.job_delay + (self.job_stall if stalls else 0.0)

    def drop(self, fault: InjectedFault) -> None:
        """Remove one fault."""
        self._active = [other for other in self._active if other is not fault]

    def clear(self) -> None:
        """Remove all faults. Lag, polls and the legacy switch stay as they are."""
        self._active.clear()
        self._job_failures.clear()

    def plan(self, method: str, path: str, operation: str | None, now: float) -> FaultPlan | None:
        """Decide the faults of a call, and count it. The first break wins; latencies add up."""
        calls = (f"{method} {path}",) if operation is None else (f"{method} {path}", operation)
        latency, failure, struck = 0.0, None, False
        for fault in self.active:
            if isinstance(fault, Break) and failure is not None:
                continue
            if not fault.strikes(calls, now):
                continue
            struck = True
            if isinstance(fault, Delay):
                latency += fault.seconds
            elif isinstance(fault, Break):
                failure = fault.failure
        return FaultPlan(latency, failure) if struck else None

    def _add(self, fault: InjectedFault) -> InjectedFault:
        self._active.append(fault)
        return fault

    def _failure_answer(
        self, status: int, retry_after: float | str | None, body: object, content_type: str | None
    ) -> Reply:
        if body is None and content_type is None and self._wording is not None:
            _check_status(status)
            return self._wording(status, retry_after)
        return _failure_answer(status, retry_after, body, content_type)


def _failure_answer(status: int, retry_after: float | str | None, body: object, content_type: str | None) -> Reply:
    _check_status(status)
    headers: dict[str, str] = {}
    if retry_after is not None:
        headers["Retry-After"] = retry_after if isinstance(retry_after, str) else f"{retry_after:g}"
    if isinstance(body, str):
        return text_reply(body, status, content_type or TEXT, headers)
    if body is None:
        known = status in {member.value for member in HTTPStatus}
        body = {"success": False, "error": HTTPStatus(status).phrase if known else f"Status {status}"}
    return Reply(status, orjson.dumps(body), content_type or JSON, headers)


def _check_status(status: int) -> None:
    if not 200 <= status <= 599:
        msg = f"status={status}: a reply has a status from 200 to 599."
        raise ValueError(msg)


def _apply(faults: Faults, entry: Spec) -> None:
    if entry.route is None:
        for key, value in entry.values.items():
            setattr(faults, key, value)
        return
    values = dict(entry.values)
    rhythm = {key: values.pop(key) for key in ("every", "lasts") if key in values}
    if entry.latency is not None:
        faults.latency(entry.latency, entry.route, times=values.get("times")).only(**rhythm)
    if "limit" in values:
        faults.rate_limit(entry.route, **values)
    elif entry.breaks:
        faults.fail(entry.route, **values).only(**rhythm)
