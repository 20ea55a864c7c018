"""The life cycle of a token: log in once, renew in time, log in again when the server rejects it."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

import attrs

from ethora_async_secrets.errors import SecretDeniedError
from ethora_async_secrets.vault.wire import VaultCallError, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async_secrets.vault.login import LoginGrant, VaultLogin
    from ethora_async_secrets.vault.wire import Target

_RENEW_AT: Final = 2 / 3


@attrs.define(eq=False)
class _Lease:
    """A token in use: renewed (or replaced) from `renew_at` on, expired at `ends_at`, both on the monotonic clock."""

    token: str = attrs.field(repr=False)
    seconds: float
    renewable: bool
    checked: bool
    renew_at: float
    ends_at: float

    @classmethod
    def of(cls, grant: LoginGrant, since: float) -> _Lease:
        seconds = grant.seconds or math.inf
        return cls(grant.token, seconds, grant.renewable, grant.checked, since + seconds * _RENEW_AT, since + seconds)


@final
class VaultSession:
    """One connection and one token, for any number of threads; one login or renewal at a time.

    `address` is the server's.
    """

    def __init__(
        self, target: Target, login: VaultLogin, environ: Mapping[str, str], monotonic: Callable[[], float]
    ) -> None:
        self.address: str = target.address
        self._wire = Wire(target)
        self._login = login
        self._environ = environ
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lease: _Lease | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A Vault session cannot be pickled or copied, since that would write out its token.")

    def close(self) -> None:
        """Close the connections and forget the token, which ends by its own TTL."""
        self._wire.close()
        self._lease = None

    def call(self, ask: Callable[[Any], object]) -> dict[str, Any]:
        """Call with a valid token, and once more with a new one when that is rejected; raise `VaultCallError`."""
        lease, fresh = self._live()
        try:
            return self._wire.call(lease.token, ask)
        except VaultCallError as fault:
            if not fault.token_refused:
                raise
            if fresh:
                raise self._denied(lease, fault) from None
        lease = self._replace(lease)
        try:
            return self._wire.call(lease.token, ask)
        except VaultCallError as fault:
            if fault.token_refused:
                raise self._denied(lease, fault) from None
            raise

    def call_once(self, ask: Callable[[Any], object]) -> dict[str, Any]:
        """Call with a valid token, without another login when it is rejected."""
        return self._wire.call(self._live()[0].token, ask)

    def _live(self) -> tuple[_Lease, bool]:
        """Return a lease with time left, and whether it is a new one."""
        with self._lock:
            lease, now = self._lease, self._monotonic()
            if lease is None or now >= lease.ends_at or self._login.superseded(lease.token, self._environ):
                return self._log_in(), True
            if now >= lease.renew_at:
                return self._prolong(lease)
            return lease, False

    def _replace(self, refused: _Lease) -> _Lease:
        """Log in again, unless another thread has; raise an error if the login returns the rejected token."""
        with self._lock:
            if self._lease is not None and self._lease is not refused and self._lease.token != refused.token:
                return self._lease
            lease = self._log_in()
            if lease.token == refused.token:
                raise self._denied(lease, None)
            return lease

    def _log_in(self) -> _Lease:
        # before the request: the server's clock starts later, never earlier
        since = self._monotonic()
        self._lease = lease = _Lease.of(self._login.login(self._wire, self._environ), since)
        return lease

    def _prolong(self, lease: _Lease) -> tuple[_Lease, bool]:
        """Renew, or log in again; while neither works, use the remaining time."""
        try:
            if lease.renewable and self._renew(lease):
                return lease, False
            return self._log_in(), True
        except VaultCallError:
            now = self._monotonic()
            if now >= lease.ends_at:
                raise
            lease.renew_at = now + (lease.ends_at - now) / 3
            return lease, False

    def _renew(self, lease: _Lease) -> bool:
        since = self._monotonic()
        try:
            auth = self._wire.call(lease.token, lambda client: client.auth.token.renew_self()).get("auth")
        except VaultCallError:
            return False
        if not isinstance(auth, dict):
            return False
        seconds = auth.get("lease_duration")
        if not isinstance(seconds, int | float) or not seconds > 0:
            return False
        lease.renew_at, lease.ends_at = since + seconds * _RENEW_AT, since + seconds
        # near its max TTL each renewal brings less: log in the next time
        lease.renewable = bool(auth.get("renewable")) and seconds * 2 > lease.seconds
        return True

    def _denied(self, lease: _Lease, fault: VaultCallError | None) -> VaultCallError:
        """Return the error for a rejection of this lease."""
        if not lease.checked:
            reason = "does not accept the token (403): it has expired, was revoked or is mistyped. Supply a new one"
        else:
            reason = (
                "does not let this token read there (403), though the token is valid: its policy must allow "
                '"read" on this path'
            )
        return VaultCallError(SecretDeniedError, reason, status=fault.status if fault else 403)
