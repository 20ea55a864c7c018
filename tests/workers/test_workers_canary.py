"""No secret, token or password shows in chunks, the ledger, jobs, logs, errors, frames or what the commands print."""

from __future__ import annotations

import asyncio
import traceback
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from typer.testing import CliRunner
from workers_helpers import CREATE, chunks, client_of, people, pushed, users

from ethora_async.cli.app import app
from ethora_async.errors import UnauthorizedError
from ethora_async.testing.implementers import Canary
from ethora_async.workers import ChunkFinished, Database, Ledger, Worker, WorkersDatabaseError, follow

if TYPE_CHECKING:
    from pathlib import Path

    from postgres_server import Postgres

    from ethora_async.sandbox import EthoraSandbox

PASSWORD = "canary-user-password-8d2f"


def frames(error: BaseException) -> str:
    """Return the traceback with every local variable but those of the test's frame, as error reporters show it."""
    assert error.__traceback__ is not None
    inside = error.__traceback__.tb_next
    return "".join(traceback.TracebackException(type(error), error, inside, capture_locals=True).format())


def rows(postgres: Postgres) -> list[Any]:
    """Everything that the database holds of runs, chunks unpacked, and of jobs."""
    found: list[Any] = [zlib.decompress(items) for (items,) in postgres.run("SELECT items FROM ethora_chunk")]
    for table in ("ethora_run", "ethora_failure", "ethora_rate", "procrastinate_jobs", "procrastinate_events"):
        found += postgres.run(f"SELECT to_jsonb(t)::text FROM {table} AS t")
    return found


async def test_a_run_leaves_no_secret_anywhere(
    ledger: Ledger, url: str, sandbox: EthoraSandbox, postgres: Postgres, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    parts = urlsplit(url)
    public = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    database_password = unquote(parts.password or "")
    for name, value in {**sandbox.environment, "PGPASSWORD": database_password}.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "users.csv"
    lines = ["id,email,first_name,last_name,password", "u1,u1@example.com,Given,Family,", ""]
    path.write_text("\n".join([*lines[:2], f"u2,u2@example.com,Given,Family,{PASSWORD}", ""]))
    args = ["-v", "apply", "--users", str(path), "--workers", public, "--yes", "--rate", "500",
            "--journal", str(tmp_path / "journal")]  # fmt: skip
    with Canary(sandbox.secret, PASSWORD, database_password) as canary:
        done = await asyncio.to_thread(CliRunner().invoke, app, args)
        shown = await asyncio.to_thread(CliRunner().invoke, app, ["runs", public, "--json"])
    assert done.exit_code == 0, done.stderr
    assert await people(sandbox) == {"u1", "u2"}
    canary.check(done.stdout, done.stderr, shown.stdout, *rows(postgres))


async def test_what_a_worker_tells_holds_no_secret(ledger: Ledger, url: str, sandbox: EthoraSandbox) -> None:
    events: list[object] = []
    password = unquote(urlsplit(url).password or "")
    with Canary(sandbox.secret, password) as canary:
        async with client_of(sandbox.environment, on_event=events.append) as client:
            run = await pushed(ledger, client, (CREATE, chunks(users(3))))
            worker = Worker(client, url, on_event=events.append)
            working = asyncio.create_task(worker.run())
            await follow(ledger, run)
            worker.stop()
            await working
    assert any(isinstance(event, ChunkFinished) for event in events)
    canary.check(worker, ledger, *events)


async def test_errors_hold_no_secret(url: str, ledger: Ledger, sandbox: EthoraSandbox, unused_tcp_port: int) -> None:
    wrong = {**sandbox.environment, "ETHORA_CHAT_APP_SECRET": "canary-wrong-secret-of-the-app-1234567890"}
    away = f"postgresql://me:canary-database-password@127.0.0.1:{unused_tcp_port}/db"
    with Canary("canary-wrong-secret-of-the-app-1234567890", "canary-database-password") as canary:
        with pytest.raises(WorkersDatabaseError) as caught:
            await Ledger(Database(away)).runs()
        canary.check(caught.value, frames(caught.value))
        async with client_of(sandbox.environment) as client:
            run = await pushed(ledger, client, (CREATE, chunks(users(1))))
        async with client_of(wrong) as client:
            with pytest.raises(UnauthorizedError) as refused:
                await Worker(client, url).run()
        canary.check(refused.value, frames(refused.value), await ledger.status(run))
