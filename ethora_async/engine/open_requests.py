"""Requests to routes that a client has no method for: signed, limited, retried and reported like any other."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar, Unpack
from unicodedata import normalize
from urllib.parse import quote, unquote

import attrs

from ethora_async import codec
from ethora_async.engine.urls import QueryValue
from ethora_async.errors import InvalidInputError, ReplyLostError
from ethora_async.pages import Pages
from ethora_async.redaction import DEEPEST, Secret, sealed, wrapped
from ethora_async.request import Method, Operation, Reply

if TYPE_CHECKING:
    from ethora_async.config import Seconds

U = TypeVar("U")

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
_IDS = ("_id", "id", "uuid")

Query = Mapping[str, QueryValue | None]
"""A query: texts, numbers, booleans, and lists of them; None values are left out."""


class Send(Protocol):
    """A client's function that carries out an operation."""

    def __call__(
        self, operation: Operation, /, *, query: Mapping[str, QueryValue], data: Any, timeout: Seconds | None
    ) -> Awaitable[Reply]:
        """Carry it out."""
        ...


@attrs.frozen
class Paging:
    """The paging parameters of a platform's listings.

    Attributes:
        limit: The query's name for the number of items in a page.
        offset: The query's name for where a page starts.
        largest: The largest page that the platform gives.
        numbered: Whether `offset` counts pages from 1, not items from 0.
    """

    limit: str
    offset: str
    largest: int
    numbered: bool = False

    def query(self, offset: int, limit: int) -> dict[str, QueryValue]:
        """Return the query parameters of one page."""
        return {self.limit: limit, self.offset: offset // limit + 1 if self.numbered else offset}


class Requests:
    """`request` and `pages` on one view of a platform.

    Args:
        send: Carries out an operation as this view does.
        paging: How the platform's listings are paged.
    """

    def __init__(self, send: Send, paging: Paging) -> None:
        self._send_open = send
        self._paging = paging

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        repeatable: bool | None = None,
        timeout: Seconds | None = None,
    ) -> Reply:
        """Call a route that this client has no method for.

        The request is signed, limited, retried and told to `on_event` like every other, under the name
        ``request.get``, ``request.post`` and so on.

        Args:
            method: ``"GET"``, ``"HEAD"``, ``"POST"``, ``"PUT"``, ``"PATCH"`` or ``"DELETE"``.
            path: The path below the client's URL, such as ``"/api/v1/things"``. Other hosts are out of reach.
            query: Texts, numbers and booleans, or lists of them; what is None is left out.
            json: The body; None sends none.
            repeatable: Whether doing it twice leaves the same state as doing it once: only then is the request sent
                again when its fate is unknown. By default True for GET, HEAD, PUT and DELETE.
            timeout: In place of the client's own.

        Returns:
            The reply: `status`, `data` (decoded JSON, None for an empty body), `headers`, `attempts`, `request_id`.

        Raises:
            InvalidInputError: An argument cannot be used; nothing was sent.
            ConfigError: `timeout` is not a duration greater than 0; nothing was sent.
            NotSentError, ReplyLostError, ApiError: As for every call.
        """
        # Wrapped before anything can fail: a later error shows this frame.
        path, (query, json) = wrapped(path), _masked(query, json)
        operation = _operation(method, path, repeatable)
        return await self._send_open(operation, query=_query(query), data=_body(json), timeout=timeout)

    def pages(
        self,
        path: str,
        *,
        key: str,
        query: Query | None = None,
        limit: int | None = None,
        offset: int = 0,
        timeout: Seconds | None = None,
    ) -> Pages[Any]:
        """Read a listing that this client has no method for, page by page; see `Pages`.

        Args:
            path: As for `request`.
            key: Where the reply holds the list: ``"users"``, or ``"result.items"`` for a list further inside.
            query: Sent with each page.
            limit: Items in a page; by default as many as the platform gives.
            offset: Where to start; 0 is the first item.
            timeout: For each page, in place of the client's own.

        Returns:
            The items as decoded JSON. An item that comes again on a later page, by its id or else by its content, is
            left out.

        Raises:
            InvalidInputError: An argument cannot be used; nothing was sent.
            ReplyLostError: On reading, the reply holds no list under `key`.
        """
        path, (query, _) = wrapped(path), _masked(query, None)
        base, paging = _query(query), self._paging
        operation = _operation("GET", path, None)
        _check_key(key)
        if paged := {paging.limit, paging.offset} & base.keys():
            msg = f"query must not hold {' or '.join(sorted(paged))}: pass limit= and offset="
            raise InvalidInputError(msg, field="query")

        async def fetch(offset: int, limit: int) -> tuple[tuple[Any, ...], int | None]:
            asked = {**base, **paging.query(offset, limit)}
            reply = await self._send_open(operation, query=asked, data=None, timeout=timeout)
            return _items(reply, key, operation), _total(reply.data)

        size = paging.largest if limit is None else limit
        return Pages(fetch, _identity, limit=size, offset=offset, largest=paging.largest)


