"""A watchdog for the event loop: finds code of a package that keeps a loop from running for too long."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import tracemalloc
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
_UNSEEN = 0.3
"""Seconds of the processor's time without a look: none can be taken while code in C keeps the interpreter to itself.

A virtual machine that is made to wait looks the same, and counts that as used; hardly ever for so long.
"""


@attrs.frozen
class Stall:
    """One step that took too long: for how many `seconds`, and at which line of the package."""

    seconds: float
    place: str

    def __str__(self) -> str:
        return f"the event loop stood still for {self.seconds * 1000:.0f} ms at {self.place}"


@attrs.frozen(eq=False)
class _Look:
    """Where a step was, when: at an instruction of somebody's code, called from this `place` of the packages."""

    at: float
    code: CodeType
    instruction: int
    place: str | None

    def same(self, other: _Look) -> bool:
        """Whether the step has not moved in between."""
        return self.code is other.code and self.instruction == other.instruction


@attrs.define(eq=False)
class _Step:
    """One callback of a loop on its way, and what was seen of it by the watching thread."""

    thread: int
    started: float
    looks: list[_Look] = attrs.field(factory=list)

    def longest_unseen(self) -> tuple[float, str | None]:
        """The longest time without a look, in seconds, and the place that the look after it found."""
        times = [self.started, *(look.at for look in self.looks)]
        gaps = [(after - before, look.place) for before, after, look in zip(times, times[1:], self.looks, strict=False)]
        return max(gaps, key=lambda gap: gap[0], default=(0.0, None))


class Watchdog:
    """Watches every callback of every asyncio loop of this process while `watching`.

    A step counts as a stall when the code it runs belongs to one of `packages` and either used the processor for longer
    than `limit`, or stood at one and the same instruction for that long, as a blocking call does. A step that was only
    kept waiting by a busy machine, by the garbage collector or by a module's first import is none, nor is any step
    while `tracemalloc` is tracing. One call into C that
    lets no other thread run is found from 0.3 s on. Tests that use it
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
        if tracemalloc.is_tracing():
            return  # which makes everything take several times as long
        if used > self._limit:
            places = [look.place for look in looks if look.place is not None]
            unseen, place = step.longest_unseen()
            if place is not None and used > _UNSEEN and unseen * 2 > taken:
                self.stalls.append(Stall(used, place))
                return
            # Few looks for so long a time: the whole process stood still, as on a machine that others use as well.
            if len(places) * 2 > max(len(looks), used / _EVERY):
                self.stalls.append(Stall(used, places[-1]))
            return
        still = 1
        for before, after in pairwise(looks):
            still = still + 1 if before.same(after) else 1
            if after.place is not None and still * _EVERY > self._limit:
                self.stalls.append(Stall(taken, after.place))
                return

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(_EVERY):
            frames = sys._current_frames()  # noqa: SLF001  documented for exactly this
            for step in list(self._steps.values()):
                frame = frames.get(step.thread)
                now = time.perf_counter()
                if frame is not None and now - step.started > _EVERY / 2:
                    step.looks.append(_Look(now, frame.f_code, frame.f_lasti, self._place(frame)))
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
