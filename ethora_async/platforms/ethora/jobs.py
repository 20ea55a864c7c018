"""Jobs of the platform that one call starts and another awaits.

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
        state: the platform's state; only ``completed`` and ``failed`` are final
            (docs/platforms/ethora.md#user-batch-jobs).
        error: why it failed, if the platform said so.
        extra: every other field of the reply, including the result so far.
    """

    state: str
    error: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.state in ("completed", "failed")


class Job(Generic[T]):
    """A job of the platform: ``await job`` waits for its end and returns its result.

    Keep its `id` to await it later, even in another process. Cancelling the waiting task does not stop the job.
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
        """The platform's id of the job; empty for one that was done immediately."""
        self._ask = ask
        self._request_id: str | None = None
        self._read = read
        self._operation = operation
        self._context = context
        self._timeout = timeout

    async def status(self) -> JobStatus:
        """Ask the platform once for its progress.

        Raises:
            NotFoundError: there is no such job, or other credentials created it.
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
        """Wait for its end; `timeout` replaces the one given at its creation.

        Raises:
            JobFailedError: it failed, or the platform does not know it; parts of it may have been done.
            JobTimeoutError: it had not ended in time; it continues, and may be awaited again.
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
    """Return a function that asks the platform once for a job."""

    async def ask() -> Reply:
        app = await context.open()
        return await app.call(operation, path={"job": job})

    return ask


def _normal(reply: Any) -> dict[str, Any]:
    # The forms are documented only for users and broadcasts; others may wrap it or use `status`.
    if not isinstance(reply, dict):
        return {}
    if not isinstance(reply.get("state"), str):
        inner = reply.get("job", reply.get("result"))
        if isinstance(inner, dict) and isinstance(inner.get("state", inner.get("status")), str):
            reply = inner
    return {"state": reply.get("state", reply.get("status")), **reply}


__all__ = ["Job", "JobStatus", "asking"]
