"""A fifth platform's client, as a third party would write it: of public parts of the core alone. Copied by a test."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import attrs

from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.bulk.run import Run
from ethora_async.engine.wiring import Wiring
from ethora_async.errors import ApiError, ChatError, ConflictError, NotFoundError, ServerFaultError, UnauthorizedError
from ethora_async.pages import Pages
from ethora_async.protocols import Credential, Failure
from ethora_async.records import ChatToken, NewUser, User, several
from ethora_async.redaction import Secret
from ethora_async.request import Operation
from ethora_async.tokens.cache import TokenCache
from ethora_async.tokens.settings import RotatingSettings, provider_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence

    from ethora_async.engine.engine import Engine
    from ethora_async.records import Id
    from ethora_async.request import Response
    from ethora_async_secrets import SecretProvider

URL, KEY = "TOYCHAT_URL", "TOYCHAT_KEY"
MINT = Operation("tokens.for_user", "POST", "/tokens", repeatable=True, source="toy")
LIST = Operation("users.list", "GET", "/users", repeatable=True, source="toy")
CREATE = Operation("users.create", "POST", "/users", repeatable=True, source="toy")
UPDATE = Operation("users.update", "PATCH", "/users/{user}", repeatable=True, source="toy")
DELETE = Operation("users.delete", "DELETE", "/users/{user}", repeatable=True, source="toy")
KINDS: dict[int, type[ApiError]] = {401: UnauthorizedError, 404: NotFoundError, 409: ConflictError}


class ToyDialect:
    def read_failure(self, response: Response) -> Failure:
        kind = KINDS.get(response.status, ServerFaultError if response.status >= 500 else ApiError)
        return Failure(kind, f"the toy says {response.status}", token_rejected=response.status == 401)


class ToyCredentials:
    """The key of the settings, which the store may rotate."""

    def __init__(self, settings: RotatingSettings) -> None:
        self._settings = settings
        self._made: Credential | None = None

    def peek(self) -> Credential | None:
        answer = self._settings.peek()
        if answer is None:
            return None
        if self._made is None or self._made.key != answer.current.key:
            self._made = Credential({"X-Key": answer.current[KEY]}, answer.current.key, answer.version)
        return self._made

    async def acquire(self) -> Credential:
        await self._settings.load()
        found = self.peek()
        assert found is not None
        return found

    def accepted(self, credential: Credential) -> None: ...

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        await self._settings.newer(rejected.version)
        found = await self.acquire()
        return None if found.key in tried else found

    def may_change(self) -> bool:
        return self._settings.rotates((KEY,))


@attrs.frozen
class ToyChange:
    id: str
    name: str


def _name(user: NewUser | User) -> str:
    return f"{user.first_name or ''} {user.last_name or ''}".strip()


def _user(data: dict[str, Any]) -> User:
    first, _, last = data["name"].partition(" ")
    return User(id=data["id"], email=data["email"], first_name=first, last_name=last)


class ToyUsers:
    changeable = frozenset({"name"})

    def __init__(self, engine: Callable[[], Awaitable[Engine]]) -> None:
        self._engine = engine

    def plain_id(self, id: Id) -> str:
        return str(id)

    def key(self, id: Id) -> str:
        return str(id)

    def comparable(self, user: NewUser | User) -> dict[str, str | None]:
        return {"name": _name(user), "email": user.email}

    def change(self, user: NewUser, fields: frozenset[str], *, current: str | None = None) -> ToyChange:
        return ToyChange(current or user.id, _name(user))

    async def reserved(self) -> Callable[[User], bool]:
        await self._engine()
        return lambda user: user.id == "robot"

    def list(self) -> Pages[User]:
        async def fetch(offset: int, limit: int) -> tuple[tuple[User, ...], int | None]:
            reply = await (await self._engine()).call(LIST, query={"offset": offset, "limit": limit})
            return tuple(map(_user, reply.data["items"])), reply.data["total"]

        return Pages(fetch, lambda user: user.id, limit=50, offset=0, largest=50)

    def create_many(self, users: Iterable[NewUser] | AsyncIterable[NewUser]) -> Run[NewUser]:
        def body(user: NewUser) -> dict[str, Any]:
            return {"data": {"id": user.id, "email": user.email, "name": _name(user)}}

        return self._run(users, CREATE, lambda user: user.id, body, "created", {ConflictError: "existed"})

    def update_many(self, changes: Iterable[ToyChange] | AsyncIterable[ToyChange]) -> Run[ToyChange]:
        def body(change: ToyChange) -> dict[str, Any]:
            return {"path": {"user": change.id}, "data": {"name": change.name}}

        return self._run(changes, UPDATE, lambda change: change.id, body, "updated", {})

    def delete_many(self, ids: Id | Iterable[Id] | AsyncIterable[Id]) -> Run[Id]:
        return self._run(
            several(ids), DELETE, str, lambda id: {"path": {"user": str(id)}}, "deleted", {NotFoundError: "absent"}
        )

    def _run(self, items: Any, operation: Operation, key: Any, body: Any, done: Any, fine: Any) -> Run[Any]:
        @asynccontextmanager
        async def working() -> AsyncGenerator[Any]:
            engine = await self._engine()

            async def work(batch: Sequence[Any]) -> list[Outcome[Any]]:
                (item,) = batch
                try:
                    reply = await engine.call(operation, **body(item))
                except ChatError as error:
                    status = fine.get(type(error))
                    return [Outcome(item, key(item), status) if status else failed(item, key(item), error)]
                return [Outcome(item, key(item), done, attempts=reply.attempts)]

            yield work

        return Run(items, working, batch_size=1, concurrency=4)


class ToyTokens:
    def __init__(self, engine: Callable[[], Awaitable[Engine]], wiring: Wiring) -> None:
        self._engine = engine
        self._clock = wiring.clock
        self._cache: TokenCache[ChatToken] = TokenCache(wiring.clock)

    async def for_user(self, id: Id) -> ChatToken:
        token = self._cache.get(str(id))
        if token is None:
            reply = await (await self._engine()).call(MINT, data={"user": str(id)})
            until = self._clock.now() + reply.data["expires_in"]
            token = ChatToken(
                secret=Secret(reply.data["token"]),
                user_id=str(id),
                expires_at=until,
                refresh_at=until - 60,
                platform="toychat",
            )
            self._cache.put(str(id), token, reply.data["expires_in"])
        return token


class ToyClient:
    """A client for Toychat: tokens and users."""

    def __init__(self, *, url: str | None = None, key: str | SecretProvider | None = None, **options: Any) -> None:
        self._wiring = Wiring(**options)
        self._settings = RotatingSettings(
            {URL: "url", KEY: "key"},
            {URL: url, KEY: key if isinstance(key, str) else None},
            required=(URL, KEY),
            rotating=(KEY,),
            provider=None if isinstance(key, str) else key,
            clock=self._wiring.clock,
            emitter=self._wiring.emitter,
        )
        self._made: Engine | None = None
        self.users = ToyUsers(self._engine)
        self.tokens = ToyTokens(self._engine, self._wiring)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        return cls(**options)

    @classmethod
    def from_secrets(cls, provider: SecretProvider | str, **options: Any) -> Self:
        return cls(key=provider_of(provider, (KEY,)), **options)

    async def ready(self) -> None:
        await self._settings.load()

    async def aclose(self) -> None:
        await self._wiring.aclose()
        await self._settings.aclose()

    async def __aenter__(self) -> Self:
        await self._engine()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"ToyClient(url={self._settings.fixed(URL)!r})"

    async def _engine(self) -> Engine:
        answer = await self._settings.load()
        if self._made is None:
            self._made = self._wiring.engine(answer.current[URL], ToyDialect(), ToyCredentials(self._settings))
        return self._made
