"""A real OpenBao is killed for longer than its answer is cached, and restarted: no call fails."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import pytest
from openbao_server import OpenBao

from ethora_async import ChatError, ConfigError, EthoraClient
from ethora_async.engine import SecretRotated
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async.sandbox import EthoraSandbox
from ethora_async_secrets import CachedProvider, VaultProvider
from ethora_async_secrets.vault.provider import AppRoleLogin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ethora_async.testing.users import FakeClock

NEW = "canary-the-secret-after-the-outage"
WORKERS = 16


@pytest.fixture
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server that keeps its data when it is killed."""
    with OpenBao(tmp_path_factory.mktemp("outage"), durable=True) as server:
        root = server.client()
        root.sys.enable_auth_method("approle")
        server.policy("read", 'path "secret/data/*" { capabilities = ["read"] }')
        # Shorter than the outage: who comes back has to log in anew.
        root.auth.approle.create_or_update_approle("reader", token_policies=["read"], token_ttl="20m")
        yield server


def login(bao: OpenBao) -> AppRoleLogin:
    approle = bao.client().auth.approle
    role_id = approle.read_role_id("reader")["data"]["role_id"]
    return AppRoleLogin(role_id, approle.generate_secret_id("reader")["data"]["secret_id"])


async def together(client: EthoraClient) -> None:
    """Make several concurrent calls; raise the error of the first that fails."""
    await asyncio.gather(*(client.users.list(limit=1) for _ in range(WORKERS)))


async def test_an_hour_without_the_store_fails_no_call_and_what_comes_after_it_is_told_clearly(
    bao: OpenBao, clock: FakeClock
) -> None:
    """With the client's own limits: asked every 30 s, its last answer used for an hour after that."""
    async with EthoraSandbox(clock=clock.now) as sandbox:
        await asyncio.to_thread(bao.write, "outage", {APP_SECRET: sandbox.secret})
        provider = VaultProvider("outage", address=bao.address, ca=bao.ca, auth=login(bao), clock=clock)
        client = EthoraClient(app_id=sandbox.app_id, secret=provider, api_url=sandbox.url, clock=clock)
        async with client:
            await together(client)
            await asyncio.to_thread(bao.kill)
            for _ in range(60):
                clock.advance(60)
                await together(client)
            clock.advance(31)
            sent = len(sandbox.requests)
            with pytest.raises(ConfigError, match=r"could not be read: vault://.*cannot be reached") as caught:
                await together(client)
            assert sandbox.secret not in str(caught.value)
            assert len(sandbox.requests) == sent, "a call was sent with a secret that is too old"
            await asyncio.to_thread(bao.restart)
            clock.advance(31)
            await together(client)
        assert {record.status for record in sandbox.requests} == {200}


@attrs.define
class Load:
    """Continuous calls, and their results."""

    calls: int = 0
    errors: list[str] = attrs.field(factory=list)
    seen: list[SecretRotated] = attrs.field(factory=list)

    def listen(self, event: object) -> None:
        if isinstance(event, SecretRotated):
            self.seen.append(event)

    async def work(self, client: EthoraClient) -> None:
        while True:
            try:
                await client.users.list(limit=1)
            except ChatError as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            self.calls += 1

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not reached():  # noqa: ASYNC110  what it waits for is told to nobody
                await asyncio.sleep(0.01)

    async def more(self, calls: int) -> None:
        """Wait until this many further calls were made."""
        wanted = self.calls + calls
        await self.until(lambda: self.calls >= wanted)


@asynccontextmanager
async def under_load(client: EthoraClient, load: Load) -> AsyncIterator[None]:
    workers = [asyncio.create_task(load.work(client)) for _ in range(WORKERS)]
    try:
        yield
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)


@pytest.mark.slow
async def test_a_store_killed_under_load_and_a_rotation_as_soon_as_it_is_back(bao: OpenBao) -> None:
    """On the real clock: the answer is good for 0.2 s, so that the store is asked again and again in vain."""
    async with EthoraSandbox() as sandbox:
        await asyncio.to_thread(bao.write, "outage", {APP_SECRET: sandbox.secret})
        load = Load()
        store = CachedProvider(
            VaultProvider("outage", address=bao.address, ca=bao.ca, auth=login(bao)), ttl=0.2, failure_ttl_max=1.0
        )
        client = EthoraClient(app_id=sandbox.app_id, secret=store, api_url=sandbox.url, on_event=load.listen)
        async with client, under_load(client, load):
            await load.more(200)
            for outage in range(3):
                await asyncio.to_thread(bao.kill)
                await load.until(lambda: store.peek() is None)  # its answer is too old, and is used all the same
                await load.more(500)
                await asyncio.to_thread(bao.restart)
                secret = f"{NEW}-{outage}"
                sandbox.rotate_secret(secret, keep_previous=False)
                await asyncio.to_thread(bao.write, "outage", {APP_SECRET: secret})
                await load.until(lambda wanted=outage + 1: len(load.seen) == wanted)  # type: ignore[misc]
                await load.more(200)
    assert load.errors == []
    assert len(load.seen) == 3


@pytest.mark.slow
async def test_a_store_that_hangs_costs_no_call_its_deadline(bao: OpenBao, caplog: pytest.LogCaptureFixture) -> None:
    """It answers nothing and refuses nothing, as behind a dead network: a read takes longer than a call may."""
    async with EthoraSandbox() as sandbox:
        await asyncio.to_thread(bao.write, "outage", {APP_SECRET: sandbox.secret})
        load = Load()
        provider = VaultProvider("outage", address=bao.address, ca=bao.ca, auth=login(bao), timeout=6.0)
        client = EthoraClient(
            app_id=sandbox.app_id,
            secret=CachedProvider(provider, ttl=0.2, failure_ttl_max=1.0),
            api_url=sandbox.url,
            timeout=4.0,
            on_event=load.listen,
        )
        async with client, under_load(client, load):
            await load.more(200)
            bao.suspend()
            try:
                await load.until(lambda: "did not answer (SecretUnavailableError)" in caplog.text)
                await load.more(1000)
            finally:
                bao.resume()
            sandbox.rotate_secret(NEW, keep_previous=False)
            await asyncio.to_thread(bao.write, "outage", {APP_SECRET: NEW})
            await load.until(lambda: len(load.seen) == 1)
            await load.more(200)
    assert load.errors == []
