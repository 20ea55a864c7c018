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
class Answer:
    """A reply: status, body as bytes, content type and further headers; the content of `path`, if given, is sent
    in place of a body. A `takeover` gets the connection instead, as a websocket needs it.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    path: Path | None = None
    takeover: Takeover | None = None


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with JSON."""
    return Answer(status, orjson.dumps(body), JSON, headers or {})


def text_answer(text: str, status: int, content_type: str = TEXT, headers: dict[str, str] | None = None) -> Answer:
    """Answer with text."""
    return Answer(status, text.encode("utf-8", "replace"), content_type, headers or {})
