"""Credentials that rotate: one implementation for the clients of all platforms.

A rotation causes no failed call, whichever side changes first:

* The store is read every 30 s, and at once when the platform rejects a credential: once for any number of rejected
  calls, then at most ten times a second.
* A rejected call tries the current value of the store, the previous one, the pending one, and the one that this process
  used before. The accepted value is used until the store has a newer version.
* When every candidate is rejected but one was accepted before, the call waits for a newer version, with backoff, within
  its deadline.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import attrs

from ethora_async.config import RetryPolicy
from ethora_async.engine.retry import backoff, drawn
from ethora_async.errors import ChatError, ConfigError
from ethora_async.protocols import Credential
from ethora_async.tokens.settings import SettingsVersion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator

    from ethora_async.protocols import Clock
    from ethora_async.tokens.settings import RotatingSettings, Values
    from ethora_async_secrets import SecretBundle

STARTUP_GRACE = 2.0
"""Seconds for which a credential that was never accepted is treated as part of a rotation in progress."""


class Keyed(Protocol):
    """Anything made from a bundle: keys, a login, or plain `Values`."""

    @property
    def key(self) -> str:
        """Its identity; is not secret."""
        ...


K = TypeVar("K", bound=Keyed)
T = TypeVar("T")


@attrs.frozen(eq=False, repr=False)
class KeyRing(Generic[K]):
    """The keys from one answer of the store: the current keys, and others that the platform may accept during a
    rotation.

    Attributes:
        settings: The answer.
        current, previous, pending: As the store names them.
        former: The current keys before this answer, in this process: not every store keeps the previous value, and the
            platform may still require it. Used only for signing, never for verifying.
    """

    settings: SettingsVersion
    current: K
    previous: K | None = None
    pending: K | None = None
    former: K | None = None

    @property
    def bundle(self) -> SecretBundle:
        """The store's answer."""
        return self.settings.bundle

    @property
    def version(self) -> str:
        """The version of the store's answer; safe to log."""
        return self.settings.bundle.version

    def candidates(self) -> Iterator[K]:
        """Yield all keys without duplicates, in the order in which to try them."""
        seen: set[str] = set()
        for keys in (self.current, self.previous, self.pending, self.former):
            if keys is not None and keys.key not in seen:
                seen.add(keys.key)
                yield keys

    def inbound(self) -> Iterator[K]:
        """Yield the keys for verifying: the current and the previous ones."""
        yield self.current
        if self.previous is not None:
            yield self.previous

    def chosen(self, accepted: Credential | None) -> K:
        """Return the candidate that the platform accepted since this answer, else the current one."""
        if accepted is not None and accepted.version == self.version and accepted.key != self.current.key:
            return next((keys for keys in self.candidates() if keys.key == accepted.key), self.current)
        return self.current


class RotatingKeys(Generic[K]):
    """Keys made from some of a client's settings, and made again when their values change.

    Args:
        settings: The source of the values.
        names: The settings that the keys are made from.
        make: Makes the keys. Its `ConfigError` is raised for the current values; other values are then left out.
        check: Called once with current values before keys are made from them, to emit warnings.
    """

    def __init__(
        self,
        settings: RotatingSettings,
        names: Collection[str],
        make: Callable[[Values], K],
        *,
        check: Callable[[Values], None] | None = None,
    ) -> None:
        self.settings = settings
        self._names = frozenset(names)
        self._make = make
        self._check = check
        self._peek_bundle = settings.peek_bundle
        self._ring: KeyRing[K] | None = None
        self._current_key = ""

    @property
    def rotates(self) -> bool:
        """Whether the keys can change while the client lives."""
        return self.settings.rotates(self._names)

    def peek(self) -> KeyRing[K] | None:
        """Return the available keys, or None when the store must be asked first.

        Raises:
            ConfigError: The store's newest answer cannot be used.
        """
        bundle = self._peek_bundle()
        if bundle is None:
            return None
        ring = self._ring
        return ring if ring is not None and ring.settings.bundle is bundle else self._made(bundle)

    async def load(self) -> KeyRing[K]:
        """Return the keys; ask the store if necessary.

        Raises:
            ConfigError: The store cannot be read, or its answer cannot be used.
        """
        return self.peek() or self._made(await self.settings.load_bundle())

    async def newer(self, version: str) -> KeyRing[K]:
        """Return the keys after `version` was rejected; see `RotatingSettings.newer`.

        Raises:
            ConfigError: The store cannot be read, or its answer cannot be used.
        """
        return self._made(await self.settings.newer(version))

    def known(self) -> Iterator[K]:
        """Yield the available keys without asking the store: for masking them."""
        if self._ring is not None:
            yield from self._ring.candidates()

    def _made(self, bundle: SecretBundle) -> KeyRing[K]:
        old = self._ring
        # By the first of many calls that waited for this answer, or while the store is down.
        if old is not None and old.bundle is bundle:
            return old
        version = self.settings.at(bundle)
        values = version.current.only(self._names)
        if old is not None and values.key == self._current_key:
            current, former = old.current, old.former
        else:
            if self._check is not None:
                self._check(values)
            current, former = self._make(values), None if old is None else old.current
        self._current_key = values.key
        ring = self._ring = KeyRing(
            version, current, self._other(version.previous, current), self._other(version.pending, current), former
        )
        return ring

    def _other(self, values: Values | None, current: K) -> K | None:
        if values is None:
            return None
        try:
            keys = self._make(values.only(self._names))
        except ConfigError:
            return None
        return keys if keys.key != current.key else None


