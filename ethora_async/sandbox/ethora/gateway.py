"""Answer raw requests: routing, decoding, token check, handler, error bodies."""

from __future__ import annotations

import html
import itertools
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from aiohttp.web import HTTPRequestEntityTooLarge

from ethora_async.sandbox.ethora import (
    routes_accounts,
    routes_app_parts,
    routes_app_tokens,
    routes_apps,
    routes_broadcasts,
    routes_bundles,
    routes_chats,
    routes_docs,
    routes_files,
    routes_members,
    routes_messages,
    routes_my_chats,
    routes_older,
    routes_platform,
    routes_sessions,
    routes_statistics,
    routes_user_admin,
    routes_user_records,
    routes_users,
)
from ethora_async.sandbox.ethora.auth import authenticate, target_app
from ethora_async.sandbox.ethora.call import Call
from ethora_async.sandbox.ethora.errors import RefusedError
from ethora_async.sandbox.ethora.uploads import Upload, is_multipart, receive
from ethora_async.sandbox.routing import Match, RouteTable
from ethora_async.sandbox.wire import HTML, Reply, json_reply, text_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.web import BaseRequest

    from ethora_async.sandbox.ethora.platform import Platform
    from ethora_async.sandbox.ethora.routing import Route

TABLE: RouteTable[Route, Call] = RouteTable(
    routes_platform.ROUTES,
    routes_docs.ROUTES,
    routes_users.ROUTES,
    routes_user_records.ROUTES,
    routes_user_admin.ROUTES,
    routes_sessions.ROUTES,
    routes_accounts.ROUTES,
    routes_chats.ROUTES,
    routes_members.ROUTES,
    routes_my_chats.ROUTES,
    routes_messages.ROUTES,
    routes_broadcasts.ROUTES,
    routes_files.ROUTES,
    routes_apps.ROUTES,
    routes_app_tokens.ROUTES,
    routes_app_parts.ROUTES,
    routes_bundles.ROUTES,
    routes_statistics.ROUTES,
    routes_older.ROUTES,
)
WEBSOCKET = "/ws"


class Gateway:
    """Answers requests by the routes of one platform."""

    def __init__(self, platform: Platform, open_socket: Callable[[BaseRequest], Reply]) -> None:
        self._platform = platform
        self._open_socket = open_socket
        self._prefix = secrets.token_hex(4)
        self._count = itertools.count(1)

    def operation(self, method: str, path: str) -> str | None:
        """Return the name of the route for a request, such as `POST /v1/chats`; None when there is none."""
        if path == WEBSOCKET:
            return f"GET {WEBSOCKET}"
        try:
            match = _find(method, path)
        except RefusedError:
            return None
        return None if match is None else match.route.operation

    async def answer(self, request: BaseRequest, path: str, query: str) -> Reply:
        """Answer one request."""
        if path == WEBSOCKET:
            return self._open_socket(request)
        request_id = f"{self._prefix}-{next(self._count):08x}"
        try:
            answer = await self._serve(request, path, query)
        except RefusedError as refusal:
            answer = _refusal_answer(refusal, request_id)
        answer.headers["x-request-id"] = request_id
        return answer

    async def _serve(self, request: BaseRequest, path: str, query: str) -> Reply:
        match = _find(request.method, path)
        parts = match.route.uploads if match is not None and is_multipart(request) else None
        body = await _read_body(request) if parts is None else {}
        if match is None:
            return text_reply(_cannot(request.method, path), 404, HTML)
        platform, route, headers = self._platform, match.route, request.headers
        now = platform.clock()
        platform.store.agenda.settle(now)
        caller = authenticate(platform, route, headers, now)
        target = target_app(platform, route, match.params, caller)
        try:
            upload = Upload() if parts is None else await receive(request, platform.shelf, parts[1])
            call = Call(
                platform=platform,
                route=route,
                params=match.params,
                query=_read_query(query),
                body=body if parts is None else upload.values,
                headers=headers,
                now=now,
                caller=caller,
                target=target,
                upload=upload,
                routes=TABLE.routes,
                scheme=request.scheme,
            )
            return await _handle(match, call)
        finally:
            await platform.shelf.sweep()


async def _handle(match: Match[Route, Call], call: Call) -> Reply:
    """Call the handler; delete files that it rejects."""
    try:
        return await match.answer(call)
    except RefusedError:
        for file in call.upload.files:
            call.platform.shelf.doom(file.path)
        raise


def _find(method: str, path: str) -> Match[Route, Call] | None:
    """Find a route; HEAD is served by GET."""
    try:
        return TABLE.find("GET" if method == "HEAD" else method, path)
    except ValueError:
        raise RefusedError(400, "Failed to decode param") from None


def _cannot(method: str, path: str) -> str:
    """Return Express's page for a route that does not exist."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>Cannot {html.escape(method)} {html.escape(path)}</pre>\n</body>\n</html>\n"
    )


async def _read_body(request: BaseRequest) -> Any:
    """Decode a JSON body. Like Express, ignore other content types and an empty body."""
    try:
        raw = await request.read()
    except HTTPRequestEntityTooLarge:
        raise RefusedError(413, "request entity too large", "PAYLOAD_TOO_LARGE") from None
    if not raw or "json" not in request.headers.get("Content-Type", ""):
        return {}
    try:
        body: Any = orjson.loads(raw)
    except ValueError:
        raise RefusedError(400, "Request body is not valid JSON", "INVALID_JSON") from None
    return body


def _read_query(query: str) -> dict[str, Any]:
    """Decode the query; a repeated key becomes a list, as in Express."""
    if not query:
        return {}
    result: dict[str, Any] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        result[key] = [result[key], value] if key in result else value
    return result


def _refusal_answer(refusal: RefusedError, request_id: str) -> Reply:
    if refusal.plain:
        return text_reply(refusal.error, refusal.status)
    body: dict[str, Any] = {"success": False, "error": refusal.error}
    if refusal.code is not None:
        body["code"] = refusal.code
    return json_reply({**body, **refusal.extra, "requestId": request_id}, refusal.status)
