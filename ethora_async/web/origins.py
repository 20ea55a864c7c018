"""Allowed origins: protection against cross-site request forgery, and CORS where it is wanted.

A browser attaches a user's cookies to requests that other sites' pages make. Three things keep such requests out:

* The body must be declared as JSON. A page of another site can send that only after a preflight, which is refused.
* Browsers say where a request comes from in ``Sec-Fetch-Site``, which no page can forge: it must not be another site,
  nor a sibling below the same domain, which may be in somebody else's hands.
* Where a browser does not know that header, ``Origin`` must name the host that the request is sent to. The schemes are
  not compared: behind a proxy that ends TLS we do not see the browser's.

What is no browser sends neither, and has no user's cookies either.

A proxy must pass the browser's ``Host`` on. Where one does not, list the site's public origin; ``X-Forwarded-Host`` is
not read, since anybody may send it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from ethora_async.errors import ConfigError
from ethora_async.web.request import HTTPError
from ethora_async.web_response import WebResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ethora_async.web.request import Request

_OWN = ("same-origin", "none")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PREFLIGHT_LIFETIME = "600"
"""Seconds for which a browser may remember the answer to a preflight."""


class Origins:
    """The origins that may ask: the site's own, and those that are listed.

    Args:
        allowed: such as ``https://www.example.com``: scheme, host, and the port where it is not the scheme's own.

    Raises:
        ConfigError: one is no origin. There are no wildcards.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        if isinstance(allowed, str):
            allowed = [allowed]
        self._allowed = frozenset(map(_configured, allowed))

    def check(self, request: Request) -> None:
        """Let requests of the site's own pages, of listed origins and of what is no browser through.

        Raises:
            HTTPError: a page of another site asks (403).
        """
        origin, site = request.header("origin"), request.header("sec-fetch-site")
        if self._listed(origin) is not None:
            return
        if site is not None and site.lower() in _OWN:
            return
        if site is not None or (origin is not None and not _same_host(origin, request.header("host"))):
            raise HTTPError(403, "cross_origin", "Pages of another origin may not ask this.")

    def preflight(self, request: Request, method: str) -> WebResponse | None:
        """Return the answer to a browser that asks for a listed origin whether it may; None when it is none of
        these.
        """
        asks = request.method == "OPTIONS" and request.header("access-control-request-method") is not None
        if not asks or self._listed(request.header("origin")) is None:
            return None
        words = {
            "Access-Control-Allow-Methods": method,
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": _PREFLIGHT_LIFETIME,
            "Cache-Control": "no-store",
        }
        return WebResponse(204, words)

    def marked(self, request: Request, answer: WebResponse) -> WebResponse:
        """Return the answer, with what lets a page of a listed origin read it."""
        if not self._allowed:
            return answer
        headers: Mapping[str, str] = {**answer.headers, "Vary": "Origin"}
        origins = [value.strip() for name, value in request.headers if name == "origin"]
        # The listed text goes out, not what came in.
        if len(origins) == 1 and (listed := self._listed(origins[0])) is not None:
            headers = {
                **headers,
                "Access-Control-Allow-Origin": listed,
                "Access-Control-Allow-Credentials": "true",
                "Access-Control-Expose-Headers": "Retry-After",
            }
        return attrs.evolve(answer, headers=headers)

    def _listed(self, origin: str | None) -> str | None:
        """Return the listed origin that this is."""
        normal = _normal(origin) if origin and self._allowed else None
        return normal if normal in self._allowed else None


def _configured(origin: str) -> str:
    normal = _normal(origin)
    if normal is None:
        msg = f"allowed_origins holds {origin!r}, which is no origin: an example is https://www.example.com"
        raise ConfigError(msg)
    return normal


def _normal(origin: str) -> str | None:
    """Scheme, host and port of an origin as browsers write it; None for what is none."""
    try:
        parts = urlsplit(origin.lower())
        _ = parts.port
    except ValueError:
        return None
    written = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or "*" in parts.netloc:
        return None
    if written != origin.lower() or not written.isascii() or any(map(str.isspace, written)):
        return None
    return written.removesuffix(_DEFAULT_PORTS[parts.scheme])


def _same_host(origin: str, host: str | None) -> bool:
    normal = _normal(origin)
    if normal is None or not host:
        return False
    scheme, _, named = normal.partition("://")
    return named == host.lower().removesuffix(_DEFAULT_PORTS[scheme])
