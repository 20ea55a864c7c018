"""The seams of the package: what can be replaced, and what a platform may be able to do."""

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
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that only ever grow."""
        ...

    async def sleep(self, delay: float, /) -> Any:
        """Wait `delay` seconds."""
        ...


@runtime_checkable
class Transport(Protocol):
    """A carrier of requests to the platform.

    The contract, which `ethora_async.testing.implementers.TransportContract` checks on any implementation:

    * `send` returns every complete reply, whatever its status, follows no redirect and repeats nothing.
    * It raises `NotSentError` only when the request certainly did not reach the platform, else `ReplyLostError`.
    * It ends with `ReplyLostError` (or `NotSentError`) after `request.timeout` seconds: nobody else watches the time.
    * Cancelling it releases the connection.
    * `aclose` may be called more than once; a session that was passed in stays open.
    """

    async def send(self, request: Request, /) -> Response:
        """Send one request and read its whole reply.

        Raises:
            NotSentError: it did not leave, or did not arrive.
            ReplyLostError: it may have arrived, but no complete reply came back.
        """
        ...

    async def aclose(self) -> None:
        """Release what the transport opened."""
        ...


@attrs.frozen(eq=False)
class Credential:
    """Headers that authorise a request, and which secret they were made from.

    `headers` stays the same object while the token lives. `key` stands for the secret that signed it, `version` for the
    store's answer that this secret was part of; neither is a secret.
    """

    headers: Mapping[str, str] = attrs.field(repr=False)
    key: str = ""
    version: str = ""

    def __reduce__(self) -> NoReturn:
        msg = "a credential is not pickled or copied: its token would leave the process in clear"
        raise TypeError(msg)


@runtime_checkable
class SignsWithTime(Protocol):
    """Credentials whose tokens carry a time: a wrong clock makes the platform reject them."""

    def resign(self, offset: float) -> Credential | None:
        """Return a credential signed anew with a clock that is `offset` seconds ahead of this machine's.

        None when that would make no other token.
        """
        ...


class Credentials(Protocol):
    """A source of headers that authorize requests."""

    def peek(self) -> Credential | None:
        """Return the credential at hand, or None when `acquire` must be awaited. Called for every attempt; never
        blocks.
        """
        ...

    async def acquire(self) -> Credential:
        """Return a usable credential, from a cache where there is one."""
        ...

    def accepted(self, credential: Credential) -> None:
        """The platform took it; called after every reply that it gives only once it has looked at the token."""
        ...

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        """Another credential after the platform refused `rejected`, its `key` not in `tried`; or None."""
        ...

    def may_change(self) -> bool:
        """Return whether it is worth waiting for a newer secret when `replace` has nothing more to offer."""
        ...


class Dialect(Protocol):
    """A reader of one platform's error replies."""

    def read_failure(self, response: Response) -> Failure:
        """Return what an error reply says, in this package's words."""
        ...


@attrs.frozen
class Failure:
    """An error reply, read.

    `message`, `code` and `request_id` are the platform's; `kind` names the error class of the tree in
    `ethora_async.errors`; `token_rejected` says that another token may help.
    """

    kind: type[ApiError]
    message: str
    code: str | None = None
    request_id: str | None = None
    token_rejected: bool = False
    retry_after: float | None = None
