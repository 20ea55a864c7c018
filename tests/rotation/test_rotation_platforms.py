"""One rotation, on every platform, from every kind of store, whichever side changes first: no call fails."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest
from multidict import CIMultiDict

from ethora_async import AvayaClient, EthoraClient, ImbaChatClient, RocketChatClient
from ethora_async.engine.events import SecretRotated
from ethora_async.platforms.ethora.app_secret import SigningKeys
from ethora_async.request import Request, Response
from ethora_async.testing.users import FakeClock
from ethora_async.transport import MemoryTransport
from ethora_async_secrets import CachedProvider, SecretBundle, provider_from_url
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ethora_async_secrets import SecretProvider

OLD, NEW = "the-old-secret-of-thirty-two-bytes-", "the-new-secret-of-thirty-two-bytes-"


def reply(status: int, data: Any) -> Response:
    return Response(status, CIMultiDict({"Content-Type": "application/json"}), json.dumps(data).encode())


class Side(Protocol):
    """A platform that accepts some secrets, and a client of it."""

    accepts: set[str]
    client: Any

    async def use(self) -> None:
        """Ask the platform for something that the secret is needed for; raises when it is refused."""
        ...


class Ethora:
    name, settings = "ETHORA_CHAT_APP_SECRET", {"ETHORA_CHAT_APP_ID": "app", "ETHORA_CHAT_API_URL": "http://x"}

    def __init__(self, secret: SecretProvider, clock: FakeClock, **options: Any) -> None:
        self.accepts = {OLD}
        self.client = EthoraClient(secret=secret, transport=MemoryTransport(self._answer), clock=clock, **options)

    def _answer(self, request: Request) -> Response:
        token = request.headers["x-custom-token"]
        good = any(SigningKeys(one, scoped=True).verifies("server", token) for one in self.accepts)
        return reply(200, {"items": [], "total": 0}) if good else reply(401, {"error": "token"})

    async def use(self) -> None:
        await self.client.users.list()


class RocketChat:
    """The admin's password, for a session that ends all the time."""

    name, settings = "ROCKETCHAT_PASSWORD", {"ROCKETCHAT_USER": "admin", "ROCKETCHAT_URL": "https://x"}

    def __init__(self, secret: SecretProvider, clock: FakeClock, **options: Any) -> None:
        self.accepts = {OLD}
        self.session = 0
        self.clock = clock
        self.client = RocketChatClient(secret=secret, transport=MemoryTransport(self._answer), clock=clock, **options)

    def _answer(self, request: Request) -> Response:
        route = request.url.partition("/api/")[2].removeprefix("v1/").partition("?")[0]
        if route == "login":
            if json.loads(request.body or b"")["password"] not in self.accepts:
                return reply(401, {"status": "error", "message": "Unauthorized"})
            self.session += 1
            return reply(200, {"status": "success", "data": {"userId": "a", "authToken": f"session-{self.session}"}})
        if route == "info":
            return reply(200, {"version": "8.6", "success": True})
        if request.headers.get("X-Auth-Token") != f"session-{self.session}":
            return reply(401, {"status": "error", "message": "You must be logged in to do this."})
        return reply(200, {"user": {"_id": "x", "username": "ann"}, "success": True})

    async def use(self) -> None:
        self.session += 1
        self.clock.advance(6)
        await self.client.users.get("ann")


class RocketChatToken(RocketChat):
    """A personal access token in place of the password."""

    name, settings = "ROCKETCHAT_TOKEN", {"ROCKETCHAT_USER_ID": "a", "ROCKETCHAT_URL": "https://x"}

    def _answer(self, request: Request) -> Response:
        if request.headers.get("X-Auth-Token") not in self.accepts:
            return reply(401, {"status": "error", "message": "You must be logged in to do this."})
        return reply(200, {"user": {"_id": "x", "username": "ann"}, "success": True})


