"""The checks of what callers pass in for a route that the client has no method for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any
from unicodedata import normalize
from urllib.parse import quote, unquote

from ethora_async import codec
from ethora_async.errors import InvalidInputError
from ethora_async.redaction import DEEPEST, Secret, sealed, wrapped
from ethora_async.request import Method, Operation

if TYPE_CHECKING:
    from ethora_async.engine.urls import QueryValue

_SOURCE = "docs/architecture.md#call-a-route-that-has-no-method"
_REPEATABLE: Mapping[Method, bool] = {
    "GET": True,
    "HEAD": True,
    "PUT": True,
    "DELETE": True,
    "POST": False,
    "PATCH": False,
}
_OPERATIONS: Mapping[tuple[Method, bool], str] = {
    (method, repeatable): f"request.{method.lower()}" for method in _REPEATABLE for repeatable in (True, False)
}
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]{2}")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\\]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_FINITE = "json holds NaN or an infinite number, which JSON has no form for"
_LONGEST_NUMBER = 1024
"""Bits of an integer in a query. Python refuses to write out much longer ones."""
_SEGMENTS = re.compile(r"[/?#]")
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"


def read_operation(method: object, path: object, repeatable: bool | None) -> Operation:
    """Return the operation that a caller describes.

    Raises:
        InvalidInputError: The method, the path or `repeatable` cannot be used.
    """
    wanted = method.upper() if isinstance(method, str) else ""
    known: Method | None = next((one for one in _REPEATABLE if one == wanted), None)
    if known is None:
        msg = f"method must be one of {', '.join(_REPEATABLE)}"
        raise InvalidInputError(msg, field="method")
    if repeatable not in (None, True, False):
        msg = "repeatable must be True, False or None"
        raise InvalidInputError(msg, field="repeatable")
    again = _REPEATABLE[known] if repeatable is None else bool(repeatable)
    return Operation(
        _OPERATIONS[known, again], known, "", repeatable=again, source=_SOURCE, literal=Secret(relative_path(path))
    )


def relative_path(path: object) -> str:
    """Return a path below a client's URL, with the remaining characters percent-encoded.

    Servers and proxies decode paths once or more, treat ``\\`` as ``/``, and drop what follows ``;`` in a segment.
    Some take look-alikes, such as a full-width full stop, for the character itself. So the path is checked in all these
    readings.

    Args:
        path: Text, or a `Secret` with it.

    Raises:
        InvalidInputError: It names another host, climbs by ``..``, or is not a path. The message does not repeat it: a
            path may hold a secret.
    """
    path = secret = wrapped(path)
    if fault := _fault_in_path(secret):
        raise InvalidInputError(fault, field="path")
    return quote("/" + secret.reveal().removeprefix("/"), safe=_SAFE_IN_PATH)


def _fault_in_path(secret: Any) -> str | None:
    # It returns the fault, and its caller raises: the error shows no frame that holds the path in clear.
    path = secret.reveal() if isinstance(secret, Secret) else ""
    if not path.strip("/"):
        return "path must be the part of the URL after the host, such as '/api/v1/things'"
    readings = [path]
    try:
        path.encode()
        while (decoded := unquote(readings[-1], errors="strict")) != readings[-1]:
            readings.append(decoded)
    except UnicodeError:
        # Servers that read bytes themselves take some that are not UTF-8 for a full stop or a slash.
        readings.clear()
    if not readings or _NO_ESCAPE.search(path):
        return "path must be UTF-8 text, and its '%' must begin a percent-encoded byte: write '%25' for itself"
    for reading in (*readings, *(normalize("NFKC", one) for one in readings)):
        if _ORIGIN.match(reading):
            return "path must not name a scheme or a host: it is relative to the client's URL"
        if _UNSAFE.search(reading):
            return "path must not hold white space, control characters or backslashes, encoded ones included"
        if any(segment.partition(";")[0] in (".", "..") for segment in _SEGMENTS.split(reading)):
            return "path must not hold '.' or '..' as a segment, encoded ones included"
    if "?" in path or "#" in path:
        return "path must not hold '?' or '#': pass query=, and percent-encode them where they are part of a name"
    return None


def check_key(key: object) -> None:
    """Check the name of the place where a reply holds its list.

    Raises:
        InvalidInputError: It is no such name.
    """
    if not isinstance(key, str) or not all(key.split(".")):
        msg = "key must name where the reply holds the list, such as 'users'"
        raise InvalidInputError(msg, field="key")


class _Unusable:
    """A query or body that cannot be sent, in its place: the frames of the error must not show it."""

    def __init__(self, fault: str) -> None:
        self.fault = fault


def mask_arguments(query: Any, json: Any) -> tuple[Any, Any]:
    """Return a query and a body with their secrets wrapped, or with an `_Unusable` in the place of one."""
    if not isinstance(query, _Unusable):
        query = _read_query({} if query is None else query)
    if not isinstance(json, _Unusable):
        fault = _fault_in_json(json)
        json = _Unusable(fault) if fault else sealed(json)
    return query, json


def usable_query(masked: Any) -> dict[str, QueryValue]:
    """Return the query of `masked`.

    Raises:
        InvalidInputError: It cannot be sent.
    """
    if isinstance(masked, _Unusable):
        raise InvalidInputError(masked.fault, field="query")
    query: dict[str, QueryValue] = masked
    return query


def usable_body(masked: Any) -> Any:
    """Return the body of `masked`.

    Raises:
        InvalidInputError: It cannot be sent.
    """
    if isinstance(masked, _Unusable):
        raise InvalidInputError(masked.fault, field="json")
    return masked


def _read_query(given: object) -> dict[str, Any] | _Unusable:
    if not isinstance(given, Mapping):
        return _Unusable("query must be a mapping of names to values")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        listed = isinstance(value, (list, tuple))
        values = list(value) if listed else [value]
        if not (isinstance(name, str) and name and _is_sendable(name) and all(_is_sendable(one) for one in values)):
            return _Unusable(f"query[{name!r}] must be a text, a finite number, a boolean, or a list of them")
        if name in found:  # a mapping such as MultiDict yields a name once for each of its values
            earlier = found[name]
            found[name] = [*(earlier if isinstance(earlier, list) else [earlier]), *values]
        else:
            found[name] = values if listed else value
    masked: dict[str, Any] = sealed(found)
    return masked


def _is_sendable(value: object) -> bool:
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, str):
        return not _SURROGATES.search(value)
    if isinstance(value, int):
        return value.bit_length() <= _LONGEST_NUMBER
    return isinstance(value, float) and isfinite(value)


def _fault_in_json(value: Any) -> str | None:
    try:
        codec.dumps_revealed(value)
    except (TypeError, RecursionError):
        return "json holds something that JSON has no form for, or nests too deep"
    level, depth = [value], 0
    if isinstance(value, float) and not isfinite(value):
        return _NOT_FINITE
    while level := [item for one in level for item in _inner(one)]:
        if any(isinstance(one, float) and not isfinite(one) for one in level):
            return _NOT_FINITE
        depth += 1
        if depth >= DEEPEST:
            return f"json nests deeper than {DEEPEST} levels"
    return None


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()
