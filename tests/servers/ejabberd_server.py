"""Debian's ejabberd on free loopback ports, started without its scripts, its user or systemd.

```python
async with ejabberd(tmp_path) as server:
    await server.call("register", user="app_ada", host=HOST, password="…")
    ws = server.websocket  # ws://127.0.0.1:PORT/ws
```
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from aiohttp import ClientError, ClientSession
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "localhost"
# tests/conftest.py takes ETHORA_* away from each test: this is what the process was started with
_REQUIRED = os.environ.get("ETHORA_REQUIRE_SERVICES") == "1"
_START_WAIT = 300.0
_CONFIG = """
hosts: ["{host}"]
loglevel: warning
auth_method: [mnesia]
auth_password_format: plain
disable_sasl_mechanisms: [digest-md5, X-OAUTH2, SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-512]
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers: {{/api: mod_http_api, /ws: ejabberd_http_ws}}
acl:
  loopback: {{ip: ["127.0.0.0/8"]}}
api_permissions:
  "tests": {{from: [mod_http_api], who: {{access: {{allow: {{acl: loopback}}}}}}, what: ["*"]}}
registration_timeout: infinity
modules:
  mod_admin_extra: {{}}
  mod_disco: {{}}
  mod_mam: {{default: always, assume_mam_usage: true}}
  mod_muc:
    host: "conference.@HOST@"
    access_create: all
    access_mam: [allow]
    history_size: 0
    default_room_options:
      mam: true
      persistent: true
      members_only: true
      moderated: false  # else who was taken out may come back: the stored role wins
      allow_change_subj: false
  mod_muc_admin: {{}}
  mod_ping: {{}}
  mod_private: {{}}
"""


def binary() -> str:
    """Erlang's path, with ejabberd there; without it the test is skipped, or fails where everything must be there."""
    found = shutil.which("erl")
    if found is not None and _libraries():
        return found
    if _REQUIRED:
        pytest.fail("ejabberd is required and missing: apt-get install ejabberd")
    pytest.skip("no ejabberd: apt-get install ejabberd")


def _libraries() -> str:
    """The folder with ejabberd's code."""
    return next((str(found.parent) for found in Path("/usr/lib").glob("*/ejabberd-*/ebin/..")), "")


@attrs.frozen
class Ejabberd:
    """A server that answers."""

    port: int
    http: ClientSession

    @property
    def websocket(self) -> str:
        """Where it speaks XMPP."""
        return f"ws://127.0.0.1:{self.port}/ws"

    async def call(self, command: str, **arguments: Any) -> Any:
        """One command of its administration."""
        async with self.http.post(f"http://127.0.0.1:{self.port}/api/{command}", json=arguments) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.json()


@asynccontextmanager
async def ejabberd(directory: Path) -> AsyncIterator[Ejabberd]:
    """A fresh server with its files in a folder; gone at the end."""
    erl = binary()
    port = free_port()
    config = directory / "ejabberd.yml"
    config.write_text(_CONFIG.format(host=HOST, port=port))
    process = _started(erl, directory, config)
    try:
        async with ClientSession() as http:
            await _answers(http, port, process, directory)
            yield Ejabberd(port, http)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _started(erl: str, directory: Path, config: Path) -> subprocess.Popen[bytes]:
    # PATH is all that it needs of ours.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "EJABBERD_CONFIG_PATH": str(config),
        "EJABBERD_LOG_PATH": str(directory / "ejabberd.log"),
        "ERL_CRASH_DUMP": str(directory / "crash.dump"),
        "ERL_LIBS": str(Path(_libraries()).parent.resolve().parent),
    }
    return subprocess.Popen(
        [erl, "+K", "true", "-noinput", "-mnesia", "dir", f'"{directory / "db"}"', "-s", "ejabberd"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


async def _answers(http: ClientSession, port: int, process: subprocess.Popen[bytes], directory: Path) -> None:
    async with asyncio.timeout(_START_WAIT):
        while True:
            log = directory / "ejabberd.log"
            assert process.poll() is None, log.read_text() if log.exists() else "ejabberd ended at once"
            try:
                async with http.post(f"http://127.0.0.1:{port}/api/status", json={}) as reply:
                    if reply.status == 200:
                        return
            except ClientError:
                pass
            await asyncio.sleep(0.05)
