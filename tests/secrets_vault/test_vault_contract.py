from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from vault_helpers import approle

from ethora_async_secrets import CachedProvider, SecretProvider, VaultProvider
from ethora_async_secrets.testing import SecretProviderContract
from ethora_async_secrets.vault.provider import AppRoleLogin, TokenLogin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openbao_server import OpenBao

_numbers = itertools.count(1)


class TestVaultProvider(SecretProviderContract):
    mount, kv = "secret", 2

    @pytest.fixture(autouse=True)
    def place(self, bao: OpenBao) -> None:
        self.bao = bao
        self.path = f"contract/{self.mount}-{next(_numbers)}"

    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        self.bao.write(self.path, values, mount=self.mount, kv=self.kv)
        return VaultProvider(
            self.path, mount=self.mount, kv=self.kv, address=self.bao.address, auth=TokenLogin(self.bao.token)
        )

    async def rotate(self, values: Mapping[str, str]) -> None:
        self.bao.write(self.path, values, mount=self.mount, kv=self.kv)

    async def break_store(self) -> None:
        kv = self.bao.client().secrets.kv
        if self.kv == 2:
            kv.v2.delete_latest_version_of_secret(self.path, mount_point=self.mount)
        else:
            kv.v1.delete_secret(self.path, mount_point=self.mount)


class TestVaultProviderVersion1(TestVaultProvider):
    mount, kv = "old", 1


class TestCachedVaultProvider(TestVaultProvider):
    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        return CachedProvider(await super().make_provider(values))


class TestVaultProviderByAppRole(TestVaultProvider):
    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        await self.rotate(values)
        login = AppRoleLogin(*approle(self.bao, "contract"))
        return VaultProvider(self.path, address=self.bao.address, auth=login)


class TestVaultProviderWhoseTokenIsRevoked(TestVaultProvider):
    """The store breaks by taking the token back, and mends by another in the file."""

    @pytest.fixture(autouse=True)
    def token_file(self, tmp_path) -> None:
        self.file = tmp_path / "token"

    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        self.bao.policy("read", 'path "secret/data/*" { capabilities = ["read"] }')
        await self.rotate(values)
        return VaultProvider(self.path, address=self.bao.address, auth=TokenLogin(token_file=str(self.file)))

    async def rotate(self, values: Mapping[str, str]) -> None:
        await super().rotate(values)
        self.file.write_text(self.bao.token_for("read"))

    async def break_store(self) -> None:
        self.bao.client().auth.token.revoke(self.file.read_text())
