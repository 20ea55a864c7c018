"""The default transport: one aiohttp session, opened in the running loop when the first request is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from ethora_async.errors import ConfigError, NotSentError, ReplyLostError
from ethora_async.redaction import masked_argument
from ethora_async.request import ERROR_REPLY_LIMIT, Request, Response
from ethora_async.transport._deadlines import Deadlines
from ethora_async.transport._environment_proxies import EnvironmentProxies
from ethora_async.transport._gathered_writes import GatheredWrites, gathered_request
from ethora_async.transport._network import ProxySettings, proxy_settings, ssl_context
from ethora_async.transport._reply_body import ACCEPT_ENCODING, ReplyBody

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

    from ethora_async.redaction import Secret
    from ethora_async.request import Upload

CONNECT_TIMEOUT = 10.0
"""Seconds for name lookup, TCP and TLS together."""

_CONNECTING = aiohttp.ClientTimeout(None, CONNECT_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
"""For the session; `Deadlines` enforces the limit of the whole request."""

_KNOWN_URLS = 32
_LARGEST_FRAME = 16 * 1024 * 1024
"""Maximum size of one websocket frame in bytes."""
_CLOSED = "the transport is closed"

# The order matters: aiohttp's connector errors are also OS errors, and its connect timeout is also a server timeout.
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    aiohttp.ClientHttpProxyError,  # the proxy refused to open a tunnel
)


class AiohttpTransport:
    """Sends requests with aiohttp.

    Args:
        session: your own session; it is never closed here, and its own timeout, proxy and TLS settings apply.
        concurrency: the size of the connection pool (default 100).
        proxy: the URL of an HTTP proxy; it may contain credentials, which are masked everywhere.
        trust_env: whether to take proxies from ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` (default
            False), as they are when the transport is created.
        verify: True for the system's certificate authorities (default), a path to a PEM file, or an `ssl.SSLContext`.
        cert: client certificate: the path of a PEM file, or a pair of certificate and key files.

    Raises:
        ConfigError: a certificate file cannot be read, or `session` is combined with settings of a session.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession | None = None,
        *,
        concurrency: int = 100,
        proxy: str | Secret | None = None,
        trust_env: bool = False,
        verify: bool | str | Path | ssl.SSLContext = True,
        cert: str | Path | tuple[str | Path, str | Path] | None = None,
    ) -> None:
        proxy = masked_argument(proxy)
        if session is not None and (proxy or trust_env or verify is not True or cert):
            msg = "a session that is passed in keeps its own proxy and TLS settings: set them on the session"
            raise ConfigError(msg)
        self._session = session
        self._owned = session is None
        self._closed = False
        self._concurrency = concurrency
        self._proxies = EnvironmentProxies() if trust_env else None
        self._ssl = ssl_context(verify, cert)
        self._proxy = proxy_settings(proxy)
        self._deadlines = Deadlines()
        self._origins: dict[str, URL] = {}
        self._routes: dict[str, tuple[URL, ProxySettings | None]] = {}
        self._last_headers: Mapping[str, str] | None = None
        self._prepared: CIMultiDict[str] = CIMultiDict()

    async def send(self, request: Request, /) -> Response:
        """Send the request and read the whole reply.

        Raises:
            NotSentError: name lookup, connection, TLS or proxy failed, or the transport is closed.
            ReplyLostError: the connection broke or ended after it was opened.
        """
        session = self._session or self._open()
        if session.closed:
            raise NotSentError(_CLOSED)
        url, proxy = self._routes.get(request.url) or self._route(request.url)
        headers, data = self._headers(request.headers), request.body
        if request.upload is not None:
            headers, data = _streamed(headers, request.upload)
        task = asyncio.current_task()
        if task is not None and request.timeout is not None:
            self._deadlines.begin(task, request.timeout)
        try:
            response = await session.request(
                request.method,
                url,
                headers=headers,
                data=data,
                allow_redirects=False,
                raise_for_status=False,  # a session that was passed in may be configured to raise
                timeout=_CONNECTING,
                **_proxy_arguments(proxy),
            )
            if request.upload is None and response.content.is_eof():
                # The whole reply arrived with the head, and the connection is back in the pool.
                body = self._whole(request, response, session)
            else:
                async with response:
                    body = await self._read(request, response, session)
            return Response(response.status, response.headers, body)
        except (ReplyLostError, aiohttp.ClientError, OSError, RuntimeError, asyncio.CancelledError) as error:
            late = task is not None and self._deadlines.end(task)
            lost = _meaning(TimeoutError() if late else error, session, task, request.timeout)
            if lost is None:
                raise
        finally:
            if task is not None:
                self._deadlines.end(task)
        # Raised outside the handler: aiohttp's errors hold the request's headers, and would become the context of ours.
        # This frame stays in the traceback.
        del url, headers, data
        raise lost

    def _whole(self, request: Request, response: aiohttp.ClientResponse, session: aiohttp.ClientSession) -> bytes:
        data = response.content.read_nowait()
        encoding = _encoding(response, session)
        if not encoding and len(data) <= ERROR_REPLY_LIMIT <= request.reply_limit:
            return data
        body = ReplyBody(request, response.status, encoding)
        body.add(data)
        return body.complete()

    async def _read(self, request: Request, response: aiohttp.ClientResponse, session: aiohttp.ClientSession) -> bytes:
        encoding = _encoding(response, session)
        if not encoding and not session.auto_decompress:
            length = response.content_length
            if length is not None and length <= (request.reply_limit if response.status < 400 else ERROR_REPLY_LIMIT):
                return await response.read()
        body = ReplyBody(request, response.status, encoding)
        async for piece in response.content.iter_any():
            if not body.add(piece):
                response.close()
                break
        return body.complete()

    async def websocket(self, url: str, protocols: tuple[str, ...] = ()) -> aiohttp.ClientWebSocketResponse:
        """Open a websocket at an http(s) URL, with the same proxy and TLS settings. The caller closes it.

        Pings of the websocket protocol are answered. `protocols` are the subprotocols to offer.

        Raises:
            NotSentError: name lookup, connection, TLS or proxy failed, or the transport is closed.
            ReplyLostError: the server did not accept it.
        """
        session = self._session or self._open()
        if session.closed:
            raise NotSentError(_CLOSED)
        address, proxy = self._routes.get(url) or self._route(url)
        lost: NotSentError | ReplyLostError
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                # pyright does not see the fields of this class of aiohttp's.
                closing = aiohttp.ClientWSTimeout(ws_close=1.0)  # pyright: ignore[reportCallIssue]
                socket: aiohttp.ClientWebSocketResponse = await session.ws_connect(
                    address,
                    protocols=protocols,
                    max_msg_size=_LARGEST_FRAME,
                    timeout=closing,
                    **_proxy_arguments(proxy),
                )
                # aiohttp follows redirects here and cannot be told not to; the next message may be a token.
                if not socket._response.history:  # noqa: SLF001
                    return socket
                await socket.close()
                lost = ReplyLostError("the platform redirected the websocket, which is not followed")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            lost = _sorted(error, CONNECT_TIMEOUT)
        raise lost

    async def aclose(self) -> None:
        """Close the session, unless it was passed in. Safe to call more than once."""
        self._closed = True
        if self._owned and self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise NotSentError(_CLOSED)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency, ssl=self._ssl),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Decompressed here in chunks: aiohttp would decompress everything that has arrived, however large the
            # result.
            auto_decompress=False,
            request_class=gathered_request(GatheredWrites(self._deadlines.at_most_one)),
        )
        # aiohttp repeats an idempotent request by itself when a kept-alive connection turns out dead. The engine
        # decides about and counts retries.
        if hasattr(self._session, "_retry_connection"):
            self._session._retry_connection = False  # noqa: SLF001
        return self._session

    def _route(self, text: str) -> tuple[URL, ProxySettings | None]:
        # Building a URL costs half as much as signing a token, and most calls use the same few URLs.
        if len(self._routes) >= _KNOWN_URLS:
            self._routes.clear()
        url = self._url(text)
        route = self._routes[text] = (url, self._proxy or self._proxy_from_environment(url))
        return route

    def _url(self, text: str) -> URL:
        place, _, query = text.partition("?")
        start = place.find("/", place.find("://") + 3)
        if start < 0 or "#" in text:
            return URL(text, encoded=True)
        # Most requests differ only in their path and query: the origin is parsed once.
        origin = self._origins.get(place[:start])
        if origin is None:
            origin = self._origins[place[:start]] = URL(place[:start], encoded=True)
        if not query:
            return origin.with_path(place[start:], encoded=True)
        return URL.build(
            scheme=origin.scheme,
            authority=origin.raw_authority,
            path=place[start:],
            query_string=query,
            encoded=True,
        )

    def _proxy_from_environment(self, url: URL) -> ProxySettings | None:
        # aiohttp's own `trust_env` also reads ~/.netrc, and rejects every request to a host listed there: ours already
        # carry an Authorization header.
        return proxy_settings(self._proxies.proxy_for(url)) if self._proxies else None

    def _headers(self, headers: Mapping[str, str]) -> CIMultiDict[str]:
        if headers is not self._last_headers:
            self._prepared = CIMultiDict(headers)
            if self._owned:
                self._prepared["Accept-Encoding"] = ACCEPT_ENCODING
            self._last_headers = headers
        return self._prepared


def _streamed(headers: CIMultiDict[str], upload: Upload) -> tuple[CIMultiDict[str], Any]:
    if upload.length is not None:
        # A copy: the same headers may be prepared for later requests.
        headers = CIMultiDict(headers)
        headers["Content-Length"] = str(upload.length)
    return headers, upload.chunks()


def _encoding(response: aiohttp.ClientResponse, session: aiohttp.ClientSession) -> str:
    """Return the Content-Encoding still to decode: a session that was passed in may have decoded it."""
    return "" if session.auto_decompress else response.headers.get("Content-Encoding", "")


def _meaning(
    error: BaseException, session: aiohttp.ClientSession, task: asyncio.Task[Any] | None, timeout: float | None
) -> NotSentError | ReplyLostError | None:
    """Return the transport error for an exception; None for one that is unrelated to the request and must propagate."""
    if isinstance(error, ReplyLostError):
        return error.with_traceback(None)
    if isinstance(error, (aiohttp.ClientError, OSError, TimeoutError)):
        return _sorted(error, timeout)
    if not session.closed:
        return None
    # Another task has closed the session. A task that was about to connect gets a RuntimeError; a task that waited for
    # a connection in the pool is cancelled by it, although nobody cancelled the task.
    if isinstance(error, RuntimeError) or (task is not None and not task.cancelling()):
        return NotSentError(_CLOSED)
    return None


def _sorted(error: Exception, timeout: float | None) -> NotSentError | ReplyLostError:
    # Only the exception type and the OS's message are kept: aiohttp's texts and attributes contain URLs and a proxy's
    # credentials.
    reason = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        reason = f"{reason}: {error.strerror}"
    if isinstance(error, _NEVER_SENT):
        return NotSentError(f"the platform could not be reached ({reason})")
    if isinstance(error, TimeoutError):
        within = f"within {timeout:.3g} s" if timeout is not None else f"in time ({reason})"
        return ReplyLostError(f"the platform did not answer {within}")
    return ReplyLostError(f"the connection broke before the reply was complete ({reason})")


_DIRECT: dict[str, Any] = {}


def _proxy_arguments(settings: ProxySettings | None) -> dict[str, Any]:
    if settings is None:
        return _DIRECT
    arguments: dict[str, Any] = {"proxy": settings.url}
    if settings.authorization:
        # aiohttp sends it as Proxy-Authorization, on the tunnel's request or, without a tunnel, on the request itself;
        # its own `proxy_auth` is deprecated.
        arguments["proxy_headers"] = {"Authorization": settings.authorization.reveal()}
    return arguments


__all__ = ["CONNECT_TIMEOUT", "AiohttpTransport"]
