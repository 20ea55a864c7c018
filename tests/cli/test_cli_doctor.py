from __future__ import annotations

import os
import re
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from cli_helpers import SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from cli_helpers import Cli
    from command_result import Result

    from ethora_async.sandbox import EthoraSandbox


def verdicts(result: Result) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in result.json["checks"]}


def details(result: Result, name: str) -> list[str]:
    return [check["detail"] for check in result.json["checks"] if check["name"] == name]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "ethora.env"
    path.write_text(f"ETHORA_CHAT_APP_SECRET={SECRET}\n")
    return path


def test_every_link_is_ok_when_all_is_well(cli: Cli) -> None:
    result = cli("doctor", "--json")
    assert result.code == 0
    assert result.json["ok"] is True
    assert verdicts(result) == dict.fromkeys(
        ["secret", "settings", "reachable", "clock", "token", "may list users", "may list chats"], "ok"
    )
    (secret,) = details(result, "secret")
    assert re.fullmatch(r"env answered \(ETHORA_CHAT_APP_SECRET\), version [0-9a-f]{16}", secret)
    assert details(result, "token") == ["the platform accepts what we sign with the current secret"]


def test_people_read_a_line_for_each_link(cli: Cli, sandbox: EthoraSandbox) -> None:
    lines = cli("doctor").stdout.splitlines()
    assert lines[0].startswith("ok       secret: env answered (ETHORA_CHAT_APP_SECRET), version ")
    assert sandbox.url in lines[1]
    assert lines[-1] == "ok       may list chats: 0 there"


def test_it_changes_nothing(cli: Cli, sandbox: EthoraSandbox) -> None:
    cli("doctor")
    assert {request.method for request in sandbox.requests} == {"GET"}