class Acceptance:
    """The credential that the platform accepted last, and whether a rejection may be caused by a rotation in progress.

    Args:
        rotates: Whether the credential can change.
        grace: Seconds from the first rejection for which calls also wait for a credential that was never accepted. A
            client may start during a rotation; but the error of a wrong setting must come soon.
    """

    def __init__(self, *, rotates: bool, clock: Clock, grace: float = 0.0) -> None:
        self.credential: Credential | None = None
        self._rotates = rotates
        self._clock = clock
        self._grace = grace
        self._refused_at: float | None = None

    def accept(self, credential: Credential) -> None:
        """Use the source of this credential until the store has a newer version."""
        self.credential = credential

    def refuse(self) -> None:
        """Record a rejection."""
        if self._refused_at is None:
            self._refused_at = self._clock.monotonic()

    def may_change(self) -> bool:
        """Return whether to wait for a newer secret."""
        if not self._rotates:
            return False
        if self.credential is not None:
            return True
        return self._grace > 0 and (
            self._refused_at is None or self._clock.monotonic() < self._refused_at + self._grace
        )


async def first_accepted(
    keys: RotatingKeys[K],
    acceptance: Acceptance,
    attempt: Callable[[K], Awaitable[T]],
    *,
    rejection: type[ChatError],
    clock: Clock,
    timeout: float,
) -> T:
    """Call `attempt` with the candidates in turn, by the rules of this module.

    For values that are sent in a request's body; the engine handles headers.

    Args:
        rejection: The error that `attempt` raises when the platform rejects the value.
        timeout: Seconds within which to wait for a newer version.

    Raises:
        ChatError: The error of `attempt`; for rejections the first one.
        ConfigError: The store cannot be read, or lacks the value.
    """
    deadline = clock.monotonic() + timeout
    ring = await keys.load()
    tried: set[str] = set()
    first: ChatError | None = None
    rounds = 0
    while True:
        for one in (ring.chosen(acceptance.credential), *ring.candidates()):
            if one.key in tried:
                continue
            tried.add(one.key)
            try:
                result = await attempt(one)
            except rejection as error:
                first = first or error
                continue
            acceptance.accept(Credential({}, one.key, ring.version))
            return result
        acceptance.refuse()
        ring = await keys.newer(ring.version)
        if any(one.key not in tried for one in ring.candidates()):
            continue
        rounds += 1
        wait = backoff(rounds, RetryPolicy(), drawn)
        if first is not None and (not acceptance.may_change() or clock.monotonic() + wait >= deadline):
            raise first
        await clock.sleep(wait)
        # If the store was changed first, the platform may now accept what it rejected.
        tried.clear()


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning that points at the caller's line outside this package."""
    level, frame = 1, sys._getframe()  # noqa: SLF001  as `warnings` itself does
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("ethora_async"):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
