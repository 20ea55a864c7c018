"""Credentials of one user: a session that renews itself."""

from __future__ import annotations

import copy
import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING

from ethora_async import engine
from ethora_async.engine.patience import joined, shared_by_callers
from ethora_async.errors import ChatError, UnauthorizedError
from ethora_async.platforms.ethora.sessions.session import Session, authorization, life
from ethora_async.protocols import Credential
from ethora_async.redaction import scrub
from ethora_async_secrets.concurrency import SingleFlight

if TYPE_CHECKING:
    from ethora_async.engine.emitter import Emitter
    from ethora_async.protocols import Clock

MARGIN = 30.0
"""Seconds before its expiry from which a session is renewed (docs/platforms/ethora.md#tokens-of-the-platform)."""
_AFTER_FAILURE = 5.0
"""Seconds before a failed early renewal is retried."""

OnRenewed = Callable[[Session], Awaitable[None] | None]
"""Called with every renewed session, so that it can be stored; awaited if it is a coroutine function."""

logger: logging.Logger = logging.getLogger("ethora_async")


class SessionCredentials:
    """Signs with a session's token, and renews the session once for all waiting calls.

    In the last half minute of the token's life it is renewed in the background; after it expires, and when the platform
    rejects it, calls wait for the renewal. A call that was rejected with an already replaced token gets the new one
    without another renewal. There is one renewal per call: if a route rejects a new token too, the cause is another. A
    rejected renewal ends the session for good; any other failure is forgotten at the next call.

    Args:
        renew: returns the next session.
        on_renewed: see `OnRenewed`; its failure is logged, and the session is used nevertheless.
    """

    def __init__(
        self,
        session: Session,
        renew: Callable[[Session], Awaitable[Session]],
        *,
        clock: Clock,
        emitter: Emitter,
        on_renewed: OnRenewed | None = None,
    ) -> None:
        self._renew = renew
        self._clock = clock
        self._emitter = emitter
        self._on_renewed = on_renewed
        self._flight = SingleFlight(self._renewing)
        self._generation = 0
        self._refused: UnauthorizedError | None = None
        self._take(session, fresh=False)

    @property
    def session(self) -> Session:
        """The newest session."""
        return self._session

    @property
    def generation(self) -> int:
        """Number of sessions so far."""
        return self._generation

    def peek(self) -> Credential | None:
        """Return the current credential; None after it has expired, when `acquire` must be awaited."""
        now = self._clock.now()
        if now >= self._due and self._can_renew():
            if now >= self._ends:
                return None
            with shared_by_callers():
                self._flight.start()
        return self._credential

    async def acquire(self) -> Credential:
        """Return a credential that has not expired.

        Raises:
            ChatError: the session could not be renewed.
        """
        if self.peek() is None:
            await self._renewed()
        return self._credential

    def accepted(self, credential: Credential) -> None:
        """Do nothing: there is no choice to remember."""

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        """Return the next credential; None when the session cannot be renewed, or was renewed for this call already.

        Raises:
            UnauthorizedError: the platform refused to renew the session: it has ended.
            ChatError: the renewal failed.
        """
        if rejected is self._credential:
            if self._refused is not None:
                raise copy.copy(self._refused)
            if len(tried) > 1 or not self._can_renew():
                return None
            await self._renewed()
        return self._credential if self._credential.key not in tried else None

    def may_change(self) -> bool:
        """Return False: waiting brings nothing that `replace` could not get."""
        return False

    def adopt(self, session: Session, generation: int) -> None:
        """Use a session from another reply, unless there has been a newer one since `generation`."""
        if generation == self._generation:
            self._take(session, fresh=session.token != self._session.token)

    def end(self) -> None:
        """Stop renewing: the session was logged out."""
        self._refused = UnauthorizedError("the session was logged out")

    async def aclose(self) -> None:
        """Cancel a pending renewal."""
        await self._flight.aclose()

    def _take(self, session: Session, *, fresh: bool) -> None:
        self._session = session
        if not fresh and self._generation:
            return
        self._generation += 1
        self._credential = Credential(authorization(session.token), f"session {self._generation}")
        issued, ends = life(session.token)
        now = self._clock.now()
        self._due = self._ends = float("inf")
        if ends is None:
            return
        self._ends = ends
        lifetime = ends - issued if issued is not None and ends > issued else None
        if fresh:
            # Measured from now on: a clock ahead of the platform's must not cause a renewal at every call.
            self._ends = max(ends, now + (lifetime if lifetime is not None else 2 * MARGIN))
        self._due = self._ends - (MARGIN if lifetime is None else min(MARGIN, lifetime / 2))

    def _can_renew(self) -> bool:
        return self._session.refresh_token is not None and self._refused is None

    async def _renewed(self) -> None:
        await joined(self._flight, self._clock)

    async def _renewing(self) -> None:
        try:
            session = await self._renew(self._session)
        except ChatError as error:
            self._due = self._clock.now() + _AFTER_FAILURE
            failure = _renewal_failure(error, self._session)
            if isinstance(failure, UnauthorizedError):
                self._refused = failure
            raise failure from None
        self._take(session, fresh=True)
        self._emitter.emit(engine.TokenRefreshed("session", self._credential.key))
        await self._tell(session)

    async def _tell(self, session: Session) -> None:
        if self._on_renewed is None:
            return
        try:
            answer = self._on_renewed(session)
            if isawaitable(answer):
                await answer
        except Exception as error:  # noqa: BLE001  the callback must not break the call
            # No traceback: its frames hold the session.
            logger.error("on_renewed failed with %s; the renewed session is used all the same", type(error).__name__)


def _renewal_failure(error: ChatError, session: Session) -> ChatError:
    failure = copy.copy(error)
    # The engine masks what the request carried; the token to replace was not part of it.
    reason = scrub(error.message, session.token.reveal().split()[-1:])
    failure.args = (f"the session could not be renewed: {reason}",)
    # The call that needed it was rejected, or not sent at all: it had no effect.
    failure.effect = "none"
    return failure