def test_the_file_that_answered_is_named(cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETHORA_CHAT_APP_SECRET")
    result = cli("--secrets", f"file://{store}", "doctor", "--json")
    assert result.code == 0
    (secret,) = details(result, "secret")
    assert re.fullmatch(
        rf"file:{store} answered \(ETHORA_CHAT_APP_SECRET\), version [0-9a-f]{{16}}, \d+ seconds old", secret
    )


def test_a_rotation_half_done_shows_which_secret_signs(
    cli: Cli, store: Path, sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_text(
        f"ETHORA_CHAT_APP_SECRET=canary-not-yet-on-the-platform\nETHORA_CHAT_APP_SECRET_PREVIOUS={SECRET}\n"
    )
    two_days_ago = time.time() - 2 * 86_400
    os.utime(store, (two_days_ago, two_days_ago))
    monkeypatch.delenv("ETHORA_CHAT_APP_SECRET")
    result = cli("--secrets", f"file://{store}", "doctor", "--json")
    assert result.code == 0
    (secret,) = details(result, "secret")
    assert secret.endswith(", 2 days old, with a previous secret")
    assert details(result, "token") == ["the platform accepts what we sign with the previous secret"]
    assert "canary" not in result.stdout


def test_in_a_chain_it_tells_who_did_not_answer_who_did_and_who_else_could(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHORA_SECRETS", f"file:///nowhere/at/all env: file://{store}")
    result = cli("doctor", "--json")
    assert result.code == 0
    assert [check["verdict"] for check in result.json["checks"][:3]] == ["warning", "ok", "ok"]
    missing, answered, other = details(result, "secret")
    assert "/nowhere/at/all did not answer" in missing
    assert answered.startswith("env answered")
    assert other.startswith(f"file:{store} also has it")


def test_a_source_that_is_broken_ends_the_search_whatever_comes_after_it(cli: Cli, store: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    result = cli("--secrets", f"file://{broken} file://{store}", "doctor", "--json")
    assert result.code == 2
    assert verdicts(result) == {"secret": "failed"}
    assert "malformed" in details(result, "secret")[0]
    assert cli("--secrets", f"file://{broken} file://{store}", "users", "list").code == 2


@pytest.mark.parametrize("secrets", ["file:///nowhere/at/all", "gold://fort", "env:?names=ELSEWHERE"])
def test_without_a_secret_it_stops_with_exit_code_2(cli: Cli, sandbox: EthoraSandbox, secrets: str) -> None:
    result = cli("--secrets", secrets, "doctor", "--json")
    assert result.code == 2
    assert result.json["ok"] is False
    assert verdicts(result) == {"secret": "failed"}
    assert not sandbox.requests


def test_a_missing_secret_is_named_with_where_it_was_looked_for(bare: Cli) -> None:
    result = bare("doctor")
    assert result.code == 2
    assert "ETHORA_CHAT_APP_SECRET" in result.stdout
    assert result.stdout.splitlines()[-1] == "failed   secret: no source has the app secret"


@pytest.mark.parametrize("name", ["ETHORA_CHAT_API_URL", "ETHORA_CHAT_APP_ID"])
def test_a_missing_setting_is_exit_code_2_and_named(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    result = cli("doctor", "--json")
    assert result.code == 2
    assert verdicts(result) == {"secret": "ok", "settings": "failed"}
    assert name in details(result, "settings")[0]


def test_a_wrong_secret_is_a_refused_token_and_exit_code_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETHORA_CHAT_APP_SECRET", "another-secret-altogether")
    result = cli("doctor", "--json")
    assert result.code == 3
    assert verdicts(result) == {
        "secret": "ok",
        "settings": "ok",
        "reachable": "ok",
        "clock": "ok",
        "token": "failed",
    }
    assert "HTTP 401" in details(result, "token")[0]


@pytest.mark.usefixtures("impatient")
def test_a_platform_that_is_not_there_is_exit_code_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETHORA_CHAT_API_URL", "http://127.0.0.1:1")
    result = cli("doctor", "--json")
    assert result.code == 3
    assert verdicts(result) == {"secret": "ok", "settings": "ok", "reachable": "failed"}


def test_a_missing_right_is_told_from_a_bad_token(cli: Cli, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail("GET /v2/apps/{appId}/chats", times=None, status=403)
    result = cli("doctor", "--json")
    assert result.code == 3
    assert verdicts(result)["token"] == "ok"
    assert verdicts(result)["may list users"] == "ok"
    assert verdicts(result)["may list chats"] == "failed"


def test_a_right_that_is_missing_from_the_first_on_does_not_make_the_token_bad(
    cli: Cli, sandbox: EthoraSandbox
) -> None:
    sandbox.faults.fail("GET /v2/chats/users", times=None, status=403)
    result = cli("doctor", "--json")
    assert result.code == 3
    assert (verdicts(result)["token"], verdicts(result)["may list users"]) == ("ok", "failed")
    assert verdicts(result)["may list chats"] == "ok"


@pytest.mark.parametrize(("ahead", "words"), [(-3600, "ahead of"), (3600, "behind")])
def test_a_clock_that_is_wrong_is_a_warning_and_no_failure(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, ahead: int, words: str
) -> None:
    from ethora_async.sandbox import front

    def dated(answer: Any, made: Any = front._response) -> Any:
        response = made(answer)
        response.headers["Date"] = formatdate(time.time() + ahead, usegmt=True)
        return response

    monkeypatch.setattr(front, "_response", dated)
    result = cli("doctor", "--json")
    assert result.code == 0
    assert verdicts(result)["clock"] == "warning"
    assert words in details(result, "clock")[0]


def test_a_platform_that_does_not_tell_its_time_has_no_clock_to_compare(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ethora_async.sandbox import front

    def undated(answer: Any, made: Any = front._response) -> Any:
        response = made(answer)
        response.headers["Date"] = "soon"
        return response

    monkeypatch.setattr(front, "_response", undated)
    result = cli("doctor", "--json")
    assert (result.code, verdicts(result)["clock"]) == (0, "skipped")
