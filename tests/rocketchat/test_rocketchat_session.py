"""The admin's session: opened once, opened again when it ends, rotated without a failed call.

See docs/platforms/rocketchat.md#log-in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from rocketchat_helpers import ADMIN_ID, PASSWORD, PAT, UNAUTHORIZED, Server, account_of, logged_in, ok, reply

from ethora_async import ConfigError, ForbiddenError, RocketChatClient, UnauthorizedError
from ethora_async.sandbox import RocketChatSandbox
from ethora_async_secrets import SecretBundle
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from pathlib import Path

    from rocketchat_helpers import Sent

    from ethora_async.request import Response
    from ethora_async.testing.users import FakeClock

ME = ok(_id="x", username="ann")
REFUSED = reply(401, {"status": "error", "error": "Unauthorized", "message": "Unauthorized"})


def by_session(good: set[str]) -> Any:
    """Answers requests with a valid token."""

    def answer(sent: Sent) -> Response:
        token = sent.headers.get("X-Auth-Token")
        return ok(user=account_of(sent)) if token in good else UNAUTHORIZED[7]

    return answer


async def test_any_number_of_waiters_share_one_log_in(clock: FakeClock) -> None:
    server = Server(login=logged_in(), users__info=by_session({"session-token-canary-1"}))
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        await asyncio.gather(*(client.users.get(f"u{number}") for number in range(50)))
    (login,) = server.to("login")
    assert login.body == {"user": "admin", "password": PASSWORD}
    assert "X-Auth-Token" not in login.headers
    assert login.headers["User-Agent"].startswith("ethora-async/")


async def test_a_dead_session_is_opened_again_once_for_all(clock: FakeClock) -> None:
    good = {"first"}
    server = Server(login=[logged_in(token="first"), logged_in(token="second")], users__info=by_session(good))
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        await client.users.get("ann")
        clock.advance(3600)
        good.clear()
        good.add("second")
        await asyncio.gather(*(client.users.get(f"u{number}") for number in range(50)))
    assert len(server.to("login")) == 2


async def test_a_route_that_rejects_a_new_session_too_means_something_else(clock: FakeClock) -> None:
    server = Server(login=[logged_in(token=f"t{number}") for number in range(9)], users__info=UNAUTHORIZED[6])
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        for _ in range(3):
            with pytest.raises(UnauthorizedError, match="must be logged in"):
                await client.users.get("ann")
    assert len(server.to("login")) <= 2


async def test_the_session_is_ended_with_the_client_and_a_personal_token_is_not(clock: FakeClock) -> None:
    server = Server(login=logged_in(token="mine"), users__info=by_session({"mine", PAT}))
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        await client.users.get("ann")
    (logout,) = server.to("logout")
    assert (logout.headers["X-Auth-Token"], logout.headers["X-User-Id"]) == ("mine", ADMIN_ID)
    server = Server(users__info=by_session({PAT}))
    async with server.client(clock) as client:
        await client.users.get("ann")
    assert server.to("logout") == []
    assert server.sent[-1].headers["X-Auth-Token"] == PAT


async def test_a_client_that_never_asked_says_no_farewell(clock: FakeClock) -> None:
    server = Server()
    async with server.client(clock, user="admin", password=PASSWORD):
        pass
    assert server.sent == []


async def test_a_wrong_password_is_said_and_not_tried_again_for_a_minute(clock: FakeClock) -> None:
    server = Server(login=REFUSED)
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        for _ in range(3):
            with pytest.raises(UnauthorizedError, match="user name or password"):
                await client.users.get("ann")
        assert len(server.to("login")) == 1  # ten failures would lock the account
        clock.advance(61)
        with pytest.raises(UnauthorizedError):
            await client.users.get("ann")
        assert len(server.to("login")) == 2


async def test_a_first_log_in_survives_a_rotation_since_the_store_was_read(clock: FakeClock) -> None:
    """The password that was rejected is not tried again."""
    store = MemoryProvider({"ROCKETCHAT_USER": "admin", "ROCKETCHAT_PASSWORD": "old-password-1"})

    def log_in(sent: Sent) -> Response:
        store.put({"ROCKETCHAT_USER": "admin", "ROCKETCHAT_PASSWORD": "new-password-2"})
        return logged_in() if sent.body["password"] == "new-password-2" else REFUSED

    server = Server(login=log_in)
    async with server.client(clock, secret=store) as client:
        await client.users.get("ann")
    assert [sent.body["password"] for sent in server.to("login")] == ["old-password-1", "new-password-2"]


async def test_a_blocked_account_is_forbidden_and_not_hammered(clock: FakeClock) -> None:
    blocked = reply(401, {"status": "error", "error": "error-login-blocked-for-user", "message": "blocked"})
    server = Server(login=blocked)
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        with pytest.raises(ForbiddenError) as caught:
            await client.users.get("ann")
    assert caught.value.code == "error-login-blocked-for-user"
    assert len(server.to("login")) == 1


@pytest.mark.parametrize("version", ["6.13", "8.8.1", "9.0"])
async def test_log_ins_work_and_fail_in_every_version(version: str, clock: FakeClock) -> None:
    async with RocketChatSandbox(version=version, clock=clock.now, rate_limit=None) as sandbox:
        options = {"url": sandbox.url, "clock": clock}
        admin = sandbox.environment
        user, password = admin["ROCKETCHAT_USER"], admin["ROCKETCHAT_PASSWORD"]
        async with RocketChatClient(user=user, password=password, **options) as client:
            assert (await client.users.get(user)).id == user
        assert sandbox.store.users.with_username(user).tokens == []  # type: ignore[union-attr]
        async with RocketChatClient(user=user, password="wrong", **options) as client:
            with pytest.raises(UnauthorizedError, match="user name or password"):
                await client.users.get(user)


async def test_a_personal_access_token_needs_no_log_in(clock: FakeClock) -> None:
    async with RocketChatSandbox(clock=clock.now) as sandbox:
        admin = sandbox.store.users.with_username("admin")
        assert admin is not None
        token = sandbox.add_personal_token("admin")
        async with RocketChatClient(url=sandbox.url, user_id=admin.id, token=token, clock=clock) as client:
            assert (await client.users.get("admin")).id == "admin"
        assert [record.path for record in sandbox.requests if "log" in record.path] == []


class TestRotation:
    """Whichever side changes first, no call fails."""

    @staticmethod
    def named(password: str) -> dict[str, str]:
        return {"ROCKETCHAT_USER": "admin", "ROCKETCHAT_PASSWORD": password}

    @staticmethod
    def log_in(good: dict[str, str], sessions: set[str], refused: asyncio.Event | None = None) -> Any:
        """Takes the one good password; every log-in is a new session."""

        def answer(sent: Sent) -> Response:
            if sent.body["password"] != good["password"]:
                if refused is not None:
                    refused.set()
                return REFUSED
            token = f"session-{len(sessions)}"
            sessions.add(token)
            return logged_in(token=token)

        return answer

    async def test_the_platform_first(self, clock: FakeClock) -> None:
        good, sessions, refused = {"password": "old"}, set[str](), asyncio.Event()
        server = Server(login=self.log_in(good, sessions, refused), users__info=by_session(sessions))
        provider = MemoryProvider(self.named("old"))
        async with server.client(clock, secret=provider) as client:
            await client.users.get("ann")
            good["password"] = "new"
            sessions.clear()
            clock.advance(10)
            waiting = asyncio.gather(*(client.users.get("ann") for _ in range(20)))
            await refused.wait()
            provider.put(self.named("new"))
            await waiting
        assert [sent.body["password"] for sent in server.to("login")] == ["old", "old", "new"]

    async def test_the_store_first(self, clock: FakeClock) -> None:
        good, sessions = {"password": "old"}, set[str]()
        server = Server(login=self.log_in(good, sessions), users__info=by_session(sessions))
        provider = MemoryProvider(self.named("old"))
        async with server.client(clock, secret=provider) as client:
            await client.users.get("ann")
            provider.put(self.named("new"))
            clock.advance(31)
            await client.users.get("ann")  # the session lives on
            assert len(server.to("login")) == 1
            good["password"] = "new"
            sessions.clear()
            await client.users.get("ann")
        assert [sent.body["password"] for sent in server.to("login")] == ["old", "new"]

    async def test_a_start_between_the_two(self, clock: FakeClock) -> None:
        good, sessions = {"password": "old"}, set[str]()
        server = Server(login=self.log_in(good, sessions), users__info=by_session(sessions))
        provider = MemoryProvider(SecretBundle(self.named("new"), previous={"ROCKETCHAT_PASSWORD": "old"}))
        async with server.client(clock, secret=provider) as client:
            await client.users.get("ann")
            await client.users.get("bob")
        assert [sent.body["password"] for sent in server.to("login")] == ["new", "old"]

    @pytest.mark.parametrize("store_first", [True, False])
    async def test_a_personal_token(self, clock: FakeClock, store_first: bool) -> None:
        def pat(token: str) -> dict[str, str]:
            return {"ROCKETCHAT_USER_ID": ADMIN_ID, "ROCKETCHAT_TOKEN": token}

        good = {"old"}
        server = Server(users__info=by_session(good))
        provider = MemoryProvider(pat("old"))
        async with server.client(clock, secret=provider) as client:
            await client.users.get("ann")
            if store_first:
                provider.put(pat("new"))
                clock.advance(31)
                await client.users.get("ann")  # the new one is refused, the previous one taken
                await client.users.get("ann")
            else:
                provider.put(pat("new"))
            good.clear()
            good.add("new")
            await asyncio.gather(*(client.users.get("ann") for _ in range(20)))
        assert server.sent[-1].headers["X-Auth-Token"] == "new"
        assert server.to("login") == []


async def test_everything_may_come_from_the_store(clock: FakeClock, tmp_path: Path) -> None:
    async with RocketChatSandbox(clock=clock.now) as sandbox:
        for name, value in sandbox.environment.items():
            (tmp_path / name).write_text(value)
        sandbox.add_user("ann", password="a-password-1")
        async with RocketChatClient.from_secrets(f"file://{tmp_path}", clock=clock) as client:
            assert repr(client) == f"RocketChatClient(url={sandbox.url!r})"
            assert (await client.tokens.for_user("ann")).user_id == "ann"


async def test_the_environments_password_does_not_hide_the_stores(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROCKETCHAT_PASSWORD", "stale")
    server = Server(login=logged_in(token="t"), users__info=by_session({"t"}))
    async with server.client(clock, secret=MemoryProvider(TestRotation.named("fresh"))) as client:
        await client.users.get("ann")
    assert server.to("login")[0].body["password"] == "fresh"


async def test_what_is_passed_in_comes_before_the_environment(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROCKETCHAT_USER_ID", "somebody-else")
    monkeypatch.setenv("ROCKETCHAT_TOKEN", "another-token")
    server = Server(login=logged_in(token="t"), users__info=by_session({"t"}))
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        await client.users.get("ann")
    assert len(server.to("login")) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "ROCKETCHAT_USER and ROCKETCHAT_PASSWORD"),
        ({"user": "admin"}, "ROCKETCHAT_PASSWORD"),
        ({"user_id": "x"}, "ROCKETCHAT_TOKEN"),
        ({"user": "admin", "password": " "}, "ROCKETCHAT_PASSWORD was passed in empty"),
        ({"user": "admin", "password": "x"}, "ROCKETCHAT_URL is not set"),
        ({"user": "admin", "password": "x", "url": "ftp://x"}, "must start with https"),
        ({"user": "admin", "password": "x", "url": "https://u:p@x"}, "must not hold a user name"),
    ],
)
def test_a_missing_setting_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        RocketChatClient(**options)


@pytest.mark.parametrize("url", ["https://x/sub/", "https://x/sub/api/v1", "https://x/sub/api/v1/"])
def test_the_address_is_made_plain(url: str) -> None:
    assert repr(RocketChatClient(url=url, user="a", password="b")) == "RocketChatClient(url='https://x/sub')"


async def test_a_store_without_an_address_says_so(clock: FakeClock) -> None:
    client = RocketChatClient(secret=MemoryProvider(TestRotation.named("x")), clock=clock)
    with pytest.raises(ConfigError, match="ROCKETCHAT_URL is not set"):
        await client.ping()
    await client.aclose()


async def test_ping_needs_no_right(clock: FakeClock) -> None:
    server = Server(info=ok(version="8.7"))
    async with server.client(clock) as client:
        assert (await client.ping()).version == (8, 7)
    assert "X-Auth-Token" not in server.sent[0].headers
