"""Wait for a server that is away while a worker starts."""

from __future__ import annotations

import asyncio
import math
import random
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ethora_async.cli.output import errors
from ethora_async.config import RetryPolicy
from ethora_async.engine.retry import backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

T = TypeVar("T")

_PAUSES = RetryPolicy(base=0.2, cap=5.0)
_SHORTEST_PAUSE = 0.1


async def repeated(
    call: Callable[[], Awaitable[T]], away: tuple[type[Exception], ...], patience: float = math.inf
) -> T:
    """Return the result of a call, repeated with growing pauses while its server is away.

    Args:
        call: The call.
        away: The errors that say so.
        patience: Seconds after which the error is raised.
    """
    failures, end = 0, time.monotonic() + patience
    while True:
        try:
            return await call()
        except away as error:
            if time.monotonic() >= end:
                raise
            failures += 1
            if failures == 1:
                limit = "" if math.isinf(patience) else f" for {patience:.0f} s"
                errors.print(f"{error}; trying again{limit}", markup=False)
        await asyncio.sleep(backoff(failures, _PAUSES, random.random, least=_SHORTEST_PAUSE))


@asynccontextmanager
async def opened(
    make: Callable[[], Any], away: tuple[type[Exception], ...], patience: float = math.inf
) -> AsyncIterator[Any]:
    """Open a client, a new one for each attempt, and close it at the end; see `repeated` for the arguments."""
    async with AsyncExitStack() as stack:
        yield await repeated(lambda: stack.enter_async_context(make()), away, patience)


__all__ = ["opened", "repeated"]
