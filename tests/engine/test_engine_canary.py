"""After all that can happen to a call, the secret, the token and the password are nowhere to be read."""

from __future__ import annotations

import asyncio
import copy
import html
import json
import warnings
from typing import Any
from urllib.parse import quote

import pytest
from engine_parts import READ, WRITE, engine
from scripted_transport import reply, scripted

from ethora_async.engine.emitter import Emitter
from ethora_async.errors import ChatError, UnauthorizedError
from ethora_async.platforms.ethora.app_secret import APP_SECRET, AppSecret
from ethora_async.platforms.ethora.auth import ServerCredentials
from ethora_async.request import Request, Response
from ethora_async.testing.implementers import BadServer, Canary, CannedReply, Fault
from ethora_async.testing.users import FakeClock
from ethora_async.tokens.settings import RotatingSettings
from ethora_async.transport import AiohttpTransport, MemoryTransport
from ethora_async_secrets.testing import MemoryProvider

SECRET = "canary-app-secret-4d1f0b"
PASSWORD = 'canary pass"word<ü&7>'
BODY = {"usersList": [{"email": "a@b.example", "password": PASSWORD}]}


def app_secret(given: Any, *, scoped: bool, clock: FakeClock, emitter: Emitter) -> AppSecret:
    passed = given if isinstance(given, str) else None
    settings = RotatingSettings(
        {APP_SECRET: "secret"},
        {APP_SECRET: passed},
        required=(APP_SECRET,),
        rotating=(APP_SECRET,),
        provider=None if passed is not None else given,
        clock=clock,
        emitter=emitter,
    )
    return AppSecret(settings, scoped=scoped)


async def test_a_whole_scenario_shows_no_secret_token_or_password() -> None:
    clock, things = FakeClock(), list[object]()
    emitter = Emitter([things.append])
    provider = MemoryProvider({APP_SECRET: SECRET})
    secret = app_secret(provider, scoped=True, clock=clock, emitter=emitter)
    credentials = ServerCredentials("app", secret, clock=clock, emitter=emitter)
    token = (await credentials.acquire()).headers["x-custom-token"]
    echo = json.dumps({"error": f"bad token {token} in {json.dumps(BODY)}", "code": token, "requestId": token[:100]})
    with Canary(SECRET, token, PASSWORD) as canary:
        async with BadServer() as server:
            using = engine(AiohttpTransport(), server.url, credentials=credentials, clock=clock, emitter=emitter)
            things += [secret, provider, credentials, credentials.peek(), using]
            for answer in (
                CannedReply(),
                CannedReply(401, echo.encode()),
                CannedReply(500, echo.encode(), {"X-Request-Id": token}),
                CannedReply(422, f"<html><h1>{html.escape(PASSWORD)} {token}</h1>".encode()),
                CannedReply(400, quote(json.dumps(BODY)).encode()),
                CannedReply(200, b"{" + echo.encode()),
                Fault.RESET_AFTER_BODY,
                Fault.GARBAGE,
            ):
                server.play(answer)
                try:
                    got = await using.call(WRITE, path={"id": "1"}, data=BODY)
                    things += [got]
                except ChatError as error:
                    things += [error, copy.copy(error), error.__context__, error.message, repr(error)]
            server.play(Fault.SILENT)
            task = asyncio.ensure_future(using.call(READ, data=BODY))
            await server.arrived(9)
            task.cancel()
            await asyncio.wait({task})
            things += [task]
            await using.aclose()
        await secret.settings.aclose()
    canary.check(*things)
    assert len(canary.records) > 15


@pytest.mark.parametrize(
    "spelled",
    [
        lambda text: text,
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        html.escape,
        lambda text: quote(text, safe=""),
    ],
)
@pytest.mark.parametrize("password", [PASSWORD, "two words and more", "back\\slash'quote", "naïve-пароль-密码"])
async def test_a_password_is_masked_in_every_spelling_an_echo_has(spelled: object, password: str) -> None:
    told = spelled(password)  # type: ignore[operator]
    echo = Response(400, {}, f"unfit value {told} given".encode())
    with pytest.raises(ChatError) as caught:
        await engine(scripted(echo)).call(WRITE, path={"id": "1"}, data={"password": password})
    assert caught.value.message == "unfit value ••• given"


async def test_a_request_prints_neither_headers_nor_body() -> None:
    transport = scripted(reply(200, {"token": PASSWORD}))
    got = await engine(transport).call(WRITE, path={"id": "1"}, data=BODY)
    with Canary(PASSWORD, "canary-engine-token-90210") as canary:
        pass
    canary.check(repr(transport.requests), repr(got), str(got))


async def test_a_rejected_secret_that_was_passed_in_is_not_in_the_error() -> None:
    with Canary(SECRET) as canary:
        clock, emitter = FakeClock(), Emitter()
        secret = app_secret(SECRET, scoped=False, clock=clock, emitter=emitter)
        credentials = ServerCredentials("app", secret, clock=clock, emitter=emitter)

        def refuse(request: Request) -> Response:
            return reply(401, {"error": f"no: {request.headers['x-custom-token']}"})

        with pytest.raises(UnauthorizedError) as caught:
            await engine(MemoryTransport(refuse), credentials=credentials).call(READ)
    canary.check(caught.value, secret, credentials, repr(vars(credentials)))
    assert caught.value.message == "no: •••"


async def test_a_secret_that_utf8_cannot_hold_is_refused_and_not_shown() -> None:
    unfit = "canary-secret-\udcff-rest"
    for given in (unfit, MemoryProvider({APP_SECRET: unfit})):
        with Canary(unfit, "canary-secret-") as canary, pytest.raises(ChatError) as caught:
            await app_secret(given, scoped=True, clock=FakeClock(), emitter=Emitter()).load()
        canary.check(caught.value)
        assert "UTF-8" in caught.value.message


async def test_a_weak_secret_is_warned_of_without_being_shown() -> None:
    with warnings.catch_warnings(record=True) as caught, Canary("short-one") as canary:
        warnings.simplefilter("always")
        await app_secret("short-one", scoped=True, clock=FakeClock(), emitter=Emitter()).load()
    canary.check(*(str(warning) for warning in caught))
    assert len(caught) == 1


@pytest.mark.parametrize(
    "leak",
    [
        lambda value: value,
        lambda value: [value],
        lambda value: ValueError(value),
        lambda value: json.dumps(f'"{value}"'),
        lambda value: b"x" + value.encode(),
    ],
)
def test_the_canary_sings(leak: object) -> None:
    canary = Canary(PASSWORD)
    with pytest.raises(AssertionError, match="value 1 is in the") as caught:
        canary.check("fine", leak(PASSWORD))  # type: ignore[operator]
    assert PASSWORD not in str(caught.value)


def test_the_canary_looks_into_suppressed_contexts_and_the_log() -> None:
    import logging

    error: Exception | None = None
    try:
        try:
            raise ValueError(PASSWORD)
        except ValueError:
            raise KeyError("fine") from None
    except KeyError as caught:
        error = caught
    with pytest.raises(AssertionError):
        Canary(PASSWORD).check(error)
    with Canary(SECRET) as canary:
        logging.getLogger("somewhere.deep").debug("%s", SECRET)
    with pytest.raises(AssertionError, match="log record 1"):
        canary.check()


def test_a_canary_that_is_too_short_proves_nothing() -> None:
    for values in ((), ("short",)):
        with pytest.raises(ValueError, match="8 characters"):
            Canary(*values)
