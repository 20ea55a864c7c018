"""Allowed origins: protection against cross-site request forgery, and optional CORS.

A browser attaches a user's cookies to requests that other sites' pages make. Three things keep such requests out:

* The body must be declared as JSON. A page of another site can send that only after a preflight, which is refused.
* Browsers send a request's origin in ``Sec-Fetch-Site``, which no page can forge: it must not be another site, nor a
  sibling below the same domain, which somebody else may control.
* If a browser does not support that header, ``Origin`` must name the host that the request is sent to. Schemes are not
  compared: behind a proxy that terminates TLS, the browser's scheme is unknown.

Clients that are not browsers send neither, and have no user's cookies.

A proxy must forward the browser's ``Host``. Otherwise, list the site's public origin; ``X-Forwarded-Host`` is not read,
since anybody can send it.
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
"""Seconds for which a browser may cache the answer to a preflight."""


class Origins:
    """The origins that may send requests: the site's own, and the listed ones.

    Args:
        allowed: such as ``https://www.example.com``: scheme, host, and the port unless it is the scheme's default.

    Raises:
        ConfigError: one is not an origin. There are no wildcards.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        if isinstance(allowed, str):
            allowed = [allowed]
        self._allowed = frozenset(map(_configured, allowed))

    def check(self, request: Request) -> None:
        """Accept requests of the site's own pages, of listed origins and of clients that are not browsers.

        Raises:
            HTTPError: the request comes from a page of another site (403).
        """
        origin, site = request.header("origin"), request.header("sec-fetch-site")
        if self._listed(origin) is not None:
            return
        if site is not None and site.lower() in _OWN:
            return
        if site is not None or (origin is not None and not _same_host(origin, request.header("host"))):
            raise HTTPError(403, "cross_origin", "Pages of another origin may not call this.")

    def preflight(self, request: Request, method: str) -> WebResponse | None:
        """Return the answer to a preflight request of a listed origin; None for any other request."""
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
        """Return the answer with the headers that let a page of a listed origin read it."""
        if not self._allowed:
            return answer
        headers: Mapping[str, str] = {**answer.headers, "Vary": "Origin"}
        origins = [value.strip() for name, value in request.headers if name == "origin"]
        # The listed text is sent, not the request's.
        if len(origins) == 1 and (listed := self._listed(origins[0])) is not None:
            headers = {
                **headers,
                "Access-Control-Allow-Origin": listed,
                "Access-Control-Allow-Credentials": "true",
                "Access-Control-Expose-Headers": "Retry-After",
            }
        return attrs.evolve(answer, headers=headers)

    def _listed(self, origin: str | None) -> str | None:
        """Return the matching listed origin."""
        normal = _normal(origin) if origin and self._allowed else None
        return normal if normal in self._allowed else None


def _configured(origin: str) -> str:
    normal = _normal(origin)
    if normal is None:
        msg = f"allowed_origins holds {origin!r}, which is not an origin: an example is https://www.example.com"
        raise ConfigError(msg)
    return normal


def _normal(origin: str) -> str | None:
    """Return scheme, host and port of an origin as browsers write it; None if it is not an origin."""
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
