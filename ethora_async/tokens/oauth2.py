"""Access tokens by OAuth 2.0 client credentials (RFC 6749 §4.4), for the platforms that require them.

authlib writes the token request and the header with the token; the engine sends them.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async import engine
from ethora_async.engine.patience import joined, shared_by_callers
from ethora_async.errors import ChatError, NotSentError, ReplyLostError
from ethora_async.protocols import Credential
from ethora_async.redaction import Secret
from ethora_async.tokens.cache import margin
from ethora_async.tokens.rotating import Acceptance
from ethora_async.tokens.settings import Values
from ethora_async_secrets.concurrency import SingleFlight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.engine.emitter import Emitter
    from ethora_async.protocols import Clock
    from ethora_async.request import Reply
    from ethora_async.tokens.rotating import KeyRing, RotatingKeys

FORM = "application/x-www-form-urlencoded"
UNSTATED_LIFETIME = 300.0
"""Lifetime in seconds that is assumed when the token endpoint states none."""
_BEARER_TOKEN = re.compile(r"[!-~]+").fullmatch
_AFTER_FAILURE = 5.0
"""Seconds before a failed early renewal is retried."""
SHARE_OF_TIME = 0.8
"""Share of a call's time that a token request may take, so that the waiting call gets the reason for a failure."""


@attrs.frozen(eq=False)
class ClientLogin:
    """Client credentials for the token endpoint.

    Attributes:
        client_id, client_secret: Of the OAuth 2.0 client.
        headers: Sent with every request beside the token.
        key: Identifies the login; is not secret.
    """

    client_id: str
    client_secret: Secret
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    key: str = ""


@attrs.frozen(eq=False)
class AccessToken:
    """A token from the token endpoint; `lifetime` in seconds."""

    headers: Mapping[str, str] = attrs.field(repr=False)
    lifetime: float


def token_form(login: ClientLogin) -> bytes:
    """Return the body of a token request, with client id and secret in the form (``client_secret_post``)."""
    from authlib.oauth2.auth import ClientAuth
    from authlib.oauth2.rfc6749.parameters import prepare_token_request

    auth = ClientAuth(login.client_id, login.client_secret.reveal(), "client_secret_post")
    _, _, body = auth.prepare("POST", "", {}, prepare_token_request("client_credentials"))
    return str(body).encode("ascii")


def read_token(reply: Reply) -> AccessToken:
    """Return the access token in a token endpoint's answer (RFC 6749 §5.1).

    A missing ``token_type`` means ``Bearer``, a missing or invalid ``expires_in`` 300 s.

    Raises:
        ReplyLostError: the answer has no token, or one of an unsupported type.
    """
    token = _parsed(reply.data)
    if isinstance(token, str):
        raise ReplyLostError(token, status=reply.status)
    return token


def _parsed(data: Any) -> AccessToken | str:
    """Return the token, or a description of the error: no frame that raises may hold the token in clear."""
    from authlib.oauth2.auth import TokenAuth

    data = data if isinstance(data, dict) else {}
    value = data.get("access_token")
    kind = data.get("token_type") or TokenAuth.DEFAULT_TOKEN_TYPE
    if not isinstance(value, str) or not _BEARER_TOKEN(value):
        return "the answer of the token endpoint holds no usable access_token"
    if not isinstance(kind, str) or kind.lower() not in TokenAuth.SIGN_METHODS:
        return "the token endpoint gave an access token that is not a bearer token"
    _, headers, _ = TokenAuth({"access_token": value, "token_type": kind}).prepare("", {}, "")
    return AccessToken(headers, _lifetime(data.get("expires_in")))


def _lifetime(value: Any) -> float:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        return UNSTATED_LIFETIME
    return float(value)


