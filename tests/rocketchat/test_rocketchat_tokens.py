"""Tokens in both generations of the server, their lifetime, and the fifty of a user.

See docs/platforms/rocketchat.md#minting-tokens, #token-lifetime.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from rocketchat_helpers import (
    ADMIN_ID,
    PASSWORD,
    SECRET,
    UNAUTHORIZED,
    Server,
    coded,
    lifetime,
    logged_in,
    ok,
    plain_failure,
    reply,
)

from ethora_async import (
    ConfigError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    RetryPolicy,
    RocketChatClient,
    UnauthorizedError,
    ValidationFailedError,
)
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.platforms.rocketchat.token_store import MOST_REPLACED
from ethora_async.sandbox import RocketChatSandbox
from ethora_async.testing.implementers import cancel_at_every_step
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from rocketchat_helpers import Sent

    from ethora_async.request import Response
    from ethora_async.testing.users import FakeClock

DAY = 86_400.0
BUG = plain_failure("Cannot read properties of undefined (reading 'tokens')")


def minting() -> Any:
    """A new token for every request."""
    count = 0

    def answer(sent: Sent) -> Response:
        nonlocal count
        count += 1
        return ok(data={"userId": sent.body["userId"], "authToken": f"token-{count}"})

    return answer


def added(sandbox: RocketChatSandbox, name: str) -> Any:
    sandbox.add_user(name, password="a-password-1")
    return sandbox.store.users.with_username(name)


@pytest.mark.parametrize("version", ["6.13", "7.13", "8.0.0", "8.6", "8.8.1", "9.0"], indirect=True)
async def test_a_token_logs_its_user_in(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    ann = added(sandbox, "ann")
    token = await rocketchat.tokens.for_user("ann")
    assert (token.user_id, token.platform) == ("ann", "rocketchat")
    assert token.extra == {"userId": ann.id, "url": sandbox.url}
    assert token.expires_at == pytest.approx(clock.now() + 90 * DAY, abs=1)
    assert token.refresh_at == token.expires_at - 3600
    assert (await rocketchat.as_user(token).me()).id == "ann"
    assert await rocketchat.tokens.for_user("ann") == token
    assert len(ann.tokens) == 1


@pytest.mark.parametrize(
    ("version", "body"), [("7.13", {"userId": "id-of-ann"}), ("8.0", {"userId": "id-of-ann", "secret": SECRET})]
)
async def test_each_generation_gets_its_own_form_and_never_a_user_name(
    version: str, body: dict[str, str], clock: FakeClock
) -> None:
    server = Server(info=ok(version=version), users__createToken=minting())
    async with server.client(clock) as client:
        for name in ("ann", "bob", RecordId("id-of-ann")):
            await client.tokens.for_user(name)
    assert server.to("users.createToken")[0].body == body
    assert [sent.query for sent in server.to("users.info")] == [
        {"username": "ann"}, {"username": "bob"}, {"userId": "id-of-ann"},
    ]  # fmt: skip
    assert len(server.to("info")) == 1
    assert len(server.to("settings.public")) == 1


async def test_an_upgrade_under_our_feet_is_noticed(clock: FakeClock) -> None:
    mint = minting()

    def create(sent: Sent) -> Response:
        return mint(sent) if "secret" in sent.body else coded("invalid-params", "must have 'secret'")

    server = Server(info=[ok(version="7.13"), ok(version="8.0")], users__createToken=create)
    async with server.client(clock) as client:
        assert (await client.tokens.for_user("ann")).value == "token-1"
    assert len(server.to("info")) == 2


async def test_a_refused_form_is_not_asked_for_again_and_again(clock: FakeClock) -> None:
    server = Server(users__createToken=coded("invalid-params", "no"))
    async with server.client(clock) as client:
        with pytest.raises(ValidationFailedError):
            await client.tokens.for_user("ann")
    assert len(server.to("users.createToken")) == 1


async def test_a_missing_secret_is_said_before_anything_is_asked(clock: FakeClock) -> None:
    server = Server()
    client = RocketChatClient(
        url="https://chat.example.com/sub", user_id=ADMIN_ID, token="pat", transport=server.transport, clock=clock
    )
    with pytest.raises(ConfigError, match="ROCKETCHAT_CREATE_TOKENS_SECRET"):
        await client.tokens.for_user("ann")
    assert server.to("users.createToken") == []
    await client.aclose()


async def test_a_wrong_secret_is_forbidden(sandbox: RocketChatSandbox, clock: FakeClock) -> None:
    added(sandbox, "ann")
    admin = sandbox.environment
    async with RocketChatClient(
        url=sandbox.url,
        user=admin["ROCKETCHAT_USER"],
        password=admin["ROCKETCHAT_PASSWORD"],
        create_tokens_secret="wrong",
        clock=clock,
    ) as client:
        with pytest.raises(ForbiddenError) as caught:
            await client.tokens.for_user("ann")
        assert caught.value.code == "error-not-authorized"


async def test_a_rotated_secret_is_picked_up(clock: FakeClock) -> None:
    def named(secret: str) -> dict[str, str]:
        return {"ROCKETCHAT_USER_ID": ADMIN_ID, "ROCKETCHAT_TOKEN": "pat", "ROCKETCHAT_CREATE_TOKENS_SECRET": secret}

    good = {"secret": "one"}
    mint = minting()

    def create(sent: Sent) -> Response:
        return mint(sent) if sent.body["secret"] == good["secret"] else coded("error-not-authorized", "Not authorized")

    server = Server(users__createToken=create)
    provider = MemoryProvider(named("one"))
    client = RocketChatClient(
        url="https://chat.example.com/sub", secret=provider, transport=server.transport, clock=clock
    )
    async with client:
        await client.tokens.for_user("ann")
        provider.put(named("two"))
        good["secret"] = "two"
        await client.tokens.for_user("bob")  # the server first: the store is read again
        provider.put(named("three"))
        clock.advance(31)
        await client.tokens.for_user("cid")  # the store first: the previous one still holds
    assert [sent.body["secret"] for sent in server.to("users.createToken")] == ["one", "one", "two", "three", "two"]


@pytest.mark.parametrize("failures", [1, 2])
async def test_the_bug_of_freshly_created_users_is_got_past(failures: int, clock: FakeClock) -> None:
    async with RocketChatSandbox(version="7.13.7", fresh_user_bug=failures, clock=clock.now) as sandbox:
        admin = sandbox.environment
        async with RocketChatClient(
            url=sandbox.url, user=admin["ROCKETCHAT_USER"], password=admin["ROCKETCHAT_PASSWORD"], clock=clock
        ) as client:
            await client.users.create("ann", email="ann@example.com", first_name="Ann", last_name="Lee")
            token = await client.tokens.for_user("ann")
            assert (await client.as_user(token).me()).id == "ann"
    assert clock.slept == [0.2, 0.5][:failures]


async def test_the_bug_is_not_waited_out_for_ever(clock: FakeClock) -> None:
    server = Server(users__createToken=BUG)
    async with server.client(clock) as client:
        with pytest.raises(ValidationFailedError, match="reading 'tokens'"):
            await client.tokens.for_user("ann")
    assert len(server.to("users.createToken")) == 3


@pytest.mark.parametrize(
    ("days", "expected"), [(1, 1), (30, 30), (0, 90), (-1, 90), (None, 90), ("x", 90), (True, 90), (0.5, 0.5)]
)
async def test_the_lifetime_is_the_public_setting(days: Any, expected: float, clock: FakeClock) -> None:
    server = Server(settings__public=lifetime(days), users__createToken=minting())
    async with server.client(clock) as client:
        token = await client.tokens.for_user("ann")
    assert token.expires_at == clock.now() + expected * DAY
    assert token.expires_at - token.refresh_at == pytest.approx(min(3600, expected * DAY / 10))
    (sent,) = server.to("settings.public")
    assert sent.query["_id"] == "Accounts_LoginExpiration"
    assert "X-Auth-Token" not in sent.headers


async def test_a_server_that_knows_no_filter_is_read_page_by_page(clock: FakeClock) -> None:
    rows = [{"_id": f"setting-{number}", "value": 1} for number in range(99)]
    rows.insert(80, {"_id": "Accounts_LoginExpiration", "value": 7})

    def page(sent: Sent) -> Response:
        start = int(sent.query["offset"])
        part = rows[start : start + 50]
        return ok(settings=part, count=len(part), offset=start, total=len(rows))

    server = Server(settings__public=page, users__createToken=minting())
    async with server.client(clock) as client:
        assert (await client.tokens.for_user("ann")).expires_at == clock.now() + 7 * DAY
    assert [sent.query["offset"] for sent in server.to("settings.public")] == ["0", "50"]


async def test_a_changed_lifetime_holds_for_tokens_that_exist(clock: FakeClock) -> None:
    server = Server(settings__public=[lifetime(90), lifetime(1), lifetime(365)], users__createToken=minting())
    async with server.client(clock) as client:
        made = clock.now()
        await client.tokens.for_user("ann")
        clock.advance(3600)
        await client.tokens.for_user("ann")
        await settled()  # the lifetime is refreshed in the background
        shorter = await client.tokens.for_user("ann")
        assert (shorter.value, shorter.expires_at) == ("token-1", made + DAY)
        clock.advance(3600)
        await client.tokens.for_user("ann")
        await settled()
        assert (await client.tokens.for_user("ann")).expires_at == made + 365 * DAY


async def test_many_at_once_ask_the_server_once(clock: FakeClock) -> None:
    server = Server(users__createToken=minting())
    async with server.client(clock) as client:
        await asyncio.gather(*(client.tokens.for_user(f"user-{number}") for number in range(30)))
        clock.advance(3600)
        await asyncio.gather(*(client.tokens.for_user(f"user-{number}") for number in range(30)))
        await settled()
    assert (len(server.to("settings.public")), len(server.to("info"))) == (2, 1)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_cached_token_needs_no_server(status: int, clock: FakeClock) -> None:
    server = Server(settings__public=[lifetime(90), reply(status, {"success": False})], users__createToken=minting())
    async with server.client(clock, retry=RetryPolicy(attempts=1)) as client:
        first = await client.tokens.for_user("ann")
        for passed in (301, 1, 1, 3600):
            clock.advance(passed)
            again = await client.tokens.for_user("ann")
            await settled()
            assert (again.value, again.expires_at) == (first.value, first.expires_at)
    assert len(server.to("settings.public")) == 3


async def test_cancelling_who_asked_first_fails_nobody(clock: FakeClock) -> None:
    server = Server(users__createToken=minting())
    async with server.client(clock) as client:
        first = asyncio.ensure_future(client.tokens.for_user("ann"))
        second = asyncio.ensure_future(client.tokens.for_user("ann"))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).value == "token-1"


async def test_a_token_is_replaced_before_its_end_and_revoked_after_a_grace_period(clock: FakeClock) -> None:
    server = Server(settings__public=lifetime(1), users__createToken=minting())
    async with server.client(clock, token_grace=60) as client:
        await client.tokens.for_user("ann")
        clock.advance(DAY - 3601)
        assert (await client.tokens.for_user("ann")).value == "token-1"
        clock.advance(2)
        assert (await client.tokens.for_user("ann")).value == "token-2"
        clock.advance(59)
        await client.tokens.for_user("ann")
        await settled()
        assert server.to("logout") == []
        clock.advance(1)
        await client.tokens.for_user("ann")
        await settled()
        (logout,) = server.to("logout")
        assert logout.headers["X-Auth-Token"] == "token-1"
        assert logout.headers["X-User-Id"] == "id-of-ann"


async def test_renewing_over_and_over_stays_within_the_fifty(
    sandbox: RocketChatSandbox, rocketchat: RocketChatClient
) -> None:
    ann = added(sandbox, "ann")
    for _ in range(70):
        newest = await rocketchat.tokens.for_user("ann", renew=True)
        await settled()
    for _ in range(12_000):
        if len(ann.tokens) <= MOST_REPLACED + 1:
            break
        await asyncio.sleep(0.01)
    assert len(ann.tokens) <= MOST_REPLACED + 1
    assert (await rocketchat.as_user(newest).me()).id == "ann"


async def test_waiters_share_one_token(clock: FakeClock) -> None:
    server = Server(users__createToken=minting())
    async with server.client(clock) as client:
        tokens = await asyncio.gather(*(client.tokens.for_user("ann") for _ in range(50)))
        assert {token.value for token in tokens} == {"token-1"}
        renewed = await asyncio.gather(*(client.tokens.for_user("ann", renew=True) for _ in range(50)))
        assert {token.value for token in renewed} == {"token-2"}


async def test_cancelling_waiters_harms_nobody(clock: FakeClock) -> None:
    server = Server(users__createToken=minting())
    async with server.client(clock) as client:

        async def check() -> None:
            assert (await client.tokens.for_user("ann")).user_id == "ann"

        assert await cancel_at_every_step(lambda: client.tokens.for_user("ann", renew=True), check=check) > 0
        assert client.tokens._minting == {}


async def test_a_token_is_revoked_and_the_users_other_sessions_live(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    ann = added(sandbox, "ann")
    first = await rocketchat.tokens.for_user("ann")
    second = await rocketchat.tokens.for_user("ann", renew=True)
    assert await rocketchat.tokens.revoke(first)
    assert not await rocketchat.tokens.revoke(first)
    with pytest.raises(UnauthorizedError):
        await rocketchat.as_user(first).me()
    assert (await rocketchat.as_user(second).me()).id == "ann"
    assert await rocketchat.tokens.revoke(second)
    assert ann.tokens == []
    assert (await rocketchat.tokens.for_user("ann")).value != second.value


async def test_logging_out_ends_everything_of_that_user_and_nobody_else(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    ann, _ = added(sandbox, "ann"), added(sandbox, "bob")
    sandbox.add_personal_token("ann")
    token = await rocketchat.tokens.for_user("ann")
    other = await rocketchat.tokens.for_user("bob")
    await rocketchat.logout("ann")
    assert ann.tokens == []
    assert (await rocketchat.as_user(other).me()).id == "bob"
    assert (await rocketchat.tokens.for_user("ann")).value != token.value
    with pytest.raises(NotFoundError):
        await rocketchat.logout("nobody")
    with pytest.raises(InvalidInputError, match="its own credentials"):
        await rocketchat.logout("admin")
    with pytest.raises(InvalidInputError, match="empty"):
        await rocketchat.logout(" ")
    await rocketchat.users.get("ann")  # the admin's session lives


async def test_logging_out_always_names_the_user(clock: FakeClock) -> None:
    server = Server(users__logout=ok(message="User logged out"), login=logged_in())
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        await client.logout("ann")
    assert [sent.body for sent in server.to("users.logout")] == [{"userId": "id-of-ann"}]


async def test_a_token_that_was_being_made_while_its_user_was_logged_out_is_made_once_more(clock: FakeClock) -> None:
    server = Server(users__createToken=minting(), users__logout=ok(message="User logged out"))
    async with server.client(clock) as client:
        made, both, answer = client.tokens._create, asyncio.Barrier(3), asyncio.Event()

        async def slow(*arguments: Any) -> Any:
            token = await made(*arguments)
            if not answer.is_set():
                await both.wait()
                await answer.wait()
            return token

        client.tokens._create = slow  # type: ignore[assignment, method-assign]
        asking = [asyncio.create_task(client.tokens.for_user(name)) for name in ("ann", "bob")]
        await both.wait()
        await client.logout("ann")
        answer.set()
        ann, bob = await asyncio.gather(*asking)
        dead = [sent.body["userId"] for sent in server.to("users.createToken")].index("id-of-ann") + 1
        assert ann.value == "token-3"
        assert bob.value == f"token-{3 - dead}"
        assert await client.tokens.for_user("ann") == ann
        assert client.tokens._ended_meanwhile == {}


async def test_a_token_made_before_the_server_has_logged_its_user_out_is_not_kept(clock: FakeClock) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()
    server = Server(users__createToken=minting(), users__logout=ok(message="User logged out"))
    async with server.client(clock) as client:
        send = server.transport.send

        async def slow(request: Any, *arguments: Any, **named: Any) -> Any:
            if request.url.endswith("users.logout"):
                asked.set()
                await answer.wait()
            return await send(request, *arguments, **named)

        server.transport.send = slow  # type: ignore[method-assign]
        leaving = asyncio.create_task(client.logout("ann"))
        await asked.wait()
        before = await client.tokens.for_user("ann")
        answer.set()
        await leaving
        assert (await client.tokens.for_user("ann")).value != before.value


async def test_a_user_made_again_gets_a_token_of_the_new_record(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    added(sandbox, "ann")
    old = await rocketchat.tokens.for_user("ann")
    admin = sandbox.environment
    async with RocketChatClient(
        url=sandbox.url, user=admin["ROCKETCHAT_USER"], password=admin["ROCKETCHAT_PASSWORD"], clock=clock
    ) as other:
        await other.users.delete("ann")
    with pytest.raises(NotFoundError):
        await rocketchat.tokens.for_user("ann", renew=True)
    again = added(sandbox, "ann")
    token = await rocketchat.tokens.for_user("ann")
    assert token.extra["userId"] == again.id != old.extra["userId"]


async def test_a_name_that_stands_for_another_record_by_now_is_looked_up_again(clock: FakeClock) -> None:
    mint = minting()
    ids = iter(["old", "new"])

    def create(sent: Sent) -> Response:
        return mint(sent) if sent.body["userId"] == "new" else coded("error-invalid-user", "Invalid user")

    def account(_: Sent) -> Response:
        return ok(user={"_id": next(ids), "username": "ann", "roles": ["user"]})

    server = Server(users__info=account, users__createToken=create)
    async with server.client(clock) as client:
        assert (await client.tokens.for_user("ann")).extra["userId"] == "new"


async def test_a_user_who_was_logged_out_elsewhere_gets_a_new_token_for_their_calls(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    ann = added(sandbox, "ann")
    mine = rocketchat.as_user("ann")
    assert (await mine.me()).id == "ann"
    ann.tokens.clear()
    seen = await asyncio.gather(*(mine.me() for _ in range(10)))
    assert {user.id for user in seen} == {"ann"}
    assert len(ann.tokens) <= 2


async def test_a_users_call_is_not_renewed_for_ever(clock: FakeClock) -> None:
    server = Server(users__createToken=minting(), me=UNAUTHORIZED[7])
    async with server.client(clock) as client:
        with pytest.raises(UnauthorizedError):
            await client.as_user("ann").me()
    assert len(server.to("users.createToken")) == 2


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {"authToken": ""}}, {"data": {"authToken": 5}}])
async def test_a_reply_without_a_token_is_said(body: dict[str, Any], clock: FakeClock) -> None:
    server = Server(users__createToken=reply(200, {"success": True, **body}))
    async with server.client(clock) as client:
        with pytest.raises(Exception, match=r"data\.authToken"):
            await client.tokens.for_user("ann")


async def settled() -> None:
    """Let background tasks run."""
    for _ in range(20):
        await asyncio.sleep(0)
