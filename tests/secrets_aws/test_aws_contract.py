from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ethora_async_secrets import AwsSecretsManagerProvider, CachedProvider, SecretProvider
from ethora_async_secrets.testing import SecretProviderContract

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto_server import Moto

NAME = "ethora/prod"


class TestAws(SecretProviderContract):
    moto: Moto

    @pytest.fixture(autouse=True)
    def place(self, moto: Moto) -> None:
        self.moto = moto

    def written(self, values: Mapping[str, str]) -> str:
        return json.dumps(dict(values))

    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        try:
            self.moto.create(NAME, self.written(values))
        except self.moto.client().exceptions.ResourceExistsException:
            self.moto.put(NAME, self.written(values))
        return AwsSecretsManagerProvider(NAME, timeout=1.0)

    async def rotate(self, values: Mapping[str, str]) -> None:
        if self.moto._process is None:
            self.moto.restart()
            self.moto.create(NAME, self.written(values))
        else:
            self.moto.rotate(NAME, self.written(values))

    async def break_store(self) -> None:
        self.moto.client().delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
        self.moto.create(NAME, "{")


class TestPlain(TestAws):
    def written(self, values: Mapping[str, str]) -> str:
        (value,) = values.values()
        return value


class TestKilled(TestAws):
    async def break_store(self) -> None:
        self.moto.kill()


class TestCached(TestAws):
    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        return CachedProvider(await super().make_provider(values))
