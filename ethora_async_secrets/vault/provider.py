"""Secrets in Vault or OpenBao: KV engines, version 2 and 1 (extra `vault`, which brings hvac)."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote

from ethora_async_secrets.concurrency import run_blocking
from ethora_async_secrets.errors import SecretError, SecretMalformedError, SecretUnavailableError
from ethora_async_secrets.vault import kv as _vault_kv
from ethora_async_secrets.vault.address import address_of, checked_address, is_loopback
from ethora_async_secrets.vault.login import (
    AppRoleLogin,
    JWTLogin,
    KubernetesLogin,
    TokenLogin,
    VaultLogin,
    login_named,
)
from ethora_async_secrets.vault.session import VaultSession
from ethora_async_secrets.vault.wire import Target, VaultCallError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async_secrets.bundle import SecretBundle
    from ethora_async_secrets.cached import Clock

__all__ = ["AppRoleLogin", "JWTLogin", "KubernetesLogin", "TokenLogin", "VaultLogin", "VaultProvider"]

URL_PARAMETERS: Final = ("auth", "role", "auth_mount", "kv", "namespace", "mount")

# Characters that a URL library or the server could interpret as another path.
_BAD_PATH: Final = re.compile(r"[\x00-\x1f\x7f?#%\\]|(?:^|/)\.{0,2}(?:/|$)")
URL_FORM: Final = (
    "Write vault://host:8200/MOUNT/PATH, or vault:///MOUNT/PATH with VAULT_ADDR set; for a mount of several parts "
    "write %2F between them, or add ?mount=team/kv."
)


class VaultProvider:
    """Read the secret at `path` of the KV engine at `mount`, again at each `fetch`. Wrap it in a `CachedProvider`.

    * `kv` is the engine's version. In version 2 the version before the current one becomes the bundle's `previous`, if
      it exists, is not deleted, and may be read; the bundle's version is the number with its creation time. Version 1
      keeps no history; its bundle's version is a digest. Values that are not strings are left out
      (`SecretBundle.unusable`), a blank one counts as missing.
    * `address` defaults to `VAULT_ADDR`, `namespace` to `VAULT_NAMESPACE`, `ca` (a PEM file or directory) to
      `VAULT_CACERT` or `VAULT_CAPATH`, else the public CAs. They are looked up at the first use. A plain `http://`
      address is used as written. `VAULT_SKIP_VERIFY` is ignored; the error says so when TLS fails.
    * `auth` is a login (`TokenLogin`, `AppRoleLogin`, `KubernetesLogin`, `JWTLogin` of this module), or its name,
      `token`, `approle`, `kubernetes` or `jwt`, with `role` and the method's path `auth_mount`; credentials then come
      from the environment or files.
    * A token is renewed, on use, after two thirds of its lifetime; nothing runs in the background. A token that is
      rejected or past its max TTL causes one new login per read, one at a time for all concurrent reads.
    * `timeout` limits, in seconds, each connection and each wait for an answer. Redirects are not followed. A proxy
      from the environment is used, except for loopback.

    `aclose` closes the connections; it does not revoke the token, which ends by its TTL. The provider is usable again
    afterwards, and from other event loops. `environ` replaces the live environment, `clock` the time.

    Raises `SecretUnavailableError` (unreachable, sealed, no secret, no credential, CA not trusted, no hvac),
    `SecretDeniedError` (login or policy), `SecretMalformedError`; the constructor raises `ValueError`.
    """

    __slots__ = (
        "_address",
        "_ca",
        "_clock",
        "_environ",
        "_generation",
        "_login",
        "_namespace",
        "_place",
        "_sessions",
        "_timeout",
    )

    def __init__(
        self,
        path: str,
        *,
        mount: str = "secret",
        address: str | None = None,
        auth: VaultLogin | str = "token",
        role: str | None = None,
        auth_mount: str | None = None,
        kv: Literal[1, 2] = 2,
        namespace: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        timeout: float = 5.0,
        environ: Mapping[str, str] | None = None,
        clock: Clock = time,
    ) -> None:
        mount, path = mount.strip("/"), path.strip("/")
        _check(mount, path, kv, timeout)
        self._address = None if address is None else checked_address(address, "address")
        self._login = _login(auth, role, auth_mount)
        self._namespace = namespace
        self._ca = None if ca is None else os.fspath(ca)
        self._timeout = timeout
        self._environ: Mapping[str, str] = os.environ if environ is None else environ
        self._clock = clock
        host = "" if self._address is None else self._address.partition("://")[2]
        within = f"?namespace={namespace}" if namespace else ""
        self._place = _vault_kv.Place(mount, path, kv, f"vault://{host}/{mount.replace('/', '%2F')}/{path}{within}")
        self._generation = 0
        self._sessions: dict[tuple[int, int], VaultSession] = {}

    def __repr__(self) -> str:
        return f"VaultProvider({self.source!r}, auth={self._login!r}, kv={self._place.kv})"

    @property
    def source(self) -> str:
        """The `vault:` URL of the secret, without a host when it comes from `VAULT_ADDR`."""
        return self._place.source

    async def fetch(self) -> SecretBundle:
        """Read the secret now."""
        answer = await run_blocking(self._answer, self._generation)
        # raised here and not in the thread, whose frames hold tokens
        if isinstance(answer, SecretError):
            raise answer
        return answer

    async def refresh(self) -> SecretBundle:
        """Read the secret now; there is no cache to bypass."""
        return await self.fetch()

    def invalidate(self, version: str) -> None:
        """Do nothing: every `fetch` reads again."""

    async def aclose(self) -> None:
        """Close the connections and forget the token; a later `fetch` opens new ones."""
        self._generation += 1
        while self._sessions:
            self._sessions.popitem()[1].close()

    def _answer(self, generation: int) -> SecretBundle | SecretError:
        where = "Vault"
        try:
            session = self._open(generation)
            where = f"Vault at {session.address}"
            try:
                return _vault_kv.read(session, self._place)
            finally:
                # closed in the meantime: a read whose caller is gone leaves nothing open
                if generation != self._generation:
                    self._sessions.pop((os.getpid(), generation), None)
                    session.close()
        except VaultCallError as fault:
            return fault.kind(f"{self.source}: {where} {fault.reason}.", self.source)
        except Exception as error:  # noqa: BLE001  its frames hold tokens
            return SecretUnavailableError(f"{self.source}: reading failed ({type(error).__name__}).", self.source)

    def _open(self, generation: int) -> VaultSession:
        """Return this process's session: a forked child must not share its parent's sockets and locks."""
        key = (os.getpid(), generation)
        if (session := self._sessions.get(key)) is not None:
            return session
        session = VaultSession(self._target(), self._login, self._environ, self._clock.monotonic)
        # atomic; a session that loses the race has nothing open yet
        return self._sessions.setdefault(key, session)

    def _target(self) -> Target:
        environ = self._environ
        address = self._address or self._default_address()
        namespace = environ.get("VAULT_NAMESPACE", "") if self._namespace is None else self._namespace
        ca = self._ca or environ.get("VAULT_CACERT") or environ.get("VAULT_CAPATH") or ""
        skip = environ.get("VAULT_SKIP_VERIFY", "").lower() not in ("", "0", "f", "false")
        return Target(address, namespace.strip("/"), ca, self._timeout, not is_loopback(address), skip)

    def _default_address(self) -> str:
        written = self._environ.get("VAULT_ADDR")
        if not written:
            raise VaultCallError(SecretUnavailableError, "was not asked: set VAULT_ADDR, or name the host in the URL")
        try:
            return checked_address(written, "VAULT_ADDR")
        except ValueError as problem:
            reason = f"was not asked: {problem}".removesuffix(".")
        raise VaultCallError(SecretMalformedError, reason)


def provider_of_url(
    authority: str, path: str, query: Mapping[str, str], environ: Mapping[str, str] | None
) -> VaultProvider:
    """Build the provider for the parts of a `vault:` URL, its path percent-encoded.

    Raises `ValueError`, which quotes none of them.
    """
    mount, rest = _mount_and_path(path, query.get("mount"))
    kv = query.get("kv", "2")
    if kv not in ("1", "2"):
        raise ValueError("kv must be 1 or 2.")
    for name, value in query.items():
        if not value:
            raise ValueError(f"{name} is empty. Give it a value, or leave it out.")
    return VaultProvider(
        rest,
        mount=mount,
        address=address_of(authority, os.environ if environ is None else environ) if authority else None,
        auth=query.get("auth", "token"),
        role=query.get("role"),
        auth_mount=query.get("auth_mount"),
        kv=1 if kv == "1" else 2,
        namespace=query.get("namespace"),
        environ=environ,
    )


def _mount_and_path(path: str, named: str | None) -> tuple[str, str]:
    """Split a percent-encoded path: a mount is its first part, or as many parts as `named` has."""
    if named is None:
        mount, slash, rest = path.removeprefix("/").partition("/")
        # A mount of several parts is written with %2F between them.
        mount, rest = unquote(mount), unquote(rest)
    else:
        mount, slash = named.strip("/"), "/"
        whole = unquote(path).removeprefix("/")
        rest = whole.removeprefix(f"{mount}/")
        if rest == whole and named.strip("/"):
            raise ValueError("its path does not begin with the mount that it names.")
    if not path.startswith("/") or not (mount.strip("/") and slash and rest.strip("/")):
        raise ValueError("it lacks mount or path.")
    return mount, rest


def _login(auth: VaultLogin | str, role: str | None, auth_mount: str | None) -> VaultLogin:
    if isinstance(auth, str):
        return login_named(auth, role, auth_mount)
    if role or auth_mount:
        raise ValueError("role and auth_mount cannot be combined with a login object. Pass them to the login.")
    return auth


def _check(mount: str, path: str, kv: int, timeout: float) -> None:
    if kv not in (1, 2):
        raise ValueError("kv must be 1 or 2.")
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout!r}; it must be a number of seconds above 0.")
    for what, text in (("mount", mount), ("path", path)):
        if not text or _BAD_PATH.search(text):
            raise ValueError(
                f"{what} is empty, or holds an empty part, a dot part, or one of ? # % and \\. "
                "Mount and path look like secret and ethora/prod."
            )
