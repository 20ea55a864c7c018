"""Find the steps of an event loop in which code of ours blocks it.

The watchdog judges what the thread of the loop did, never how long the clock on the wall ran: a step that waits for its
turn on a busy machine is not a stall, however long that takes. A second thread looks at every step under way about a
hundred times a second. It notes the line, the processor time of the thread so far, whether the kernel has the thread
asleep, and how often the thread has given up its processor (a voluntary switch) or lost it (an involuntary one).

* A step that *computes* is charged with the processor time between looks that found it in our code.
* A step that *blocks* is charged with the time that it slept through: asleep at two looks, with no switch in between. A
  thread that is ready to run is not asleep, and one that waits for the interpreter's lock wakes every 5 ms.

A virtual machine whose host stops it may count that time as used. Kernels say so in ``/proc/stat``: the processors
account for less time than has passed. Such time is not charged, beyond what the next look would have seen anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import resource
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

LIMIT = 0.05
"""Seconds that one step of a loop may compute or block."""
EVERY = 0.01
"""Seconds between two looks at what a loop is doing."""
LONGEST_UNSEEN = 3 * EVERY
"""Seconds that one gap between looks is charged at most, unless the machine is known to have run all the time."""
MACHINE_RAN = 0.8
"""The share of a gap for which the processors must account."""
ROUNDED_AWAY = 0.03
"""Seconds that the kernel's counts may be short of: it rounds each of them down to 0.01 s."""
_ASLEEP = re.compile(
    rb"^State:\tS.*^voluntary_ctxt_switches:\t(\d+)\nnonvoluntary_ctxt_switches:\t(\d+)", re.MULTILINE | re.DOTALL
)


@attrs.frozen
class Stall:
    """One step that blocked the loop: for how many `seconds`, doing what, and at which line."""

    seconds: float
    doing: str
    place: str

    @property
    def function(self) -> str:
        """The place without its line."""
        path, _, name = self.place.rpartition(" in ")
        return f"{path.rpartition(':')[0]} in {name}"

    def __str__(self) -> str:
        return f"a step blocked the event loop for {self.seconds * 1000:.0f} ms ({self.doing}) at {self.place}"


@attrs.frozen
class _Waits:
    """How often a thread gave up its processor, and how often it lost it."""

    voluntary: int
    involuntary: int

    @classmethod
    def of_this_thread(cls) -> _Waits:
        """Return the counts of the thread that asks."""
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        return cls(usage.ru_nvcsw, usage.ru_nivcsw)

    def once_more(self) -> _Waits:
        """Return the counts after one more wait."""
        return _Waits(self.voluntary + 1, self.involuntary)


@attrs.frozen
class _Look:
    """What one look found: when, where in whose code, and what the thread had used by then.

    Attributes:
        used: processor seconds of the thread.
        collected: seconds that the garbage collector had taken.
        place: the line of the watched packages, if they are what is running.
        asleep: the thread's waits, when the kernel had it asleep.
        ready: for how many seconds the thread had been ready to run, and did not.
        machine_ran: whether the machine itself ran since the watcher's turn before.
    """

    at: float
    used: float
    collected: float
    place: str | None
    asleep: _Waits | None = None
    ready: float | None = None
    machine_ran: bool = False

    def charge(self, seconds: float) -> float:
        """Return how much of a gap before this look counts."""
        return seconds if self.machine_ran else min(seconds, LONGEST_UNSEEN)


@attrs.frozen
class _Thread:
    """How the kernel knows the thread of a loop."""

    identity: int
    clock: int
    number: int

    @classmethod
    def current(cls) -> _Thread:
        identity = threading.get_ident()
        return cls(identity, time.pthread_getcpuclockid(identity), threading.get_native_id())

    def asleep(self) -> _Waits | None:
        """Return the thread's waits while it waits for something other than a processor or a disk."""
        try:
            found = _ASLEEP.search(Path(f"/proc/self/task/{self.number}/status").read_bytes())
            return None if found is None else _Waits(int(found[1]), int(found[2]))
        except OSError:  # the thread has ended
            return None

    def ready(self) -> float | None:
        """Return for how many seconds the thread was ready to run and did not, where the kernel tells."""
        try:
            return int(Path(f"/proc/self/task/{self.number}/schedstat").read_bytes().split()[1]) / 1e9
        except OSError:
            return None


