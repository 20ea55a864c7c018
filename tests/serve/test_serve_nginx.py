"""`ethora serve` behind a real nginx, set up as `examples/nginx.conf` shows."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientConnectionError, ClientSession, web
from ports import free_port
from serve_helpers import PROXY_SECRET, SHARED, serving, token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EXAMPLE = Path(__file__).parents[2] / "examples" / "nginx.conf"
AROUND = """
daemon off;
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""
_REQUIRED = os.environ.get("ETHORA_REQUIRE_SERVICES") == "1"


def binary() -> str:
    """nginx's path; without it the test is skipped, or fails when ETHORA_REQUIRE_SERVICES is 1."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if found is not None:
        return found
    # tests/conftest.py takes ETHORA_* away from each test: this is what the process was started with
    if _REQUIRED:
        pytest.fail("nginx is required and missing: apt-get install nginx-light")
    pytest.skip("no nginx: apt-get install nginx-light")


@asynccontextmanager
async def application() -> AsyncIterator[int]:
    """A site that knows who is logged in by a cookie; gives its port."""

    async def whoami(request: web.Request) -> web.Response:
        user = request.cookies.get("session")
        return web.Response(headers={"X-User": user}) if user else web.Response(status=401)

    app = web.Application()
    app.router.add_route("*", "/whoami", whoami)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def nginx(folder: Path, port: int, changes: dict[str, str]) -> AsyncIterator[str]:
    """nginx with the example's server; gives its URL."""
    server = EXAMPLE.read_text("utf-8")
    for old, new in changes.items():
        assert old in server
        server = server.replace(old, new)
    conf = folder / "nginx.conf"
    conf.write_text(AROUND.format(folder=folder, server=server))
    process = _started(conf)
    try:
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(120), ClientSession(url) as session:
            while True:
                assert process.poll() is None, (folder / "error.log").read_text()
                try:
                    async with session.get("/"):
                        break
                except ClientConnectionError:
                    await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def _started(conf: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([binary(), "-c", str(conf)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def test_nginx_lets_in_whom_the_application_knows_and_nobody_who_says_so(
    env: dict[str, str], tmp_path: Path
) -> None:
    binary()
    port = free_port()
    (tmp_path / "proof.conf").write_text(f'proxy_set_header X-Proof "{PROXY_SECRET}";\n')
    async with application() as app_port:
        changes = {
            "127.0.0.1:8080": f"127.0.0.1:{port}",
            "127.0.0.1:8000": f"127.0.0.1:{app_port}",
            "/etc/nginx/chat_proof.conf": f"{tmp_path}/proof.conf",
            "/run/ethora/chat.sock": f"{tmp_path}/s",
        }
        with serving("--unix", str(tmp_path / "s"), *SHARED, env=env):
            async with nginx(tmp_path, port, changes) as url:
                async with ClientSession(url, headers={"Cookie": "session=ann"}) as ann:
                    own = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
                    for headers in ({}, own, {"Origin": url}, {"X-User": "bob", "X-Proof": "a guess"}):
                        status, data = await token(ann, headers)
                        assert (status, data.get("user_id")) == (200, "ann")
                    assert (await token(ann, {"Origin": "https://evil.example"}))[0] == 403
                async with ClientSession(url) as nobody:
                    forged = {"X-User": "ann", "X-Proof": PROXY_SECRET, "Content-Type": "application/json"}
                    async with nobody.post("/chat/token", headers=forged) as reply:
                        assert reply.status == 401
                    async with nobody.get("/whoami") as reply:
                        assert reply.status == 404
