from __future__ import annotations

import os
import re
import shlex
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ethora_async import EthoraClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli_helpers import Cli, Process

    from ethora_async.sandbox import EthoraSandbox

    Launch = Callable[..., Process]

ROOT = Path(__file__).parents[2]
NAMES = [
    "ETHORA_CHAT_API_URL",
    "ETHORA_CHAT_APP_ID",
    "ETHORA_CHAT_APP_SECRET",
    "ETHORA_XMPP_SERVICE",
    "ETHORA_XMPP_HOST",
]


def exported(process: Process, names: Sequence[str] = NAMES) -> dict[str, str]:
    """Return the environment of a shell that has evaluated the lines of settings."""
    lines = [process.stdout.readline().decode() for _ in names]
    words = [shlex.split(line) for line in lines]
    assert [word[0] for word in words] == ["export"] * len(names)
    assert all(len(word) == 2 and line.endswith("\n") for word, line in zip(words, lines, strict=True))
    return dict(word[1].split("=", 1) for word in words)


def test_it_prints_the_settings_once_it_listens_and_nothing_else_on_stdout(
    launch: Launch, bare: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = launch("sandbox", env={})
    settings = exported(process)
    assert list(settings) == NAMES
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", settings["ETHORA_CHAT_API_URL"])
    assert len(settings["ETHORA_CHAT_APP_SECRET"]) >= 32
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert bare("users", "list", "--json").code == 0
    process.popen.send_signal(signal.SIGINT)
    result = process.finish()
    assert (result.code, result.stdout) == (130, "")
    assert "GET /v2/chats/users" in result.stderr
    assert settings["ETHORA_CHAT_APP_SECRET"] not in result.stderr
    assert "Traceback" not in result.stderr


def test_it_takes_app_secret_and_admin_from_the_environment_and_quotes_them_for_the_shell(
    launch: Launch, bare: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = 'it\'s a $ecret; with `all` that shells "like"'
    env = {
        "ETHORA_CHAT_APP_ID": "my-app",
        "ETHORA_CHAT_APP_SECRET": secret,
        "ETHORA_ADMIN_EMAIL": "boss@example.com",
        "ETHORA_ADMIN_PASSWORD": "canary-admin-password",
    }
    process = launch("sandbox", "--lenient", env=env)
    settings = exported(process)
    assert settings["ETHORA_CHAT_APP_ID"] == "my-app"
    assert settings["ETHORA_CHAT_APP_SECRET"] == secret
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert bare("users", "create", "x", "--email", "x@x.io", "--first-name", "X", "--last-name", "Y").code == 0
    assert "boss@example.com" in bare("users", "list").stdout
    process.popen.send_signal(signal.SIGINT)
    assert "canary" not in process.finish().stderr


@pytest.fixture
def taken() -> object:
    """A port that is in use."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_is_taken_is_named(bare: Cli, taken: int) -> None:
    result = bare("sandbox", "--port", str(taken))
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == f"error: cannot listen on 127.0.0.1 port {taken}: Address already in use\n"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "x" * 300, "\udcff", "203.0.113.1"])
def test_an_address_that_cannot_be_listened_on_is_one_sentence(bare: Cli, host: str) -> None:
    result = bare("sandbox", "--host", host)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: cannot listen on ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_cannot_be_is_a_mistake_of_usage(bare: Cli, port: str) -> None:
    assert bare("sandbox", "--port", port).code == 2


def test_a_sandbox_of_the_tests_own_is_reached_by_the_same_settings(cli: Cli, sandbox: EthoraSandbox) -> None:
    assert list(sandbox.environment | sandbox.front_end_environment) == NAMES
    assert cli("users", "list").code == 0


def test_with_tls_it_prints_where_that_is_served(launch: Launch) -> None:
    process = launch("sandbox", "--tls", env={})
    settings = exported(process)
    line = process.stdout.readline().decode()
    assert re.fullmatch(r"export ETHORA_SANDBOX_TLS_URL=https://127\.0\.0\.1:\d+\n", line)
    assert settings["ETHORA_XMPP_SERVICE"] == settings["ETHORA_CHAT_API_URL"].replace("http", "ws", 1) + "/ws"
    process.popen.send_signal(signal.SIGINT)
    assert process.finish().code == 130


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--cert", "missing.pem"], "missing.pem or its key cannot be read"),
        (["--key", "key.pem"], "--key needs --cert"),
        (["--tls", "--platform", "avaya"], "--tls"),
    ],
)
def test_tls_that_cannot_be_served_is_a_usage_error(options: list[str], reason: str, bare: Cli) -> None:
    result = bare("sandbox", *options)
    assert (result.code, result.stdout) == (2, "")
    assert reason in " ".join(result.stderr.split())


BOT = """
def answer(message):
    return f"you said {message.text}"
"""


async def test_a_function_of_ones_own_answers_as_the_bot(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my_bot.py").write_text(BOT)
    env = {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    process = launch("sandbox", "--bot", "my_bot:answer", env=env, python=("-m", "ethora_async"))
    settings = exported(process, [*NAMES[:3], "ETHORA_CHAT_BOT_JID", *NAMES[3:]])
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert settings["ETHORA_CHAT_BOT_JID"].partition("@")[0].endswith("-bot")
    async with EthoraClient.from_env() as ethora:
        await ethora.chats.create("room-1", title="Room 1")
        await ethora.chats.grant_bot("room-1")
        said = [message.body async for message in ethora.chats.messages("room-1")]
    assert said == ["Chat Bot has joined the chat"]


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("nowhere:answer", "--bot nowhere:answer cannot be loaded"),
        ("json:nothing", "--bot json:nothing cannot be loaded"),
        ("json:__name__", "is not a function"),
        ("json", "cannot be loaded"),
    ],
)
def test_a_bot_that_cannot_be_loaded_is_a_usage_error(option: str, reason: str, bare: Cli) -> None:
    result = bare("sandbox", "--bot", option)
    assert (result.code, result.stdout) == (2, "")
    assert reason in " ".join(result.stderr.split())


@pytest.mark.parametrize("options", [[], ["--no-ui"]])
def test_it_says_where_its_page_is_unless_there_is_none(options: list[str], launch: Launch) -> None:
    process = launch("sandbox", *options, env={})
    settings = exported(process)
    process.popen.send_signal(signal.SIGINT)
    told = f"see what happens at {settings['ETHORA_CHAT_API_URL']}/_sandbox/" in process.finish().stderr
    assert told is not bool(options)
