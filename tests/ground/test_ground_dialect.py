"""Every form of Ethora's error replies (docs/platforms/ethora.md#error-replies)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    ServerFaultError,
    UnauthorizedError,
    ValidationFailedError,
)
from ethora_async.platforms.ethora.dialect import EthoraDialect
from ethora_async.request import Response

if TYPE_CHECKING:
    from ethora_async.protocols import Failure


def read(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> Failure:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return EthoraDialect().read_failure(Response(status, headers or {}, raw))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"success": False, "error": "No luck"}, "No luck"),
        ({"error": {"message": "Deep"}}, "Deep"),
        ({"message": "By message"}, "By message"),
        ({"msg": "By msg"}, "By msg"),
        ({"reason": "By reason"}, "By reason"),
        ({"error": "  ", "msg": "The second"}, "The second"),
        ("A JSON string", "A JSON string"),
        (b"Plain text \n", "Plain text"),
        (b"<!doctype html><title>502 Bad Gateway</title>", "an HTML page came instead of JSON: 502 Bad Gateway"),
        (b"  <html><body><pre>Cannot GET /x</pre>", "an HTML page came instead of JSON: Cannot GET /x"),
        (b"<html>", "an HTML page came instead of JSON"),
        (b"\xff\xfe broken", "\ufffd\ufffd broken"),
        (b"", "the platform answered HTTP 400 without saying why"),
        ({"ok": False}, "the platform answered HTTP 400 without saying why"),
        ([1, 2], "the platform answered HTTP 400 without saying why"),
        ({"error": 5, "message": None}, "the platform answered HTTP 400 without saying why"),
    ],
)
def test_the_message_is_found_in_every_form(body: Any, message: str) -> None:
    assert read(400, body).message == message


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "x"}, ValidationFailedError),
        (400, {"code": "APP_NOT_FOUND"}, NotFoundError),
        (400, {"code": "INVALID_TOKEN_TYPE", "error": "Invalid token type"}, UnauthorizedError),
        (401, {"error": "Missing token", "authFlow": "b2b"}, UnauthorizedError),
        (401, {"code": "USER_NOT_FOUND"}, NotFoundError),
        (401, {"code": "AUTH_FAILED"}, UnauthorizedError),
        (402, {}, ForbiddenError),
        (403, {"error": "Forbidden"}, ForbiddenError),
        (403, {"code": "APP_ARCHIVED"}, ForbiddenError),
        (404, {"code": "USER_NOT_FOUND"}, NotFoundError),
        (404, {"error": "Chat not found"}, NotFoundError),
        (404, b"User not found", NotFoundError),
        (404, "Not found userAcl", NotFoundError),
        (422, b"some users not found", NotFoundError),
        (422, "Room not found", NotFoundError),
        (404, b"", ApiError),
        (404, {"error": "no such route"}, ApiError),
        (404, b"<html><pre>Cannot GET /v9/x</pre></html>", ApiError),
        (404, b"<html><title>404 Not Found</title><h1>nginx</h1></html>", ApiError),
        (409, {}, ConflictError),
        (410, b"gone", ApiError),
        (413, b"", ValidationFailedError),
        (422, {"code": "VALIDATION_ERROR", "error": '"x" is required'}, ValidationFailedError),
        (422, {"code": "USER_ALREADY_EXISTS"}, ConflictError),
        (422, "User already exists", ConflictError),
        (422, {"exists": True}, ValidationFailedError),
        (429, b"", RateLimitedError),
        (498, b"", ApiError),
        (500, {"error": "user not found in cache"}, ServerFaultError),
        (503, b"<html>", ServerFaultError),
        (302, b"", ApiError),
    ],
)
def test_each_failure_has_its_class(status: int, body: Any, kind: type) -> None:
    assert read(status, body).kind is kind


@pytest.mark.parametrize(
    ("status", "body", "rejected"),
    [
        (401, b"", True),
        (401, {"error": "authorization token verify error"}, True),
        (401, {"code": "USER_NOT_FOUND", "error": "token user"}, False),
        (401, {"code": "AUTH_FAILED"}, False),
        (401, {"code": "REFRESH_RECORD_NOT_FOUND", "error": "!refreshRecord"}, False),
        (401, {"code": "INVALID_TOKEN_TYPE"}, False),
        (400, {"code": "INVALID_TOKEN_TYPE", "error": "Invalid token type"}, False),
        (403, {"error": "invalid signature"}, True),
        (403, {"error": "jwt expired"}, True),
        (403, {"code": "TOKEN_EXPIRED"}, True),
        (403, {"error": "Forbidden"}, False),
        (403, {"error": "tokenised things are not for you"}, False),
        (404, {"error": "token not found"}, False),
        (500, {"error": "token service down"}, False),
    ],
)
def test_only_a_reply_about_the_token_says_that_another_may_help(status: int, body: Any, rejected: bool) -> None:
    failure = read(status, body)
    assert failure.token_rejected is rejected
    assert not rejected or failure.kind is UnauthorizedError


@pytest.mark.parametrize(
    ("body", "headers", "found"),
    [
        ({"requestId": "from-body"}, {"x-request-id": "from-header"}, "from-body"),
        ({}, {"x-request-id": "a"}, "a"),
        ({}, {"x-requestid": "b"}, "b"),
        ({}, {"x-correlation-id": "c"}, "c"),
        ({"requestId": "two words"}, {"x-request-id": "d"}, "d"),
        ({"requestId": 5}, {}, None),
    ],
)
def test_the_request_id_is_found(body: Any, headers: dict[str, str], found: str | None) -> None:
    assert read(500, body, headers).request_id == found


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ({"retryAfter": 3}, 3.0),
        ({"retry_after": 0.5}, 0.5),
        ({"retryAfter": "3"}, None),
        ({"retryAfter": -1}, None),
        ({"retryAfter": True}, None),
        (b"", None),
    ],
)
def test_a_wait_in_the_body_is_read(body: Any, wait: float | None) -> None:
    assert read(429, body).retry_after == wait


@given(st.integers(300, 599), st.binary() | st.text().map(str.encode) | st.sampled_from([b"<title>" * 50_000]))
def test_any_body_can_be_read(status: int, body: bytes) -> None:
    failure = read(status, body)
    assert issubclass(failure.kind, ApiError)
    assert failure.message
