"""The page: one HTML file with inline styles, no scripts and no external resources."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ethora_async._version import __version__
from ethora_async.bulk.outcome import STATUSES
from ethora_async.cli.output import shown
from ethora_async.cli.progress import WORDS
from ethora_async.cli.report_page.chart import COLOURS, chart, duration
from ethora_async.redaction import scrub
from ethora_async.sync.store.items import CANNOT_CHANGE, EXTRA, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ethora_async.cli.report_page.findings import Findings, Reason
    from ethora_async.cli.report_page.timeline import Lap
    from ethora_async.sync.store.items import Entry

Tone = Literal["good", "warn", "bad", "plain"]

KINDS = {"user": "Users", "chat": "Chats", "member": "Access"}
ACTIONS = ("create", "update", "delete", "grant", "revoke")
VERBS = {**{action: action for action in ACTIONS}, CANNOT_CHANGE: "cannot be changed", EXTRA: "in no list"}
FAILED = ("failed", "unknown")
NOTHING = "–"
_IDENTITY = re.compile(r"(\w{1,100})Client\((.*)\)")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@attrs.frozen
class Headline:
    """The result of a run in a few words."""

    text: str
    tone: Tone = "plain"


@attrs.frozen
class RunSummary:
    """A run to report on.

    Attributes:
        command: the command without its options.
        platform: the client, as its plans name it.
        at: the time of its end.
        seconds: its duration.
        headline: its result.
        error: why it ended early, or None.
        findings: what was planned and done; None if it ended before a plan was made.
        facts: further facts for the header: name and value.
    """

    command: str
    platform: str | None
    at: datetime
    seconds: float
    laps: Sequence[Lap]
    headline: Headline
    error: str | None = None
    findings: Findings | None = None
    facts: Mapping[str, str] = attrs.field(factory=dict)


def page_of(run: RunSummary) -> str:
    """Build the page, without the line that it begins with."""
    title = f"{run.command}: {run.headline.text}"
    found = run.findings
    body = [_head(run)]
    if found is not None:
        body += [_numbers(found), _counts(found)]
    body.append(_progress(run))
    if found is not None:
        body += [_failures(found), _problems(found), _unchangeable(found), _changes(found)]
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<head>\n<meta charset="utf-8">\n{policy}\n{viewport}\n'
        f'<meta name="color-scheme" content="light dark">\n<meta name="robots" content="noindex">\n'
        f'<title>{_text(title)}</title>\n<link rel="icon" href="data:,">\n<style>\n{_style()}</style>\n</head>\n'
        f"<body>\n<main>\n{''.join(body)}</main>\n"
        f'<footer class="soft">Made by ethora-async {_text(__version__)}. This page holds personal data of your '
        "users, and no secret.</footer>\n</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return files("ethora_async.cli.report_page").joinpath("assets", "report.css").read_text("utf-8")


def _text(value: Any) -> str:
    """Escape one of our texts, or a short one from outside, for HTML."""
    return escape(shown(str(value)))


def _foreign(value: Any) -> str:
    """Escape a text from a list or the platform: mask secrets, truncate it, and isolate its writing direction."""
    return f"<bdi>{escape(scrub(str(value)))}</bdi>"


def _head(run: RunSummary) -> str:
    facts = {
        "Platform": _platform(run.platform),
        "Ended": run.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "Took": duration(run.seconds),
        **run.facts,
    }
    rows = "".join(f"<div><dt>{_text(name)}</dt><dd>{_foreign(value)}</dd></div>" for name, value in facts.items())
    error = "" if run.error is None else f'<p class="error">{_foreign(run.error)}</p>'
    guard = run.findings.guard if run.findings is not None else None
    stopped = "" if guard is None else f'<p class="error">Stopped by a guard: {_foreign(guard)}</p>'
    return (
        f'<header><p class="command">{_text(run.command)}</p>'
        f'<h1><span class="pill {run.headline.tone}" aria-hidden="true"></span>{_text(run.headline.text)}</h1>'
        f"<dl>{rows}</dl>{error}{stopped}</header>\n"
    )


def _platform(identity: str | None) -> str:
    """Return a client's identifying settings for display."""
    found = _IDENTITY.fullmatch(identity or "")
    if found is None:
        return identity or NOTHING
    settings = found[2].replace("'", "").replace("=", " ")
    return f"{found[1]}: {settings}" if settings else found[1]


