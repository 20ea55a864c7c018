"""Behaviour that needs a separate process: streams, signals, terminals, exit codes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cli_helpers import SECRET, clean, people
from command_processes import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cli_helpers import Cli, Process

    from ethora_async.sandbox import EthoraSandbox

    Launch = Callable[..., Process]
    Csv = Callable[[str, str], str]
    Env = Mapping[str, str]

MODULE = ("-m", "ethora_async")


# Ctrl-C


@pytest.fixture
def slow_after_first(sandbox: EthoraSandbox) -> Iterator[None]:
    """After the first batch, the next two wait until their caller has disconnected."""
    armed = False

    def listen(_: object) -> None:
        nonlocal armed
        if not armed:
            armed = True
            sandbox.faults.latency(3600, "POST *", times=2)

    sandbox._log._listener = listen
    yield
    sandbox.faults.clear()


@pytest.mark.usefixtures("slow_after_first")
def test_ctrl_c_during_an_import_ends_it_with_130_and_a_whole_json_report_of_what_was_done(
    launch: Launch, settings: Env, csv: Csv, sandbox: EthoraSandbox
) -> None:
    path = csv("people.csv", people(1000))
    process = launch("users", "import", path, "--json", env=settings)
    process.lines_until(process.stderr, lambda line: line.startswith("users: "))
    process.popen.send_signal(signal.SIGINT)
    result = process.finish()
    assert result.code == 130
    done = result.json["counts"]["created"]
    assert 100 <= done <= 900
    assert result.json["failures"] == []
    assert done <= len(sandbox.store.app(sandbox.app_id).users) - 1
    assert result.stderr.endswith("interrupted\n")
    assert "Traceback" not in result.stderr


# Output that nobody takes


def test_a_reader_that_has_had_enough_is_no_error_to_speak_of(
    launch: Launch, settings: Env, cli: Cli, csv: Csv
) -> None:
    cli("users", "import", csv("people.csv", people(2000)))
    for args in (("users", "list"), ("users", "list", "--json")):
        process = launch(*args, env=settings, python=MODULE)
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.popen.wait() == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_behind_stdout_is_one_sentence(settings: Env) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ethora_async", "users", "list"],
            env=clean(settings),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"error: No space left on device\n")


def test_names_that_the_terminal_cannot_write_do_not_end_the_command(
    launch: Launch, settings: Env, cli: Cli, csv: Csv
) -> None:
    cli("users", "import", csv("people.csv", "id,email,first_name,last_name\nmin,min@example.com,任任,任任\n"))
    env = {**settings, "PYTHONIOENCODING": "iso-8859-1"}
    result = launch("users", "list", env=env, python=MODULE).finish()
    assert result.code == 0
    assert "min@example.com\t\\u4efb\\u4efb" in result.stdout


# Ways to start it


def test_json_stands_alone_on_stdout_and_progress_on_stderr(launch: Launch, settings: Env, csv: Csv) -> None:
    # FORCE_COLOR, which many a CI sets, must not put a bar into a log.
    env = {**settings, "FORCE_COLOR": "1"}
    result = launch("users", "import", csv("people.csv", people(300)), "--json", env=env, python=MODULE).finish()
    assert result.code == 0
    assert json.loads(result.stdout)["counts"] == {"created": 300}
    assert result.stderr.splitlines() == ["users: 100 of about 300", "users: 200 of about 300", "users: 300 done"]


def test_as_a_module_it_goes_by_the_name_it_was_started_with(launch: Launch) -> None:
    result = launch("--help", env={}, python=MODULE).finish()
    assert result.code == 0
    assert "python -m ethora_async" in result.stdout


def test_the_installed_command_is_the_same() -> None:
    from importlib.metadata import entry_points

    (command,) = entry_points(group="console_scripts", name="ethora")
    from ethora_async.cli import main

    assert command.load() is main


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(launch: Launch, module: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; from ethora_async.cli import main; main()"
    result = launch("users", "list", env={}, python=("-c", code)).finish()
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == f"error: the command line needs {module}: pip install 'ethora-async[cli]'\n"


def test_a_weak_secret_is_a_warning_in_one_line(launch: Launch, settings: Env) -> None:
    result = launch("users", "list", env={**settings, "ETHORA_CHAT_APP_SECRET": "short"}).finish()
    warning, error = result.stderr.splitlines()
    assert warning.startswith("warning: the app secret (ETHORA_CHAT_APP_SECRET) is shorter than")
    assert error.startswith("error: ")
    assert result.code == 3


# A terminal


class Terminal:
    """A command on its own terminal."""

    def __init__(self, *args: str, env: Env) -> None:
        self._ours, theirs = os.openpty()
        self._seen = ""
        self.process = Command(*args, env=clean({"TERM": "xterm", **env}), stdin=theirs, stderr=theirs, terminal=True)
        os.close(theirs)

    def read_until(self, text: str) -> str:
        while text not in self._seen:
            self._seen += os.read(self._ours, 4096).decode()
        return self._seen

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def finish(self) -> tuple[int, str, str]:
        """Return the exit code, the text on stdout, and what the terminal showed."""
        stdout, _ = self.process.communicate()
        try:
            while piece := os.read(self._ours, 4096):
                self._seen += piece.decode()
        except OSError:
            pass  # how Linux tells that the other side has gone
        os.close(self._ours)
        assert self.process.returncode is not None
        return self.process.returncode, stdout.decode(), self._seen


def without_secret(settings: Env) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name != "ETHORA_CHAT_APP_SECRET"}


def test_a_missing_secret_is_asked_for_at_a_terminal_and_not_shown(settings: Env) -> None:
    terminal = Terminal("users", "list", "--json", env=without_secret(settings))
    terminal.read_until("app secret: ")
    terminal.type(SECRET + "\n")
    code, stdout, shown = terminal.finish()
    assert code == 0, shown
    assert len(json.loads(stdout)["users"]) == 1
    assert SECRET not in shown


def test_ctrl_c_at_the_question_for_the_secret_ends_the_command(launch: Launch, settings: Env) -> None:
    terminal = Terminal("users", "list", env=without_secret(settings))
    terminal.read_until("app secret: ")
    terminal.process.send_signal(signal.SIGINT)
    code, stdout, shown = terminal.finish()
    assert (code, stdout) == (130, "")
    assert shown.rstrip().endswith("interrupted")
    assert "Traceback" not in shown


def test_at_a_terminal_an_import_shows_a_bar(settings: Env, csv: Csv) -> None:
    terminal = Terminal("users", "import", csv("people.csv", people(300)), env=settings)
    code, stdout, shown = terminal.finish()
    assert (code, stdout) == (0, "people.csv: 300 created\n")
    assert "300/300" in shown
    assert "━" in shown


SIGNALLED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
imported, number = sys.argv[1], int(sys.argv[2])

class Signal:
    def find_spec(self, name, path=None, target=None):
        if name == imported:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Signal())
from ethora_async.cli import main
sys.argv = ["ethora", "plan", *sys.argv[3:]]
main()
"""


