"""The sources of an Avaya client's settings, and their checks.

See docs/platforms/avaya.md#access-token, #hosts-and-regions.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from avaya_parts import INTEGRATION, ORIGIN, SETTINGS, Wire, access, jwt, reply

from ethora_async import AvayaClient, ConfigError, EthoraClient
from ethora_async.capabilities import AnswersUserInfo, ManagesChats, ManagesUsers, MintsUserTokens, RevokesTokens
from ethora_async.platforms.avaya.settings import ARGUMENTS, host_origin
from ethora_async.sandbox import AvayaSandbox
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

ENVIRONMENT = {
    "AVAYA_ACCOUNT_ID": "ABCDEF",
    "AVAYA_APP_KEY": "key",
    "AVAYA_CLIENT_ID": "id",
    "AVAYA_CLIENT_SECRET": "secret-of-env",
    "AVAYA_INTEGRATION_ID": INTEGRATION,
    "AVAYA_REGION": "eu",
}


def in_environment(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> None:
    for name, value in {**ENVIRONMENT, **changes}.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("eu.api.avayacloud.com", ORIGIN),
        (" EU.api.AvayaCloud.com ", ORIGIN),
        ("https://eu.api.avayacloud.com/", ORIGIN),
        ("experience.api.avayacloud.com", "https://experience.api.avayacloud.com"),
        ("na", "https://na.api.avayacloud.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:65535", "http://[::1]:65535"),
        ("https://localhost:8443", "https://localhost:8443"),
    ],
)
def test_a_host_or_a_regions_code_makes_the_origin(host: str, origin: str) -> None:
    assert host_origin(host) == origin


@pytest.mark.parametrize(
    "host",
    [
        "http://eu.api.avayacloud.com",
        "eu.api.avayacloud.com/path",
        "eu.api.avayacloud.com:8443",
        "https://eu.api.avayacloud.com:443",
        "eu.api.avayacloud.com?x=1",
        "eu.api.avayacloud.com#x",
        "user:canary@eu.api.avayacloud.com",
        "user@127.0.0.1",
        "http://127.0.0.1:80@evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example:80",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:80/x",
        "http://10.0.0.1:80",
        "eu api",
        "eu.api\n.com",
        "ftp://eu.api.avayacloud.com",
        "https://na",
        "-eu.example",
        "eu..example",
        "éu.example",
        ".",
        "//eu.api.avayacloud.com",
        "a" * 64 + ".example",
    ],
)
def test_anything_beside_a_host_is_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AvayaClient(**{**SETTINGS, "host": host})
    assert "canary" not in str(caught.value)
    assert "host" in str(caught.value)


@pytest.mark.parametrize("region", ["eu", "NA", "uk", "moon-1"])
def test_no_region_is_unknown(region: str) -> None:
    client = AvayaClient(**{**SETTINGS, "host": None, "region": region})
    assert f"https://{region.lower()}.api.avayacloud.com" in repr(client)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"account_id": "ABCDE"}, "AVAYA_ACCOUNT_ID"),
        ({"account_id": "ABCDE1"}, "AVAYA_ACCOUNT_ID"),
        ({"account_id": "ABCDEFG"}, "AVAYA_ACCOUNT_ID"),
        ({"account_id": ""}, "AVAYA_ACCOUNT_ID"),
        ({"account_id": 5}, "account_id"),
        ({"integration_id": "not-a-uuid"}, "AVAYA_INTEGRATION_ID"),
        ({"integration_id": INTEGRATION.replace("-", "")}, "AVAYA_INTEGRATION_ID"),
        ({"region": "eu.example", "host": None}, "AVAYA_REGION"),
        ({"region": "eu"}, "and not both"),
        ({"host": None}, "AVAYA_REGION"),
        ({"secret": " "}, "AVAYA_CLIENT_SECRET"),
        ({"secret": "half\ud800"}, "AVAYA_CLIENT_SECRET"),
        ({"client_id": None}, "AVAYA_CLIENT_ID"),
        ({"timeout": 0}, "timeout"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_at_once(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AvayaClient(**{**SETTINGS, **changes})
    assert word in str(caught.value)


@pytest.mark.parametrize("key", ["two\r\nHeader: x", "two words", "é"])
async def test_an_application_key_that_would_break_a_header_is_refused(clock: FakeClock, key: str) -> None:
    wire = Wire(clock, app_key=key)
    with pytest.raises(ConfigError, match="AVAYA_APP_KEY"):
        await wire.client.tokens.for_user("c1")
    assert wire.transport.requests == []


async def test_everything_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment(monkeypatch)
    assert ORIGIN in repr(AvayaClient.from_env())
    in_environment(monkeypatch, AVAYA_HOST="experience.api.avayacloud.com")
    assert "experience.api" in repr(AvayaClient.from_env())
    assert "https://na.api" in repr(AvayaClient.from_env(region="na"))


@pytest.mark.parametrize("name", [name for name in ENVIRONMENT if name != "AVAYA_REGION"])
def test_what_is_missing_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    in_environment(monkeypatch, **{name: None})
    with pytest.raises(ConfigError, match=f"{name} is not set or empty.*{ARGUMENTS[name]}="):
        AvayaClient.from_env()


async def test_the_sandboxs_environment_is_what_the_client_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AvayaSandbox() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        async with AvayaClient.from_env() as avaya:
            token = await avaya.tokens.for_user("c1")
        assert sandbox.log_in(token.value).customer_id == "c1"


async def test_everything_from_a_store(clock: FakeClock) -> None:
    store = MemoryProvider(ENVIRONMENT)
    made = Wire(clock)
    client = AvayaClient.from_secrets(store, transport=made.transport, clock=clock)
    assert repr(client) == "AvayaClient(not opened yet)"
    async with client:
        await client.tokens.for_user("c1")
    assert b"client_secret=secret-of-env" in (made.token_requests[0].body or b"")
    assert store.closes == 1


async def test_a_store_that_lacks_a_setting_is_named(clock: FakeClock) -> None:
    store = MemoryProvider({name: value for name, value in ENVIRONMENT.items() if name != "AVAYA_APP_KEY"})
    with pytest.raises(ConfigError, match=r"AVAYA_APP_KEY is not set: .*memory"):
        async with AvayaClient.from_secrets(store, clock=clock):
            pass
    assert store.closes == 1


async def test_the_store_goes_before_the_environment(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment(monkeypatch)
    store = MemoryProvider({"AVAYA_CLIENT_SECRET": "of-the-store", "AVAYA_REGION": "na"})
    wire = Wire(clock)
    client = AvayaClient.from_secrets(store, transport=wire.transport, clock=clock)
    await client.tokens.for_user("c1")
    assert wire.token_requests[0].url.startswith("https://na.api.avayacloud.com")
    assert b"client_id=id&client_secret=of-the-store" in (wire.token_requests[0].body or b"")


def test_a_provider_url_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "AVAYA_CLIENT_SECRET").write_text("of-the-file")
    in_environment(monkeypatch, AVAYA_CLIENT_SECRET=None)
    monkeypatch.setenv("ETHORA_SECRETS", f"file://{tmp_path}")
    assert repr(AvayaClient.from_env()) == "AvayaClient(not opened yet)"
    in_environment(monkeypatch)
    assert repr(AvayaClient.from_env()) == "AvayaClient(not opened yet)"  # ETHORA_SECRETS goes first
    with pytest.raises(ConfigError, match="scheme"):
        AvayaClient.from_secrets("nonsense:")


async def test_the_environment_as_a_provider_rotates_without_a_restart(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_environment(monkeypatch)
    taken = {"secret-of-env"}

    def token(request: Any) -> Any:
        good = any(f"client_secret={one}".encode() in request.body for one in taken)
        return access() if good else reply(401, {"error": "invalid_client"})

    wire = Wire(clock, tokens=[token])
    client = AvayaClient.from_secrets("env:?prefix=AVAYA_", transport=wire.transport, clock=clock)
    await client.tokens.for_user("c1")
    taken = {"rotated-secret"}
    monkeypatch.setenv("AVAYA_CLIENT_SECRET", "rotated-secret")
    clock.advance(900)
    wire.jwts = [reply(201, {"jwtToken": jwt({"exp": int(clock.now()) + 900})})]
    await client.tokens.for_user("c2")


def test_what_avaya_can_do_and_what_it_cannot() -> None:
    client = AvayaClient(**SETTINGS)
    assert isinstance(client, MintsUserTokens)
    assert not hasattr(client, "users")
    assert not hasattr(client, "chats")
    for ability in (ManagesUsers, ManagesChats, AnswersUserInfo):
        assert not isinstance(client, ability)
    assert not hasattr(client.tokens, "revoke")
    assert RevokesTokens is not MintsUserTokens
    assert isinstance(EthoraClient(app_id="a", secret="x" * 20, api_url="http://x"), ManagesUsers)


def test_authlib_is_loaded_late_and_complains_of_nothing() -> None:
    script = """
import asyncio, sys
from ethora_async import AvayaClient
client = AvayaClient(account_id="ABCDEF", app_key="k", client_id="i", secret="s", region="eu",
                     integration_id="6b2a3c1e-0d4f-4a5b-8c6d-7e8f90a1b2c3")
assert "authlib" not in sys.modules
from ethora_async.redaction import Secret
from ethora_async.tokens.oauth2 import ClientLogin, read_token, token_form
from ethora_async.request import Reply
token_form(ClientLogin("i", Secret("s")))
read_token(Reply(200, {"access_token": "x"}, {}))
assert "authlib.oauth2" in sys.modules and "authlib.jose" not in sys.modules
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=root)
    assert (ran.returncode, ran.stderr) == (0, "")
