"""Requests and replies as plain values that every layer shares.

The three that are made for every call are `attrs.define`, not `frozen`: nobody changes them, and freezing costs a
third of a microsecond each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from ethora_async.redaction import request_id

if TYPE_CHECKING:
    from ethora_async.errors import ChatError

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

REPLY_LIMIT = 64 * 1024 * 1024
"""Bytes of a reply that are read by default, after decompression."""
ERROR_REPLY_LIMIT = 64 * 1024
"""Bytes that are read of an error reply: enough for every message, too little for a web page to do harm."""


@attrs.frozen
class Operation:
    """One thing that a platform can be asked to do, listed once in its platform's table.

    Attributes:
        name: the name in errors and events, e.g. ``"users.create_many"``.
        method: the HTTP method.
        path: the path as a template with ``{named}`` parts; values are percent-encoded when filled in.
        repeatable: whether doing it twice leaves the same state as doing it once. Only such an operation
            is sent again when it is unknown whether the first attempt took effect.
        source: where the wire fact comes from, e.g. ``"docs/platforms/ethora.md#users"``.
        literal: whether the path is no template but what a caller wrote.
    """

    name: str
    method: Method
    path: str
    repeatable: bool
    source: str
    literal: bool = False

    @property
    def template(self) -> str:
        """The path's template for events; empty for a literal path, which may hold ids."""
        return "" if self.literal else self.path


class Upload(Protocol):
    """A body that is read piece by piece while it is sent: a form with files.

    Attributes:
        content_type: its Content-Type, which the request's headers carry already.
        error: why the last reading broke off, if it did: the transport's own error tells less.
    """

    content_type: str
    error: ChatError | None

    @property
    def length(self) -> int | None:
        """Its length in bytes, for the Content-Length that the transport adds; None sends it in chunks."""
        ...

    def can_restart(self) -> bool:
        """Return whether `chunks` can be called, for the first time or again."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the whole body from its start."""
        ...


@attrs.define(eq=False)
class Request:
    """One attempt, complete: a transport sends it as it stands.

    `headers` is the same object for as long as the same token is in use, so that a transport may prepare it once.
    """

    method: Method
    url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    timeout: float | None = None
    """Seconds that this attempt may take; the transport ends it then."""
    upload: Upload | None = attrs.field(default=None, repr=False)
    """What to send in place of `body`."""
    reply_limit: int = REPLY_LIMIT
    """Bytes of the reply, after decompression, that the transport reads: `ReplyTooLargeError` beyond. Of an error reply
    it keeps `ERROR_REPLY_LIMIT` bytes at most and leaves out the rest."""


@attrs.define(eq=False)
class Response:
    """A complete reply. `headers` must be a case-insensitive mapping."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


@attrs.define(eq=False)
class Reply:
    """A successful reply, decoded: `data` is the JSON value, or None for an empty body.

    `body` holds the bytes of a reply that was not to be decoded.
    """

    status: int
    data: Any = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    attempts: int = 1
    body: bytes = attrs.field(default=b"", repr=False)

    @property
    def request_id(self) -> str | None:
        """The platform's correlation id for this reply, where it gave one."""
        return request_id(self.headers.get("x-request-id"))
