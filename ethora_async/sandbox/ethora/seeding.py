"""Users that a sandbox starts with, from a CSV file or from rows (the columns of `ethora users import`)."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ethora_async.errors import InvalidInputError
from ethora_async.sandbox.ethora.names import folded
from ethora_async.sandbox.ethora.store import UserData
from ethora_async.sandbox.ethora.validation import Form, InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ethora_async.sandbox.ethora.records import App
    from ethora_async.sandbox.ethora.store import Store

SHOWN = 20
REQUIRED = ("id", "email", "first_name", "last_name")
FIELDS = {
    "id": "uuid",
    "email": "email",
    "first_name": "firstName",
    "last_name": "lastName",
    "password": "password",
    "profile_image": "profileImage",
}


class SeedRefusedError(ValueError):
    """Rows that cannot be used; nothing was created. `problems` has one error per bad row, naming its line."""

    def __init__(self, problems: list[InvalidInputError]) -> None:
        self.problems = problems
        lines = [f"line {problem.row}: {problem.message}" for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            lines.append(f"and {len(problems) - SHOWN} more")
        super().__init__("Nothing was seeded: " + "; ".join(lines))


class Seed:
    """Collects rows for an app, and creates their users once all are valid."""

    def __init__(self, app: App, form: Form) -> None:
        self._app = app
        self._form = form
        self._lines: dict[str, int] = {}
        self._users: list[UserData] = []
        self.problems: list[InvalidInputError] = []

    async def read(self, path: str | Path) -> None:
        """Add the rows of a CSV file.

        Raises:
            InvalidInputError: the file cannot be read, or lacks a column.
        """
        self._add_all(await asyncio.to_thread(_read_csv, Path(path)))

    def take(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Add rows; the first counts as line 1."""
        self._add_all(enumerate(rows, 1))

    def plant(self, store: Store, now: float) -> int:
        """Create the users and return their number.

        Raises:
            SeedRefusedError: a row was invalid; nothing was created.
        """
        if self.problems:
            raise SeedRefusedError(sorted(self.problems, key=lambda problem: problem.row or 0))
        for user in self._users:
            store.create_user(self._app, user, now)
        return len(self._users)

    def _add_all(self, rows: Iterable[tuple[int, Mapping[str, str] | str]]) -> None:
        for line, row in rows:
            if isinstance(row, str):
                self._refuse(line, row, None)
            else:
                self._add(line, {key: value.strip() for key, value in row.items() if value})

    def _add(self, line: int, row: Mapping[str, str]) -> None:
        missing = [name for name in REQUIRED if not row.get(name)]
        if missing:
            self._refuse(line, f"{missing[0]} is missing", missing[0])
            return
        if any(character.isspace() for character in row["id"]):
            self._refuse(line, f"id {row['id']!r} holds a space", "id")
            return
        try:
            read = self._form.read({name: row[column] for column, name in FIELDS.items() if row.get(column)})
        except InvalidValueError as problem:
            self._refuse(line, problem.message, problem.path)
            return
        for key, known in (("uuid", self._app.users.sharing_jid), ("email", self._app.users.with_email)):
            first = self._lines.setdefault(f"{key} {folded(read[key])}", line)
            if first != line or known(read[key]) is not None:
                where = f"on line {first}" if first != line else "by a user of the app"
                self._refuse(line, f"{key} {read[key]!r} is already used {where}", key)
                return
        self._users.append(
            UserData(
                first_name=read["firstName"],
                last_name=read["lastName"],
                email=read["email"],
                uuid=read["uuid"],
                password=read.get("password"),
                profile_image=read.get("profileImage"),
            )
        )

    def _refuse(self, line: int, reason: str, column: str | None) -> None:
        self.problems.append(InvalidInputError(reason, row=line, column=column))


def _read_csv(path: Path) -> list[tuple[int, Mapping[str, str] | str]]:
    """Return each row of a file with its line; a text in place of a row describes the problem."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows(path, file))
    except UnicodeDecodeError:
        msg = f"{path} cannot be read: it is not UTF-8"
        raise InvalidInputError(msg, file=str(path)) from None
    except csv.Error as error:
        msg = f"{path} cannot be read: {error}"
        raise InvalidInputError(msg, file=str(path)) from None
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or type(error).__name__}"
        raise InvalidInputError(msg, file=str(path)) from None


def _rows(path: Path, file: TextIO) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    reader = csv.reader(file, strict=True)
    header = [name.strip().lower() for name in next(reader, [])]
    lacking = [name for name in REQUIRED if name not in header]
    if lacking:
        msg = f"{path} lacks the column {lacking[0]}: its first line must name {', '.join(REQUIRED)}"
        raise InvalidInputError(msg, file=str(path), row=1, column=lacking[0])
    line = reader.line_num + 1
    for fields in reader:
        if len(fields) == len(header):
            yield line, dict(zip(header, fields, strict=True))
        elif fields:
            yield line, f"the row has {len(fields)} fields, the header {len(header)}"
        line = reader.line_num + 1
