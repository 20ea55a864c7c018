"""No password, token or secret appears in logs, reprs, errors or tracebacks, whatever goes wrong."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from rocketchat_helpers import PASSWORD, PAT, SECRET, Server, account_of, coded, logged_in, ok, reply

from ethora_async import ChatError, NewUser, RocketChatClient
from ethora_async.platforms.rocketchat.users import UserChange
from ethora_async.sandbox import RocketChatSandbox
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from rocketchat_helpers import Sent

    from ethora_async.platforms.rocketchat.realtime.connection import Realtime
    from ethora_async.request import Response
    from ethora_async.testing.users import FakeClock

USER_PASSWORD = "user-password-canary-1"
SESSION = "session-token-canary-1"
USER_TOKEN = "user-token-canary-123"
TOTP = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
ALL = (PASSWORD, SECRET, USER_PASSWORD, SESSION, USER_TOKEN, TOTP, PAT)


def echo(status: int) -> Any:
    """Sends back everything that it was sent."""

    def answer(sent: Sent) -> Response:
        text = f"bad request: {sent.body} {sent.headers.get('X-Auth-Token')} {sent.headers.get('X-2fa-code')}"
        return reply(
            status, {"success": False, "error": text, "message": text, "errorType": "x-y", "details": sent.body}
        )

    return answer


async def failures(client: RocketChatClient) -> list[BaseException]:
    user = NewUser(id="ann", email="a@b.c", first_name="A", last_name="B", password=USER_PASSWORD)
    calls = [
        lambda: client.users.get("ann"),
        lambda: client.users.create_many([user]),
        lambda: client.users.update("ann", password=USER_PASSWORD),
        lambda: client.tokens.for_user("ann"),
        lambda: client.as_user("ann").me(),
        lambda: client.messages.send("room", "text"),
        lambda: client.logout("ann"),
    ]
    found: list[BaseException] = []
    for call in calls:
        try:
            result = await call()
        except ChatError as error:
            found.append(error)
            continue
        found += [outcome.error for outcome in getattr(result, "failures", ())]
    return found


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
async def test_a_server_that_echoes_everything_gives_nothing_away(status: int, clock: FakeClock) -> None:
    server = Server(
        login=logged_in(token=SESSION),
        users__info=lambda sent: ok(user=account_of(sent)) if sent.query["username"] == "ann" else echo(400)(sent),
        users__create=echo(status),
        users__update=echo(status),
        users__createToken=echo(status),
        users__logout=echo(status),
        rooms__info=echo(status),
    )
    events: list[object] = []
    with Canary(*ALL) as canary:
        client = server.client(clock, user="admin", password=PASSWORD, totp_secret=TOTP, on_event=events.append)
        errors = await failures(client)
        await client.aclose()
    assert len(errors) >= 5
    canary.check(client, *errors, *events)
    assert any(PASSWORD in str(sent.body) for sent in server.sent)  # it was sent, so it could have leaked


@pytest.mark.parametrize("status", [400, 401, 403, 500])
async def test_a_log_in_that_echoes_the_password_gives_nothing_away(status: int, clock: FakeClock) -> None:
    server = Server(login=echo(status))
    with Canary(*ALL) as canary:
        async with server.client(clock, user="admin", password=PASSWORD, totp_secret=TOTP) as client:
            errors = await failures(client)
    assert len(errors) >= 5
    canary.check(client, *errors)


async def test_nothing_shows_what_it_holds(clock: FakeClock) -> None:
    server = Server(
        login=logged_in(token=SESSION),
        users__createToken=ok(data={"userId": "x", "authToken": USER_TOKEN}),
        me=coded("totp-required", details={"method": "email"}),
    )
    with Canary(*ALL) as canary:
        async with server.client(clock, user="admin", password=PASSWORD, totp_secret=TOTP) as client:
            token = await client.tokens.for_user("ann")
            assert token.value == USER_TOKEN
            ring = await client._session._admins.load()
            factors = client._factors_of(ring.settings.current)
            minted = client.tokens._store.get("'ann'")
            credential = await client._session.acquire()
            stream = client.realtime(token)
            embedding = await client.embedding()
    change = UserChange(id="ann", password=USER_PASSWORD)
    held = [token, ring, *ring.candidates(), minted, credential, stream, embedding, change, factors]
    assert None not in held
    canary.check(*held, client, client.__dict__, client.tokens.__dict__, client._session.__dict__, client._settings)
    for secretive in (token, credential, change):
        with pytest.raises(TypeError):
            pickle.dumps(secretive)
    with pytest.raises(TypeError):
        copy.deepcopy(credential)


@pytest.mark.parametrize("on_revoke", ["close", "deauthenticate"])
async def test_a_stream_shows_no_token(on_revoke: Any, clock: FakeClock) -> None:
    async with RocketChatSandbox(clock=clock.now, rate_limit=None) as sandbox:
        sandbox.realtime.quirks.on_revoke = on_revoke
        environment = sandbox.environment
        sandbox.add_user("ann", password=USER_PASSWORD)
        async with RocketChatClient(
            url=sandbox.url,
            user=environment["ROCKETCHAT_USER"],
            password=environment["ROCKETCHAT_PASSWORD"],
            create_tokens_secret=environment["ROCKETCHAT_CREATE_TOKENS_SECRET"],
            clock=clock,
        ) as client:
            token = await client.tokens.for_user("ann")
            told: list[object] = []
            with Canary(token.value, environment["ROCKETCHAT_PASSWORD"], USER_PASSWORD) as canary:
                async with client.realtime(token, rooms="general") as stream:
                    await client.messages.send("general", "hello")
                    told.append(await anext(stream))
                    await client.logout("ann")
                    with pytest.raises(ChatError) as caught:
                        await asyncio.wait_for(to_its_end(stream, told), 120)
            canary.check(*told, caught.value, stream, stream._machine)
            assert canary.records


async def to_its_end(stream: Realtime, told: list[object]) -> None:
    async for event in stream:
        told.append(event)  # noqa: PERF401  what came before the error counts
