"""No secret argument of a constructor appears in clear in the frames of the error that it raises."""

from __future__ import annotations

import inspect
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import frame_walk
import pytest
from frame_walk import leaks

from ethora_async import AvayaClient, ConfigError, EthoraClient, ImbaChatClient, RetryPolicy, RocketChatClient, User
from ethora_async.errors import InvalidInputError
from ethora_async.outbox.opening import open_store
from ethora_async.outbox.worker import Worker as OutboxWorker
from ethora_async.redaction import Secret
from ethora_async.tokens.settings import RotatingSettings, Values
from ethora_async.transport import AiohttpTransport, HttpxTransport
from ethora_async.web.scim.directory import ScimDirectory
from ethora_async.workers.worker import Worker
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "constructor-canary"
PROXY = f"http://user:{CANARY}-proxy@proxy.example.com:3128"
Client = type[EthoraClient] | type[RocketChatClient] | type[AvayaClient] | type[ImbaChatClient]


def value(name: str) -> str:
    """Return a secret of the required length that contains the argument's name."""
    return f"{CANARY}-{name}-0123456789abcdef"


GOOD: dict[Client, dict[str, Any]] = {
    EthoraClient: {
        "app_id": "6540f2a1b3c4d5e6f7a8b9c0",
        "secret": value("secret"),
        "api_url": "https://api.example.com",
        "xmpp_host": "xmpp.example.com",
        "xmpp_service": "wss://xmpp.example.com/ws",
        "proxy": PROXY,
    },
    RocketChatClient: {
        "url": "https://chat.example.com",
        "user": "admin",
        "password": value("password"),
        "create_tokens_secret": value("create_tokens_secret"),
        "totp_secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "proxy": PROXY,
    },
    AvayaClient: {
        "account_id": "ABCDEF",
        "app_key": "app-key-0001",
        "client_id": "client",
        "secret": value("secret"),
        "integration_id": "6b2a3c1e-0d4f-4a5b-8c6d-7e8f90a1b2c3",
        "host": "eu.api.avayacloud.com",
        "proxy": PROXY,
    },
    ImbaChatClient: {
        "widget_id": 1,
        "secret": value("secret"),
        "api_login": "site",
        "api_password": value("api_password"),
    },
}
KNOWN = (CANARY, "GEZDGNBVGY3TQOJQ")
SECRETS = ("secret", "password", "token", "create_tokens_secret", "totp_secret", "api_password", "proxy")
ADDRESSES = ("url", "api_url", "host", "region", "xmpp_host", "xmpp_service")
BAD: tuple[Any, ...] = (
    "",
    " ",
    "\udcff",
    b"bytes",
    5,
    -1,
    0.5,
    [],
    {},
    object(),
    "nonsense",
    "https://a b",
    True,
    None,
)
BAD_SECRETS: tuple[Any, ...] = (
    f"{CANARY}\udcff", f"{CANARY}-\x00", CANARY.encode(), [CANARY], {CANARY: CANARY}, (CANARY,),
    Secret(f"{CANARY}\udcff"),
)  # fmt: skip


def arguments(client: Client) -> list[str]:
    """Return the names of all arguments of a constructor, including the shared ones."""
    own = [name for name, one in inspect.signature(client).parameters.items() if one.kind is one.KEYWORD_ONLY]
    network = ["timeout", "limits", "retry", "transport", "proxy", "trust_env", "verify", "cert", "on_event", "clock"]
    return [*own, *network, "pasword"]


