"""Serve SCIM writes in processes that are killed before each statement, and after the commit, before the reply.

``python scim_killed.py DATABASE`` prints a line of JSON for each process: the request, whether the process was killed,
and whether the records and the intents have changed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from scim_helpers import GROUP, PATCH, TOKEN, user

from ethora_async.web import Request, Routes
from ethora_async.web.scim import ScimDirectory, ScimEndpoint, ScimTokens
from ethora_async.web.scim.database.connections import PostgresConnection, SqliteConnection, connect
from ethora_async.web.scim.service import service
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import Generator

RECORDS = (
    "SELECT id, user_name, active, doc, version FROM ethora_scim_user ORDER BY id",
    "SELECT id, name, doc, version FROM ethora_scim_group ORDER BY id",
    "SELECT grp, usr FROM ethora_scim_member ORDER BY grp, usr",
)
INTENTS = ("SELECT kind, key, other, CAST(wanted AS text) FROM ethora_wish ORDER BY id",)


def kill_at(step: int) -> None:
    """Make this process end at its step number `step`."""
    steps = count(1)

    def walk() -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    for kind in (SqliteConnection, PostgresConnection):
        rows, run, transaction = kind.rows, kind.run, kind.transaction

        def read(self: Any, *args: Any, _call: Any = rows, **values: Any) -> Any:
            walk()
            return _call(self, *args, **values)

        def change(self: Any, *args: Any, _call: Any = run, **values: Any) -> Any:
            walk()
            return _call(self, *args, **values)

        @contextmanager
        def whole(self: Any, *, write: bool, _call: Any = transaction) -> Generator[None]:
            outermost = not self._inside
            with _call(self, write=write):
                yield
            if outermost:
                walk()

        for name, put in (("rows", read), ("run", change), ("transaction", whole)):
            setattr(kind, name, put)


async def ask(database: str, method: str, path: str, data: Any) -> int:
    tokens = ScimTokens(MemoryProvider({"ETHORA_SCIM_TOKEN": TOKEN}))
    async with ScimDirectory(database) as directory:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
        body = json.dumps(data).encode() if data is not None else b""
        routes = Routes(scim=ScimEndpoint(directory, tokens))
        return (await routes.handle(Request.of(method, f"/scim/v2{path}", headers=headers, body=body))).status


def state(database: str) -> tuple[Any, Any]:
    """The records, and the intents."""
    connection = connect(database)
    with connection.transaction(write=False):
        records, intents = ([connection.rows(one) for one in part] for part in (RECORDS, INTENTS))
    connection.close()
    return records, intents


def ids(database: str, table: str) -> list[str]:
    connection = connect(database)
    with connection.transaction(write=False):
        found = [id for (id,) in connection.rows(f"SELECT id FROM {table} ORDER BY number")]
    connection.close()
    return found


def requests(database: str) -> Generator[tuple[str, str, Any]]:
    """Yield the writes of an identity provider, in order."""
    yield "POST", "/Users", user("ann")
    yield "POST", "/Groups", {"schemas": [GROUP], "displayName": "Team"}
    # A group whose reply was lost is written again, and is another one.
    (ann,), (team, *_) = ids(database, "ethora_scim_user"), ids(database, "ethora_scim_group")
    for path, operation in (
        (f"/Groups/{team}", {"op": "Add", "path": "members", "value": [{"value": ann}]}),
        (f"/Users/{ann}", {"op": "Replace", "path": "active", "value": "False"}),
        (f"/Users/{ann}", {"op": "Replace", "path": "active", "value": "True"}),
        (f"/Groups/{team}", {"op": "Replace", "path": "displayName", "value": "Crew"}),
    ):
        yield "PATCH", path, {"schemas": [PATCH], "Operations": [operation]}
    yield "DELETE", f"/Users/{ann}", None


def main(database: str) -> None:
    service()  # loaded once, for all processes
    asyncio.run(ask(database, "GET", "/ServiceProviderConfig", None))
    for method, path, data in requests(database):
        for step in count(1):
            before = state(database)
            sys.stdout.flush()
            child = os.fork()
            if not child:
                kill_at(step)
                status = asyncio.run(ask(database, method, path, data))
                os._exit(0 if status < 500 else 1)
            _, ended = os.waitpid(child, 0)
            killed = os.WIFSIGNALED(ended)
            assert killed or os.WEXITSTATUS(ended) == 0
            after = state(database)
            told: dict[str, object] = {"request": f"{method} {path.split('/')[1]}", "killed": killed}
            told |= {"records": after[0] != before[0], "intents": after[1] != before[1]}
            sys.stdout.write(json.dumps(told) + "\n")
            if not killed:
                break


if __name__ == "__main__":
    main(sys.argv[1])
