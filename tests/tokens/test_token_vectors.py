"""Tokens byte for byte as the vendor's SDK signs them, and their records.

See docs/platforms/ethora.md#test-vectors.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from token_parts import CLIENT_VECTOR, SECRET, SERVER_VECTOR, USER, client

from ethora_async.codec import loads
from ethora_async.engine import TokenRefreshed
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.platforms.ethora.app_secret import APP_SECRET, SigningKeys, WeakSecretWarning
from ethora_async.platforms.ethora.auth import server_claims
from ethora_async.testing.users import FakeClock
from ethora_async.tokens.hs256 import HS256Key, read_unverified
from ethora_async_secrets.testing import MemoryProvider


def test_the_server_vector() -> None:
    key = SigningKeys("secret123", scoped=True).signing("server")
    assert key.sign({**server_claims("app123"), "iat": 1_700_000_000}) == SERVER_VECTOR


def test_the_client_vector() -> None:
    key = SigningKeys("secret123", scoped=True).signing("client")
    claims = {"data": {"type": "client", "userId": USER, "appId": "app123"}, "iat": 1_700_000_000}
    assert key.sign(claims) == CLIENT_VECTOR


def test_the_scoped_keys_are_the_hex_texts_of_the_contract() -> None:
    keys = SigningKeys("secret123", scoped=True)
    server = HS256Key("6fada8e7fbec51c006285f32991e91b55ba6da10e2ec415837be26a239c70016")
    front = HS256Key("4392dc228155c84c30d3beb4d4724e2f802b2f2520bc083ae488a15a0087f704")
    assert keys.scoped("server").sign({"a": 1}) == server.sign({"a": 1})
    assert keys.scoped("client").sign({"a": 1}) == front.sign({"a": 1})


async def test_a_users_token_says_who_for_what_and_how_long() -> None:
    token = await client().tokens.for_user("u1")
    assert read_unverified(token.value) == {
        "data": {"type": "client", "userId": "u1", "appId": "app123"},
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }
    assert (token.user_id, token.platform) == ("u1", "ethora")
    assert (token.expires_at, token.refresh_at) == (1_700_003_600.0, 1_700_003_540.0)


async def test_a_server_token_names_no_user() -> None:
    token = await client().tokens.for_server()
    assert read_unverified(token.value)["data"] == {"appId": "app123", "type": "server"}
    assert token.user_id == ""


async def test_an_email_token_is_flat_and_signed_with_the_raw_secret() -> None:
    token = await client().tokens.for_email(" Ann@Example.COM ")
    claims = read_unverified(token.value)
    assert list(claims) == ["email", "type", "appId", "iat", "exp"]
    assert (claims["email"], claims["type"], claims["appId"]) == ("ann@example.com", "client", "app123")
    assert HS256Key(SECRET).verifies(token.value)
    with pytest.raises(InvalidInputError):
        await client().tokens.for_email("nobody")


@pytest.mark.parametrize("id", ["app123_u1", "app123_app123_u1", "APP123_u1", "app123_u1@xmpp.example", " u1 "])
async def test_a_form_that_is_not_the_plain_id_gets_no_token(id: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await client().tokens.for_user(id)
    assert caught.value.field == "id"


async def test_scoped_false_signs_with_the_raw_secret() -> None:
    token = await client(scoped=False).tokens.for_user("u1")
    assert HS256Key(SECRET).verifies(token.value)
    assert not SigningKeys(SECRET, scoped=True).signing("client").verifies(token.value)


@pytest.mark.parametrize("ttl", [90, 90.9, timedelta(seconds=90)])
async def test_a_lifetime_may_be_seconds_or_a_timedelta(ttl: Any) -> None:
    claims = read_unverified((await client().tokens.for_user("u1", ttl=ttl)).value)
    assert claims["exp"] - claims["iat"] == 90


@pytest.mark.parametrize("ttl", [0, -5, float("nan"), float("inf"), "60", None])
async def test_a_lifetime_that_is_none_is_refused(ttl: Any) -> None:
    with pytest.raises(ConfigError, match="ttl"):
        await client().tokens.for_user("u1", ttl=ttl)


async def test_tokens_are_kept_until_a_minute_before_their_end() -> None:
    clock = FakeClock()
    ours = client(clock=clock)
    first = await ours.tokens.for_user("u1")
    clock.advance(3539)
    assert await ours.tokens.for_user("u1") is first
    clock.advance(1)
    assert await ours.tokens.for_user("u1") is not first


async def test_tokens_differ_by_user_lifetime_and_purpose() -> None:
    ours = client().tokens
    values = {
        (await ours.for_user("u1")).value,
        (await ours.for_user("u2")).value,
        (await ours.for_user("u1", ttl=60)).value,
        (await ours.for_server()).value,
        (await ours.for_email("u1@example.com")).value,
    }
    assert len(values) == 5


async def test_a_token_of_one_second_is_not_handed_out_past_its_end() -> None:
    clock = FakeClock(1_700_000_000.9)  # whole seconds: it ends a tenth of a second from now
    ours = client(clock=clock)
    first = await ours.tokens.for_user("u1", ttl=1)
    clock.advance(0.2)
    again = await ours.tokens.for_user("u1", ttl=1)
    assert first.expires_at <= clock.now() < again.expires_at


async def test_a_new_secret_makes_new_tokens_by_itself() -> None:
    clock, store = FakeClock(), MemoryProvider({APP_SECRET: SECRET})
    events: list[object] = []
    ours = client(store, clock=clock, on_event=events.append)
    old = await ours.tokens.for_user("u1")
    store.put({APP_SECRET: "the-secret-that-came-after"})
    clock.advance(31)
    new = await ours.tokens.for_user("u1")
    assert old.value != new.value
    assert SigningKeys("the-secret-that-came-after", scoped=True).signing("client").verifies(new.value)
    assert [event.purpose for event in events if isinstance(event, TokenRefreshed)] == ["client", "client"]


def test_a_short_secret_warns_and_an_empty_one_is_refused() -> None:
    with pytest.warns(WeakSecretWarning, match="shorter than 14 bytes") as caught:
        client("secret123")
    assert len(caught) == 1
    for blank in ("", "   "):
        with pytest.raises(ConfigError, match="empty"):
            client(blank)


def test_signing_goes_by_the_order_of_the_claims() -> None:
    token = HS256Key(SECRET).sign({"b": 1, "a": 2})
    assert list(loads(_payload(token))) == ["b", "a"]


def _payload(token: str) -> bytes:
    from base64 import urlsafe_b64decode

    part = token.split(".")[1]
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
