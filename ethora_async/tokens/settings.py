"""Sources of a client's settings, on every platform (docs/architecture.md#secrets-and-rotation).

The precedence is the same for every setting, client, constructor, ``from_env`` and command:

1. the argument;
2. the store: the provider passed as ``secret=`` or to ``from_secrets``, else the one that ``ETHORA_SECRETS`` names;
3. the platform's own environment variable, such as ``ETHORA_CHAT_APP_SECRET``.

``ETHORA_SECRETS`` is not read if every required setting was passed in. Newlines at the end of a value are dropped,
whatever its source; other white space is kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn, cast

import attrs

from ethora_async import engine
from ethora_async.errors import ConfigError, SettingsUnavailableError
from ethora_async.redaction import Secret, WrongType, masked_credential, wrapped
from ethora_async_secrets import NoSecretsError, SecretBundle, SecretError, SecretUnavailableError
from ethora_async_secrets.text import fingerprint, is_text, without_newline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ethora_async.engine.emitter import Emitter
    from ethora_async.protocols import Clock
    from ethora_async_secrets import CachedProvider, SecretProvider

LOCATOR = "ETHORA_SECRETS"
"""The variable that names the store."""

_TTL = 30.0
"""Seconds for which the store's answer is used before it is read again."""
_BETWEEN_READS = 0.1
"""Seconds between two reads of the store for one rejected version: every rejected call requests one."""

Masked = Mapping[str, Secret]
"""Setting values by name, as frames may hold them."""


class Values:
    """Setting values by name, at one point in time.

    The repr shows names only, and pickling raises an error.

    Attributes:
        key: Identifies a set of values; is not secret.
    """

    __slots__ = ("_values", "key")

    _values: dict[str, Secret]
    key: str

    def __init__(self, values: Mapping[str, str | Secret]) -> None:
        self._values = {name: wrapped(value) for name, value in values.items()}
        self.key = fingerprint(text for name, value in sorted(self._values.items()) for text in (name, value.reveal()))

    def get(self, name: str) -> str | None:
        """Return the value, or None when it is not set."""
        value = self._values.get(name)
        return None if value is None else value.reveal()

    def __getitem__(self, name: str) -> str:
        return self._values[name].reveal()

    def only(self, names: Collection[str]) -> Values:
        """Return the values of these names."""
        return Values({name: value for name, value in self._values.items() if name in names})

    def __repr__(self) -> str:
        return f"Values({', '.join(sorted(self._values))})"

    def __reduce__(self) -> NoReturn:
        msg = "settings cannot be pickled or copied: that would write out secrets"
        raise TypeError(msg)


@attrs.frozen(eq=False, repr=False)
class SettingsVersion:
    """All settings from one answer of the store, with those that may also be valid during a rotation."""

    bundle: SecretBundle
    current: Values
    previous: Values | None = None
    pending: Values | None = None

    @property
    def version(self) -> str:
        """The version of the store's answer; safe to log."""
        return self.bundle.version


