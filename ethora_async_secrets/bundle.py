"""The values of a secret store at one point in time, with their version, masked wherever they could be printed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn, Self, cast, final, overload

from ethora_async_secrets.errors import SecretMalformedError, SecretNotFoundError
from ethora_async_secrets.text import fingerprint, without_newline

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREVIOUS = "_PREVIOUS"
_PENDING = "_PENDING"


@final
class SecretBundle:
    """Named secret values with their version; immutable, and masked when printed.

    `values` maps names (`ETHORA_CHAT_APP_SECRET`) to values, whatever the store. `version` changes with the values: it
    is the store's own label, or by default a digest keyed with a random key of this process, which can be logged and
    means nothing elsewhere. `source` is their origin (`env`, `file:/run/secrets/ethora`); `created_at` is when the
    store received them, in seconds since the epoch, if it says so. `previous` and `pending` hold the values before and
    after a rotation; an empty mapping counts as none. `unusable` maps the names of the store's other values, such as
    the numeric port that AWS puts beside a database password, to the reason why they are not secret values.

    Newlines at the end of a value are dropped, whatever the store; other white space is kept.

    Values are available through `reveal` and `get` only. A bundle has no iteration and no attrs fields, its repr shows
    only names, and `pickle` and `copy` raise `TypeError`. Raises `TypeError` when a name or value is not a `str`,
    `ValueError` when a name or `version` is empty.
    """

    __slots__ = ("_created_at", "_pending", "_previous", "_source", "_unusable", "_values", "_version")

    _values: dict[str, str]
    _version: str
    _source: str
    _created_at: float | None
    _previous: SecretBundle | None
    _pending: SecretBundle | None
    _unusable: Mapping[str, str]

    def __init__(
        self,
        values: Mapping[str, str],
        *,
        version: str | None = None,
        source: str = "",
        created_at: float | None = None,
        previous: Mapping[str, str] | SecretBundle | None = None,
        pending: Mapping[str, str] | SecretBundle | None = None,
        unusable: Mapping[str, str] | None = None,
    ) -> None:
        if version == "":
            msg = "A bundle's version is empty: leave it out to have one made from the values."
            raise ValueError(msg)
        checked = _checked(values)
        put = super().__setattr__
        put("_values", checked)
        put("_version", version or fingerprint(text for item in sorted(checked.items()) for text in item))
        put("_source", source)
        put("_created_at", created_at)
        put("_previous", _side(previous, source))
        put("_pending", _side(pending, source))
        put("_unusable", MappingProxyType(dict(unusable or {})))

    @classmethod
    def from_names(
        cls,
        values: Mapping[str, str],
        *,
        source: str = "",
        created_at: float | None = None,
        unusable: Mapping[str, str] | None = None,
    ) -> Self:
        """Build a bundle in which `NAME_PREVIOUS` and `NAME_PENDING` are the other values of `NAME`."""
        current: dict[str, str] = {}
        previous: dict[str, str] = {}
        pending: dict[str, str] = {}
        for name, value in values.items():
            stem, side = name, current
            for suffix, target in ((_PREVIOUS, previous), (_PENDING, pending)):
                if name.endswith(suffix) and name != suffix:
                    stem, side = name.removesuffix(suffix), target
            side[stem] = value
        return cls(current, source=source, created_at=created_at, previous=previous, pending=pending, unusable=unusable)

    @property
    def version(self) -> str:
        """A label that changes when the values change; safe to log."""
        return self._version

    @property
    def source(self) -> str:
        """The origin of the values, e.g. `env` or `file:/run/secrets/ethora`."""
        return self._source

    @property
    def created_at(self) -> float | None:
        """When the store received these values, in seconds since the epoch; None when it does not say."""
        return self._created_at

    @property
    def previous(self) -> SecretBundle | None:
        """The values before the last rotation, if the store still has them."""
        return self._previous

    @property
    def pending(self) -> SecretBundle | None:
        """The values that a rotation in progress will make current, if the store has them."""
        return self._pending

    @property
    def unusable(self) -> Mapping[str, str]:
        """The names of values that are not secrets, with reasons. `reveal` and `get` raise an error for them."""
        return self._unusable

    def reveal(self, name: str) -> str:
        """Return the value of `name` in clear.

        Raises `SecretNotFoundError` when the bundle lacks it, `SecretMalformedError` when it is `unusable`.
        """
        value = self._values.get(name)
        if value is None:
            self._refuse_unusable(name)
            raise SecretNotFoundError.missing(name, self._source, self.names())
        return value

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: None) -> str | None: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of `name` in clear, or `default` when the bundle lacks it.

        Raises `SecretMalformedError` when it is `unusable`.
        """
        if self._unusable and name not in self._values:
            self._refuse_unusable(name)
        return self._values.get(name, default)

    def names(self) -> frozenset[str]:
        """Return the names of the current values."""
        return frozenset(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretBundle):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        names = sorted(self._values)
        return f"SecretBundle(source={self._source!r}, version={self._version!r}, names={names!r})"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"A SecretBundle does not change: cannot set {name!r}; make a new bundle.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A SecretBundle does not change: cannot delete {name!r}.")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(_NO_COPY)

    def __getstate__(self) -> NoReturn:
        raise TypeError(_NO_COPY)

    def _refuse_unusable(self, name: str) -> None:
        if (reason := self._unusable.get(name)) is not None:
            raise SecretMalformedError(
                f"{name} in {self._source or 'this bundle'} cannot be used: {reason}.", self._source
            )

    def _identity(self) -> tuple[str, str, str | None, str | None]:
        previous, pending = self._previous, self._pending
        return (
            self._version,
            self._source,
            previous.version if previous else None,
            pending.version if pending else None,
        )


_NO_COPY = (
    "A SecretBundle cannot be pickled or copied, because that would write its values unmasked: "
    "hand over the provider's URL and fetch again on the other side."
)


def _checked(values: Mapping[str, str]) -> dict[str, str]:
    checked: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", values).items():
        if not isinstance(name, str):
            raise TypeError(f"A secret's name is a {type(name).__name__}; names are str.")
        if not name:
            raise ValueError("A secret's name is empty.")
        if not isinstance(value, str):
            raise TypeError(f"The value of secret {name!r} is a {type(value).__name__}; values are str.")
        checked[name] = without_newline(value)
    return checked


def _side(values: Mapping[str, str] | SecretBundle | None, source: str) -> SecretBundle | None:
    if values is None or isinstance(values, SecretBundle):
        return values
    return SecretBundle(values, source=source) if values else None
