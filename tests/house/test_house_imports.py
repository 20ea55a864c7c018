"""Imports go downward only, and importing the package is fast."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from house_helpers import ROOT, circles, modules, upward_imports

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("aiohttp", "authlib", "boto3", "botocore", "duckdb", "httpx", "hvac", "joserfc", "requests", "rich", "typer")


def test_no_module_imports_upward() -> None:
    assert len(list(modules(ROOT))) > 80  # or the walk went wrong
    assert upward_imports(ROOT) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("ethora_async_secrets/leaf.py", "from ethora_async.errors import ChatError"),
        ("ethora_async_secrets/leaf.py", "import ethora_async"),
        ("ethora_async/records.py", "from ethora_async.engine.engine import Engine"),
        ("ethora_async/records.py", "from ethora_async import EthoraClient"),
        ("ethora_async/transport/wire.py", "import ethora_async.engine"),
        ("ethora_async/engine/loop.py", "def late():\n    from ethora_async.tokens.cache import TokenCache"),
        ("ethora_async/bulk/run.py", "from ethora_async.tokens import cache"),
        ("ethora_async/tokens/cache.py", "from ethora_async.bulk.run import Run"),
        ("ethora_async/platforms/one/client.py", "from ethora_async.platforms.two import client"),
        ("ethora_async/platforms/one/client.py", "from ethora_async.sync import plan"),
        ("ethora_async/sync/plan/plan.py", "from ethora_async.platforms.one import client"),
        ("ethora_async/sandbox/fake.py", "from ethora_async.platforms.one import client"),
        ("ethora_async/sandbox/fake.py", "from ethora_async.engine import engine"),
        ("ethora_async/sandbox/fake.py", "from ethora_async.tokens.cache import TokenCache"),
        ("ethora_async/sandbox/fake.py", "from ethora_async import transport"),
        ("ethora_async/sandbox/fake.py", "from ethora_async.sync import plan"),
        ("ethora_async/sandbox/fake.py", "if TYPE_CHECKING:\n    import ethora_async.cli"),
        ("ethora_async/testing/suite.py", "from ethora_async.cli.app import main"),
        ("ethora_async/testing/suite.py", "from ethora_async import web"),
    ],
)  # fmt: skip
def test_a_planted_upward_import_is_caught(module: str, line: str, tmp_path: Path) -> None:
    for name in ("transport", "engine", "tokens", "bulk", "sync", "sandbox", "web", "testing", "cli", "platforms/two"):
        (tmp_path / "ethora_async" / name).mkdir(parents=True)
        (tmp_path / "ethora_async" / name / "__init__.py").touch()
    (tmp_path / "ethora_async/platforms/two/client.py").touch()
    (tmp_path / "ethora_async/__init__.py").write_text("from ethora_async.cli import app\n")
    assert upward_imports(tmp_path) == []
    planted = tmp_path / module
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(f"{line}\n")
    (found,) = upward_imports(tmp_path)
    assert found.startswith(module.removesuffix(".py").replace("/", "."))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("ethora_async/sandbox/fake.py", "from ethora_async.errors import ChatError"),
        ("ethora_async/cli/app.py", "from ethora_async.platforms.one.client import Client"),
        ("ethora_async/platforms/one/client.py", "from ethora_async.platforms.one import rows"),
        ("ethora_async/platforms/one/client.py", "from ethora_async.bulk.run import Run"),
        ("ethora_async/config.py", "from ethora_async_secrets import SecretBundle"),
        ("ethora_async/tokens/cache.py", "import os\nfrom json import loads"),
    ],
)
def test_a_downward_import_is_fine(module: str, line: str, tmp_path: Path) -> None:
    planted = tmp_path / module
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(f"{line}\n")
    assert upward_imports(tmp_path) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(ROOT) == []


@pytest.mark.parametrize(
    "lines",
    [
        {"one": "from ethora_async.sandbox.two import Two", "two": "from ethora_async.sandbox import one"},
        {
            "one": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ethora_async.sandbox.two import Two",
            "two": "import ethora_async.sandbox.three",
            "three": "def late():\n    from ethora_async.sandbox.one import One",
        },
    ],
    ids=["plain", "type-only and late"],
)
def test_a_planted_circle_is_caught(lines: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "ethora_async/sandbox"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "beside.py").write_text("from ethora_async.sandbox.one import One\n")
    (folder / "below.py").touch()
    for name, text in lines.items():
        (folder / f"{name}.py").write_text(f"{text}\nfrom ethora_async.sandbox import below\n")
    assert circles(tmp_path) == [sorted(f"ethora_async.sandbox.{name}" for name in lines)]


def _loaded(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sorted(name.partition('.')[0] for name in sys.modules))"
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import ethora_async",
        "import ethora_async_secrets",
        "from ethora_async import NewUser, Chat, ChatError, Limits",
        "import ethora_async.sandbox, ethora_async.bulk, ethora_async.transport",
    ],
)
def test_the_front_door_loads_nothing_heavy(statement: str) -> None:
    assert _loaded(statement) & set(HEAVY) == set()


def test_the_secrets_stand_alone() -> None:
    assert "ethora_async" not in _loaded("import ethora_async_secrets")


def test_heavy_libraries_would_be_noticed() -> None:
    assert "aiohttp" in _loaded("from ethora_async import EthoraClient; import ethora_async.transport.aiohttp")
