"""A thousand concurrent calls need the secret and half are cancelled: one read serves all the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from rotation_parts import Counted, opened
from slow_stores import ONE_BY_DEFAULT

from ethora_async import EthoraClient
from ethora_async.engine import TokenRefreshed
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async_secrets import SecretBundle, SecretProvider

CALLS = 1000


class Held(Counted):
    """Makes every read wait while `gate` is cleared; `asked` is set when a read begins."""

    def __init__(self, provider: SecretProvider) -> None:
        super().__init__(provider)
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    def close_gate(self) -> None:
        self.gate.clear()
        self.asked.clear()

    async def fetch(self) -> SecretBundle:
        self.asked.set()
        await self.gate.wait()
        return await super().fetch()


async def herd(client: EthoraClient, held: Held) -> list[object]:
    """Start the calls, cancel every other one while the store is read, and return the results."""
    calls = [asyncio.ensure_future(client.users.list(limit=1)) for _ in range(CALLS)]
    async with asyncio.timeout(30):
        await held.asked.wait()
    for call in calls[::2]:  # the one that began the reading is the first of them
        call.cancel()
    await asyncio.wait(calls[::2])
    held.gate.set()
    return list(await asyncio.gather(*calls, return_exceptions=True))


def check(results: list[object]) -> None:
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert [result for result in results[1::2] if isinstance(result, BaseException)] == []


@pytest.mark.parametrize("name", ONE_BY_DEFAULT)
async def test_a_thousand_first_calls_of_which_half_are_cancelled_read_the_store_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with EthoraSandbox() as sandbox:
        with opened(name, tmp_path, sandbox.secret, monkeypatch) as store:
            held, events = Held(store.provider()), list[object]()
            held.close_gate()
            client = EthoraClient(app_id=sandbox.app_id, secret=held, api_url=sandbox.url, on_event=events.append)
            async with client:
                check(await herd(client, held))
                assert held.reads == 1
        assert len(sandbox.requests) == CALLS // 2
        assert {record.status for record in sandbox.requests} == {200}
    assert sum(isinstance(event, TokenRefreshed) for event in events) == 1


@pytest.mark.parametrize("name", ONE_BY_DEFAULT)
@pytest.mark.slow
async def test_a_thousand_refused_calls_of_which_half_are_cancelled_read_the_store_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret was rotated on both sides; the first call to notice is one of the cancelled ones."""
    async with EthoraSandbox() as sandbox:
        with opened(name, tmp_path, sandbox.secret, monkeypatch) as store:
            held = Held(store.provider())
            async with EthoraClient(app_id=sandbox.app_id, secret=held, api_url=sandbox.url) as client:
                await client.users.list(limit=1)
                await store.put("the-next-secret-of-the-herd")
                sandbox.rotate_secret("the-next-secret-of-the-herd", keep_previous=False)
                held.close_gate()
                check(await herd(client, held))
                assert held.reads == 2
