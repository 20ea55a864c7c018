"""Both sides taken in: what ought to be, from sources, and what is, from the platform's listings.

Both may hold millions: everything goes in chunks into tables of the journal's file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ethora_async import codec
from ethora_async.errors import InvalidInputError, NotFoundError
from ethora_async.records import User
from ethora_async.sync.sources.source import BadRow
from ethora_async.sync.store.journal import text_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterable, Callable, Mapping

    from ethora_async.capabilities import ChatDirectory, UserDirectory
    from ethora_async.records import Chat, NewChat, NewUser
    from ethora_async.sync.plan.compare import Kind
    from ethora_async.sync.sources.source import Row, Source
    from ethora_async.sync.store.journal import Journal

T = TypeVar("T")

TABLES = """
CREATE TABLE wanted (
    kind TEXT, key TEXT, other TEXT, state TEXT, item TEXT, needs_source INTEGER, email TEXT, file TEXT, line INTEGER,
    PRIMARY KEY (kind, key, other)
) WITHOUT ROWID;
CREATE INDEX wanted_email ON wanted (email) WHERE email IS NOT NULL;
CREATE TABLE actual (
    kind TEXT, key TEXT, other TEXT, state TEXT, own INTEGER, PRIMARY KEY (kind, key, other)
) WITHOUT ROWID;
CREATE TABLE bad (kind TEXT, id TEXT, file TEXT, line INTEGER, field TEXT, reason TEXT);
"""

CHUNK = 100
_LISTERS = 8
"""Chats whose members are asked for at once."""

_WANTED = "INSERT OR IGNORE INTO wanted VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


async def read_users(
    journal: Journal,
    users: UserDirectory[Any],
    source: Source[NewUser],
    reserved: Callable[[User], bool],
    told: Callable[[int], None],
) -> None:
    """Take in the wanted users. One who would count as the platform's own is refused: they would be lost sight of."""

    def entry(row: Row[NewUser]) -> tuple[Any, ...]:
        user = row.item
        if reserved(User(id=users.key(user.id))):
            msg = f"id {user.id!r} belongs to the platform's own accounts, which are left alone: use another one"
            raise InvalidInputError(msg, field="id")
        secret = user.password is not None
        state = text_of(users.comparable(user))
        return ("user", users.key(user.id), "", state, user_text(user), secret, user.email, row.file, row.line)

    await _read(journal, "user", source, entry, told)


def user_text(user: NewUser) -> str:
    """A wanted user as the journal keeps it: everything but the password."""
    item = {"id": user.id, "email": user.email, "first_name": user.first_name, "last_name": user.last_name}
    if user.profile_image is not None:
        item["profile_image"] = user.profile_image
    return text_of(item) or ""


async def read_chats(
    journal: Journal, chats: ChatDirectory, source: Source[NewChat], told: Callable[[int], None]
) -> None:
    """Take in the wanted chats."""

    def entry(row: Row[NewChat]) -> tuple[Any, ...]:
        chat = row.item
        item = {"id": chat.id, "title": chat.title, "access": chat.access}
        if chat.description is not None:
            item["description"] = chat.description
        state = text_of(chats.comparable(chat))
        return ("chat", chats.key(chat.id), "", state, _json(item), False, None, row.file, row.line)

    await _read(journal, "chat", source, entry, told)


async def read_members(
    journal: Journal,
    users: UserDirectory[Any],
    chats: ChatDirectory,
    source: Source[tuple[str, str]],
    told: Callable[[int], None],
) -> None:
    """Take in who ought to be able to enter which chat. The same pair twice is once."""

    def entry(row: Row[tuple[str, str]]) -> tuple[Any, ...]:
        chat, user = row.item
        return ("member", chats.key(chat), users.key(user), None, "{}", False, None, row.file, row.line)

    await _read(journal, "member", source, entry, told)


async def _read(
    journal: Journal,
    kind: Kind,
    source: Source[T],
    entry: Callable[[Row[T]], tuple[Any, ...]],
    told: Callable[[int], None],
) -> None:
    done = 0
    async with aclosing(chunks(source.rows())) as parts:
        async for part in parts:
            good: list[tuple[Any, ...]] = []
            bad: list[tuple[Any, ...]] = []
            for row in part:
                if isinstance(row, BadRow):
                    bad.append(_bad(kind, row))
                    continue
                try:
                    good.append(entry(row))
                except InvalidInputError as error:
                    bad.append((kind, _name(row.item), row.file, row.line, error.field, error.message))
            await journal.transaction(partial(_take_in, good=good, bad=bad))
            done += len(part)
            told(done)


