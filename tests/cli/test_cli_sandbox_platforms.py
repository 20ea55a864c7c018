"""``ethora sandbox --platform``: every platform's sandbox, reached by the settings that it prints."""

from __future__ import annotations

import asyncio
import shlex
import signal
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ethora_async import (
    AvayaClient,
    EthoraClient,
    ImbaChatClient,
    RetryPolicy,
    RocketChatClient,
    ServerFaultError,
    UserInfo,
)
from ethora_async.cli.platforms import Platform
from ethora_async.cli.sandboxes import SandboxOptions
from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli_helpers import Cli, Process

    Launch = Callable[..., Process]

SETTINGS = {
    "ethora": [
        "ETHORA_CHAT_API_URL",
        "ETHORA_CHAT_APP_ID",
        "ETHORA_CHAT_APP_SECRET",
        "ETHORA_XMPP_SERVICE",
        "ETHORA_XMPP_HOST",
    ],
    "rocketchat": ["ROCKETCHAT_URL", "ROCKETCHAT_USER", "ROCKETCHAT_PASSWORD", "ROCKETCHAT_CREATE_TOKENS_SECRET"],
    "avaya": [
        "AVAYA_HOST",
        "AVAYA_ACCOUNT_ID",
        "AVAYA_APP_KEY",
        "AVAYA_CLIENT_ID",
        "AVAYA_CLIENT_SECRET",
        "AVAYA_INTEGRATION_ID",
    ],
    "imbachat": [
        "IMBACHAT_API_URL",
        "IMBACHAT_WIDGET_ID",
        "IMBACHAT_SECRET_KEY",
        "IMBACHAT_API_LOGIN",
        "IMBACHAT_API_PASSWORD",
    ],
}
CLIENTS: dict[str, Any] = {
    "ethora": EthoraClient,
    "rocketchat": RocketChatClient,
    "avaya": AvayaClient,
    "imbachat": ImbaChatClient,
}


def exported(process: Process, count: int) -> dict[str, str]:
    """Return the environment of a shell that has evaluated the first lines."""
    lines = [process.stdout.readline().decode() for _ in range(count)]
    words = [shlex.split(line) for line in lines]
    assert all(len(word) == 2 and word[0] == "export" for word in words), lines
    return dict(word[1].split("=", 1) for word in words)


def end(process: Process) -> tuple[str, str]:
    process.popen.send_signal(signal.SIGINT)
    result = process.finish()
    assert result.code == 130
    assert "Traceback" not in result.stderr
    return result.stdout, result.stderr


