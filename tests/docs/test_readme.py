"""The README is true: every snippet of its tour runs, in order, against one sandbox."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
INSTALL, TEST, *TOUR = BLOCKS


def test_it_starts_with_two_commands_of_one_line() -> None:
    for language, text in (INSTALL, TEST):
        assert language == "sh"
        assert len(text.splitlines()) == 1
    assert INSTALL[1].rstrip().endswith("ethora demo")
    assert "&& .venv/bin/pytest " in TEST[1]


def test_it_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150


@pytest.fixture
def sandbox(tmp_path: Path) -> dict[str, str]:
    """What `ethora sandbox` tells to paste, from one that runs beside the test."""
    (server,) = [text for language, text in TOUR if text.strip() == "ethora sandbox"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ethora_async", *shlex.split(server)[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        exports = [process.stdout.readline() for _ in range(5)]
        yield dict(shlex.split(line)[1].split("=", 1) for line in exports)
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.slow
async def test_the_tour_can_be_followed(
    sandbox: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sandbox.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for language, text in TOUR:
        if language == "python":
            await _run_python(text, scope)
        elif text.strip() != "ethora sandbox":
            _run_shell(text, tmp_path)
    await scope["ethora"].aclose()  # type: ignore[attr-defined]


async def _run_python(text: str, scope: dict[str, object]) -> None:
    code = compile(text, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, scope)
    if inspect.isawaitable(result):
        await result


def _run_shell(text: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(
        ["bash", "-euc", text],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
