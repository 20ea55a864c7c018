"""`ethora serve` as its proxy meets it: started, asked, told to end."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientConnectionError, ClientSession
from joserfc import jwt
from joserfc.jwk import ECKey
from serve_helpers import PROOF, PROXY_SECRET, SHARED, Served, proxy, refused, serving, token

from ethora_async import EthoraClient
from ethora_async.sandbox import AvayaSandbox, ImbaChatSandbox, RocketChatSandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox import EthoraSandbox

FREE = ("--port", "0", *SHARED)
FAST = ("--drain", "0")
HERE = Path(__file__).parent
ANN = {"X-User": "ann", **PROOF}
ROOMS = ("--may-enter", "serve_site:may_enter")


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(120):
        while not happened():  # noqa: ASYNC110  it happens in another process
            await asyncio.sleep(0.01)


# What it answers


async def test_behind_its_proxy_it_gives_users_tokens_and_nobody_else(
    env: dict[str, str], sandbox: EthoraSandbox, tmp_path: Path
) -> None:
    async with EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as ethora:
        await ethora.users.create("ann", email="ann@example.com", first_name="Ann", last_name="Lee")
        with serving("--unix", str(tmp_path / "s"), *SHARED, *ROOMS, env=env, cwd=HERE) as served:
            async with proxy(served, {"of-ann": "ann"}) as url:
                async with ClientSession(url, cookies={"session": "of-ann"}) as ann:
                    status, data = await token(ann, {"X-User": "bob"}, {"room": "of-ann"})
                    assert (status, data["user_id"], data["room"]["id"]) == (200, "ann", "of-ann")
                    assert (await ethora.sessions.exchange(data["token"])).user.first_name == "Ann"
                    assert (await token(ann, {}, {"room": "of-bob"}))[0] == 403
                    assert (await token(ann, {"Origin": "https://evil.example"}))[0] == 403
                async with ClientSession(url) as nobody:
                    assert (await token(nobody, {"X-User": "ann", "X-Proof": "a guess"}))[0] == 401
                    async with nobody.get("/readyz") as reply:
                        assert (reply.status, (await reply.json())["checks"]) == (
                            200,
                            {"secret": "ok", "platform": "ok", "proof": "ok"},
                        )


async def test_past_the_proxy_nothing_is_to_be_had(env: dict[str, str]) -> None:
    with serving(*FREE, env=env) as served:
        async with served.session() as session:
            assert (await token(session, ANN))[0] == 200
            assert (await token(session, {"X-User": "ann"}))[0] == 401
            assert (await token(session, {"X-User": "ann", "X-Proof": "a guess"}))[0] == 401
            assert (await token(session, PROOF))[0] == 401
            assert (await token(session, [*ANN.items(), ("X-User", "bob")]))[0] == 400
            assert (await token(session, [*ANN.items(), ("X-Proof", PROXY_SECRET)]))[0] == 400
            assert (await token(session, {**PROOF, "X-User": "bob,ann"}))[0] == 400
            for path in ("/healthz", "/readyz"):
                async with session.get(path) as reply:
                    assert reply.status == 200
            for path in ("/", "/chat", "/chat/users-info", "/token"):
                async with session.get(path, headers=ANN) as reply:
                    assert reply.status == 404


async def test_signed_by_the_log_in_service_no_other_proof_is_needed(env: dict[str, str], tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256")
    (tmp_path / "key.pem").write_bytes(key.as_pem(private=False))
    del env["ETHORA_PROXY_SECRET"]
    args = ("--identity-header", "X-JWT", "--jwt-header", "X-JWT", "--jwt-keys", str(tmp_path / "key.pem"))
    claims = {"sub": "ann", "exp": int(time.time()) + 60, "aud": "chat", "iss": "sso"}
    with serving("--port", "0", *args, "--jwt-audience", "chat", "--jwt-issuer", "sso", env=env) as served:
        async with served.session() as session:

            async def asked(signer: Any, **changes: Any) -> tuple[int, Any]:
                return await token(session, {"X-JWT": jwt.encode({"alg": "ES256"}, {**claims, **changes}, signer)})

            status, data = await asked(key)
            assert (status, data["user_id"]) == (200, "ann")
            assert (await asked(ECKey.generate_key("P-256")))[0] == 401
            assert (await asked(key, aud="shop"))[0] == 401
            assert (await asked(key, exp=1))[0] == 401
            assert (await token(session, {"X-User": "ann"}))[0] == 401


async def test_pages_of_another_origin_may_ask_when_it_is_listed(env: dict[str, str]) -> None:
    shop = {"Origin": "https://shop.example.com", "Sec-Fetch-Site": "cross-site"}
    with serving(*FREE, "--allowed-origin", "https://shop.example.com", env=env) as served:
        async with served.session() as session:
            assert (await token(session, {**ANN, **shop}))[0] == 200
            assert (await token(session, {**ANN, **shop, "Origin": "https://evil.example"}))[0] == 403
            # a browser sends no cookies with a preflight, so that the proxy knows nobody then
            asks = {**shop, "Access-Control-Request-Method": "POST"}
            async with session.options("/chat/token", headers=asks) as reply:
                allowed = reply.headers.get("Access-Control-Allow-Origin")
                assert (reply.status, allowed) == (204, "https://shop.example.com")


async def test_a_secret_out_of_a_file_rotates_without_a_restart(env: dict[str, str], tmp_path: Path) -> None:
    del env["ETHORA_PROXY_SECRET"]
    (tmp_path / "ETHORA_PROXY_SECRET").write_text("the-secret-after-the-rotation")
    (tmp_path / "ETHORA_PROXY_SECRET_PREVIOUS").write_text(PROXY_SECRET)
    with serving(*FREE, "--proof-secrets", f"file://{tmp_path}", env=env) as served:
        async with served.session() as session:
            assert (await token(session, ANN))[0] == 200
            assert (await token(session, {**ANN, "X-Proof": "the-secret-after-the-rotation"}))[0] == 200
            assert (await token(session, {**ANN, "X-Proof": "the-secret-before-both"}))[0] == 401


async def test_nothing_that_is_secret_is_logged(env: dict[str, str]) -> None:
    with serving(*FREE, *FAST, env=env) as served:
        async with served.session() as session:
            _, data = await token(session, ANN)
            await token(session, {**ANN, "X-Proof": "a-canary-of-a-guess"})
            where = f"/chat/{data['token']}?token={data['token']}&a-canary=1"
            async with session.get(where, headers={"Referer": where, "User-Agent": "a-canary"}) as reply:
                assert reply.status == 404
        served.tell()
        assert served.finish() == 0
        assert "POST /chat/token 200" in served.log
        assert "POST /chat/token 401" in served.log
        for secret in (*data["token"].split("."), PROXY_SECRET, env["ETHORA_CHAT_APP_SECRET"], "a-canary"):
            assert secret not in served.log


# Every platform


async def test_rocketchat() -> None:
    async with RocketChatSandbox() as sandbox:
        env = {**sandbox.environment, "ETHORA_PROXY_SECRET": PROXY_SECRET}
        with serving("--platform", "rocketchat", *FREE, env=env) as served:
            async with served.session() as session:
                sandbox.add_user("ann", password="a-password-1")
                status, data = await token(session, {**PROOF, "X-User": "ann"})
                assert (status, data["platform"]) == (200, "rocketchat")
                headers = {"X-Auth-Token": data["token"], "X-User-Id": data["extra"]["userId"]}
                async with ClientSession() as browser, browser.get(f"{sandbox.url}/api/v1/me", headers=headers) as me:
                    assert (await me.json())["username"] == "ann"
                for name, refusal in {
                    sandbox.admin.username: (403, "privileged_account"),
                    "nobody.there": (404, "user_not_found"),
                    "Ann": (404, "user_not_found"),
                    "@ann": (400, "bad_identity"),
                    "ann@example.com": (400, "bad_identity"),
                    "ann\u00a0": (400, "bad_identity"),
                }.items():
                    status, data = await token(session, {**PROOF, "X-User": name})
                    assert (status, data["error"]) == refusal, name


async def test_avaya() -> None:
    async with AvayaSandbox() as sandbox:
        env = {**sandbox.environment, "ETHORA_PROXY_SECRET": PROXY_SECRET}
        with serving("--platform", "avaya", *FREE, env=env) as served:
            async with served.session() as session:
                status, data = await token(session, ANN)
                assert (status, data["platform"]) == (200, "avaya")
                assert sandbox.log_in(data["token"])


async def test_imbachat_asks_who_the_users_are_with_a_password_of_its_own() -> None:
    async with ImbaChatSandbox() as sandbox:
        env = {**sandbox.environment, "ETHORA_PROXY_SECRET": PROXY_SECRET}
        args = ("--platform", "imbachat", "--users-info", "serve_site:people")
        with serving(*args, *FREE, env=env, cwd=HERE) as served:
            sandbox.users_info_url = f"{served.where}/chat/users-info?user_ids="
            assert [user["name"] for user in await sandbox.ask_users_info([7, 99, 1])] == ["Person 7", "Person 1"]
            async with served.session() as session:
                status, data = await token(session, {**PROOF, "X-User": "7"})
                assert (status, data["platform"]) == (200, "imbachat")
                guess = b64encode(f"{sandbox.api_login}:a guess".encode()).decode()
                for headers in (ANN, {**ANN, "Authorization": f"Basic {guess}"}):
                    async with session.get("/chat/users-info?user_ids=7", headers=headers) as reply:
                        assert reply.status == 401


# The end


class Slow:
    """A request that is under way until `go`."""

    def __init__(self, folder: Path, session: ClientSession) -> None:
        self._folder = folder
        body = {"room": str(folder)}
        self.answer = asyncio.ensure_future(token(session, ANN, body))

    async def entered(self) -> None:
        await until((self._folder / "entered").exists)

    def go(self) -> None:
        (self._folder / "go").touch()


async def health(session: ClientSession, path: str) -> int:
    async with session.get(path) as reply:
        return reply.status


async def refusing(served: Served) -> None:
    """Wait until new connections are refused."""
    async with asyncio.timeout(120):
        with suppress(ClientConnectionError):
            while True:
                async with served.session() as late:
                    await health(late, "/healthz")
                await asyncio.sleep(0.05)


async def test_told_to_end_it_is_unready_first_then_refuses_and_answers_what_is_under_way(
    env: dict[str, str], tmp_path: Path
) -> None:
    with serving(*FREE, *ROOMS, "--drain", "2", env=env, cwd=HERE) as served:
        async with served.session() as session, served.session() as other:
            slow = Slow(tmp_path, session)
            await slow.entered()
            assert await health(other, "/readyz") == 200
            served.tell(signal.SIGTERM)
            await until(lambda: "stopping" in served.log)
            assert await health(other, "/readyz") == 503
            assert await health(other, "/healthz") == 200
            assert (await token(other, ANN))[0] == 200  # nobody may have looked at /readyz yet
            await refusing(served)
            assert not slow.answer.done()
            assert served.popen.poll() is None
            slow.go()
            assert (await slow.answer)[0] == 403
        assert await asyncio.to_thread(served.finish) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(number: int, env: dict[str, str], tmp_path: Path) -> None:
    with serving(*FREE, *ROOMS, "--drain", "600", "--grace", "600", env=env, cwd=HERE) as served:
        async with served.session() as session:
            slow = Slow(tmp_path, session)
            await slow.entered()
            served.tell(number)
            await until(lambda: "stopping" in served.log)
            served.tell(number)
            with pytest.raises(ClientConnectionError):
                await slow.answer
        assert await asyncio.to_thread(served.finish) == (0 if number == signal.SIGTERM else 130)
        assert "Traceback" not in served.log


async def test_patience_with_what_is_under_way_has_an_end(env: dict[str, str], tmp_path: Path) -> None:
    with serving(*FREE, *ROOMS, *FAST, "--grace", "0.1", env=env, cwd=HERE) as served:
        async with served.session() as session:
            slow = Slow(tmp_path, session)
            await slow.entered()
            served.tell()
            with pytest.raises(ClientConnectionError):
                await slow.answer
        assert await asyncio.to_thread(served.finish) == 0
        assert "Traceback" not in served.log


# The socket


async def test_the_unix_socket_has_its_mode_and_goes_with_the_process(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving("--unix", str(path), "--unix-mode", "606", *SHARED, *FAST, env=env) as served:
        assert stat.S_IMODE(path.stat().st_mode) == 0o606
        assert os.listdir(tmp_path) == ["s"]
        served.tell()
        assert served.finish() == 0
    assert os.listdir(tmp_path) == []


async def test_a_socket_that_a_dead_process_left_is_replaced_a_live_one_and_a_file_are_not(
    env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "s"
    args = ("--unix", str(path), *SHARED, *FAST)
    with serving(*args, env=env) as killed:
        killed.tell(signal.SIGKILL)
        killed.finish()
    assert path.is_socket()
    with serving(*args, env=env) as served:
        code, error = refused(*args, env=env)
        assert (code, error) == (2, f"error: cannot listen on {path}: another process listens there\n")
        async with served.session() as session:
            assert (await token(session, ANN))[0] == 200
        # what somebody else has put in its place is theirs
        path.unlink()
        path.write_text("mine")
        served.tell()
        assert served.finish() == 0
    assert path.read_text() == "mine"
    code, error = refused(*args, env=env)
    assert code == 2
    assert "a file that is not a socket exists there" in error
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == ["s"]


def test_it_does_not_start_without_a_proxy_to_believe() -> None:
    code, error = refused(env={"ETHORA_PROXY_SECRET": PROXY_SECRET})
    assert code == 2
    assert error.startswith("error: ethora serve hands out tokens for the user that the proxy names")
