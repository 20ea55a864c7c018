"""A reply for a web framework to send, and the JSON that it mostly holds."""

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
"""No cache may keep what stands in such a reply, and no browser take it for anything but JSON."""


@attrs.frozen
class WebResponse:
    """A reply. `headers` lack Content-Length; `body` is not shown, since it may hold a token."""

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(default=b"", repr=False)

    @classmethod
    def json(cls, status: int, data: Any, headers: Mapping[str, str] | None = None) -> WebResponse:
        """Return a reply that holds `data` as JSON, with `headers` beside `JSON_HEADERS`."""
        return cls(status, {**JSON_HEADERS, **(headers or {})}, codec.dumps(data))

    @classmethod
    def refusal(cls, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> WebResponse:
        """Return a reply that says no: ``{"error": code, "detail": detail}``. Neither may hold anything from
        outside.
        """
        return cls.json(status, {"error": code, "detail": detail}, headers)
