"""Protocols for the replaceable parts of the package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, runtime_checkable

import attrs

from ethora_async.errors import ApiError

if TYPE_CHECKING:
    from ethora_async.request import Request, Response


class Clock(Protocol):
    """A source of time."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""
        ...

    async def sleep(self, delay: float, /) -> Any:
        """Wait `delay` seconds."""
        ...


@runtime_checkable
class Transport(Protocol):
    """Sends requests to the platform.

    The contract, which `ethora_async.testing.implementers.TransportContract` checks on any implementation:

    * `send` returns every complete reply, whatever its status, follows no redirect and retries nothing.
    * It raises `NotSentError` only when the request certainly did not reach the platform, else `ReplyLostError`.
    * It raises `ReplyLostError` (or `NotSentError`) after `request.timeout` seconds: no other code watches this limit.
    * Cancelling it releases the connection.
    * `aclose` may be called more than once; a session that was passed in stays open.
    """

    async def send(self, request: Request, /) -> Response:
        """Send one request and read its whole reply.

        Raises:
            NotSentError: the request did not reach the platform.
            ReplyLostError: it may have, but no complete reply arrived.
        """
        ...

    async def aclose(self) -> None:
        """Close what the transport opened."""
        ...


@attrs.frozen(eq=False)
class Credential:
    """Headers that authorise a request, and the identity of the secret they were made from.

    `headers` is the same object while the token lives. `key` identifies the secret that signed the token, `version` the
    answer of the secret store; neither is secret.
    """

    headers: Mapping[str, str] = attrs.field(repr=False)
    key: str = ""
    version: str = ""

    def __reduce__(self) -> NoReturn:
        msg = "a credential cannot be pickled or copied: its token would leave the process in clear"
        raise TypeError(msg)


@runtime_checkable
class SignsWithTime(Protocol):
    """Credentials whose tokens carry a time: the platform rejects them if the clock is wrong."""

    def resign(self, offset: float, rejected: Credential) -> Credential | None:
        """Return `rejected` signed anew with a clock that is `offset` seconds ahead of this machine's.

        Return None when that would give the same token.
        """
        ...


class Credentials(Protocol):
    """A source of headers that authorize requests."""

    def peek(self) -> Credential | None:
        """Return the available credential, or None when `acquire` must be awaited. Called for every attempt; never
        blocks.
        """
        ...

    async def acquire(self) -> Credential:
        """Return a usable credential, cached where possible."""
        ...

    def accepted(self, credential: Credential) -> None:
        """Note that the platform accepted it; called after every reply that proves that the token was checked."""
        ...

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        """Return another credential after the platform rejected `rejected`, its `key` not in `tried`; or None."""
        ...

    def may_change(self) -> bool:
        """Return whether to wait for a newer secret when `replace` has nothing more to offer."""
        ...


class Dialect(Protocol):
    """Reads the error replies of one platform."""

    def read_failure(self, response: Response) -> Failure:
        """Translate an error reply."""
        ...


@attrs.frozen
class Failure:
    """A translated error reply.

    `message`, `code` and `request_id` are the platform's; `kind` names the error class in `ethora_async.errors`;
    `token_rejected` says that another token may help.
    """

    kind: type[ApiError]
    message: str
    code: str | None = None
    request_id: str | None = None
    token_rejected: bool = False
    retry_after: float | None = None
