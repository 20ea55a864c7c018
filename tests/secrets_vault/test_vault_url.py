from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_helpers import NAME

from ethora_async_secrets import BadProviderURLError, ChainProvider, VaultProvider, provider_from_url
from ethora_async_secrets.vault.address import address_of, checked_address

if TYPE_CHECKING:
    from openbao_server import OpenBao

CANARY = "canary-9d8c7b"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "vault://vault.example:8200/secret/ethora/prod",
            "VaultProvider('vault://vault.example:8200/secret/ethora/prod', auth=TokenLogin($VAULT_TOKEN), kv=2)",
        ),
        ("vault://vault.example/s/p", "VaultProvider('vault://vault.example:8200/s/p', "),
        ("VAULT://[::1]/s/p?kv=1", "VaultProvider('vault://[::1]:8200/s/p', auth=TokenLogin($VAULT_TOKEN), kv=1)"),
        ("vault:///secret/app", "VaultProvider('vault:///secret/app', "),
        ("vault:/secret/app/", "VaultProvider('vault:///secret/app', "),
        ("vault:///s/p?namespace=team%2Fa", "VaultProvider('vault:///s/p?namespace=team/a', "),
        ("vault:///s/p?auth=approle", "auth=AppRoleLogin($VAULT_ROLE_ID, $VAULT_SECRET_ID, mount='approle')"),
        (
            "vault:///s/p?auth=kubernetes&role=chat&auth_mount=k8s/eu",
            "auth=KubernetesLogin('chat', $VAULT_KUBERNETES_TOKEN, mount='k8s/eu')",
        ),
        ("vault:///s/p?auth=jwt&role=chat&kv=2", "auth=JWTLogin('chat', $VAULT_JWT, mount='jwt')"),
    ],
)
def test_good_urls(url: str, shown: str):
    provider = provider_from_url(url, environ={})
    assert isinstance(provider, VaultProvider)
    assert shown in repr(provider)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("vault:", "lacks mount or path"),
        (f"vault:{CANARY}/x", "lacks mount or path"),
        (f"vault:///{CANARY}", "lacks mount or path"),
        (f"vault://{CANARY}", "lacks mount or path"),
        (f"vault://{CANARY}/secret/", "lacks mount or path"),
        (f"vault:////{CANARY}/x", "lacks mount or path"),
        (f"vault://host:{CANARY}/secret/x", "host and port are not of the form host:8200"),
        (f"vault://host:99999/secret/{CANARY}", "host and port are not"),
        (f"vault://{CANARY}!/secret/x", "host and port are not"),
        (f"vault://me:{CANARY}@host/secret/x", "holds credentials"),
        (f"vault:///secret/x?token={CANARY}", "Known: auth, role, auth_mount, kv, namespace, mount."),
        (f"vault:///secret/x?auth={CANARY}", "auth is not known. Known: token, approle, kubernetes, jwt."),
        (f"vault:///secret/x?role={CANARY}", "auth=token takes no role"),
        (f"vault:///secret/x?auth_mount={CANARY}", "auth=token takes no role"),
        ("vault:///secret/x?auth=kubernetes", "auth=kubernetes lacks a role"),
        ("vault:///secret/x?auth=jwt", "auth=jwt lacks a role"),
        ("vault:///secret/x?auth=jwt&role=", "role is empty"),
        (f"vault:///secret/x?kv={CANARY}", "kv must be 1 or 2"),
        (f"vault:///secret/../sys/{CANARY}", "path is empty, or holds an empty part, a dot part"),
        (f"vault:///secret/a//{CANARY}", "path is empty, or holds an empty part"),
        (f"vault:///secret/a%3F{CANARY}", "path is empty, or holds"),
        (f"vault:///../{CANARY}", "mount is empty, or holds"),
        (f"vault:///secret/x#{CANARY}", "Write %23"),
    ],
)
def test_bad_urls_say_why_and_show_the_form_and_repeat_nothing(url: str, said: str):
    with pytest.raises(BadProviderURLError) as caught:
        provider_from_url(url, environ={})
    error = caught.value
    assert said in str(error)
    assert "Provider URL 1 of 1 (vault:)" in str(error)
    assert CANARY not in str(error) + repr(error)
    assert (error.__cause__, error.__context__) == (None, None)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_after_the_scheme_is_a_provider_or_a_bad_url(text: str):
    with contextlib.suppress(BadProviderURLError):
        assert isinstance(provider_from_url(f"vault://{text}", environ={}), VaultProvider | ChainProvider)


