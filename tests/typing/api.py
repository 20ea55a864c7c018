"""What a type checker makes of the public interface. Checked by mypy and pyright, never run.

Run from the root: ``mypy tests/typing/api.py`` and ``pyright tests/typing``. Every ``type: ignore`` below marks
a misuse that must be an error: both checkers report one that has become needless.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, assert_type
from uuid import UUID

from ethora_async import (
    Access,
    Chat,
    ChatError,
    ChatToken,
    EthoraClient,
    InvalidInputError,
    Limits,
    MongoId,
    NewChat,
    NewUser,
    RetryPolicy,
    User,
)
from ethora_async.bulk import Outcome, Report, Run, Status
from ethora_async.pages import Page, Pages
from ethora_async.platforms.ethora.users.api import UserChange
from ethora_async.records import Id
from ethora_async.redaction import Secret
from ethora_async.testing.users import FakeClock
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.platforms.ethora.sessions.api import Session
    from ethora_async.platforms.ethora.tokens import VerifiedToken
    from ethora_async.protocols import Clock, Transport
    from ethora_async.request import Request, Response
    from ethora_async_secrets import EnvProvider, SecretProvider


async def source() -> AsyncIterator[NewUser]:
    yield NewUser(id=UUID(int=1), email="a@b.c", first_name="Ann", last_name="Lee", password="long-enough")


async def users(ethora: EthoraClient) -> None:
    created = await ethora.users.create(7, email="a@b.c", first_name="Ann", last_name="Lee")
    assert_type(created, Outcome[NewUser])
    assert_type(created.status, Status)
    assert_type(created.error, ChatError | None)

    run = ethora.users.create_many(source(), ordered=True, timeout=timedelta(minutes=2))
    assert_type(await run, Report)
    async for outcome in ethora.users.create_many([created.item]):
        assert_type(outcome, Outcome[NewUser])
        assert_type(outcome.item.password, Secret | None)

    assert_type(await ethora.users.get(MongoId("0" * 24)), User)
    pages = ethora.users.list(chat="c1")
    typed_pages: Pages[User] = pages
    assert_type(await typed_pages, Page[User])
    assert_type(await ethora.users.list(), Page[User])
    async for user in ethora.users.list():
        assert_type(user, User)
    async for chat in ethora.users.chats("u1", include_members=True):
        assert_type(chat, Chat)
    assert_type(await ethora.users.update("u1", last_name=""), Outcome[UserChange])
    changes: Run[UserChange] = ethora.users.update_many([UserChange(id=UUID(int=1))])
    assert_type(changes.report, Report)
    await changes
    await ethora.users.delete(UUID(int=1))
    await ethora.users.delete_many(["u1", "u2"])
    await ethora.users.delete_many({1, 2})


async def chats(ethora: EthoraClient) -> None:
    assert_type(await ethora.chats.create("c1", title="Chat", members=["u1", 7]), Outcome[NewChat])
    assert_type(await ethora.chats.create(title="Chat", access="public", members="u1"), Outcome[NewChat])
    made: Run[NewChat] = ethora.chats.create_many([NewChat(id=1, title="Chat")])
    assert_type(await made, Report)
    assert_type(await ethora.chats.update("c1", title="New"), Outcome[str])
    assert_type(await ethora.chats.get("c1"), Chat)
    assert_type(await ethora.chats.grant("c1", "u1"), Report)
    assert_type(await ethora.chats.grant("c1", {"u1", "u2"}), Report)
    assert_type(await ethora.chats.revoke("c1", [UUID(int=1)]), Report)
    assert_type(await ethora.chats.grant_bot("c1"), Report)
    await ethora.chats.grant_many([("c1", "u1"), ("c1", 7)])
    assert_type(await ethora.chats.revoke_many([("c1", "u1"), ("c1", 7)]), Report)
    member_rights = Access.READ | Access.WRITE
    assert_type(await ethora.chats.set_access("c1", 7, member_rights, expires_in=None), Outcome[tuple[Id, Id]])
    assert_type(await ethora.chats.set_access("c1", 7, "0000"), Outcome[tuple[Id, Id]])
    assert_type(await ethora.reset(confirm="app"), Report)
    assert_type(ethora.chats.name(7), str)
    assert_type(ethora.chats.jid("c1"), str)
    async for member in ethora.chats.members("c1"):
        assert_type(member, User)
    async for chat in ethora.chats.list():
        assert_type(chat.members, tuple[User, ...] | None)


async def tokens(ethora: EthoraClient) -> None:
    token = await ethora.tokens.for_user("u1", ttl=timedelta(minutes=5))
    assert_type(token, ChatToken)
    assert_type(token.value, str)
    verified: VerifiedToken = await ethora.tokens.verify(token)
    assert_type(verified.user_id, str | None)
    session: Session = await ethora.sessions.exchange(token)
    assert_type(session.token, Secret)


class Silent:
    """Anything of this shape is a transport."""

    async def send(self, request: Request, /) -> Response:
        raise NotImplementedError

    async def aclose(self) -> None:
        return None


async def clients(environment: EnvProvider) -> None:
    provider: SecretProvider = environment
    clock: Clock = FakeClock()
    transport: Transport = Silent()
    async with EthoraClient.from_env(timeout=10) as ethora:
        assert_type(ethora, EthoraClient)
        assert_type(ethora.app_id, str)
    EthoraClient.from_secrets("env:")
    EthoraClient(
        secret=provider, transport=transport, clock=clock, limits=Limits(rate=5), retry=RetryPolicy(attempts=1)
    )
    EthoraClient(on_event=print, transport=MemoryTransport(lambda request: raised()))
    EthoraClient(on_event=[print, print])


def raised() -> Any:
    raise InvalidInputError("no", field="id")


async def misuse(ethora: EthoraClient) -> None:
    NewUser("u1", "a@b.c", "Ann", "Lee")  # type: ignore[call-arg]
    NewUser(id="u1", email="a@b.c", first_name="Ann")  # type: ignore[call-arg]
    NewUser(id=1.5, email="a@b.c", first_name="Ann", last_name="Lee")  # type: ignore[arg-type]
    NewChat(id="c1", title="Chat", access="open")  # type: ignore[arg-type]
    NewChat(id="c1", title=None)  # type: ignore[arg-type]
    await ethora.users.create("u1", email="a@b.c", first_name="Ann")  # type: ignore[call-arg]
    await ethora.users.get(None)  # type: ignore[arg-type]
    await ethora.users.create_many(["u1"])  # type: ignore[list-item]
    await ethora.users.create_many([UserChange(id="u1")])  # type: ignore[list-item]
    await ethora.users.update("u1", email="a@b.c")  # type: ignore[call-arg]
    await ethora.chats.create("c1", title="Chat", access="group")  # type: ignore[arg-type]
    await ethora.chats.grant("c1", [None])  # type: ignore[list-item]
    await ethora.chats.grant_many(["c1"])  # type: ignore[list-item]
    await ethora.tokens.for_user("u1", ttl="1h")  # type: ignore[arg-type]
    EthoraClient(transport=object())  # type: ignore[arg-type]
    EthoraClient(secret=b"bytes")  # type: ignore[arg-type]
    for _ in ethora.users.list():  # type: ignore[attr-defined]
        pass
    created = await ethora.users.create("u1", email="a@b.c", first_name="Ann", last_name="Lee")
    created.item.first_name = "Bea"  # type: ignore[misc]
    _ = created.nonsense  # type: ignore[attr-defined]
