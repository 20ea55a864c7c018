"""Users of a CSV file that are read and checked together end as if each row had been taken by itself."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ethora_async import EthoraClient, InvalidInputError, NewUser
from ethora_async.platforms.ethora.platform_records import OwnUsers
from ethora_async.records import LONGEST_EMAIL, are_plain_users, new_user
from ethora_async.sync import USERS
from ethora_async.sync.plan import intake
from ethora_async.sync.sources import table_source
from ethora_async.sync.sources.csv_file import CsvFile
from ethora_async.sync.sources.table_source import TableSource
from ethora_async.sync.store import Journal
from ethora_async.sync.store.items import Actual

APP = "646cc8dc96d4a4dc8f7b2f2d"
LONG_EMAIL = f"{'a' * LONGEST_EMAIL}@example.com"
PLAIN = ("ann", "ann@example.com", "Ann", "Lee")

IDS = st.sampled_from(
    [
        "ann",
        "Ann",
        "bea",
        "7",
        "7-a",
        "1.0",
        "1e+5",
        '="9"',
        "'x",
        "-",
        "",
        " ",
        " cleo ",
        "o'x",
        "Zoë",
        "owner-1",
        f"{APP}_ann",
        "a b",
        "..",
        "\u200b",
        "id",
    ]
)
EMAILS = st.sampled_from(
    ["a@example.com", "A@example.com", " b@example.com", "c@example.com", "", "nobody", "1@2", "d@-x", LONG_EMAIL]
)
NAMES = st.sampled_from(["Ann", "Lee", " Bo ", "", "null", "\x00", "\x85", "a\u2028b", "\ud800", "Émile", "日本", '"'])
ROWS = st.lists(st.tuples(IDS, EMAILS, NAMES, NAMES) | st.just(PLAIN) | st.sampled_from([(), ("x",), PLAIN * 2]))
HEADERS = st.sampled_from(["id,email,first_name,last_name", "ID, email ,first_name,last_name,profile_image"])


@cache
def _users() -> Any:
    """The users of a client that knows its app; nothing is asked of the platform."""

    async def opened() -> Any:
        async with EthoraClient(app_id=APP, secret="s" * 32, api_url="http://127.0.0.1:1") as client:
            await client.users._context.open()
            return client.users

    return asyncio.run(opened())


async def _stored(users: Any, file: Path) -> tuple[list[Any], list[Any], str, list[str]]:
    """What a journal holds of the file, its fingerprint and its warnings."""
    warned: list[str] = []
    async with await Journal.create() as journal:
        source = await CsvFile.open(file, USERS)
        source._on_warning = warned.append
        own = OwnUsers(frozenset({"bea"}))
        # With nobody listed, users read together would be stored without the state that nothing is compared with.
        await journal.add_actual([Actual("user", "somebody", identity="somebody", state={})])
        told = await intake.read_users(journal, users, source, own, lambda _: None)
        wanted, bad = await journal._transaction(
            lambda db: (
                db.execute("SELECT rowid, * FROM wanted ORDER BY rowid").fetchall(),
                db.execute("SELECT rowid, * FROM bad ORDER BY rowid").fetchall(),
            )
        )
        rows = [repr(row) async for row in source.rows()]
    return wanted, bad, told, warned + rows


@settings(max_examples=6)
@given(HEADERS, ROWS, st.sampled_from(["\n", "\r\n"]), st.integers(1, 4))
@example("id,email,first_name,last_name", [PLAIN, ("bob", "bob@example.com", "Bob", "Lee")], "\n", 4)
@example("id,email,first_name,last_name", [PLAIN, PLAIN], "\n", 1)
@example("id,email,first_name,last_name", [PLAIN, ("Ann", *PLAIN[1:])], "\n", 1)
def test_users_read_together_are_stored_as_if_read_one_by_one(
    header: str, rows: list[tuple[str, ...]], end: str, at_once: int
) -> None:
    lines = [header, *(",".join([*row, ""] if row and "image" in header else row) for row in rows)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder, "users.csv")
        file.write_bytes(end.join([*lines, ""]).encode("utf-8", "surrogatepass"))
        patch.setattr("hashlib.scrypt", lambda secret, *, salt, **_: hashlib.sha256(salt + secret).digest())
        patch.setattr(table_source, "ROWS_AT_ONCE", at_once)
        together = asyncio.run(_stored(_users(), file))
        patch.setattr(TableSource, "_plain", lambda *_: None)
        assert asyncio.run(_stored(_users(), file)) == together


def test_plain_rows_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property above would hold as well if no row ever was."""
    file = tmp_path / "users.csv"
    file.write_text("id,email,first_name,last_name\nann,ann@example.com,Ann,Lee\nbob,bob@example.com,Bob,Lee\n")
    monkeypatch.setattr(TableSource, "_row", None)
    wanted, bad, _, _ = asyncio.run(_stored(_users(), file))
    assert [row[2] for row in wanted] == ["ann", "bob"]
    assert not bad


TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp", "Cf", "Co", "Cn"]), max_size=4)


@given(
    st.lists(
        st.tuples(IDS | TEXTS, EMAILS | TEXTS.map(lambda text: f"{text}@example.com"), TEXTS, TEXTS).map(
            lambda row: tuple(text.strip() for text in row)
        ),
        min_size=1,
        max_size=3,
    )
)
def test_users_checked_together_are_those_that_a_record_takes_as_they_are(
    rows: list[tuple[str, str, str, str]],
) -> None:
    if not all(text.isprintable() for row in rows for text in row):
        return
    if are_plain_users(*zip(*rows, strict=True)):
        for row in rows:
            user = NewUser(id=row[0], email=row[1], first_name=row[2], last_name=row[3])
            assert (user.id, user.email, user.first_name, user.last_name) == row
            assert user == new_user(*row)


def test_an_address_too_long_is_refused_however_the_user_is_made() -> None:
    for make in (
        lambda *row: NewUser(**dict(zip(("id", "email", "first_name", "last_name"), row, strict=True))),
        new_user,
    ):
        with pytest.raises(InvalidInputError, match="longer than 254"):
            make("ann", LONG_EMAIL, "Ann", "Lee")
    assert not are_plain_users(["ann"], [LONG_EMAIL], ["Ann"], ["Lee"])
