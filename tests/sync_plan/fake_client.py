"""Clients of a `FakePlatform`, with the parts and manners of real ones: real runs, ids known after the first call."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from fake_platform import CHAT_FIELDS, PREFIX, FakeChange, Operation, chat_state, user_state

from ethora_async.bulk.outcome import Outcome, Status, failed
from ethora_async.bulk.run import Run, Work
from ethora_async.errors import ChatError, ConfigError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from fake_platform import FakePlatform

    from ethora_async.capabilities import State
    from ethora_async.records import Chat, Id, NewChat, NewUser, User

T = TypeVar("T")


class FakeClient:
    """Satisfies `ManagesUsers` and `ManagesChats`. Dead after a crash."""

    def __init__(self, platform: FakePlatform, *, batch_size: int, concurrency: int) -> None:
        self.platform = platform
        self.batch_size, self.concurrency = batch_size, concurrency
        self.dead = False
        self.opened = False
        self.users = FakeUsers(self)
        self.chats = FakeChats(self)

    def __repr__(self) -> str:
        # By this a plan knows its platform again in another process: no address may be in it.
        return f"FakeClient({self.platform.name!r})"

    async def ask(self, operation: Operation, key: str, act: Callable[[], T]) -> T:
        """Send one request, and let other tasks run."""
        self.opened = True
        await asyncio.sleep(0)
        return await self.platform.request(self, operation, key, act)

    def key(self, id: Id) -> str:
        """The plain id."""
        if not self.opened:
            raise ConfigError("the app id is known after the first call only")
        text = str(id).strip()
        while text.startswith(PREFIX) and text != PREFIX:
            text = text[len(PREFIX) :]
        return text

    def fold(self, id: str) -> str:
        """The key of an id."""
        return id.lower() if self.platform.folds else id

    async def pages(self, operation: Operation, read: Callable[[], list[T]], key: str = "") -> AsyncGenerator[T, None]:
        """A listing as it is when it is begun; every page is a request."""
        records = await self.ask(operation, key, read)
        for start in range(0, len(records), self.platform.page):
            if start:
                await self.ask(operation, key, lambda: None)
            for record in records[start : start + self.platform.page]:
                yield record

    def run(
        self, items: Iterable[T] | AsyncIterable[T], one: Callable[[T], Awaitable[Outcome[T]]], name: Callable[[T], str]
    ) -> Run[T]:
        """A real `Run`, whose batches send one request for each item."""

        async def work(batch: Sequence[T]) -> list[Outcome[T]]:
            outcomes = []
            for item in batch:
                try:
                    outcomes.append(await one(item))
                except ChatError as error:
                    outcomes.append(failed(item, name(item), error))
            return outcomes

        @asynccontextmanager
        async def working() -> AsyncIterator[Work[T]]:
            self.opened = True
            yield work

        return Run(items, working, batch_size=self.batch_size, concurrency=self.concurrency)


class FakeUsers:
    """``client.users``."""

    @property
    def changeable(self) -> frozenset[str]:
        return self._platform.user_fields

    def __init__(self, client: FakeClient) -> None:
        self._client = client
        self._platform = client.platform

    def plain_id(self, id: Id) -> str:
        return self._client.key(id)

    def key(self, id: Id) -> str:
        return self._client.fold(self._client.key(id))

    def comparable(self, user: NewUser | User) -> State:
        return user_state(user)

    def change(self, user: NewUser, fields: frozenset[str], *, current: str | None = None) -> FakeChange:
        if not fields or not fields <= self.changeable:
            msg = f"cannot change {sorted(fields)}"
            raise InvalidInputError(msg)
        return FakeChange(current or user.id, {name: getattr(user, name) for name in sorted(fields)})

    async def reserved(self) -> Callable[[User], bool]:
        own = await self._client.ask("users.reserved", "", lambda: frozenset(self._platform.own_users))
        return lambda user: user.id in own

    def list(self) -> AsyncGenerator[User, None]:
        return self._client.pages("users.list", self._platform.list_users)

    def create_many(self, users: Iterable[NewUser] | AsyncIterable[NewUser]) -> Run[NewUser]:
        async def one(user: NewUser) -> Outcome[NewUser]:
            key = self.plain_id(user.id)
            done = await self._client.ask("users.create", key, lambda: self._platform.create_user(user, key))
            return Outcome(user, key, done[0], value=done[1])

        return self._client.run(users, one, lambda user: self.plain_id(user.id))

    def update_many(self, changes: Iterable[FakeChange] | AsyncIterable[FakeChange]) -> Run[FakeChange]:
        async def one(change: FakeChange) -> Outcome[FakeChange]:
            key = self.plain_id(change.id)
            done = await self._client.ask("users.update", key, lambda: self._platform.update_user(change, key))
            return Outcome(change, key, done[0], value=done[1])

        return self._client.run(changes, one, lambda change: self.plain_id(change.id))

    def delete_many(self, ids: Iterable[Id] | AsyncIterable[Id]) -> Run[Id]:
        async def one(id: Id) -> Outcome[Id]:
            key = self.plain_id(id)
            done: Status = await self._client.ask("users.delete", key, lambda: self._platform.delete_user(key))
            return Outcome(id, key, done)

        return self._client.run(ids, one, self.plain_id)


class FakeChats:
    """``client.chats``."""

    changeable = CHAT_FIELDS

    def __init__(self, client: FakeClient) -> None:
        self._client = client
        self._platform = client.platform

    def plain_id(self, id: Id) -> str:
        return self._client.key(id)

    def key(self, id: Id) -> str:
        return self._client.fold(self._client.key(id))

    def comparable(self, chat: NewChat | Chat) -> State:
        return chat_state(chat)

    async def reserved(self) -> Callable[[Chat], bool]:
        own = await self._client.ask("chats.reserved", "", lambda: frozenset(self._platform.own_chats))
        return lambda chat: chat.id in own

    def list(self) -> AsyncGenerator[Chat, None]:
        return self._client.pages("chats.list", self._platform.list_chats)

    def members(self, id: Id) -> AsyncGenerator[User, None]:
        async def read() -> AsyncGenerator[User, None]:
            self._client.opened = True
            key = self.plain_id(id)
            async for user in self._client.pages("chats.members", lambda: self._platform.list_members(key), key):
                yield user

        return read()

    def create_many(self, chats: Iterable[NewChat] | AsyncIterable[NewChat]) -> Run[NewChat]:
        async def one(chat: NewChat) -> Outcome[NewChat]:
            key, inside = self.plain_id(chat.id), [self.plain_id(user) for user in chat.members]
            done = await self._client.ask("chats.create", key, lambda: self._platform.create_chat(chat, key, inside))
            return Outcome(chat, key, done[0], value=done[1])

        return self._client.run(chats, one, lambda chat: self.plain_id(chat.id))

    async def update(self, id: Id, *, title: str | None = None, description: str | None = None) -> Outcome[str]:
        fields = {name: text for name, text in (("title", title), ("description", description)) if text is not None}
        if not fields:
            raise InvalidInputError("nothing to change", field="title")
        self._client.opened = True
        key = self.plain_id(id)
        done: Status = await self._client.ask("chats.update", key, lambda: self._platform.update_chat(key, fields))
        return Outcome(key, key, done)

    def delete_many(self, ids: Iterable[Id] | AsyncIterable[Id]) -> Run[Id]:
        async def one(id: Id) -> Outcome[Id]:
            key = self.plain_id(id)
            done: Status = await self._client.ask("chats.delete", key, lambda: self._platform.delete_chat(key))
            return Outcome(id, key, done)

        return self._client.run(ids, one, self.plain_id)

    def grant_many(self, pairs: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]]) -> Run[tuple[Id, Id]]:
        return self._change(pairs, "chats.grant", self._platform.grant)

    def revoke_many(self, pairs: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]]) -> Run[tuple[Id, Id]]:
        return self._change(pairs, "chats.revoke", self._platform.revoke)

    def _change(
        self,
        pairs: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]],
        operation: Operation,
        act: Callable[[str, str], Status],
    ) -> Run[tuple[Id, Id]]:
        def name(pair: tuple[Id, Id]) -> str:
            return f"{self.plain_id(pair[0])}/{self.plain_id(pair[1])}"

        async def one(pair: tuple[Id, Id]) -> Outcome[tuple[Id, Id]]:
            chat, user = self.plain_id(pair[0]), self.plain_id(pair[1])
            done: Status = await self._client.ask(operation, name(pair), lambda: act(chat, user))
            return Outcome(pair, name(pair), done)

        return self._client.run(pairs, one, name)
