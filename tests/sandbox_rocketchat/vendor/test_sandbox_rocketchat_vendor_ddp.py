"""The vendor's own realtime client from npm, unmodified, against the sandbox."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from rocket_vendor import HERE, vendor_packages

from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from asyncio.subprocess import Process

BUILDS = [False, True]


async def _steps(process: Process, sandbox: RocketChatSandbox) -> list[tuple[str, Any]]:
    """Return what the script prints; its connection is cut when it asks for that."""
    assert process.stdout is not None
    assert process.stdin is not None
    told = []
    async for line in process.stdout:
        step = json.loads(line)
        told.append((step["step"], step.get("value")))
        if step["step"] == "cut":
            sandbox.realtime.drop()
            process.stdin.write(b"go\n")
    return told


@pytest.mark.parametrize("microservices", BUILDS, ids=["monolith", "microservices"])
async def test_the_official_client_connects_listens_calls_and_comes_back(microservices: bool) -> None:
    packages = await vendor_packages()
    async with RocketChatSandbox(microservices=microservices, rate_limit=None) as sandbox:
        ada = sandbox.add_user("ada", password="pw")
        token = await _log_in(sandbox)
        environment = {
            **os.environ,
            **sandbox.environment,
            "USER_ID": ada.id,
            "USER_TOKEN": token,
            "PASSWORDS": "" if microservices else "yes",
        }
        script = str(HERE / "official_client.cjs")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "node", script, str(packages), stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        try:
            async with asyncio.timeout(60):
                told = await _steps(process, sandbox)
                assert process.stderr is not None
                assert await process.wait() == 0, (await process.stderr.read()).decode()[-2000:]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        _check(told, sandbox, ada.id, token, microservices=microservices)


def _check(
    told: list[tuple[str, Any]], sandbox: RocketChatSandbox, ada: str, token: str, *, microservices: bool
) -> None:
    values = dict(told)
    heard = [value[0]["msg"] for step, value in told if step == "heard"]
    assert values["connected"] == "connected"
    assert values["anonymous"]["error"]["error"] == "not-allowed"
    assert (values["login"]["id"], values["login"]["token"], values["login"]["type"]) == (ada, token, "resume")
    assert values["account"] == {"uid": ada, "username": "ada"}
    assert values["sent"]["_id"] == "abcdefghijklmnopq"
    assert heard == ["by method", "by rest", "after the cut"]
    action, subscription = values["changed"]
    assert (action, subscription["rid"]) == ("updated", "GENERAL")
    assert values["me"]["username"] == "ada"
    assert values["posted"]["message"]["msg"] == "by rest"
    assert values["rooms"] == 1
    assert values["unknown"]["error"]["error"] == 404
    assert values["logged out"] == {"user": None}
    assert sandbox.store.token_owner(token) is None
    if not microservices:
        assert values["by password"]["uid"] == sandbox.admin.id
        assert values["by password"]["expires"].endswith("Z")


async def _log_in(sandbox: RocketChatSandbox) -> str:
    import aiohttp

    body = {"user": "ada", "password": "pw"}
    async with aiohttp.ClientSession(sandbox.url) as session, session.post("/api/v1/login", json=body) as response:
        return (await response.json())["data"]["authToken"]
