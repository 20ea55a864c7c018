"""One registry of platforms: ``--platform`` before or after the command, and a plain word where it is not supported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer
from cli_runner import CliRunner

from ethora_async.capabilities import ManagesChats, ManagesUsers, MintsUserTokens
from ethora_async.cli.app import app
from ethora_async.cli.platforms import ALL, MANAGING, REGISTRY, Platform
from ethora_async.clock import SystemClock
from ethora_async.sandbox import AvayaSandbox, ImbaChatSandbox, RocketChatSandbox
from ethora_async.testing.users import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli_helpers import Cli
    from loop_thread import Loop

SUPPORTED: dict[tuple[str, ...], tuple[Platform, ...]] = {
    ("users", "list"): MANAGING,
    ("users", "export"): MANAGING,
    ("users", "import", "people.csv"): MANAGING,
    ("users", "get", "ann"): MANAGING,
    ("users", "delete", "ann"): MANAGING,
    ("chats", "list"): MANAGING,
    ("chats", "grant", "team", "ann"): MANAGING,
    ("plan", "--users", "people.csv"): MANAGING,
    ("apply", "--users", "people.csv", "--yes"): MANAGING,
    ("resume", "some.journal"): MANAGING,
    ("verify", "--users", "people.csv"): MANAGING,
    ("reset",): (Platform.ethora,),
    ("demo",): (Platform.ethora,),
}
UNSUPPORTED = [(args, platform) for args, known in SUPPORTED.items() for platform in ALL if platform not in known]


@pytest.mark.parametrize(("args", "platform"), UNSUPPORTED)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_command_that_cannot_honour_a_platform_says_so(
    bare: Cli, args: tuple[str, ...], platform: Platform, before: bool
) -> None:
    chosen = ("--platform", platform.value)
    result = bare(*chosen, *args) if before else bare(*args, *chosen)
    assert (result.code, result.stdout) == (2, "")
    name = " ".join(args[:2]) if args[0] in ("users", "chats") else args[0]
    assert f"ethora {name} does not support --platform {platform.value}; it supports ethora" in result.stderr


ON_A_DATABASE = [
    ("outbox", "init"),
    ("outbox", "trigger", "--table", "people"),
    ("outbox", "status"),
    ("outbox", "dead"),
    ("outbox", "retry", "--all"),
    ("outbox", "skip", "--all"),
    ("runs",),
]


@pytest.mark.parametrize("args", ON_A_DATABASE)
@pytest.mark.parametrize("platform", ALL)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_command_on_a_database_alone_says_that_it_uses_no_platform(
    bare: Cli, args: tuple[str, ...], platform: Platform, before: bool
) -> None:
    chosen = ("--platform", platform.value)
    result = bare(*chosen, *args) if before else bare(*args, *chosen)
    assert (result.code, result.stdout) == (2, "")
    name = " ".join(args[:2]) if args[0] == "outbox" else args[0]
    assert f"ethora {name} uses no platform: leave out --platform" in result.stderr


def test_every_command_knows_the_option() -> None:
    def commands(group: Any) -> Iterator[Any]:
        for one in group.commands.values():
            if hasattr(one, "commands"):
                yield from commands(one)
            else:
                yield one

    known = list(commands(typer.main.get_command(app)))
    assert len(known) > 20
    assert [one.name for one in known if not any("--platform" in option.opts for option in one.params)] == []


def test_a_command_is_named_as_it_is_called_however_the_program_was_started() -> None:
    for program in ("ethora", "python -m ethora_async"):
        result = CliRunner().invoke(app, ["demo", "--platform", "avaya"], prog_name=program)
        assert result.exit_code == 2
        assert "error: ethora demo does not support --platform avaya; it supports ethora" in result.stderr


def test_the_platform_after_the_command_wins(bare: Cli) -> None:
    result = bare("--platform", "avaya", "reset", "--platform", "imbachat")
    assert "--platform imbachat" in result.stderr


@pytest.fixture
def rocket(loop_thread: Loop, monkeypatch: pytest.MonkeyPatch) -> Iterator[RocketChatSandbox]:
    server = RocketChatSandbox(rate_limit=None)
    loop_thread.run(server.start())
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    loop_thread.run(server.aclose())


PEOPLE = "id,email,first_name,last_name\nann,ann@example.com,Ann,Lee\nbob,bob@example.com,Bob,Ray\n"


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of commands in this process: it moves only when they wait."""
    clock = FakeClock()
    for name in ("now", "monotonic", "sleep"):
        monkeypatch.setattr(SystemClock, name, staticmethod(getattr(clock, name)))
    return clock


