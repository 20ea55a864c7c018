"""``--report``: the content of the page, its file mode, and that it is written however a run ends."""

from __future__ import annotations

import os
import re
import signal
import stat
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from cli_sync_helpers import DONE, INTERRUPTED, NOT_IN_STEP, PLATFORM, SOME_FAILED, STOPPED, USAGE, Shell, people, until
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.bulk.outcome import STATUSES
from ethora_async.cli.report_page import run_report
from ethora_async.cli.report_page.chart import chart, duration
from ethora_async.cli.report_page.findings import MOST_REASONS, OTHER, Findings, Reason, by_reason
from ethora_async.cli.report_page.page import Headline, RunSummary, page_of
from ethora_async.cli.report_page.report_file import BEGINNING
from ethora_async.cli.report_page.timeline import MOST_POINTS, Lap, Point, Timeline
from ethora_async.sync.plan.plan import Summary
from ethora_async.sync.plan.progress import Progress
from ethora_async.sync.store.items import Entry, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ethora_async.sandbox import EthoraSandbox

ALLOWED = frozenset(
    {"html", "head", "meta", "title", "link", "style", "body", "main", "footer", "header", "section", "div", "span"}
    | {"h1", "h2", "h3", "p", "dl", "dt", "dd", "ul", "li", "b", "i", "br", "bdi", "del", "ins", "svg", "path"}
    | {"table", "thead", "tbody", "tr", "th", "td"}
)


