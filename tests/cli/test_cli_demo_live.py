"""``ethora demo --live``: what it prints, what it serves until it is stopped, and what it opens."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from ethora_async.cli import demo_live
from ethora_async.sandbox.ethora.tokens import peek

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_helpers import Cli, Process


def asked(url: str, method: str = "GET", **headers: str) -> bytes:
    assert url.startswith("http://127.0.0.1:")
    with urlopen(Request(url, method=method, headers={"Connection": "close", **headers})) as reply:
        body: bytes = reply.read()
        return body


@pytest.mark.parametrize("stop", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_two_imported_users_are_served_until_it_is_stopped(
    stop: signal.Signals, tmp_path: Path, launch: Callable[..., Process]
) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!{sys.executable}\nimport sys\nopen({str(opened)!r}, "w").write(sys.argv[1])\n')
    browser.chmod(0o700)
    process = launch("demo", "--live", "--json", env={"BROWSER": f"{browser} %s"})
    progress = process.lines_until(process.stderr, lambda line: line.startswith("listening"))
    told = json.loads(process.stdout.readline())
    assert told["imported"]["created"] > 1000
    first, second = told["users"]
    assert first["id"] != second["id"]
    users = [parse_qs(urlsplit(one["link"]).query)["user"][0] for one in (first, second)]
    assert parse_qs(urlsplit(told["live"]).query)["user"] == users
    for link in (first["link"], second["link"], told["live"], told["sandbox"]):
        assert b"<!DOCTYPE html>" in asked(link)
    for user, one in zip(users, (first, second), strict=True):
        origin = told["sandbox"]
        token = json.loads(asked(f"{origin}chat-token?user={user}", "POST"))["token"]
        payload = peek(token)
        assert payload is not None
        assert payload["data"]["userId"] == one["id"]
        session = json.loads(
            asked(origin.replace("/_sandbox/", "/v1/users/client"), "POST", **{"x-custom-token": token})
        )
        assert session["user"]["xmppUsername"] == user
    while not (opened.exists() and opened.read_text()):
        time.sleep(0.02)  # `launch` ends it when it takes too long
        assert process.popen.poll() is None
    process.popen.send_signal(stop)
    result = process.finish()
    assert result.code == 130
    assert result.stdout == ""  # one document, and that was read
    everything = json.dumps(told) + "".join(progress) + result.stderr
    assert "eyJ" not in everything
    assert "Traceback" not in everything
    assert opened.read_text() == told["live"]


@pytest.mark.parametrize(
    ("variables", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        ({"DISPLAY": ""}, "linux", False),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_a_browser_is_opened_where_there_is_a_display(
    variables: dict[str, str], platform: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert demo_live.has_display() is expected


@pytest.mark.parametrize("options", [("--live", "--rotate"), ("--json",)])
def test_options_that_do_not_go_together_are_refused(options: tuple[str, ...], bare: Cli) -> None:
    result = bare("demo", *options)
    assert result.code == 2
    assert "--live" in result.stderr
