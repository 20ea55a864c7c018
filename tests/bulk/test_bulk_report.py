"""The report of a run."""

from __future__ import annotations

import pickle
import traceback

import pytest

from ethora_async.bulk import Outcome, Report
from ethora_async.bulk.outcome import STATUSES, Status, failed
from ethora_async.errors import ConflictError, NotSentError, ServerFaultError, ValidationFailedError


def outcomes(status: Status, count: int) -> list[Outcome[int]]:
    error = (
        ServerFaultError("down")
        if status == "unknown"
        else ValidationFailedError("bad")
        if status == "failed"
        else None
    )
    return [Outcome(number, f"{status}-{number}", status, error) for number in range(count)]


def test_every_status_is_counted() -> None:
    report = Report.of(outcome for number, status in enumerate(STATUSES, 1) for outcome in outcomes(status, number))
    assert dict(report.counts) == {status: number for number, status in enumerate(STATUSES, 1)}
    assert (report.total, report.failed, report.ok) == (36, 15, False)
    assert str(report) == ("1 created, 2 existed, 3 updated, 4 unchanged, 5 deleted, 6 absent, 7 failed, 8 unknown")
    assert [outcome.status for outcome in report.failures] == ["failed"] * 7 + ["unknown"] * 8


def test_an_empty_report_is_well() -> None:
    report = Report()
    assert (str(report), report.ok, report.total) == ("nothing to do", True, 0)
    assert report.raise_for_failures() is report


def test_all_failures_are_counted_but_only_so_many_are_kept() -> None:
    report = Report(keep_failures=3)
    for outcome in outcomes("failed", 10):
        report.add(outcome)
    assert (report.failed, [outcome.item for outcome in report.failures]) == (10, [0, 1, 2])
    with pytest.raises(ExceptionGroup, match="10 of 10 items failed") as caught:
        report.raise_for_failures()
    assert len(caught.value.exceptions) == 3


def test_failures_are_raised_even_if_none_was_kept() -> None:
    report = Report(keep_failures=0)
    report.add(outcomes("failed", 1)[0])
    with pytest.raises(ExceptionGroup, match="1 of 1 items failed"):
        report.raise_for_failures()


def test_each_error_of_the_group_names_its_own_item_once() -> None:
    shared = ServerFaultError("down", operation="users.create", status=500, attempts=5)
    report = Report.of([failed(number, f"u{number}", shared) for number in range(100)])
    for _ in range(2):  # and asking again adds nothing
        with pytest.raises(ExceptionGroup) as caught:
            report.raise_for_failures()
        assert [error.__notes__ for error in caught.value.exceptions] == [[f"item 'u{n}'"] for n in range(100)]
    first = caught.value.exceptions[0]
    assert isinstance(first, ServerFaultError)
    assert (first.status, first.effect, str(first)) == (500, "unknown", str(shared))
    assert not hasattr(shared, "__notes__")
    text = "".join(traceback.TracebackException.from_exception(caught.value, max_group_width=1000).format())
    assert text.count("item 'u42'") == 1


def test_notes_that_an_error_had_are_kept() -> None:
    error = ConflictError("taken")
    error.add_note("line 3")
    with pytest.raises(ExceptionGroup) as caught:
        Report.of([failed(1, "u1", error)]).raise_for_failures()
    assert caught.value.exceptions[0].__notes__ == ["line 3", "item 'u1'"]
    assert error.__notes__ == ["line 3"]


def test_an_outcome_raises_its_own_error_or_gives_itself() -> None:
    good = Outcome(1, "u1", "created")
    assert good.raise_for_failure() is good
    bad = failed(1, "u1", NotSentError("no route"))
    with pytest.raises(NotSentError):
        bad.raise_for_failure()


def test_a_report_can_be_pickled() -> None:
    report = pickle.loads(pickle.dumps(Report.of(outcomes("failed", 2) + outcomes("created", 3))))
    assert (report.total, report.failed) == (5, 2)
