"""A real PostgreSQL of a test run's own: Debian's binaries, in a temporary folder, on a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import psycopg
import pytest
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PASSWORD = "canary-Db@pass/word:1"
USER = "reader"
NOT_DURABLE = [
    word for setting in ("fsync", "synchronous_commit", "full_page_writes") for word in ("-c", f"{setting}=off")
]
"""Nobody needs what it holds after the tests."""
# tests/conftest.py takes ETHORA_* away from each test: this is what the process was started with
_REQUIRED = os.environ.get("ETHORA_REQUIRE_SERVICES") == "1"


@attrs.frozen
class Postgres:
    """A database of a server, and the port. `USER` logs in with `PASSWORD`, and may create tables."""

    port: int
    name: str = "postgres"

    def url(self, driver: str = "postgresql+psycopg", *, password: str | None = None) -> str:
        """The SQLAlchemy URL; without a password unless one is given, as it stands in a URL."""
        login = USER if password is None else f"{USER}:{password}"
        return f"{driver}://{login}@127.0.0.1:{self.port}/{self.name}"

    def create(self, name: str) -> Postgres:
        """Create another database of the same server."""
        self.run(f"CREATE DATABASE {name}")
        return attrs.evolve(self, name=name)

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Carry them out, and give the rows of the last."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=self.name, autocommit=True
        ) as connection:
            for statement in statements[:-1]:
                connection.execute(statement.encode())
            cursor = connection.execute(statements[-1].encode())
            return cursor.fetchall() if cursor.description else []


def emptied(connection: psycopg.Connection[Any], versions: Mapping[str, int], tables: Sequence[str]) -> bool:
    """Delete all rows of the tables, and say whether they were there, in the versions that tables of settings name.

    Creating them takes PostgreSQL several times as long.
    """
    try:
        for table, version in versions.items():
            query = f"SELECT value::text FROM {table} WHERE name = 'schema'"
            if [str(version)] != [str(row[0]).strip('"') for row in connection.execute(query.encode())]:
                return False
            connection.execute(f"DELETE FROM {table} WHERE name <> 'schema'".encode())
        for table in tables:
            connection.execute(f"DELETE FROM {table}".encode())
        connection.execute(b"SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S' AND relname LIKE 'ethora%'")
    except psycopg.Error:
        return False
    return True


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).parent
    if _REQUIRED:
        pytest.fail("PostgreSQL is not installed, and ETHORA_REQUIRE_SERVICES=1")
    pytest.skip("PostgreSQL is not installed")


def _as_nobody_special(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    owner = pwd.getpwnam("postgres")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start one, and stop it at the end. Skips when it is not installed; fails then with ETHORA_REQUIRE_SERVICES=1."""
    binaries = _binaries()
    with tempfile.TemporaryDirectory(prefix="ethora-postgres-") as name:
        folder = Path(name)
        who = _as_nobody_special(folder)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = folder / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8",
             "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd=folder, timeout=300, **who,
        )  # fmt: skip
        server = Postgres(free_port())
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-p", str(server.port), "-k", folder, "-h", "127.0.0.1",
             "-c", "max_connections=20", *NOT_DURABLE],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **who,
        )  # fmt: skip
        try:
            _wait(server, process)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _wait(server: Postgres, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