class Grant:
    """One token request: its form, and the headers beside it, always of the same login.

    It is the request's `Credentials` and its `Upload` at once, so that the engine tries the logins that may be valid
    during a rotation.
    """

    content_type = FORM
    error: ChatError | None = None

    def __init__(self, logins: RotatingKeys[ClientLogin], acceptance: Acceptance) -> None:
        self._logins = logins
        self._acceptance = acceptance
        self._chosen: tuple[KeyRing[ClientLogin], ClientLogin, Credential] | None = None

    @property
    def used(self) -> tuple[ClientLogin, Credential]:
        """The login of the last attempt."""
        if self._chosen is None:
            msg = "no token request was made"
            raise NotSentError(msg)
        return self._chosen[1:]

    def peek(self) -> Credential | None:
        """Return the available login, chosen again after a new answer of the store."""
        ring = self._logins.peek()
        if ring is None:
            return None
        if self._chosen is not None and self._chosen[0] is ring:
            return self._chosen[2]
        return self._choose(ring, ring.chosen(self._acceptance.credential))

    async def acquire(self) -> Credential:
        """Return the login after asking the store."""
        ring = await self._logins.load()
        return self._choose(ring, ring.chosen(self._acceptance.credential))

    def accepted(self, credential: Credential) -> None:
        """Remember the login that worked."""
        self._acceptance.accept(credential)

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        """Return the next login that was not tried yet."""
        self._acceptance.refuse()
        ring = await self._logins.newer(rejected.version)
        for login in ring.candidates():
            if login.key not in tried:
                return self._choose(ring, login)
        return None

    def may_change(self) -> bool:
        """Return whether a rejection may be caused by a rotation in progress."""
        return self._acceptance.may_change()

    @property
    def length(self) -> int:
        """The form's length in bytes."""
        return len(token_form(self.used[0]))

    def can_restart(self) -> bool:
        """Return True: it is encoded anew for every attempt."""
        return True

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the form in one piece."""
        yield token_form(self.used[0])

    def _choose(self, ring: KeyRing[ClientLogin], login: ClientLogin) -> Credential:
        credential = Credential(login.headers, login.key, ring.version)
        self._chosen = (ring, login, credential)
        return credential


@attrs.frozen(eq=False)
class _Held:
    """The current access token: when to renew it and when it expires, by both clocks (see `TokenCache`)."""

    number: int
    token: AccessToken
    version: str
    renew: tuple[float, float]
    end: tuple[float, float]

    @classmethod
    def of(cls, number: int, token: AccessToken, version: str, started: float, wall: float) -> _Held:
        """Return a token that was requested at these times."""
        life = token.lifetime
        until = life - margin(life)
        return cls(number, token, version, (started + until, wall + until), (started + life, wall + life))

    def due(self, clock: Clock) -> bool:
        return clock.monotonic() >= self.renew[0] or clock.now() >= self.renew[1]

    def ended(self, clock: Clock) -> bool:
        return clock.monotonic() >= self.end[0] or clock.now() >= self.end[1]


class AccessTokens:
    """Signs requests with an access token, which is fetched once for all waiting calls.

    In its last minute (or the second half of a short lifetime) it is renewed in the background. After it expires, and
    when the platform rejects it, calls wait for the next one. A rejection costs at most one renewal per call: if a new
    token is rejected too, the cause may be the headers beside it, so those of the other logins that may be valid during
    a rotation are tried with the new token.

    Args:
        send: carries out one token request, with the `Grant` as its upload and its credentials.
        logins: the client's login, with the others that may be valid during a rotation.
    """

    def __init__(
        self,
        send: Callable[[Grant], Awaitable[Reply]],
        logins: RotatingKeys[ClientLogin],
        *,
        clock: Clock,
        emitter: Emitter,
    ) -> None:
        self._send = send
        self._logins = logins
        # No retries with a wrong secret at the start: token endpoints lock clients out.
        self._acceptance = Acceptance(rotates=logins.rotates, clock=clock)
        self._clock = clock
        self._emitter = emitter
        self._flight = SingleFlight(self._fetching)
        self._number = 0
        self._held: _Held | None = None
        self._credential: Credential | None = None
        self._retry_at = -math.inf

    def peek(self) -> Credential | None:
        """Return the current credential; None when there is none, or it has expired."""
        held = self._held
        if held is None or held.ended(self._clock):
            return None
        if held.due(self._clock) and self._clock.monotonic() >= self._retry_at:
            with shared_by_callers():
                self._flight.start()
        return self._credential

    async def acquire(self) -> Credential:
        """Return a credential with a token that has not expired.

        Raises:
            ChatError: no token could be fetched.
        """
        return self.peek() or await self._fetched()

    def accepted(self, credential: Credential) -> None:
        """Keep the headers that were accepted while the token lives."""
        if self._held is not None and _number(credential.key) == str(self._held.number):
            self._credential = credential

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        """Return a credential with a newer token, or the new token with other headers; None when all were tried.

        Raises:
            ChatError: no newer token could be fetched.
        """
        ring = await self._logins.newer(rejected.version)
        held = self._held
        first = len({_number(key) for key in tried}) == 1
        if held is None or (first and _number(rejected.key) == str(held.number)):
            await self._fetched()
            held = self._held
        if held is None:  # closed in the meantime
            return None
        for login in (ring.chosen(self._acceptance.credential), *ring.candidates()):
            credential = _signed(held, login)
            if credential.key not in tried:
                return credential
        return None

    def header(self, name: str) -> str:
        """Return a header that was sent with the newest token; empty before there is one."""
        return self._credential.headers.get(name, "") if self._credential is not None else ""

    def may_change(self) -> bool:
        """Return False: waiting brings nothing that `replace` could not get."""
        return False

    async def aclose(self) -> None:
        """Cancel a pending token request."""
        await self._flight.aclose()

    async def _fetched(self) -> Credential:
        return await joined(self._flight, self._clock)

    async def _fetching(self) -> Credential:
        grant = Grant(self._logins, self._acceptance)
        wall, started = self._clock.now(), self._clock.monotonic()
        try:
            token = read_token(await self._send(grant))
        except ChatError as error:
            self._retry_at = self._clock.monotonic() + _AFTER_FAILURE
            raise _failed(error) from None
        return self._take(token, grant, started, wall)

    def _take(self, token: AccessToken, grant: Grant, started: float, wall: float) -> Credential:
        self._number += 1
        login, used = grant.used
        self._acceptance.accept(used)
        self._held = _Held.of(self._number, token, used.version, started, wall)
        self._credential = _signed(self._held, login)
        self._emitter.emit(engine.TokenRefreshed("access", used.version))
        return self._credential


def _signed(held: _Held, login: ClientLogin) -> Credential:
    key = f"{held.number}/{Values(login.headers).key}"
    return Credential({**held.token.headers, **login.headers}, key, held.version)


def _number(key: str) -> str:
    return key.partition("/")[0]


def _failed(error: ChatError) -> ChatError:
    failure = copy.copy(error)
    failure.args = (f"no access token could be had: {error.message}",)
    # The call that needed the token was rejected, or not sent at all: it had no effect.
    failure.effect = "none"
    return failure
