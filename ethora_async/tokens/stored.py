"""The settings of one client: passed in, set in the environment, or kept in a secret store that rotates them."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING, NoReturn

import attrs

from ethora_async.engine.events import Emitter, SecretRotated
from ethora_async.errors import ConfigError
from ethora_async_secrets import CachedProvider, SecretBundle, SecretError, provider_from_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ethora_async.protocols import Clock
    from ethora_async_secrets import SecretProvider

_TTL = 30.0
"""Seconds for which the store's answer is used before it is asked again."""
_BETWEEN_READS = 0.1
"""Seconds between two readings of the store for the sake of one refused version: every call that is refused asks."""

_NOT_UTF8 = "is not valid UTF-8: check the encoding of the place it is kept in"

_PROCESS_KEY = secrets.token_bytes(16)


class Values:
    """Settings by name, as they were at one moment. It shows no value of theirs, and is not pickled.

    `key` tells two sets of values apart and is no secret.
    """

    __slots__ = ("_values", "key")

    _values: dict[str, str]
    key: str

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        digest = hashlib.blake2b(key=_PROCESS_KEY, digest_size=8)
        for part in (text for item in sorted(self._values.items()) for text in item):
            digest.update(f"{len(part)}:{part}".encode())
        self.key = digest.hexdigest()

    def get(self, name: str) -> str | None:
        """The value, or None where there is none."""
        return self._values.get(name)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def over(self, others: Mapping[str, str]) -> Values:
        """The same with others in the place of some."""
        return Values({**self._values, **others})

    def __repr__(self) -> str:
        return f"Values({', '.join(sorted(self._values))})"

    def __reduce__(self) -> NoReturn:
        msg = "settings are not pickled or copied: secrets among them would leave the process in clear"
        raise TypeError(msg)


@attrs.frozen(eq=False)
class Answer:
    """One answer of the store, with what may hold beside it during a rotation.

    `former` is what was current before, as this process remembers it: not every store keeps it, and the platform may
    go on asking for it for a while.
    """

    bundle: SecretBundle
    current: Values
    previous: Values | None = None
    pending: Values | None = None
    former: Values | None = None

    @property
    def version(self) -> str:
        """The store's name for this answer."""
        return self.bundle.version

    def candidates(self) -> Iterator[Values]:
        """All there are, in the order in which to try them."""
        yield self.current
        yield from (values for values in (self.previous, self.pending, self.former) if values is not None)

    def inbound(self) -> Iterator[Values]:
        """What others may present: the current values and those before the last rotation.

        See docs/architecture.md#secrets-and-rotation.
        """
        yield self.current
        if self.previous is not None:
            yield self.previous


