"""The platforms that tell what happens, each on its own sandbox: what the contract suite needs of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from ethora_async import EthoraClient, RocketChatClient
from ethora_async.sandbox import EthoraSandbox, RocketChatSandbox
from ethora_async.testing.users import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.capabilities import StreamsEvents


class PassingClock(FakeClock):
    """A clock on which sleeping moves time at once, and lets the event loop turn."""

    async def sleep(self, delay: float, /) -> None:
        self.slept.append(delay)
        self.advance(delay)
        await asyncio.sleep(0.01)


class Place(Protocol):
    """A platform with the users ann and bob, and the chats `one` and `two`, in which both are."""

    @property
    def client(self) -> StreamsEvents:
        """What is tested."""
        ...

    def stream(self, rooms: list[str], **options: Any) -> Any:
        """What ann, or another `user`, hears of these chats."""
        ...

    async def say(self, chat: str, text: str) -> None:
        """Let bob say something."""
        ...

    async def revoke(self, chat: str) -> None:
        """Take ann out of a chat."""
        ...

    async def grant(self, chat: str) -> None:
        """Let ann in again."""
        ...

    async def delete_ann(self) -> None:
        """Delete ann's account, or her log-in."""
        ...

    def drop(self) -> None:
        """Cut every connection."""
        ...

    async def stop(self) -> None:
        """Let the server be gone for a while."""
        ...

    async def start(self) -> None:
        """Let the server come back."""
        ...

    def said(self, event: Any) -> str | None:
        """The text of a message that a person wrote; None for anything else."""
        ...

    def text(self, message: Any) -> str | None:
        """The same of a message of a history."""
        ...

    async def hear_typing(self, stream: Any, chat: str) -> None:
        """Let a stream tell who types in a chat, where it does not do so by itself."""
        ...


@attrs.frozen
class OnEthora:
    sandbox: EthoraSandbox
    client: EthoraClient
    clock: FakeClock

    def stream(self, rooms: list[str], **options: Any) -> Any:
        return self.client.realtime(options.pop("user", "ann"), rooms=rooms, **options)

    async def say(self, chat: str, text: str) -> None:
        app = self.sandbox.store.app(self.sandbox.app_id)
        where, bob = app.chats.find(chat), app.users.find("bob")
        assert where is not None
        self.sandbox.store.post(where, text, self.clock.now(), sender=bob)

    async def revoke(self, chat: str) -> None:
        await self.client.chats.revoke(chat, ["ann"])

    async def grant(self, chat: str) -> None:
        await self.client.chats.grant(chat, ["ann"])

    async def delete_ann(self) -> None:
        await self.client.users.delete("ann")
        self.drop()

    def drop(self) -> None:
        self.sandbox.realtime.drop()

    async def stop(self) -> None:
        await self.sandbox.aclose()

    async def start(self) -> None:
        await self.sandbox.start()

    def said(self, event: Any) -> str | None:
        return self.text(event.message)

    def text(self, message: Any) -> str | None:
        return str(message.body)

    async def hear_typing(self, stream: Any, chat: str) -> None:
        pass


@attrs.frozen
class OnRocketChat:
    sandbox: RocketChatSandbox
    client: RocketChatClient
    clock: FakeClock

    def stream(self, rooms: list[str], **options: Any) -> Any:
        return self.client.realtime(options.pop("user", "ann"), rooms=rooms, **options)

    async def say(self, chat: str, text: str) -> None:
        await self.client.messages.send(chat, text)

    async def revoke(self, chat: str) -> None:
        await self.client.chats.kick(chat, "ann")

    async def grant(self, chat: str) -> None:
        await self.client.chats.invite(chat, "ann")

    async def delete_ann(self) -> None:
        self.sandbox.force_logout("ann")

    def drop(self) -> None:
        self.sandbox.realtime.drop()

    async def stop(self) -> None:
        await self.sandbox.aclose()

    async def start(self) -> None:
        await self.sandbox.start()

    def said(self, event: Any) -> str | None:
        return self.text(event.message)

    def text(self, message: Any) -> str | None:
        return str(message.text) if message.type is None else None

    async def hear_typing(self, stream: Any, chat: str) -> None:
        await stream.watch_room(chat)


@asynccontextmanager
async def on_ethora() -> AsyncIterator[OnEthora]:
    clock = PassingClock()
    async with EthoraSandbox(clock=clock.now) as sandbox:
        front_end = sandbox.front_end_environment
        async with EthoraClient(
            app_id=sandbox.app_id,
            secret=sandbox.secret,
            api_url=sandbox.url,
            xmpp_service=front_end["ETHORA_XMPP_SERVICE"],
            xmpp_host=front_end["ETHORA_XMPP_HOST"],
            clock=clock,
        ) as client:
            for name in ("ann", "bob"):
                await client.users.create(name, email=f"{name}@example.com", first_name=name.title(), last_name="Byron")
            for chat in ("one", "two"):
                await client.chats.create(chat, title=chat, members=["ann", "bob"])
            await client.chats.create("secret", title="Secret", members=["bob"])
            yield OnEthora(sandbox, client, clock)


@asynccontextmanager
async def on_rocketchat() -> AsyncIterator[OnRocketChat]:
    clock = PassingClock()
    async with (
        RocketChatSandbox(rate_limit=None, clock=clock.now) as sandbox,
        RocketChatClient(
            url=sandbox.url,
            user=sandbox.admin.username,
            password=sandbox.admin_password,
            create_tokens_secret=sandbox.secret,
            clock=clock,
        ) as client,
    ):
        for name in ("ann", "bob"):
            sandbox.add_user(name, password="a-password-1")
        for chat in ("one", "two"):
            await client.chats.create(chat, title=chat, members=["ann", "bob"])
        await client.chats.create("secret", title="Secret", members=["bob"])
        yield OnRocketChat(sandbox, client, clock)


PLACES = {"ethora": on_ethora, "rocketchat": on_rocketchat}
