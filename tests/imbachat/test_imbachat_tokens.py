"""ImbaChat's tokens, byte for byte (docs/platforms/imbachat.md#user-token)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imbachat_parts import KEY, client

from ethora_async import ConfigError, ImbaChatClient, InvalidInputError
from ethora_async.capabilities import AnswersUserInfo, ManagesChats, ManagesUsers, MintsUserTokens
from ethora_async.engine import SecretRead, SecretRotated, TokenRefreshed
from ethora_async.platforms.imbachat.settings import ShortKeyWarning
from ethora_async.testing.users import FakeClock
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from pathlib import Path

VECTOR = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"
    ".eyJleHAiOjE3MDAwMDM2MDAsInVzZXJfaWQiOjF9"
    ".emPvL7ksZ5NeV7HrbU6TX9wPjxqdIsn232OZs8ouz5o"
)
"""Key `KEY`, exp 1700003600, user_id 1: made independently in PHP and in Python."""


def by_hand(key: str, exp: int, user: int) -> str:
    """The vendor's rule, implemented without our code."""
    head, body = (
        base64.urlsafe_b64encode(text.encode()).rstrip(b"=")
        for text in ('{"typ":"JWT","alg":"HS256"}', f'{{"exp":{exp},"user_id":{user}}}')
    )
    mark = hmac.new(key.encode(), head + b"." + body, hashlib.sha256).digest()
    return b".".join((head, body, base64.urlsafe_b64encode(mark).rstrip(b"="))).decode()


@pytest.mark.parametrize("id", [1, "1"])
async def test_the_contracts_vector_byte_for_byte(id: Any) -> None:
    token = await client(clock=FakeClock(1_700_000_000.9)).tokens.for_user(id)
    assert token.value == VECTOR
    assert (token.user_id, token.platform, token.expires_at) == ("1", "imbachat", 1_700_003_600.0)
    assert token.refresh_at == token.expires_at - 60
    assert token.extra == {
        "widget_id": 4711,
        "script_url": "https://api.imbachat.com/imbachat/v1/4711/widget",
    }


@given(
    key=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=32, max_size=50).filter(str.strip),
    user=st.integers(1, 2**63 - 1),
    now=st.floats(0, 4e9),
    ttl=st.integers(1, 100_000),
)
async def test_any_token_is_what_the_vendors_rule_makes(key: str, user: int, now: float, ttl: int) -> None:
    token = await client(secret=key, clock=FakeClock(now)).tokens.for_user(user, ttl=ttl)
    assert token.value == by_hand(key, int(now) + ttl, user)


def test_the_rule_by_hand_makes_the_vector_too() -> None:
    assert by_hand(KEY, 1_700_003_600, 1) == VECTOR


async def test_the_key_is_its_characters_and_not_base64() -> None:
    key = base64.b64encode(b"k" * 33).decode()
    token = await client(secret=key, clock=FakeClock(1_700_000_000.0)).tokens.for_user(5)
    assert token.value == by_hand(key, 1_700_003_600, 5)


