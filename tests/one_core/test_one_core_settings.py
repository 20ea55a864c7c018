"""The sources of a client's settings, and its options: the same on every platform."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async import AvayaClient, ConfigError, EthoraClient, ImbaChatClient, RocketChatClient
from ethora_async.engine.wiring import ClientOptions, LocalOptions
from ethora_async.platforms.avaya import client as avaya
from ethora_async.platforms.ethora import client as ethora
from ethora_async.platforms.imbachat import client as imbachat
from ethora_async.platforms.rocketchat import client as rocketchat
from ethora_async.testing.users import FakeClock
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS: dict[Any, tuple[str, dict[str, str]]] = {
    EthoraClient: (
        "ETHORA_CHAT_APP_SECRET",
        {"ETHORA_CHAT_APP_ID": "app", "ETHORA_CHAT_API_URL": "http://x"},
    ),
    RocketChatClient: ("ROCKETCHAT_PASSWORD", {"ROCKETCHAT_USER": "admin", "ROCKETCHAT_URL": "http://x"}),
    AvayaClient: (
        "AVAYA_CLIENT_SECRET",
        {
            "AVAYA_ACCOUNT_ID": "ABCDEF",
            "AVAYA_APP_KEY": "key",
            "AVAYA_CLIENT_ID": "id",
            "AVAYA_INTEGRATION_ID": "6b2a3c1e-0d4f-4a5b-8c6d-7e8f90a1b2c3",
            "AVAYA_REGION": "eu",
        },
    ),
    ImbaChatClient: ("IMBACHAT_SECRET_KEY", {"IMBACHAT_WIDGET_ID": "7"}),
}
OPTIONS: dict[Any, tuple[Any, Any, Any]] = {
    EthoraClient: (ethora.EthoraOptions, ethora.EthoraSettings, ClientOptions),
    RocketChatClient: (rocketchat.RocketChatOptions, rocketchat.RocketChatSettings, ClientOptions),
    AvayaClient: (avaya.AvayaOptions, avaya.AvayaSettings, ClientOptions),
    ImbaChatClient: (imbachat.ImbaChatOptions, imbachat.ImbaChatSettings, LocalOptions),
}
STORE, VARIABLE, ARGUMENT = (
    f"{name}-secret-of-thirty-two-bytes-at-least" for name in ("store", "variable", "argument")
)


def in_environment(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("make", ["constructor", "from_env"])
@pytest.mark.parametrize("kind", SETTINGS)
async def test_one_precedence(kind: Any, make: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, others = SETTINGS[kind]
    made = kind if make == "constructor" else kind.from_env
    in_environment(monkeypatch, {**others, name: VARIABLE})

    async def secret(**options: Any) -> str | None:
        client = made(clock=FakeClock(), **options)
        try:
            return (await client._settings.load()).current.get(name)
        finally:
            await client.aclose()

    assert await secret() == VARIABLE
    (tmp_path / "store.json").write_text(json.dumps({name: STORE}))
    monkeypatch.setenv("ETHORA_SECRETS", (tmp_path / "store.json").as_uri())
    assert await secret() == STORE
    assert await secret(secret=ARGUMENT) == ARGUMENT
    assert await secret(secret=MemoryProvider({name: ARGUMENT})) == ARGUMENT
    # What the store lacks comes from the platform's own variable, and what both have from the store.
    other = next(iter(others))
    (tmp_path / "store.json").write_text(json.dumps({name: STORE, other: "store"}))
    client = made(clock=FakeClock())
    current = (await client._settings.load()).current
    assert current.get(other) == "store"
    assert all(current.get(one) == value for one, value in others.items() if one != other)
    await client.aclose()


@pytest.mark.parametrize("kind", SETTINGS)
async def test_the_store_that_the_environment_names_is_not_read_when_nothing_is_missing(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, others = SETTINGS[kind]
    monkeypatch.setenv("ETHORA_SECRETS", "nonsense:")
    names = {
        "ETHORA_CHAT_APP_ID": "app_id",
        "ETHORA_CHAT_API_URL": "api_url",
        **{one: one.partition("_")[2].lower() for one in others if not one.startswith("ETHORA")},
    }
    client = kind(secret=ARGUMENT, **{names[one]: value for one, value in others.items()})
    await client.aclose()
    with pytest.raises(ConfigError, match="scheme"):
        kind()


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
async def test_newlines_at_the_end_are_dropped_wherever_a_value_comes_from(
    kind: Any, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, others = SETTINGS[kind]
    in_environment(monkeypatch, others)
    written = f" {VARIABLE} {ending}"
    found = []
    monkeypatch.setenv(name, written)
    (tmp_path / "store.json").write_text(json.dumps({name: written}))
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / name).write_text(written, newline="")
    (tmp_path / "store.env").write_text(
        f'{name}="{written}"\n'.replace(ending, ending.encode("unicode_escape").decode(), 1)
    )
    for client in (
        kind(secret=written),
        kind(secret=MemoryProvider({name: written})),
        kind(),
        kind.from_secrets(f"env:?names={name}"),
        kind.from_secrets((tmp_path / "store.json").as_uri()),
        kind.from_secrets((tmp_path / "store.env").as_uri()),
        kind.from_secrets((tmp_path / "mounted").as_uri()),
    ):
        found.append((await client._settings.load()).current.get(name))
        await client.aclose()
    assert found == [f" {VARIABLE} "] * 7


@pytest.mark.parametrize("kind", SETTINGS)
async def test_what_a_store_holds_beside_the_settings_is_no_reason_to_refuse_them(kind: Any, tmp_path: Path) -> None:
    name, others = SETTINGS[kind]
    store = tmp_path / "store.json"
    store.write_text(json.dumps({**others, name: STORE, "port": 5432, "nothing": None, "nested": {"a": 1}, "l": []}))
    client = kind.from_secrets(store.as_uri())
    assert (await client._settings.load()).current.get(name) == STORE
    await client.aclose()
    store.write_text(json.dumps({**others, name: 5}))
    client = kind.from_secrets(store.as_uri())
    with pytest.raises(ConfigError, match=name):
        await client._settings.load()
    await client.aclose()


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_misspelt_option_is_named_with_the_one_that_was_meant(kind: Any) -> None:
    for make in (kind, kind.from_env, lambda **options: kind.from_secrets("env:", **options)):
        with pytest.raises(
            TypeError, match=rf"{kind.__name__} has no option token_cache_sise: did you mean token_cache_size"
        ):
            make(token_cache_sise=5)
        with pytest.raises(TypeError, match=r"has no option entirely_wrong; it takes .*clock"):
            make(entirely_wrong=5)


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_typed_options_are_those_of_the_constructor(kind: Any) -> None:
    options, settings, shared = OPTIONS[kind]
    own = {
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }

    def keys(of: Any) -> set[str]:
        return set(of.__required_keys__ | of.__optional_keys__)

    assert keys(options) == own | keys(shared)
    assert keys(settings) == keys(options) - {"secret"}


def test_rocketchats_secret_as_text_is_the_token_or_the_password() -> None:
    by_name = RocketChatClient(url="https://x", user="admin", secret="word")
    assert by_name._settings.fixed("ROCKETCHAT_PASSWORD") == "word"
    by_id = RocketChatClient(url="https://x", user_id="id", secret="word")
    assert by_id._settings.fixed("ROCKETCHAT_TOKEN") == "word"
    with pytest.raises(ConfigError, match="not both"):
        RocketChatClient(url="https://x", user="admin", password="word", secret="other")


async def test_another_app_is_known_as_soon_as_the_clients_own_is() -> None:
    store = MemoryProvider(
        {
            "ETHORA_CHAT_APP_ID": "own",
            "ETHORA_CHAT_API_URL": "https://api.example.com",
            "ETHORA_CHAT_APP_SECRET": STORE,
        }
    )
    client = EthoraClient(secret=store)
    other = client.in_app("other")
    assert other.chats.name("c1") == "other_c1"  # it needs the app's id alone
    with pytest.raises(ConfigError, match="await any call first"):
        other.chats.jid("c1")
    await client.tokens.for_user("ann")
    assert other.chats.jid("c1") == "other_c1@conference.xmpp.example.com"
    assert client.chats.name("c1") == "own_c1"
    await client.aclose()
