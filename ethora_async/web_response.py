"""A reply for a web framework to send, and helpers for JSON replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ethora_async import codec

JSON_HEADERS: Mapping[str, str] = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
"""Headers that keep caches from storing such a reply and browsers from guessing another type than JSON."""


@attrs.frozen
class WebResponse:
    """A reply. `headers` lack Content-Length; the repr leaves out `body`, which may hold a token."""

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(default=b"", repr=False)

    @classmethod
    def json(cls, status: int, data: Any, headers: Mapping[str, str] | None = None) -> WebResponse:
        """Return a reply with `data` as JSON, with `headers` added to `JSON_HEADERS`."""
        return cls(status, {**JSON_HEADERS, **(headers or {})}, codec.dumps(data))

    @classmethod
    def refusal(cls, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> WebResponse:
        """Return an error reply: ``{"error": code, "detail": detail}``. Neither value may contain outside input."""
        return cls.json(status, {"error": code, "detail": detail}, headers)
