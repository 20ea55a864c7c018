"""A watchdog for the event loop: finds code of a package that keeps a loop from running for too long."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

LIMIT = 0.05
"""Seconds that one step of a loop may take."""
_EVERY = 0.01
"""Seconds between two looks at what a loop is doing."""


@attrs.frozen
class Stall:
    """One step that took too long: for how many `seconds`, and at which line of the package."""

    seconds: float
    place: str

    def __str__(self) -> str:
        return f"the event loop stood still for {self.seconds * 1000:.0f} ms at {self.place}"


@attrs.define(eq=False)
class _Step:
    """One callback of a loop on its way, and what was seen of it by the watching thread."""

    thread: int
    started: float
    looks: list[tuple[CodeType, int, str | None]] = attrs.field(factory=list)


class Watchdog:
    """Watches every callback of every asyncio loop of this process while `watching`.

    A step counts as a stall when the code it runs belongs to one of `packages` and either used the processor for longer
    than `limit`, or stood at one and the same instruction for that long, as a blocking call does. A step that was only
    kept waiting by a busy machine, by the garbage collector or by a module's first import is none. Tests that use it
    can still be slow; they cannot be made to fail by their neighbours.

    Args:
        packages: names of top-level packages whose code is watched.
        limit: seconds (default 0.05).
    """

    def __init__(self, packages: Sequence[str], *, limit: float = LIMIT) -> None:
        self._roots = tuple(str(Path(_home(name))) + "/" for name in packages)
        self._limit = limit
        self._steps: dict[int, _Step] = {}
        self._collecting = 0.0
        self._collected = 0.0
        self.stalls: list[Stall] = []

    @contextmanager
    def watching(self) -> Iterator[Watchdog]:
        """Watch inside the `with` block; what was found is in `stalls`."""
        handle: Any = asyncio.Handle
        inner = handle._run  # noqa: SLF001  there is no other place where every step passes
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(ended,), name="loop-watchdog", daemon=True)

        def run(step: asyncio.Handle) -> None:
            self._around(inner, step)

        handle._run = run  # noqa: SLF001
        gc.callbacks.append(self._on_collection)
        watcher.start()
        try:
            yield self
        finally:
            handle._run = inner  # noqa: SLF001
            gc.callbacks.remove(self._on_collection)
            ended.set()
            watcher.join()

    def _around(self, run: Callable[[asyncio.Handle], None], handle: asyncio.Handle) -> None:
        thread = threading.get_ident()
        outer = self._steps.get(thread)
        step = self._steps[thread] = _Step(thread, time.perf_counter())
        used, collected = time.thread_time(), self._collected
        try:
            run(handle)
        finally:
            taken = time.perf_counter() - step.started
            if outer is None:
                self._steps.pop(thread, None)
            else:
                self._steps[thread] = outer
            if taken > self._limit:
                self._judge(step, taken, time.thread_time() - used - (self._collected - collected))

    def _judge(self, step: _Step, taken: float, used: float) -> None:
        looks = step.looks
        if used > self._limit:
            places = [place for _, _, place in looks if place is not None]
            # Few looks for so long a time: the whole process stood still, as on a machine that others use as well.
            if len(places) * 2 > max(len(looks), used / _EVERY):
                self.stalls.append(Stall(used, places[-1]))
            return
        still = 1
        for before, after in pairwise(looks):
            still = still + 1 if before[:2] == after[:2] else 1
            if after[2] is not None and still * _EVERY > self._limit:
                self.stalls.append(Stall(taken, after[2]))
                return

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(_EVERY):
            frames = sys._current_frames()  # noqa: SLF001  documented for exactly this
            for step in list(self._steps.values()):
                frame = frames.get(step.thread)
                if frame is not None and time.perf_counter() - step.started > _EVERY / 2:
                    step.looks.append((frame.f_code, frame.f_lasti, self._place(frame)))
            # A frame kept would keep the values of its variables.
            frames.clear()
            frame = None

    def _place(self, innermost: FrameType) -> str | None:
        """The line of the watched packages that is under way, unless somebody else's code, called by it, calls back."""
        frame: FrameType | None = innermost
        while frame is not None:
            path = frame.f_code.co_filename
            if path.startswith("<frozen importlib"):
                return None
            if path.startswith(self._roots) and path != __file__:
                return f"{path}:{frame.f_lineno} in {frame.f_code.co_name}"
            if _is_a_test(path):
                return None
            frame = frame.f_back
        return None

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self._collected += time.thread_time() - self._collecting


def _home(package: str) -> str:
    module = sys.modules.get(package) or __import__(package)
    if module.__file__ is None:
        msg = f"{package} has no place in the file system"
        raise ValueError(msg)
    return str(Path(module.__file__).parent)


def _is_a_test(path: str) -> bool:
    return "/tests/" in path or path.endswith("/conftest.py") or "/_pytest/" in path
