"""Read Avaya's error replies: problem objects, OAuth errors and gateway pages.

See docs/platforms/avaya.md#errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async import codec
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
from ethora_async.protocols import Failure
from ethora_async.redaction import request_id, scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ethora_async.request import Response

_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: ValidationFailedError,
    401: UnauthorizedError,
    403: ForbiddenError,
    409: ConflictError,
    413: ValidationFailedError,
    415: ValidationFailedError,
    422: ValidationFailedError,
    429: RateLimitedError,
}
_CLIENT_REFUSED = frozenset({"invalid_client", "unauthorized_client"})
"""OAuth errors (RFC 6749 §5.2) that reject the client's own login, with 400 as well as with 401."""
_REQUEST_IDS = ("av-log-id", "x-request-id", "x-correlation-id")
_MOST_VIOLATIONS = 20


class AvayaDialect:
    """Reads an RFC 7807 problem, whatever its content type, an OAuth error, text or an HTML page.

    Args:
        hidden: the secrets that a request's body may hold, to be masked where a reply echoes them.
    """

    def __init__(self, hidden: Callable[[], Iterable[str]]) -> None:
        self._hidden = hidden

    def read_failure(self, response: Response) -> Failure:
        """Return the error class, the problem's message with all violations, and the code.

        The code is the first violation's (``"20002"``, ``"20006"``: docs/platforms/avaya.md#errors), or OAuth's
        ``error``. A 404 without a problem is a missing route, and a plain `ApiError`. Any 401 may be about the access
        token: the code does not rely on the text that distinguishes it from the application key.
        """
        data = _decoded(response)
        problem = data if isinstance(data, dict) else {}
        code = _code(problem)
        refused = response.status == 401 or (response.status == 400 and code in _CLIENT_REFUSED)
        hidden = tuple(self._hidden())
        said = scrub(_message(problem) if problem else _plain(data), hidden)
        return Failure(
            kind=UnauthorizedError if refused else _kind(response.status, problem),
            message=said or f"the platform answered HTTP {response.status} without saying why",
            code=scrub(code, hidden) if code else None,
            request_id=_request_id(response, hidden),
            token_rejected=refused,
        )


def _decoded(response: Response) -> Any:
    try:
        return codec.loads(response.body)
    except ValueError:
        return response.body.decode("utf-8", "replace")


def _plain(data: Any) -> str:
    if not isinstance(data, str):
        return ""
    return "an HTML page came instead of JSON" if data.lstrip().startswith("<") else data.strip()


def _kind(status: int, problem: Mapping[str, Any]) -> type[ApiError]:
    if status >= 500:
        return ServerFaultError
    if status == 404:
        return NotFoundError if problem else ApiError
    return _BY_STATUS.get(status, ApiError)


def _code(problem: Mapping[str, Any]) -> str | None:
    for violation in _violations(problem):
        if code := _number(violation.get("code")):
            return code
    error = problem.get("error")
    return error if isinstance(error, str) and error else None


def _number(code: Any) -> str:
    if isinstance(code, bool) or not isinstance(code, (int, str)):
        return ""
    return str(code)


def _message(problem: Mapping[str, Any]) -> str:
    words = [_text(problem, key) for key in ("title", "detail")]
    words += [_text(problem, "error_description") or _text(problem, "error") or _text(problem, "message")]
    said = ": ".join(dict.fromkeys(word for word in words if word))
    broken = "; ".join(_broken(violation) for violation in _violations(problem))
    return f"{said} ({broken})" if said and broken else said or broken


def _violations(problem: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = problem.get("violations")
    return [one for one in found[:_MOST_VIOLATIONS] if isinstance(one, dict)] if isinstance(found, list) else []


def _broken(violation: Mapping[str, Any]) -> str:
    field, code = _text(violation, "field") or "a field", _number(violation.get("code"))
    return f"{field}: {_text(violation, 'message') or 'not accepted'}" + (f" [{code}]" if code else "")


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value.strip() if isinstance(value, str) else ""


def _request_id(response: Response, hidden: Iterable[str]) -> str | None:
    found = next((one for name in _REQUEST_IDS if (one := request_id(response.headers.get(name)))), None)
    return scrub(found, hidden) if found else None
