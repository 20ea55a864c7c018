"""The contract of every `Transport`, as a suite to subclass.

```python
class TestMyTransport(TransportContract):
    async def make_transport(self, server):
        return MyTransport()
```
"""

from __future__ import annotations

import abc
import asyncio
import functools
import gzip
import tracemalloc
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

from ethora_async.errors import NotSentError, ReplyLostError, ReplyTooLargeError, TransportError
from ethora_async.request import ERROR_REPLY_LIMIT, Request, Response
from ethora_async.testing.implementers.bad_server import BadServer, CannedReply, Fault
from ethora_async.testing.implementers.canary import Canary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine

    from ethora_async.errors import ChatError
    from ethora_async.protocols import Transport
    from ethora_async.request import Method

_SHORT = 0.05
_LONG = 2.0
_PATIENCE = 10.0
"""Timeout in seconds for things that should happen; no passing test waits so long."""

_TOKEN = "canary-7f3c9a51d2e8"  # noqa: S105
_BROKEN = (
    Fault.RESET_AT_ONCE,
    Fault.RESET_AFTER_BODY,
    Fault.CLOSE_AFTER_BODY,
    Fault.TRUNCATED_HEADER,
    Fault.TRUNCATED_BODY,
    Fault.TRUNCATED_CHUNK,
    Fault.GARBAGE,
    Fault.BAD_GZIP,
)
_STATUSES = (200, 201, 202, 400, 401, 403, 404, 409, 410, 422, 429, 498, 500, 502, 503, 504)


def _in_new_loop(
    test: Callable[[TransportContract], Coroutine[object, object, None]],
) -> Callable[[TransportContract], None]:
    """Turn a coroutine into a plain test, so that the suite needs no asyncio plug-in."""

    @functools.wraps(test)
    def run(self: TransportContract) -> None:
        async def patient() -> None:
            async with asyncio.timeout(_PATIENCE):
                await test(self)

        asyncio.run(patient())

    return run


