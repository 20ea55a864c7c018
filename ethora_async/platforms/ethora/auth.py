"""Ethora's server credentials, and the signing of its tokens (docs/platforms/ethora.md#tokens)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from ethora_async import engine
from ethora_async.protocols import Credential
from ethora_async.tokens.cache import TokenCache
from ethora_async.tokens.rotating import STARTUP_GRACE, Acceptance
from ethora_async.tokens.signing_clock import LARGEST, SigningClock

if TYPE_CHECKING:
    from ethora_async.engine.emitter import Emitter
    from ethora_async.platforms.ethora.app_secret import AppSecret, SigningKeys
    from ethora_async.protocols import Clock
    from ethora_async.tokens.hs256 import HS256Key
    from ethora_async.tokens.rotating import KeyRing

SERVER_TOKEN_TTL = 3600.0
"""Lifetime of a server token in seconds."""
_LOOK_AGAIN = 1.0
"""Seconds for which a credential is reused without checking whether it is still the current one."""

SigningSecret = Literal["current", "previous", "pending"]


def server_claims(app_id: str) -> dict[str, Any]:
    """Return the claims of a server token (docs/platforms/ethora.md#server-token)."""
    return {"data": {"appId": app_id, "type": "server"}}


def sign(key: HS256Key, claims: dict[str, Any], ttl: float, now: float) -> tuple[str, float]:
    """Sign a token with these claims, `iat` and `exp`; return it with its `exp`. Times are whole seconds."""
    issued = int(now)
    expires = issued + max(1, int(ttl))
    return key.sign({**claims, "iat": issued, "exp": expires}), float(expires)


@attrs.frozen(eq=False, repr=False)
class _Trial:
    """A corrected time that the platform has not accepted yet: the credential that carries it, and the time before."""

    credential: Credential
    before: float

    def holds(self, credential: Credential) -> bool:
        return credential is self.credential


class ServerCredentials:
    """Signs this client's requests as its app's server; one token serves many requests.

    `ethora_async.tokens.rotating` describes how it handles a rotation.
    """

    def __init__(
        self,
        app_id: str,
        secret: AppSecret,
        *,
        clock: Clock,
        emitter: Emitter,
        signing_clock: SigningClock | None = None,
    ) -> None:
        self._claims = server_claims(app_id)
        self._secret = secret
        self._clock = clock
        self._signing_clock = signing_clock or SigningClock(clock)
        self._emitter = emitter
        self._tokens: TokenCache[Credential] = TokenCache(clock, size=8)
        self._acceptance = Acceptance(rotates=secret.rotates, clock=clock, grace=STARTUP_GRACE)
        self._at_hand: tuple[KeyRing[SigningKeys], Credential, float] | None = None
        self._trial: _Trial | None = None

    def peek(self) -> Credential | None:
        """Return the available credential, made from the newest available keys."""
        ring = self._secret.peek()
        if ring is None:
            return None
        at_hand = self._at_hand
        if at_hand is not None and at_hand[0] is ring and self._clock.monotonic() < at_hand[2]:
            return at_hand[1]
        credential = self._credential(ring, self.chosen(ring))
        self._at_hand = (ring, credential, self._clock.monotonic() + _LOOK_AGAIN)
        return credential

    async def acquire(self) -> Credential:
        """Return a credential, after reading the store.

        Raises:
            ConfigError: the store cannot be read.
        """
        ring = await self._secret.load()
        return self._credential(ring, self.chosen(ring))

    def accepted(self, credential: Credential) -> None:
        """Keep the secret of this credential until the store has a newer version, and the time that it carries."""
        if self._trial is not None and self._trial.holds(credential):
            self._trial = None
            self._emitter.emit(engine.ClockCorrected(self._signing_clock.offset))
        if credential is not self._acceptance.credential:
            self._acceptance.accept(credential)
            self._at_hand = None

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        """Return a credential from a newer secret, or from the next untried candidate."""
        self._acceptance.refuse()
        if self._trial is not None and self._trial.holds(rejected):
            # It did not help, and a `Date` may be wrong: users' tokens must not carry its time.
            self._signing_clock.offset = self._trial.before
            self._trial = self._at_hand = None
        ring = await self._secret.newer(rejected.version)
        for keys in ring.candidates():
            if keys.key not in tried:
                return self._credential(ring, keys)
        return None

    def resign(self, offset: float, rejected: Credential) -> Credential | None:
        """Return the credential signed with the platform's time; None if it already was.

        The time is kept once the platform accepts such a credential.
        """
        ring = self._secret.peek()
        if ring is None or abs(offset) > LARGEST:
            return None
        keys = next((one for one in ring.candidates() if one.key == rejected.key), None)
        if keys is None:
            return None
        before = self._signing_clock.offset
        changed = self._signing_clock.correct(offset)
        credential = self._credential(ring, keys)
        if changed:
            self._at_hand = None
            self._trial = _Trial(credential, before if self._trial is None else self._trial.before)
        return None if credential is rejected else credential

    def may_change(self) -> bool:
        """Return whether a rejection may be caused by a rotation in progress."""
        return self._acceptance.may_change()

    def chosen(self, ring: KeyRing[SigningKeys]) -> SigningKeys:
        """Return the secret to sign with: the one accepted since the store's last answer, else the current one."""
        return ring.chosen(self._acceptance.credential)

    @property
    def signing_secret(self) -> SigningSecret:
        """The secret that signs now; "current" before the store has been read."""
        ring = self._secret.peek()
        keys = None if ring is None else self.chosen(ring)
        if ring is None or keys is ring.current:
            return "current"
        return "pending" if keys is ring.pending else "previous"

    def _credential(self, ring: KeyRing[SigningKeys], keys: SigningKeys) -> Credential:
        cache_key = (ring.version, keys.key, self._signing_clock.offset)
        credential = self._tokens.get(cache_key)
        if credential is None:
            token, _ = sign(keys.signing("server"), self._claims, SERVER_TOKEN_TTL, self._signing_clock.now())
            # Sent in both headers: the old name always works, the live specification prefers the new one
            # (docs/platforms/ethora.md#token-kinds).
            headers = {"Authorization": f"Bearer {token}", "x-custom-token": token}
            credential = Credential(headers, keys.key, ring.version)
            self._tokens.put(cache_key, credential, SERVER_TOKEN_TTL)
            if self._emitter.wanted:
                self._emitter.emit(engine.TokenRefreshed("server", ring.version))
        return credential
