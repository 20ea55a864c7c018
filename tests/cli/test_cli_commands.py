from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ethora_async.cli.json_reply import replying
from ethora_async.cli.output import print_list
from ethora_async.cli.token import duration
from ethora_async.errors import InvalidInputError, ReplyLostError
from ethora_async.records import Chat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from cli_helpers import Cli
    from command_result import Result

    from ethora_async.sandbox import EthoraSandbox

ANN = ("users", "create", "ann", "--email", "ann@example.com", "--first-name", "Ann", "--last-name", "Lee")


def outcome(result: Result) -> tuple[int, str, str]:
    """Return the exit code, and the id and status of the only outcome."""
    return result.code, result.json["id"], result.json["status"]


# Users


def test_creating_somebody_twice_is_created_then_existed_and_both_exit_0(cli: Cli) -> None:
    assert outcome(cli(*ANN, "--json")) == (0, "ann", "created")
    assert outcome(cli(*ANN, "--json")) == (0, "ann", "existed")
    again = cli(*ANN)
    assert (again.stdout, again.stderr, again.code) == ("ann: existed\n", "", 0)


def test_a_user_who_cannot_be_is_refused_with_a_sentence_and_exit_code_2(cli: Cli, sandbox: EthoraSandbox) -> None:
    result = cli("users", "create", "a nn", "--email", "ann@x.io", "--first-name", "Ann", "--last-name", "Lee")
    assert result.code == 2
    assert result.stderr == "error: id 'a nn' holds a space: use letters, digits, '-', '.' or '_'\n"
    assert result.stdout == ""
    assert not sandbox.requests


def test_an_email_of_somebody_else_is_a_failure_with_exit_code_1(cli: Cli) -> None:
    cli(*ANN)
    result = cli(*ANN[:2], "bob", *ANN[3:], "--json")
    assert result.code == 1
    assert "belongs to another user" in result.stderr
    assert "belongs to another user" in result.json["error"]["message"]


