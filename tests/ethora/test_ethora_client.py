"""`EthoraClient` itself: the sources of its settings, its end, and its repr."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, SECRET, URL, Scripted, ok, person, reply

from ethora_async import ConfigError, EthoraClient, NotSentError, WrongLoopError
from ethora_async.bulk import ItemFinished
from ethora_async.engine.events import RequestStarted
from ethora_async.transport import MemoryTransport
from ethora_async_secrets import SecretUnavailableError, StaticProvider

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.testing.users import FakeClock
    from ethora_async_secrets import SecretBundle

SETTINGS = {"ETHORA_CHAT_API_URL": URL, "ETHORA_CHAT_APP_ID": APP, "ETHORA_CHAT_APP_SECRET": SECRET}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def in_memory() -> MemoryTransport:
    return MemoryTransport(lambda request: ok({"items": [], "total": 0}))


@pytest.mark.usefixtures("environment")
async def test_settings_come_from_the_environment_and_arguments_go_first() -> None:
    for make in (EthoraClient, EthoraClient.from_env):
        async with make() as ethora:
            assert ethora.app_id == APP
            assert repr(ethora) == f"EthoraClient(app_id='{APP}', api_url='{URL}')"
        async with make(app_id="other", api_url="http://localhost:1/v1/") as ethora:
            assert repr(ethora) == "EthoraClient(app_id='other', api_url='http://localhost:1')"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_setting_is_named(name: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    for make in (EthoraClient, EthoraClient.from_env):
        with pytest.raises(ConfigError, match=name) as caught:
            make()
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("argument", ["app_id", "api_url", "secret"])
@pytest.mark.parametrize("value", ["", " \n"])
def test_an_empty_argument_is_refused_even_if_the_environment_has_one(
    argument: str, value: str, environment: None
) -> None:
    arguments: dict[str, Any] = {argument: value}
    with pytest.raises(ConfigError, match="is empty"):
        EthoraClient(**arguments)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.example.com", "https://api.example.com"),
        (" https://api.example.com/ ", "https://api.example.com"),
        ("https://api.example.com/v1", "https://api.example.com"),
        ("https://api.example.com/v2//", "https://api.example.com"),
        ("http://[::1]:8080/v1/", "http://[::1]:8080"),
        ("HTTPS://api.example.com/base/v2", "https://api.example.com/base"),
    ],
)
async def test_the_api_url_is_brought_to_one_form(given: str, kept: str) -> None:
    transport = in_memory()
    ethora = EthoraClient(app_id=APP, secret=SECRET, api_url=given, transport=transport)
    await ethora.users.list()
    assert transport.requests[0].url.startswith(f"{kept}/v2/chats/users?")


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https:///v1",
        "https://user:hunter2@api.example.com",
        "https://hunter2@api.example.com",
        "https://api.example.com?key=hunter2",
        "https://api.example.com/?",
        "https://api.example.com#hunter2",
        "https://api.example.com:port",
        "https://[::1",
        "https://api example.com",
    ],
)
def test_unusable_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="api_url") as caught:
        EthoraClient(app_id=APP, secret=SECRET, api_url=url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("environment")
async def test_the_environment_can_be_named_as_a_provider() -> None:
    transport = in_memory()
    async with EthoraClient.from_secrets("env:", transport=transport) as ethora:
        await ethora.users.list()
        assert (await ethora.tokens.for_user("u1")).user_id == "u1"
    assert transport.requests[0].url.startswith(URL)


async def test_everything_may_come_from_a_directory_of_files(tmp_path: Path) -> None:
    for name, value in SETTINGS.items():
        (tmp_path / name).write_text(f"{value}\n")
    transport = in_memory()
    ethora = EthoraClient.from_secrets(tmp_path.as_uri(), transport=transport)
    assert repr(ethora) == "EthoraClient(not opened yet)"
    for early in (lambda: ethora.app_id, lambda: ethora.chats.name("c1"), lambda: ethora.chats.jid("c1")):
        with pytest.raises(ConfigError, match="await any call first"):
            early()
    async with ethora:
        assert ethora.app_id == APP
        assert ethora.chats.name("c1") == f"{APP}_c1"
        await ethora.users.list()
    assert transport.requests[0].url.startswith(URL)


async def test_settings_may_come_from_both_sides_and_the_arguments_go_first(tmp_path: Path) -> None:
    store = tmp_path / "store.json"
    store.write_text(json.dumps({**SETTINGS, "ETHORA_CHAT_APP_ID": "in-the-store"}))
    async with EthoraClient.from_secrets(store.as_uri(), app_id="argument", transport=in_memory()) as ethora:
        assert repr(ethora) == f"EthoraClient(app_id='argument', api_url='{URL}')"


async def test_from_env_reads_the_provider_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ETHORA_CHAT_APP_SECRET").write_text(SECRET)
    monkeypatch.setenv("ETHORA_SECRETS", f"env: {tmp_path.as_uri()}")
    monkeypatch.setenv("ETHORA_CHAT_APP_ID", APP)
    monkeypatch.setenv("ETHORA_CHAT_API_URL", URL)
    async with EthoraClient.from_env(transport=in_memory()) as ethora:
        assert ethora.app_id == APP
        assert (await ethora.tokens.for_user("u1")).value


@pytest.mark.parametrize("missing", ["ETHORA_CHAT_APP_ID", "ETHORA_CHAT_API_URL", "ETHORA_CHAT_APP_SECRET"])
async def test_what_the_store_lacks_is_named_and_nothing_stays_open(missing: str, tmp_path: Path) -> None:
    store = tmp_path / "store.json"
    store.write_text(json.dumps({name: value for name, value in SETTINGS.items() if name != missing}))
    transport = in_memory()
    ethora = EthoraClient.from_secrets(store.as_uri(), transport=transport)
    with pytest.raises(ConfigError, match=missing) as caught:
        await ethora.users.list()
    assert SECRET not in str(caught.value)
    assert not transport.requests


async def test_a_failed_start_closes_what_was_passed_in() -> None:
    class Unreachable(StaticProvider):
        closed = False

        async def fetch(self) -> SecretBundle:
            raise SecretUnavailableError("The store is down.", self.source)

        async def aclose(self) -> None:
            self.closed = True

    provider, transport = Unreachable({}), in_memory()
    with pytest.raises(ConfigError, match="The store is down"):
        async with EthoraClient(secret=provider, transport=transport):
            pytest.fail("it cannot start")
    assert provider.closed
    assert transport._closed


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "file:", "aws-sm:///x?nope=1"])
def test_provider_urls_that_cannot_be_used_are_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        EthoraClient.from_secrets(url)


async def test_tokens_are_minted_without_any_connection() -> None:
    transport = in_memory()
    ethora = EthoraClient(app_id=APP, secret=SECRET, api_url=URL, transport=transport)
    assert (await ethora.tokens.for_user("u1")).value.count(".") == 2
    assert not transport.requests


async def test_several_clients_in_one_process_share_nothing(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    child = sandbox.add_app("child", secret="the-secret-of-the-child-app", parent=APP)
    options: dict[str, Any] = {"api_url": sandbox.url, "clock": clock}
    async with (
        EthoraClient(app_id=APP, secret=SECRET, **options) as parent_client,
        EthoraClient(app_id=child.id, secret=child.secret, **options) as child_client,
    ):
        await asyncio.gather(
            parent_client.users.create_many([person("u1"), person("u2")]),
            child_client.users.create_many([person("u1"), person("u3")]),
        )
        token = await child_client.tokens.for_user("u1")
        assert token.value != (await parent_client.tokens.for_user("u1")).value
        assert (await child_client.users.get("u3")).xmpp_username == f"{child.id}_u3"
        session = await child_client.sessions.exchange(token)
        assert session.user.xmpp_username == f"{child.id}_u1"
    assert {user.uuid for user in child.users if not user.platform_owned} == {"u1", "u3"}


async def test_a_client_works_without_async_with_and_closes_more_than_once(
    sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    ethora = EthoraClient(app_id=APP, secret=SECRET, api_url=sandbox.url, clock=clock)
    assert (await ethora.ping()).server_time is not None
    await ethora.aclose()
    await ethora.aclose()
    with pytest.raises(NotSentError, match="closed"):
        await ethora.ping()


async def test_a_client_that_was_never_used_closes_too() -> None:
    for ethora in (
        EthoraClient(app_id=APP, secret=SECRET, api_url=URL),
        EthoraClient(secret=StaticProvider({}), transport=in_memory()),
        EthoraClient(secret=StaticProvider({})),
    ):
        await ethora.aclose()
        await ethora.aclose()


async def test_the_secret_provider_is_closed_even_if_the_transport_fails_to() -> None:
    class Provider(StaticProvider):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    class Stubborn(MemoryTransport):
        async def aclose(self) -> None:
            raise OSError("no")

    provider = Provider(SETTINGS)
    ethora = EthoraClient(secret=provider, transport=Stubborn(lambda request: ok()))
    await ethora.ping()
    with pytest.raises(OSError, match="no"):
        await ethora.aclose()
    assert provider.closed


def test_a_client_belongs_to_one_loop() -> None:
    ethora = EthoraClient(app_id=APP, secret=SECRET, api_url=URL, transport=in_memory())
    asyncio.run(ethora.users.list()._page(0))
    with pytest.raises(WrongLoopError):
        asyncio.run(ethora.users.list()._page(0))


def test_no_secret_is_shown() -> None:
    ethora = EthoraClient(app_id=APP, secret=SECRET, api_url=URL)
    shown = f"{ethora!r} {ethora} {vars(ethora)} {vars(ethora._context)} {vars(ethora._secret)}"
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("options", "jid"),
    [
        ({"api_url": "https://api.chat.ethora.com/v1"}, f"{APP}_c1@conference.xmpp.chat.ethora.com"),
        ({"api_url": "https://api.chat-qa.ethora.com:8443"}, f"{APP}_c1@conference.xmpp.chat-qa.ethora.com"),
        ({"api_url": "http://localhost", "xmpp_host": "xmpp.local"}, f"{APP}_c1@conference.xmpp.local"),
    ],
)
def test_a_chats_address_follows_the_hosts(options: dict[str, Any], jid: str) -> None:
    ethora = EthoraClient(app_id=APP, secret=SECRET, **options)
    for form in ("c1", f"{APP}_c1", f"{APP}_{APP}_c1", jid):
        assert ethora.chats.jid(form) == jid
        assert ethora.chats.name(form) == f"{APP}_c1"


def test_the_xmpp_host_comes_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ethora = EthoraClient(app_id=APP, secret=SECRET, api_url="http://localhost:80")
    with pytest.raises(ConfigError, match="ETHORA_XMPP_HOST"):
        ethora.chats.jid("c1")
    monkeypatch.setenv("ETHORA_XMPP_HOST", "xmpp.local")
    ethora = EthoraClient(app_id=APP, secret=SECRET, api_url="http://localhost:80")
    assert ethora.chats.jid(7) == f"{APP}_7@conference.xmpp.local"


async def test_the_bot_comes_from_the_environment_too(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    monkeypatch.setenv("ETHORA_CHAT_BOT_JID", f"{APP}_bot-1@xmpp.local")
    wire = Scripted(clock, ok({"ok": True}))
    assert (await wire.client.chats.grant_bot("c1")).counts == {"created": 1}
    assert wire.only.body == {"chatName": f"{APP}_c1", "members": [f"{APP}_bot-1"]}


async def test_listeners_are_told_of_requests_and_of_every_item(clock: FakeClock) -> None:
    events: list[object] = []
    more: list[object] = []
    rows = [{"status": "created", "xmppUsername": f"{APP}_u1"}, {"status": "error", "xmppUsername": f"{APP}_u2"}]
    wire = Scripted(clock, ok({"results": rows}), on_event=[events.append, more.append])
    await wire.client.users.create_many([person("u1"), person("u2")])
    assert events == more
    assert [event for event in events if isinstance(event, ItemFinished)] == [
        ItemFinished("u1", "created"),
        ItemFinished("u2", "failed", "ValidationFailedError"),
    ]
    assert any(isinstance(event, RequestStarted) for event in events)


async def test_a_ping_needs_no_right_and_no_json(clock: FakeClock) -> None:
    ping = await Scripted(clock, reply(200, b"<html>pong</html>")).client.ping()
    assert (ping.latency, ping.server_time) == (0.0, None)
