"""Users that a sandbox starts with, from a CSV file or from rows (the columns of `ethora users import`)."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from ethora_async.errors import InvalidInputError
from ethora_async.sandbox.ethora.store import UserData
from ethora_async.sandbox.ethora.validation import Form, Invalid
from ethora_async.sync.sources.csv_file import CsvFile
from ethora_async.sync.sources.formats import USERS
from ethora_async.sync.sources.source import BadRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ethora_async.records import NewUser
    from ethora_async.sandbox.ethora.records import App
    from ethora_async.sandbox.ethora.store import Store

SHOWN = 20


class SeedRefusedError(ValueError):
    """Rows that cannot be used; nothing was made. `problems` has one error per bad row, naming its line."""

    def __init__(self, problems: list[InvalidInputError]) -> None:
        self.problems = problems
        lines = [f"line {problem.row}: {problem.message}" for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            lines.append(f"and {len(problems) - SHOWN} more")
        super().__init__("Nothing was seeded: " + "; ".join(lines))


class Seed:
    """Collects rows for an app, and makes users of them once all are good."""

    def __init__(self, app: App, form: Form) -> None:
        self._app = app
        self._form = form
        self._lines: dict[str, int] = {}
        self._users: list[UserData] = []
        self.problems: list[InvalidInputError] = []

    async def read(self, path: str | Path) -> None:
        """Take the rows of a CSV file. InvalidInputError when it cannot be read or lacks a column."""
        file = await CsvFile.open(path, USERS)
        async with aclosing(file.rows()) as rows:
            async for row in rows:
                if isinstance(row, BadRow):
                    self.problems.append(row.error)
                else:
                    self._add(row.item, row.line)

    def take(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Take rows; the first counts as line 1."""
        for line, row in enumerate(rows, 1):
            missing = [name for name in USERS.required if not row.get(name)]
            if missing:
                self._refuse(line, f"{missing[0]} is missing", missing[0])
                continue
            try:
                user = USERS.make(row)
            except InvalidInputError as error:
                self._refuse(line, error.message, error.field)
            else:
                self._add(user, line)

    def plant(self, store: Store, now: float) -> int:
        """Make the users and return how many. SeedRefusedError when a row was bad; nothing is made then."""
        if self.problems:
            raise SeedRefusedError(sorted(self.problems, key=lambda problem: problem.row or 0))
        for user in self._users:
            store.create_user(self._app, user, now)
        return len(self._users)

    def _add(self, user: NewUser, line: int) -> None:
        row = {"uuid": user.id, "email": user.email, "firstName": user.first_name, "lastName": user.last_name}
        further = {
            "password": None if user.password is None else user.password.reveal(),
            "profileImage": user.profile_image,
        }
        try:
            read = self._form.read({**row, **{key: value for key, value in further.items() if value is not None}})
        except Invalid as problem:
            self._refuse(line, problem.message, problem.path)
            return
        for key, known in (("uuid", self._app.users.with_uuid), ("email", self._app.users.with_email)):
            first = self._lines.setdefault(f"{key} {read[key]}", line)
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
