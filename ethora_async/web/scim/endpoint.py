"""``/scim/v2``: the endpoint at which identity providers write users and groups."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ethora_async import codec
from ethora_async.config import Seconds, seconds
from ethora_async.errors import ChatError, ConfigError
from ethora_async.web.failures import retry_after
from ethora_async.web.request import ClientDisconnectError, HTTPError
from ethora_async.web.scim.payloads import PAGE_NUMBERS, page_number, plain_filter
from ethora_async.web.scim.tokens import ScimTokens
from ethora_async.web_response import WebResponse

if TYPE_CHECKING:
    from ethora_async.web.request import Request
    from ethora_async.web.scim.database.connections import DatabaseConnection
    from ethora_async.web.scim.directory import ScimDirectory

log: logging.Logger = logging.getLogger("ethora_async.web")

MAX_BODY = 16 * 1024 * 1024
"""In bytes: a group with 100,000 members."""
BODY_TIMEOUT = 60.0
"""Seconds."""

_LONGEST_QUERY = 4096
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_HEADERS = {
    "Content-Type": "application/scim+json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_PARAMETERS = {
    name.lower(): name
    for name in ("attributes", "excludedAttributes", "filter", "sortBy", "sortOrder", "startIndex", "count", "cursor")
}
_OPEN = "/serviceproviderconfig"
"""The path that needs no token (RFC 7643 §5)."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="SCIM"'}
_READS = frozenset({"GET", "HEAD"})