class RotatingSettings:
    """The settings of one client. The module's docstring lists their sources.

    Args:
        arguments: The environment variable of each setting, with the name of the argument that replaces it.
        given: The arguments, by environment variable; None for those not passed in. Secrets are passed as `Secret`,
            because the frames of an error show this mapping.
        required: The settings without which the client cannot work.
        rotating: The settings that rotate.
        provider: The store, if one was passed in. A `CachedProvider` is used as it is.
        anchors: In a chain of stores, a store that lacks one of these is skipped.
        alternatives: Groups of settings of which one is enough. A source that has a setting of one group hides the
            other groups in lower sources.

    Attributes:
        has_store: Whether a store is read.

    Raises:
        ConfigError: A setting is empty, is not valid UTF-8, or is required and missing.
    """

    def __init__(
        self,
        arguments: Mapping[str, str],
        given: Mapping[str, str | Secret | None],
        *,
        required: Iterable[str],
        rotating: Iterable[str],
        provider: SecretProvider | None,
        clock: Clock,
        emitter: Emitter,
        anchors: Iterable[str] = (),
        alternatives: Iterable[Collection[str]] = (),
    ) -> None:
        self._arguments = arguments
        self._required = frozenset(required)
        self._alternatives = tuple(tuple(group) for group in alternatives)
        self._clock = clock
        self._emitter = emitter
        self._fixed = _passed_in(arguments, given)
        self._version: SettingsVersion | None = None
        self._asked_again: tuple[str, float] | None = None
        self._provider: CachedProvider | None = None
        self._environment, self._unreadable = _environment(arguments)
        store = provider if provider is not None or self._whole() else _named_store(anchors)
        if store is not None:
            from ethora_async_secrets import CachedProvider

            self._provider = (
                # The owner of the cache has chosen its times.
                store if isinstance(store, CachedProvider) else CachedProvider(store, ttl=_TTL, clock=clock)
            )
        self.has_store: bool = self._provider is not None
        hidden = self._hidden(self._fixed)
        self._changing = frozenset(name for name in rotating if name not in self._fixed and name not in hidden)
        if self._provider is None:
            self._fixed = self._over(self._environment, self._fixed)
            self.at(SecretBundle({}, source="the arguments and the environment"))

    def fixed(self, name: str) -> str | None:
        """Return the value that no store can change, or None."""
        value = self._fixed.get(name)
        return None if value is None else value.reveal()

    def known(self, name: str) -> str | None:
        """Return the value that is known without asking the store."""
        return self.fixed(name) if self._version is None else self._version.current.get(name)

    def rotates(self, names: Iterable[str]) -> bool:
        """Return whether one of these settings can change while the client lives."""
        return self._provider is not None and not self._changing.isdisjoint(names)

    def peek_bundle(self) -> SecretBundle | None:
        """Return the available answer of the store, or None when the store must be asked first."""
        if self._provider is not None:
            return self._provider.peek()
        return self._version.bundle if self._version is not None else None

    def peek(self) -> SettingsVersion | None:
        """Return the available settings, or None when the store must be asked first.

        Raises:
            ConfigError: The store's newest answer lacks a required setting.
        """
        bundle = self.peek_bundle()
        return None if bundle is None else self.at(bundle)

    async def load(self) -> SettingsVersion:
        """Return the settings; ask the store if necessary.

        Raises:
            ConfigError: The store cannot be read, or lacks a required setting.
        """
        return self.at(await self.load_bundle())

    async def load_bundle(self) -> SecretBundle:
        """Return the store's answer.

        Raises:
            SettingsUnavailableError: The store does not answer now.
            ConfigError: The store cannot be read.
        """
        bundle = self.peek_bundle()
        if bundle is not None or self._provider is None:
            return bundle or SecretBundle({})
        try:
            return await self._provider.fetch()
        except SecretError as error:
            msg = f"the settings could not be read: {error}"
            raise unread(error, msg) from None

    async def newer(self, version: str) -> SecretBundle:
        """Return the store's answer after `version` was rejected; read the store again if that is the newest.

        For any number of rejected calls the store is read once, and then at most ten times a second.

        Raises:
            ConfigError: The store cannot be read.
        """
        bundle = await self.load_bundle()
        if self._provider is None or bundle.version != version:
            return bundle
        now = self._clock.monotonic()
        if self._asked_again is not None:
            asked_for, asked_at = self._asked_again
            if asked_for == version and now < asked_at + _BETWEEN_READS:
                return bundle
        self._asked_again = (version, now)
        self._provider.invalidate(version)
        return await self.load_bundle()

    def at(self, bundle: SecretBundle) -> SettingsVersion:
        """Return the settings from this answer; the first use of a changed answer emits the event.

        Raises:
            ConfigError: A required setting is missing, or a setting cannot be used.
        """
        before = self._version
        if before is not None and before.bundle is bundle:
            return before
        current = self._complete(bundle)
        version = self._version = SettingsVersion(
            bundle, current, self._side(current, bundle.previous), self._side(current, bundle.pending)
        )
        if self._emitter.wanted:
            self._emitter.emit(engine.SecretRead(bundle.version))
        # A store's answer also holds other values, which may change independently.
        if before is not None and before.current.only(self._changing).key != current.only(self._changing).key:
            self._emitter.emit(engine.SecretRotated(before.bundle.version, bundle.version))
        return version

    def values(self) -> Iterator[Values]:
        """Yield every value known so far without asking the store: for masking."""
        version = self._version
        if version is not None:
            yield from (one for one in (version.current, version.previous, version.pending) if one is not None)

    async def aclose(self) -> None:
        """Close the provider."""
        if self._provider is not None:
            await self._provider.aclose()

    def _whole(self) -> bool:
        """Return whether the arguments alone are enough."""
        groups = self._alternatives
        return self._required <= self._fixed.keys() and (
            not groups or any(self._fixed.keys() >= set(group) for group in groups)
        )

    def _complete(self, bundle: SecretBundle) -> Values:
        problem = self._unusable(bundle)
        if problem:
            raise ConfigError(problem)
        values = self._over(self._over(self._environment, self._stored(bundle)), self._fixed)
        unreadable = [name for name in self._arguments if name in self._unreadable and name not in values]
        if unreadable:
            msg = f"{unreadable[0]} is not valid UTF-8: check the encoding of the environment"
            raise ConfigError(msg)
        groups = self._alternatives
        if groups and not any(values.keys() >= set(group) for group in groups):
            raise ConfigError(self._no_alternative(bundle.source))
        missing = [name for name in self._arguments if name in self._required and name not in values]
        if missing:
            raise ConfigError(self._missing(missing[0], bundle.source))
        return Values(values)

    def _missing(self, name: str, source: str) -> str:
        if self._provider is None:
            return f"{name} is not set or empty: set it in the environment, or pass {self._arguments[name]}= instead"
        return f"{name} is not set: it was looked for in the arguments, in {source} and in the environment"

    def _no_alternative(self, source: str) -> str:
        ways = ", or ".join(" and ".join(group) for group in self._alternatives)
        if self._provider is None:
            arguments = ", or ".join(
                " and ".join(f"{self._arguments[name]}=" for name in group) for group in self._alternatives
            )
            return f"set {ways} in the environment, or pass {arguments}: none of these is set and not empty"
        return f"set {ways}: it was looked for in the arguments, in {source} and in the environment"

    def _unusable(self, bundle: SecretBundle) -> str:
        """Return the setting that the store has in an unusable form; empty when there is none."""
        for name in self._arguments:
            if name in self._fixed:
                continue
            if name in bundle.unusable:
                return f"{name} in {bundle.source} cannot be used: {bundle.unusable[name]}"
            if not is_text(bundle.get(name) or ""):
                return f"{name} in {bundle.source} is not valid UTF-8: check the encoding of the place it is kept in"
        return ""

    def _stored(self, bundle: SecretBundle) -> Masked:
        names = [name for name in self._arguments if name not in self._fixed and name not in bundle.unusable]
        found = {name: Secret(without_newline(bundle.get(name) or "")) for name in names}
        return {name: value for name, value in found.items() if value.reveal().strip() and is_text(value.reveal())}

    def _side(self, current: Values, bundle: SecretBundle | None) -> Values | None:
        stored = self._stored(bundle) if bundle is not None else {}
        if not stored:
            return None
        # A rotation changes some values; the others are needed only in the current ones.
        known = {name: Secret(value) for name in self._arguments if (value := current.get(name)) is not None}
        values = Values(self._over(self._over(known, stored), self._fixed))
        return values if values.key != current.key else None

    def _over(self, lower: Masked, upper: Masked) -> Masked:
        hidden = self._hidden(upper)
        return {**{name: value for name, value in lower.items() if name not in hidden}, **upper}

    def _hidden(self, upper: Masked) -> frozenset[str]:
        """Return the alternatives to the settings in `upper`: settings of two groups must not be mixed."""
        touched = [group for group in self._alternatives if not upper.keys().isdisjoint(group)]
        if not touched:
            return frozenset()
        return frozenset[str]().union(*self._alternatives) - frozenset[str]().union(*touched)


