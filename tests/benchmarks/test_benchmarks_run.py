"""The benchmarks still run and still print their ratio; what it is, no test judges."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["request_overhead", "import_time", "token_cache", "bulk_memory"])
def test_benchmark_prints_its_ratio(name: str) -> None:
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", "--quick"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    first, *parts = done.stdout.splitlines()
    assert re.match(rf"{name}: \d+(\.\d+)? x ", first)
    assert len(parts) >= 2
    assert all(part.startswith("  ") for part in parts)


def test_every_benchmark_is_tested() -> None:
    scripts = {path.stem for path in FOLDER.glob("[!_]*.py")}
    marked = test_benchmark_prints_its_ratio.pytestmark  # type: ignore[attr-defined]
    assert scripts == {name for mark in marked if mark.name == "parametrize" for name in mark.args[1]}
