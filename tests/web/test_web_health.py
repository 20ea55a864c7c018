"""Liveness and readiness."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from web_parts import SECRET, ethora, imbachat

from ethora_async import AvayaClient, ConfigError, EthoraClient, ImbaChatClient, NotSentError, RocketChatClient
from ethora_async.capabilities import AnswersPing, KnowsWhetherReady
from ethora_async.sandbox import AvayaSandbox, EthoraSandbox, RocketChatSandbox
from ethora_async.testing.implementers import Canary
from ethora_async.testing.users import FakeClock
from ethora_async.web import AppClient, Health, Request
from ethora_async_secrets import SecretUnavailableError
from ethora_async_secrets.testing import MemoryProvider

LEAK = "a-password-in-an-error-90210"


async def ready(health: Health, method: str = "GET") -> tuple[int, Any]:
    answer = await health.ready.handle(Request.of(method, "/readyz"))
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status, json.loads(answer.body)


class Checked:
    """A check that counts its calls, and fails on request."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.result: object = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> object:
        self.calls += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.result


async def test_a_process_lives_whatever_else_does_not() -> None:
    async def down() -> None:
        raise NotSentError(LEAK)

    health = Health(ethora(), checks={"db": down})
    answer = await health.live.handle(Request.of("GET", "/healthz"))
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})


async def test_a_platform_that_answers_and_one_that_does_not(clock: FakeClock) -> None:
    async with (
        EthoraSandbox(app_id="app", secret=SECRET) as sandbox,
        ethora(api_url=sandbox.url, clock=FakeClock()) as client,
    ):
        health = Health(client, clock=clock)
        assert await ready(health) == (200, {"status": "ready", "checks": {"secret": "ok", "platform": "ok"}})
        await sandbox.aclose()
        clock.advance(4.9)
        assert (await ready(health))[0] == 200  # as of a few seconds ago
        clock.advance(0.2)
        assert await ready(health) == (503, {"status": "not ready", "checks": {"secret": "ok", "platform": "failed"}})
        await sandbox.start()
        clock.advance(5.1)
        assert (await ready(health))[0] == 200


async def test_a_secret_that_is_not_at_hand(clock: FakeClock) -> None:
    store = MemoryProvider({"ETHORA_CHAT_APP_SECRET": SECRET})
    store.fail(SecretUnavailableError("the store is down"))
    client = EthoraClient.from_secrets(store, app_id="app", api_url="http://127.0.0.1:9", clock=clock)
    status, shown = await ready(Health(client, clock=clock))
    assert status == 503
    assert shown["checks"]["secret"] == "failed"
    await client.aclose()


@pytest.mark.parametrize("secret", ["right", "wrong"])
async def test_clients_that_log_in_are_ready_when_they_have(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with RocketChatSandbox(rate_limit=None) as sandbox:
        password = sandbox.admin_password if secret == "right" else "x" * 12
        async with RocketChatClient(url=sandbox.url, user="admin", password=password) as client:
            _, shown = await ready(Health(client))
    assert shown["checks"] == {"secret": "ok" if secret == "right" else "failed", "platform": "ok"}
    async with AvayaSandbox() as avaya:
        for name, value in avaya.environment.items():
            monkeypatch.setenv(name, value)
        options = {} if secret == "right" else {"secret": "x" * 12}
        async with AvayaClient.from_env(**options) as customers:
            _, shown = await ready(Health(customers))
    assert shown["checks"] == {"secret": "ok" if secret == "right" else "failed", "platform": "ok"}


async def test_a_client_that_sends_nothing_needs_its_secret_only() -> None:
    assert (await ready(Health(imbachat())))[0] == 200
    store = MemoryProvider({"IMBACHAT_SECRET_KEY": SECRET})
    store.fail(SecretUnavailableError("the store is down"))
    assert (await ready(Health(ImbaChatClient.from_secrets(store))))[0] == 503


def test_which_clients_tell_what() -> None:
    clients = [EthoraClient, RocketChatClient, AvayaClient, ImbaChatClient]
    assert [issubclass(one, KnowsWhetherReady) for one in clients] == [True] * 4
    assert [issubclass(one, AnswersPing) for one in clients] == [True, True, False, False]


async def test_an_application_that_has_not_started_is_not_ready() -> None:
    assert (await ready(Health(AppClient(ethora))))[0] == 503


async def test_any_number_ask_and_one_looks(clock: FakeClock) -> None:
    check = Checked()
    check.gate.clear()
    health = Health(checks={"db": check}, clock=clock)
    asking = [asyncio.create_task(ready(health)) for _ in range(50)]
    await asyncio.sleep(0)
    for one in asking[:10]:
        one.cancel()
    await asyncio.sleep(0)
    check.gate.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert check.calls == 1
    assert results[10:] == [(200, {"status": "ready", "checks": {"db": "ok"}})] * 40
    await ready(health)
    assert check.calls == 1
    clock.advance(6)
    await ready(health)
    assert check.calls == 2


@pytest.mark.parametrize(
    ("error", "result"),
    [(ValueError(LEAK), None), (NotSentError("gone"), None), (ConfigError("gone"), None), (None, False)],
)
async def test_a_check_that_does_not_pass_is_named_and_no_more(error: Any, result: Any) -> None:
    check = Checked()
    check.error, check.result = error, result
    with Canary(LEAK) as canary:
        status, shown = await ready(Health(checks={"db": check, "good": Checked()}))
    assert (status, shown) == (503, {"status": "not ready", "checks": {"db": "failed", "good": "ok"}})
    canary.check(json.dumps(shown))
    assert any("db" in record for record in canary.records)


async def test_a_check_that_hangs_does_not_pass() -> None:
    check = Checked()
    check.gate.clear()
    assert (await ready(Health(checks={"db": check}, timeout=0.01)))[0] == 503


async def test_a_process_that_is_about_to_end_takes_no_more() -> None:
    health = Health(checks={"db": Checked()})
    assert (await ready(health))[0] == 200
    health.drain()
    assert health.draining
    assert (await ready(health))[0] == 503
    assert (await health.live.handle(Request.of("GET", "/healthz"))).status == 200


def test_every_loop_may_look(clock: FakeClock) -> None:
    """Under WSGI each request has its own loop, which may end during a check."""
    check = Checked()
    health = Health(checks={"db": check}, clock=clock)

    async def give_up() -> None:
        check.gate = asyncio.Event()
        check.gate.clear()
        asking = asyncio.create_task(ready(health))
        for _ in range(5):
            await asyncio.sleep(0)
        assert check.calls == 1
        asking.cancel()

    asyncio.run(give_up())

    async def again() -> tuple[int, Any]:
        check.gate = asyncio.Event()
        check.gate.set()
        return await ready(health)

    assert asyncio.run(again())[0] == 200
    clock.advance(6)
    assert asyncio.run(again())[0] == 200


@pytest.mark.parametrize("changes", [{"cache": 0}, {"timeout": -1}])
def test_times_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Health(**changes)
