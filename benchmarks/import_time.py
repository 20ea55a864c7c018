"""The cost of ``import ethora_async`` at the start of Python: CPU of whole child processes, interleaved."""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

from _measure import Samples, interleaved, pin, quick, ratio, show

if TYPE_CHECKING:
    from collections.abc import Callable

STATEMENTS = {
    "bare": "pass",
    "ethora_async": "import ethora_async",
    "client": "from ethora_async import EthoraClient, NewUser",
    "aiohttp": "import aiohttp",
}


def cpu_of(statement: str) -> Callable[[], float]:
    def run() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", statement], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    return run


def over_bare(samples: Samples) -> Samples:
    """The same without what Python itself takes."""
    bare = samples["bare"]
    return {name: [one - base for one, base in zip(taken, bare, strict=True)] for name, taken in samples.items()}


def main() -> None:
    rounds = 5 if quick(__doc__ or "") else 41
    pin(0)
    samples = interleaved({name: cpu_of(statement) for name, statement in STATEMENTS.items()}, rounds)
    added = over_bare(samples)
    parts = [f"{'bare python':44} {median(samples['bare']) * 1000:5.0f} ms"] + [
        f"{STATEMENTS[name]:44} {median(added[name]) * 1000:+5.0f} ms" for name in STATEMENTS if name != "bare"
    ]
    milliseconds = median(added["ethora_async"]) * 1000
    show(
        "import_time",
        f"{ratio(samples, 'ethora_async', 'bare'):.2f} x bare python ({milliseconds:+.0f} ms), "
        f"{median(added['ethora_async']) / median(added['aiohttp']):.2f} x importing aiohttp",
        parts,
        aim="at most +90 ms",
    )


if __name__ == "__main__":
    main()
