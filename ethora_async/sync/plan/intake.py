"""Fill a journal with both sides: what the sources want, and what the platform lists.

Both may hold millions of records: everything goes to disk in chunks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ethora_async._distinct import Distinct
from ethora_async.capabilities import ChecksIds, ChecksIdsTogether, ComparesTexts, ListsForComparison, TellsOwnIds
from ethora_async.errors import InvalidInputError, NotFoundError
from ethora_async.records import User
from ethora_async.sync.sources.fingerprint import RowDigest
from ethora_async.sync.sources.plain_users import PlainUsers
from ethora_async.sync.sources.source import BadRow, Row
from ethora_async.sync.sources.table_source import TableSource
from ethora_async.sync.store.items import Actual, Problem, Wanted, WantedUsers
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Sequence

    from ethora_async.capabilities import ChatDirectory, ListedUsers, UserDirectory
    from ethora_async.records import Chat, NewChat, NewUser
    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Kind
    from ethora_async.sync.store.journal import Journal

T = TypeVar("T")

CHUNK = 100
_CHATS_AT_ONCE = 8
"""Chats whose members are listed concurrently."""


async def read_users(
    journal: Journal,
    users: UserDirectory[Any],
    source: Source[NewUser],
    reserved: Callable[[User], bool],
    told: Callable[[int], None],
) -> str:
    """Read the wanted users, and return the source's fingerprint. Ids of the platform's own accounts are rejected."""
    ids = _UserIds(users)
    test: object = reserved
    is_own = test.has_id if isinstance(test, TellsOwnIds) else lambda id: reserved(User(id=id))

    def wanted(row: Row[NewUser]) -> Wanted:
        user = row.item
        plain, key = ids.checked(user.id)
        if is_own(plain):
            msg = f"id {user.id!r} belongs to the platform's own accounts, which are left alone: use another one"
            raise InvalidInputError(msg, field="id")
        return Wanted(
            "user",
            plain,
            identity=key,
            state=users.comparable(user),
            item=user_record(user),
            needs_source=user.password is not None,
            email=user.email,
            file=row.file,
            line=row.line,
        )

    def together(rows: PlainUsers[NewUser]) -> WantedUsers | None:
        keys = ids.together(rows.ids) if isinstance(users, ComparesTexts) else None
        if keys is None or not isinstance(users, ComparesTexts) or any(map(is_own, rows.ids)):
            return None
        compared = users.compared & rows.texts[0].keys()
        return WantedUsers(rows.ids, keys, rows.texts, rows.encoded, compared, rows.emails, rows.file, rows.lines)

    return await _read(journal, "user", source, wanted, told, before=ids.look_at, together=together)


class _UserIds:
    """The ids of wanted users, checked many at once where the platform can do that."""

    def __init__(self, users: UserDirectory[Any]) -> None:
        self._key = users.key
        self._literal = _literal_ids(users)
        self.together: Callable[[Sequence[str]], Sequence[str] | None] = (
            users.plain_keys if isinstance(users, ChecksIdsTogether) else lambda _: None
        )
        """Returns the keys of ids that need no closer look, else None."""
        self._keys: dict[str, str] = {}

    def look_at(self, rows: Sequence[Row[NewUser]]) -> None:
        """Check the ids of rows that come next."""
        ids = [row.item.id for row in rows]
        self._keys = dict(zip(ids, self.together(ids) or (), strict=False))

    def checked(self, id: str) -> tuple[str, str]:
        """Return an id as the platform lists it, and its key.

        Raises:
            InvalidInputError: as `_literal_ids`.
        """
        key = self._keys.get(id)
        if key is not None:
            return id, key
        return self._literal(id, "id"), self._key(id)


def user_record(user: NewUser) -> dict[str, str]:
    """Return a wanted user as the journal stores it: everything but the password."""
    record = {"id": user.id, "email": user.email, "first_name": user.first_name, "last_name": user.last_name}
    if user.profile_image is not None:
        record["profile_image"] = user.profile_image
    return record


async def read_chats(
    journal: Journal, chats: ChatDirectory, source: Source[NewChat], told: Callable[[int], None]
) -> str:
    """Read the wanted chats; return the source's fingerprint."""
    literal = _literal_ids(chats)

    def wanted(row: Row[NewChat]) -> Wanted:
        chat = row.item
        record = {"id": chat.id, "title": chat.title, "access": chat.access}
        if chat.description is not None:
            record["description"] = chat.description
        return Wanted(
            "chat",
            literal(chat.id, "id"),
            identity=chats.key(chat.id),
            state=chats.comparable(chat),
            item=record,
            file=row.file,
            line=row.line,
        )

    return await _read(journal, "chat", source, wanted, told)


