from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import ConflictError, ReplyLostError, UnauthorizedError
from ethora_async.sync.importing import import_rows
from ethora_async.sync.sources.csv_file import CsvFile
from ethora_async.sync.sources.formats import MEMBERS, USERS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable
    from pathlib import Path

    from ethora_async.records import NewUser
    from ethora_async.sync.importing import RowResult

HEADER = "id,email,first_name,last_name\n"


def people(count: int) -> str:
    return HEADER + "".join(f"u{number},u{number}@example.com,Ann,Lee\n" for number in range(count))


async def opened(folder: Path, text: str) -> CsvFile[NewUser]:
    path = folder / "users.csv"
    path.write_text(text)
    return await CsvFile.open(path, USERS)


async def test_each_result_bears_the_line_of_its_row_whatever_the_order_they_are_done_in(tmp_path: Path) -> None:
    async def backwards(users: AsyncIterable[NewUser]) -> AsyncGenerator[Outcome[NewUser], None]:
        for user in reversed([user async for user in users]):
            yield Outcome(user, user.id, "created")

    file = await opened(tmp_path, people(3) + "\nbad,bad,Bob,Ray\n" + "u9,u9@example.com,Ann,Lee\n")
    results: list[RowResult] = []
    await import_rows(file, backwards, results.append)  # type: ignore[arg-type]
    assert sorted((result.row, result.id, result.status) for result in results) == [
        (2, "u0", "created"),
        (3, "u1", "created"),
        (4, "u2", "created"),
        (6, "bad", "failed"),
        (7, "u9", "created"),
    ]
    assert {result.file for result in results} == {str(file.path)}


async def test_equal_rows_keep_their_own_lines(tmp_path: Path) -> None:
    async def done(pairs: AsyncIterable[Any]) -> AsyncGenerator[Outcome[Any], None]:
        for pair in [pair async for pair in pairs]:
            yield Outcome(pair, "/".join(pair), "created")

    path = tmp_path / "members.csv"
    path.write_text("chat,user\nteam,ann\nteam,ann\nteam,ann\n")
    results: list[RowResult] = []
    await import_rows(await CsvFile.open(path, MEMBERS), done, results.append)  # type: ignore[arg-type]
    assert [result.row for result in results] == [2, 3, 4]


async def test_a_failure_tells_its_reason_and_the_column_only_where_a_column_is_at_fault(tmp_path: Path) -> None:
    async def refusing(users: AsyncIterable[NewUser]) -> AsyncGenerator[Outcome[NewUser], None]:
        first, second = [user async for user in users]
        yield Outcome(first, first.id, "failed", ConflictError("taken", operation="users.create"))
        yield Outcome(second, second.id, "unknown", ReplyLostError("lost"))

    results: list[RowResult] = []
    await import_rows(await opened(tmp_path, people(2) + "x,y,Bob,Ray\n"), refusing, results.append)  # type: ignore[arg-type]
    by_row = {result.row: (result.status, result.column, result.reason) for result in results}
    assert by_row[2] == ("failed", None, "taken [users.create]")
    assert by_row[3] == ("unknown", None, "lost [it may have taken effect]")
    assert by_row[4] == ("failed", "email", "email 'y' is not a valid e-mail address")


async def test_an_error_that_ends_the_run_comes_after_the_results_before_it_and_closes_the_file(
    tmp_path: Path,
) -> None:
    async def stopping(users: AsyncIterable[NewUser]) -> AsyncGenerator[Outcome[NewUser], None]:
        async for user in users:
            yield Outcome(user, user.id, "created")
            msg = "no"
            raise UnauthorizedError(msg)

    results: list[RowResult] = []
    with pytest.raises(UnauthorizedError):
        await import_rows(await opened(tmp_path, people(5)), stopping, results.append)  # type: ignore[arg-type]
    assert [result.id for result in results] == ["u0"]


@pytest.mark.slow
async def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    async def done(users: AsyncIterable[NewUser]) -> AsyncGenerator[Outcome[NewUser], None]:
        async for user in users:
            yield Outcome(user, user.id, "created")

    async def peak(count: int) -> int:
        file = await opened(tmp_path, people(count))
        seen = 0

        def on_result(result: RowResult) -> None:
            nonlocal seen
            seen += result.status == "created"

        tracemalloc.start()
        try:
            await import_rows(file, done, on_result)  # type: ignore[arg-type]
            highest = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert seen == count
        return highest

    # The index of ids lies in SQLite, whose cache is bounded.
    few = await peak(2_000)
    assert await peak(200_000) < few + 1_000_000
