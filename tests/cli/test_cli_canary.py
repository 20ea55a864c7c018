"""No command prints a secret, except the two that exist to print one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_helpers import SECRET

from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cli_helpers import Cli, Process
    from command_result import Result

    from ethora_async.sandbox import EthoraSandbox

PASSWORD = "canary-password-of-ann"
HEADER = "id,email,first_name,last_name,password\n"
ROWS = [
    f"ann,ann@example.com,Ann,Lee,{PASSWORD}",
    f"bob,bad,Bob,Ray,{PASSWORD}",
    f"cyd,cyd@example.com,C,Fox,{PASSWORD}",
    f"dan,dan@example.com,Dan,{PASSWORD}",
    f"ann,ann@example.com,Ann,Lee,{PASSWORD}",
    f"eve,ann@example.com,Eve,Kay,{PASSWORD}",
    f'flo,flo@example.com,Flo,Jay,"{PASSWORD}"x',
]
COMMANDS = [
    ("users", "import", "FILE", "--json"),
    ("users", "import", "FILE"),
    ("users", "list", "--json"),
    ("users", "get", "ann", "--json"),
    ("users", "get", "nobody"),
    ("users", "create", "zoe", "--email", "zoe@example.com", "--first-name", "Z", "--last-name", "Oe"),
    ("chats", "create", "team", "--title", "The Team", "--member", "ann", "--json"),
    ("chats", "list", "--json"),
    ("chats", "grant", "team", "ann", "nobody"),
    ("doctor", "--json"),
    ("doctor",),
    ("users", "delete", "ann", "--json"),
]


@pytest.fixture
def canary() -> Canary:
    return Canary(SECRET, PASSWORD, "eyJhbGciOi")


def run_all(cli: Cli, path: str) -> list[Result]:
    return [cli(*(path if word == "FILE" else word for word in command)) for command in COMMANDS]


def check(canary: Canary, results: list[Result]) -> None:
    canary.check(*(text for result in results for text in (result.stdout, result.stderr)))


@pytest.fixture
def path(csv: Callable[[str, str], str]) -> str:
    return csv("people.csv", HEADER + "\n".join(ROWS) + "\n")


def test_no_command_prints_or_logs_a_secret(cli: Cli, canary: Canary, path: str) -> None:
    with canary:
        results = run_all(cli, path)
    assert canary.records
    assert {result.code for result in results} <= {0, 1}
    check(canary, results)


@pytest.mark.parametrize("status", [401, 403, 422])
def test_a_platform_that_echoes_what_it_was_sent_gets_no_secret_printed(
    cli: Cli, canary: Canary, path: str, sandbox: EthoraSandbox, status: int
) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJkYXRhIjp7fX0.c2lnbmF0dXJl"
    sandbox.faults.fail("GET *", times=None, status=status, body={"error": f"bad key {token}", "token": token})
    echo = {"error": f"bad password {PASSWORD} under {token}", "password": PASSWORD}
    sandbox.faults.fail("POST *", times=None, status=status, body=echo)
    with canary:
        results = [cli("users", "import", path, "--json"), cli("users", "list"), cli("doctor")]
    assert all(result.code for result in results)
    check(canary, results)


def test_the_token_command_alone_prints_a_token(cli: Cli) -> None:
    result = cli("token", "ann")
    Canary(SECRET).check(result.stdout, result.stderr)
    with pytest.raises(AssertionError):
        Canary("eyJhbGciOi").check(result.stdout)


def test_verbose_tells_every_request_and_no_secret(
    launch: Callable[..., Process], settings: Mapping[str, str], canary: Canary, path: str
) -> None:
    result = launch("--verbose", "users", "import", path, "--json", env=settings).finish()
    assert result.code == 1
    assert result.json["counts"]["created"] == 1
    assert "users.create" in result.stderr
    check(canary, [result])


def test_a_traceback_holds_no_secret(cli: Cli, canary: Canary, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        msg = "a mistake of ours"
        raise RuntimeError(msg)

    monkeypatch.setattr("ethora_async.platforms.ethora.users.batch_rows.match_created", broken)
    with canary, pytest.raises(RuntimeError) as caught:
        cli("users", "import", path)
    canary.check(caught.value)
