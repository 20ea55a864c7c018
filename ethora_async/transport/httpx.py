"""A transport with httpx, for applications that use it already. It costs several times as much CPU time as aiohttp.

See docs/architecture.md#speed.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from yarl import URL

from ethora_async.errors import ConfigError, NotSentError, ReplyLostError
from ethora_async.redaction import masked_argument
from ethora_async.request import Request, Response
from ethora_async.transport._environment_proxies import EnvironmentProxies
from ethora_async.transport._network import ProxySettings, proxy_settings, ssl_context
from ethora_async.transport._reply_body import ACCEPT_ENCODING, ReplyBody

try:
    import httpx
except ImportError:
    msg = "httpx is not installed: pip install 'ethora-async[httpx]'"
    raise ImportError(msg) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ethora_async.redaction import Secret

CONNECT_TIMEOUT = 10.0
"""Seconds for name lookup, TCP and TLS together."""

_PIECES_AT_ONCE = 128
"""Chunks of a reply after which other tasks get a turn."""

_CLOSED = "the transport is closed"
_SYSTEM_AUTHORITIES = ssl.create_default_context()
"""Created on import: reading the system's certificates would block an event loop for too long."""
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.InvalidURL,
    httpx.LocalProtocolError,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class HttpxTransport:
    """Sends requests with httpx.

    Args:
        client: your own client; it is never closed here, and its own limits, proxy and TLS settings apply. Its default
            headers, cookies and authentication are not used: requests are sent as they are.
        concurrency: the size of the connection pool (default 100).
        proxy: the URL of an HTTP proxy; it may contain credentials, which are masked everywhere.
        trust_env: whether to take proxies from ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` (default
            False), as they are when the transport is created.
        verify: True for the system's certificate authorities (default), a path to a PEM file, or an `ssl.SSLContext`.
        cert: client certificate: the path of a PEM file, or a pair of certificate and key files.

    Raises:
        ConfigError: a certificate file cannot be read, or `client` is combined with settings of a client.
    """

    def __init__(
        self,
        client: httpx.AsyncClient | None = None,
        *,
        concurrency: int = 100,
        proxy: str | Secret | None = None,
        trust_env: bool = False,
        verify: bool | str | Path | ssl.SSLContext = True,
        cert: str | Path | tuple[str | Path, str | Path] | None = None,
    ) -> None:
        proxy = masked_argument(proxy)
        if client is not None and (proxy or trust_env or verify is not True or cert):
            msg = "a client that is passed in keeps its own proxy and TLS settings: set them on the client"
            raise ConfigError(msg)
        self._client = client
        self._owned = client is None
        self._closed = False
        self._timers: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._concurrency = concurrency
        self._proxies = EnvironmentProxies() if trust_env else None
        self._ssl = ssl_context(verify, cert)
        self._proxy = proxy_settings(proxy)

    async def send(self, request: Request, /) -> Response:
        """Send the request and read the whole reply.

        Raises:
            NotSentError: name lookup, connection, TLS or proxy failed, or the transport is closed.
            ReplyLostError: the connection broke or ended after it was opened.
        """
        client = self._client or self._open()
        if client.is_closed:
            raise NotSentError(_CLOSED)
        lost: NotSentError | ReplyLostError
        timer = asyncio.timeout(request.timeout)
        try:
            async with timer:
                with self._under_way(timer):
                    return await _exchange(client, request)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, TimeoutError) as error:
            lost = ReplyLostError(_CLOSED) if self._closed else _sorted(error, request.timeout)
        except ReplyLostError as error:
            lost = error.with_traceback(None)
        except RuntimeError:
            if not client.is_closed:
                raise
            # Another task closed the client while this one was about to send.
            lost = NotSentError(_CLOSED)
        except Exception as error:
            if request.upload is None:
                raise
            # The upload could not be read to its end.
            lost = _sorted(error, request.timeout)
        # Raised outside the handler: httpx's errors hold the request with its headers, and would become the context of
        # ours.
        raise lost

    async def aclose(self) -> None:
        """Close the client, unless it was passed in. Safe to call more than once."""
        self._closed = True
        # httpx would leave pending calls waiting for their replies.
        for timer in self._timers:
            timer.reschedule(0.0)
        await self._idle.wait()
        if self._owned and self._client is not None:
            await self._client.aclose()

    def _connections(self, proxy: ProxySettings | None) -> httpx.AsyncHTTPTransport:
        proxy = proxy or self._proxy
        return httpx.AsyncHTTPTransport(
            verify=_SYSTEM_AUTHORITIES if self._ssl is True else self._ssl,
            proxy=None if proxy is None else _proxy(proxy),
            limits=httpx.Limits(max_connections=self._concurrency, max_keepalive_connections=self._concurrency),
            trust_env=False,
        )

    @contextmanager
    def _under_way(self, timer: asyncio.Timeout) -> Iterator[None]:
        self._timers.add(timer)
        self._idle.clear()
        try:
            yield
        finally:
            self._timers.discard(timer)
            if not self._timers:
                self._idle.set()

    def _open(self) -> httpx.AsyncClient:
        if self._closed:
            raise NotSentError(_CLOSED)
        self._client = httpx.AsyncClient(
            transport=_Routes(self._connections, self._proxies if self._proxy is None else None),
            trust_env=False,  # httpx would look into ~/.netrc too
            timeout=None,  # noqa: S113  the whole request has one, and `_prepared` sets the connection's
        )
        return self._client


