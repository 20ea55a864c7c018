"""Requests to Avaya, byte for byte, and how the client reads the replies.

See docs/platforms/avaya.md#access-token, #generate-jwt.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from avaya_parts import ACCESS, APP_KEY, INTEGRATION, JWT_URL, TOKEN_URL, Wire, access, jwt, part, reply

from ethora_async import ApiError, InvalidTokenError, ReplyLostError
from ethora_async.platforms.avaya.tokens import expiry
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock


async def test_the_token_request_is_a_form_with_id_and_secret_in_it_and_the_app_key_beside_it(clock: FakeClock) -> None:
    wire = Wire(clock)
    await wire.client.tokens.for_user("c1")
    (request,) = wire.token_requests
    assert (request.method, request.url) == ("POST", TOKEN_URL)
    assert request.body == (
        b"grant_type=client_credentials&client_id=client-of-the-tests"
        b"&client_secret=a%2Bclient%2Fsecret+%26of%3Dthe+tests"
    )
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["appkey"] == APP_KEY
    assert "Authorization" not in request.headers


async def test_the_request_for_a_verified_customer(clock: FakeClock) -> None:
    wire = Wire(clock)
    await wire.client.tokens.for_user(
        "c1",
        verified=True,
        name="Ann Lee",
        identifiers={"emailAddresses": "ann@example.com", "phoneNumbers": ["+1 555 0100", "+1 555 0101"]},
        ttl=timedelta(minutes=30),
    )
    (request,) = wire.jwt_requests
    assert (request.method, request.url) == ("POST", JWT_URL)
    assert request.body == (
        b'{"integrationId":"%b","customerId":"c1","verifiedCustomer":true,"customerName":"Ann Lee",'
        b'"customerIdentifiers":{"emailAddresses":["ann@example.com"],"phoneNumbers":["+1 555 0100","+1 555 0101"]},'
        b'"ttl":30}' % INTEGRATION.encode()
    )
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == f"Bearer {ACCESS}"
    assert request.headers["appkey"] == APP_KEY


async def test_the_request_for_a_guest_has_the_listed_members_alone(clock: FakeClock) -> None:
    wire = Wire(clock)
    await wire.client.tokens.for_user(7, name="")
    (request,) = wire.jwt_requests
    assert json.loads(request.body or b"") == {
        "integrationId": INTEGRATION,
        "customerId": "7",
        "verifiedCustomer": False,
        "customerName": "",
        "ttl": 15,
    }
    assert b'"ttl":15' in (request.body or b"")  # a number, not text


async def test_a_visitor_of_whom_nothing_is_known_gets_a_random_id_every_time(clock: FakeClock) -> None:
    wire = Wire(clock)
    first, second = await wire.client.tokens.for_guest(), await wire.client.tokens.for_guest(name="You")
    bodies = [json.loads(request.body or b"") for request in wire.jwt_requests]
    assert [body["customerId"] for body in bodies] == [first.user_id, second.user_id]
    assert len({first.user_id, second.user_id}) == 2
    assert all(len(body["customerId"]) >= 32 and body["verifiedCustomer"] is False for body in bodies)


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("prefix", ["jwt.", ""])
async def test_the_token_is_passed_through_untouched_and_its_end_read_from_it(
    clock: FakeClock, status: int, prefix: str
) -> None:
    value = jwt({"exp": int(clock.now()) + 1234, "iss": "x"}, prefix)
    wire = Wire(clock, reply(status, {"jwtToken": value, "unknown": 1}))
    token = await wire.client.tokens.for_user("c1")
    assert token.value == value
    assert value.count(".") == (3 if prefix else 2)
    assert token.expires_at == clock.now() + 1234
    assert token.refresh_at == token.expires_at - 180
    assert (token.platform, token.user_id) == ("avaya", "c1")
    assert token.extra == {"app_key": APP_KEY, "integration_id": INTEGRATION, "host": "eu.api.avayacloud.com"}


UNREADABLE: dict[str, str] = {
    "no exp": jwt({"sub": "x"}),
    "exp as text": jwt({"exp": "1700000900"}),
    "exp true": jwt({"exp": True}),
    "exp null": jwt({"exp": None}),
    "exp too far": jwt({"exp": 10**300}),
    "exp below nothing": jwt({"exp": -5}),
    "claims no object": jwt([1]),
    "claims no JSON": f"jwt.{part({})}.{part(b'nonsense')}.sig",
    "claims no base64": f"jwt.{part({})}.@@@@.sig",
    "claims not ASCII": f"jwt.{part({})}.é.sig",
    "no dots": "opaque",
    "the word alone": "jwt",
    "two parts": "jwt.x",
    "deep": f"jwt.{part({})}.{part(b'[' * 3000)}.sig",
    "endless": jwt({"exp": 1_700_000_900, "pad": "x" * 20_000}),
    "spaces around it": f" {jwt({'sub': 'x'})} ",
}


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_where_the_end_cannot_be_read_it_is_counted_from_before_the_request(clock: FakeClock, value: str) -> None:
    started = clock.now()

    def slowly(_: Any) -> Any:
        clock.advance(20)
        return reply(201, {"jwtToken": value})

    wire = Wire(clock, slowly)
    token = await wire.client.tokens.for_user("c1", ttl=timedelta(minutes=20))
    assert token.value == value
    assert token.expires_at == started + 20 * 60


@pytest.mark.parametrize("encode", [lambda text: text, lambda text: text + "=" * (-len(text) % 4)])
@pytest.mark.parametrize("filler", ["", "?", "??", "???", "ÿÿÿ", "~~~~"])
def test_claims_are_base64url_with_and_without_padding(encode: Any, filler: str) -> None:
    claims = encode(part(json.dumps({"sub": filler, "exp": 1_700_000_123}, ensure_ascii=False).encode()))
    assert expiry(Secret(f"jwt.{part({})}.{claims}.sig")) == 1_700_000_123
    assert expiry(Secret(f"{part({})}.{claims}.sig")) == 1_700_000_123


def test_the_test_above_covers_the_two_signs_that_plain_base64_does_not_know() -> None:
    parts = part(json.dumps({"a": "ÿÿÿ~~~~???"}, ensure_ascii=False).encode())
    assert set("-_") & set(parts)


@pytest.mark.parametrize("left", [-3600, 0, 1, 299])
async def test_a_token_with_less_than_five_minutes_left_is_not_handed_out(clock: FakeClock, left: int) -> None:
    wire = Wire(clock, reply(201, {"jwtToken": jwt({"exp": int(clock.now()) + left})}))
    with pytest.raises(InvalidTokenError, match=f"{left} seconds left"):
        await wire.client.tokens.for_user("c1")


async def test_one_with_five_minutes_left_is_and_then_is_asked_for_anew(clock: FakeClock) -> None:
    wire = Wire(clock, reply(201, {"jwtToken": jwt({"exp": int(clock.now()) + 300})}))
    token = await wire.client.tokens.for_user("c1")
    assert token.expires_at == clock.now() + 300
    wire.jwts = [reply(201, {"jwtToken": jwt({"exp": int(clock.now()) + 900})})]
    assert (await wire.client.tokens.for_user("c1")).expires_at == clock.now() + 900


async def test_a_token_from_the_cache_has_five_minutes_left_at_the_least(clock: FakeClock) -> None:
    wire = Wire(clock)
    token = await wire.client.tokens.for_user("c1")
    clock.advance(599)
    assert await wire.client.tokens.for_user("c1") is token
    clock.advance(1)
    after = await wire.client.tokens.for_user("c1")
    assert after is not token
    assert after.expires_at - clock.now() == 900
    assert len(wire.jwt_requests) == 2


async def test_the_cache_knows_every_input_apart(clock: FakeClock) -> None:
    wire = Wire(clock)
    inputs: list[dict[str, Any]] = [
        {},
        {"verified": True},
        {"name": "Ann"},
        {"name": ""},
        {"ttl": 1800},
        {"verified": True, "identifiers": {"a": "x"}},
        {"verified": True, "identifiers": {"a": ["x", "y"]}},
        {"verified": True, "identifiers": {"b": "x"}},
    ]
    for _ in range(2):
        for one in inputs:
            await wire.client.tokens.for_user("c1", **one)
        await wire.client.tokens.for_user("c2")
    assert len(wire.jwt_requests) == len(inputs) + 1
    assert len({request.body for request in wire.jwt_requests}) == len(inputs) + 1


async def test_the_cache_can_be_switched_off(clock: FakeClock) -> None:
    wire = Wire(clock, token_cache_size=0)
    for _ in range(3):
        await wire.client.tokens.for_user("c1")
    assert len(wire.jwt_requests) == 3
    assert len(wire.token_requests) == 1


@pytest.mark.parametrize(
    "body",
    [None, {}, {"jwtToken": None}, {"jwtToken": ""}, {"jwtToken": 5}, {"jwttoken": "x"}, [], "jwt.a.b.c", b"<p>"],
)
async def test_an_answer_without_a_token_is_a_lost_reply(clock: FakeClock, body: Any) -> None:
    wire = Wire(clock, reply(201, body))
    with pytest.raises(ReplyLostError):
        await wire.client.tokens.for_user("c1", ttl=900)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": "two words"},
        {"access_token": "line\r\nbreak"},
        {"access_token": "é"},
        {"access_token": "x", "token_type": "mac"},
        {"access_token": "x", "token_type": 5},
        ["access_token"],
    ],
)
async def test_an_answer_without_a_usable_access_token_is_a_lost_reply(clock: FakeClock, body: Any) -> None:
    wire = Wire(clock, tokens=[reply(200, body)])
    with pytest.raises(ReplyLostError, match=r"access.token") as caught:
        await wire.client.tokens.for_user("c1")
    assert caught.value.effect == "none"
    assert wire.jwt_requests == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("which", ["tokens", "jwts"])
async def test_redirects_are_not_followed_with_credentials(clock: FakeClock, status: int, which: str) -> None:
    moved = reply(status, None, Location="https://elsewhere.example/")
    wire = Wire(clock, moved) if which == "jwts" else Wire(clock, tokens=[moved])
    with pytest.raises(ApiError) as caught:
        await wire.client.tokens.for_user("c1")
    assert caught.value.status == status
    assert {request.url for request in wire.transport.requests} <= {TOKEN_URL, JWT_URL}


@pytest.mark.parametrize(
    ("stated", "lifetime"),
    [
        ({"expires_in": 900}, 900),
        ({"expires_in": "600"}, 600),
        ({"expires_in": 120}, 120),
        ({"expires_in": None}, 300),
        ({"expires_in": 0}, 300),
        ({"expires_in": -5}, 300),
        ({"expires_in": True}, 300),
        ({"expires_in": "soon"}, 300),
        ({"expires_in": {}}, 300),
        ({"token_type": None}, 900),
        ({"token_type": "bearer"}, 900),
    ],
)
async def test_how_long_an_access_token_is_used(clock: FakeClock, stated: dict[str, Any], lifetime: int) -> None:
    wire = Wire(clock, tokens=[access(**stated)], token_cache_size=0)
    await wire.client.tokens.for_user("c1")
    clock.advance(lifetime - min(60, lifetime / 2) - 1)
    await wire.client.tokens.for_user("c1")
    assert len(wire.token_requests) == 1
    clock.advance(min(60, lifetime / 2) + 1)  # at its very end
    await wire.client.tokens.for_user("c1")
    assert len(wire.token_requests) == 2