def test_a_password_is_asked_for_and_never_an_option(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(text: str, **_: object) -> str:
        asked.append(text)
        return "a-long-password"

    monkeypatch.setattr("typer.prompt", answer)
    assert cli(*ANN, "--ask-password").code == 0
    assert asked == ["Password"]
    assert cli(*ANN, "--password", "x").code == 2


def test_users_are_listed_once_each_with_the_plain_id(cli: Cli, sandbox: EthoraSandbox) -> None:
    cli(*ANN)
    listed = cli("users", "list", "--json").json["users"]
    assert [user["id"] for user in listed if user["email"] == "ann@example.com"] == ["ann"]
    assert len({user["id"] for user in listed}) == len(listed) == 2
    assert listed[1]["xmpp_username"] == f"{sandbox.app_id}_ann"
    assert "ann\tann@example.com\tAnn Lee\n" in cli("users", "list").stdout


def test_names_that_would_steer_a_terminal_or_break_a_line_are_shown_harmless(cli: Cli) -> None:
    cli(*ANN[:6], "A\x1b[31mn\tn\ny", *ANN[7:])
    assert "ann\tann@example.com\tA [31mn n y Lee\n" in cli("users", "list").stdout


@pytest.mark.parametrize("form", ["ann", "app123_ann", "app123_app123_ann", "app123_ann@xmpp.example.com"])
def test_a_user_is_found_by_any_form_of_the_id(cli: Cli, form: str) -> None:
    cli(*ANN)
    assert cli("users", "get", form, "--json").json["id"] == "ann"
    assert cli("users", "get", form).stdout == "ann\tann@example.com\tAnn Lee\n"


def test_a_user_who_is_not_there_is_exit_code_1_and_an_error_on_stdout(cli: Cli) -> None:
    result = cli("users", "get", "nobody", "--json")
    assert result.is_only_an_error(1)
    assert result.stderr.startswith("error: User not found")


def test_deleting_tells_who_was_deleted_and_who_was_absent(cli: Cli) -> None:
    cli(*ANN)
    result = cli("users", "delete", "ann", "nobody", "--json")
    assert result.code == 0
    assert [(row["id"], row["status"]) for row in result.json["outcomes"]] == [("ann", "deleted"), ("nobody", "absent")]
    assert cli("users", "delete", "ann").stdout == "ann: absent\n"


def test_an_id_that_cannot_be_fails_alone(cli: Cli) -> None:
    result = cli("chats", "delete", "team", "", "--json")
    assert result.code == 1
    assert [(row["id"], row["status"]) for row in result.json["outcomes"]] == [("team", "absent"), ("", "failed")]


# Chats


def test_a_chat_is_created_listed_entered_left_and_deleted(cli: Cli) -> None:
    cli(*ANN)
    assert (
        outcome(cli("chats", "create", "team", "--title", "The Team", "--access", "public", "--json"))[2] == "created"
    )
    (listed,) = cli("chats", "list", "--json").json["chats"]
    assert (listed["id"], listed["title"]) == ("team", "The Team")
    assert cli("chats", "list").stdout == "team\tpublic\tThe Team\n"
    granted = cli("chats", "grant", "team", "ann", "--json")
    assert (granted.code, granted.json) == (0, {"counts": {"created": 1}, "failures": []})
    assert [user["id"] for user in cli("users", "list", "--chat", "team", "--json").json["users"]] == ["ann"]
    assert cli("chats", "revoke", "team", "ann").stdout == "1 deleted\n"
    assert cli("users", "list", "--chat", "team", "--json").json == {"users": []}
    assert outcome(cli("chats", "create", "team", "--title", "Other", "--json"))[2] == "existed"
    assert cli("chats", "delete", "team").stdout == "team: deleted\n"
    assert cli("chats", "list", "--json").json == {"chats": []}
    assert cli("chats", "list").stdout == ""


def test_a_chat_may_begin_with_members_and_not_with_unknown_ones(cli: Cli) -> None:
    cli(*ANN)
    assert cli("chats", "create", "team", "--title", "The Team", "--member", "ann").code == 0
    assert len(cli("users", "list", "--chat", "team", "--json").json["users"]) == 1
    refused = cli("chats", "create", "crew", "--title", "Crew", "--member", "nobody")
    assert (refused.code, refused.stdout) == (1, "")


def test_granting_names_the_users_who_are_not_there(cli: Cli) -> None:
    cli(*ANN)
    cli("chats", "create", "team", "--title", "The Team")
    result = cli("chats", "grant", "team", "ann", "nobody", "--json")
    assert result.code == 1
    assert result.json["counts"] == {"created": 1, "failed": 1}
    assert [failure["id"] for failure in result.json["failures"]] == ["nobody"]
    assert "  nobody: " in cli("chats", "grant", "team", "ann", "nobody").stdout


def test_an_unknown_access_is_a_mistake_of_usage(cli: Cli, sandbox: EthoraSandbox) -> None:
    result = cli("chats", "create", "team", "--title", "The Team", "--access", "secret")
    assert (result.code, result.stdout) == (2, "")
    assert "private or public, not 'secret'" in result.stderr
    assert not sandbox.requests


# Tokens


def test_a_token_is_all_that_stands_on_stdout_and_the_platform_accepts_it(cli: Cli) -> None:
    result = cli("token", "ann", "--ttl", "15m")
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.count(".") == 2
    assert result.stdout.startswith("eyJ")
    told = cli("token", "ann", "--json").json
    assert told["user_id"] == "ann"
    assert told["token"].startswith("eyJ")
    assert told["expires_at"].endswith("+00:00")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), (" 15M ", 900), ("12h", 43_200), ("2 d", 172_800)]
)
def test_a_duration_is_written_in_any_unit(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-1", "1.5h", "1w", "h", "3651d", "9" * 30, "٣", "1h1m"])
def test_a_duration_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        duration(text)


def test_a_wrong_duration_ends_the_command_with_exit_code_2(cli: Cli) -> None:
    for ttl in ("soon", "99999999d"):
        result = cli("token", "ann", "--ttl", ttl, "--json")
        assert result.is_only_an_error(2)
        assert f"--ttl '{ttl}'" in result.stderr


# Everything


def test_the_options_before_the_command_tell_version_and_help(bare: Cli) -> None:
    assert bare("--version").stdout.startswith("ethora-async ")
    for command in ("demo", "sandbox", "users", "chats", "token", "doctor"):
        assert command in bare("--help").stdout
        assert bare(command, "--help").code == 0


@pytest.mark.parametrize("args", [(), ("nonsense",), ("users",), ("users", "get"), ("users", "list", "--nonsense")])
def test_a_mistake_of_usage_is_exit_code_2(bare: Cli, args: tuple[str, ...]) -> None:
    assert bare(*args).code == 2


@pytest.mark.parametrize("missing", ["ETHORA_CHAT_API_URL", "ETHORA_CHAT_APP_ID", "ETHORA_CHAT_APP_SECRET"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_setting_is_named_with_where_it_was_looked_for(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, missing: str, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv(missing)
    else:
        monkeypatch.setenv(missing, value)
    result = cli("users", "list", "--json")
    assert result.is_only_an_error(2)
    assert result.stderr.startswith(f"error: {missing} is not set, or empty, in the environment")
    assert "pass secret=" not in result.stderr


def test_all_missing_settings_are_named_at_once(bare: Cli) -> None:
    result = bare("users", "list")
    assert result.code == 2
    for name in ("ETHORA_CHAT_API_URL", "ETHORA_CHAT_APP_ID", "ETHORA_CHAT_APP_SECRET"):
        assert name in result.stderr


@pytest.mark.parametrize("url", ["ftp://x", "http://user:pass-canary@x", "http://x?key=pass-canary", "x", "http://"])
def test_an_api_url_that_cannot_be_used_is_exit_code_2_and_not_repeated(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ETHORA_CHAT_API_URL", url)
    result = cli("users", "list")
    assert result.code == 2
    assert "ETHORA_CHAT_API_URL" in result.stderr
    assert "canary" not in result.stderr


@pytest.mark.parametrize("ending", ["/", "/v1", "/v2/"])
def test_an_api_url_may_end_in_a_slash_or_a_version(
    cli: Cli, sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setenv("ETHORA_CHAT_API_URL", sandbox.url + ending)
    assert cli("users", "list").code == 0


def test_secrets_come_from_the_store_that_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = tmp_path / "ethora.env"
    store.write_text("ETHORA_CHAT_APP_SECRET=canary-secret-of-the-app\n")
    monkeypatch.delenv("ETHORA_CHAT_APP_SECRET")
    assert cli("--secrets", f"file://{store}", "users", "list").code == 0
    monkeypatch.setenv("ETHORA_SECRETS", f"file://{store}")
    assert cli("users", "list").code == 0
    refused = cli("--secrets", "file:///nowhere/at/all", "users", "list")
    assert refused.code == 2
    assert "/nowhere/at/all" in refused.stderr
    assert cli("--secrets", "gold://fort", "users", "list").code == 2


def test_a_platform_that_refuses_our_token_is_exit_code_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETHORA_CHAT_APP_SECRET", "another-secret-altogether")
    for args in (("users", "list", "--json"), ("chats", "list"), ("users", "get", "ann")):
        result = cli(*args)
        assert result.is_only_an_error(3) if "--json" in args else (result.code, result.stdout) == (3, "")
        assert "401" in result.stderr
    assert cli("users", "delete", "ann").code == 3


@pytest.mark.parametrize("args", [("users", "delete", "ann", "bob"), ("chats", "delete", "ann", "bob")])
def test_a_platform_that_fails_at_every_item_is_exit_code_3(
    cli: Cli, sandbox: EthoraSandbox, args: tuple[str, ...]
) -> None:
    sandbox.faults.fail("*", times=None, status=403)
    result = cli(*args, "--json")
    assert result.code == 3
    assert [row["status"] for row in result.json["outcomes"]] == ["failed", "failed"]


async def test_a_listing_that_breaks_off_is_valid_json_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(count: int) -> AsyncGenerator[Chat, None]:
        for number in range(count):
            yield Chat(id=f"c{number}", name=f"app_c{number}")
        msg = "gone"
        raise ReplyLostError(msg)

    with pytest.raises(ReplyLostError):
        await print_list("chats", broken(2), as_json=True)
    assert [chat["id"] for chat in json.loads(capsys.readouterr().out)["chats"]] == ["c0", "c1"]
    with pytest.raises(ReplyLostError):
        await print_list("chats", broken(0), as_json=True)
    assert capsys.readouterr().out == ""
    with pytest.raises(ReplyLostError), replying(["--json"]):
        await print_list("chats", broken(1), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [chat["id"] for chat in found["chats"]] == ["c0"]
    assert found["error"]["exit_code"] == 1
