"""Replies of a sandbox, before they are written to a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import orjson
from aiohttp import web

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

Takeover = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@attrs.frozen
class Reply:
    """A reply: status, body as bytes, content type and further headers.

    The content of `path`, if given, is sent instead of a body. A `takeover` receives the connection instead, for a
    websocket.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    path: Path | None = None
    takeover: Takeover | None = None


def json_reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Reply with JSON."""
    return Reply(status, orjson.dumps(body), JSON, headers or {})


def text_reply(text: str, status: int, content_type: str = TEXT, headers: dict[str, str] | None = None) -> Reply:
    """Reply with text."""
    return Reply(status, text.encode("utf-8", "replace"), content_type, headers or {})