class RequestOptions(TypedDict, total=False):
    """The options of `Requests.request`, which describes them."""

    query: Query | None
    json: Any
    repeatable: bool | None
    timeout: Seconds | None


class PagesOptions(TypedDict, total=False):
    """The options of `Requests.pages`, which describes them."""

    query: Query | None
    limit: int | None
    offset: int
    timeout: Seconds | None


class RequestsAsUser(Requests, Generic[U]):
    """`request` and `pages` on a client that can also act as one of its users.

    Args:
        send: Carries out an operation as the client itself.
        paging: How the platform's listings are paged.
        as_user: Returns the view of a user.
    """

    def __init__(self, send: Send, paging: Paging, as_user: Callable[[U], Requests]) -> None:
        super().__init__(send, paging)
        self._requests_of = as_user

    async def request(
        self, method: str, path: str, *, as_user: U | None = None, **options: Unpack[RequestOptions]
    ) -> Reply:
        """Call a route that this client has no method for.

        Args:
            method: ``"GET"``, ``"HEAD"``, ``"POST"``, ``"PUT"``, ``"PATCH"`` or ``"DELETE"``.
            path: The path below the client's URL, such as ``"/api/v1/things"``. Other hosts are out of reach.
            as_user: In whose name to ask, in any form that `as_user` takes; by default this client's own.
            options: ``query``, ``json``, ``repeatable`` and ``timeout``, as `Requests.request` describes them.

        Returns:
            The reply: `status`, `data` (decoded JSON, None for an empty body), `headers`, `attempts`, `request_id`.

        Raises:
            InvalidInputError: An argument cannot be used; nothing was sent.
            ConfigError: `timeout` is not a duration greater than 0; nothing was sent.
            NotSentError, ReplyLostError, ApiError: As for every call.
        """
        path = wrapped(path)
        options["query"], options["json"] = _masked(options.get("query"), options.get("json"))
        if as_user is not None:
            return await self._requests_of(as_user).request(method, path, **options)
        return await super().request(method, path, **options)

    def pages(self, path: str, *, key: str, as_user: U | None = None, **options: Unpack[PagesOptions]) -> Pages[Any]:
        """Read a listing that this client has no method for, page by page; see `Pages`.

        Args:
            path: As for `request`.
            key: Where the reply holds the list: ``"users"``, or ``"result.items"`` for a list further inside.
            as_user: As for `request`.
            options: ``query``, ``limit``, ``offset`` and ``timeout``, as `Requests.pages` describes them.

        Raises:
            InvalidInputError: An argument cannot be used; nothing was sent.
            ReplyLostError: On reading, the reply holds no list under `key`.
        """
        path, (options["query"], _) = wrapped(path), _masked(options.get("query"), None)
        if as_user is not None:
            return self._requests_of(as_user).pages(path, key=key, **options)
        return super().pages(path, key=key, **options)


def _operation(method: object, path: object, repeatable: bool | None) -> Operation:
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


def _check_key(key: object) -> None:
    if not isinstance(key, str) or not all(key.split(".")):
        msg = "key must name where the reply holds the list, such as 'users'"
        raise InvalidInputError(msg, field="key")


class _Unusable:
    """A query or body that cannot be sent, in its place: the frames of the error must not show it."""

    def __init__(self, fault: str) -> None:
        self.fault = fault


def _masked(query: Any, json: Any) -> tuple[Any, Any]:
    """Return a query and a body with their secrets wrapped, or with an `_Unusable` in the place of one."""
    if not isinstance(query, _Unusable):
        query = _read_query({} if query is None else query)
    if not isinstance(json, _Unusable):
        fault = _fault_in_json(json)
        json = _Unusable(fault) if fault else sealed(json)
    return query, json


def _query(masked: Any) -> dict[str, QueryValue]:
    if isinstance(masked, _Unusable):
        raise InvalidInputError(masked.fault, field="query")
    query: dict[str, QueryValue] = masked
    return query


def _body(masked: Any) -> Any:
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


def _items(reply: Reply, key: str, operation: Operation) -> tuple[Any, ...]:
    held = reply.data
    for name in key.split("."):
        held = held.get(name) if isinstance(held, dict) else None
    if isinstance(held, list):
        return tuple(held)
    msg = f"the platform's reply has an unexpected shape: no list under {key}"
    raise ReplyLostError(msg, operation=operation.name, status=reply.status, request_id=reply.request_id)


def _total(data: Any) -> int | None:
    holders = [data, *(data.get(name) for name in ("pagination", "paging"))] if isinstance(data, dict) else []
    totals = [holder.get("total") for holder in holders if isinstance(holder, dict)]
    return next((total for total in totals if isinstance(total, int) and not isinstance(total, bool)), None)


def _identity(item: Any) -> str:
    if isinstance(item, dict):
        for name in _IDS:
            if isinstance(item.get(name), (str, int)):
                return f"{name}={item[name]}"
    return codec.dumps(item).decode()


__all__ = ["Paging", "Query", "Requests", "RequestsAsUser", "relative_path"]