@attrs.define(eq=False)
class _Step:
    """One callback of a loop under way, and what was seen of it."""

    thread: _Thread
    started: float
    used: float
    collected: float
    waits: _Waits
    looks: list[_Look] = attrs.field(factory=list)
    end: _Look | None = None

    def stall(self, limit: float) -> Stall | None:
        """Return what the step did for longer than `limit` seconds."""
        for doing, (seconds, place) in (("computing", self.computed()), ("asleep", self.slept())):
            if seconds > limit:
                return Stall(seconds, doing, place)
        return None

    def computed(self) -> tuple[float, str]:
        """Return the processor seconds that the watched packages used, and the last line that did."""
        seconds, place = 0.0, ""
        used, collected = self.used, self.collected
        for look in self.looks:
            gap = look.used - used - (look.collected - collected)
            used, collected = look.used, look.collected
            if look.place is not None:
                seconds += look.charge(gap)
                place = look.place
        return seconds, place

    def slept(self) -> tuple[float, str]:
        """Return the seconds that the step slept inside the watched packages, and the last line that did."""
        seconds, place = 0.0, ""
        at, used = self.started, self.used
        waits: _Waits | None = self.waits.once_more()
        for look in self.looks:
            if look.place is not None and look.asleep is not None and look.asleep == waits:
                seconds += look.charge(look.at - at - (look.used - used))
                place = look.place
            at, used, waits = look.at, look.used, look.asleep
        last, end = (self.looks[-1] if self.looks else None), self.end
        if last is not None and last.place is not None and end is not None and last.asleep == end.asleep:
            ready = end.ready - last.ready if end.ready is not None and last.ready is not None else end.at - last.at
            seconds += end.charge(max(end.at - last.at - (end.used - last.used) - ready, 0.0))
            place = last.place
        return seconds, place


