"""Verification of tokens that were presented by others."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from token_parts import CLIENT_VECTOR, SECRET, SERVER_VECTOR, USER, client

from ethora_async.errors import InvalidTokenError
from ethora_async.platforms.ethora.app_secret import APP_SECRET, SigningKeys
from ethora_async.testing.users import FakeClock
from ethora_async.tokens.hs256 import HS256Key, read_unverified
from ethora_async_secrets import SecretBundle
from ethora_async_secrets.testing import MemoryProvider

pytestmark = pytest.mark.filterwarnings("ignore::ethora_async.platforms.ethora.app_secret.WeakSecretWarning")

DATA = {"type": "client", "userId": "u1", "appId": "app123"}


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: Any, claims: Any, key: str = SECRET) -> str:
    """A token as an attacker builds it, with a correct HMAC whatever its header says."""
    raw = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signed = ".".join(b64(part) for part in raw)
    return f"{signed}.{b64(hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest())}"


def token(claims: dict[str, Any], secret: str = SECRET, *, scoped: bool = True) -> str:
    return SigningKeys(secret, scoped=scoped).signing("client").sign(claims)


async def refused(text: Any, **options: Any) -> str:
    with pytest.raises(InvalidTokenError) as caught:
        await client(**options).tokens.verify(text)
    return caught.value.message


@pytest.mark.parametrize("vector", [SERVER_VECTOR, CLIENT_VECTOR])
async def test_the_vendors_tokens_pass(vector: str) -> None:
    verified = await client("secret123").tokens.verify(vector)
    assert verified.purpose == ("server" if vector is SERVER_VECTOR else "client")
    assert verified.user_id == (None if vector is SERVER_VECTOR else USER)
    assert (verified.issued_at, verified.expires_at) == (1_700_000_000.0, None)


@pytest.mark.parametrize("scoped", [True, False])
@pytest.mark.parametrize("times", [{}, {"iat": 1_700_000_000}, {"exp": 1_700_000_001}, {"iat": 1, "exp": 1.8e9}])
async def test_scoped_and_raw_with_and_without_times(scoped: bool, times: dict[str, Any]) -> None:
    verified = await client().tokens.verify(token({"data": DATA, **times}, scoped=scoped))
    assert (verified.user_id, verified.expires_at) == ("u1", times.get("exp"))


async def test_our_own_tokens_pass_also_with_bearer_in_front_and_as_they_are() -> None:
    ours = client()
    made = await ours.tokens.for_user("u1")
    for form in (made, made.value, f"Bearer {made.value}", f"  {made.value}\n"):
        assert (await ours.tokens.verify(form)).user_id == "u1"
    assert (await ours.tokens.verify(await ours.tokens.for_server())).purpose == "server"


async def test_an_ended_token_is_refused_beyond_its_leeway() -> None:
    clock = FakeClock(1_700_000_100)
    ended = token({"data": DATA, "exp": 1_700_000_100})
    assert "has expired" in await refused(ended, clock=clock)
    assert (await client(clock=clock).tokens.verify(ended, leeway=1)).user_id == "u1"


async def test_the_previous_secret_is_accepted_and_the_pending_one_is_not() -> None:
    store = MemoryProvider(
        SecretBundle(
            {APP_SECRET: SECRET}, previous={APP_SECRET: "the-one-before-it"}, pending={APP_SECRET: "the-next-one-x"}
        )
    )
    assert (await client(store).tokens.verify(token({"data": DATA}, "the-one-before-it"))).user_id == "u1"
    await refused(token({"data": DATA}, "the-next-one-x"), secret=store)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (token({"data": DATA}, "another-secret-altogether"), "not signed with this app"),
        (SigningKeys(SECRET, scoped=True).signing("server").sign({"data": DATA}), "not signed with this app"),
        (token({"data": {**DATA, "appId": "app1234"}}), "another app"),
        (token({"data": {**DATA, "type": "admin"}}), "neither client nor server"),
        (token({"data": {**DATA, "userId": ""}}), "names no user"),
        (token({"data": {**DATA, "userId": 5}}), "names no user"),
        (token({"data": {**DATA, "userId": "@host"}}), "names no user"),
        (token({"data": {**DATA, "userId": "  "}}), "names no user"),
        (token({"type": "client", "userId": "u1", "appId": "app123"}), "not nested under data"),
        (token({"data": [DATA]}), "not nested under data"),
        (token({"data": DATA, "exp": "soon"}), "exp is not a number"),
        (token({"data": DATA, "exp": True}), "exp is not a number"),
        (token({"data": DATA, "iat": []}), "iat is not a number"),
        (forged({"alg": "none"}, {"data": DATA}), "not signed with HS256"),
        (forged({"alg": "RS256", "typ": "JWT"}, {"data": DATA}), "not signed with HS256"),
        (forged({"alg": "HS512"}, {"data": DATA}), "not signed with HS256"),
        (forged({"alg": ["HS256"]}, {"data": DATA}), "not signed with HS256"),
        (forged(["alg"], {"data": DATA}), "not signed with HS256"),
        (forged("alg", {"data": DATA}), "not signed with HS256"),
        (forged({"typ": "JWT"}, {"data": DATA}), "three parts"),
        (forged({"alg": "HS256", "crit": ["b64"], "b64": False}, {"data": DATA}), ""),
        (forged({"alg": "HS256", "crit": 5}, {"data": DATA}), ""),
        (forged({"alg": "HS256"}, [1]), "not a JSON object"),
        (forged({"alg": "HS256"}, b"\xff"), "three parts"),
        (forged({"alg": "HS256"}, b"[" * 9_000), "three parts"),
        (forged(b'{"alg":' + b"[" * 9_000, {}), "three parts"),
        ("", "three parts"),
        ("..", "three parts"),
        ("a.b", "three parts"),
        ("eyJ.é.x", "three parts"),
        ("\udcff.a.b", "three parts"),
        ("x" * 20_000, "longer than"),
        (b"bytes", "must be text, not bytes"),
        (None, "must be text, not NoneType"),
    ],
)
async def test_what_is_no_good_token_is_refused_and_the_reason_said(text: Any, why: str) -> None:
    message = await refused(text)
    assert why in message
    assert not text or len(text) < 10 or str(text) not in message


async def test_an_unsigned_token_is_refused() -> None:
    header, claims, _ = token({"data": DATA}).split(".")
    nothing = b64(b'{"alg":"none"}')
    for unsigned in (f"{header}.{claims}.", f"{nothing}.{claims}."):
        await refused(unsigned)


@given(place=st.integers(0, 10**6), other=st.sampled_from("abcXYZ019-_"))
def test_a_token_with_one_character_changed_is_not_verified(place: int, other: str) -> None:
    good = HS256Key(SECRET).sign({"data": DATA, "iat": 1_700_000_000})
    place %= len(good)
    changed = good[:place] + other + good[place + 1 :]
    if changed != good and good[place] != ".":
        assert not HS256Key(SECRET).verifies(changed)


@given(
    st.text()
    | st.tuples(st.binary(), st.binary(), st.binary()).map(lambda parts: ".".join(b64(part) for part in parts))
    | st.tuples(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.just("HS256"),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["alg", "crit", "b64", "typ", "kid"]), inner)
            ),
            max_leaves=5,
        ),
        st.none() | st.just({"data": DATA}),
    ).map(lambda parts: forged(*parts))
)
def test_whatever_is_presented_nothing_but_invalid_token_is_raised(text: str) -> None:
    try:
        claims = read_unverified(text)
    except InvalidTokenError:
        return
    assert isinstance(claims, dict)
    assert HS256Key(SECRET).verifies(text) in (True, False)
