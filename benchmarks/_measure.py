"""Helpers for benchmarks: cores, interleaved rounds, child processes, and the output of results."""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator, Mapping, Sequence

HERE = Path(__file__).parent

# Read before any process is pinned.
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []

Samples = dict[str, list[float]]
"""The cost of each variant, round by round."""


def quick(description: str) -> bool:
    """Whether the command line asks for the short form."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small and less exact, for CI")
    return bool(parser.parse_args().quick)


def pin(place: int, process: int = 0) -> None:
    """Keep a process (this one by default) on one core: 0 for the measured side, 1 for the other side.

    Where there is only one core, or no such call, do nothing.
    """
    if len(_CORES) > 1:
        os.sched_setaffinity(process, {_CORES[place % len(_CORES)]})


def interleaved(variants: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Run every variant once a round, A B C, B C A, …: disturbances of the machine affect all of them alike."""
    names = list(variants)
    for name in names:
        variants[name]()  # warm: imports, connections, caches
    samples: Samples = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            samples[name].append(variants[name]())
    return samples


def event_loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop] | None]:
    """The event loops to measure, by name: asyncio's, and uvloop's if it is installed (extra ``speed``)."""
    try:
        uvloop = import_module("uvloop")
    except ImportError:
        return {"asyncio": None}
    return {"asyncio": None, "uvloop": uvloop.new_event_loop}


def ratio(samples: Samples, of: str, to: str) -> float:
    """The median of the rounds' own ratios: the two of one round met the same machine."""
    return median(a / b for a, b in zip(samples[of], samples[to], strict=True))


@contextmanager
def server(script: str, *arguments: str) -> Generator[list[str], None, None]:
    """One of this folder's servers in a process of its own; yields the words of the line that it prints when it
    listens. It ends when its standard input does, so also when the benchmark is killed.
    """
    with subprocess.Popen(
        [sys.executable, HERE / script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        pin(1, process.pid)
        assert process.stdout is not None
        yield process.stdout.readline().split()


def show(name: str, headline: str, parts: Sequence[str], aim: str) -> None:
    """The one ratio, then what it is made of."""
    print(f"{name}: {headline}  (aim: {aim})")
    for part in parts:
        print(f"  {part}")