@pytest.mark.parametrize("platform", SETTINGS)
async def test_its_client_is_set_up_by_what_it_prints_and_mints_a_token(
    platform: str, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = launch("sandbox", "--platform", platform, env={})
    settings = exported(process, len(SETTINGS[platform]))
    assert list(settings) == SETTINGS[platform]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    async with CLIENTS[platform].from_env() as client:
        if hasattr(client, "users"):
            await client.users.create("ann", email="ann@example.com", first_name="Ann", last_name="Lee")
        token = await client.tokens.for_user(7 if platform == "imbachat" else "ann")
        assert token.platform == platform
    stdout, stderr = end(process)
    assert stdout == ""
    for name, value in settings.items():
        assert value not in stderr or not name.endswith(("SECRET", "PASSWORD", "KEY"))
    assert token.value not in stderr


OWN = {
    "rocketchat": {
        "ROCKETCHAT_USER": "boss",
        "ROCKETCHAT_PASSWORD": "it's a $ecret",
        "ROCKETCHAT_CREATE_TOKENS_SECRET": "canary secret",
    },
    "avaya": {
        "AVAYA_ACCOUNT_ID": "ABCDEF",
        "AVAYA_APP_KEY": "key-of-the-app",
        "AVAYA_CLIENT_ID": "me",
        "AVAYA_CLIENT_SECRET": "it's a $ecret",
        "AVAYA_INTEGRATION_ID": "6b2a3c1e-0d4f-4a5b-8c6d-7e8f90a1b2c3",
    },
    "imbachat": {
        "IMBACHAT_WIDGET_ID": "4711",
        "IMBACHAT_SECRET_KEY": "a-secret-key-of-more-than-32-bytes-'",
        "IMBACHAT_API_LOGIN": "imba",
        "IMBACHAT_API_PASSWORD": "it's a $ecret",
    },
}


@pytest.mark.parametrize("platform", OWN)
def test_what_is_in_the_environment_already_is_used(platform: str, launch: Launch) -> None:
    process = launch("sandbox", "--platform", platform, env=OWN[platform])
    settings = exported(process, len(SETTINGS[platform]))
    assert {name: settings[name] for name in OWN[platform]} == OWN[platform]
    end(process)


@pytest.mark.parametrize("platform", ["rocketchat", "avaya"])
async def test_faults_strike_on_every_platform(platform: str, launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    process = launch("sandbox", "--platform", platform, "--fault", "*: status=503 times=all", env={})
    for name, value in exported(process, len(SETTINGS[platform])).items():
        monkeypatch.setenv(name, value)
    async with CLIENTS[platform].from_env(retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ServerFaultError):
            await client.tokens.for_user("ann")
    end(process)


async def test_rocketchats_second_factor_is_asked_for_only_when_wished(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = launch("sandbox", "--platform", "rocketchat", "--two-factor", "totp", "--server-version", "8.0.0", env={})
    settings = exported(process, 5)
    assert settings["ROCKETCHAT_TOTP_SECRET"]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    async with RocketChatClient.from_env() as client:
        assert (await client.ping()).version == (8, 0)
        await client.users.create("ann", email="ann@example.com", first_name="Ann", last_name="Lee")
    monkeypatch.delenv("ROCKETCHAT_TOTP_SECRET")
    async with RocketChatClient.from_env() as client:
        with pytest.raises(Exception, match=r"(?i)totp|second factor|two-factor"):
            await client.ready()
    end(process)


async def test_imbachat_calls_the_site_that_it_was_told(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log-in by the widget makes the sandbox ask our callback, with the login that it printed."""
    import aiohttp

    answering: list[Any] = []
    statuses: list[int] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        (handler,) = answering
        made = await handler.handle(request.method, request.path, request.query_string, request.headers)
        statuses.append(made.status)
        return web.Response(status=made.status, headers=dict(made.headers), body=made.body)

    async def lookup(ids: Sequence[int]) -> list[UserInfo]:
        return [UserInfo(user_id=id, name=f"Person {id}") for id in ids]

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site = "http://{}:{}/?user_ids=".format(*runner.addresses[0][:2])
    process = launch("sandbox", "--platform", "imbachat", "--users-info-url", site, env={})
    settings = await asyncio.to_thread(exported, process, 5)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    async with ImbaChatClient.from_env() as client, aiohttp.ClientSession() as browser:
        answering.append(client.user_info(lookup))
        token = await client.tokens.for_user(42)
        url = f"{settings['IMBACHAT_API_URL']}/imbachat/v1/{settings['IMBACHAT_WIDGET_ID']}/login"
        async with browser.post(url, json={"token": token.value}) as reply:
            assert await reply.json() == {"user_id": 42, "name": "Person 42"}
    assert statuses == [200]
    end(process)
    await runner.cleanup()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--platform", "rocketchat", "--lenient"], "--lenient"),
        (["--platform", "avaya", "--seed", "people.csv"], "--seed"),
        (["--two-factor", "totp"], "--two-factor"),
        (["--platform", "imbachat", "--server-version", "8.0.0"], "--server-version"),
        (["--users-info-url", "http://127.0.0.1/"], "--users-info-url"),
        (["--platform", "imbachat", "--users-info-url", "site"], "--users-info-url"),
        (["--platform", "imbachat", "--users-info-url", "http://[/"], "--users-info-url"),
        (["--webhook-host", "hooks.example"], "--webhook-host"),
        (["--platform", "rocketchat", "--webhook-host", "http://hooks.example"], "--webhook-host"),
        (["--platform", "rocketchat", "--webhook-host", "hooks.example:80"], "--webhook-host"),
        (["--platform", "rocketchat", "--webhook-host", "user@hooks.example"], "--webhook-host"),
        (["--platform", "rocketchat", "--webhook-host", ""], "--webhook-host"),
        (["--platform", "rocketchat", "--server-version", "5.4"], "6.0 to 9.x"),
        (["--platform", "avaya", "--fault", "nonsense"], "nonsense"),
        (["--platform", "rocketchat", "--port", "0", "--host", "a..b"], "cannot listen"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_a_mistake_of_usage(bare: Cli, words: list[str], named: str) -> None:
    result = bare("sandbox", *words)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert named in result.stderr
    assert result.stderr.count("\n") == 1


def test_webhooks_may_call_the_hosts_that_are_named() -> None:
    hosts = ("Hooks.example", "192.0.2.7", "2001:db8::7")
    sandbox = SandboxOptions(Platform.rocketchat, "127.0.0.1", 0, webhook_hosts=hosts).make()
    assert isinstance(sandbox, RocketChatSandbox)
    assert sandbox._webhooks._hosts == {"hooks.example", "192.0.2.7", "2001:db8::7"}


def test_a_widget_id_that_is_no_number_is_named(bare: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBACHAT_WIDGET_ID", "four")
    assert "IMBACHAT_WIDGET_ID" in bare("sandbox", "--platform", "imbachat").stderr


def test_a_platform_that_is_none_is_a_mistake_of_usage(bare: Cli) -> None:
    assert bare("sandbox", "--platform", "slack").code == 2
