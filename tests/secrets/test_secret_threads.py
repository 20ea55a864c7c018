from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading

import pytest

from ethora_async_secrets import concurrency
from ethora_async_secrets.concurrency import run_blocking


async def test_calls_run_in_private_threads_four_at_most():
    def where() -> str:
        return threading.current_thread().name

    names = set(await asyncio.gather(*(run_blocking(where) for _ in range(50))))
    assert all(name.startswith("ethora-secrets-") for name in names)
    assert len(names) <= 4


async def test_arguments_results_errors_and_context_pass_through():
    request = contextvars.ContextVar("request", default="none")
    request.set("mine")
    assert await run_blocking(divmod, 7, 2) == (3, 1)
    assert await run_blocking(request.get) == "mine"
    with pytest.raises(ZeroDivisionError):
        await run_blocking(divmod, 1, 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await run_blocking(next, iter(()))


async def test_a_cancelled_call_leaks_no_error_and_frees_its_waiter():
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    began, go = threading.Event(), threading.Event()

    def slow_failure() -> None:
        began.set()
        go.wait(10)
        raise ValueError("too late to matter")

    task = asyncio.create_task(run_blocking(slow_failure))
    await run_blocking(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    # four more calls, one for each thread, end after the failure was delivered
    barrier = threading.Barrier(4)
    await asyncio.gather(*(run_blocking(barrier.wait, 10) for _ in range(4)))
    assert complaints == []


async def test_a_call_cancelled_while_queued_never_starts():
    go, ran = threading.Event(), threading.Event()
    busy = [asyncio.create_task(run_blocking(go.wait, 10)) for _ in range(4)]
    await asyncio.sleep(0)
    queued = asyncio.create_task(run_blocking(ran.set))
    await asyncio.sleep(0)
    queued.cancel()
    await asyncio.wait({queued})
    go.set()
    await asyncio.gather(*busy)
    barrier = threading.Barrier(4)
    await asyncio.gather(*(run_blocking(barrier.wait, 10) for _ in range(4)))
    assert not ran.is_set()


def test_a_result_for_a_closed_loop_is_dropped():
    began, go = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        go.wait(10)

    async def give_up() -> None:
        task = asyncio.create_task(run_blocking(slow))
        await asyncio.to_thread(began.wait, 10)
        task.cancel()

    asyncio.run(give_up())
    go.set()

    async def next_loop() -> int:
        barrier = threading.Barrier(4)
        return len(await asyncio.gather(*(run_blocking(barrier.wait, 10) for _ in range(4))))

    assert asyncio.run(next_loop()) == 4


def test_a_hanging_call_does_not_keep_the_interpreter_from_exiting():
    code = (
        "import asyncio, threading\n"
        "from ethora_async_secrets.concurrency import run_blocking\n"
        "began = threading.Event()\n"
        "async def main():\n"
        "    task = asyncio.create_task(run_blocking(lambda: (began.set(), threading.Event().wait())))\n"
        "    await asyncio.to_thread(began.wait)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    asyncio.run(run_blocking(int))
    pool = concurrency._pool
    child = os.fork()
    if child == 0:
        try:
            answer = asyncio.run(asyncio.wait_for(run_blocking(divmod, 7, 2), 60))
            os._exit(0 if answer == (3, 1) and concurrency._pool is not pool else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
