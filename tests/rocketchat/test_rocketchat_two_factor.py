"""The second factor: at log-in and on any call (docs/platforms/rocketchat.md#log-in, #second-factor)."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from rocketchat_helpers import PASSWORD, Server, coded, logged_in, ok, reply

from ethora_async import ConfigError, RocketChatClient, UnauthorizedError
from ethora_async.platforms.rocketchat.two_factor import TwoFactorRequiredError, totp
from ethora_async.redaction import Secret
from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from rocketchat_helpers import Sent

    from ethora_async.request import Response
    from ethora_async.testing.users import FakeClock

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890", as in RFC 6238's appendix B


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_one_time_codes_are_those_of_the_rfc(now: int, code: str) -> None:
    assert totp(Secret(RFC_SECRET), now) == code
    assert totp(Secret("gezd gnbv gy3t qojq gezd gnbv gy3t qojq"), now) == code


@pytest.mark.parametrize("secret", ["", "1890", "no base32!", "===="])
def test_a_secret_that_is_not_base32_is_said_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigError, match="ROCKETCHAT_TOTP_SECRET") as caught:
        totp(Secret(secret), 0)
    assert not secret or secret not in str(caught.value)


def asking(method: str, code: str, route_reply: Response) -> Any:
    """Asks for a second factor until it gets this one."""
    details = {"method": method, "codeGenerated": method == "email", "availableMethods": []}

    def answer(sent: Sent) -> Response:
        if sent.headers.get("X-2fa-code") is None:
            return coded("totp-required", "TOTP Required", details=details)
        if (sent.headers["X-2fa-code"], sent.headers["X-2fa-method"]) != (code, method):
            return coded("totp-invalid", "TOTP Invalid", details=details)
        return route_reply

    return answer


UPDATED = ok(user={"_id": "x", "username": "ann"})


async def test_a_call_is_repeated_with_the_one_time_code(clock: FakeClock) -> None:
    server = Server(users__update=asking("totp", totp(Secret(RFC_SECRET), clock.now()), UPDATED))
    async with server.client(clock, totp_secret=RFC_SECRET) as client:
        assert (await client.users.update("ann", name="Ann")).status == "updated"
    assert len(server.to("users.update")) == 2


async def test_the_password_is_sent_as_a_digest(clock: FakeClock) -> None:
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    server = Server(login=logged_in(), users__update=asking("password", digest, UPDATED))
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        assert (await client.users.update("ann", name="Ann")).status == "updated"


@pytest.mark.parametrize("awaitable", [True, False])
async def test_the_code_from_the_mail_is_asked_for(awaitable: bool, clock: FakeClock) -> None:
    asked: list[str] = []

    def read_mail(operation: str) -> Any:
        asked.append(operation)
        clock.advance(120)  # it takes longer than a call may
        if not awaitable:
            return " 123456 "
        return later(" 123456 ")

    server = Server(users__update=asking("email", "123456", UPDATED))
    async with server.client(clock, email_code=read_mail) as client:
        assert (await client.users.update("ann", name="Ann")).status == "updated"
    assert asked == ["users.update"]


async def later(value: str) -> str:
    await asyncio.sleep(0)
    return value


@pytest.mark.parametrize("method", ["totp", "email", "password"])
async def test_who_has_no_answer_is_told_what_was_asked(method: str, clock: FakeClock) -> None:
    server = Server(users__update=asking(method, "1", UPDATED))
    async with server.client(clock) as client:
        with pytest.raises(TwoFactorRequiredError) as caught:
            await client.users.update("ann", name="Ann")
    error = caught.value
    assert (error.method, error.code, error.effect) == (method, "totp-required", "none")
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.method) == (type(error), method)


async def test_a_wrong_code_is_not_sent_twice(clock: FakeClock) -> None:
    server = Server(users__update=asking("totp", "never", UPDATED))
    async with server.client(clock, totp_secret=RFC_SECRET) as client:
        with pytest.raises(TwoFactorRequiredError) as caught:
            await client.users.update("ann", name="Ann")
    assert caught.value.code == "totp-invalid"
    assert len(server.to("users.update")) == 2


async def test_too_many_attempts_are_not_made_more(clock: FakeClock) -> None:
    server = Server(users__update=coded("totp-max-attempts", "Maximal attempts", details={"method": "totp"}))
    async with server.client(clock, totp_secret=RFC_SECRET) as client:
        with pytest.raises(TwoFactorRequiredError):
            await client.users.update("ann", name="Ann")
    assert len(server.to("users.update")) == 1


async def test_many_calls_at_once_need_one_code(clock: FakeClock) -> None:
    verified = False
    asked: list[str] = []

    def update(sent: Sent) -> Response:
        nonlocal verified
        verified = verified or sent.headers.get("X-2fa-code") == "42"
        return UPDATED if verified else coded("totp-required", "TOTP Required", details={"method": "email"})

    async def read_mail(operation: str) -> str:
        asked.append(operation)
        return await later("42")

    server = Server(users__update=update)
    async with server.client(clock, email_code=read_mail) as client:
        await asyncio.gather(*(client.users.update("ann", name=f"Ann {number}") for number in range(20)))
    assert len(asked) == 1


@pytest.mark.parametrize("says", ["totp-required", "unauthorized"])
async def test_the_log_in_gets_its_code_even_where_the_server_no_longer_says_why(says: str, clock: FakeClock) -> None:
    refusals = {
        "totp-required": {
            "status": "error",
            "error": "totp-required",
            "message": "TOTP Required [totp-required]",
            "details": {"method": "totp", "codeGenerated": False, "availableMethods": ["totp"]},
        },
        "unauthorized": {"success": False, "error": "unauthorized"},  # as from 9.0 on
    }

    def login(sent: Sent) -> Response:
        if sent.body.get("code") == totp(Secret(RFC_SECRET), clock.now()):
            return logged_in()
        return reply(401, refusals[says])

    server = Server(login=login)
    async with server.client(clock, user="admin", password=PASSWORD, totp_secret=RFC_SECRET) as client:
        await client.users.get("ann")
    assert len(server.to("login")) == 2


async def test_a_wrong_password_stays_one_with_a_code(clock: FakeClock) -> None:
    server = Server(login=reply(401, {"success": False, "error": "unauthorized"}))
    async with server.client(clock, user="admin", password=PASSWORD, totp_secret=RFC_SECRET) as client:
        with pytest.raises(UnauthorizedError, match="user name or password"):
            await client.users.get("ann")
    assert len(server.to("login")) == 2


async def test_the_password_is_no_second_factor_at_log_in(clock: FakeClock) -> None:
    details = {"method": "password", "availableMethods": []}
    server = Server(login=reply(401, {"status": "error", "error": "totp-required", "message": "x", "details": details}))
    async with server.client(clock, user="admin", password=PASSWORD) as client:
        with pytest.raises(TwoFactorRequiredError):
            await client.users.get("ann")
    assert len(server.to("login")) == 1


@pytest.mark.parametrize("method", ["totp", "email", "password"])
@pytest.mark.parametrize("version", ["7.13", "8.8.1"])
async def test_a_server_with_two_factors_is_used_as_any_other(method: Any, version: str, clock: FakeClock) -> None:
    async with RocketChatSandbox(
        version=version, two_factor=method, two_factor_creation=True, clock=clock.now, rate_limit=None
    ) as sandbox:
        environment = sandbox.environment

        def newest_code(_: str) -> str:
            return [mail.value for mail in sandbox.outbox if mail.kind == "code"][-1]

        async with RocketChatClient(
            url=sandbox.url,
            user=environment["ROCKETCHAT_USER"],
            password=environment["ROCKETCHAT_PASSWORD"],
            totp_secret=environment.get("ROCKETCHAT_TOTP_SECRET"),
            create_tokens_secret=environment.get("ROCKETCHAT_CREATE_TOKENS_SECRET"),
            email_code=newest_code,
            clock=clock,
        ) as client:
            await client.users.create("ann", email="ann@example.com", first_name="Ann", last_name="Lee")
            assert (await client.users.update("ann", name="Anna")).status == "updated"
            token = await client.tokens.for_user("ann")
            assert (await client.as_user(token).me()).id == "ann"
            clock.advance(3600)  # the server remembers for half an hour
            assert (await client.users.update("ann", name="Anne")).status == "updated"


async def test_a_code_can_be_sent_once_more(clock: FakeClock) -> None:
    async with RocketChatSandbox(two_factor="email", clock=clock.now) as sandbox:
        environment = sandbox.environment
        async with RocketChatClient(
            url=sandbox.url,
            user=environment["ROCKETCHAT_USER"],
            password=environment["ROCKETCHAT_PASSWORD"],
            clock=clock,
        ) as client:
            await client.send_email_code("admin")
            await client.send_email_code("nobody")  # the server does not tell
        assert [mail.kind for mail in sandbox.outbox] == ["code"]
