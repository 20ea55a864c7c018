"""`ethora serve` in a process of its own, and a reverse proxy that authenticates before it."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import asynccontextmanager, contextmanager
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

import attrs
from aiohttp import ClientSession, TCPConnector, UnixConnector, web
from command_processes import PATIENCE, Command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

PROXY_SECRET = "canary-of-the-proxy-0123456789abcdef"
SHARED = ("--identity-header", "X-User", "--proof-header", "X-Proof")
PROOF = {"X-Proof": PROXY_SECRET}
JSON = {"Content-Type": "application/json"}


@attrs.define
class Served:
    """A running `ethora serve`."""

    popen: Command
    where: str
    lines: list[str] = attrs.field(factory=list)
    _reader: threading.Thread | None = None

    @property
    def log(self) -> str:
        """What it has written to stderr so far; all of it after `finish`."""
        return "\n".join(self.lines)

    def session(self) -> ClientSession:
        """Talks to it as a proxy does."""
        if self.where.startswith("unix:"):
            return ClientSession("http://www.example.com", connector=UnixConnector(self.where[5:]))
        return ClientSession(self.where, connector=TCPConnector())

    def tell(self, number: int = signal.SIGTERM) -> None:
        self.popen.send_signal(number)

    def finish(self) -> int:
        """Wait for its end; gives the exit code."""
        code = self.popen.wait()
        if self._reader is not None:
            self._reader.join()
        return code


def environment(env: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "COLUMNS": "200", **env}


@contextmanager
def serving(*args: str, env: Mapping[str, str], cwd: Path | None = None) -> Iterator[Served]:
    """Start it, wait until it listens, and see to its end."""
    process = Command("serve", *args, env=environment(env), cwd=cwd, stdout=DEVNULL, text=True)
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    served = Served(process, "")
    assert process.stderr is not None
    try:
        for line in process.stderr:
            served.lines.append(line.rstrip("\n"))
            if line.startswith("listening on "):
                served.where = line.removeprefix("listening on ").partition(";")[0]
                break
        assert served.where, served.log
        served._reader = threading.Thread(target=_drain, args=(process, served.lines))
        served._reader.start()
        yield served
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        if served._reader is not None:
            served._reader.join()
        process.close()


def _drain(process: Command, lines: list[str]) -> None:
    assert process.stderr is not None
    lines.extend(line.rstrip("\n") for line in process.stderr)


def refused(*args: str, env: Mapping[str, str], cwd: Path | None = None) -> tuple[int, str]:
    """Start it where it is not to start; gives exit code and stderr."""
    with Command("serve", *args, env=environment(env), cwd=cwd, text=True) as process:
        _, stderr = process.communicate()
    assert "Traceback" not in stderr
    assert process.returncode is not None
    return process.returncode, stderr


async def token(session: ClientSession, headers: Any, body: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Ask for a token; `headers` is a mapping or pairs. Gives the status and the decoded body."""
    pairs = [*(headers.items() if hasattr(headers, "items") else headers), *JSON.items()]
    async with session.post("/chat/token", headers=pairs, data=json.dumps(body or {})) as reply:
        return reply.status, await reply.json()


@asynccontextmanager
async def proxy(served: Served, users: Mapping[str, str]) -> AsyncIterator[str]:
    """A reverse proxy whose visitors log in with a cookie; it sends who they are, and its proof, in place of theirs."""

    async def handle(request: web.Request) -> web.Response:
        own = {"x-user", "x-proof", "connection", "content-length", "transfer-encoding"}
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in own]
        headers += PROOF.items()
        user = users.get(request.cookies.get("session", ""))
        if user is not None:
            headers.append(("X-User", user))
        async with upstream.request(request.method, request.rel_url, headers=headers, data=await request.read()) as got:
            kept = {name: got.headers[name] for name in ("Content-Type", "Cache-Control") if name in got.headers}
            return web.Response(status=got.status, body=await got.read(), headers=kept)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    async with served.session() as upstream:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
