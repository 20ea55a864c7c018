"""The errors raised for Avaya's refusals (docs/platforms/avaya.md#errors)."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from avaya_parts import Wire, problem, reply

from ethora_async import (
    ApiError,
    ChatError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    RetryPolicy,
    ServerFaultError,
    UnauthorizedError,
    ValidationFailedError,
)

if TYPE_CHECKING:
    from ethora_async.request import Response
    from ethora_async.sandbox import AvayaSandbox
    from ethora_async.testing.users import FakeClock

VIOLATIONS = [
    {"field": "customerId", "message": "must not be null", "code": 20002},
    {"field": "integrationId", "message": "must match the pattern", "code": 20006},
]

MISSING, UNFIT = "customerId: must not be null [20002]", "integrationId: must match the pattern [20006]"
BROKEN = f"A title: Constraint violation ({MISSING}; {UNFIT})"

CASES: dict[str, tuple[Response, type[ApiError], str, str | None]] = {
    "malformed": (
        problem(400, "Unreadable", title="Bad Request"),
        ValidationFailedError,
        "Bad Request: Unreadable",
        None,
    ),
    "violations": (
        problem(400, "Constraint violation", violations=VIOLATIONS),
        ValidationFailedError,
        BROKEN,
        "20002",
    ),
    "violations with holes": (
        problem(400, violations=[None, {"code": None, "field": None, "message": None}, {"code": "20006"}]),
        ValidationFailedError,
        "A title (a field: not accepted; a field: not accepted [20006])",
        "20006",
    ),
    "violations of no kind": (problem(400, "x", violations="all"), ValidationFailedError, "A title: x", None),
    "a wrong account, its status as text": (
        problem(400, "The account id is not valid", status="400"),
        ValidationFailedError,
        "A title: The account id is not valid",
        None,
    ),
    "everything null": (
        problem(403, title=None, detail=None, type=None, status=None, violations=None),
        ForbiddenError,
        "the platform answered HTTP 403 without saying why",
        None,
    ),
    "the same as plain JSON": (
        reply(403, {"title": "Forbidden", "detail": "No"}),
        ForbiddenError,
        "Forbidden: No",
        None,
    ),
    "JSON said to be text": (reply(403, {"title": "Forbidden"}, "text/plain"), ForbiddenError, "Forbidden", None),
    "an OAuth error": (
        reply(400, {"error": "invalid_request", "error_description": "Missing form parameter"}),
        ValidationFailedError,
        "Missing form parameter",
        "invalid_request",
    ),
    "an OAuth error without a description": (
        reply(403, {"error": "access_denied"}),
        ForbiddenError,
        "access_denied",
        "access_denied",
    ),
    "not there": (problem(404, "No such account"), NotFoundError, "A title: No such account", None),
    "a missing route": (reply(404, b"<html>404</html>", "text/html"), ApiError, "an HTML page came", None),
    "conflict": (problem(409), ConflictError, "A title", None),
    "415 under the title of a 409": (problem(415, title="Conflict"), ValidationFailedError, "Conflict", None),
    "too many": (problem(429, "Spike limit"), RateLimitedError, "A title: Spike limit", None),
    "a server's fault": (problem(500, "Oops"), ServerFaultError, "A title: Oops", None),
    "a gateway's page": (
        reply(502, b"<!DOCTYPE html><html><body>secret inner host</body>", "text/html"),
        ServerFaultError,
        "an HTML page came instead of JSON",
        None,
    ),
    "text": (
        reply(503, b"upstream  connect\x07 error", "text/plain"),
        ServerFaultError,
        "upstream connect error",
        None,
    ),
    "nothing": (reply(418), ApiError, "the platform answered HTTP 418 without saying why", None),
    "a list": (reply(400, [1, 2]), ValidationFailedError, "the platform answered HTTP 400 without saying why", None),
}


@pytest.mark.parametrize(("answer", "kind", "message", "code"), CASES.values(), ids=CASES.keys())
async def test_what_a_refusal_becomes(
    clock: FakeClock, answer: Response, kind: type[ApiError], message: str, code: str | None
) -> None:
    wire = Wire(clock, answer, retry=RetryPolicy(attempts=1))
    with pytest.raises(ApiError) as caught:
        await wire.client.tokens.for_user("c1")
    error = caught.value
    assert type(error) is kind
    assert message in error.message
    assert (error.status, error.code, error.operation) == (answer.status, code, "tokens.for_user")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 415])
async def test_what_will_not_get_better_is_not_tried_again(clock: FakeClock, status: int) -> None:
    wire = Wire(clock, problem(status))
    with pytest.raises(ApiError):
        await wire.client.tokens.for_user("c1")
    assert len(wire.jwt_requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_what_may_get_better_is_tried_again_so_often_and_no_more(clock: FakeClock, status: int) -> None:
    wire = Wire(clock, problem(status), retry=RetryPolicy(attempts=3))
    with pytest.raises(ApiError):
        await wire.client.tokens.for_user("c1")
    assert len(wire.jwt_requests) == 3


@pytest.mark.parametrize(("header", "wait"), [("7", 7.0), (None, None)])
async def test_a_429_is_waited_out_as_long_as_it_says_where_it_says_so(
    clock: FakeClock, header: str | None, wait: float | None
) -> None:
    named = {} if header is None else {"Retry_After": header}
    wire = Wire(clock, reply(429, {"title": "Too many"}, **named))
    wire.jwts.append(reply(400, {}))
    with pytest.raises(ValidationFailedError):
        await wire.client.tokens.for_user("c1")
    assert len(clock.slept) == 1
    assert wait is None or clock.slept == [wait]


@pytest.mark.parametrize("name", ["av_log_id", "x_request_id"])
async def test_the_request_id_is_told_where_there_is_one(clock: FakeClock, name: str) -> None:
    wire = Wire(clock, reply(400, {"title": "Bad"}, **{name: "abc-123"}))
    with pytest.raises(ValidationFailedError) as caught:
        await wire.client.tokens.for_user("c1")
    assert caught.value.request_id == "abc-123"


async def test_a_long_body_is_cut_short(clock: FakeClock) -> None:
    wire = Wire(clock, reply(400, b"x" * 100_000, "text/plain"))
    with pytest.raises(ValidationFailedError) as caught:
        await wire.client.tokens.for_user("c1")
    assert len(str(caught.value)) < 500


async def test_the_sandbox_refuses_what_the_client_would_have_and_says_why(
    sandbox: AvayaSandbox, clock: FakeClock
) -> None:
    from avaya_parts import SETTINGS

    from ethora_async import AvayaClient

    async def refused(**changes: Any) -> ChatError:
        async with AvayaClient(**{**SETTINGS, "host": sandbox.url, **changes}, clock=clock) as client:
            with pytest.raises(ChatError) as caught:
                await client.tokens.for_user("c1")
        return caught.value

    assert isinstance(await refused(secret="another secret"), UnauthorizedError)
    assert isinstance(await refused(client_id="another"), UnauthorizedError)
    assert isinstance(await refused(app_key="another-key"), UnauthorizedError)
    assert isinstance(await refused(account_id="ZZZZZZ"), NotFoundError)
    other = "00000000-0000-4000-8000-000000000000"
    assert isinstance(await refused(integration_id=other), ValidationFailedError)
    sandbox.faults.oauth_errors = True
    assert (await refused(secret="another secret")).code == "invalid_client"
