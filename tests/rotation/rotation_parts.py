"""A secret rotated under load: the stores, the workers, and the results."""

from __future__ import annotations

import asyncio
import itertools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import attrs
from moto_server import running_moto
from openbao_server import OpenBao

from ethora_async import ChatError, EthoraClient
from ethora_async.engine import RequestFinished, SecretRotated
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async_secrets import AwsSecretsManagerProvider, FileProvider, SecretBundle, SecretProvider, VaultProvider
from ethora_async_secrets.vault.provider import TokenLogin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    from moto_server import Moto

    from ethora_async.sandbox import EthoraSandbox

STORES = ("mounted file", "OpenBao", "moto")
GAP = 0.1
"""Seconds between the two sides of a rotation."""


class Store(Protocol):
    """A store that an operator writes to, and the provider that the client reads it by."""

    def provider(self) -> SecretProvider: ...

    async def put(self, secret: str) -> None: ...


class MountedFile:
    """A directory as Kubernetes mounts a secret: every change is a new directory behind a swapped link."""

    def __init__(self, directory: Path, secret: str) -> None:
        self._directory = directory
        self._number = itertools.count()
        self._swap(secret)
        (directory / APP_SECRET).symlink_to(f"..data/{APP_SECRET}")

    def provider(self) -> SecretProvider:
        return FileProvider(self._directory)

    async def put(self, secret: str) -> None:
        await asyncio.to_thread(self._swap, secret)

    def _swap(self, secret: str) -> None:
        version = self._directory / f"..version-{next(self._number)}"
        version.mkdir()
        (version / APP_SECRET).write_text(f"{secret}\n")
        link = self._directory / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self._directory / "..data")


class Vault:
    """A secret in OpenBao, written by the operator's own client."""

    def __init__(self, server: OpenBao, secret: str) -> None:
        self._server = server
        self._write(secret)

    def provider(self) -> SecretProvider:
        return VaultProvider("rotated", address=self._server.address, auth=TokenLogin(self._server.token))

    async def put(self, secret: str) -> None:
        await asyncio.to_thread(self._write, secret)

    def _write(self, secret: str) -> None:
        self._server.write("rotated", {APP_SECRET: secret})


class Aws:
    """A secret in AWS Secrets Manager (moto), rotated in the four steps of AWS."""

    def __init__(self, server: Moto, secret: str) -> None:
        self._server = server
        server.create("rotated", secret)

    def provider(self) -> SecretProvider:
        return AwsSecretsManagerProvider("rotated", region="us-east-1", endpoint=self._server.url)

    async def put(self, secret: str) -> None:
        await asyncio.to_thread(self._server.rotate, "rotated", secret)


@contextmanager
def opened(name: str, directory: Path, secret: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store of this name, holding `secret`, with a server of its own where it needs one."""
    if name == "mounted file":
        yield MountedFile(directory, secret)
    elif name == "OpenBao":
        with OpenBao(directory) as bao:
            yield Vault(bao, secret)
    else:
        with running_moto() as moto:
            for key, value in moto.env.items():
                monkeypatch.setenv(key, value)
            yield Aws(moto, secret)


class Counted:
    """A provider that counts how often the store itself is read."""

    def __init__(self, provider: SecretProvider) -> None:
        self._provider = provider
        self.reads = 0

    @property
    def source(self) -> str:
        return self._provider.source

    async def fetch(self) -> SecretBundle:
        self.reads += 1
        return await self._provider.fetch()

    async def refresh(self) -> SecretBundle:
        self.reads += 1
        return await self._provider.refresh()

    def invalidate(self, version: str) -> None:
        self._provider.invalidate(version)

    async def aclose(self) -> None:
        await self._provider.aclose()


@attrs.define
class Result:
    """The results of a soak.

    `longest` is the longest call in seconds; `errors` are those of the failed calls.
    """

    rotations: int = 0
    seen: int = 0
    calls: int = 0
    created: int = 0
    broadcasts: int = 0
    reads: int = 0
    longest: float = 0.0
    refused: int = 0
    errors: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.rotations} rotations, {self.calls} calls, {len(self.errors)} failed,"
            f" {self.reads / max(1, self.rotations):.1f} reads of the store a rotation,"
            f" longest call {self.longest:.2f} s"
        )


def new_secrets() -> Iterator[str]:
    """Yield secrets, a new one for each rotation."""
    return (f"rotated-{number:05d}-{os.urandom(12).hex()}" for number in itertools.count())


async def soak(
    sandbox: EthoraSandbox, store: Store, *, rotations: int, interval: float, workers: int = 64, gap: float = GAP
) -> Result:
    """Call without pause while the secret changes: in the store first and on the platform first, by turns.

    The platform refuses the secret before at once.
    """
    result, counted, stop = Result(), Counted(store.provider()), asyncio.Event()

    def listen(event: object) -> None:
        if isinstance(event, SecretRotated):
            result.seen += 1
        elif isinstance(event, RequestFinished):
            result.calls += 1
            result.longest = max(result.longest, event.seconds)

    client = EthoraClient(app_id=sandbox.app_id, secret=counted, api_url=sandbox.url, on_event=listen)
    async with client:
        work = [asyncio.create_task(_work(client, worker, result, stop)) for worker in range(workers)]
        try:
            await _rotate(sandbox, store, result, rotations=rotations, interval=interval, gap=gap)
        finally:
            stop.set()
            await asyncio.gather(*work)
    result.reads = counted.reads
    return result


async def _rotate(
    sandbox: EthoraSandbox, store: Store, result: Result, *, rotations: int, interval: float, gap: float
) -> None:
    fresh = new_secrets()
    loop = asyncio.get_running_loop()
    for number in range(rotations):
        due, secret = loop.time() + interval, next(fresh)
        if number % 2:
            await store.put(secret)
            await asyncio.sleep(gap)
            sandbox.rotate_secret(secret, keep_previous=False)
        else:
            sandbox.rotate_secret(secret, keep_previous=False)
            await asyncio.sleep(gap)
            await store.put(secret)
        result.rotations += 1
        await asyncio.sleep(max(0.0, due - loop.time()))


async def _work(client: EthoraClient, worker: int, result: Result, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        try:
            if number % 3 == 1:
                outcome = await client.chats.create(f"w{worker}-{number}", title="Soak")
                result.created += outcome.status == "created"
            elif number % 3 == 2:
                await client.users.list(limit=1)
            else:
                # Not repeatable: only a refusal before any work allows to send it again.
                await client.broadcasts.send("soak", chats=[f"w{worker}-{number - 2}"])
                result.broadcasts += 1
        except ChatError as error:
            result.errors.append(f"{type(error).__name__}: {error}")