def _take_in(db: sqlite3.Connection, good: list[tuple[Any, ...]], bad: list[tuple[Any, ...]]) -> None:
    for row in good:
        kind, key, email = row[0], row[1], row[6]
        if email is not None:
            # Of several users with one address only the first can be created (docs/platforms/ethora.md#users-batch).
            first = db.execute("SELECT file, line FROM wanted WHERE email = ? AND key <> ?", (email, key)).fetchone()
            if first is not None:
                _refuse(db, row, "email", f"email {email!r} was already used {_where(*first)}")
                continue
        if db.execute(_WANTED, row).rowcount or kind == "member":
            continue
        # Not the very same text, which the source would have found, but another name for the same record.
        first = db.execute("SELECT file, line FROM wanted WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        _refuse(db, row, "id", f"id {key!r} was already used {_where(*first)}")
    db.executemany("INSERT INTO bad VALUES (?, ?, ?, ?, ?, ?)", bad)


def _refuse(db: sqlite3.Connection, row: tuple[Any, ...], field: str, reason: str) -> None:
    kind, key, *_, file, line = row
    db.execute("INSERT INTO bad VALUES (?, ?, ?, ?, ?, ?)", (kind, key, file, line, field, reason))


def _where(file: str | None, line: int | None) -> str:
    return f"on line {line} of {file}" if file else f"on line {line}"


def _name(item: Any) -> str:
    return "/".join(item) if isinstance(item, tuple) else str(item.id)


def _bad(kind: Kind, row: BadRow) -> tuple[Any, ...]:
    error = row.error
    return (kind, row.id, error.file, error.row, error.column, error.message)


async def list_users(
    journal: Journal, users: UserDirectory[Any], reserved: Callable[[User], bool], told: Callable[[int], None]
) -> None:
    """Take in who is there; the platform's own accounts are marked."""

    def entry(user: User) -> tuple[Any, ...]:
        return ("user", users.key(user.id), "", text_of(users.comparable(user)), reserved(user))

    await _list(journal, users.list(), entry, told)


async def list_chats(
    journal: Journal, chats: ChatDirectory, reserved: Callable[[Chat], bool], told: Callable[[int], None]
) -> None:
    """Take in which chats are there; the platform's own are marked."""

    def entry(chat: Chat) -> tuple[Any, ...]:
        return ("chat", chats.key(chat.id), "", text_of(chats.comparable(chat)), reserved(chat))

    await _list(journal, chats.list(), entry, told)


async def _list(
    journal: Journal,
    listing: AsyncIterable[T],
    entry: Callable[[T], tuple[Any, ...]],
    told: Callable[[int], None],
) -> None:
    done = 0
    async with aclosing(chunks(listing)) as parts:
        async for part in parts:
            await journal.transaction(partial(_note, rows=[entry(record) for record in part]))
            done += len(part)
            told(done)


def _note(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    db.executemany("INSERT OR REPLACE INTO actual VALUES (?, ?, ?, ?, ?)", rows)


async def list_members(
    journal: Journal,
    users: UserDirectory[Any],
    chats: ChatDirectory,
    reserved: Callable[[User], bool],
    told: Callable[[int], None],
) -> None:
    """Take in who may enter the chats that the wanted memberships are about, as far as those are there."""
    after, done = "", 0
    while found := await journal.transaction(partial(_chats_after, after=after)):
        after = found[-1]
        try:
            async with asyncio.TaskGroup() as group:
                for chat in found:
                    group.create_task(_list_members_of(journal, users, chats, chat, reserved))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the others were cancelled for its sake, or failed alike
        done += len(found)
        told(done)


def _chats_after(db: sqlite3.Connection, after: str) -> list[str]:
    rows = db.execute(
        "SELECT key FROM actual WHERE kind = 'chat' AND NOT own AND key > ?"
        " AND EXISTS (SELECT 1 FROM wanted AS w WHERE w.kind IN ('member', 'chat') AND w.key = actual.key)"
        " ORDER BY key LIMIT ?",
        (after, _LISTERS),
    )
    return [key for (key,) in rows]


async def _list_members_of(
    journal: Journal, users: UserDirectory[Any], chats: ChatDirectory, chat: str, reserved: Callable[[User], bool]
) -> None:
    def entry(user: User) -> tuple[Any, ...]:
        return ("member", chat, users.key(user.id), None, reserved(user))

    # Listings lag: a chat that is listed may be gone, and then so are its members.
    with suppress(NotFoundError):
        await _list(journal, chats.members(chat), entry, lambda _: None)


async def chunks(items: AsyncIterable[T]) -> AsyncGenerator[list[T], None]:
    """The items in lists."""
    chunk: list[T] = []
    async with AsyncExitStack() as stack:
        iterator = aiter(items)
        if isinstance(iterator, AsyncGenerator):
            # A source holds a file or a connection open until its generator is closed.
            stack.push_async_callback(iterator.aclose)
        async for item in iterator:
            chunk.append(item)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _json(item: Mapping[str, Any]) -> str:
    return codec.dumps(item).decode()