def test_a_command_waits_as_long_as_a_rate_limit_asks_and_says_so_once(
    bare: Cli,
    csv: Callable[[str, str], str],
    loop_thread: Loop,
    monkeypatch: pytest.MonkeyPatch,
    virtual_time: FakeClock,
) -> None:
    server = RocketChatSandbox(clock=virtual_time.now, rate_limit=1)
    loop_thread.run(server.start())
    try:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        on = ("--platform", "rocketchat")
        people = csv("people.csv", PEOPLE)
        for command in (
            ("users", "import", people),
            ("apply", "--users", people, "--yes"),
            ("token", "ann"),
        ):
            before = len(virtual_time.slept)
            result = bare(*command, *on, "--json")
            assert result.code == 0, (command, result.stderr)
            assert "error" not in result.json
            waited = [wait for wait in virtual_time.slept[before:] if wait > 2]
            lines = [line for line in result.stderr.splitlines() if "allows no more calls" in line]
            assert len(lines) == len(set(lines))
            assert bool(waited) == bool(lines), command
    finally:
        loop_thread.run(server.aclose())
    assert sum(virtual_time.slept) > 100


@pytest.mark.usefixtures("rocket")
def test_users_and_chats_are_managed_on_rocketchat(bare: Cli, csv: Callable[[str, str], str]) -> None:
    on = ("--platform", "rocketchat")
    report = bare("users", "import", csv("people.csv", PEOPLE), *on, "--json").json
    assert report["counts"] == {"created": 2}
    assert bare(*on, "users", "get", "ann").stdout == "ann\tann@example.com\tAnn Lee\n"
    assert bare("chats", "create", "team", "--title", "Team", *on).stdout == "team: created\n"
    assert bare("chats", "grant", "team", "ann", *on, "--json").json == {"counts": {"created": 1}, "failures": []}
    assert bare(*on, "users", "list", "--chat", "team", "--json").json["users"][-1]["id"] == "ann"
    assert "team" in bare(*on, "chats", "list").stdout
    assert bare("chats", "revoke", "team", "ann", *on).code == 0


@pytest.mark.usefixtures("rocket")
def test_an_import_says_what_rocketchat_does_not_store(bare: Cli, csv: Callable[[str, str], str]) -> None:
    on = ("--platform", "rocketchat")
    people = csv(
        "people.csv", "id,email,first_name,last_name,profile_image\nann,ann@example.com,Ann,Lee,https://x/a.png\n"
    )
    imported = bare("users", "import", people, *on)
    assert imported.code == 0
    assert imported.stderr.count("people.csv: profile_image: Rocket.Chat lists no pictures") == 1
    assert "profile_image" not in bare("users", "import", csv("plain.csv", PEOPLE), *on).stderr


@pytest.mark.usefixtures("rocket")
def test_tokens_deletions_and_the_doctor_work_on_rocketchat(bare: Cli, csv: Callable[[str, str], str]) -> None:
    on = ("--platform", "rocketchat")
    assert bare("users", "import", csv("people.csv", PEOPLE), *on).code == 0
    assert bare("chats", "create", "team", "--title", "Team", *on).code == 0
    assert bare("token", "ann", *on).code == 0
    assert "--allow-privileged" in bare("token", "admin", *on).stderr
    assert bare("token", "admin", "--allow-privileged", *on).code == 0
    assert [check["name"] for check in bare("doctor", *on, "--json").json["checks"]] == [
        "settings", "reachable", "token", "may list users", "may list chats",
    ]  # fmt: skip
    assert bare("chats", "delete", "team", *on).stdout == "team: deleted\n"
    assert bare("users", "delete", "ann", "bob", *on).stdout == "ann: deleted\nbob: deleted\n"


