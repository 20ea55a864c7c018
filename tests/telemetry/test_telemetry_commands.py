"""`--metrics` and `--log-format` on the command line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from command_processes import Command
from telemetry_helpers import user

from ethora_async import outbox
from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.logs import RequestLog

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.outbox.lanes import Store


def started(*args: str, env: dict[str, str]) -> Command:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return Command(*args, env={**kept, **env, "COLUMNS": "200"}, text=True)


def address(process: Command) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"metrics on (http\S+)", line):
            return found[1]
    raise AssertionError


def scraped(url: str) -> str:
    with urlopen(url) as answer:
        text: str = answer.read().decode()
    return text


def until(url: str, text: str) -> str:
    while text not in (found := scraped(url)):
        time.sleep(0.05)
    return found


async def test_a_worker_serves_its_metrics_and_logs_json(sandbox: EthoraSandbox, store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "app.db") as connection:
        await outbox.want_user(connection, user("ann"))
    connection.close()
    env = {**sandbox.environment, "ETHORA_OUTBOX_DATABASE": f"sqlite:///{tmp_path / 'app.db'}"}
    process = started("--verbose", "--log-format", "json", "outbox", "work", "--metrics", "0", env=env)
    try:
        url = await asyncio.to_thread(address, process)
        done = 'ethora_outbox_intents_total{ethora_intent_kind="user",ethora_intent_state="done"} 1.0'
        text = await asyncio.to_thread(until, url, done)
        assert "http_client_request_duration_seconds_bucket" in text
    finally:
        process.send_signal(signal.SIGTERM)
        _, rest = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    events = [json.loads(line).get("event") for line in rest.splitlines() if line.startswith("{")]
    assert "IntentFinished" in events
    assert sandbox.environment["ETHORA_CHAT_APP_SECRET"] not in rest


async def test_the_web_endpoints_serve_metrics_beside_them(sandbox: EthoraSandbox) -> None:
    env = {**sandbox.environment, "ETHORA_PROXY_SECRET": "p" * 32}
    options = ("--identity-header", "X-User", "--proof-header", "X-Proof", "--port", "0", "--metrics", "127.0.0.1:0")
    process = started("serve", *options, "--drain", "0", env=env)
    try:
        url = await asyncio.to_thread(address, process)
        # The endpoint may listen before the secret store has answered.
        assert await asyncio.to_thread(until, url, "ethora_secret_read_timestamp_seconds 1")
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate)
    assert process.returncode == 0


async def test_an_address_that_cannot_be_used_ends_the_command(sandbox: EthoraSandbox) -> None:
    env = {**sandbox.environment, "ETHORA_OUTBOX_DATABASE": "sqlite:///x.db"}
    process = started("outbox", "work", "--metrics", "nowhere", env=env)
    _, told = await asyncio.to_thread(process.communicate)
    assert process.returncode == 2
    assert "HOST:PORT" in told


TRACED = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
out = open(sys.argv.pop(1), "a")
exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + chr(10))
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from ethora_async.cli import main
main()
"""


def traced(log: Path, *args: str, env: dict[str, str]) -> list[dict[str, Any]]:
    """Run a command as `opentelemetry-instrument` does, and return its spans."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    log.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", TRACED, str(log), *args],
        cwd=log.parent,
        env={**kept, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 4), done.stdout + done.stderr
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize(
    "some", [("apply", "outbox"), pytest.param(("plan", "apply", "verify", "outbox"), marks=pytest.mark.slow)]
)
async def test_commands_make_spans_where_an_sdk_runs(
    some: tuple[str, ...], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece of work is one trace, and the platform is told of it only where that is asked for."""
    headers: list[str | None] = []
    add = RequestLog.add

    def noted(self: RequestLog, *args: Any) -> None:
        headers.append(args[-1].get("traceparent"))
        add(self, *args)

    monkeypatch.setattr(RequestLog, "add", noted)
    source = _written(tmp_path)
    async with EthoraSandbox() as sandbox:
        env = {**sandbox.environment, "ETHORA_OUTBOX_DATABASE": f"sqlite:///{tmp_path / 'app.db'}"}
        for args, root, send in (
            (("plan", "--users", source), "plan", True),
            (("apply", "--users", source, "--yes"), "apply", False),
            (("verify", "--users", source), "verify", False),
            (("outbox", "work", "--once"), "process ethora_wish", True),
        ):
            if args[0] not in some:
                continue
            headers.clear()
            settings = {**env, **({"ETHORA_SEND_TRACEPARENT": "1"} if send else {})}
            found = await asyncio.to_thread(traced, tmp_path / "spans", *args, env=settings)
            (work,) = [span for span in found if span["name"] == root]
            inside = [span for span in found if span["context"]["trace_id"] == work["context"]["trace_id"]]
            assert {"GET", "POST"} & {span["name"].split()[0] for span in inside}, "the requests are in its trace"
            if root == "process ethora_wish":
                assert work["attributes"]["ethora.intents.done"] == 1
            assert headers
            ids = {span["context"]["trace_id"].removeprefix("0x") for span in found}
            assert {header.split("-")[1] if header else None for header in headers} <= (ids if send else {None})


def _written(folder: Path) -> str:
    (folder / "users.csv").write_text("id,email,first_name,last_name\nann,ann@example.com,Ann,Lee\n")
    with sqlite3.connect(folder / "app.db") as connection:
        _ = outbox.want_user(connection, user("bob"))
    connection.close()
    return str(folder / "users.csv")
