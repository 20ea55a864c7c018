"""Avaya's problem objects (docs/platforms/avaya.md#errors)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import attrs
import orjson

from ethora_async.sandbox.wire import Reply

PROBLEM = "application/problem+json"
TYPE = "https://developers.avayacloud.com/avaya-experience-platform/docs/error-handling"

REQUIRED = 20002
"""A required value was null."""
NOT_FITTING = 20006
"""A value does not match; also used for limits whose codes are not published."""


@attrs.frozen
class Violation:
    """One constraint that a request breaks."""

    field: str
    message: str
    code: int = NOT_FITTING


class RefusedError(Exception):
    """A request is rejected with a problem.

    `status_as_text` writes the status as a string, as the portal shows it for a wrong account id.
    """

    def __init__(
        self, status: int, detail: str, violations: tuple[Violation, ...] = (), *, status_as_text: bool = False
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.violations = violations
        self.status_as_text = status_as_text


class OAuthError(Exception):
    """A token request is rejected with OAuth's own error object (RFC 6749 §5.2)."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error


def title(status: int) -> str:
    """Return the reason phrase of a status."""
    known = status in {member.value for member in HTTPStatus}
    return HTTPStatus(status).phrase if known else f"Status {status}"


def problem(refusal: RefusedError, instance: str) -> dict[str, Any]:
    """Return the problem object of a refused request."""
    body: dict[str, Any] = {
        "type": TYPE,
        "title": title(refusal.status),
        "status": str(refusal.status) if refusal.status_as_text else refusal.status,
        "detail": refusal.detail,
        "instance": instance,
    }
    if refusal.violations:
        body["violations"] = [attrs.asdict(violation) for violation in refusal.violations]
    return body


def problem_answer(refusal: RefusedError, instance: str) -> Reply:
    """Return the reply for a refused request."""
    return Reply(refusal.status, orjson.dumps(problem(refusal, instance)), PROBLEM)


def oauth_answer(refusal: OAuthError) -> Reply:
    """Return the reply for an OAuth error."""
    body = {"error": refusal.error, "error_description": str(refusal)}
    return Reply(refusal.status, orjson.dumps(body), "application/json")