async def read_members(
    journal: Journal,
    users: UserDirectory[Any],
    chats: ChatDirectory,
    source: Source[tuple[str, str]],
    told: Callable[[int], None],
) -> str:
    """Read the wanted memberships: pairs of chat and user. Return the source's fingerprint.

    A repeated pair counts once.
    """
    literal_chat, literal_user = _literal_ids(chats), _literal_ids(users)

    def wanted(row: Row[tuple[str, str]]) -> Wanted:
        chat, user = row.item
        return Wanted(
            "member",
            literal_chat(chat, "chat"),
            literal_user(user, "user"),
            identity=chats.key(chat),
            other_identity=users.key(user),
            file=row.file,
            line=row.line,
        )

    return await _read(journal, "member", source, wanted, told)


async def _read(
    journal: Journal,
    kind: Kind,
    source: Source[T],
    wanted: Callable[[Row[T]], Wanted],
    told: Callable[[int], None],
    *,
    before: Callable[[Sequence[Row[T]]], None] = lambda _: None,
    together: Callable[[PlainUsers[Any]], WantedUsers | None] = lambda _: None,
) -> str:
    """Store the rows of a source.

    Args:
        journal: stores the rows.
        kind: the kind of the rows.
        source: read once.
        wanted: converts a row for the journal.
        told: called with the number of rows read.
        before: called with the rows before they are converted.
        together: converts many rows at once, as `wanted` would; None if one of them needs a closer look.

    Returns:
        The source's fingerprint.
    """
    if isinstance(source, TableSource):
        digest = RowDigest()
        await _keep(journal, kind, source.chunks(digest), wanted, told, before, together)
        return await run_blocking(digest.text)
    # Before the rows: a change in between must not pass for what was read.
    fingerprint = await source.fingerprint()
    await _keep(journal, kind, chunks(source.rows()), wanted, told, before, together)
    return fingerprint


async def _keep(
    journal: Journal,
    kind: Kind,
    parts: AsyncGenerator[Sequence[Row[T] | BadRow], None],
    wanted: Callable[[Row[T]], Wanted],
    told: Callable[[int], None],
    before: Callable[[Sequence[Row[T]]], None],
    together: Callable[[PlainUsers[Any]], WantedUsers | None],
) -> None:
    done = 0
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, PlainUsers) and (users := together(part)) is not None:
                await journal.add_wanted_users(users)
                done += len(part)
                told(done)
                continue
            before([row for row in part if isinstance(row, Row)])
            good: list[Wanted] = []
            bad: list[Problem] = []
            for row in part:
                if isinstance(row, BadRow):
                    error = row.error
                    bad.append(Problem(kind, row.id, error.file, error.row, error.column, error.message))
                    continue
                try:
                    good.append(wanted(row))
                except InvalidInputError as error:
                    column = row.column_of(error.field)
                    bad.append(Problem(kind, _name(row.item), row.file, row.line, column, error.message))
            await journal.add_wanted(good, bad)
            done += len(part)
            told(done)


def _literal_ids(directory: UserDirectory[Any] | ChatDirectory) -> Callable[[str, str], str]:
    """Return a function that checks an id of the list and returns it unchanged.

    The function raises `InvalidInputError` for a form that the platform uses internally (a prefixed name, a JID,
    ``@name``), and for an id that the platform could not hold.
    """
    check = directory.own_id if isinstance(directory, ChecksIds) else None

    def literal(id: str, field: str) -> str:
        plain = directory.plain_id(id)
        if plain != id:
            msg = f"{field} {id!r} is the platform's form of {plain!r}: write the plain id"
            raise InvalidInputError(msg, field=field)
        if check is not None:
            check(id, field)
        return plain

    return literal