def _section(title: str, content: str, note: str = "") -> str:
    told = f'<p class="soft">{note}</p>' if note else ""
    return f"<section><h2>{title}</h2>{told}{content}</section>\n"


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]], label: str) -> str:
    """Build a table of HTML cells; the first cell of a row is its header."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{_text(label)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _numbers(found: Findings) -> str:
    summary, results = found.summary, Counter[str]()
    for (_, _, status), count in (found.results or {}).items():
        results[status] += count
    cards = [_card("changes planned", summary.total)]
    if found.results is not None:
        failed = sum(results[status] for status in FAILED)
        done = results.total() - failed
        cards += [_card("done", done, "good"), _card("failed", failed, "bad")]
        if left := summary.total - results.total():
            cards.append(_card("not done yet", left, "warn"))
    further: tuple[tuple[str, int, Tone], ...] = (
        ("rows that cannot be used", sum(summary.problems.values()), "warn"),
        ("cannot be changed", sum(summary.cannot_change.values()), "warn"),
        ("there and in no list", sum(summary.extras.values()), "plain"),
        ("left for later", summary.left, "plain"),
    )
    cards += [_card(name, number, tone) for name, number, tone in further if number]
    return f'<ul class="cards">{"".join(cards)}</ul>\n'


def _card(name: str, number: int, tone: Tone = "plain") -> str:
    return f'<li class="{tone if number else "plain"}"><b>{number:,}</b> <span>{_text(name)}</span></li>'


def _counts(found: Findings) -> str:
    summary = found.summary
    kinds = [
        kind
        for kind in KINDS
        if any(one == kind for one, _ in summary.changes)
        or any(kind in counts for counts in (summary.cannot_change, summary.extras, summary.problems, summary.compared))
    ]
    if not kinds:
        return _section("Counts", '<p class="soft">There is nothing to count.</p>')
    columns: dict[str, Mapping[str, int]] = {"compared": summary.compared}
    columns |= {f"to {action}": _by_kind(summary.changes, action) for action in ACTIONS}
    columns |= {"cannot be changed": summary.cannot_change, "in no list": summary.extras}
    columns["rows not usable"] = summary.problems
    planned = _count_table("planned", kinds, columns)
    outcomes = ""
    if found.results:
        ended = {str(status): _ended(found, status) for status in STATUSES}
        outcomes = f"<h3>Outcome</h3>{_count_table('outcome', kinds, ended)}"
    return _section("Counts", f"<h3>Plan</h3>{planned}{outcomes}")


def _by_kind(changes: Mapping[tuple[str, str], int], action: str) -> dict[str, int]:
    return {kind: count for (kind, one), count in changes.items() if one == action}


def _ended(found: Findings, status: str) -> dict[str, int]:
    counts = Counter[str]()
    for (kind, _, ended), count in (found.results or {}).items():
        counts[kind] += count if ended == status else 0
    return counts


def _count_table(name: str, kinds: Sequence[str], columns: Mapping[str, Mapping[str, int]]) -> str:
    used = {title: counts for title, counts in columns.items() if any(counts.get(kind) for kind in kinds)}
    rows = [
        [KINDS[kind], *(f"{counts[kind]:,}" if counts.get(kind) else "–" for counts in used.values())] for kind in kinds
    ]
    return _table(["Kind", *map(_text, used)], rows, f"Counts by kind, {name}")


def _progress(run: RunSummary) -> str:
    if not run.laps:
        return _section("Progress", '<p class="soft">Nothing was begun.</p>')
    rows = [
        [
            f'<i class="swatch c{number % COLOURS}"></i>{_text(WORDS.get(lap.step, lap.step))}',
            duration(lap.started),
            duration(lap.seconds),
            f"{lap.done:,}" + (f" of {lap.total:,}" if lap.total is not None and lap.total != lap.done else ""),
            f'<b class="bad">{lap.failed:,}</b>' if lap.failed else "–",
            f"{lap.done / lap.seconds:,.0f}" if lap.seconds >= 0.001 and lap.done else "–",
        ]
        for number, lap in enumerate(run.laps)
    ]
    table = _table(("Step", "Began after", "Took", "Records", "Failed", "A second"), rows, "Durations by step")
    return _section("Progress and durations", chart(run.laps, run.seconds) + table)


def _failures(found: Findings) -> str:
    if not found.failures:
        return ""
    return _section("Failures by reason", _reasons(found.failures, "Failures by reason"))


def _problems(found: Findings) -> str:
    number = sum(found.summary.problems.values())
    if not number:
        return ""
    title = "Conflicts and rows that cannot be used"
    if not found.problems:
        return _section(title, "<p>The plan's file tells their number alone: see the run that made the plan.</p>")
    return _section(title, _reasons(found.problems, title), "These rows were left out; everything else is planned.")


def _reasons(reasons: Sequence[Reason], label: str) -> str:
    rows = [
        [
            _foreign(reason.text),
            f"{reason.count:,}",
            "<br>".join(_example(one) for one in reason.examples)
            + (
                f'<br><span class="soft">and {more:,} more</span>'
                if (more := reason.count - len(reason.examples))
                else ""
            ),
        ]
        for reason in reasons
    ]
    return _table(("Reason", "How many", "Which"), rows, label)


def _example(one: Entry | Problem) -> str:
    place = "" if one.file is None else Path(one.file).name if "://" not in one.file else one.file
    line = "" if one.line is None else f" line {one.line:,}"
    where = f' <span class="soft">{_foreign(place)}{line}</span>' if place else ""
    name = one.id if isinstance(one, Problem) else one.name
    what = "" if isinstance(one, Problem) else f"{_text(one.action)} "
    return f"{what}{_foreign(name or '(no id)')}{where}"


def _unchangeable(found: Findings) -> str:
    content = "".join(
        _change_table(kind, action, entries, found.summary.cannot_change.get(kind, 0))
        for (kind, action), entries in found.changes.items()
        if action == CANNOT_CHANGE
    )
    return _section("What the platform does not let us change", content, "These stay as they are.") if content else ""


def _changes(found: Findings) -> str:
    summary = found.summary
    content = "".join(
        _change_table(kind, action, entries, summary.extras[kind] if action == EXTRA else summary.changes[kind, action])
        for (kind, action), entries in found.changes.items()
        if action != CANNOT_CHANGE and entries
    )
    return _section("The plan", content) if content else ""


def _change_table(kind: str, action: str, entries: Sequence[Entry], total: int) -> str:
    rows = [[_foreign(entry.name), _detail(entry), _outcome(entry)] for entry in entries]
    more = total - len(entries)
    rest = f'<p class="soft">and {more:,} more; --json lists all</p>' if more > 0 else ""
    title = f"{KINDS[kind]}: {VERBS[action]}"
    columns = ["Id", "Fields", "Outcome"]
    empty = [column for column in (1, 2) if all(row[column] == NOTHING for row in rows)]
    for column in reversed(empty):
        del columns[column]
        for row in rows:
            del row[column]
    return f'<h3>{_text(title)} <span class="soft">{total:,}</span></h3>{_table(columns, rows, title)}{rest}'


def _detail(entry: Entry) -> str:
    before, after = dict(entry.before or {}), dict(entry.after or {})
    if entry.action in ("update", CANNOT_CHANGE):
        fields = after.get("fields", after)
        parts = [
            f"{_text(name)}: <del>{_value(before.get(name))}</del> → <ins>{_value(value)}</ins>"
            for name, value in fields.items()
        ]
        reason = [_foreign(entry.reason)] if entry.reason and not entry.status else []
        return "<br>".join(parts + reason)
    record = after or before
    told = [f"{_text(name)}: {_value(value)}" for name, value in record.items() if name != "id" and value is not None]
    return ", ".join(told) or NOTHING


def _value(value: Any) -> str:
    return '<span class="soft">nothing</span>' if value is None else _foreign(value)


def _outcome(entry: Entry) -> str:
    if entry.status is None:
        return NOTHING
    return f'<b class="{"bad" if entry.status in FAILED else "good"}">{_text(entry.status)}</b>'
