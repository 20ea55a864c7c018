"""What `ethora serve` refuses to start with, and how it says so."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Protocol

import pytest
from cli_runner import CliRunner
from serve_helpers import PROXY_SECRET, SHARED

from ethora_async.cli.app import app
from ethora_async.cli.serve import command as serve

HERE = Path(__file__).parent
SETTINGS = {
    "ETHORA_CHAT_API_URL": "http://127.0.0.1:9",
    "ETHORA_CHAT_APP_ID": "app",
    "ETHORA_CHAT_APP_SECRET": "unit-test-secret-not-a-real-one-0001",
    "ETHORA_XMPP_HOST": "xmpp.example.com",
    "ETHORA_PROXY_SECRET": PROXY_SECRET,
}


class Refused(Protocol):
    """Starts the command in this process, with settings beside the usual; gives the exit code and stderr."""

    def __call__(self, *args: str, **settings: str) -> tuple[int, str]: ...


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Refused:
    """The command, as far as the moment when it would begin to serve; it exits with 0 there."""

    async def would_serve(*_: object) -> int:
        return 0

    monkeypatch.setattr(serve, "_until_told", would_serve)
    monkeypatch.setattr(serve, "_log_to_stderr", lambda: None)
    monkeypatch.chdir(HERE)

    def run(*args: str, **settings: str) -> tuple[int, str]:
        result = CliRunner(env={"COLUMNS": "200", **SETTINGS, **settings}).invoke(app, ["serve", *args])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stderr

    return run


NO_PROXY = [
    (),
    ("--identity-header", "X-User"),
    ("--proof-header", "X-Proof"),
    ("--jwt-header", "X-JWT"),
    ("--identity-header", "X-User", "--proof-header", "X-Proof", "--jwt-header", "X-JWT"),
]


@pytest.mark.parametrize("args", NO_PROXY)
def test_without_a_proxy_to_believe_it_says_what_to_set(args: tuple[str, ...], refused: Refused) -> None:
    code, error = refused(*args)
    assert code == 2
    for word in ("--identity-header", "--proof-header", "--jwt-header", "--jwt-keys", "ETHORA_PROXY_SECRET"):
        assert word in error


WRONG: dict[str, tuple[tuple[str, ...], dict[str, str], str]] = {
    "no secret": (SHARED, {"ETHORA_PROXY_SECRET": ""}, "ETHORA_PROXY_SECRET"),
    "a short secret": (SHARED, {"ETHORA_PROXY_SECRET": "a-short-canary"}, "shorter than 16 bytes"),
    "a JWT without a secret": (
        ("--identity-header", "X-User", "--jwt-header", "X-JWT"),
        {"ETHORA_PROXY_SECRET": ""},
        "ETHORA_PROXY_SECRET",
    ),
    "no such keys": (
        ("--identity-header", "X-User", "--jwt-header", "X-JWT", "--jwt-keys", "/nowhere"),
        {},
        "--jwt-keys /nowhere cannot be read: No such file",
    ),
    "one header for both": (("--identity-header", "X-A", "--proof-header", "x-a"), {}, "name the same header"),
    "no header": (("--identity-header", "X User", "--proof-header", "X-A"), {}, "--identity-header is not the name"),
    "JWT rules without a JWT": ((*SHARED, "--jwt-issuer", "sso"), {}, "needs --jwt-header"),
    "no store": ((*SHARED, "--proof-secrets", "nonsense"), {}, "--proof-secrets"),
    "every address": ((*SHARED, "--host", "0.0.0.0"), {}, "not a loopback address"),
    "every address, IPv6": ((*SHARED, "--host", "::"), {}, "not a loopback address"),
    "a name": ((*SHARED, "--host", "example.com"), {}, "not a loopback address"),
    "another address": ((*SHARED, "--host", "10.0.0.1"), {}, "not a loopback address"),
    "a strange mode": ((*SHARED, "--unix", "/tmp/x", "--unix-mode", "999"), {}, "--unix-mode 999"),
    "no folder": ((*SHARED, "--unix", "/nowhere/s"), {}, "cannot listen on /nowhere/s: No such file"),
    "a long path": ((*SHARED, "--unix", "/tmp/" + "x" * 120), {}, "cannot listen on /tmp/x"),
    "no settings": (SHARED, {"ETHORA_CHAT_APP_ID": ""}, "ETHORA_CHAT_APP_ID"),
    "no such module": ((*SHARED, "--may-enter", "no_such_module:f"), {}, "--may-enter no_such_module:f cannot be"),
    "no such function": ((*SHARED, "--may-enter", "serve_site:f"), {}, "--may-enter serve_site:f cannot be"),
    "no function": ((*SHARED, "--may-enter", "serve_site:not_a_function"), {}, "is not a function"),
    "not a pair": ((*SHARED, "--may-enter", "serve_site"), {}, "write MODULE:FUNCTION"),
    "a platform that never asks": ((*SHARED, "--users-info", "serve_site:people"), {}, "never asks who the users are"),
    "another origin": ((*SHARED, "--allowed-origin", "example.com"), {}, "is not an origin"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_meant_is_refused_with_a_reason(name: str, refused: Refused) -> None:
    args, changes, reason = WRONG[name]
    code, error = refused(*args, **changes)
    assert code == 2, error
    assert error.startswith("error: ")
    assert reason in error
    assert PROXY_SECRET not in error
    assert "a-short-canary" not in error


def test_a_port_that_is_taken_is_one_sentence(refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, error = refused(*SHARED, "--port", str(port))
    assert (code, error) == (2, f"error: cannot listen on 127.0.0.1 port {port}: Address already in use\n")


def test_imbachat_without_a_login_to_ask_with_does_not_start(refused: Refused) -> None:
    args = ("--platform", "imbachat", "--users-info", "serve_site:people", *SHARED)
    code, error = refused(*args, IMBACHAT_SECRET_KEY="k" * 40, IMBACHAT_WIDGET_ID="7")
    assert code == 2
    assert "IMBACHAT_API_LOGIN" in error


def test_what_can_be_meant_is_not_refused(refused: Refused) -> None:
    assert refused(*SHARED, "--port", "0") == (0, "")
    assert refused(*SHARED, "--port", "0", "--host", "localhost", "--may-enter", "serve_site:may_enter")[0] == 0
