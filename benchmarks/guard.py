"""Find work that became slower: compare this checkout with the commit before it, alternating in one run.

``python benchmarks/guard.py [--quick] [--against REVISION]`` prints the CPU time of each work as a ratio, and lists
those that became more than a tenth slower. It always exits with 0: a ratio on a busy machine is a reason to look, not a
failed test.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _measure import HERE, Samples, interleaved, pin, ratio, server, show
from _workers import Worker, python_worker
from bulk_memory import write_users

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

SLOWER = 1.1
"""The ratio above which a work is named."""

NOW, BEFORE = "now", "before"


@contextmanager
def checked_out(revision: str, folder: Path) -> Generator[Path, None, None]:
    """Yield a work tree of another revision, and remove it."""
    git = ["git", "-C", str(HERE.parent), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), revision], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def works_of(size: int, file: str) -> Mapping[str, tuple[str, int, Mapping[str, Any]]]:
    """Return by name the work of a client process, how many users it is for, and its options."""
    few, in_flight = size // 10, 64
    return {
        "a call each, 64 in flight": ("single", few, {"count": few, "in_flight": in_flight}),
        "a call and a job each, 64 in flight": ("awaited", few, {"count": few, "in_flight": in_flight}),
        "batches of 100": ("batches", size, {"count": size, "in_flight": 8}),
        "plan and apply from CSV": ("plan_and_apply", size, {"file": file}),
        "tokens freshly signed": ("sign", few, {"count": few}),
    }


def cpu(worker: Worker, work: str, users: int, options: Mapping[str, Any]) -> float:
    """CPU seconds for each user."""
    return worker.ask(work, **options)["cpu"] / users


def measure(trees: Mapping[str, Path], rounds: int, size: int, file: str) -> dict[str, Samples]:
    """CPU seconds for each user, by work and then by tree."""
    with ExitStack() as stack:
        (port,) = stack.enter_context(server("_bulk_server.py"))
        workers = {name: stack.enter_context(python_worker(port, tree)) for name, tree in trees.items()}
        return {
            name: interleaved(
                {side: partial(cpu, worker, work, users, options) for side, worker in workers.items()}, rounds
            )
            for name, (work, users, options) in works_of(size, file).items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and less exact, for CI")
    parser.add_argument("--against", default="HEAD~1", metavar="REVISION", help="what to compare with")
    asked = parser.parse_args()
    rounds, size = (2, 1_000) if asked.quick else (15, 10_000)
    pin(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "users.csv")
        write_users(file, size)
        try:
            with checked_out(asked.against, Path(folder, "before")) as before:
                measured = measure({NOW: HERE.parent, BEFORE: before}, rounds, size, str(file))
        except (OSError, subprocess.CalledProcessError):
            reason = f"git cannot check out {asked.against}: name another revision with --against"
            show("guard", f"not measured: {reason}", [], aim=f"at most {SLOWER} x each")
            return
    ratios = {name: ratio(samples, NOW, BEFORE) for name, samples in measured.items()}
    slower = [name for name, times in ratios.items() if times > SLOWER]
    show(
        "guard",
        f"slower than {asked.against}: {', '.join(slower)}" if slower else f"nothing is slower than {asked.against}",
        [f"{name:38} {times:5.2f} x" for name, times in ratios.items()],
        aim=f"at most {SLOWER} x each",
    )


if __name__ == "__main__":
    main()
