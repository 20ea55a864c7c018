"""The benchmarks still run and print their measurements; no test judges the numbers."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
NAMES = [
    "request_overhead",
    "import_time",
    "token_cache",
    "token_signing",
    "bulk_vs_node",
    "bulk_memory",
    "second_plan",
    "rotation",
    "sandbox_chat",
    "outbox",
    "telemetry",
    "workers",
    "guard",
]
FIGURES = {
    "import_time": r"\d+ ms for the client",
    "rotation": r"\d+ of [\d,]+ calls failed",
    "sandbox_chat": r"[\d,]+ messages a minute at most",
    "guard": r"(nothing is slower|slower) than HEAD~1",
    "workers": r"[\d,]+ items a second at most, [\d,]+ by one process",
    "outbox": r"\d+\.\d+ s and \d+ requests for 5,000 waiting users",
}
NEED_NODE = ["token_signing", "bulk_vs_node"]


def quickly(name: str, **environment: str) -> list[str]:
    """The lines that a benchmark's short form prints."""
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", "--quick"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_benchmark_prints_its_result(name: str) -> None:
    first, *parts = quickly(name)
    figure = FIGURES.get(name, r"\d+(\.\d+)? x ")
    assert re.match(f"{name}: ({figure}|not measured)", first)
    if "not measured" not in first:
        assert len(parts) >= 2
    assert all(part.startswith("  ") for part in parts)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEED_NODE)
def test_without_node_a_benchmark_says_so_and_measures_the_rest(name: str, tmp_path: Path) -> None:
    first, *parts = quickly(name, PATH=str(tmp_path))
    assert "not measured: node and npm are not installed" in first
    assert not any("Node SDK" in part for part in parts)
    assert bool(parts) == (name == "bulk_vs_node")


def test_every_benchmark_is_tested_and_run_with_the_others() -> None:
    scripts = {path.stem for path in FOLDER.glob("[!_]*.py")}
    assert scripts == set(NAMES)
    assert list(runpy.run_path(str(FOLDER / "__main__.py"))["NAMES"]) == NAMES


def test_every_benchmark_is_explained() -> None:
    explained = (FOLDER / "README.md").read_text("utf-8")
    assert [name for name in NAMES if f"| `{name}` |" not in explained or f"**{name}.**" not in explained] == []
