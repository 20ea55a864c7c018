"""What a storm kills: a PostgreSQL cluster of its own, and processes that are started again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
from ports import free_port
from postgres_server import PASSWORD, USER, _as_nobody_special, _binaries

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE = 60.0


class Cluster:
    """A PostgreSQL that can be killed and started again; without `fsync` it is fast, and a power cut would hurt it."""

    def __init__(self, *, fsync: bool = False) -> None:
        self._fsync = "on" if fsync else "off"
        self._binaries = _binaries()
        self._folder = tempfile.TemporaryDirectory(prefix="ethora-storm-")
        self._place = Path(self._folder.name)
        self._who = _as_nobody_special(self._place)
        self.port = free_port()
        secret = self._place / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        subprocess.run(
            [self._binaries / "initdb", "-D", self._place / "data", "-U", USER, "-A", "scram-sha-256", "--pwfile",
             secret, "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd=self._place, timeout=120, **self._who,
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The postmaster's."""
        assert self._process is not None
        return self._process.pid

    def url(self, driver: str = "") -> str:
        return f"postgresql{driver}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._place / "data", "-p", str(self.port), "-k", self._place, "-h",
             "127.0.0.1", "-c", f"fsync={self._fsync}", "-c", "max_connections=60"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._place, start_new_session=True, **self._who,
        )  # fmt: skip

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url()) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    def run(self, sql: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql)  # type: ignore[call-overload]

    def wait(self) -> None:
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert time.monotonic() < ends, "PostgreSQL does not start"
                if self._process is not None and self._process.poll() is not None:
                    self.start()  # it ended at once: processes of the one that was killed still held its memory
                time.sleep(0.05)
            else:
                return

    def kill(self, how: signal.Signals) -> None:
        """SIGKILL, or SIGQUIT (immediate), or SIGINT (fast)."""
        if self._process is None:
            return
        if how == signal.SIGKILL:
            os.killpg(self._process.pid, how)
        else:
            self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE / 4)
        except subprocess.TimeoutExpired:  # a shutdown that waits for its clients is cut short
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.kill(signal.SIGKILL)
        self._folder.cleanup()


class File:
    """A database in a file, which nobody kills."""

    def __init__(self, place: Path) -> None:
        self._path = place / "shop.db"

    def url(self, driver: str = "") -> str:
        return f"sqlite{driver}:///{self._path}"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._path, timeout=10)) as connection:
            return connection.execute(query).fetchall()

    def run(self, sql: str) -> None:
        with closing(sqlite3.connect(self._path, timeout=10)) as connection:
            connection.executescript(sql)

    def wait(self) -> None:
        """It is there."""


class Process:
    """A process of the application or a worker, which a storm kills and starts again."""

    def __init__(self, *command: str, env: Mapping[str, str], log: Path) -> None:
        self._command = command
        self._env = {**{name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}, **env}
        self._log = log
        self._process: subprocess.Popen[Any] | None = None
        self._said = 0
        self.ended_by_itself = 0

    def start(self) -> None:
        if self._process is not None and self._process.poll() is not None and self._process.returncode != -9:
            self.ended_by_itself += 1
        with self._log.open("ab") as log:
            self._said = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, *self._command], env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def run(self) -> None:
        """Run it to its end."""
        with self._log.open("ab") as log:
            subprocess.run([sys.executable, *self._command], env=self._env, stdout=log, stderr=log, check=True)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def speaks(self) -> bool:
        """Whether it has written a line since it was started, and so does its work."""
        return self._log.exists() and self._log.stat().st_size > self._said

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int | None:
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
