"""Jobs of the platform that were started by one call and are waited for by another.

See docs/platforms/ethora.md#jobs-and-delays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from ethora_async.bulk.jobs import JOB_TIMEOUT, wait_for_job
from ethora_async.config import Seconds, seconds
from ethora_async.errors import ReplyLostError
from ethora_async.redaction import scrub, sealed

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.request import Operation, Reply

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class JobStatus:
    """The state of a job.

    Attributes:
        state: the platform's word; only ``completed`` and ``failed`` are final
            (docs/platforms/ethora.md#user-batch-jobs).
        error: why it failed, where the platform said so.
        extra: every other field of the reply, the result so far among them.
    """

    state: str
    error: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("completed", "failed")


class Job(Generic[T]):
    """A job of the platform: ``await job`` waits for its end and gives its result.

    Keep its `id` to wait for it later, in another process too. Cancelling whoever waits does not stop the job.
    """

    def __init__(
        self,
        id: str,
        ask: Callable[[], Awaitable[Reply]],
        read: Callable[[Any], T],
        *,
        operation: str,
        context: AppContext,
        timeout: float = JOB_TIMEOUT,
    ) -> None:
        self.id = id
        """The platform's id of the job; empty for one that was done before it could be asked for."""
        self._ask = ask
        self._request_id: str | None = None
        self._read = read
        self._operation = operation
        self._context = context
        self._timeout = timeout

    async def status(self) -> JobStatus:
        """Ask once how far it has come.

        Raises:
            NotFoundError: there is no such job, or other credentials made it.
        """
        reply = await self._asked()
        state = reply.pop("state", None)
        if not isinstance(state, str):
            msg = "the job's reply has no state"
            raise ReplyLostError(msg, operation=self._operation, request_id=self._request_id)
        error = reply.pop("error", None)
        return JobStatus(
            state=state,
            error=scrub(error) if isinstance(error, str) else None,
            extra=sealed(reply),
            request_id=self._request_id,
        )

    async def wait(self, *, timeout: Seconds | None = None) -> T:
        """Wait for its end, `timeout` in place of the one it was made with.

        Raises:
            JobFailedError: it ended in failure, or the platform does not know it; parts of it may have been done.
            JobTimeoutError: it had not ended in time; it goes on, and may be waited for again.
        """
        return self._read(await self._ended(timeout))

    def __await__(self) -> Generator[Any, None, T]:
        return self.wait().__await__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    async def _ended(self, timeout: Seconds | None = None) -> Any:
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        return await wait_for_job(self._asked, operation=self._operation, clock=self._context.clock, timeout=limit)

    async def _asked(self) -> dict[str, Any]:
        reply = await self._ask()
        self._request_id = reply.request_id
        return _normal(reply.data)


def asking(context: AppContext, operation: Operation, job: str) -> Callable[[], Awaitable[Reply]]:
    """Return what asks the platform for a job once."""

    async def ask() -> Reply:
        app = await context.open()
        return await app.call(operation, path={"job": job})

    return ask


def _normal(reply: Any) -> dict[str, Any]:
    # The forms are documented for users and broadcasts only; others may wrap it or say `status`.
    if not isinstance(reply, dict):
        return {}
    if not isinstance(reply.get("state"), str):
        inner = reply.get("job", reply.get("result"))
        if isinstance(inner, dict) and isinstance(inner.get("state", inner.get("status")), str):
            reply = inner
    return {"state": reply.get("state", reply.get("status")), **reply}


__all__ = ["Job", "JobStatus", "asking"]
