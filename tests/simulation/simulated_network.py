"""The network between a client and a platform: slow and lossy, with an exact record of its actions.

Requests and replies of concurrent calls pass each other, as each has delays of its own. A proxy may repeat any request:
the platform then receives it twice, at once or later, and the client gets one of the two replies. A request may arrive
after its client has given up, or was killed. Not simulated:

* A reply given to another request than its own. The simulation stands in for the transport, and the pairing of
  requests with replies on one connection is the HTTP library's work below it.
* A cached reply to anything but the question for a job. The listings of a platform may be old for a minute, but a
  plan made from an old one is right about nothing, so that no invariant would be left to check.
* A request that arrives after its deadline. No client can protect a newer change from it.
* Realtime connections. Their sockets are real in `tests/realtime`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import attrs
from multidict import CIMultiDict

from ethora_async.errors import NotSentError, ReplyLostError
from ethora_async.request import Request, Response

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from ethora_async.sandbox.wire import Reply


_SIGNING = ("Authorization", "x-custom-token", "X-Auth-Token")


class Gateway(Protocol):
    """A platform without its sockets."""

    async def answer(self, request: Any, path: str, query: str) -> Reply:
        """Reply one request."""
        ...


class Arriving:
    """A request as a platform reads it off a socket."""

    scheme = "http"
    remote = "203.0.113.5"

    def __init__(self, request: Request) -> None:
        self.method = request.method
        self.headers = CIMultiDict(request.headers)
        self.content_type = self.headers.get("Content-Type", "").partition(";")[0]
        self._body = request.body or b""

    async def read(self) -> bytes:
        """Return the body."""
        return self._body


@attrs.frozen
class Weather:
    """How bad the network and the platform are: chances from 0 to 1, and seconds."""

    delay: float = 0.2
    refused: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    repeated: float = 0.0
    silent: float = 0.0
    stale_reply: float = 0.0
    burst: float = 0.0

    @classmethod
    def drawn(cls, dice: random.Random) -> Weather:
        """Return fair weather, or bad weather of some kind."""
        if dice.random() < 0.2:
            return cls()
        most = dice.choice((0.05, 0.1, 0.25))
        return cls(dice.choice((0.05, 0.3, 2.0)), *(dice.choice((0.0, most)) for _ in range(7)))


@attrs.define
class Attempt:
    """One request that a client sent, for the call of this number, and what became of it."""

    at: float
    method: str
    url: str
    body: bytes
    call: int = 0
    end: str = "under way"
    retry_after: float | None = None
    ended: float = math.inf
    repeated: bool = False


class Network:
    """Carries requests to a gateway. What it draws comes from its dice alone.

    Attributes:
        log: every attempt, in order.
        tokens: every token that was sent.
        open: how many requests are under way.
        late_repeats: whether the copy of a request may arrive after its reply.
        repeats: the body of each request that was delivered twice.
    """

    def __init__(self, gateway: Gateway, dice: random.Random, now: Callable[[], float], origin: str) -> None:
        self._gateway = gateway
        self._dice = dice
        self._now = now
        self._origin = origin
        self.weather = Weather()
        self.log: list[Attempt] = []
        self.open = 0
        self.tokens: set[str] = set()
        self.dead = False
        self.late_repeats = True
        self._burst: tuple[float, int, float | None] = (0.0, 0, None)
        self._begun = itertools.count(1)
        self._calls: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._replies: dict[str, Response] = {}
        self._late: list[tuple[float, int, Request]] = []
        self._numbers = itertools.count()
        self.repeats: list[bytes] = []
        self.faults: Counter[str] = Counter()

    def begin_call(self) -> None:
        """Number what the current task sends from now on: it is one call, with all its attempts."""
        self._calls[asyncio.current_task()] = next(self._begun)

    def calm(self) -> None:
        """Let fair weather begin, and end a burst of refusals."""
        self.weather, self._burst = Weather(), (0.0, 0, None)

    async def send(self, request: Request) -> Response:
        """Carry one request there and its reply back."""
        if self.dead:
            raise NotSentError("the process is dead")
        attempt = Attempt(
            self._now(), request.method, request.url, request.body or b"", self._calls.get(asyncio.current_task(), 0)
        )
        self.log.append(attempt)
        self.tokens |= {value.split()[-1] for name, value in request.headers.items() if name in _SIGNING}
        self.open += 1
        try:
            async with asyncio.timeout(request.timeout):
                response = await self._carried(request, attempt)
            attempt.end = str(response.status)
        except TimeoutError:
            attempt.end = "lost"
            msg = "the platform did not answer in time"
            raise ReplyLostError(msg) from None
        except NotSentError:
            attempt.end = "not sent"
            raise
        except ReplyLostError:
            attempt.end = "lost"
            raise
        except BaseException:
            attempt.end = "abandoned"
            raise
        finally:
            attempt.ended = self._now()
            self.open -= 1
        return response

    async def _carried(self, request: Request, attempt: Attempt) -> Response:
        weather, dice = self.weather, self._dice
        fate = self._fate(weather)
        await asyncio.sleep(dice.random() * weather.delay)
        await self._lost_on_the_way(fate, request, attempt)
        if fate == "stale" and request.method == "GET" and request.url in self._replies:
            return self._replies[request.url]
        if (refusal := await self._in_a_burst(request, attempt)) is not None:
            return refusal
        response = await self._delivered(request)
        if fate == "repeated":
            attempt.repeated = True
            self.repeats.append(attempt.body)
            if not self.late_repeats or dice.random() < 0.5:
                response = await self._delivered(request)
            else:
                self._deliver_later(request, attempt)
        await asyncio.sleep(dice.random() * weather.delay)
        if fate == "cut after":
            raise ReplyLostError("the connection broke before the reply was complete")
        return response

    async def _lost_on_the_way(self, fate: str, request: Request, attempt: Attempt) -> None:
        """Raise the error of a request whose reply will never come; return for any other."""
        if fate == "refused":
            raise NotSentError("the platform could not be reached")
        if fate == "cut before":
            if self._dice.random() < 0.5:
                self._deliver_later(request, attempt)
            raise ReplyLostError("the connection broke before the reply was complete")
        if fate == "silent":
            if self._dice.random() < 0.5:
                self._deliver_later(request, attempt)
            await asyncio.sleep(math.inf if request.timeout is not None else 3_600.0)

    def _fate(self, weather: Weather) -> str:
        chances = {
            "refused": weather.refused,
            "cut before": weather.cut_before,
            "cut after": weather.cut_after,
            "silent": weather.silent / 4,
            "stale": weather.stale_reply,
            "repeated": weather.repeated,
        }
        point = self._dice.random()
        for name, chance in chances.items():
            if point < chance:
                self.faults[name] += 1
                return name
            point -= chance
        return ""

    async def _in_a_burst(self, request: Request, attempt: Attempt) -> Response | None:
        """Return the refusal of a burst of 429 or 5xx; 502 and 504 may come after the work was done."""
        now = self._now()
        if now >= self._burst[0] and self._dice.random() < self.weather.burst / 4:
            status = self._dice.choice((429, 429, 500, 502, 503, 504))
            wait = self._dice.choice((0.5, 2.0, 5.0)) if status in (429, 503) else None
            self._burst = (now + self._dice.choice((0.2, 1.0, 4.0)), status, wait)
        until, status, wait = self._burst
        if now >= until:
            return None
        self.faults[str(status)] += 1
        if status in (502, 504) and self._dice.random() < 0.5:
            await self._delivered(request)
        headers = CIMultiDict({"Content-Type": "application/json"})
        if wait is not None:
            headers["Retry-After"] = f"{wait:g}"
            attempt.retry_after = wait
        return Response(status, headers, b'{"success":false,"error":"simulated"}')

    def _deliver_later(self, request: Request, attempt: Attempt) -> None:
        """Let a request arrive at some time before its deadline, whatever becomes of its client meanwhile."""
        due = attempt.at + self._dice.uniform(self._now() - attempt.at, request.timeout or 10.0)
        heapq.heappush(self._late, (due, next(self._numbers), request))

    async def settle(self, until: float = math.inf) -> None:
        """Deliver the late requests that are due."""
        while self._late and self._late[0][0] <= until:
            await self._answered(heapq.heappop(self._late)[2])
            self.faults["late"] += 1

    async def _delivered(self, request: Request) -> Response:
        await self.settle(self._now())
        return await self._answered(request)

    async def _answered(self, request: Request) -> Response:
        path, _, query = request.url.removeprefix(self._origin).partition("?")
        answer = await self._gateway.answer(Arriving(request), path, query)
        headers = CIMultiDict(answer.headers)
        headers["Content-Type"] = answer.content_type
        response = Response(answer.status, headers, answer.body)
        # A cache on the way that gives the last reply to a question twice: of jobs alone, whose state only moves on.
        if request.method == "GET" and "/batch/" in request.url:
            self._replies[request.url] = response
        return response


class Line:
    """The transport of one client: closed with it, and then silent."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.closed = False

    async def send(self, request: Request, /) -> Response:
        """Send through the network."""
        if self.closed:
            raise NotSentError("the transport is closed")
        return await self._network.send(request)

    async def aclose(self) -> None:
        """Close the line."""
        self.closed = True
