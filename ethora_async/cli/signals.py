"""Work until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from ethora_async.cli.output import errors
from ethora_async.cli.runtime import DONE, INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stoppable(Protocol):
    """A worker that finishes its current work on `stop`."""

    def run(self) -> Coroutine[Any, Any, None]:
        """Work until `stop`."""
        ...

    def stop(self) -> None:
        """Finish the current work, and end."""
        ...


async def work_until_told(worker: Stoppable, name: str, under_way: str) -> int:
    """Work until a signal comes; the second one cancels the current work.

    Args:
        worker: The worker.
        name: The name of its database.
        under_way: A plural noun for the current work, which is finished first.

    Returns:
        The exit code.
    """
    told: list[int] = []
    # What is imported by now stays. To traverse it in every collection takes a fifth of a worker's CPU time.
    gc.collect()
    gc.freeze()
    running = asyncio.ensure_future(worker.run())

    def tell(number: int) -> None:
        told.append(number)
        if len(told) > 1:
            running.cancel()
            return
        errors.print(f"stopping: {under_way} under way are finished", markup=False)
        worker.stop()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        with suppress(ValueError, RuntimeError, NotImplementedError):  # not in the main thread, or on Windows
            loop.add_signal_handler(number, tell, number)
    errors.print(f"working on {name}; Ctrl-C stops it", markup=False)
    try:
        await asyncio.wait([running])
    finally:
        for number in _SIGNALS:
            with suppress(ValueError, RuntimeError, NotImplementedError):
                loop.remove_signal_handler(number)
        running.cancel()
        (result,) = await asyncio.gather(running, return_exceptions=True)
    if isinstance(result, Exception):
        raise result
    return INTERRUPTED if told[:1] == [signal.SIGINT] or isinstance(result, BaseException) else DONE


__all__ = ["Stoppable", "work_until_told"]
