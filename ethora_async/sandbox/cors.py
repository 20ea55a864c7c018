"""Cross-origin requests: the headers that let a page of another origin read a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.hdrs import ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN

from ethora_async.sandbox.wire import TEXT, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
HEADERS = "authorization, content-type, x-custom-token, x-app-id"
EXPOSED = "x-request-id, Retry-After"
MAX_AGE = "600"


def allow_origin(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that let the calling page read a reply."""
    return {
        "Access-Control-Allow-Origin": headers.get(ORIGIN, "*"),
        "Access-Control-Expose-Headers": EXPOSED,
        "Vary": ORIGIN,
    }


def preflight(headers: Mapping[str, str]) -> Reply:
    """Answer any OPTIONS, as the platform does: every request may be sent, even from a public page to this machine."""
    allowed = {
        **allow_origin(headers),
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": headers.get(ACCESS_CONTROL_REQUEST_HEADERS, HEADERS),
        "Access-Control-Max-Age": MAX_AGE,
    }
    if headers.get("Access-Control-Request-Private-Network") == "true":
        allowed["Access-Control-Allow-Private-Network"] = "true"
    return Reply(204, b"", TEXT, allowed)
