"""A request independent of its web framework, and its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import attrs

from ethora_async.web_response import WebResponse

if TYPE_CHECKING:
    from collections.abc import Iterable


class HTTPError(Exception):
    """Ends the handling of a request with a finished answer."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.answer: WebResponse = WebResponse.refusal(status, code, detail, headers)


class ClientDisconnectError(Exception):
    """The client disconnected before its request was complete."""


class Endpoint(Protocol):
    """Answers requests."""

    async def handle(self, request: Request, /) -> WebResponse:
        """WebResponse one request."""
        ...


async def no_more() -> AsyncGenerator[bytes, None]:
    """Yield nothing: an empty body."""
    return
    yield b""


@attrs.frozen(eq=False, kw_only=True)
class Request:
    """One request.

    Attributes:
        method: in capitals.
        path: percent-encoded, without the query, and without the prefix below which the framework mounted us. If a
            framework gives only decoded paths, an encoded slash cannot be distinguished.
        query: as on the wire, without the question mark.
        headers: pairs, the names in lower case.
        body: yields the body's chunks; called at most once, and not at all for a request that is rejected before.
        native: the framework's own request, for your callbacks: aiohttp's, Starlette's (`token_router`) or Django's,
            otherwise under ASGI the scope.
        remote: the request's source address, if known; the proxy's, if there is one.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    body: Callable[[], AsyncGenerator[bytes, None]] = attrs.field(default=no_more, repr=False)
    native: Any = attrs.field(default=None, repr=False)
    remote: str | None = None

    @classmethod
    def of(
        cls,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        query: str = "",
        body: bytes = b"",
        native: Any = None,
        remote: str | None = None,
    ) -> Self:
        """Return a request from complete data."""

        async def chunks() -> AsyncGenerator[bytes, None]:
            yield body

        return cls(
            method=method.upper(),
            path=path,
            query=query,
            headers=lower_case(headers),
            body=chunks,
            native=native,
            remote=remote,
        )

    def header(self, name: str) -> str | None:
        """Return the value of a header that may occur once; `name` in lower case.

        Raises:
            HTTPError: it occurs several times, so that a proxy may have read another value.
        """
        values = [value for found, value in self.headers if found == name]
        if len(values) > 1:
            raise HTTPError(400, "repeated_header", "A header that must not be repeated was given several times.")
        # RFC 9110 §5.5: blanks and tabs around a value are not part of it, other white space is.
        return values[0].strip(" \t") if values else None

    async def read(self, most: int, timeout: float) -> bytes:
        """Return the whole body.

        Args:
            most: maximum size in bytes.
            timeout: seconds until it must be complete.

        Raises:
            HTTPError: it is too large (413) or too slow (408).
            ClientDisconnectError: it will never be complete.
        """
        stated = self.header("content-length")
        if stated is not None and stated.isdecimal() and (len(stated) > 18 or int(stated) > most):
            raise _too_large(most)
        received = bytearray()
        try:
            async with asyncio.timeout(timeout), aclosing(self.body()) as chunks:
                async for chunk in chunks:
                    received += chunk
                    if len(received) > most:
                        raise _too_large(most)
        except TimeoutError:
            raise HTTPError(408, "too_slow", "The body did not arrive in time.") from None
        return bytes(received)


def lower_case(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return headers in `Request`'s form; a multidict's ``items()`` yields each repeated one."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name.lower(), value) for name, value in cast("Iterable[tuple[str, str]]", pairs))


def check_method(request: Request, *allowed: str) -> None:
    """Check that the method is allowed.

    Raises:
        HTTPError: it is another one (405), or OPTIONS, which is answered with the allowed methods.
    """
    if request.method in allowed:
        return
    words = ", ".join(sorted((*allowed, "OPTIONS")))
    refusal = HTTPError(405, "method_not_allowed", "This method is not allowed here.", {"Allow": words})
    if request.method == "OPTIONS":
        refusal.answer = WebResponse(204, {"Allow": words, "Cache-Control": "no-store"})
    raise refusal


def _too_large(most: int) -> HTTPError:
    return HTTPError(413, "too_large", f"The body may hold {most} bytes at the most.")