class ScimEndpoint:
    """Serves SCIM 2.0 (RFC 7643, RFC 7644) to an identity provider: Users, Groups and discovery.

    Everything but ``/ServiceProviderConfig`` needs ``Authorization: Bearer TOKEN``. Through the outbox, users become
    chat users, groups become rooms, and members of groups become members of rooms. Mount it by `Routes(scim=…)`.

    Args:
        directory: the records.
        tokens: the accepted tokens (default: ``ETHORA_SCIM_TOKEN`` of the environment).
        base_url: its public address, such as ``https://example.com/scim/v2``; by default built from the Host header and
            X-Forwarded-Proto.
        max_body: maximum size in bytes.
        body_timeout: until the body must be complete (default 60 s).

    Raises:
        ConfigError: an argument cannot be used, or scim2-server is not installed (extra ``scim``).
    """

    def __init__(
        self,
        directory: ScimDirectory,
        tokens: ScimTokens | None = None,
        *,
        base_url: str | None = None,
        max_body: int = MAX_BODY,
        body_timeout: Seconds = BODY_TIMEOUT,
    ) -> None:
        if find_spec("scim2_server") is None:
            msg = "SCIM needs scim2-server, which is not installed: pip install 'ethora-async[scim]'"
            raise ConfigError(msg)
        if max_body < 1:
            msg = f"max_body must be at least 1 byte, not {max_body}"
            raise ConfigError(msg)
        self._directory = directory
        self._tokens = tokens or ScimTokens()
        self._base_url = None if base_url is None else _checked_url(base_url)
        self._max_body = max_body
        self._body_timeout = seconds(body_timeout, "body_timeout")

    async def check(self) -> None:
        """Check that requests can be answered: a check for `Health`.

        Raises:
            ConfigError: there is no token, or the tables are foreign.
            OutboxDatabaseError: the database cannot be used.
        """
        await self._tokens.check()
        await self._directory.check()

    async def handle(self, request: Request, mount: str = "/scim/v2") -> WebResponse:
        """Answer one request, with its path below `mount`.

        Raises:
            ClientDisconnectError: the client has disconnected.
        """
        try:
            return await self._answer(request, mount)
        except HTTPError as refusal:
            return _restated(refusal.answer)
        except ChatError as error:
            log.warning("SCIM request failed, %s: %s", type(error).__name__, error)
            return _error(503, "The service cannot answer now. Try again later.", retry_after(error.retry_after or 5.0))
        except ClientDisconnectError:
            raise
        except Exception as error:  # noqa: BLE001  an identity provider understands only SCIM's own errors
            # Neither the error's message nor the frames' variables: both may contain the request's data.
            log.error("SCIM request failed, %s at %s", type(error).__name__, _place(error))
            return _error(500, "Something is wrong with this service.")

    async def _answer(self, request: Request, mount: str) -> WebResponse:
        path = unquote(request.path) or "/"
        if path.rstrip("/").lower() != _OPEN:
            await self._authenticate(request)
        if len(request.query) > _LONGEST_QUERY:
            return _error(400, f"The query may hold {_LONGEST_QUERY} characters at the most.", kind="invalidFilter")
        body = b"" if request.method in _READS else await request.read(self._max_body, self._body_timeout)
        base_url = self._base_url or _seen(request, mount)
        status, headers, data = await self._directory.run(lambda db: self._serve(db, request, base_url, path, body))
        return WebResponse(status, {**_HEADERS, **headers}, data)

    async def _authenticate(self, request: Request) -> None:
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not await self._tokens.accepts(token.strip()):
            log.warning("a SCIM request was refused: it has no valid token")
            raise HTTPError(
                401, "unauthorized", "A bearer token is required.", {"WWW-Authenticate": 'Bearer realm="SCIM"'}
            )

    def _serve(
        self, connection: DatabaseConnection, request: Request, base_url: str, path: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer in a thread. Its imports take half a second the first time."""
        from scim2_server.requests import ScimRequest

        from ethora_async.web.scim.service import provider, serve
        from ethora_async.web.scim.storage import DirectoryStorage

        method = "GET" if request.method == "HEAD" else request.method
        storage = DirectoryStorage(
            connection,
            provider(),
            write=method != "GET" and not path.endswith("/.search"),
            **self._directory.storage_options(),
        )
        asked = ScimRequest(
            method=method,
            base_url=base_url,
            path=path,
            query=_parameters(request.query),
            headers=[*request.headers],
            body=body,
        )
        response = serve(storage, asked)
        headers = {name: value for name, value in response.headers.items() if name != "Content-Type"}
        data = b"" if response.body is None else codec.dumps(response.body)
        return int(response.status), headers, data


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query; their names ignore case."""
    found = {_PARAMETERS.get(name.lower(), name): value for name, value in parse_qsl(query, keep_blank_values=True)}
    for name, value in found.items():
        if name.lower() in PAGE_NUMBERS:
            found[name] = str(page_number(value))
    if "filter" in found:
        found["filter"] = plain_filter(found["filter"])
    return found


def _seen(request: Request, mount: str) -> str:
    """Return the URL that the client probably used."""
    forwarded = [value for name, value in request.headers if name == "x-forwarded-proto"]
    scheme = "https" if forwarded and forwarded[0].strip().lower() == "https" else "http"
    return f"{scheme}://{request.header('host') or 'localhost'}{mount}"


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        msg = f"base_url {url!r} cannot be used: an example is https://example.com/scim/v2"
        raise ConfigError(msg)
    return url.rstrip("/")


def _error(status: int, detail: str, headers: dict[str, str] | None = None, *, kind: str | None = None) -> WebResponse:
    body: dict[str, Any] = {"schemas": [_ERROR], "status": str(status), "detail": detail}
    if kind is not None:
        body["scimType"] = kind
    return WebResponse(status, {**_HEADERS, **(headers or {})}, codec.dumps(body))


def _restated(answer: WebResponse) -> WebResponse:
    """Convert an error to SCIM's format."""
    data = codec.loads(answer.body) if answer.body else {}
    kept = {name: value for name, value in answer.headers.items() if name in ("WWW-Authenticate", "Retry-After")}
    return _error(answer.status, data.get("detail", ""), kept)


__all__ = ["ScimEndpoint"]
