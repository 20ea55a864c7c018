"""Error bodies of 6.x to 9.0, and how long a rate limit lasts.

See docs/platforms/rocketchat.md#error-replies, #rate-limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from rocketchat_helpers import UNAUTHORIZED, coded, plain_failure, reply

from ethora_async import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    ServerFaultError,
    UnauthorizedError,
    ValidationFailedError,
)
from ethora_async.platforms.rocketchat.dialect import RocketChatDialect
from ethora_async.platforms.rocketchat.two_factor import TwoFactorRequiredError
from ethora_async.testing.users import FakeClock

if TYPE_CHECKING:
    from ethora_async.request import Response

NOW = 1_700_000_000.0
WAIT_TEXT = (
    "Error, too many requests. Please slow down. You must wait 17 seconds before trying this endpoint again."
    " [error-too-many-requests]"
)
SLOW_DOWN = {"success": False, "error": WAIT_TEXT}

CASES: dict[str, tuple[Response, type[ApiError], str | None]] = {
    "not found is a 400 without a code": (plain_failure("User not found."), NotFoundError, None),
    "not found without a full stop": (plain_failure("User not found"), NotFoundError, None),
    "not found by code": (coded("error-room-not-found", "Room not found"), NotFoundError, "error-room-not-found"),
    "invalid user": (coded("error-invalid-user", "Invalid user"), NotFoundError, "error-invalid-user"),
    "invalid user id": (coded("error-invalid-user-id"), NotFoundError, "error-invalid-user-id"),
    "no such channel": (coded("invalid-channel"), NotFoundError, "invalid-channel"),
    "a resource": (plain_failure("Resource not found", 404), NotFoundError, None),
    "a missing route says nothing of a record": (reply(404, b"<html>404</html>"), ApiError, None),
    "forbidden as 400": (coded("error-not-allowed", "Not allowed"), ForbiddenError, "error-not-allowed"),
    "not authorised as 400": (coded("error-not-authorized", "Not authorized"), ForbiddenError, "error-not-authorized"),
    "not authorised in short": (coded("not-authorized"), ForbiddenError, "not-authorized"),
    "action not allowed": (coded("error-action-not-allowed"), ForbiddenError, "error-action-not-allowed"),
    "permission list": (
        reply(403, {"success": False, "error": "User does not have the permissions required [error-unauthorized]"}),
        ForbiddenError,
        "error-unauthorized",
    ),
    "handler refusal": (plain_failure("unauthorized", 403), ForbiddenError, None),
    "handler refusal of 9.0": (plain_failure("forbidden", 403), ForbiddenError, None),
    "taken": (coded("error-field-unavailable", "ann is already in use :("), ConflictError, "error-field-unavailable"),
    "taken in a race": (plain_failure("Username already exists."), ConflictError, None),
    "e-mail taken in a race": (plain_failure("Email already exists.", 403), ConflictError, None),
    "room name taken": (coded("error-duplicate-channel-name"), ConflictError, "error-duplicate-channel-name"),
    "last owner": (coded("user-last-owner"), ConflictError, "user-last-owner"),
    "body schema": (
        coded("invalid-params", "must have 'secret'"),
        ValidationFailedError,
        "invalid-params",
    ),
    "query schema": (coded("error-invalid-params"), ValidationFailedError, "error-invalid-params"),
    "a code in the text": (
        plain_failure("nope [error-invalid-domain]"),
        ValidationFailedError,
        "error-invalid-domain",
    ),
    "nothing but a code": (plain_failure("[error-something]"), ValidationFailedError, "error-something"),
    "required parameter": (plain_failure("The 'roomId' param is required"), ValidationFailedError, None),
    "429": (reply(429, SLOW_DOWN), RateLimitedError, "error-too-many-requests"),
    "old rate limit": (
        coded("error-too-many-requests", "Please slow down"),
        RateLimitedError,
        "error-too-many-requests",
    ),
    "internal": (plain_failure("boom", 500), ServerFaultError, None),
    "unavailable page": (reply(503, b"<html>"), ServerFaultError, None),
    "wrong password": (
        reply(401, {"status": "error", "success": False, "error": "Unauthorized", "message": "Unauthorized"}),
        UnauthorizedError,
        None,
    ),
    "wrong password as a number": (
        reply(401, {"status": "error", "error": 403, "message": "Unauthorized"}),
        UnauthorizedError,
        None,
    ),
    "9.0 login": (reply(401, {"success": False, "error": "unauthorized"}), UnauthorizedError, None),
    "blocked user": (
        reply(401, {"status": "error", "error": "error-login-blocked-for-user", "message": "Login has been blocked"}),
        ForbiddenError,
        "error-login-blocked-for-user",
    ),
    "blocked address": (
        reply(401, {"status": "error", "error": "error-login-blocked-for-ip", "message": "Login has been blocked"}),
        ForbiddenError,
        "error-login-blocked-for-ip",
    ),
    "nothing": (reply(400), ValidationFailedError, None),
    "a list": (reply(400, [1]), ValidationFailedError, None),
    "text": (reply(400, b"no"), ValidationFailedError, None),
}


def read(response: Response) -> Any:
    return RocketChatDialect(FakeClock(NOW)).read_failure(response)


@pytest.mark.parametrize(("response", "kind", "code"), CASES.values(), ids=CASES.keys())
def test_a_body_is_read(response: Response, kind: type[ApiError], code: str | None) -> None:
    failure = read(response)
    assert (failure.kind, failure.code) == (kind, code)
    assert failure.message


@pytest.mark.parametrize("version", UNAUTHORIZED)
def test_a_dead_token_is_rejected_in_every_version(version: int) -> None:
    failure = read(UNAUTHORIZED[version])
    assert failure.kind is UnauthorizedError
    assert failure.token_rejected
    assert failure.message == "You must be logged in to do this."


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("code", ["totp-required", "totp-invalid", "totp-max-attempts"])
@pytest.mark.parametrize("method", ["totp", "email", "password"])
def test_a_second_factor_is_told_from_a_dead_token(status: int, code: str, method: str) -> None:
    details = {"method": method, "codeGenerated": method == "email", "availableMethods": []}
    body = (
        {"success": False, "error": f"TOTP Required [{code}]", "errorType": code, "details": details}
        if status == 400
        else {"status": "error", "error": code, "message": f"TOTP Required [{code}]", "details": details}
    )
    failure = read(reply(status, body))
    assert issubclass(failure.kind, TwoFactorRequiredError)
    assert failure.kind.method == method
    assert failure.code == code
    assert not failure.token_rejected


def test_an_unknown_method_counts_as_a_one_time_code() -> None:
    assert read(coded("totp-required")).kind is TwoFactorRequiredError
    assert read(coded("totp-required", details=["x"])).kind is TwoFactorRequiredError
    assert read(coded("totp-required", details={"method": {}})).kind is TwoFactorRequiredError


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (reply(429, SLOW_DOWN), 17),
        (reply(429, SLOW_DOWN, x_ratelimit_reset=str(int((NOW + 40) * 1000))), 17),
        (coded("error-too-many-requests", "slow down", details={"timeToReset": 2500}), 2.5),
        (reply(429, {"success": False, "error": "slow"}, x_ratelimit_reset=str(int((NOW + 40) * 1000))), 40),
        (reply(429, {"success": False, "error": "slow"}, x_ratelimit_reset=str(int((NOW - 5) * 1000))), 0),
        (reply(429, {"success": False, "error": "slow"}, x_ratelimit_reset=str(int((NOW + 9e9) * 1000))), 60),
        (reply(429, {"success": False, "error": "slow"}, retry_after="3"), 3),
        (reply(429, {"success": False, "error": "slow"}, x_ratelimit_reset="²"), None),
        (reply(429, {"success": False, "error": "slow"}), None),
        (reply(429, b"slow"), None),
        (reply(400, {"success": False, "error": "wait 5 seconds"}), None),
    ],
)
def test_the_wait_is_read_from_the_body_else_the_headers(response: Response, seconds: float | None) -> None:
    assert read(response).retry_after == (None if seconds is None else pytest.approx(seconds))


KEYS = st.sampled_from(["error", "errorType", "message", "details", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)


@given(status=st.sampled_from([200, 302, 400, 401, 403, 404, 418, 429, 500]), body=JSON)
def test_no_body_is_too_strange(status: int, body: Any) -> None:
    failure = RocketChatDialect(FakeClock()).read(status, body, CIMultiDict())
    assert issubclass(failure.kind, ApiError)
    assert failure.message
