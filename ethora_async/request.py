"""Requests and replies as plain values, shared by all layers.

Those that are created for every call use `attrs.define`, not `frozen`: no code changes them, and freezing costs a
third of a microsecond each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from ethora_async.errors import ReplyLostError
from ethora_async.redaction import Secret, request_id

if TYPE_CHECKING:
    from ethora_async.errors import ChatError

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

REPLY_LIMIT = 64 * 1024 * 1024
"""Maximum size of a reply in bytes by default, after decompression."""
ERROR_REPLY_LIMIT = 64 * 1024
"""Bytes that are kept of an error reply: enough for every message, and bounded in case a web page comes back."""


@attrs.frozen
class Operation:
    """One operation of a platform's API, listed once in its platform's table.

    Attributes:
        name: the name in errors and events, e.g. ``"users.create_many"``.
        method: the HTTP method.
        path: the path as a template with ``{named}`` parts; values are percent-encoded when filled in.
        repeatable: whether doing it twice leaves the same state as doing it once. Only such an operation is retried
            when it is unknown whether the first attempt took effect.
        source: the documentation of the wire fact, e.g. ``"docs/platforms/ethora.md#users"``.
        literal: a caller's own path, in place of `path`. It may hold a secret, and events do not contain it.
    """

    name: str
    method: Method
    path: str
    repeatable: bool
    source: str
    literal: Secret | None = None


class Upload(Protocol):
    """A body that is produced piece by piece while it is sent: a form with files.

    Attributes:
        content_type: its Content-Type, which the request's headers already contain.
        error: why the last read failed, if it did: the transport's own error says less.
    """

    content_type: str
    error: ChatError | None

    @property
    def length(self) -> int | None:
        """Its length in bytes, for the transport's Content-Length; None for chunked transfer encoding."""
        ...

    def can_restart(self) -> bool:
        """Return whether `chunks` can be called, for the first time or again."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the whole body from its start."""
        ...


@attrs.define(eq=False)
class Request:
    """One complete attempt, which a transport sends as it is.

    `headers` is the same object for as long as the same token is in use, so that a transport may prepare it once.
    """

    method: Method
    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    timeout: float | None = None
    """The time limit of this attempt in seconds; the transport enforces it."""
    upload: Upload | None = attrs.field(default=None, repr=False)
    """Sent in place of `body`."""
    reply_limit: int = REPLY_LIMIT
    """Maximum size of the reply in bytes, after decompression; beyond it the transport raises `ReplyTooLargeError`. Of
    an error reply it keeps at most `ERROR_REPLY_LIMIT` bytes.
    """


@attrs.define(eq=False)
class Response:
    """A complete reply. `headers` must be a case-insensitive mapping."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


@attrs.define
class Origin:
    """The origin of a record: its operation and reply, which errors name.

    Attributes:
        operation: The name of the operation.
        status: The reply's HTTP status; None where there was no reply, as for an event.
        request_id: The platform's correlation id for the reply, if it gave one.
    """

    operation: str
    status: int | None = None
    request_id: str | None = None

    def lost(self, message: str) -> ReplyLostError:
        """Return the error about a reply that cannot be read."""
        return ReplyLostError(message, operation=self.operation, status=self.status, request_id=self.request_id)


@attrs.define(eq=False)
class Reply:
    """A successful reply, decoded: `data` is the JSON value, or None for an empty body.

    `body` holds the raw bytes when decoding was not requested, `operation` the name of the operation.
    """

    status: int
    data: Any = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    attempts: int = 1
    body: bytes = attrs.field(default=b"", repr=False)
    operation: str = ""

    @property
    def origin(self) -> Origin:
        """The origin of this reply's records."""
        return Origin(self.operation, self.status, self.request_id)

    @property
    def request_id(self) -> str | None:
        """The platform's correlation id for this reply, if it gave one."""
        return request_id(self.headers.get("x-request-id"))
