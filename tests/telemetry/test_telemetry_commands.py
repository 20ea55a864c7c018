"""`--metrics` and `--log-format` on the command line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from typing import TYPE_CHECKING
from urllib.request import urlopen

from command_processes import Command
from telemetry_helpers import user

from ethora_async import outbox

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.outbox.lanes import Store
    from ethora_async.sandbox import EthoraSandbox


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
    import sqlite3

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
        assert "ethora_secret_read_timestamp_seconds 1" in await asyncio.to_thread(scraped, url)
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