class TransportContract(abc.ABC):
    """The contract of a `Transport`; subclass it in a pytest module, as ``Test…``.

    Each test runs in its own event loop, with a `BadServer` on 127.0.0.1.

    Attributes:
        uses_sockets: False for a transport without a network, which answers from `BadServer.answer`; the tests
            that need a broken connection are skipped.
    """

    uses_sockets: ClassVar[bool] = True

    @abc.abstractmethod
    async def make_transport(self, server: BadServer) -> Transport:
        """Return a new transport that can reach `server`. Called in the loop of the test."""

    @_in_new_loop
    async def test_a_request_arrives_as_it_stands(self) -> None:
        """Check method, encoded path and query, headers and body, even of a DELETE."""
        methods: tuple[Method, ...] = ("POST", "PUT", "PATCH", "DELETE")
        async with BadServer() as server, self._transport(server) as transport:
            for method in methods:
                target = "/v1/a%2Fb%40c/%C3%A9%20?q=%26+1&empty="
                await transport.send(_request(server, method, target, body=b'{"a":1}'))
                got = server.requests[-1]
                _check((got.method, got.target, got.body) == (method, target, b'{"a":1}'), f"{method} came as {got}")
                _check(got.headers.get("Authorization") == f"Bearer {_TOKEN}", "the Authorization header was changed")
                _check(got.headers.get("X-Custom-Token") == _TOKEN, "a header was lost")

    @_in_new_loop
    async def test_an_upload_arrives_whole_and_with_its_length_when_that_is_known(self) -> None:
        """Check chunks of any size, and that the request's headers are unchanged."""
        pieces = (b"--x", b"1" * 300_000, b"\r\n", b"2")
        async with BadServer() as server, self._transport(server) as transport:
            for length in (300_006, None):
                request = _request(server, "POST")
                request.upload = _Upload(pieces, length)
                await transport.send(request)
                got = server.requests[-1]
                _check(got.body == b"".join(pieces), f"{len(got.body)} bytes arrived of an upload of 300006")
                _check(got.headers.get("Authorization") == f"Bearer {_TOKEN}", "the Authorization header was changed")
                if self.uses_sockets:
                    stated = got.headers.get("Content-Length")
                    _check(stated == (str(length) if length else None), f"Content-Length is {stated} for {length}")

    @_in_new_loop
    async def test_an_upload_that_breaks_off_is_not_taken_for_a_whole_one(self) -> None:
        """Check that the request fails, never arrives whole, and that its connection is not reused."""
        self._needs_sockets()
        for length in (100, None):
            async with BadServer() as server, self._transport(server) as transport:
                request = _request(server, "POST")
                request.upload = _Upload((b"half", ValueError("the source broke")), length)
                error = await _error_of(transport, request)
                _check(error is not None, "half an upload was taken for a whole one")
                await server.left_alone()
                _check(not server.requests, "half an upload arrived as a whole request")
                await transport.send(_request(server))

    @_in_new_loop
    async def test_every_complete_reply_is_returned(self) -> None:
        """Check that error statuses raise nothing, headers ignore case, and bodies are unchanged."""
        async with BadServer() as server, self._transport(server) as transport:
            for status in _STATUSES:
                server.play(CannedReply(status, b'{"cut', {"Retry-After": "7"}))
                response = await transport.send(_request(server))
                _check(response.status == status, f"{status} became {response.status}")
                _check(response.body == b'{"cut', f"the body of a {status} was changed")
                _check(response.headers.get("retry-after") == "7", "headers are not found in lower case")
                _check(response.headers.get("RETRY-AFTER") == "7", "headers are not found in upper case")
            _check(len(server.requests) == len(_STATUSES), "a reply was asked for more than once")

    @_in_new_loop
    async def test_empty_long_and_chunked_bodies_come_whole(self) -> None:
        """Check bodies of several lengths and encodings."""
        async with BadServer() as server, self._transport(server) as transport:
            for answer in (
                CannedReply(body=b""),
                CannedReply(body=b"x" * 300_000),
                CannedReply(body=b"chunks" * 50, chunked=True),
            ):
                server.play(answer)
                _check((await transport.send(_request(server))).body == answer.body, "the body was changed")

    @_in_new_loop
    async def test_a_reply_is_read_up_to_its_limit(self) -> None:
        """Check for `ReplyTooLargeError` beyond it, with an announced length, chunked, or compressed."""
        self._needs_sockets()
        large = b"x" * 20_000
        for answer in (
            CannedReply(body=large),
            CannedReply(body=large, chunked=True),
            CannedReply(body=gzip.compress(large), headers={"Content-Encoding": "gzip"}),
            CannedReply(body=zlib.compress(large), headers={"Content-Encoding": "deflate"}, chunked=True),
        ):
            async with BadServer(answer) as server, self._transport(server) as transport:
                request = _request(server)
                request.reply_limit = 10_000
                error = await _error_of(transport, request)
                _check(type(error) is ReplyTooLargeError, f"a reply beyond the limit raised {_name(error)}")
                request.reply_limit = 20_000
                server.play(answer)
                _check((await transport.send(request)).body == large, "a reply at its limit was changed")

    @_in_new_loop
    async def test_a_large_error_reply_is_cut_and_keeps_its_status(self) -> None:
        """Check that a large error reply is truncated, not rejected."""
        self._needs_sockets()
        page = b"y" * (2 * ERROR_REPLY_LIMIT)
        for answer in (
            CannedReply(502, page),
            CannedReply(502, gzip.compress(page), {"Content-Encoding": "gzip"}, chunked=True),
        ):
            async with BadServer(answer) as server, self._transport(server) as transport:
                response = await transport.send(_request(server))
                _check(response.status == 502, f"502 became {response.status}")
                _check(response.body == page[:ERROR_REPLY_LIMIT], f"{len(response.body)} bytes were kept")
                server.play(CannedReply())
                _check((await transport.send(_request(server))).status == 200, "the transport did not recover")

    @_in_new_loop
    async def test_a_small_reply_that_expands_is_not_expanded(self) -> None:
        """Check that 50 MB of zeros in 50 kB of gzip stay within the memory limit."""
        self._needs_sockets()
        bomb = CannedReply(
            body=await asyncio.to_thread(gzip.compress, bytes(50_000_000), 1), headers={"Content-Encoding": "gzip"}
        )
        async with BadServer(bomb) as server, self._transport(server) as transport:
            request = _request(server)
            request.reply_limit = 1_000_000
            traced = tracemalloc.is_tracing()
            tracemalloc.start()
            try:
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                error = await _error_of(transport, request)
                grown = tracemalloc.get_traced_memory()[1] - before
            finally:
                if not traced:
                    tracemalloc.stop()
            _check(type(error) is ReplyTooLargeError, f"a reply beyond the limit raised {_name(error)}")
            _check(grown < 10_000_000, f"reading it took {grown} bytes")

    @_in_new_loop
    async def test_compressed_data_that_is_cut_is_a_lost_reply(self) -> None:
        """Check truncated compressed data, and an encoding that was not requested."""
        self._needs_sockets()
        whole = gzip.compress(b"{}" * 5_000)
        for body, coding in ((whole[:-12], "gzip"), (whole, "br"), (whole[3:], "deflate")):
            answer = CannedReply(body=body, headers={"Content-Encoding": coding})
            async with BadServer(answer) as server, self._transport(server) as transport:
                error = await _error_of(transport, _request(server))
                _check(type(error) is ReplyLostError, f"cut {coding} raised {_name(error)}")

    @_in_new_loop
    async def test_no_redirect_is_followed(self) -> None:
        """Check that a redirect is returned as a reply: its target must not receive the token."""
        async with BadServer() as other, BadServer() as server, self._transport(server) as transport:
            for status in (301, 302, 303, 307, 308):
                server.play(CannedReply(status, headers={"Location": f"{other.url}/elsewhere"}))
                response = await transport.send(_request(server))
                _check(response.status == status, f"{status} became {response.status}")
            _check(not other.requests, "a redirect was followed")

    @_in_new_loop
    async def test_no_cookie_is_kept(self) -> None:
        """Check that the next request does not send a cookie of the last reply."""
        answer = CannedReply(headers={"Set-Cookie": "session=1; Path=/"})
        async with BadServer(answer) as server, self._transport(server) as transport:
            request = _request(server)
            # Cookie jars ignore IP addresses, and accept names.
            request.url = request.url.replace("127.0.0.1", "localhost")
            await transport.send(request)
            await transport.send(request)
            _check("Cookie" not in server.requests[-1].headers, "a cookie was sent back")

    @_in_new_loop
    async def test_a_refused_connection_was_not_sent(self) -> None:
        """Check for `NotSentError` with effect "none"."""
        self._needs_sockets()
        async with BadServer() as server, self._transport(server) as transport:
            await server.refuse()
            error = await _error_of(transport, _request(server))
            _check(type(error) is NotSentError, f"a refused connection raised {_name(error)}")
            _check(error is not None and error.effect == "none", "its effect is not none")

    @_in_new_loop
    async def test_a_broken_exchange_is_a_lost_reply(self) -> None:
        """Check for `ReplyLostError` with effect "unknown" after a connection was made, and one attempt."""
        self._needs_sockets()
        methods: tuple[Method, ...] = ("GET", "POST", "DELETE")
        for fault in _BROKEN:
            for method in methods:
                async with BadServer(fault) as server, self._transport(server) as transport:
                    error = await _error_of(transport, _request(server, method, body=b"{}"))
                    _check(type(error) is ReplyLostError, f"{fault.name} on {method} raised {_name(error)}")
                    _check(error is not None and error.effect == "unknown", "its effect is not unknown")
                    _check(server.connections == 1, f"{fault.name} on {method} was tried {server.connections} times")

    @_in_new_loop
    async def test_nothing_is_repeated_on_a_kept_connection(self) -> None:
        """Check that a GET is not repeated when a kept-alive connection breaks, as HTTP libraries do."""
        self._needs_sockets()
        methods: tuple[Method, ...] = ("GET", "PUT", "DELETE", "POST")
        for method in methods:
            script = (CannedReply(), Fault.RESET_AFTER_BODY, CannedReply())
            async with BadServer(*script) as server, self._transport(server) as transport:
                await transport.send(_request(server, method))
                error = await _error_of(transport, _request(server, method))
                _check(
                    type(error) is ReplyLostError, f"a reset kept-alive connection raised {_name(error)} on {method}"
                )
                _check(len(server.requests) == 2, f"{method} was sent {len(server.requests) - 1} times")

    @_in_new_loop
    async def test_it_recovers_from_a_connection_that_was_dropped(self) -> None:
        """Check that after the server closed an idle connection, at most one request fails."""
        self._needs_sockets()
        async with BadServer(CannedReply(drop=True)) as server, self._transport(server) as transport:
            await transport.send(_request(server))
            await server.left_alone()
            server.play(CannedReply())
            error = await _error_of(transport, _request(server))
            _check(error is None or isinstance(error, TransportError), f"it raised {_name(error)}")
            response = await transport.send(_request(server))
            _check(response.status == 200, "it did not recover")

    @_in_new_loop
    async def test_it_gives_up_when_the_time_of_the_request_is_up(self) -> None:
        """Check the timeout in every phase of the reply, and that the connection is released."""
        self._needs_sockets()
        for fault in (Fault.SILENT, Fault.SLOW_HEADER, Fault.SLOW_BODY):
            async with BadServer(CannedReply(), fault) as server, self._transport(server) as transport:
                await transport.send(_request(server))  # connected: the time of the next request is for its reply
                for timeout in (_SHORT, _LONG):
                    request = _request(server)
                    request.timeout = timeout
                    error = await _error_of(transport, request)
                    if type(error) is not NotSentError:
                        break  # otherwise the machine may have stalled before the request left
                _check(type(error) is ReplyLostError, f"{fault.name} for longer than the timeout raised {_name(error)}")
                await server.left_alone()

    @_in_new_loop
    async def test_cancelling_releases_the_connection(self) -> None:
        """Check cancellation in every phase of the reply, and that the transport still works."""
        self._needs_sockets()
        async with BadServer() as server, self._transport(server) as transport:
            for count, fault in enumerate((Fault.SILENT, Fault.SLOW_HEADER, Fault.SLOW_BODY)):
                server.play(fault)
                task = asyncio.ensure_future(transport.send(_request(server)))
                await server.arrived(2 * count + 1)
                task.cancel()
                await asyncio.wait({task})
                _check(task.cancelled(), "the cancellation was swallowed")
                await server.left_alone()
                server.play(CannedReply())
                await transport.send(_request(server))
            await transport.aclose()
            await server.left_alone()

    @_in_new_loop
    async def test_it_closes_twice_and_sends_no_more(self) -> None:
        """Check that closing is idempotent, even before first use, and that sending then raises `NotSentError`."""
        async with BadServer() as server:
            unused = await self.make_transport(server)
            await unused.aclose()
            await unused.aclose()
            used = await self.make_transport(server)
            await used.send(_request(server))
            await used.aclose()
            await used.aclose()
            for transport in (unused, used):
                error = await _error_of(transport, _request(server))
                _check(type(error) is NotSentError, f"a closed transport raised {_name(error)}")
            _check(len(server.requests) == 1, "a closed transport sent a request")

    @_in_new_loop
    async def test_no_error_and_no_log_shows_a_header(self) -> None:
        """Check the error, its chain, its pickle, the log at DEBUG, and the transport itself."""
        self._needs_sockets()
        for fault in _BROKEN:
            async with BadServer(fault) as server, self._transport(server) as transport:
                with Canary(_TOKEN) as canary:
                    error = await _error_of(transport, _request(server))
                    await transport.aclose()
                canary.check(error, transport)

    @asynccontextmanager
    async def _transport(self, server: BadServer) -> AsyncGenerator[Transport]:
        transport = await self.make_transport(server)
        try:
            yield transport
        finally:
            await transport.aclose()

    def _needs_sockets(self) -> None:
        if not self.uses_sockets:
            import pytest

            pytest.skip("this transport has no connection to break")


class _Upload:
    """An `Upload` of these chunks; an exception among them is raised when it is reached."""

    def __init__(self, pieces: tuple[bytes | Exception, ...], length: int | None) -> None:
        self.content_type = "application/octet-stream"
        self.error: ChatError | None = None
        self.length = length
        self._pieces = pieces

    def can_restart(self) -> bool:
        return True

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


def _request(server: BadServer, method: Method = "GET", target: str = "/x", *, body: bytes | None = None) -> Request:
    return Request(
        method, f"{server.url}{target}", {"Authorization": f"Bearer {_TOKEN}", "X-Custom-Token": _TOKEN}, body
    )


async def _error_of(transport: Transport, request: Request) -> TransportError | None:
    try:
        response = await transport.send(request)
    except TransportError as error:
        return error
    _check(isinstance(response, Response), "send returned something else than a Response")
    return None


def _name(error: object) -> str:
    return "nothing" if error is None else type(error).__name__


def _check(holds: bool, otherwise: str) -> None:
    # Not an assert: pytest would print its operands, and python -O would remove it.
    if not holds:
        raise AssertionError(otherwise)


__all__ = ["TransportContract"]
