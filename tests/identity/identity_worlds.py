"""Each platform with one victim, and every call that takes the victim's id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import attrs

from ethora_async import (
    Access,
    AvayaClient,
    EthoraClient,
    ImbaChatClient,
    MongoId,
    NewUser,
    RocketChatClient,
)
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.sandbox import AvayaSandbox, EthoraSandbox, RocketChatSandbox
from ethora_async.tokens.hs256 import read_unverified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VICTIM = "alice"
APP = "6540f2a1b3c4d5e6f7a8b9c0"
RECORD = "record"
"""A placeholder for the record id, which the platform assigns."""


@attrs.frozen
class World:
    """A platform: `calls` tell for an id whether they reached the victim; `mint` tells whose token it made."""

    calls: dict[str, Callable[[Any], Awaitable[bool]]]
    mint: Callable[[Any], Awaitable[str]]
    renew: Callable[[], Awaitable[Any]]
    """Puts the victim back as they were, and returns their record id."""
    client: Any


def forms(name: str, record: Any) -> dict[str, Any]:
    """Every form in which somebody might write an id, by the headings of docs/reference/identities.md."""
    return {
        "plain": name,
        "prefixed": f"{APP}_{name}",
        "prefixed twice": f"{APP}_{APP}_{name}",
        "JID": f"{APP}_{name}@xmpp.localhost",
        "`@name`": f"@{name}",
        "record id": record,
        "spaces": f" {name} ",
        "no-break space": f"{name}\u00a0",
        "other case": name.upper(),
        "full width": "".join(chr(ord(letter) + 0xFEE0) for letter in name),
    }


def variants(name: str) -> list[str]:
    """Return names that an attacker may choose in order to be taken for `name`."""
    wide = "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in name)
    invisible = ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\u180e", "\x00", "\x7f", "\x1f"]
    blanks = [" ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u2028", "\x0b", "\x85"]
    found = [
        name.upper(), name.title(), name.swapcase(), wide, wide.upper(), normalize("NFD", name), normalize("NFC", name),
        normalize("NFKC", name), normalize("NFKD", name), name[:-1] + name[-1] + "\u0301",
        *(f"{one}{name}" for one in (*invisible, *blanks)), *(f"{name}{one}" for one in (*invisible, *blanks)),
        *(f"{name[:2]}{one}{name[2:]}" for one in (*invisible, *blanks)),
        f"@{name}", f"#{name}", f"@@{name}", f"#@{name}", f"{name}@", f"{name}@evil.example", f"{name}/phone",
        f"{APP}_{name}", f"{APP}_{APP}_{name}", f"{APP.upper()}_{name}", f"{APP}_{name}@evil.example",
        f"{APP}_{name}@xmpp.localhost/phone", f" {APP}_{name}", f"{APP}_ {name}", f"_{name}", f"{name}_",
        f"{name}.", f".{name}", f"./{name}", f"../{name}", f"{name}/..", f"{name}%00", f"{name}%20", f"%61{name[1:]}",
        f'"{name}"', f"'{name}'", f"{name},bob", f"bob,{name}", f"{name};bob", f"{name}\\", f"{name}\ud800",
        f"^{name}$", f"{name}|bob", ".*", "a.ice", f"{name[0]}\u0441{name[2:]}", f"\u0430{name[1:]}",
    ]  # fmt: skip
    return [one for one in dict.fromkeys(found) if one != name]


def _person(id: str) -> NewUser:
    return NewUser(id=id, email=f"{id}@example.com", first_name="Ann", last_name="Lee")


@asynccontextmanager
async def ethora(clock: Any) -> AsyncIterator[World]:  # noqa: C901  one small function for each call
    """Ethora, with the victim, bob and a chat."""
    async with (
        EthoraSandbox(app_id=APP, clock=clock.now) as sandbox,
        EthoraClient(app_id=APP, secret=sandbox.secret, api_url=sandbox.url, clock=clock) as client,
    ):
        users, chats = client.users, client.chats
        app = sandbox.store.app(APP)

        async def renew() -> Any:
            for user in [user for user in app.users if not user.platform_owned]:
                sandbox.store.delete_user(user)
            await users.create_many([_person(VICTIM), _person("bob")])
            for chat in list(app.chats):
                await chats.delete(chat.uuid)
            await chats.create("room", title="Room")
            return MongoId((await users.get(VICTIM)).record_id or "")

        async def inside(chat: str = "room") -> bool:
            return VICTIM in [user.id async for user in chats.members(chat)]

        async def mint(id: Any) -> str:
            session = await client.sessions.exchange(await client.tokens.for_user(id))
            return session.user.id

        async def create(id: Any) -> bool:
            outcome = await users.create(id, email="new@example.com", first_name="Ann", last_name="Lee")
            return outcome.status == "existed"

        async def found(chat: str) -> bool:
            await chats.create("other", title="Other", members=[chat])
            return await inside("other")

        async def grant(id: Any) -> bool:
            await chats.grant("room", id)
            return await inside()

        async def set_access(id: Any) -> bool:
            await chats.set_access("room", id, Access.READ | Access.WRITE)
            return await inside()

        async def revoke(id: Any) -> bool:
            await chats.grant("room", VICTIM)
            await chats.revoke("room", id)
            return not await inside()

        async def private(id: Any) -> bool:
            bob = client.as_user(await client.sessions.exchange(await client.tokens.for_user("bob")))
            return f"_{VICTIM}" in (await bob.chats.private(id)).name

        async def update(id: Any) -> bool:
            await users.update(id, first_name="Bea")
            return (await users.get(VICTIM)).first_name == "Bea"

        async def delete(id: Any) -> bool:
            await users.delete(id)
            return app.users.find(VICTIM) is None

        async def get(id: Any) -> bool:
            return (await users.get(id)).id == VICTIM

        async def chats_of(id: Any) -> bool:
            await chats.grant("room", VICTIM)
            return "room" in [chat.id async for chat in users.chats(id)]

        async def minted(id: Any) -> bool:
            return await mint(id) == VICTIM

        calls = {
            "tokens.for_user": minted, "users.create": create, "chats.create (members)": found, "chats.grant": grant,
            "chats.revoke": revoke, "chats.set_access": set_access, "as_user(…).chats.private": private,
            "users.get": get, "users.chats": chats_of, "users.update": update, "users.delete": delete,
        }  # fmt: skip
        yield World(calls, mint, renew, client)


@asynccontextmanager
async def rocketchat(clock: Any) -> AsyncIterator[World]:  # noqa: C901  as above
    """Rocket.Chat, with the victim, bob and a room."""
    async with RocketChatSandbox(clock=clock.now, rate_limit=None) as sandbox:
        settings = {name.removeprefix("ROCKETCHAT_").lower(): value for name, value in sandbox.environment.items()}
        async with RocketChatClient(clock=clock, **settings) as client:
            users, chats = client.users, client.chats
            store = sandbox.store

            async def renew() -> Any:
                for user in [user for user in store.users if user.username != sandbox.admin.username]:
                    await users.delete(RecordId(user.id), confirm_relinquish=True)
                await chats.delete_many([RecordId(room.id) for room in store.rooms if room.name != "general"])
                await users.create_many([_person(VICTIM), _person("bob")])
                await chats.create("room", title="Room")
                return RecordId((await users.get(VICTIM)).record_id or "")

            def victim() -> Any:
                return store.users.with_username(VICTIM)

            def inside(name: str) -> bool:
                room = store.rooms.with_name(name)
                return room is not None and victim().id in room.members

            async def mint(id: Any) -> str:
                return (await client.as_user(await client.tokens.for_user(id)).me()).id

            async def minted(id: Any) -> bool:
                return await mint(id) == VICTIM

            async def acts(id: Any) -> bool:
                return (await client.as_user(id).me()).id == VICTIM

            async def create(id: Any) -> bool:
                outcome = await users.create(id, email="new@example.com", first_name="Ann", last_name="Lee")
                return outcome.status == "existed"

            async def found(id: Any) -> bool:
                await chats.create("other", title="Other", members=[id])
                return inside("other")

            async def grant(id: Any) -> bool:
                await chats.invite("room", id)
                return inside("room")

            async def revoke(id: Any) -> bool:
                await chats.invite("room", VICTIM)
                await chats.kick("room", id)
                return not inside("room")

            async def direct(id: Any) -> bool:
                return VICTIM in (await chats.direct(["bob", id])).extra["usernames"]

            async def direct_of(id: Any) -> bool:
                return VICTIM in (await client.as_user("bob").direct(id)).extra["usernames"]

            async def get(id: Any) -> bool:
                return (await users.get(id)).id == VICTIM

            async def chats_of(id: Any) -> bool:
                await chats.invite("room", VICTIM)
                return "room" in [chat.id for chat in await users.chats(id)]

            async def update(id: Any) -> bool:
                await users.update(id, name="Bea Lee")
                return bool(victim().name == "Bea Lee")

            async def set_active(id: Any) -> bool:
                await users.set_active(id, False)
                return not victim().active

            async def delete(id: Any) -> bool:
                await users.delete(id)
                return victim() is None

            async def logout(id: Any) -> bool:
                await client.tokens.for_user(VICTIM)
                await client.logout(id)
                return not victim().tokens

            calls = {
                "tokens.for_user": minted, "as_user": acts, "users.create": create, "chats.create (members)": found,
                "chats.invite": grant, "chats.kick": revoke, "chats.direct": direct, "as_user(…).direct": direct_of,
                "users.get": get, "users.chats": chats_of, "users.update": update, "users.set_active": set_active,
                "users.delete": delete, "logout": logout,
            }  # fmt: skip
            yield World(calls, mint, renew, client)


@asynccontextmanager
async def avaya(clock: Any) -> AsyncIterator[World]:
    """Avaya, where customers need not exist."""
    async with AvayaSandbox(clock=clock.now) as sandbox:
        settings = {name.removeprefix("AVAYA_").lower(): value for name, value in sandbox.environment.items()}
        secret = settings.pop("client_secret")
        async with AvayaClient(secret=secret, clock=clock, **settings) as client:  # type: ignore[arg-type]

            async def mint(id: Any) -> str:
                token = await client.tokens.for_user(id)
                return sandbox.minted[-1].customer_id if sandbox.minted else token.user_id

            async def minted(id: Any) -> bool:
                return await mint(id) == VICTIM

            async def renew() -> Any:
                return RECORD

            yield World({"tokens.for_user": minted}, mint, renew, client)


@asynccontextmanager
async def imbachat(clock: Any) -> AsyncIterator[World]:
    """ImbaChat, whose users are whole numbers: the victim is user 7."""
    async with ImbaChatClient(secret="a-secret-key-of-imbachat-1234567890", clock=clock) as client:

        async def mint(id: Any) -> str:
            token = await client.tokens.for_user(id)
            return str(read_unverified(token.value)["user_id"])

        async def minted(id: Any) -> bool:
            return await mint(id) == "7"

        async def renew() -> Any:
            return RECORD

        yield World({"tokens.for_user": minted}, mint, renew, client)