class _Routes(httpx.AsyncBaseTransport):
    """Sends each request directly or through the proxy that the environment names for its URL."""

    def __init__(
        self,
        connections: Callable[[ProxySettings | None], httpx.AsyncHTTPTransport],
        proxies: EnvironmentProxies | None,
    ) -> None:
        self._connections = connections
        self._proxies = proxies
        self._by_proxy: dict[str | None, httpx.AsyncHTTPTransport] = {None: connections(None)}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = self._proxies.proxy_for(URL(str(request.url))) if self._proxies else None
        if proxy not in self._by_proxy:
            self._by_proxy[proxy] = self._connections(proxy_settings(proxy))
        return await self._by_proxy[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._by_proxy.values():
            await transport.aclose()


async def _exchange(client: httpx.AsyncClient, request: Request) -> Response:
    response = await client.send(_prepared(request), auth=None, follow_redirects=False, stream=True)
    try:
        body = ReplyBody(request, response.status_code, response.headers.get("Content-Encoding", ""))
        pieces = 0
        async for piece in response.aiter_raw():
            if not body.add(piece):
                break
            pieces += 1
            if pieces % _PIECES_AT_ONCE == 0:
                # One read may bring thousands of tiny chunks, between which httpx does not wait for anything.
                await asyncio.sleep(0)
        return Response(response.status_code, response.headers, body.complete())
    finally:
        await response.aclose()


def _prepared(request: Request) -> httpx.Request:
    # Not with the client's `build_request`, which adds its own headers and cookies.
    headers: Mapping[str, str] = {**request.headers, "Accept-Encoding": ACCEPT_ENCODING}
    if request.upload is not None and request.upload.length is not None:
        headers = {**headers, "Content-Length": str(request.upload.length)}
    prepared = httpx.Request(
        request.method,
        request.url,
        headers=headers,
        content=request.body if request.upload is None else request.upload.chunks(),
        extensions={"timeout": {"connect": CONNECT_TIMEOUT, "read": None, "write": None, "pool": None}},
    )
    prepared.url = _UnloggedURL(prepared.url)
    return prepared


class _UnloggedURL(httpx.URL):
    """The URL of one of our requests, of which httpx logs only the origin: the rest may hold ids and secrets."""


def _origin_only(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(
            f"{one.scheme}://{one.netloc.decode()}" if isinstance(one, _UnloggedURL) else one for one in record.args
        )
    return True


logging.getLogger("httpx").addFilter(_origin_only)


def _proxy(settings: ProxySettings) -> httpx.Proxy:
    authorization = {"Proxy-Authorization": settings.authorization.reveal()} if settings.authorization else None
    return httpx.Proxy(str(settings.url), headers=authorization)


def _sorted(error: Exception, timeout: float | None) -> NotSentError | ReplyLostError:
    # Only the exception type and the OS's message are kept: httpx's texts and attributes contain URLs and headers.
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    reason = type(inner).__name__
    if isinstance(inner, OSError) and inner.strerror:
        reason = f"{reason}: {inner.strerror}"
    if isinstance(error, _NEVER_SENT):
        return NotSentError(f"the platform could not be reached ({reason})")
    if isinstance(error, TimeoutError):
        within = f"within {timeout:.3g} s" if timeout is not None else "in time"
        return ReplyLostError(f"the platform did not answer {within}")
    return ReplyLostError(f"the connection broke before the reply was complete ({reason})")


__all__ = ["CONNECT_TIMEOUT", "HttpxTransport"]