def cases(client: Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield valid arguments in which one is replaced by an invalid value, or left out."""
    good = GOOD[client]
    for name in arguments(client):
        for bad in BAD:
            yield f"{name}={bad!r}", {**good, name: bad}
        if name in SECRETS or name in ADDRESSES or name == "pasword":
            for place, bad in enumerate(BAD_SECRETS):
                yield f"{name}: bad secret {place}", {**good, name: bad}
    for name in good:
        yield f"no {name}", {one: given for one, given in good.items() if one != name}
    yield "twice", {**good, "secret": value("secret"), "password": value("password")}


def shown(make: Callable[[], object]) -> list[str] | None:
    """Return the leaks in the frames of the constructor's error; None when it raises none."""
    try:
        make()
    except Exception as error:  # noqa: BLE001  whatever it is
        return leaks(error, KNOWN)
    return None


@pytest.fixture(autouse=True)
def _looks_into_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look into settings and transports as well: an error reporter may show the attributes of a client."""
    trusted = tuple(one for one in frame_walk.MASKED if one not in (RotatingSettings, Values, AiohttpTransport))
    monkeypatch.setattr(frame_walk, "MASKED", trusted)


def constructions() -> Iterator[Any]:
    """Yield each client by its constructor, and one by each other way; the others pass through the same code."""
    for client, way in itertools.product(GOOD, ("constructor", "from_env", "from_secrets")):
        slow = way != "constructor" and client is not RocketChatClient
        yield pytest.param(client, way, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize(("client", "way"), list(constructions()))
def test_an_error_of_a_constructor_shows_no_secret(client: Client, way: str) -> None:
    failed = 0
    for name, given in cases(client):

        def make(given: dict[str, Any] = given) -> object:
            if way == "from_secrets":
                rest = {one: what for one, what in given.items() if one != "secret"}
                return client.from_secrets(given.get("secret", 5), **rest)
            return client(**given) if way == "constructor" else client.from_env(**given)

        found = shown(make)
        failed += found is not None
        assert not found, name
    assert failed >= 25


@pytest.mark.parametrize("client", GOOD)
def test_an_error_about_the_environment_shows_none_of_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {argument: name for name, argument in _settings_of(client).items()}
    good = {names[one]: str(what) for one, what in GOOD[client].items() if one in names}
    secret = [names[one] for one in GOOD[client] if one in SECRETS and one in names]
    failed = 0
    for missing in good:
        for replacement in (None, " ", f"{CANARY}\udcff"):
            for name, text in {**good, missing: replacement}.items():
                monkeypatch.setenv(name, text) if text is not None else monkeypatch.delenv(name, raising=False)
            found = shown(client)
            failed += found is not None
            assert not found, missing
    assert failed >= len(secret)


@pytest.mark.parametrize("client", GOOD)
@pytest.mark.parametrize("url", [f"vault://root:{CANARY}@host/a/b", f"{CANARY}://x", f"env:?token={CANARY}"])
def test_an_error_about_a_provider_url_shows_none_of_it(
    client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError) as caught:
        client.from_secrets(url)
    assert leaks(caught.value, KNOWN) == []
    monkeypatch.setenv("ETHORA_SECRETS", url)
    with pytest.raises(ConfigError) as caught:
        client()
    assert leaks(caught.value, KNOWN) == []


@pytest.mark.parametrize("client", GOOD)
async def test_an_error_about_a_stores_answer_shows_none_of_it(client: Client) -> None:
    names = {argument: name for name, argument in _settings_of(client).items()}
    good = {names[one]: str(what) for one, what in GOOD[client].items() if one in names}
    # What is not refused here goes to a platform that does not answer: once is enough.
    once: dict[str, Any] = {} if client is ImbaChatClient else {"retry": RetryPolicy(attempts=1)}
    failed = 0
    for changed in good:
        word = CANARY if _is_secret(changed, names) else "nonsense"
        for bad in (None, f"{word}\udcff", f"{word} \n nonsense"):
            answer = {name: text for name, text in {**good, changed: bad}.items() if text is not None}
            made = client.from_secrets(MemoryProvider(answer), **once)
            error = await _first_error(made)
            failed += isinstance(error, ConfigError)
            assert error is None or leaks(error, KNOWN) == [], changed
            await made.aclose()
    assert failed


async def _first_error(client: Any) -> Exception | None:
    try:
        await client.tokens.for_user("1")
    except Exception as error:  # noqa: BLE001  a `ConfigError`, or that no platform listens
        return error
    return None


def _is_secret(setting: str, names: dict[str, str]) -> bool:
    return any(names.get(argument) == setting for argument in SECRETS)


ADDRESS_FORMS = (
    f"https://user:{CANARY}@host.example.com",
    f"{CANARY}:word@host.example.com",
    f"https://host.example.com/?password={CANARY}",
    f"wss://user:{CANARY}@xmpp.example.com/ws",
    f"https://[{CANARY}",
    f"http://{CANARY}:port",
    f"{CANARY} host",
)


@pytest.mark.parametrize("client", GOOD)
@pytest.mark.parametrize("way", ["constructor", "from_env", "the environment", "a store"])
async def test_an_error_about_an_address_shows_no_password_in_it(
    client: Client, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {
        "xmpp_host": "ETHORA_XMPP_HOST",
        "xmpp_service": "ETHORA_XMPP_SERVICE",
        "region": "AVAYA_REGION",
        **{argument: name for name, argument in _settings_of(client).items()},
    }
    failed = 0
    good = {name: what for name, what in GOOD[client].items() if not (name == "host" and way == "the environment")}
    for name in sorted(set(ADDRESSES) & inspect.signature(client).parameters.keys()):
        for form in ADDRESS_FORMS:
            rest = {one: what for one, what in good.items() if one not in (name, "region", "host")}
            kept = {"host": GOOD[client]["host"]} if client is AvayaClient and name not in ("host", "region") else {}
            if way == "a store":
                if name.startswith("xmpp"):
                    continue
                stored = {names[one]: str(what) for one, what in rest.items() if one in names}
                error = await _first_error(client.from_secrets(MemoryProvider({**stored, names[name]: form})))
            elif way == "the environment":
                with monkeypatch.context() as environment:
                    environment.setenv(names[name], form)
                    error = await _made_and_used(client, {**rest, **kept})
            else:
                made = client.from_env if way == "from_env" else client
                error = await _made_and_used(made, {**rest, **kept, name: form})
            if isinstance(error, ConfigError):
                failed += 1
                assert CANARY not in str(error)
                assert leaks(error, KNOWN) == [], (name, form)
    assert failed >= 6


async def _made_and_used(make: Callable[..., Any], given: dict[str, Any]) -> Exception | None:
    """Return the error of a constructor, or of the first use of the client."""
    try:
        made = make(**given)
    except Exception as error:  # noqa: BLE001  whatever it is
        return error
    async with made:
        if isinstance(made, ImbaChatClient):
            return await _error_of(made.widget_snippet())
        if isinstance(made, EthoraClient):
            app = await made._context.open()
            try:
                made._chat.account(app, "ann", Secret("word"), User(id="ann"))
            except ConfigError as error:
                return error
    return None


async def _error_of(work: Any) -> Exception | None:
    try:
        await work
    except Exception as error:  # noqa: BLE001  whatever it is
        return error
    return None


@pytest.mark.parametrize("transport", [AiohttpTransport, HttpxTransport])
@pytest.mark.parametrize(
    "proxy",
    [f"ftp://user:{CANARY}@host", f"http://us%3Aer:{CANARY}@host", CANARY.encode(), f"http://:{CANARY}@", [CANARY]],
)
def test_an_error_about_a_proxy_shows_none_of_it(transport: Any, proxy: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        transport(proxy=proxy)
    assert leaks(caught.value, KNOWN) == []


def test_every_secret_argument_is_declared_to_be_one() -> None:
    """`_CREDENTIALS` is what `from_env` masks: each argument that may be a `Secret` is there."""
    for client in GOOD:
        hints = {name: str(one.annotation) for name, one in inspect.signature(client).parameters.items()}
        assert {name for name, hint in hints.items() if "Secret" in hint} == client._CREDENTIALS


def test_every_argument_that_names_a_server_is_declared_to_do_so() -> None:
    for client in GOOD:
        assert set(ADDRESSES) & inspect.signature(client).parameters.keys() == client._ADDRESSES


def test_secrets_may_be_passed_in_masked() -> None:
    for client, given in GOOD.items():
        masked = {name: Secret(what) if name in SECRETS else what for name, what in given.items()}
        assert type(client(**masked)) is client


def test_what_is_no_text_is_refused_by_name() -> None:
    for client in GOOD:
        name = "password" if client is RocketChatClient else "secret"
        with pytest.raises(ConfigError, match=f"^{name} must be text.*, not bytes$"):
            client(**{**GOOD[client], name: b"bytes"})


def _settings_of(client: Client) -> dict[str, str]:
    import importlib

    module = importlib.import_module(client.__module__)
    table: dict[str, str] = getattr(module, "ARGUMENTS", None) or module.settings.ARGUMENTS
    return table


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{CANARY}@host/db?nonsense=1",
        f"postgresql+asyncpg://user:{CANARY}@host/db?nonsense=1",
        f"postgresql:/user:{CANARY}@host/db",
        f"mysql://user:{CANARY}@host/db",
        f"user:{CANARY}@host",
    ],
)
@pytest.mark.parametrize("make", [open_store, ScimDirectory, partial(OutboxWorker, None), partial(Worker, None)])
def test_an_error_about_a_database_url_shows_none_of_it(url: str, make: Any) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(InvalidInputError) as caught:
        make(url)
    assert CANARY not in str(caught.value)
    assert leaks(caught.value, KNOWN) == []