class Reader(HTMLParser):
    """A page as a browser parses it: its elements, and the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._hidden = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._hidden += tag == "style"
        self.text += " "

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def read(shell: Shell, name: str = "r.html") -> Reader:
    page = (shell.folder / name).read_bytes()
    assert page.startswith(BEGINNING)
    reader = Reader(page.decode())
    check(reader)
    return reader


def check(reader: Reader) -> None:
    """The page has no scripts, and loads nothing from elsewhere."""
    assert set(reader.tags) <= ALLOWED
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name == "style"]
    links = [value for name, value in reader.attributes if name in ("href", "src", "action", "xlink:href")]
    assert links == ["data:,"]


def test_a_plan_in_numbers_and_examples(shell: Shell) -> None:
    users = people(range(30)) + "u7,again@example.com,Ann,Lee,\nbad id,x@example.com,Ann,Lee,\n"
    shell.write("users.csv", users)
    result = shell("plan", "--users", "users.csv", "--report", "r.html", "--json")
    assert result.code == SOME_FAILED
    assert result.json["summary"]["total"] == 30  # alone on stdout still
    assert "report: r.html" in result.stderr
    page = read(shell)
    for told in ("30 changes, and rows that cannot be used", "30 changes planned", "2 rows that cannot be used",
                 "Users: create 30", "u0 email: u0@example.com", "and 20 more", "was already used", "users.csv line 32",
                 "reading users", "Ethora: app_id app123"):  # fmt: skip
        assert told in page.words, told
    assert stat.S_IMODE((shell.folder / "r.html").stat().st_mode) == 0o600


def test_what_was_carried_out_and_why_the_rest_was_not(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(20)))
    shell.write("chats.csv", "id,title\n" + "".join(f"c{n},Chat {n}\n" for n in range(6)))
    sandbox.faults.fail("POST /v2/chats", status=422, times=2)
    result = shell("apply", "--yes", "--users", "users.csv", "--chats", "chats.csv", "--report", "r.html")
    assert result.code == SOME_FAILED
    page = read(shell)
    for told in ("2 of 26 changes failed", "24 done", "Failures by reason", "HTTP 422", "creating users",
                 "creating chats"):  # fmt: skip
        assert told in page.words, told
    assert len(re.findall(r"create c\d chats\.csv line \d", page.words)) == 2
    assert page.tags.count("svg") == 1
    assert "failures" in [value.split()[-1] for name, value in page.attributes if name == "class" and value]
    # Once more: it is in step, and the report makes room.
    assert shell("apply", "--yes", "--users", "users.csv", "--chats", "chats.csv", "--report", "r.html").code == DONE
    assert "2 changes made" in read(shell).words
    assert shell("apply", "--yes", "--users", "users.csv", "--chats", "chats.csv", "--report", "r.html").code == DONE
    assert "Nothing to do" in read(shell).words
    assert shell("verify", "--users", "users.csv", "--report", "r.html").code == DONE
    assert "In step: both sides agree" in read(shell).words


def test_a_comparison_says_what_differs(shell: Shell) -> None:
    shell.write("users.csv", people(range(5)))
    assert shell("verify", "--users", "users.csv", "--report", "r.html").code == NOT_IN_STEP
    page = read(shell)
    assert "Not in step" in page.words
    assert "5 changes planned" in page.words


def test_a_plan_that_a_guard_stops(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(20)))
    assert shell("apply", "--yes", "--users", "users.csv").code == DONE
    shell.write("users.csv", people(range(2)))
    for command in (("plan",), ("apply", "--yes")):
        assert shell(*command, "--users", "users.csv", "--prune", "--report", "r.html").code == STOPPED
        assert "Stopped by a guard:" in read(shell).words
    assert len(sandbox.store.app("app123").users) == 21


@pytest.mark.usefixtures("stalling")
@pytest.mark.parametrize("stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_run_is_reported_and_so_is_its_end(
    stop: signal.Signals, shell: Shell, sandbox: EthoraSandbox
) -> None:
    shell.write("users.csv", people(range(500)))
    process = shell.start("apply", "--yes", "--users", "users.csv", "--report", "r.html")
    # The first batch is known to be in.
    until(lambda: any(record.method == "GET" and "/batch/" in record.path for record in list(sandbox.requests)))
    process.send_signal(stop)
    assert shell.finish(process).code == INTERRUPTED
    page = read(shell)
    assert page.words.startswith("ethora apply: Interrupted")
    assert "Ctrl-C or SIGTERM ended the run." in page.words
    assert "500 changes planned" in page.words
    assert "not done yet" in page.words
    sandbox.faults.clear()
    assert shell("resume", "ethora-apply.journal", "--report", "end.html").code == DONE
    assert "500 changes made" in read(shell, "end.html").words


def test_a_platform_that_is_away_is_reported(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(3)))
    sandbox.faults.fail("GET *", status=401, times=None)
    for command in ("plan", "verify", "apply"):
        words = (command, "--users", "users.csv", "--report", f"{command}.html", *(["--yes"] * (command == "apply")))
        assert shell(*words).code == PLATFORM
        page = read(shell, f"{command}.html")
        assert "Ended by an error" in page.words
        assert "HTTP 401" in page.words


def test_a_plan_that_nobody_confirms(shell: Shell) -> None:
    shell.write("users.csv", people(range(3)))
    assert shell.on_terminal("apply", "--users", "users.csv", "--report", "r.html", answer=b"n\n").code == STOPPED
    page = read(shell)
    assert "Not confirmed; nothing was changed" in page.words
    assert "3 changes planned" in page.words


@pytest.mark.parametrize("kind", ["text", "empty", "symlink", "directory", "missing"])
def test_only_a_report_is_ever_replaced_and_nothing_is_done_before(
    kind: str, shell: Shell, sandbox: EthoraSandbox
) -> None:
    shell.write("users.csv", people(range(3)))
    target = shell.folder / "r.html"
    precious = shell.folder / "precious"
    precious.write_bytes(BEGINNING + b"of somebody")
    if kind == "directory":
        target.mkdir()
    elif kind == "symlink":
        target.symlink_to(precious)
    elif kind != "missing":
        target.write_text("" if kind == "empty" else "<!DOCTYPE html>\n<html lang='en'>mine")
    name = "none/r.html" if kind == "missing" else "r.html"
    for command in (("plan",), ("apply", "--yes"), ("verify",)):
        result = shell(*command, "--users", "users.csv", "--report", name, "--json")
        assert result.code == USAGE
        assert result.json["error"]["field"] == "report"
    assert len(sandbox.store.app("app123").users) == 1
    assert list(sandbox.requests) == []
    assert precious.read_bytes() == BEGINNING + b"of somebody"
    assert not list(shell.folder.glob(".r.html*"))


def test_a_file_that_comes_there_meanwhile_stays(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.write("users.csv", people(range(3)))

    def write(place: Path, text: str) -> None:
        place.write_text("somebody else's")
        original(place, text)

    original = run_report.write_report
    monkeypatch.setattr(run_report, "write_report", write)
    assert shell("plan", "--users", "users.csv", "--report", "r.html").code == USAGE
    assert (shell.folder / "r.html").read_text() == "somebody else's"
    assert os.listdir(shell.folder).count("r.html") == 1
    assert not list(shell.folder.glob(".r.html*"))


def test_a_report_that_cannot_be_written_costs_nothing_but_the_exit_code(
    shell: Shell, sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("users.csv", people(range(3)))

    def full(place: Path, text: str) -> None:
        raise OSError(28, "No space left on device", str(place))

    monkeypatch.setattr(run_report, "write_report", full)
    result = shell("apply", "--yes", "--users", "users.csv", "--report", "r.html", "--json")
    assert result.code == SOME_FAILED
    assert result.json["results"] == {"user create": {"created": 3}}
    assert "No space left on device" in result.stderr
    assert len(sandbox.store.app("app123").users) == 4


def test_no_secret_is_on_the_page(shell: Shell, sandbox: EthoraSandbox) -> None:
    canary = "canary-password-1"
    leaky = "eyJhbGciOiJIUzI1NiJ9.eyJkYXRhIjoiY2FuYXJ5In0.c2lnbmF0dXJlLWNhbmFyeQ"
    users = people(range(4), password=canary) + f"u9,not an address,password={canary},{leaky},{canary}\n"
    shell.write("users.csv", users)
    sandbox.faults.fail("POST /v2/users/batch", status=422, body={"error": f"bad token {leaky}"}, times=1)
    for command in (("plan",), ("apply", "--yes"), ("verify",)):
        shell(*command, "--users", "users.csv", "--report", "r.html")
        page = (shell.folder / "r.html").read_text("utf-8")
        for secret in (canary, leaky, "canary-secret-of-the-app", sandbox.admin_password):
            assert secret not in page


TEXTS = st.text(max_size=40) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</style><b>",
        "'\"><img src=x onerror=alert(1)>",
        "&lt;",
        "\u202egpj.exe",
        "\udcff",
        "a\x00b",
    ]
)
ENTRIES = st.builds(
    Entry,
    number=st.just(1),
    step=st.just(1),
    kind=st.sampled_from(["user", "chat", "member"]),
    action=st.sampled_from(["create", "update", "delete", "grant", "cannot change", "extra"]),
    key=TEXTS,
    other=TEXTS,
    before=st.none() | st.dictionaries(TEXTS, st.none() | TEXTS, max_size=2),
    after=st.none() | st.dictionaries(TEXTS, st.none() | TEXTS, max_size=2),
    file=st.none() | TEXTS,
    line=st.none() | st.integers(0, 10**9),
    status=st.none() | st.sampled_from(STATUSES),
    reason=st.none() | TEXTS,
)
PROBLEMS = st.builds(
    Problem, kind=st.just("user"), id=TEXTS, file=TEXTS, line=st.integers(), column=TEXTS, reason=TEXTS
)


@given(st.lists(ENTRIES, max_size=4), st.lists(PROBLEMS, max_size=2), TEXTS, st.integers(0, 3))
def test_whatever_people_wrote_is_text_on_the_page(
    entries: list[Entry], problems: list[Problem], text: str, failed: int
) -> None:
    changes: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        changes.setdefault((entry.kind, entry.action), []).append(entry)
    counts = {key: len(found) for key, found in changes.items() if key[1] not in ("cannot change", "extra")}
    aside = {
        action: {kind: len(found) for (kind, one), found in changes.items() if one == action}
        for action in ("cannot change", "extra")
    }
    summary = Summary(counts, aside["cannot change"], aside["extra"], {"user": len(problems)} if problems else {})
    reasons = [Reason(text, 3, [*entries, *problems])]
    found = Findings(summary, text, changes, {("user", "create", "failed"): failed}, reasons, reasons)
    laps = [Lap(text, [Point(0.0, 0), Point(1.0, 5, 2)], 7), Lap("x", [Point(1.0, 0)])]
    run = RunSummary(text, text, datetime.now(UTC), 2.0, laps, Headline(text, "bad"), text, found, {text: text})
    page = page_of(run).encode("utf-8", "backslashreplace").decode()
    reader = Reader(f"<html>{page}")
    check(reader)
    assert "<script>" not in page
    assert "\u202e" not in page
    assert "\x00" not in page


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5000), st.floats(0, 2)), max_size=700))
def test_a_timeline_stays_small_and_in_order(reports: list[tuple[str, int, float]]) -> None:
    now = 0.0
    timeline = Timeline(lambda: now)
    with timeline.watching(lambda _: None) as on_progress:
        for step, done, pause in reports:
            now += pause
            on_progress(Progress(step, done, 5000, done // 3))
    end = timeline.seconds
    now += 1000  # somebody is asked
    with timeline.watching(lambda _: None) as on_progress:
        now += 1
        on_progress(Progress("d", 1))
    assert timeline.seconds == pytest.approx(end + 1)
    times = [point.at for lap in timeline.laps for point in lap.points]
    assert times == sorted(times)
    assert all(len(lap.points) <= MOST_POINTS + 1 for lap in timeline.laps)
    assert [lap.step for lap in timeline.laps][-1] == "d"
    picture = chart(timeline.laps, timeline.seconds)
    numbers = [float(number) for path in re.findall(r' d="([^"]*)"', picture) for number in re.findall(r"[\d.]+", path)]
    assert all(0 <= number <= 1001 for number in numbers)


def test_a_step_takes_from_the_end_of_the_one_before() -> None:
    now = 100.0
    timeline = Timeline(lambda: now)
    with timeline.watching(lambda _: None) as on_progress:
        for at, step, done in ((102, "a", 10), (103, "a", 20), (106, "b", 1), (107, "c", 0), (110, "d", 4)):
            now = at
            on_progress(Progress(step, done))
        now = 111.0
    spans = [(lap.step, lap.started, lap.seconds) for lap in timeline.laps]
    assert spans == [("a", 0, 3), ("b", 3, 3), ("c", 6, 4), ("d", 10, 1)]


async def test_reasons_are_counted_in_bounded_memory() -> None:
    async def entries() -> AsyncIterator[Entry]:
        for number in range(3000):
            reason = f"the chat c{number} was not created" if number % 2 else f"odd reason {'x' * (number % 101)}"
            yield Entry(number, 1, "member", "grant", f"c{number}", "u", status="failed", reason=reason)

    reasons = await by_reason(entries(), lambda entry: str(entry.reason)[:20])
    assert len(reasons) == MOST_REASONS + 1
    assert reasons[-1].text == OTHER
    assert sum(reason.count for reason in reasons) == 3000


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.00 s"), (0.387, "0.39 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7322, "2 h 2 min")]
)
def test_times_are_written_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text
