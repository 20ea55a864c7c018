"""Long-lived clients in processes of their own, so that none pays for its start, and the vendor's SDK for Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from _bulk_server import APP
from _measure import HERE

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

SECRET = "only-for-this-benchmark-0123456789"
NODE_SDK = "@ethora/sdk-backend@26.8.1"
_CACHE = Path.home() / ".cache" / "ethora-async-benchmarks" / "node"


class NodeMissingError(Exception):
    """The vendor's SDK cannot be run here; the text says why."""


def node_sdk() -> Path:
    """The directory that holds the vendor's SDK, installed by npm the first time.

    Raises:
        NodeMissingError: Node or npm is not installed, or npm could not install it.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        msg = "node and npm are not installed"
        raise NodeMissingError(msg)
    done = _CACHE / "installed"
    if not (done.exists() and done.read_text() == NODE_SDK):
        _CACHE.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = ["npm", "install", "--prefix", str(_CACHE), "--no-audit", "--no-fund", "--ignore-scripts", NODE_SDK]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            msg = f"npm could not install {NODE_SDK}: {run.stderr.strip()[-300:]}"
            raise NodeMissingError(msg)
        done.write_text(NODE_SDK)
    return _CACHE


class Worker:
    """A process that does what it is asked, a line of JSON each, and answers with what that took."""

    def __init__(self, requests: IO[str], replies: IO[str]) -> None:
        self._requests = requests
        self._replies = replies

    def ask(self, work: str, **options: Any) -> dict[str, float]:
        """Do one piece of work: ``cpu`` (user and system, all threads) and ``wall`` in seconds, ``count`` of users."""
        self._requests.write(json.dumps({"work": work, **options}) + "\n")
        self._requests.flush()
        line = self._replies.readline()
        try:
            reply: dict[str, float] = json.loads(line)
        except ValueError:
            sys.exit(f"{work} went wrong: {line}{self._replies.read()}")
        return reply


@contextmanager
def node_worker(port: str, tokens: str) -> Generator[Worker, None, None]:
    """The vendor's SDK with its tokens as ``shipped``, or ``cached``."""
    with _started(node_command(tokens), port) as worker:
        yield worker


@contextmanager
def python_worker(port: str, tree: Path = HERE.parent, *, loop: str = "asyncio") -> Generator[Worker, None, None]:
    """This package, and bare aiohttp beside it. `tree` is the checkout that the package is imported from."""
    path = os.pathsep.join([str(tree), *filter(None, [os.environ.get("PYTHONPATH")])])
    with _started(python_command(), port, PYTHONPATH=path, BENCHMARK_LOOP=loop) as worker:
        yield worker


def node_command(tokens: str) -> list[str | Path]:
    return ["node", "--expose-gc", HERE / "_node_sdk.cjs", node_sdk(), tokens]


def python_command() -> list[str | Path]:
    return [sys.executable, HERE / "_bulk_client.py"]


def environment(port: str) -> dict[str, str]:
    """What both read their settings from. Node's is production: its SDK logs each call otherwise."""
    settings = {"API_URL": f"http://127.0.0.1:{port}", "APP_ID": APP, "APP_SECRET": SECRET}
    return {**os.environ, "NODE_ENV": "production", **{f"ETHORA_CHAT_{key}": value for key, value in settings.items()}}


@contextmanager
def _started(command: Sequence[str | Path], port: str, **settings: str) -> Generator[Worker, None, None]:
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(port), **settings},
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        yield Worker(process.stdin, process.stderr)
        process.stdin.close()
