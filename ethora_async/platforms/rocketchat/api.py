"""Calls to one server: signed, with a second factor on request, and never to a route that is closed by a rate limit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.config import Seconds, seconds
from ethora_async.engine.engine import Engine
from ethora_async.engine.patience import LONGEST_PAUSE, is_patient
from ethora_async.engine.urls import QueryValue
from ethora_async.errors import ChatError, RateLimitedError, ReplyLostError
from ethora_async.platforms.rocketchat.admin_session import AdminSession
from ethora_async.platforms.rocketchat.dialect import RocketChatDialect
from ethora_async.platforms.rocketchat.route_limits import RouteLimits
from ethora_async.platforms.rocketchat.two_factor import Factors, TwoFactorRequiredError, WithCode
from ethora_async.protocols import Clock, Credentials
from ethora_async.request import Upload
from ethora_async.tokens.fixed import FixedCredentials

if TYPE_CHECKING:
    from ethora_async.request import Operation, Reply

_A_CODE = re.compile(r"[a-z]+(?:-[a-z]+)+")

NOBODY = FixedCredentials()
"""For routes without authentication."""


@attrs.define(eq=False)
class Shared:
    """State shared by all views of one server."""

    limits: RouteLimits
    verifying: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    verified: int = 0
    clock_offset: float | None = None


@attrs.frozen(eq=False)
class _Input:
    """The inputs of an operation."""

    query: Mapping[str, QueryValue] | None = None
    data: Any = attrs.field(default=None, repr=False)
    path: Mapping[str, str] | None = None
    upload: Upload | None = None

    def arguments(self) -> dict[str, Any]:
        return {"query": self.query, "data": self.data, "path": self.path, "upload": self.upload}


@attrs.frozen(eq=False)
class Api:
    """One server, called as the admin, or as the user of `signer`."""

    url: str
    engine: Engine
    dialect: RocketChatDialect
    clock: Clock
    timeout: float
    shared: Shared
    session: AdminSession
    factors: Callable[[], Factors]
    signer: Credentials | None = None

    def signed_by(self, signer: Credentials) -> Api:
        """Return the same server, called as another user, for whom this client has no second factor."""
        return attrs.evolve(self, signer=signer, factors=Factors)

    def server_now(self) -> float:
        """Return the server's time, as its replies have shown it, in seconds since the epoch."""
        return self.clock.now() + (self.shared.clock_offset or 0.0)

    async def call(
        self,
        operation: Operation,
        *,
        query: Mapping[str, QueryValue] | None = None,
        data: Any = None,
        path: Mapping[str, str] | None = None,
        upload: Upload | None = None,
        credentials: Credentials | None = None,
        timeout: Seconds | None = None,
        enveloped: bool = True,
    ) -> Reply:
        """Carry out one operation; see `Engine.call`.

        Args:
            enveloped: False accepts a reply without a ``success`` field.

        Raises:
            TwoFactorRequiredError: the server requires a second factor that this client does not have, or rejected its
                own. RateLimitedError: the route is closed for longer than the call's timeout.
            ChatError: see `ethora_async.errors`.
        """
        budget = self.timeout if timeout is None else seconds(timeout, "timeout")
        deadline = self.clock.monotonic() + budget
        signer = credentials or self.signer
        verified = self.shared.verified
        try:
            return await self._once(operation, _Input(query, data, path, upload), signer, deadline, enveloped=enveloped)
        except TwoFactorRequiredError as asked:
            if signer is not None or asked.at_login:
                raise
            challenge = asked
        # One code for all concurrent requests: the server remembers for a while that it was given.
        async with self.shared.verifying:
            if self.shared.verified != verified:
                try:
                    return await self._once(
                        operation, _Input(query, data, path, upload), None, deadline, enveloped=enveloped
                    )
                except TwoFactorRequiredError as asked:
                    challenge = asked
            # No variable holds the code here: this frame stays in the traceback.
            with_code = WithCode(
                self.session,
                challenge.method,
                await self.factors().answer(challenge, operation.name, self.clock.now()),
            )
            # Reading a code from an e-mail takes time; the call starts anew.
            late = self.clock.monotonic() + budget
            reply = await self._once(operation, _Input(query, data, path, upload), with_code, late, enveloped=enveloped)
            self.shared.verified += 1
            return reply

    async def _once(
        self,
        operation: Operation,
        given: _Input,
        signer: Credentials | None,
        deadline: float,
        *,
        enveloped: bool,
    ) -> Reply:
        limits = self.shared.limits
        route = limits.route(operation, admin=signer is None or isinstance(signer, WithCode))
        deadline = await self._wait_for(operation, limits.wait(route), deadline)
        left = max(0.001, deadline - self.clock.monotonic())
        try:
            reply = await self.engine.call(operation, **given.arguments(), credentials=signer, timeout=left)
        except RateLimitedError as error:
            if error.retry_after:
                limits.close(route, error.retry_after)
            raise
        limits.learn(route, reply.headers)
        self._learn_time(reply.headers)
        # In a separate function: the traceback shows this frame, and the reply of a log-in contains a token.
        if (refusal := self._refusal(operation, reply, enveloped=enveloped)) is not None:
            raise refusal
        return reply

    async def _wait_for(self, operation: Operation, wait: float, deadline: float) -> float:
        """Wait until a route is open again, and return the deadline, which is later for a patient call."""
        if wait <= 0:
            return deadline
        if is_patient() and wait <= LONGEST_PAUSE:
            await self.engine.wait_as_asked(operation, wait)
            return deadline + wait
        if wait >= deadline - self.clock.monotonic():
            msg = f"the platform has closed this route to us for {wait:.0f} s more"
            raise RateLimitedError(msg, operation=operation.name, retry_after=wait)
        await self.clock.sleep(wait)
        return deadline

    def _refusal(self, operation: Operation, reply: Reply, *, enveloped: bool) -> ChatError | None:
        data = reply.data
        if not enveloped and not (isinstance(data, dict) and data.get("success") is False):
            return None
        if not isinstance(data, dict):
            msg = "the platform's reply has an unexpected shape: no object"
            return ReplyLostError(msg, operation=operation.name, status=reply.status)
        if data.get("success") is True or data.get("status") == "success":
            return None
        failure = self.dialect.read(reply.status, data, reply.headers)
        # The engine masks what an error echoes of the request. It took this reply for a success, so nothing of it is
        # quoted.
        code = failure.code if failure.code is not None and _A_CODE.fullmatch(failure.code) else None
        msg = f"the platform answered HTTP {reply.status}, and said that the call failed"
        return failure.kind(
            msg,
            operation=operation.name,
            status=reply.status,
            code=code,
            attempts=reply.attempts,
            retry_after=failure.retry_after,
        )

    def _learn_time(self, headers: Mapping[str, str]) -> None:
        try:
            stated = parsedate_to_datetime(headers["date"]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return
        # The header counts whole seconds.
        offset = stated - self.clock.now()
        self.shared.clock_offset = 0.0 if abs(offset) <= 1.5 else offset