def passed_provider(secret: object) -> SecretProvider | None:
    """Return the provider that was passed as ``secret=``; None for a `Secret`, which `masked_credential` returns."""
    return None if secret is None or isinstance(secret, Secret) else cast("SecretProvider", secret)


def unread(error: SecretError, message: str) -> ConfigError:
    """Return the error about a store that could not be read: whether a later attempt may succeed."""
    passing = isinstance(error, SecretUnavailableError) and not isinstance(error, NoSecretsError)
    return SettingsUnavailableError(message) if passing else ConfigError(message)


def provider_of(provider: SecretProvider | str | Secret, required: Iterable[str]) -> SecretProvider:
    """Return the provider, or the one for a provider URL such as ``file:///run/secrets/chat``.

    Raises:
        ConfigError: The URL cannot be used.
    """
    given = provider = masked_credential(provider)
    if isinstance(given, WrongType):
        msg = f"a SecretProvider or a provider URL is needed, not {given.kind}"
        raise ConfigError(msg)
    if not isinstance(given, Secret):
        return cast("SecretProvider", given)
    from ethora_async_secrets import provider_from_url  # with it come providers that most processes do not use

    try:
        return provider_from_url(given.reveal(), required=required)
    except SecretError as error:
        raise ConfigError(str(error)) from None


def _named_store(anchors: Iterable[str]) -> SecretProvider | None:
    urls = Secret(os.environ.get(LOCATOR, "").strip())  # somebody may have put a password into a URL
    return provider_of(urls, anchors) if urls else None


def _passed_in(arguments: Mapping[str, str], given: Mapping[str, str | Secret | None]) -> Masked:
    masked = {name: Secret(value) if isinstance(value, str) else value for name, value in given.items()}
    problem = next((flaw for name in arguments if (flaw := _flaw(name, arguments[name], masked.get(name)))), "")
    if problem:
        raise ConfigError(problem)
    return {
        name: Secret(without_newline(value.reveal())) for name in arguments if (value := masked.get(name)) is not None
    }


def _flaw(name: str, argument: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, WrongType) or not isinstance(value, Secret):
        kind = value.kind if isinstance(value, WrongType) else type(value).__name__
        return f"{argument} must be {'text or a SecretProvider' if argument == 'secret' else 'text'}, not {kind}"
    if not value.reveal().strip():
        return f"{argument} is empty ({name} was passed in empty): leave it out, or pass a value"
    if is_text(value.reveal()):
        return ""
    return f"{argument} ({name}) is not valid UTF-8: check the encoding of where it is kept"


def _environment(names: Iterable[str]) -> tuple[Masked, frozenset[str]]:
    """Return the platform's own variables, and the names of those that are not UTF-8."""
    found = {name: Secret(without_newline(value)) for name in names if (value := os.environ.get(name, "")).strip()}
    unreadable = frozenset(name for name, value in found.items() if not is_text(value.reveal()))
    return {name: value for name, value in found.items() if name not in unreadable}, unreadable
