"""The admin's second factor: one-time codes, codes by e-mail, the password's digest.

See docs/platforms/rocketchat.md#second-factor.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs

from ethora_async.errors import ConfigError, ForbiddenError
from ethora_async.protocols import Credential
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.protocols import Credentials

FactorMethod = Literal["totp", "email", "password"]

_STEP = 30
_DIGITS = 6


class TwoFactorRequiredError(ForbiddenError):
    """The platform requires a second factor that this client does not have, or rejected the one it sent.

    `method` says which: ``totp``, ``email`` or ``password``; `code` is ``totp-required``, ``totp-invalid`` or
    ``totp-max-attempts``.
    """

    method: ClassVar[FactorMethod] = "totp"
    at_login: bool = False
    """Whether the admin's log-in required it, and not the call itself."""


class _EmailCodeRequiredError(TwoFactorRequiredError):
    method = "email"


class _PasswordRequiredError(TwoFactorRequiredError):
    method = "password"


REQUIRED_BY: Mapping[str, type[TwoFactorRequiredError]] = {
    "totp": TwoFactorRequiredError,
    "email": _EmailCodeRequiredError,
    "password": _PasswordRequiredError,
}
"""The error for each method that a reply may name."""

EmailCode = Callable[[str], Awaitable[str] | str]
"""Returns the code that the platform has just sent by e-mail; called with the name of the operation that needs it."""


def totp(secret: Secret, now: float) -> str:
    """Return the six-digit code of a base32 secret at `now`, in seconds since the epoch (RFC 6238: SHA-1, steps of 30
    s).

    Raises:
        ConfigError: the secret is not base32.
    """
    digest = _digest(secret, int(now) // _STEP)
    if digest is None:
        msg = "the TOTP secret (ROCKETCHAT_TOTP_SECRET) is not base32: letters A to Z and digits 2 to 7"
        raise ConfigError(msg)
    place = digest[-1] & 15
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def _digest(secret: Secret, step: int) -> bytes | None:
    # Its frames hold the secret, so nothing is raised in here.
    compact = "".join(secret.reveal().split()).upper().rstrip("=")
    try:
        key = base64.b32decode(compact + "=" * (-len(compact) % 8))
    except (binascii.Error, ValueError):
        return None
    return hmac.digest(key, step.to_bytes(8, "big"), "sha1") if key else None


def password_code(password: Secret) -> str:
    """Return the password's form as a second factor: its SHA-256 in lower-case hex.

    See docs/platforms/rocketchat.md#second-factor.
    """
    return hashlib.sha256(password.reveal().encode()).hexdigest()


@attrs.frozen
class Factors:
    """The second factors of this client."""

    totp_secret: Secret | None = None
    password: Secret | None = None
    email_code: EmailCode | None = attrs.field(default=None, repr=False)

    async def answer(self, asked: TwoFactorRequiredError, operation: str, now: float) -> str:
        """Return the code for the requested factor.

        Raises:
            TwoFactorRequiredError: `asked` itself, when there is no such factor or its code was rejected.
        """
        if asked.code == "totp-max-attempts":
            raise asked
        if asked.method == "totp" and self.totp_secret is not None:
            return totp(self.totp_secret, now)
        if asked.method == "password" and self.password is not None:
            return password_code(self.password)
        if asked.method == "email" and self.email_code is not None:
            answer = self.email_code(operation)
            return (await answer if isawaitable(answer) else answer).strip()
        raise asked


class WithCode:
    """Signs one call as `inner` does, and adds the code of the second factor."""

    def __init__(self, inner: Credentials, method: FactorMethod, code: str) -> None:
        self._inner = inner
        self._added = {"X-2fa-code": code, "X-2fa-method": method}
        self._plain: Credential | None = None
        self._signed: Credential | None = None

    def peek(self) -> Credential | None:
        """Return the available inner credential, with the code."""
        return self._with(self._inner.peek())

    async def acquire(self) -> Credential:
        """Return the inner credential, with the code."""
        plain = await self._inner.acquire()
        return self._with(plain) or plain

    def accepted(self, credential: Credential) -> None:
        """Pass it on to the inner one."""
        self._inner.accepted(self._plain or credential)

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        """Return the inner replacement, with the code."""
        return self._with(await self._inner.replace(self._plain or rejected, tried))

    def may_change(self) -> bool:
        """Return the answer of the inner one."""
        return self._inner.may_change()

    def _with(self, plain: Credential | None) -> Credential | None:
        # A call has one credential at a time, so the engine means the last pair.
        if plain is not None and plain is not self._plain:
            self._plain = plain
            self._signed = Credential({**plain.headers, **self._added}, plain.key, plain.version)
        return None if plain is None else self._signed
