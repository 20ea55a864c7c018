"""50,000 users: queries use an index or are refused, and large groups block nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from scim_helpers import served

from ethora_async.web.scim.database.connections import PostgresConnection, SqliteConnection
from ethora_async.web.scim.storage import SCANNED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scim_helpers import Scim

MANY = 50_000

_USERS = """
INSERT INTO ethora_scim_user (id, user_name, external_id, active, chat_user, chat_key, email, first_name, last_name,
    doc, version, created, modified)
SELECT value, value || '@example.com', 'x-' || value, true, value, value, value || '@example.com', 'Ann', 'Lee',
    '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"' || value || '@example.com",
    "externalId":"x-' || value || '","active":true}',
    1, 0, 0
FROM LIST_OF(:ids) AS one
"""
_MEMBERS = "INSERT INTO ethora_scim_member (grp, usr) SELECT :group, id FROM ethora_scim_user"


@pytest.fixture
async def full(sqlite_url: str) -> AsyncIterator[tuple[Scim, str]]:
    """A service with 50,000 users, and the id of a group that holds all of them but one."""
    async with served(sqlite_url) as scim:
        group = await scim.create_group("Everybody")

        def fill(db: Any) -> None:
            with db.transaction(write=True):
                db.run(_USERS, ids=[f"u{number}" for number in range(MANY - 1)])
                db.run(_MEMBERS, group=group["id"])

        await scim.directory.run(fill)
        yield scim, group["id"]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return every statement, with the number of rows that it returned or changed."""
    seen: list[tuple[str, int]] = []
    for kind in (SqliteConnection, PostgresConnection):
        rows = kind.rows

        def counted(self: Any, statement: str, _rows: Any = rows, **values: Any) -> list[Any]:
            found: list[Any] = _rows(self, statement, **values)
            seen.append((statement, len(found)))
            return found

        run = kind.run

        def changed(self: Any, statement: str, _run: Any = run, **values: Any) -> int:
            touched: int = _run(self, statement, **values)
            seen.append((statement, touched))
            return touched

        monkeypatch.setattr(kind, "rows", counted)
        monkeypatch.setattr(kind, "run", changed)
    return seen


async def test_an_index_answers_and_what_has_none_is_refused(
    full: tuple[Scim, str], statements: list[tuple[str, int]]
) -> None:
    scim, _ = full
    for expression in ('userName eq "U31@example.com"', 'externalId eq "x-u31"', 'id eq "u31"'):
        found = await scim.get("/Users?filter=" + quote(expression))
        assert [one["id"] for one in found["Resources"]] == ["u31"]
        assert sum(rows for _, rows in statements) <= 5, statements
        statements.clear()
    for expression in ('userName sw "u31"', 'name.familyName eq "Lee"', "active eq true", 'not (userName eq "u31")'):
        reply = await scim.ask("GET", "/Users?filter=" + quote(expression))
        assert (reply.status, reply.data["scimType"]) == (400, "tooMany"), expression
        assert sum(rows for _, rows in statements) <= SCANNED + 5
        statements.clear()
    page = await scim.get(f"/Users?startIndex={MANY - 1}&count=10")
    assert (page["totalResults"], [one["id"] for one in page["Resources"]]) == (MANY - 1, [f"u{MANY - 2}"])
    found = await scim.get("/Groups?excludedAttributes=members&filter=" + quote('members[value eq "u31"]'))
    assert [one["displayName"] for one in found["Resources"]] == ["Everybody"]


async def test_one_more_in_a_group_of_50000_reads_and_writes_one(
    full: tuple[Scim, str], statements: list[tuple[str, int]]
) -> None:
    """The watchdog of the tests fails when the loop stands still."""
    scim, group = full
    ann = await scim.create_user("ann")
    await scim.forget_intents()
    statements.clear()
    for operation in (
        {"op": "Add", "path": "members", "value": [{"value": ann["id"]}]},
        {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ann["id"]}]},
        {"op": "replace", "value": {"displayName": "All"}},
    ):
        assert (await scim.patch(f"/Groups/{group}", operation)).status == 204
        assert sum(rows for _, rows in statements) <= 20, statements
        assert len(statements) <= 20, statements
        statements.clear()
    expected = [
        ("member", group, ann["id"], {}),
        ("member", group, ann["id"], None),
        ("chat", group, "", {"title": "All", "access": "private"}),
    ]
    assert await scim.intents() == expected


@pytest.mark.slow
async def test_a_group_of_50000_is_read_and_others_are_answered_meanwhile(full: tuple[Scim, str]) -> None:
    scim, group = full
    reading = asyncio.create_task(scim.get(f"/Groups/{group}"))
    answered = 0
    while not reading.done():
        found = await scim.get("/Users?filter=" + quote('userName eq "u31@example.com"'))
        assert found["totalResults"] == 1
        answered += not reading.done()
    members = (await reading)["members"]
    assert answered > 0
    assert len(members) == MANY - 1
    assert members[0]["$ref"] == f"{scim.url}/Users/{members[0]['value']}"