@pytest.mark.parametrize(
    "id",
    [0, -1, True, False, 2**63, "0", "-1", "+1", "007", "12abc", "1e3", "1.0", "abc", "", " ", "１２", "1,2", 1.0, None,
     UUID(int=5), b"1", "9" * 30],
)  # fmt: skip
async def test_what_is_no_users_number_is_refused_and_not_cast(id: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await client().tokens.for_user(id)
    assert caught.value.field == "id"


@pytest.mark.parametrize(("ttl", "life"), [(timedelta(hours=7), 25_200), (90, 90), (90.9, 90), (0.5, 1)])
async def test_how_long_it_lives(ttl: Any, life: int) -> None:
    token = await client(clock=FakeClock(1_700_000_000.0)).tokens.for_user(5, ttl=ttl)
    body = token.value.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"] == 1_700_000_000 + life
    assert token.expires_at == 1_700_000_000 + life


@pytest.mark.parametrize("ttl", [0, -1, "3600", float("inf"), None])
async def test_a_lifetime_that_is_none_is_refused(ttl: Any) -> None:
    with pytest.raises(ConfigError, match="ttl"):
        await client().tokens.for_user(5, ttl=ttl)


async def test_tokens_are_kept_until_a_minute_before_their_end() -> None:
    clock = FakeClock()
    made = client(clock=clock)
    token = await made.tokens.for_user(5)
    clock.advance(3539)
    assert await made.tokens.for_user("5") is token
    clock.advance(1)
    assert await made.tokens.for_user(5) is not token
    assert await made.tokens.for_user(6) is not await made.tokens.for_user(5)


async def test_a_rotated_key_signs_from_then_on() -> None:
    clock = FakeClock(1_700_000_000.0)
    events: list[Any] = []
    store = MemoryProvider({"IMBACHAT_SECRET_KEY": KEY})
    made = ImbaChatClient.from_secrets(store, clock=clock, on_event=events.append)
    assert (await made.tokens.for_user(1)).value == VECTOR
    newer = "another-key-that-is-just-as-long-as-it"
    store.put({"IMBACHAT_SECRET_KEY": newer})
    clock.advance(31)
    token = await made.tokens.for_user(1)
    assert token.value == by_hand(newer, 1_700_003_631, 1)
    told = [type(event) for event in events if not isinstance(event, SecretRead)]
    assert told == [TokenRefreshed, SecretRotated, TokenRefreshed]
    await made.aclose()
    assert store.closes == 1


@pytest.mark.parametrize("key", ["", "  "])
def test_an_empty_key_signs_nothing(key: str) -> None:
    with pytest.raises(ConfigError, match="IMBACHAT_SECRET_KEY"):
        client(secret=key)


async def test_a_short_key_warns_once_and_one_of_32_bytes_does_not() -> None:
    with pytest.warns(ShortKeyWarning, match="32 bytes") as caught:
        made = client(secret="x" * 31)
    assert len(caught) == 1
    assert caught[0].filename.endswith("imbachat_parts.py")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client(secret="x" * 32)
        await made.tokens.for_user(1)
    store = MemoryProvider({"IMBACHAT_SECRET_KEY": "x" * 31})
    with pytest.warns(ShortKeyWarning):
        await ImbaChatClient.from_secrets(store).tokens.for_user(1)


def test_there_are_no_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"IMBACHAT_SECRET_KEY is not set or empty.*secret="):
        ImbaChatClient.from_env()
    monkeypatch.setenv("IMBACHAT_SECRET_KEY", KEY)
    made = ImbaChatClient.from_env()
    with pytest.raises(ConfigError, match="IMBACHAT_API_LOGIN"):
        made.user_info(lambda ids: pytest.fail("asked"))


async def test_settings_from_the_environment_or_a_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "IMBACHAT_SECRET_KEY").write_text(KEY)
    monkeypatch.setenv("ETHORA_SECRETS", f"file://{tmp_path}")
    monkeypatch.setenv("IMBACHAT_WIDGET_ID", "12")
    async with ImbaChatClient.from_env(clock=FakeClock(1_700_000_000.0)) as made:
        token = await made.tokens.for_user(1)
    assert token.value == VECTOR
    assert token.extra["widget_id"] == 12
    assert "12" in repr(made)


@pytest.mark.parametrize("widget", ["x1", "0", "-5", "1.5", "１", "1/../2", 0, -1, 1.5, True, "<script>"])
def test_a_widgets_id_is_a_decimal_number(widget: Any) -> None:
    with pytest.raises(ConfigError, match="widget_id"):
        client(widget_id=widget)


@pytest.mark.parametrize("url", ["http://api.imbachat.com", "ftp://x", "https://u:p@x", "nonsense", "https://x?y"])
def test_the_script_comes_over_https_alone(url: str) -> None:
    with pytest.raises(ConfigError, match="IMBACHAT_API_URL"):
        client(api_url=url)
    assert client(api_url="http://127.0.0.1:8080/")


def test_what_imbachat_can_do_and_what_it_cannot() -> None:
    made = client()
    assert isinstance(made, MintsUserTokens)
    assert isinstance(made, AnswersUserInfo)
    assert not isinstance(made, (ManagesUsers, ManagesChats))
    assert not hasattr(made, "users")
    assert not hasattr(made, "chats")
    assert not hasattr(made.tokens, "revoke")
