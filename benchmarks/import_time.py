"""The cost of starting: importing the client, and ``ethora --help``. CPU of whole child processes, interleaved."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from statistics import median
from typing import TYPE_CHECKING

from _measure import Samples, interleaved, pin, quick, ratio, show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLIENT = "from ethora_async import EthoraClient"
HELP = "ethora --help"
COMMANDS = {
    "bare python": ["-c", "pass"],
    "import ethora_async": ["-c", "import ethora_async"],
    CLIENT: ["-c", CLIENT],
    "import aiohttp": ["-c", "import aiohttp"],
    HELP: ["-m", "ethora_async", "--help"],
}


def compiled_in(folder: str) -> dict[str, str]:
    """The environment of a child that keeps its compiled modules in `folder`, as an installed package has them."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**environment, "PYTHONPYCACHEPREFIX": folder}


def cpu_of(arguments: list[str], environment: Mapping[str, str]) -> Callable[[], float]:
    def run() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    return run


def measure(rounds: int) -> Samples:
    """CPU seconds of each command; the round that warms up compiles the modules."""
    with tempfile.TemporaryDirectory() as folder:
        environment = compiled_in(folder)
        return interleaved({name: cpu_of(arguments, environment) for name, arguments in COMMANDS.items()}, rounds)


def main() -> None:
    rounds = 5 if quick(__doc__ or "") else 41
    pin(0)
    samples = measure(rounds)
    show(
        "import_time",
        f"{median(samples[CLIENT]) * 1000:.0f} ms for the client, Python's own start included "
        f"({ratio(samples, CLIENT, 'import aiohttp'):.2f} x importing aiohttp); "
        f"{median(samples[HELP]) * 1000:.0f} ms for {HELP}",
        [f"{name:44} {median(taken) * 1000:5.0f} ms" for name, taken in samples.items()],
        aim="at most 100 ms for the client",
    )


if __name__ == "__main__":
    main()
