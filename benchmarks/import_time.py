"""The cost of starting: importing the client, and ``ethora --help``. CPU of whole child processes, interleaved.

The children use a virtual environment of their own, in which this checkout is installed as from a wheel: an editable
installation adds a finder to every start of Python, which users of the package do not have.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sysconfig
import tempfile
import venv
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from _measure import HERE, Samples, interleaved, pin, quick, ratio, show

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = "from ethora_async import EthoraClient"
USERS = "from ethora_async.platforms.ethora.users.api import Users"
MADE = "the same, and a client is made"
HELP = "ethora --help"
COMMANDS = {
    "bare python": ["-c", "pass"],
    "import ethora_async": ["-c", "import ethora_async"],
    CLIENT: ["-c", CLIENT],
    "import asyncio, attrs": ["-c", "import asyncio, attrs"],
    USERS: ["-c", USERS],
    MADE: ["-c", f"{CLIENT}; EthoraClient(secret='a secret of some length', app_id='app', api_url='https://x')"],
    "import aiohttp": ["-c", "import aiohttp"],
    HELP: ["-m", "ethora_async", "--help"],
}


def installed_in(folder: Path) -> Path:
    """Install this checkout in a new virtual environment, and return its Python.

    Both packages are copied to its `site-packages`, where a wheel of pure Python puts them. The dependencies are those
    of the running Python: nothing is built or downloaded.
    """
    venv.create(folder / "venv")
    places = {"base": str(folder / "venv")}
    packages = Path(sysconfig.get_path("purelib", "venv", places))
    for name in ("ethora_async", "ethora_async_secrets"):
        shutil.copytree(HERE.parent / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    return Path(sysconfig.get_path("scripts", "venv", places), "python")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a child that keeps its compiled modules in `folder`, and imports no checkout."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def cpu_of(python: Path, arguments: list[str], folder: Path) -> Callable[[], float]:
    variables = environment(folder)

    def run() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([python, *arguments], env=variables, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    return run


def measure(rounds: int) -> Samples:
    """CPU seconds of each command; the round that warms up compiles the modules."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = installed_in(folder)
        return interleaved({name: cpu_of(python, arguments, folder) for name, arguments in COMMANDS.items()}, rounds)


def main() -> None:
    rounds = 5 if quick(__doc__ or "") else 41
    pin(0)
    samples = measure(rounds)
    show(
        "import_time",
        f"{median(samples[CLIENT]) * 1000:.0f} ms for the client, Python's own start included "
        f"({ratio(samples, CLIENT, 'import aiohttp'):.2f} x importing aiohttp); "
        f"{median(samples[HELP]) * 1000:.0f} ms for {HELP}",
        [f"{name:60} {median(taken) * 1000:5.0f} ms" for name, taken in samples.items()],
        aim="at most 100 ms for the client",
    )


if __name__ == "__main__":
    main()