class Watchdog:
    """Watches every callback of every asyncio loop of this process while `watching`.

    It needs Linux: other kernels do not tell what it asks for, and there it watches nothing. What the garbage collector
    and the first import of a module take is never charged, nor is anything while `tracemalloc` is tracing.

    Args:
        packages: names of the top-level packages whose code is watched.
        limit: seconds that one step may compute or block (default 0.05).

    Attributes:
        stalls: what was found.
    """

    def __init__(self, packages: Sequence[str], *, limit: float = LIMIT) -> None:
        self._roots = tuple(f"{_home(name)}/" for name in packages)
        self._limit = limit
        self._steps: dict[int, _Step] = {}
        self._ended: list[_Step] = []
        self._machine = _Machine()
        self._threads = threading.local()
        self._collecting: float | None = None
        self._collected = 0.0
        self._looked = threading.Event()
        self._stop: Callable[[], None] = lambda: None
        self.stalls: list[Stall] = []

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watchdog]:
        """Watch inside the `with` block."""
        self._start()
        try:
            yield self
        finally:
            self._stop()

    @contextlib.contextmanager
    def pausing(self) -> Iterator[None]:
        """Do not watch inside the `with` block, which stands inside one of `watching`."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        if sys.platform != "linux":
            return
        handle: Any = asyncio.Handle
        inner = handle._run  # there is no other place where every step passes
        ready, ended = threading.Event(), threading.Event()
        watcher = threading.Thread(target=self._watch, args=(ready, ended), name="loop-watchdog", daemon=True)

        def run(step: asyncio.Handle) -> None:
            self._around(inner, step)

        def stop() -> None:
            handle._run = inner
            gc.callbacks.remove(self._on_collection)
            self.stalls += self.take()
            ended.set()
            watcher.join()

        handle._run = run
        gc.callbacks.append(self._on_collection)
        self._stop = stop
        watcher.start()
        ready.wait()

    def take(self) -> list[Stall]:
        """Return the stalls of the steps that have ended since the last call."""
        if not self._ended:
            return []
        ended, self._ended = self._ended, []
        self._looked.clear()
        self._looked.wait(10)  # the last look may still be on its way
        return [stall for step in ended if (stall := step.stall(self._limit)) is not None]

    def _around(self, run: Callable[[asyncio.Handle], None], handle: asyncio.Handle) -> None:
        try:
            thread = self._threads.current
        except AttributeError:
            thread = self._threads.current = _Thread.current()
        outer = self._steps.get(thread.identity)
        step = _Step(thread, time.perf_counter(), time.thread_time(), self._collected, _Waits.of_this_thread())
        self._steps[thread.identity] = step
        try:
            run(handle)
        finally:
            if outer is None:
                self._steps.pop(thread.identity, None)
            else:
                self._steps[thread.identity] = outer
            # While memory is traced, everything takes several times as long.
            if time.perf_counter() - step.started > self._limit and not tracemalloc.is_tracing():
                step.end = self._end(thread)
                self._ended.append(step)

    def _end(self, thread: _Thread) -> _Look:
        """What is known of a step when it ends."""
        now, used, waits = time.perf_counter(), time.thread_time(), _Waits.of_this_thread()
        return _Look(now, used, self._collected, None, waits, thread.ready(), self._machine.ran())

    def _watch(self, ready: threading.Event, ended: threading.Event) -> None:
        ready.set()
        while not ended.wait(EVERY):
            # Reading a file lets the other threads run: first everything that must be of this moment.
            if self._collecting is not None:
                continue  # callbacks of others run before the one that notes the end
            frames = sys._current_frames()
            looks = [
                (step, look)
                for step in list(self._steps.values())
                if (frame := frames.get(step.thread.identity)) is not None
                and (look := self._look(step, frame)) is not None
            ]
            # A frame kept would keep the values of its variables.
            frames.clear()
            frame = None
            ran = self._machine.ran() if self._steps or looks else False
            for step, look in looks:
                asleep, delayed = step.thread.asleep(), step.thread.ready()
                step.looks.append(attrs.evolve(look, asleep=asleep, ready=delayed, machine_ran=ran))
            self._looked.set()

    def _look(self, step: _Step, frame: FrameType) -> _Look | None:
        now = time.perf_counter()
        if now - step.started < EVERY / 2:
            return None
        try:
            used = time.clock_gettime(step.thread.clock)
        except OSError:  # the thread has ended
            return None
        try:
            place = self._place(frame)
        except AttributeError:  # the frame ended while it was looked at, and what it points to is something else by now
            return None
        return _Look(now, used, self._collected, place)

    def _place(self, innermost: FrameType) -> str | None:
        """The line of the watched packages that is under way, unless somebody else's code, called by it, calls back."""
        frame: FrameType | None = innermost
        while frame is not None:
            path = frame.f_code.co_filename
            if path.startswith("<frozen importlib"):
                return None
            if path.startswith(self._roots):
                return f"{path}:{frame.f_lineno} in {frame.f_code.co_name}"
            if _is_a_test(path):
                return None
            frame = frame.f_back
        return None

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        elif self._collecting is not None:
            self._collected += time.thread_time() - self._collecting
            self._collecting = None


class _Machine:
    """Whether the processors ran: all the time that passed is somebody's, or idle."""

    def __init__(self) -> None:
        self._processors = os.cpu_count() or 1
        self._unit = os.sysconf("SC_CLK_TCK")
        self._at, self._accounted = time.perf_counter(), self._read()

    def ran(self) -> bool:
        """Return whether the machine ran since it was asked last."""
        now, accounted = time.perf_counter(), self._read()
        passed, self._at = now - self._at, now
        accounted_for, self._accounted = accounted - self._accounted, accounted
        return accounted_for + ROUNDED_AWAY >= MACHINE_RAN * passed * self._processors

    def _read(self) -> float:
        with open("/proc/stat", "rb") as file:
            _, *times = file.readline().split()
        # user, nice, system, idle, iowait, irq, softirq. The eighth is what the host took.
        return sum(map(int, times[:7])) / self._unit


def _home(package: str) -> str:
    module = sys.modules.get(package) or __import__(package)
    if module.__file__ is None:
        msg = f"{package} has no place in the file system"
        raise ValueError(msg)
    return str(Path(module.__file__).parent)


def _is_a_test(path: str) -> bool:
    return "/tests/" in path or path.endswith("/conftest.py") or "/_pytest/" in path
