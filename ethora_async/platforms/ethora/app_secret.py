"""The app secret, and the signing keys derived from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn

from ethora_async.tokens.rotating import RotatingKeys, warn
from ethora_async_secrets.text import fingerprint

if TYPE_CHECKING:
    from ethora_async.tokens.hs256 import HS256Key
    from ethora_async.tokens.settings import RotatingSettings, Values

APP_SECRET = "ETHORA_CHAT_APP_SECRET"  # noqa: S105  the name of the setting
_SHORT = 14
"""In bytes: an HMAC key below 112 bits can be guessed (NIST SP 800-131A)."""

Purpose = Literal["server", "client"]


class WeakSecretWarning(UserWarning):
    """The app secret is so short that it can be guessed."""


class SigningKeys:
    """One app secret, with the keys derived from it."""

    __slots__ = ("_raw", "_scoped", "_secret", "_use_scoped", "key")

    def __init__(self, secret: str, *, scoped: bool) -> None:
        self.key: str = fingerprint([secret])
        self._secret = secret
        self._use_scoped = scoped
        self._scoped: dict[Purpose, HS256Key] = {}
        self._raw: HS256Key | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "signing keys cannot be pickled or copied, since that writes out the secret"
        raise TypeError(msg)

    def scoped(self, purpose: Purpose) -> HS256Key:
        """Return the hex text of HMAC-SHA256(secret, "ethora:<purpose>:v1") as a key."""
        key = self._scoped.get(purpose)
        if key is None:
            import hmac  # loads OpenSSL, as hs256 does: only processes that sign need it

            from ethora_async.tokens.hs256 import HS256Key

            digest = hmac.new(self._secret.encode(), f"ethora:{purpose}:v1".encode(), "sha256")
            key = self._scoped[purpose] = HS256Key(digest.hexdigest())
        return key

    def raw(self) -> HS256Key:
        """Return the secret itself as a key, as older callers sign."""
        if self._raw is None:
            from ethora_async.tokens.hs256 import HS256Key

            self._raw = HS256Key(self._secret)
        return self._raw

    def signing(self, purpose: Purpose) -> HS256Key:
        """Return the key that this client signs with."""
        return self.scoped(purpose) if self._use_scoped else self.raw()

    def verifies(self, purpose: Purpose, token: str) -> bool:
        """Return whether the token was signed with the scoped key or the raw secret."""
        return self.scoped(purpose).verifies(token) or self.raw().verifies(token)


class AppSecret(RotatingKeys[SigningKeys]):
    """The app secret of one client; its keys are derived once per value.

    Args:
        settings: The source of the secret.
        scoped: False signs with the raw secret, as older back ends do.
    """

    def __init__(self, settings: RotatingSettings, *, scoped: bool) -> None:
        super().__init__(
            settings, (APP_SECRET,), lambda values: SigningKeys(values[APP_SECRET], scoped=scoped), check=_warn_of_short
        )


def _warn_of_short(values: Values) -> None:
    if len(values[APP_SECRET].encode()) < _SHORT:
        warn(
            f"the app secret ({APP_SECRET}) is shorter than {_SHORT} bytes and can be guessed: rotate it",
            WeakSecretWarning,
        )
