"""Secrets that are already known, such as one passed as a `str`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.bundle import SecretBundle
from ethora_async_secrets.errors import NoSecretsError

if TYPE_CHECKING:
    from collections.abc import Mapping


class StaticProvider:
    """Return fixed `values`: a mapping of names, or a finished bundle (which keeps its own source).

    Without any value, `fetch` and `refresh` raise `NoSecretsError`.
    """

    __slots__ = ("_bundle",)

    def __init__(self, values: Mapping[str, str] | SecretBundle, *, source: str = "static") -> None:
        self._bundle = values if isinstance(values, SecretBundle) else SecretBundle(values, source=source)

    def __repr__(self) -> str:
        return f"StaticProvider({self._bundle!r})"

    @property
    def source(self) -> str:
        """The bundle's source, `static` by default."""
        return self._bundle.source

    async def fetch(self) -> SecretBundle:
        """Return the bundle; raise `NoSecretsError` when it is empty."""
        if not self._bundle.names():
            raise NoSecretsError("The static secrets are empty: pass at least one name and value.", self.source)
        return self._bundle

    async def refresh(self) -> SecretBundle:
        """Return the bundle, which never changes."""
        return await self.fetch()

    def invalidate(self, version: str) -> None:
        """Do nothing: the values never change."""

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""
