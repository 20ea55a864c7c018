"""``POST /chat/token``: mints chat tokens for logged-in users."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ethora_async import codec
from ethora_async.capabilities import MintsUserTokens
from ethora_async.clock import SystemClock
from ethora_async.config import Seconds, seconds
from ethora_async.errors import ChatError, ConfigError, InvalidInputError, NotFoundError, PrivilegedAccountError
from ethora_async.records import ChatToken, Id, id_text
from ethora_async.web.clients import Runs, place_of
from ethora_async.web.failures import BAD_IDENTITY, answer_to, refused_identity, retry_after
from ethora_async.web.origins import Origins
from ethora_async.web.request import HTTPError, check_method
from ethora_async.web.rooms import RoomAddress, address_for
from ethora_async.web_response import JSON_HEADERS, WebResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.protocols import Clock
    from ethora_async.web.request import Request

ClientT = TypeVar("ClientT", bound=MintsUserTokens)

Identify = Callable[[Any], Awaitable[Id | None]]
"""Returns the user of a request, or None; called with the framework's own request (`Request.native`)."""
MayEnter = Callable[[Id, str], Awaitable[bool]]
"""Returns whether a user may enter a room; called with the result of `Identify` and the requested room."""
IsActive = Callable[[Id], Awaitable[bool]]
"""Returns whether a user may use the chat at all; called with the result of `Identify`."""
RateLimit = Callable[[Id, Any], Awaitable[float | None]]
"""Counts a user's request; returns the seconds to wait if it is one too many, else None. Also called with the native
request.
"""

MAX_BODY = 4096
"""Bytes."""
BODY_TIMEOUT = 10.0
"""Seconds."""
_LONGEST_ROOM = 512
_NO_ENTRY = "This room does not exist, or you may not enter it."