class RocketChatMinting(RocketChat):
    """The server's secret for making users' tokens, which goes in a body."""

    name = "ROCKETCHAT_CREATE_TOKENS_SECRET"
    settings: ClassVar = {"ROCKETCHAT_USER_ID": "a", "ROCKETCHAT_TOKEN": "pat", "ROCKETCHAT_URL": "https://x"}
    number = 0

    def _answer(self, request: Request) -> Response:
        route = request.url.partition("/api/")[2].removeprefix("v1/").partition("?")[0]
        if route == "info":
            return reply(200, {"version": "8.6", "success": True})
        if route == "settings.public":
            return reply(200, {"settings": [{"_id": "Accounts_LoginExpiration", "value": 90}], "success": True})
        if route != "users.createToken":
            (username,) = parse_qs(urlsplit(request.url).query)["username"]
            user = {"_id": "x", "username": username, "roles": ["user"], "type": "user"}
            return reply(200, {"user": user, "success": True})
        body = json.loads(request.body or b"")
        if body["secret"] not in self.accepts:
            return reply(403, {"success": False, "error": "unauthorized"})
        return reply(200, {"data": {"userId": body["userId"], "authToken": "t"}, "success": True})

    async def use(self) -> None:
        RocketChatMinting.number += 1
        await self.client.tokens.for_user(f"user-{RocketChatMinting.number}")


class Avaya:
    name = "AVAYA_CLIENT_SECRET"
    settings: ClassVar = {
        "AVAYA_ACCOUNT_ID": "ABCDEF",
        "AVAYA_APP_KEY": "key",
        "AVAYA_CLIENT_ID": "id",
        "AVAYA_INTEGRATION_ID": "6b2a3c1e-0d4f-4a5b-8c6d-7e8f90a1b2c3",
        "AVAYA_REGION": "eu",
    }

    def __init__(self, secret: SecretProvider, clock: FakeClock, **options: Any) -> None:
        self.accepts = {OLD}
        self.live = 0
        self.clock = clock
        self.client = AvayaClient(
            secret=secret, transport=MemoryTransport(self._answer), clock=clock, token_cache_size=0, **options
        )

    def _answer(self, request: Request) -> Response:
        if "openid-connect" in request.url:
            if not any(f"client_secret={one}".encode() in (request.body or b"") for one in self.accepts):
                return reply(401, {"error": "invalid_client"})
            self.live += 1
            token = f"access-token-{self.live}"
            return reply(200, {"access_token": token, "expires_in": 900, "token_type": "Bearer"})
        if not request.headers["Authorization"].endswith(f"-{self.live}"):
            return reply(401, {"title": "Unauthorized", "status": 401, "detail": "Invalid token."})
        claims = base64.urlsafe_b64encode(json.dumps({"exp": int(self.clock.now()) + 900}).encode()).rstrip(b"=")
        return reply(201, {"jwtToken": f"jwt.e30.{claims.decode()}.c2ln"})

    async def use(self) -> None:
        self.live += 1  # no access token lives long here
        await self.client.tokens.for_user("c1")


class ImbaChat:
    """The chat server's own password, which it shows when it calls."""

    name = "IMBACHAT_API_PASSWORD"
    settings: ClassVar = {"IMBACHAT_SECRET_KEY": "k" * 32, "IMBACHAT_API_LOGIN": "imba"}

    def __init__(self, secret: SecretProvider, clock: FakeClock, **options: Any) -> None:
        self.accepts = {OLD}
        self.client = ImbaChatClient(secret=secret, clock=clock, **options)

    async def use(self) -> None:
        async def nobody(_: Any) -> list[Any]:
            return []

        handler = self.client.user_info(nobody)
        for one in self.accepts:
            basic = base64.b64encode(f"imba:{one}".encode()).decode()
            answer = await handler.handle("GET", "/1", "", {"Authorization": f"Basic {basic}"})
            assert answer.status == 200


PLATFORMS: tuple[Any, ...] = (Ethora, RocketChat, RocketChatToken, RocketChatMinting, Avaya, ImbaChat)


