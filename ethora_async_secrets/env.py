"""Secrets in environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ethora_async_secrets.bundle import SecretBundle
from ethora_async_secrets.errors import NoSecretsError, SecretMalformedError
from ethora_async_secrets.text import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Names the stores and holds no secret: alone in the environment, it must not make this source answer.
_LOCATOR = "ETHORA_SECRETS"


class EnvProvider:
    """Read secrets from the environment, again at each `fetch`.

    `environ` defaults to the live `os.environ`. `names` are the variables to read; by default, every variable that
    starts with `prefix` (default `ETHORA_`), except `ETHORA_SECRETS`, which holds provider URLs. `NAME_PREVIOUS` and
    `NAME_PENDING` become the bundle's `previous` and `pending`. Newlines at the end of a value are dropped; a value of
    white space alone counts as missing. There is no `NAME_FILE` convention: use a `FileProvider`.

    A variable that is not UTF-8 is left out (`SecretBundle.unusable`). Raises `NoSecretsError` when no such
    variable is set, `SecretMalformedError` when none of them is UTF-8.
    """

    __slots__ = ("_environ", "_names", "_prefix")

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        names: Iterable[str] | None = None,
        prefix: str = "ETHORA_",
    ) -> None:
        if isinstance(names, str):
            raise TypeError("EnvProvider's names is one str; pass a list of names.")
        self._environ = environ
        self._names = None if names is None else tuple(names)
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"EnvProvider({self._where()})"

    @property
    def source(self) -> str:
        """Always `env`."""
        return "env"

    async def fetch(self) -> SecretBundle:
        """Read the environment now."""
        bundle = self._read()
        if not bundle.names():
            if bundle.unusable:
                raise SecretMalformedError(
                    f"Environment variable {next(iter(bundle.unusable))} is not UTF-8 text: set it again.", self.source
                )
            raise NoSecretsError(
                f"No secret in the environment: looked for {self._where()}. Set one of them.", self.source
            )
        return bundle

    async def refresh(self) -> SecretBundle:
        """Read the environment now; there is no cache to bypass."""
        return await self.fetch()

    def invalidate(self, version: str) -> None:
        """Do nothing: every `fetch` reads again."""

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""

    def _read(self) -> SecretBundle:
        environ = os.environ if self._environ is None else self._environ
        found = {name: value for name in self._wanted(environ) if (value := environ.get(name, "")).strip()}
        unreadable = [name for name in found if not is_text(found[name])]
        return SecretBundle.from_names(
            {name: value for name, value in found.items() if name not in unreadable},
            source=self.source,
            unusable={name: f"environment variable {name} is not UTF-8 text: set it again" for name in unreadable},
        )

    def _wanted(self, environ: Mapping[str, str]) -> list[str]:
        if self._names is None:
            return [name for name in environ if name.startswith(self._prefix) and name != _LOCATOR]
        return [name + suffix for name in self._names for suffix in ("", "_PREVIOUS", "_PENDING")]

    def _where(self) -> str:
        return f"{self._prefix}*" if self._names is None else ", ".join(self._names)
