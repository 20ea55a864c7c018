"""The watchdog that every test runs under finds what blocks a loop, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loop_watchdog
import pytest
from loop_watchdog import LIMIT, Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loop_watchdog import Stall

CULPRIT = """
import gc, re, subprocess, time

def wait(seconds):
    time.sleep(seconds)

def count(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(1000))

async def coroutine(seconds):
    time.sleep(seconds)

def read(connection):
    try:
        connection.recv(1)
    except TimeoutError:
        pass

def run(command):
    subprocess.run(command)

def lock(lock, seconds):
    lock.acquire(timeout=seconds)

def collect():
    for _ in range(3):
        gc.collect()

def callback(phase, _):
    count(0.001)

def call(other):
    other()

def match(length):
    re.fullmatch("(a+)+b", "a" * length)

def hold(seconds):
    length, taken = 16, 0.0
    while taken < seconds:
        length, began = length + 1, time.thread_time()
        match(length)
        taken = time.thread_time() - began
    return length
"""


@pytest.fixture
def culprit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Create a package whose functions block."""
    (tmp_path / "culprit").mkdir()
    (tmp_path / "culprit" / "__init__.py").write_text(CULPRIT)
    monkeypatch.syspath_prepend(tmp_path)
    import culprit  # type: ignore[import-not-found]

    yield culprit
    del sys.modules["culprit"]


@pytest.fixture(autouse=True)
def _the_loop_is_never_blocked(_watchdog: Watchdog) -> Iterator[None]:
    """Only the watchdog under test watches: two would compete for the interpreter's lock."""
    with _watchdog.pausing():
        yield


def found(step: Callable[[], object], package: str = "culprit") -> list[Stall]:
    """Run `step` in a loop, and return what a watchdog of `package` found."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(step)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    with Watchdog([package]).watching() as watchdog:
        asyncio.run(main())
    return watchdog.stalls


def caught(step: Callable[[], object]) -> Stall:
    """Return the one stall of `step`, which runs again if a machine that is busy gave the watchdog no turn."""
    stalls = next(stalls for _ in range(5) if (stalls := found(step)))
    (stall,) = stalls
    return stall


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """This thread and four other processes share one processor as long as the test runs, however many there are."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    busy = [subprocess.Popen([sys.executable, "-I", "-c", "while True: pass"]) for _ in range(4)]
    yield
    for process in busy:
        process.kill()
    for process in busy:
        process.wait()
    os.sched_setaffinity(0, allowed)


def test_a_blocking_call_is_found_with_its_line(culprit: Any) -> None:
    stall = caught(lambda: culprit.wait(0.1))
    assert "asleep" in str(stall)
    assert "culprit/__init__.py:5 in wait" in str(stall)


def test_a_coroutine_that_blocks_is_found(culprit: Any) -> None:
    with Watchdog(["culprit"]).watching() as watchdog:
        asyncio.run(culprit.coroutine(0.1))
    (stall,) = watchdog.stalls
    assert "in coroutine" in str(stall)


def test_several_short_sleeps_in_one_step_add_up(culprit: Any) -> None:
    stall = caught(lambda: [culprit.wait(0.04) for _ in range(4)])
    assert "asleep" in str(stall)


def test_waiting_for_a_socket_a_process_or_a_lock_blocks_too(culprit: Any) -> None:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(0.1)
        stall = caught(lambda: culprit.read(here))
        assert "in read" in str(stall)
    stall = caught(lambda: culprit.run([sys.executable, "-I", "-c", "import time; time.sleep(0.1)"]))
    assert "in run" in str(stall)
    lock = threading.Lock()
    with lock:
        stall = caught(lambda: culprit.lock(lock, 0.1))
    assert "in lock" in str(stall)


def test_a_long_computation_is_found(culprit: Any) -> None:
    stall = caught(lambda: culprit.count(0.1))
    assert "computing" in str(stall)
    assert "in count" in str(stall)


