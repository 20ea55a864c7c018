"""Answer raw requests: routing, decoding, token, limits, permissions, second factor, handler."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

import orjson
from aiohttp.web import HTTPRequestEntityTooLarge

from ethora_async.sandbox.rocketchat import (
    routes_avatars,
    routes_chat,
    routes_chat_lists,
    routes_chat_marks,
    routes_directory,
    routes_history,
    routes_hooks,
    routes_integrations,
    routes_login,
    routes_media,
    routes_methods,
    routes_people,
    routes_platform,
    routes_presence,
    routes_registration,
    routes_roles,
    routes_room_contents,
    routes_room_roles,
    routes_room_settings,
    routes_room_standing,
    routes_rooms,
    routes_rooms_direct,
    routes_rooms_named,
    routes_saved_settings,
    routes_user_admin,
    routes_user_tokens,
    routes_users,
    two_factor,
)
from ethora_async.sandbox.rocketchat.call import Call, answer
from ethora_async.sandbox.rocketchat.errors import (
    MeteorError,
    RestError,
    coded,
    failure,
    logged_out,
    missing_permission,
)
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import API, Route
from ethora_async.sandbox.rocketchat.schema import coerce, problems
from ethora_async.sandbox.rocketchat.tokens import sweep
from ethora_async.sandbox.rocketchat.uploads import Upload, receive
from ethora_async.sandbox.routing import Match, RouteTable
from ethora_async.sandbox.wire import HTML, Reply, text_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.web import BaseRequest

    from ethora_async.sandbox.rocketchat.limiter import RateLimiter
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import LoginToken, User

TABLE: RouteTable[Route, Call] = RouteTable(
    routes_platform.ROUTES,
    routes_login.ROUTES,
    routes_users.ROUTES,
    routes_user_admin.ROUTES,
    routes_user_tokens.ROUTES,
    routes_people.ROUTES,
    routes_rooms.ROUTES,
    routes_rooms_named.ROUTES,
    routes_rooms_direct.ROUTES,
    routes_room_settings.ROUTES,
    routes_saved_settings.ROUTES,
    routes_room_roles.ROUTES,
    routes_room_standing.ROUTES,
    routes_room_contents.ROUTES,
    routes_integrations.ROUTES,
    routes_hooks.ROUTES,
    routes_chat.ROUTES,
    routes_chat_marks.ROUTES,
    routes_chat_lists.ROUTES,
    routes_media.ROUTES,
    routes_avatars.ROUTES,
    routes_directory.ROUTES,
    routes_presence.ROUTES,
    routes_registration.ROUTES,
    routes_roles.ROUTES,
    routes_history.ROUTES,
    routes_methods.ROUTES,
    errors="replace",
)
WEBSOCKET = "/websocket"


class Gateway:
    """Answers requests by the routes of one server."""

    def __init__(self, platform: Platform, limiter: RateLimiter, open_socket: Callable[[BaseRequest], Reply]) -> None:
        self._platform = platform
        self._limiter = limiter
        self._open_socket = open_socket

    def operation(self, method: str, path: str) -> str | None:
        """Name the route that would serve a request: `POST /api/v1/users.create`. None when there is none."""
        if path == WEBSOCKET:
            return f"GET {WEBSOCKET}"
        match = TABLE.find(method, path.rstrip("/"))
        return None if match is None else match.route.operation

    async def answer(self, request: BaseRequest, path: str, query: str) -> Reply:
        """Answer one request."""
        if path == WEBSOCKET:
            return self._open_socket(request)
        # The web server would send this machine's time; everything else here follows the sandbox's clock.
        headers = {"Date": formatdate(self._platform.clock(), usegmt=True)}
        try:
            return await self._serve(request, path, query, headers)
        except MeteorError as error:
            refusal = coded(error)
        except RestError as error:
            refusal = error
        return answer(refusal.body, refusal.status, {**headers, **refusal.headers})

    async def _serve(self, request: BaseRequest, path: str, query: str, headers: dict[str, str]) -> Reply:
        body, files = await _read_input(request)
        match = TABLE.find(request.method, path.rstrip("/"))
        if match is None:
            return _nothing_here(path)
        call = self._prepare(request, match, body, files, query)
        if call.caller is None and not call.route.anonymous:
            raise logged_out(self._platform.version)
        # Callers who bypass the limiter get none of its headers; calls without a token are always limited.
        if call.route.anonymous or not may(call.caller, "api-bypass-rate-limit"):
            headers |= self._limiter.count(call.route, call.address, self._platform.version, call.now)
        self._validate(call)
        if call.route.any_of and not any(may(call.caller, name) for name in call.route.any_of):
            raise missing_permission()
        self._second_factor(call)
        given = await match.answer(call)
        given.headers.update(headers)
        return given

    def _prepare(
        self, request: BaseRequest, match: Match[Route, Call], body: dict[str, Any], files: list[Upload], query: str
    ) -> Call:
        platform = self._platform
        now = platform.now()
        sweep(platform, now)
        caller, token = _authenticate(platform, request.headers)
        asked = _read_query(query)
        schema = match.route.schema(platform.version)
        if schema is not None and match.route.method == "GET":
            asked = coerce(schema, asked)
        return Call(
            platform=platform,
            route=match.route,
            params=match.params,
            query=asked,
            body=body,
            files=files,
            headers=request.headers,
            address=request.remote or "",
            now=now,
            caller=caller,
            token=token,
        )

    def _validate(self, call: Call) -> None:
        """Refuse input that does not match the schema of the route (docs/platforms/rocketchat.md#error-replies)."""
        version = self._platform.version
        schema = call.route.schema(version)
        if schema is None:
            return
        asking = call.route.method == "GET"
        found = problems(schema, call.query if asking else call.body)
        if not found:
            return
        text = "\n".join(found)
        if not version.typed:
            raise RestError(400, _invalid(f"{text} [invalid-params]", "invalid-params"))
        raise RestError(400, _invalid(text, "error-invalid-params" if asking else "invalid-params"))

    def _second_factor(self, call: Call) -> None:
        platform, route = self._platform, call.route
        if not route.two_factor and not (route.creation and platform.two_factor_creation):
            return
        user, token = call.session()
        print_ = two_factor.fingerprint(call.agent, call.address)
        if two_factor.excused(platform, user, token, print_, call.now):
            return
        code = call.headers.get("X-2fa-code")
        two_factor.check(platform, user, code, call.headers.get("X-2fa-method"), call.now, fallback=True)
        two_factor.trust(platform, token, print_, call.now)


def _authenticate(platform: Platform, headers: Mapping[str, str]) -> tuple[User | None, LoginToken | None]:
    """Find the caller by token and id, which must belong together. The age of a token is not checked.

    See docs/platforms/rocketchat.md#token-lifetime.
    """
    found = platform.store.token_owner(headers.get("X-Auth-Token", ""))
    if found is None or found[0].id != headers.get("X-User-Id"):
        return None, None
    return found


def _invalid(text: str, kind: str) -> dict[str, Any]:
    return {"success": False, "error": text, "errorType": kind}


def _nothing_here(path: str) -> Reply:
    if TABLE.serves(path.rstrip("/")):
        raise failure("Method Not Allowed", 405)
    if path.startswith(API):
        raise failure("Resource not found", 404)
    page = "<!DOCTYPE html>\n<html><head><title>Rocket.Chat</title></head><body></body></html>\n"
    return text_reply(page, 404, HTML)


async def _read_input(request: BaseRequest) -> tuple[dict[str, Any], list[Upload]]:
    """Return the fields and the files of a body."""
    if request.content_type != "multipart/form-data":
        return await _read_body(request), []
    return await receive(request)


async def _read_body(request: BaseRequest) -> dict[str, Any]:
    """Decode a body. A malformed one counts as empty (docs/platforms/rocketchat.md#rest-rules)."""
    try:
        raw = await request.read()
    except HTTPRequestEntityTooLarge:
        raise failure("request entity too large", 413) from None
    if not raw:
        return {}
    if "urlencoded" in request.headers.get("Content-Type", ""):
        return _read_query(raw.decode("utf-8", "replace"))
    try:
        body: Any = orjson.loads(raw)
    except ValueError:
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def _read_query(query: str) -> dict[str, Any]:
    """Decode a query: `key[]` makes a list, and so does a repeated key."""
    found: dict[str, Any] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        name = key.removesuffix("[]")
        if name != key or name in found:
            before = found.get(name, [])
            found[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            found[name] = value
    return found