@pytest.mark.usefixtures("rocket")
@pytest.mark.parametrize(
    "args",
    [
        ("token", "ann", "--ttl", "5m"),
        ("users", "create", "a", "--email", "a@example.com", "--first-name", "A", "--last-name", "B",
         "--profile-image", "https://example.com/a.png"),
    ],
)  # fmt: skip
def test_an_option_that_the_platform_lacks_is_named(bare: Cli, args: tuple[str, ...]) -> None:
    result = bare(*args, "--platform", "rocketchat", "--json")
    assert result.is_only_an_error(2)
    assert "requires --platform ethora" in result.json["error"]["message"]


@pytest.mark.parametrize(("platform", "make"), [("avaya", AvayaSandbox), ("imbachat", ImbaChatSandbox)])
def test_token_and_doctor_work_on_platforms_that_only_mint(
    bare: Cli, loop_thread: Loop, monkeypatch: pytest.MonkeyPatch, platform: str, make: Any
) -> None:
    server = make()
    loop_thread.run(server.start())
    try:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        assert bare("token", "7", "--platform", platform, "--ttl", "15m").code == 0
        assert bare("token", "7", "--platform", platform, "--allow-privileged").code == 2
        result = bare("--platform", platform, "doctor", "--json")
        assert (result.code, result.json["ok"]) == (0, True)
        assert "token" in [check["name"] for check in result.json["checks"]]
    finally:
        loop_thread.run(server.aclose())


def test_the_registry_is_true_to_the_clients(rocket: RocketChatSandbox, settings: Any) -> None:
    assert settings
    assert rocket.environment
    for platform, entry in REGISTRY.items():
        client_class = entry.client_class()
        if platform in MANAGING:
            client = client_class.from_env()
            assert isinstance(client, ManagesUsers)
            assert isinstance(client, ManagesChats)
            assert isinstance(client, MintsUserTokens)
        else:
            assert not hasattr(client_class, "reset")
    assert set(REGISTRY) == set(Platform)


def test_what_is_exported_is_imported_again(cli: Cli, csv: Callable[[str, str], str], tmp_path: Path) -> None:
    people = (
        "id,email,first_name,last_name,profile_image\n"
        'a-1,a1@example.com,"Ann ""the"" Lee","de la Cruz, Jr",https://example.com/a.png\n'
        "b.2,b2@example.com,王小明,O'Brien;,\n"
        "c_3,c@example.com,=1+1,@home,\n"
    )
    assert cli("users", "import", csv("people.csv", people)).code == 0
    for name in ("out.csv", "out.jsonl"):
        out = tmp_path / name
        result = cli("users", "export", str(out), "--json")
        assert result.json == {"file": str(out), "format": out.suffix[1:], "users": 3, "not_importable": 0}
        assert out.stat().st_mode & 0o777 == 0o600
        assert cli("verify", "--users", str(out), "--prune").code == 0
    assert cli("users", "export").stdout.splitlines()[0] == "id,email,first_name,last_name,profile_image"
    assert [user["id"] for user in cli("users", "export", "--json").json["users"]] == ["a-1", "b.2", "c_3"]
    assert len(cli("users", "export", "--format", "jsonl").stdout.splitlines()) == 3


def test_an_export_overwrites_nothing_and_leaves_nothing_behind(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    assert "exists already" in cli("users", "export", str(there)).stderr
    assert there.read_text() == "mine"
    assert "not a known format" in cli("users", "export", str(tmp_path / "people.txt")).stderr
    assert "contradict" in cli("users", "export", "--json", "--format", "csv").stderr
    monkeypatch.setenv("ETHORA_CHAT_APP_SECRET", "another-secret-altogether")
    assert cli("users", "export", str(tmp_path / "new.csv")).code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