class StoredSettings:
    """Settings that a client reads again when a secret rotates.

    What was passed in comes first. Of the rest, what rotates comes from the store and, where that lacks it, from the
    environment; everything else from the environment and, where that lacks it, from the store.

    Args:
        arguments: the environment's name of each setting, with the name of the argument that may replace it.
        given: what was passed in, by the environment's names; None is not passed in.
        required: those without which the client cannot work.
        rotating: those that rotate.
        provider: where the others come from; None for nowhere.

    Raises:
        ConfigError: a setting is empty, no valid UTF-8, or required and neither given nor to be had from a store.
    """

    def __init__(
        self,
        arguments: Mapping[str, str],
        given: Mapping[str, str | None],
        *,
        required: Iterable[str],
        rotating: Iterable[str],
        provider: SecretProvider | None,
        clock: Clock,
        emitter: Emitter,
    ) -> None:
        self.rotates: bool = provider is not None
        self._arguments = arguments
        self._required = frozenset(required)
        self._clock = clock
        self._emitter = emitter
        passed = {name: _passed(name, argument, given.get(name)) for name, argument in arguments.items()}
        self._fixed = {name: value for name, value in passed.items() if value is not None}
        environment = {name: value for name in arguments if (value := _environment(name)) is not None}
        late = frozenset(rotating) if provider is not None else frozenset[str]()
        self._fallback = {name: value for name, value in environment.items() if name in late}
        self._fixed = {**{name: value for name, value in environment.items() if name not in late}, **self._fixed}
        self._answer: Answer | None = None
        self._asked_again: tuple[str, float] | None = None
        self._provider: CachedProvider | None = None
        if provider is None:
            self._answer = self._made(SecretBundle(self._fixed, source="the arguments and the environment"))
        else:
            self._provider = CachedProvider(provider, ttl=_TTL, clock=clock, on_rotated=self._on_rotated)

    def fixed(self, name: str) -> str | None:
        """The value that no store can change, or None."""
        return self._fixed.get(name)

    def peek(self) -> Answer | None:
        """The settings at hand, or None when the store must be asked first.

        Raises:
            ConfigError: the store's newest answer lacks a required setting.
        """
        if self._provider is None:
            return self._answer
        bundle = self._provider.peek()
        if bundle is None:
            return None
        answer = self._answer
        return answer if answer is not None and answer.bundle is bundle else self._made(bundle)

    async def load(self) -> Answer:
        """The settings, from the store when need be.

        Raises:
            ConfigError: the store cannot be read, or lacks a required setting.
        """
        answer = self.peek()
        if answer is None and self._provider is not None:
            try:
                bundle = await self._provider.fetch()
            except SecretError as error:
                msg = f"the settings could not be read: {error}"
                raise ConfigError(msg) from None
            known = self._answer
            answer = known if known is not None and known.bundle is bundle else self._made(bundle)
        return answer or self._made(SecretBundle({}))

    async def newer(self, version: str) -> Answer:
        """The settings after this version of the store's answer was refused: the store is asked again if it is the
        newest.

        However many calls are refused, the store is asked once for all of them, and then ten times a second at most.

        Raises:
            ConfigError: the store cannot be read, or lacks a required setting.
        """
        answer = await self.load()
        if self._provider is None or answer.version != version:
            return answer
        now = self._clock.monotonic()
        if self._asked_again is not None:
            asked_for, asked_at = self._asked_again
            if asked_for == version and now < asked_at + _BETWEEN_READS:
                return answer
        self._asked_again = (version, now)
        self._provider.invalidate(version)
        return await self.load()

    def values(self) -> Iterator[Values]:
        """Everything known of so far, without asking anybody: for masking it."""
        if self._answer is not None:
            yield from self._answer.candidates()

    async def aclose(self) -> None:
        """Close the provider."""
        if self._provider is not None:
            await self._provider.aclose()

    def _made(self, bundle: SecretBundle) -> Answer:
        current = Values(self._complete(bundle))
        before = self._answer
        former = None
        if before is not None:
            former = before.former if before.current.key == current.key else before.current
        self._answer = Answer(
            bundle, current, self._side(current, bundle.previous), self._side(current, bundle.pending), former
        )
        return self._answer

    def _complete(self, bundle: SecretBundle) -> dict[str, str]:
        """The settings that the bundle adds to the fixed ones."""
        values = {**self._fallback, **self._stored(bundle), **self._fixed}
        for name, argument in self._arguments.items():
            if name in self._required and name not in values:
                raise ConfigError(self._missing(name, argument, bundle.source))
        return values

    def _missing(self, name: str, argument: str, source: str) -> str:
        if self._provider is None:
            return f"{name} is not set or empty: set it in the environment, or pass {argument}= instead"
        return f"{name} is not set: it was looked for in the arguments, the environment and {source}"

    def _stored(self, bundle: SecretBundle) -> dict[str, str]:
        found = {name: bundle.get(name) or "" for name in self._arguments if name not in self._fixed}
        unreadable = [name for name, value in found.items() if not _encodes(value)]
        if unreadable:
            msg = (
                f"{unreadable[0]} in {bundle.source} is not valid UTF-8: check the encoding of the place it is kept in"
            )
            raise ConfigError(msg)
        return {name: value for name, value in found.items() if value.strip()}

    def _side(self, current: Values, bundle: SecretBundle | None) -> Values | None:
        stored = self._stored(bundle) if bundle is not None else {}
        if not stored:
            return None
        values = current.over(stored)
        return values if values.key != current.key else None

    def _on_rotated(self, old: str | None, new: str) -> None:
        self._emitter.emit(SecretRotated(old, new))


def provider_of(provider: SecretProvider | str, required: Iterable[str]) -> SecretProvider:
    """The provider, or the one that a provider URL such as ``file:///run/secrets/chat`` names.

    Raises:
        ConfigError: the URL cannot be used.
    """
    if not isinstance(provider, str):
        return provider
    try:
        return provider_from_url(provider, required=required)
    except SecretError as error:
        raise ConfigError(str(error)) from None


def _passed(name: str, argument: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        msg = f"{argument} must be text, not {type(value).__name__}"
        raise ConfigError(msg)
    if not value.strip():
        msg = f"{argument} ({name}) is empty"
        raise ConfigError(msg)
    return _checked(value, f"{argument} ({name})")


def _environment(name: str) -> str | None:
    value = os.environ.get(name, "").strip()
    return _checked(value, name) if value else None


def _checked(value: str, where: str) -> str:
    if not _encodes(value):
        msg = f"{where} {_NOT_UTF8}"
        raise ConfigError(msg)
    return value


def _encodes(text: str) -> bool:
    # Bytes that are no UTF-8 come from the environment as lone surrogates; encoding one raises an error that holds it.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
