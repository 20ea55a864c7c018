"""``ethora.tokens`` and ``ethora.sessions`` against the sandbox: tokens for a front end, and their use."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import pytest
from scripted_ethora import APP, SECRET, Scripted, ok, person, reply

from ethora_async import (
    ConfigError,
    EthoraClient,
    InvalidInputError,
    InvalidTokenError,
    NotFoundError,
    ReplyLostError,
    UnauthorizedError,
)
from ethora_async.redaction import MASK
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock


@pytest.mark.parametrize("id", ["u1", 7, UUID(int=7)])
async def test_a_users_token_opens_a_session_whatever_type_the_id_has(id: Any, ethora: EthoraClient) -> None:
    await ethora.users.create_many([person("u1"), person(7), person(UUID(int=7))])
    token = await ethora.tokens.for_user(id)
    session = await ethora.sessions.exchange(token)
    assert session.user.id == token.user_id
    assert session.user.xmpp_username == f"{APP}_{token.user_id}"
    assert session.token.reveal()
    assert session.refresh_token is not None
    assert session.xmpp_password is not None
    assert (await ethora.sessions.exchange(f"  {token.value}\n")).user.id == token.user_id


async def test_a_session_shows_no_secret(ethora: EthoraClient) -> None:
    await ethora.users.create_many([person("u1")])
    session = await ethora.sessions.exchange(await ethora.tokens.for_user("u1"))
    shown = f"{session!r} {session} {attrs.asdict(session)}"
    assert session.refresh_token is not None
    assert session.xmpp_password is not None
    for secret in (session.token, session.refresh_token, session.xmpp_password):
        assert secret.reveal() not in shown
    assert MASK in shown
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(session)


async def test_a_token_for_nobody_is_not_found(ethora: EthoraClient) -> None:
    with pytest.raises(NotFoundError) as caught:
        await ethora.sessions.exchange(await ethora.tokens.for_user("nobody"))
    assert caught.value.code == "USER_NOT_FOUND"


async def test_tokens_that_are_not_users_own_are_refused(ethora: EthoraClient, clock: FakeClock) -> None:
    await ethora.users.create_many([person("u1")])
    token = await ethora.tokens.for_user("u1", ttl=timedelta(minutes=5))
    clock.advance(301)
    for refused in (token, await ethora.tokens.for_server(), "not.a.token"):
        with pytest.raises(UnauthorizedError):
            await ethora.sessions.exchange(refused)


@pytest.mark.parametrize("token", ["", "  ", "abc\r\nx-admin: 1", "abc\x00"])
async def test_texts_that_cannot_be_tokens_are_refused_before_sending(token: str, clock: FakeClock) -> None:
    wire = Scripted(clock, ok())
    with pytest.raises(InvalidInputError, match="token"):
        await wire.client.sessions.exchange(token)
    assert not wire.sent


@pytest.mark.parametrize("data", [None, [], {}, {"token": 5, "user": {}}, {"token": "t"}, {"token": "t", "user": []}])
async def test_a_session_without_its_parts_is_a_lost_reply(data: Any, clock: FakeClock) -> None:
    wire = Scripted(clock, ok(data))
    with pytest.raises(ReplyLostError, match="unexpected shape"):
        await wire.client.sessions.exchange("some-token")


async def test_an_exchange_carries_the_users_token_and_not_ours(clock: FakeClock) -> None:
    user = {"_id": "0" * 24, "xmppUsername": f"{APP}_{APP}_u1", "xmppPassword": "pw-pw-pw"}
    wire = Scripted(clock, ok({"success": True, "token": "t", "user": user, "wsToken": "w", "more": 1}))
    session = await wire.client.sessions.exchange("users-token")
    (request,) = wire.transport.requests
    assert (wire.only.method, wire.only.path, wire.only.body) == ("POST", "/v1/users/client", None)
    assert request.headers["x-custom-token"] == "users-token"
    assert "Authorization" not in request.headers
    assert (session.user.id, session.user.xmpp_username, session.refresh_token) == ("u1", f"{APP}_u1", None)
    assert session.extra["more"] == 1
    assert str(session.extra["wsToken"]) == MASK


async def test_a_server_token_of_ours_verifies_and_a_users_token_names_its_user(ethora: EthoraClient) -> None:
    server = await ethora.tokens.verify(await ethora.tokens.for_server())
    assert (server.purpose, server.user_id, server.app_id) == ("server", None, APP)
    client = await ethora.tokens.verify(f"Bearer {(await ethora.tokens.for_user('u1')).value}")
    assert (client.purpose, client.user_id) == ("client", "u1")


async def test_tokens_of_others_do_not_verify(ethora: EthoraClient, clock: FakeClock) -> None:
    options: dict[str, Any] = {"api_url": "https://api.example.com", "clock": clock}
    other_secret = EthoraClient(app_id=APP, secret=SECRET[::-1], **options)
    other_app = EthoraClient(app_id="f" * 24, secret=SECRET, **options)
    for other in (other_secret, other_app):
        token = await other.tokens.for_user("u1")
        with pytest.raises(InvalidTokenError) as caught:
            await ethora.tokens.verify(token)
        assert token.value not in str(caught.value)


async def test_a_token_past_its_end_verifies_only_with_leeway(ethora: EthoraClient, clock: FakeClock) -> None:
    token = await ethora.tokens.for_user("u1", ttl=10)
    clock.advance(15)
    with pytest.raises(InvalidTokenError, match="has expired"):
        await ethora.tokens.verify(token)
    assert (await ethora.tokens.verify(token, leeway=timedelta(seconds=6))).user_id == "u1"


async def test_a_token_is_kept_until_a_minute_before_its_end(ethora: EthoraClient, clock: FakeClock) -> None:
    first = await ethora.tokens.for_user("u1")
    assert (first.expires_at, first.refresh_at) == (clock.now() + 3600, clock.now() + 3540)
    clock.advance(3539)
    assert await ethora.tokens.for_user("u1") is first
    clock.advance(2)
    assert (await ethora.tokens.for_user("u1")).value != first.value


@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan"), "1h", True, timedelta(0)])
async def test_lives_that_are_no_time_are_refused(ttl: Any, ethora: EthoraClient) -> None:
    with pytest.raises(ConfigError, match="ttl"):
        await ethora.tokens.for_user("u1", ttl=ttl)


async def test_the_older_payload_works_where_a_server_asks_for_it(clock: FakeClock) -> None:
    sandbox = EthoraSandbox(app_id=APP, secret=SECRET, clock=clock.now, legacy_tokens=True)
    async with sandbox, EthoraClient(app_id=APP, secret=SECRET, api_url=sandbox.url, clock=clock) as ethora:
        await ethora.users.create_many([person("u1")])
        token = await ethora.tokens.for_email(" U1@Example.com ")
        assert (await ethora.sessions.exchange(token)).user.id == "u1"
        with pytest.raises(InvalidInputError):
            await ethora.tokens.for_email("nobody")


async def test_a_raw_secret_signs_for_old_servers(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    options: dict[str, Any] = {"app_id": APP, "secret": SECRET, "api_url": sandbox.url, "clock": clock}
    async with EthoraClient(**options, scoped=False) as ethora:
        await ethora.users.create_many([person("u1")])
        token = await ethora.tokens.for_user("u1")
        assert (await ethora.sessions.exchange(token)).user.id == "u1"
        assert (await ethora.tokens.verify(token)).user_id == "u1"


async def test_a_refused_exchange_tells_the_platforms_reason(clock: FakeClock) -> None:
    wire = Scripted(clock, reply(401, {"error": "jwt expired"}))
    with pytest.raises(UnauthorizedError, match="jwt expired") as caught:
        await wire.client.sessions.exchange("users-secret-token")
    assert "users-secret-token" not in str(caught.value)
    assert len(wire.sent) == 1