@pytest.mark.parametrize(
    ("authority", "default", "address"),
    [
        ("vault.example", "", "https://vault.example:8200"),
        ("vault.example:443", "", "https://vault.example:443"),
        ("vault.example:8200", "http://vault.example:8200", "http://vault.example:8200"),
        ("vault.example:8201", "http://vault.example:8200", "https://vault.example:8201"),
        ("other.example:8200", "http://vault.example:8200", "https://other.example:8200"),
        ("vault.example:80", "http://vault.example", "http://vault.example"),
        ("127.0.0.1:8200", "", "http://127.0.0.1:8200"),
        ("localhost", "", "http://localhost:8200"),
        ("[::1]:8200", "", "http://[::1]:8200"),
        ("127.0.0.1:8200", "https://127.0.0.1:8200/", "https://127.0.0.1:8200"),
        ("127.0.0.1.example", "nonsense", "https://127.0.0.1.example:8200"),
        ("localhost.example", "", "https://localhost.example:8200"),
    ],
)
def test_a_token_goes_in_clear_only_to_this_machine_or_where_vault_addr_says(authority, default, address):
    assert address_of(authority, {"VAULT_ADDR": default}) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "vault",
        "ftp://vault",
        "https://",
        "https://a b",
        "https://a?b",
        "https://a#b",
        "https://u@a",
        "https://u:pass",
    ],
)
def test_bad_addresses_are_refused_unrepeated(address: str):
    with pytest.raises(ValueError, match=r"Write https://vault\.example\.com:8200") as caught:
        checked_address(address, "address")
    assert str(caught.value).startswith("address ")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    with pytest.raises(ValueError, match=r"^address "):
        VaultProvider("app", address=address)


@pytest.mark.parametrize("options", [{"kv": 3}, {"timeout": 0}, {"mount": ""}, {"mount": "a/../b"}, {"auth": "none"}])
def test_bad_options_are_refused(options: dict[str, object]):
    with pytest.raises(ValueError, match=r"kv|timeout|mount|auth"):
        VaultProvider("app", **options)  # type: ignore[arg-type]


async def test_a_url_reads_a_real_secret_and_a_mount_may_be_deep_in_code(bao: OpenBao, name: str):
    bao.write(f"{name}/a b", {NAME: "one"})
    url = f"vault://127.0.0.1:{bao.port}/secret/{name}/a%20b"
    provider = provider_from_url(url, environ={"VAULT_TOKEN": bao.token})
    bundle = await provider.fetch()
    assert (bundle.reveal(NAME), bundle.source) == ("one", f"vault://127.0.0.1:{bao.port}/secret/{name}/a b")
    await provider.aclose()
    bao.client().sys.enable_secrets_engine("kv", path=f"deep/{name}", options={"version": "2"})
    bao.settle(f"deep/{name}")
    bao.write("app", {NAME: "two"}, mount=f"deep/{name}")
    deep = VaultProvider("app", mount=f"deep/{name}", address=bao.address, environ={"VAULT_TOKEN": bao.token})
    assert (await deep.fetch()).reveal(NAME) == "two"
    await deep.aclose()


def test_the_package_loads_neither_hvac_nor_the_provider_until_asked():
    code = (
        "import sys, ethora_async_secrets as s\n"
        "s.provider_from_url('env:')\n"
        "assert not [m for m in sys.modules if 'vault' in m or m in ('hvac', 'requests')]\n"
        "assert 'VaultProvider' in s.__all__ and s.VaultProvider('app')\n"
        "assert not [m for m in sys.modules if m in ('hvac', 'requests')]\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("vault://host:8200/team%2Fkv/app", "vault://host:8200/team%2Fkv/app"),
        ("vault://host:8200/team/kv/app?mount=team/kv", "vault://host:8200/team%2Fkv/app"),
        ("vault://host:8200/team/kv/a/b%20c?mount=/team/kv/", "vault://host:8200/team%2Fkv/a/b c"),
        ("vault:///a%2Fb%2Fc/d/e", "vault:///a%2Fb%2Fc/d/e"),
        ("vault:///team/kv/app", "vault:///team/kv/app"),
    ],
)
def test_a_mount_of_several_parts(url: str, source: str):
    assert provider_from_url(url, environ={}).source == source


@pytest.mark.parametrize(
    "url", ["vault:///other/app?mount=team/kv", "vault:///team/kv?mount=team/kv", "vault:///team%2Fkv"]
)
def test_a_mount_that_the_path_does_not_begin_with_is_refused(url: str):
    with pytest.raises(BadProviderURLError, match="mount"):
        provider_from_url(url, environ={})


async def test_a_url_reads_from_a_deep_mount(bao: OpenBao, name: str):
    bao.client().sys.enable_secrets_engine("kv", path=f"team/{name}", options={"version": "2"})
    bao.settle(f"team/{name}")
    bao.write("app", {NAME: "deep"}, mount=f"team/{name}")
    for url in (
        f"vault://127.0.0.1:{bao.port}/team%2F{name}/app",
        f"vault://127.0.0.1:{bao.port}/team/{name}/app?mount=team/{name}",
    ):
        provider = provider_from_url(url, environ={"VAULT_TOKEN": bao.token})
        assert (await provider.fetch()).reveal(NAME) == "deep"
        await provider.aclose()