def _name(item: Any) -> str:
    return "/".join(item) if isinstance(item, tuple) else str(item.id)


async def list_users(
    journal: Journal, users: UserDirectory[Any], reserved: Callable[[User], bool], told: Callable[[int], None]
) -> None:
    """List the platform's users and mark its own accounts."""

    def actual(user: User) -> Actual:
        plain, state = users.plain_id(user.id), users.comparable(user)
        return Actual("user", plain, identity=users.key(user.id), state=state, own=reserved(user))

    if not isinstance(users, ListsForComparison):
        await _list(journal, users.list(), actual, told)
        return
    done = 0
    async with Distinct() as seen:

        async def keep(page: ListedUsers) -> int:
            nonlocal done
            new = await journal.add_actual_users(page)
            if journal.keeps_a_range:  # and drops most users, who were nevertheless listed
                new = (await seen.add([(id, 0) for id in page.ids])).count(None)
            done += new
            told(done)
            return new

        await users.list_for_comparison(reserved, keep)


async def list_chats(
    journal: Journal, chats: ChatDirectory, reserved: Callable[[Chat], bool], told: Callable[[int], None]
) -> None:
    """List the platform's chats and mark its own."""

    def actual(chat: Chat) -> Actual:
        plain, state = chats.plain_id(chat.id), chats.comparable(chat)
        return Actual("chat", plain, identity=chats.key(chat.id), state=state, own=reserved(chat))

    await _list(journal, chats.list(), actual, told)


async def _list(
    journal: Journal, listing: AsyncIterable[T], actual: Callable[[T], Actual], told: Callable[[int], None]
) -> None:
    done = 0
    async with aclosing(chunks(listing)) as parts:
        async for part in parts:
            await journal.add_actual([actual(record) for record in part])
            done += len(part)
            told(done)


async def name_chats(
    journal: Journal,
    chats: ChatDirectory,
    wanted_chats: Source[NewChat] | None,
    members: Source[tuple[str, str]],
    told: Callable[[int], None],
) -> None:
    """Find the chats that the sources mention, so that the platform can be listed before the sources are read."""
    done = 0
    for source in (wanted_chats, members):
        if source is None:
            continue
        async with aclosing(chunks(source.rows())) as parts:
            async for part in parts:
                named = [_chat_of(chats, row.item) for row in part if not isinstance(row, BadRow)]
                await journal.name_chats(named)
                done += len(part)
                told(done)


def _chat_of(chats: ChatDirectory, item: NewChat | tuple[str, str]) -> str:
    return chats.plain_id(item[0] if isinstance(item, tuple) else item.id)


async def list_members(
    journal: Journal,
    users: UserDirectory[Any],
    chats: ChatDirectory,
    reserved: Callable[[User], bool],
    told: Callable[[int], None],
) -> None:
    """List the members of the existing chats that the sources mention."""
    after, done = "", 0
    while found := await journal.chats_to_list(after=after, limit=_CHATS_AT_ONCE):
        after = found[-1]
        try:
            async with asyncio.TaskGroup() as group:
                for chat in found:
                    group.create_task(_list_members_of(journal, users, chats, chat, reserved))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the others were cancelled because of it, or failed in the same way
        done += len(found)
        told(done)


async def _list_members_of(
    journal: Journal, users: UserDirectory[Any], chats: ChatDirectory, chat: str, reserved: Callable[[User], bool]
) -> None:
    def actual(user: User) -> Actual:
        plain, key = users.plain_id(user.id), users.key(user.id)
        return Actual("member", chat, plain, own=reserved(user), other_identity=key)

    # Listings lag: a listed chat may already be deleted, and its members with it.
    with suppress(NotFoundError):
        await _list(journal, chats.members(chat), actual, lambda _: None)


async def chunks(items: AsyncIterable[T]) -> AsyncGenerator[list[T], None]:
    """Iterate over the items in lists."""
    chunk: list[T] = []
    async with AsyncExitStack() as stack:
        iterator = aiter(items)
        if isinstance(iterator, AsyncGenerator):
            # A source keeps a file or a connection open until its generator is closed.
            stack.push_async_callback(iterator.aclose)
        async for item in iterator:
            chunk.append(item)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk
