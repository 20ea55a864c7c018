"""Requests to routes that a client has no method for: signed, limited, retried and reported like any other.

Every client inherits from a class in here, and few use it: what it needs beside is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar, Unpack

import attrs

from ethora_async.engine.urls import Query, QueryValue
from ethora_async.errors import InvalidInputError, ReplyLostError
from ethora_async.redaction import wrapped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ethora_async.config import Seconds
    from ethora_async.pages import Pages
    from ethora_async.request import Operation, Reply

U = TypeVar("U")

_IDS = ("_id", "id", "uuid")


class Send(Protocol):
    """A client's function that carries out an operation."""

    def __call__(
        self, operation: Operation, /, *, query: Mapping[str, QueryValue], data: Any, timeout: Seconds | None
    ) -> Awaitable[Reply]:
        """Carry it out."""
        ...


@attrs.frozen(eq=False, repr=False)
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
        from ethora_async.engine import request_arguments as arguments

        # Wrapped before anything can fail: a later error shows this frame.
        path, (query, json) = wrapped(path), arguments.mask_arguments(query, json)
        operation = arguments.read_operation(method, path, repeatable)
        return await self._send_open(
            operation, query=arguments.usable_query(query), data=arguments.usable_body(json), timeout=timeout
        )

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
            offset: Where to start; 0 is the first item. On Avaya it is a multiple of `limit`.
            timeout: For each page, in place of the client's own.

        Returns:
            The items as decoded JSON. An item that comes again on a later page, by its id or else by its content, is
            left out.

        Raises:
            InvalidInputError: An argument cannot be used; nothing was sent.
            ReplyLostError: On reading, the reply holds no list under `key`.
        """
        from ethora_async.engine import request_arguments as arguments
        from ethora_async.pages import Pages

        path, (query, _) = wrapped(path), arguments.mask_arguments(query, None)
        base, paging = arguments.usable_query(query), self._paging
        operation = arguments.read_operation("GET", path, None)
        arguments.check_key(key)
        if paged := {paging.limit, paging.offset} & base.keys():
            msg = f"query must not hold {' or '.join(sorted(paged))}: pass limit= and offset="
            raise InvalidInputError(msg, field="query")

        async def fetch(offset: int, limit: int) -> tuple[tuple[Any, ...], int | None]:
            asked = {**base, **paging.query(offset, limit)}
            reply = await self._send_open(operation, query=asked, data=None, timeout=timeout)
            return _items(reply, key, operation), _total(reply.data)

        size = paging.largest if limit is None else limit
        return Pages(fetch, _identity, limit=size, offset=offset, largest=paging.largest, numbered=paging.numbered)


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
        from ethora_async.engine import request_arguments as arguments

        path = wrapped(path)
        options["query"], options["json"] = arguments.mask_arguments(options.get("query"), options.get("json"))
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
        from ethora_async.engine import request_arguments as arguments

        path, (options["query"], _) = wrapped(path), arguments.mask_arguments(options.get("query"), None)
        if as_user is not None:
            return self._requests_of(as_user).pages(path, key=key, **options)
        return super().pages(path, key=key, **options)


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
    # A negative number stands for an unknown one.
    return next((one for one in totals if isinstance(one, int) and not isinstance(one, bool) and one >= 0), None)


def _identity(item: Any) -> str:
    if isinstance(item, dict):
        for name in _IDS:
            if isinstance(item.get(name), (str, int)):
                return f"{name}={item[name]!r}"
    return repr(item)


__all__ = ["Paging", "Query", "Requests", "RequestsAsUser"]