@pytest.mark.slow
def test_both_are_found_on_a_busy_machine(culprit: Any, busy_machine: None) -> None:
    """The watching thread waits for its turn as well: it may come too late once, but not five times."""
    for work, doing in ((culprit.count, "computing"), (culprit.wait, "asleep")):
        stalls = next(filter(None, (found(lambda work=work: work(0.1)) for _ in range(5))), [])
        assert [stall.doing for stall in stalls] == [doing]


@pytest.mark.slow
def test_waiting_for_a_processor_is_no_stall(culprit: Any, busy_machine: None) -> None:
    """Steps of 20 ms of the processor, which take several times as long here."""
    taken: list[float] = []

    def step() -> None:
        began = time.perf_counter()
        culprit.count(0.02)
        taken.append(time.perf_counter() - began)

    while len(taken) < 20 and sum(seconds > 0.05 for seconds in taken) < 3:
        assert found(step) == []
    assert max(taken) > 0.05, "this machine was not busy"


@pytest.mark.slow
def test_a_stopped_process_is_no_stall(tmp_path: Path) -> None:
    """Stopped from outside in the middle of a step, for longer than the limit."""
    (tmp_path / "culprit").mkdir()
    (tmp_path / "culprit" / "__init__.py").write_text(CULPRIT)
    program = (
        "import asyncio, sys\nimport culprit\nfrom loop_watchdog import LIMIT, Watchdog\n"
        "async def main():\n"
        "    print('running', flush=True)\n"
        "    asyncio.get_running_loop().call_soon(culprit.count, 0.03)\n"
        "    await asyncio.sleep(0)\n"
        "    await asyncio.sleep(0)\n"
        "with Watchdog(['culprit']).watching() as watchdog:\n"
        "    for _ in range(20):\n"
        "        asyncio.run(main())\n"
        "print(*watchdog.stalls)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(loop_watchdog.__file__).parent)])
    with subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line != "running\n":
                break
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.08)
            process.send_signal(signal.SIGCONT)
    assert line == "\n"


@pytest.mark.slow
def test_the_garbage_collector_is_not_charged(culprit: Any) -> None:
    """Not even while somebody else's callback runs, before the watchdog's own is told of the end."""

    heap = [[number] for number in range(600_000)]
    gc.callbacks.insert(0, culprit.callback)
    began = time.thread_time()
    try:
        assert found(culprit.collect) == []
    finally:
        gc.callbacks.remove(culprit.callback)
    assert time.thread_time() - began > LIMIT, f"{len(heap)} objects are too few"


def test_a_call_that_keeps_the_interpreter_to_itself_is_found(culprit: Any) -> None:
    """The watching thread cannot look while it lasts."""
    length = culprit.hold(0.2)

    stall = caught(lambda: culprit.match(length))
    assert "in match" in str(stall)


@pytest.mark.slow
def test_the_tests_own_call_that_keeps_the_interpreter_to_itself_is_not_the_packages(culprit: Any) -> None:
    length = culprit.hold(0.2)
    assert found(lambda: re.fullmatch("(a+)+b", "a" * length)) == []


def test_short_steps_are_none(culprit: Any) -> None:
    assert found(lambda: culprit.wait(0.005)) == []
    assert found(lambda: culprit.count(0.005)) == []


def test_the_tests_own_blocking_is_not_the_packages(culprit: Any) -> None:
    assert found(lambda: time.sleep(0.2)) == []
    assert found(lambda: culprit.call(lambda: time.sleep(0.2))) == []


def test_another_package_is_not_watched(culprit: Any) -> None:
    assert found(lambda: culprit.wait(0.2), package="ethora_async_secrets") == []


def test_what_blocks_outside_a_loop_is_none(culprit: Any) -> None:
    with Watchdog(["culprit"]).watching() as watchdog:
        culprit.wait(0.2)
    assert watchdog.stalls == []


def test_a_thread_that_computes_is_not_held_against_the_loop(culprit: Any) -> None:
    async def main() -> None:
        computing = asyncio.ensure_future(asyncio.to_thread(culprit.count, 0.4))
        while not computing.done():
            await asyncio.wait({computing}, timeout=0.001)

    with Watchdog(["culprit"]).watching() as watchdog:
        asyncio.run(main())
    assert watchdog.stalls == []
