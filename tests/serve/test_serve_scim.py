"""`ethora serve --scim`: an identity provider writes users, they come to the chat, and lose it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from serve_helpers import PROOF, SHARED, refused, serving, token

from ethora_async import EthoraClient

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.sandbox import EthoraSandbox

SCIM_TOKEN = "canary-of-the-scim-token-0123456789"
BEARER = {"Authorization": f"Bearer {SCIM_TOKEN}"}
ANN = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "ann@example.com",
    "externalId": "ann",
    "name": {"givenName": "Ann", "familyName": "Lee"},
}
OFF = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{"op": "Replace", "path": "active", "value": "False"}],
}


@pytest.fixture
def scim_env(env: dict[str, str]) -> dict[str, str]:
    return {**env, "ETHORA_SCIM_TOKEN": SCIM_TOKEN}


async def test_a_user_comes_and_goes(scim_env: dict[str, str], sandbox: EthoraSandbox, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'scim.db'}"
    options = ("--scim", database, "--scim-user-id", "externalId", "--scim-url", "https://x.example.com/scim/v2")
    async with EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as ethora:
        with serving("--port", "0", "--drain", "0", *SHARED, *options, env=scim_env) as served:
            async with served.session() as session:
                async with session.get("/readyz") as reply:
                    checks = (await reply.json())["checks"]
                assert checks == {"secret": "ok", "platform": "ok", "proof": "ok", "scim": "ok"}
                async with session.post("/scim/v2/Users", json=ANN, headers=BEARER) as reply:
                    assert reply.status == 201, await reply.text()
                    made: Any = await reply.json()
                assert made["meta"]["location"] == f"https://x.example.com/scim/v2/Users/{made['id']}"
                async with asyncio.timeout(120):
                    while not [user async for user in ethora.users.list() if user.id == "ann"]:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                assert (await token(session, {"X-User": "ann", **PROOF}))[0] == 200
                async with session.patch(f"/scim/v2/Users/{made['id']}", json=OFF, headers=BEARER) as reply:
                    assert (await reply.json())["active"] is False
                status, body = await token(session, {"X-User": "ann", **PROOF})
                assert (status, body["error"]) == (403, "inactive")
                async with session.get("/scim/v2/Users", headers=PROOF) as reply:
                    assert reply.status == 401
            served.tell()
            # What its worker has under way needs the sandbox, which lives in this loop.
            assert await asyncio.to_thread(served.finish) == 0
        assert SCIM_TOKEN not in served.log
        assert "ann@example.com" not in served.log


@pytest.mark.parametrize("place", ["environment", "store", "nowhere"])
async def test_a_password_is_passed_on_encrypted_where_there_is_a_key(
    scim_env: dict[str, str], sandbox: EthoraSandbox, tmp_path: Path, place: str
) -> None:
    canary, key = "canary-of-a-password", "canary-of-the-outbox-key-of-32-characters"
    options = ["--scim", f"sqlite:///{tmp_path / 'scim.db'}", "--scim-user-id", "externalId"]
    if place == "store":
        (tmp_path / "secrets.json").write_text(json.dumps({"ETHORA_SCIM_TOKEN": SCIM_TOKEN, "ETHORA_OUTBOX_KEY": key}))
        (tmp_path / "secrets.json").chmod(0o600)
        options += ["--scim-secrets", f"file://{tmp_path / 'secrets.json'}"]
    settings = {**scim_env, **({"ETHORA_OUTBOX_KEY": key} if place == "environment" else {})}
    with serving("--port", "0", "--drain", "0", *options, env=settings) as served:
        async with served.session() as session:
            async with session.post("/scim/v2/Users", json={**ANN, "password": canary}, headers=BEARER) as reply:
                assert reply.status == 201, await reply.text()
                assert canary not in await reply.text()
            users = sandbox.store.app(sandbox.app_id).users
            async with asyncio.timeout(120):
                while not [user for user in users if user.uuid == "ann"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        served.tell()
        assert await asyncio.to_thread(served.finish) == 0
    (ann,) = [user for user in users if user.uuid == "ann"]
    assert (ann.password == canary) is (place != "nowhere")
    stored = _bytes_of(tmp_path, "scim.db*")
    for secret in (canary, key):
        assert secret.encode() not in stored
        assert secret not in served.log


def _bytes_of(folder: Path, names: str) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob(names))


async def test_without_a_proxy_it_serves_scim_alone(scim_env: dict[str, str], tmp_path: Path) -> None:
    settings = {**scim_env, "ETHORA_SCIM_DATABASE": f"sqlite:///{tmp_path / 'scim.db'}"}
    with serving("--port", "0", "--drain", "0", "--no-scim-worker", env=settings) as served:
        async with served.session() as session:
            async with session.get("/scim/v2/Users?count=1", headers=BEARER) as reply:
                assert (reply.status, (await reply.json())["totalResults"]) == (200, 0)
            assert (await session.post("/chat/token", headers=PROOF)).status == 404
        served.tell()
        assert served.finish() == 0


@pytest.mark.parametrize(
    ("args", "changes", "code", "said"),
    [
        (("--scim", "sqlite:///FOLDER/s.db"), {"ETHORA_SCIM_TOKEN": ""}, 2, "ETHORA_SCIM_TOKEN cannot be read"),
        (("--scim", "sqlite:///FOLDER/s.db"), {"ETHORA_SCIM_TOKEN": "short"}, 2, "shorter than 16 bytes"),
        (("--scim", "sqlite:///FOLDER/s.db"), {"ETHORA_OUTBOX_KEY": "canary"}, 2, "shorter than 32 characters"),
        (("--scim", "mysql://x"), {}, 2, "postgresql://user@host:port/database"),
        (("--scim", "postgresql://u:canary@h/d"), {}, 2, "PGPASSWORD"),
        (("--scim", "sqlite:///FOLDER/s.db", "--scim-user-id", "userName"), {}, 2, "user_id must be"),
        (("--scim", "sqlite:///FOLDER/s.db", "--scim-url", "x"), {}, 2, "base_url"),
        (("--scim", "sqlite:///FOLDER/s.db", "--identity-header", "X-User"), {}, 2, "--proof-header"),
        (("--scim-user-id", "id"), {}, 2, "needs --scim"),
        (("--scim", "sqlite:////no/such/folder/s.db"), {}, 3, "cannot be used"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(
    scim_env: dict[str, str], tmp_path: Path, args: tuple[str, ...], changes: dict[str, str], code: int, said: str
) -> None:
    named = [one.replace("FOLDER", str(tmp_path)) for one in args]
    done, log = refused("--port", "0", *named, env={**scim_env, **changes})
    assert done == code, log
    assert said in " ".join(log.split())
    assert "canary" not in log