@pytest.mark.parametrize(
    ("imported", "number"),
    [
        ("typer", signal.SIGTERM),
        ("ethora_async.cli.plan", signal.SIGINT),
        ("ethora_async.cli.json_reply", signal.SIGTERM),
    ],
)
def test_a_signal_while_the_program_starts_is_answered_in_json(imported: str, number: signal.Signals) -> None:
    """Cron's `timeout` and a stopping pod do not wait until the modules are imported."""
    command = [sys.executable, "-c", SIGNALLED, imported, str(int(number)), "--users", "p.csv", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert json.loads(done.stdout) == {"error": {"kind": "interrupted", "message": "interrupted", "exit_code": 130}}
    assert "Traceback" not in done.stderr


def test_a_package_missing_for_the_command_line_is_told_in_json() -> None:
    code = "import sys; sys.modules['typer'] = None; sys.argv = ['ethora', 'plan', '--json']; "
    code += "from ethora_async.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'ethora-async[cli]'" in json.loads(done.stdout)["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("plan", "--users", "-"), 2, "stdin is empty"),
        pytest.param(("token",), 2, "Missing argument", marks=pytest.mark.slow),
        (("resume", "no.journal"), 2, "no.journal does not exist"),
    ],
)
@pytest.mark.parametrize("closed", [pytest.param("<&-", marks=pytest.mark.slow), "<&- 2>&-"])
def test_closed_streams_are_as_good_as_the_null_device(
    arguments: tuple[str, ...], code: int, message: str, closed: str, settings: Env
) -> None:
    """Some service managers start a program without stdin; Python then has None in its place."""
    command = shlex.join([sys.executable, *MODULE, *arguments, "--json"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} {closed}"], capture_output=True, text=True, check=False,
        env={**os.environ, **settings},
    )  # fmt: skip
    assert done.returncode == code
    assert message in json.loads(done.stdout)["error"]["message"]
    assert "Traceback" not in done.stderr