class Memory:
    def __init__(self, platform: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.platform = platform
        self.provider: SecretProvider = MemoryProvider({})
        self.put(OLD)

    def put(self, secret: str, previous: str | None = None) -> None:
        before = None if previous is None else {self.platform.name: previous}
        self.provider.bundle = SecretBundle(  # type: ignore[attr-defined]
            {**self.platform.settings, self.platform.name: secret}, source="memory", previous=before
        )


class Written:
    """A store that keeps the value before a rotation under `NAME_PREVIOUS`."""

    url: Callable[[Path, str], str]

    def __init__(self, platform: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.platform, self.folder, self.monkeypatch = platform, folder, monkeypatch
        self.put(OLD)
        self.provider = provider_from_url(self.url(folder, platform.name.partition("_")[0]))

    def put(self, secret: str, previous: str | None = None) -> None:
        values = {**self.platform.settings, self.platform.name: secret}
        if previous is not None:
            values[f"{self.platform.name}_PREVIOUS"] = previous
        self.write(values)

    def write(self, values: dict[str, str]) -> None:
        raise NotImplementedError

    def replace(self, name: str, text: str) -> None:
        fresh = self.folder / f".{name}"
        fresh.write_text(text)
        os.replace(fresh, self.folder / name)


class Directory(Written):
    url = staticmethod(lambda folder, _: folder.as_uri())

    def write(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            self.replace(name, f"{value}\n")


class Json(Written):
    url = staticmethod(lambda folder, _: (folder / "x.json").as_uri())

    def write(self, values: dict[str, str]) -> None:
        self.replace("x.json", json.dumps({**values, "port": 5432, "nothing": None, "nested": {"a": "b"}}))


class DotEnv(Written):
    url = staticmethod(lambda folder, _: (folder / "x.env").as_uri())

    def write(self, values: dict[str, str]) -> None:
        self.replace("x.env", "".join(f'{name}="{value}"\n' for name, value in values.items()))


class Environment(Written):
    url = staticmethod(lambda _, prefix: f"env:?prefix={prefix}_")

    def write(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(name, f"{value}\n")


STORES: tuple[Any, ...] = (Memory, Directory, Json, DotEnv, Environment)


@pytest.fixture(params=PLATFORMS, ids=lambda one: one.__name__)
def platform(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=STORES, ids=lambda one: one.__name__)
def store(
    request: pytest.FixtureRequest, platform: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Memory | Written:
    made: Memory | Written = request.param(platform, tmp_path, monkeypatch)
    return made


def rotated(events: list[object]) -> int:
    return sum(isinstance(event, SecretRotated) for event in events)


@pytest.mark.parametrize("previous", [OLD, None], ids=["previous kept", "no previous"])
async def test_the_store_first(platform: Any, store: Memory | Written, previous: str | None) -> None:
    clock, events = FakeClock(), list[object]()
    side: Side = platform(store.provider, clock, on_event=events.append)
    async with side.client:
        await side.use()
        store.put(NEW, previous)
        clock.advance(31)
        if previous is not None or not isinstance(side, ImbaChat):
            # What others present is checked with what the store has, and never with what only this process remembers.
            await asyncio.gather(*(side.use() for _ in range(3)))
        side.accepts = {NEW}
        await asyncio.gather(*(side.use() for _ in range(3)))
        await side.use()
    assert rotated(events) == 1


@pytest.mark.parametrize("late", [False, True], ids=["at once", "a moment later"])
async def test_the_platform_first(platform: Any, store: Memory | Written, late: bool) -> None:
    clock, events = FakeClock(), list[object]()
    side: Side = platform(store.provider, clock, on_event=events.append)
    sleep = clock.sleep

    async def rotate_meanwhile(delay: float, /) -> None:
        await sleep(delay)
        store.put(NEW, OLD)

    async with side.client:
        await side.use()
        side.accepts = {NEW}
        if late and not isinstance(side, ImbaChat):
            clock.sleep = rotate_meanwhile  # type: ignore[method-assign]
        else:
            store.put(NEW, OLD)
        await asyncio.gather(*(side.use() for _ in range(3)))
        await side.use()
    assert rotated(events) == 1


async def test_a_start_in_the_middle_of_a_rotation(platform: Any, store: Memory | Written) -> None:
    store.put(NEW, OLD)
    side: Side = platform(store.provider, FakeClock())
    async with side.client:
        await side.use()
        side.accepts = {NEW}
        await side.use()


async def test_only_a_secret_of_the_platforms_own_is_told_as_rotated(platform: Any) -> None:
    clock, events = FakeClock(), list[object]()
    values = {**platform.settings, platform.name: OLD}
    store = MemoryProvider({**values, "OTHER": "one"})
    side: Side = platform(store, clock, on_event=events.append)
    async with side.client:
        await side.use()
        store.put({**values, "OTHER": "two"})
        clock.advance(31)
        await side.use()
        assert rotated(events) == 0
        store.put({**values, platform.name: NEW, "OTHER": "two"})
        clock.advance(31)
        await side.use()
        assert rotated(events) == 1


async def test_a_cache_that_is_passed_in_keeps_its_times(platform: Any) -> None:
    clock = FakeClock()
    store = MemoryProvider({**platform.settings, platform.name: OLD})
    side: Side = platform(CachedProvider(store, ttl=1000, jitter=0, clock=clock), clock)
    async with side.client:
        await side.use()
        calls = store.calls
        clock.advance(500)
        await side.client.ready()
        await asyncio.sleep(0)
        assert store.calls == calls