class TokenEndpoint(Generic[ClientT]):
    """Returns the logged-in user's chat token to their page.

    A page sends ``POST``, ``Content-Type: application/json``, and a body that is empty, ``{}`` or
    ``{"room": "order-7"}``. The answer is never cached::

        {"token": "…", "expires_at": 1700003600.0, "refresh_at": 1700003540.0, "expires_in": 3600, "refresh_in": 3540,
         "platform": "ethora", "user_id": "ann", "extra": {}, "room": {"id": "order-7", "jid": "…"}}

    ``expires_at`` and ``refresh_at`` are seconds since the epoch, ``expires_in`` and ``refresh_in`` seconds from now: a
    page's clock may be wrong, its timers are not. After ``refresh_in`` a new token is available. ``room`` is present if
    it was requested; on Rocket.Chat it holds ``url`` and ``origin``.

    The user comes from `identify` alone: a body with anything but ``room``, such as a user, is rejected. The user's id
    is taken literally (docs/reference/identities.md). Requests of other sites' pages are rejected (see
    `ethora_async.web.origins`). Users do not learn whether a room exists that they may not enter. The checks, in order:
    405, 403 (another site's page), 415, 401, 400 ``bad_identity``, 429, 403 ``inactive``, 413, 408, 400, 403 (the
    room), 400 ``bad_identity``, 403 ``privileged_account`` and 404 ``user_not_found`` (the platform has no such user
    for us), 502 and 503 (the platform), each with ``{"error": code, "detail": sentence}``.

    Args:
        client: a client, an `AppClient` or another function that returns one, or an `OwnLoop`.
        identify: your authentication; its errors go to the framework.
        is_active: whether an identified user may use the chat; such as `ScimDirectory.is_active`. Others get a 403.
        may_enter: your permissions; without it the answer never contains a room.
        rate_limit: your limit; called for identified users only.
        allowed_origins: origins beside the site's own that may send requests with the user's cookies (CORS).
        mint: creates the token in place of ``client.tokens.for_user(user)``; called with the client and the user's id.
        rooms: returns the address of a room, in place of the client's default (`ethora_async.web.rooms`).
        max_body: maximum size in bytes.
        body_timeout: until the body must be complete (default 10 s).
        clock: the source of time.

    Raises:
        ConfigError: an argument cannot be used.
    """

    def __init__(
        self,
        client: ClientT | Callable[[], ClientT] | Runs[ClientT],
        identify: Identify,
        *,
        is_active: IsActive | None = None,
        may_enter: MayEnter | None = None,
        rate_limit: RateLimit | None = None,
        allowed_origins: Iterable[str] = (),
        mint: Callable[[ClientT, Id], Awaitable[ChatToken]] | None = None,
        rooms: RoomAddress | None = None,
        max_body: int = MAX_BODY,
        body_timeout: Seconds = BODY_TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        if max_body < 1:
            msg = f"max_body must be at least 1 byte, not {max_body}"
            raise ConfigError(msg)
        if may_enter is not None and rooms is None and not callable(client) and not isinstance(client, Runs):
            address_for(client)  # raises now if the client has no addresses
        self._place = place_of(client)
        self._identify = identify
        self._is_active = is_active
        self._may_enter = may_enter
        self._rate_limit = rate_limit
        self._origins = Origins(allowed_origins)
        self._mint: Callable[[Any, Id], Awaitable[ChatToken]] = mint or _plain_token
        self._rooms = rooms
        self._max_body = max_body
        self._body_timeout = seconds(body_timeout, "body_timeout")
        self._clock: Clock = clock or SystemClock()

    async def handle(self, request: Request) -> WebResponse:
        """Answer one request.

        Raises:
            ClientDisconnectError: the client has disconnected.
            Exception: any error of your callbacks except `ChatError`.
        """
        try:
            answer = self._origins.preflight(request, "POST") or await self._answer(request)
        except HTTPError as refusal:
            answer = refusal.answer
        except ChatError as error:
            answer = answer_to(error)
        return self._origins.marked(request, answer)

    async def _answer(self, request: Request) -> WebResponse:
        check_method(request, "POST")
        self._origins.check(request)
        _check_type(request)
        user = await self._identify(request.native)
        if user is None:
            raise HTTPError(401, "unauthorized", "Log in first.")
        _check_identity(user)
        if self._rate_limit is not None and (wait := await self._rate_limit(user, request.native)) is not None:
            raise HTTPError(429, "too_many_requests", "Too many requests. Try again later.", retry_after(wait))
        if self._is_active is not None and not await self._is_active(user):
            raise HTTPError(403, "inactive", "Your account is not active.")
        room = _room_in(await request.read(self._max_body, self._body_timeout))
        if room is not None and (self._may_enter is None or not await self._may_enter(user, room)):
            raise HTTPError(403, "room_refused", _NO_ENTRY)
        token, address = await self._place.run(lambda client: self._made(client, user, room))
        return WebResponse(200, dict(JSON_HEADERS), self._body(token, room, address))

    async def _made(self, client: ClientT, user: Id, room: str | None) -> tuple[ChatToken, Mapping[str, str]]:
        # The token first: it opens a client whose settings come from a store, and addresses need an open client.
        try:
            token = await self._mint(client, user)
        except (InvalidInputError, NotFoundError, PrivilegedAccountError) as error:
            raise refused_identity(error) or error from None
        if room is None:
            return token, {}
        locate = self._rooms or address_for(client)
        try:
            return token, await locate(client, room)
        except InvalidInputError:
            raise HTTPError(403, "room_refused", _NO_ENTRY) from None

    def _body(self, token: ChatToken, room: str | None, address: Mapping[str, str]) -> bytes:
        now = self._clock.now()
        shown: dict[str, Any] = {
            "expires_at": token.expires_at,
            "refresh_at": token.refresh_at,
            "expires_in": max(0, int(token.expires_at - now)),
            # Rounded up: a request at exactly that time must get the next token, not this one again.
            "refresh_in": max(0, ceil(token.refresh_at - now)),
            "platform": token.platform,
            "user_id": token.user_id,
            "extra": dict(token.extra),
        }
        if room is not None:
            shown["room"] = {"id": room, **address}
        # Results of callbacks and platforms may not be JSON. A report of that error may include our variables,
        # and the token is not among them yet.
        rest = codec.dumps(shown)
        return b'{"token":' + codec.dumps(token.value) + b"," + rest[1:]


def _check_identity(user: Any) -> None:
    try:
        id_text(user, "what identify= gave")
    except InvalidInputError:
        if not isinstance(user, str) or not user.strip():
            raise  # an error of this site, not of the caller
        raise HTTPError(400, *BAD_IDENTITY) from None


async def _plain_token(client: MintsUserTokens, user: Id) -> ChatToken:
    return await client.tokens.for_user(user)


def _check_type(request: Request) -> None:
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    # An encoded body may expand to any size.
    encoded = (request.header("content-encoding") or "identity").lower() != "identity"
    if kind != "application/json" or encoded:
        raise HTTPError(415, "unsupported_media_type", "The body must be application/json, without a Content-Encoding.")


def _room_in(body: bytes) -> str | None:
    if not body.strip():
        return None
    try:
        data = codec.loads(body)
    except ValueError:
        raise HTTPError(400, "bad_json", "The body is not JSON.") from None
    if not isinstance(data, dict) or data.keys() - {"room"}:
        detail = "The body may hold nothing but room. Who you are is known from how you are logged in."
        raise HTTPError(400, "bad_request", detail)
    room = data.get("room")
    if room is None:
        return None
    try:
        # our own ids may be numbers, but a page sends text
        text = id_text(room, "room") if isinstance(room, str) and len(room) <= _LONGEST_ROOM else None
    except InvalidInputError:
        text = None
    if text is None:
        raise HTTPError(400, "bad_room", f"room must be a text of 1 to {_LONGEST_ROOM} characters.")
    return text
