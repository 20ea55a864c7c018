from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from ethora_async_secrets import (
    CachedProvider,
    ChainProvider,
    EnvProvider,
    FileProvider,
    SecretProvider,
    SecretUnavailableError,
    StaticProvider,
)
from ethora_async_secrets.testing import MemoryProvider, SecretProviderContract

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.rename(path)


class TestStaticProvider(SecretProviderContract):
    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        return StaticProvider(values)


class TestMemoryProvider(SecretProviderContract):
    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        self.store = MemoryProvider(values)
        return self.wrap(self.store)

    def wrap(self, store: MemoryProvider) -> SecretProvider:
        return store

    async def rotate(self, values: Mapping[str, str]) -> None:
        self.store.mend()
        self.store.put(values)

    async def break_store(self) -> None:
        self.store.fail(SecretUnavailableError("The store is down.", "memory"))


class TestCachedProvider(TestMemoryProvider):
    def wrap(self, store: MemoryProvider) -> SecretProvider:
        return CachedProvider(store)


class TestChainProvider(TestMemoryProvider):
    def wrap(self, store: MemoryProvider) -> SecretProvider:
        return ChainProvider([EnvProvider({}), store])


class TestCachedChainOfCached(TestMemoryProvider):
    def wrap(self, store: MemoryProvider) -> SecretProvider:
        return CachedProvider(ChainProvider([EnvProvider({}), CachedProvider(store)]))


class TestEnvProvider(SecretProviderContract):
    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        self.environ = dict(values)
        return EnvProvider(self.environ)

    async def rotate(self, values: Mapping[str, str]) -> None:
        self.environ.update(values)

    async def break_store(self) -> None:
        self.environ.clear()


class FileContract(SecretProviderContract):
    path: Path

    def write(self, values: Mapping[str, str]) -> None:
        raise NotImplementedError

    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        self.write(values)
        return FileProvider(self.path)

    async def rotate(self, values: Mapping[str, str]) -> None:
        self.write(values)

    async def break_store(self) -> None:
        self.path.unlink()


class TestJsonFile(FileContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "secrets.json"

    def write(self, values: Mapping[str, str]) -> None:
        replace(self.path, json.dumps(dict(values)))


class TestEnvFile(FileContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / ".env"

    def write(self, values: Mapping[str, str]) -> None:
        replace(self.path, "".join(f"{name}={value}\n" for name, value in values.items()))


class TestBrokenJsonFile(TestJsonFile):
    async def break_store(self) -> None:
        self.path.write_text('{"ETHORA_CHAT_APP_SECRET": "' + self.first[self.name])


class TestDirectory(FileContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "secrets"

    def write(self, values: Mapping[str, str]) -> None:
        self.path.mkdir(exist_ok=True)
        for name, value in values.items():
            hidden = self.path / f".{name}"
            hidden.write_text(f"{value}\n")
            os.replace(hidden, self.path / name)

    async def break_store(self) -> None:
        shutil.rmtree(self.path)


class TestCachedDirectory(TestDirectory):
    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        return CachedProvider(await super().make_provider(values))


class Forgetful(MemoryProvider):
    """Breaks the contract: makes up a new version for every answer."""

    async def _answer(self):
        bundle = await super()._answer()
        return type(bundle)({name: bundle.reveal(name) for name in bundle.names()}, version=os.urandom(4).hex())


class Stale(MemoryProvider):
    """Breaks the contract: never sees a rotation."""

    def put(self, values: Mapping[str, str], *, version: str | None = None):
        return self.bundle


def suite_for(provider_class: type[MemoryProvider]) -> SecretProviderContract:
    class Suite(TestMemoryProvider):
        async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
            self.store = provider_class(values)
            return self.store

    return Suite()


def test_the_contract_notices_a_version_that_does_not_hold_still():
    with pytest.raises(AssertionError, match="the version went through"):
        suite_for(Forgetful).test_the_version_stays_while_nothing_changes()


def test_the_contract_notices_a_provider_that_misses_a_rotation_without_showing_values():
    suite = suite_for(Stale)
    with pytest.raises(AssertionError, match="has another value") as caught:
        suite.test_refresh_sees_a_rotation()
    assert suite.first[suite.name] not in str(caught.value)
