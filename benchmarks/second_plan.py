"""A second plan, and a verification, when both sides are equal: CPU of the whole, and for each user."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from _measure import interleaved, pin, quick, server, show
from _workers import Worker, python_worker
from bulk_memory import write_users

AIM = 25e-6
"""Seconds for each user: 25 s for a million."""


def cpu(worker: Worker, work: str, users: int, **options: str) -> float:
    """CPU seconds of one work, which is for so many users."""
    reply = worker.ask(work, **options)
    if reply["count"] != users:
        msg = f"{work} met {reply['count']:.0f} users of {users}"
        raise RuntimeError(msg)
    return reply["cpu"]


def main() -> None:
    users, rounds = (2_000, 2) if quick(__doc__ or "") else (1_000_000, 1)
    pin(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "users.csv")
        write_users(file, users)
        with server("_bulk_server.py", "0", "full", str(users)) as (port,), python_worker(port) as worker:
            works = {
                name: partial(cpu, worker, name, users, file=str(file)) for name in ("second_plan", "verification")
            }
            works["listing"] = partial(cpu, worker, "listing", users)
            taken = {name: median(samples) for name, samples in interleaved(works, rounds).items()}
    worst = max(taken["second_plan"], taken["verification"])
    show(
        "second_plan",
        f"{worst / users / AIM:.2f} x the CPU that is aimed at, for {users:,} users: {worst:.1f} s",
        [f"{name:14} {seconds:6.1f} s, {seconds / users * 1e6:5.1f} us a user" for name, seconds in taken.items()],
        aim="25 s for 1,000,000 users",
    )


if __name__ == "__main__":
    main()
