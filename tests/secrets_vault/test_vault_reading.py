from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from vault_helpers import NAME, READ, approle, check_silent, error_of, requests_of, secret

from ethora_async.testing.implementers import Canary
from ethora_async_secrets import (
    SecretDeniedError,
    SecretMalformedError,
    SecretUnavailableError,
    VaultProvider,
    provider_from_url,
)
from ethora_async_secrets.vault.provider import AppRoleLogin, TokenLogin
from ethora_async_secrets.vault.session import VaultSession
from ethora_async_secrets.vault.wire import Target, Wire

if TYPE_CHECKING:
    from pathlib import Path

    from openbao_server import OpenBao
    from vault_helpers import Odd


def provider_of(bao: OpenBao, path: str, **options: Any) -> VaultProvider:
    return VaultProvider(path, **({"address": bao.address, "auth": TokenLogin(bao.token)} | options))


async def test_the_version_before_is_previous_and_keeps_the_version_it_had(bao: OpenBao, name: str):
    bao.write(name, {NAME: "one"})
    provider = provider_of(bao, name)
    first = await provider.fetch()
    assert (first.reveal(NAME), first.previous) == ("one", None)
    bao.write(name, {NAME: "two"})
    bao.write(name, {NAME: "three"})
    third = await provider.fetch()
    assert third.reveal(NAME) == "three"
    assert third.previous is not None
    assert third.previous.reveal(NAME) == "two"
    assert third.previous.version.startswith("2@")
    assert third.created_at is not None
    assert abs(datetime.now(UTC).timestamp() - third.created_at) < 3600
    bao.write(name, {NAME: "four"})
    fourth = await provider.fetch()
    assert fourth.previous is not None
    assert fourth.previous.version == third.version
    await provider.aclose()


@pytest.mark.parametrize("how", ["delete_secret_versions", "destroy_secret_versions"])
async def test_a_previous_version_taken_back_is_none_at_all(bao: OpenBao, name: str, how: str):
    bao.write(name, {NAME: "one"})
    bao.write(name, {NAME: "two"})
    provider = provider_of(bao, name)
    assert (await provider.fetch()).previous is not None
    getattr(bao.client().secrets.kv.v2, how)(name, [1])
    bundle = await provider.fetch()
    assert (bundle.reveal(NAME), bundle.previous) == ("two", None)
    await provider.aclose()


async def test_a_previous_version_that_is_no_longer_kept_is_none_at_all(bao: OpenBao, name: str):
    bao.client().secrets.kv.v2.update_metadata(name, max_versions=1)
    bao.write(name, {NAME: "one"})
    bao.write(name, {NAME: "two"})
    provider = provider_of(bao, name)
    bundle = await provider.fetch()
    assert (bundle.reveal(NAME), bundle.previous) == ("two", None)
    await provider.aclose()


@pytest.mark.parametrize(
    "reply",
    [
        (403, {}, {"errors": ["permission denied"]}),
        (404, {}, {"errors": []}),
        secret({NAME: 7}),
        secret({}),
        (200, {}, {"data": {"data": {NAME: "one"}}}),
        (200, {}, "<html>"),
    ],
)
async def test_a_previous_version_that_cannot_be_had_or_used_is_none_at_all(odd: Odd, reply: object):
    odd.replies = {"secret/data/app": secret({NAME: "two"}, 2), "secret/data/app?version=1": reply}
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin("token-abcdef"))
    bundle = await provider.fetch()
    assert (bundle.reveal(NAME), bundle.previous) == ("two", None)
    assert odd.paths().count("GET /v1/secret/data/app?version=1") == 1
    await provider.aclose()


async def test_an_outage_in_mid_read_is_an_outage_and_not_a_lost_previous(odd: Odd):
    odd.replies = {"secret/data/app": secret({NAME: "two"}, 2), "secret/data/app?version=1": (503, {}, {})}
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin("token-abcdef"))
    assert isinstance(await error_of(provider), SecretUnavailableError)
    await provider.aclose()


async def test_a_secret_deleted_and_made_again_has_another_version(bao: OpenBao, name: str):
    provider = provider_of(bao, name)
    bao.write(name, {NAME: "one"})
    before = await provider.fetch()
    bao.client().secrets.kv.v2.delete_metadata_and_all_versions(name)
    bao.write(name, {NAME: "other"})
    after = await provider.fetch()
    assert before.version.startswith("1@")
    assert after.version.startswith("1@")
    assert before.version != after.version
    await provider.aclose()


@pytest.mark.parametrize("kv", [1, 2])
@pytest.mark.parametrize("form", ["team/a{kv}/{path}?mount=team/a{kv}", "team%2Fa{kv}/{path}?", "team%2fa{kv}/{path}?"])
async def test_a_url_names_a_mount_with_a_slash(
    bao: OpenBao, name: str, form: str, kv: int, monkeypatch: pytest.MonkeyPatch
):
    client = bao.client()
    mount = f"team/a{kv}"
    if f"{mount}/" not in client.sys.list_mounted_secrets_engines():
        client.sys.enable_secrets_engine("kv", path=mount, options={"version": str(kv)})
    monkeypatch.setenv("VAULT_ADDR", bao.address)
    monkeypatch.setenv("VAULT_TOKEN", bao.token)
    bao.write(f"below/{name}", {NAME: "one"}, mount=mount, kv=kv)
    provider = provider_from_url(f"vault:///{form.format(path=f'below/{name}', kv=kv)}&kv={kv}".replace("?&", "?"))
    assert (await provider.fetch()).reveal(NAME) == "one"
    await provider.aclose()


async def test_version_1_has_a_digest_and_no_previous(bao: OpenBao, name: str):
    provider = provider_of(bao, name, mount="old", kv=1)
    bao.write(name, {NAME: "one"}, mount="old", kv=1)
    first = await provider.fetch()
    assert (await provider.fetch()).version == first.version
    bao.write(name, {NAME: "two"}, mount="old", kv=1)
    second = await provider.fetch()
    assert (second.reveal(NAME), second.previous, second.created_at) == ("two", None, None)
    assert second.version != first.version
    await provider.aclose()


async def test_nothing_there_is_unavailable_and_says_what_to_check(bao: OpenBao, name: str):
    bao.write(name, {NAME: "one"})
    for path, options, said in (
        (f"{name}-absent", {}, "has nothing at this path (404)"),
        (f"data/{name}", {}, "written without data/"),
        (name, {"mount": "nowhere"}, "no handler for route"),
        (name, {"namespace": "nobody"}, "namespace not found"),
        (name, {"kv": 1}, "KV version 2"),
        (name, {"mount": "old"}, "KV version 1"),
    ):
        provider = provider_of(bao, path, **options)
        error = await error_of(provider)
        assert isinstance(error, SecretUnavailableError)
        assert said in str(error)
        assert error.source == provider.source
        await provider.aclose()
    bao.client().secrets.kv.v2.delete_latest_version_of_secret(name)
    provider = provider_of(bao, name)
    assert "its current version is deleted" in str(await error_of(provider))
    await provider.aclose()


@pytest.mark.parametrize("value", [7, True, None, ["canary-in-a-list"], {"inner": "canary-in-a-list"}])
async def test_a_value_that_is_no_string_is_malformed_by_its_key(bao: OpenBao, name: str, value: object):
    with Canary("canary-in-a-list") as canary:
        bao.write(name, {"GOOD": "canary-in-a-list", "BAD": value})
        provider = provider_of(bao, name)
        bundle = await provider.fetch()
        assert bundle.names() == {"GOOD"}
        with pytest.raises(SecretMalformedError) as caught:
            bundle.reveal("BAD")
        error = caught.value
    assert "'BAD'" in str(error)
    canary.check(error)
    check_silent(canary, error, provider)
    await provider.aclose()


async def test_blank_values_count_as_missing_and_none_at_all_as_unavailable(bao: OpenBao, name: str):
    bao.write(name, {NAME: "one", "BLANK": " "})
    provider = provider_of(bao, name)
    assert (await provider.fetch()).names() == {NAME}
    bao.write(name, {"BLANK": " "})
    error = await error_of(provider)
    assert isinstance(error, SecretUnavailableError)
    assert "holds no values" in str(error)
    await provider.aclose()


async def test_a_namespace_is_asked_in_with_its_own_login(bao: OpenBao, name: str):
    bao.client().sys.create_namespace(name)
    inside = bao.client(namespace=name)
    inside.sys.enable_secrets_engine("kv", path="own", options={"version": "1"})
    inside.secrets.kv.v1.create_or_update_secret("app", {NAME: "inside"}, mount_point="own")
    inside.sys.create_or_update_policy("inner", 'path "own/*" { capabilities = ["read"] }')
    inside.sys.enable_auth_method("approle")
    inside.auth.approle.create_or_update_approle("chat", token_policies=["inner"])
    role_id = inside.auth.approle.read_role_id("chat")["data"]["role_id"]
    wrapped = inside.auth.approle.generate_secret_id("chat", wrap_ttl="60s")["wrap_info"]["token"]
    login = AppRoleLogin(role_id, wrapped, wrapped=True, role="chat")
    provider = provider_of(bao, "app", mount="own", kv=1, namespace=name, auth=login)
    assert (await provider.fetch()).reveal(NAME) == "inside"
    assert provider.source.endswith(f"/own/app?namespace={name}")
    by_variable = provider_of(bao, "app", mount="own", kv=1, environ={"VAULT_NAMESPACE": f"{name}/"})
    assert (await by_variable.fetch()).reveal(NAME) == "inside"
    await provider.aclose()
    await by_variable.aclose()


async def test_a_policy_that_does_not_allow_it_is_denied_after_one_more_login(bao: OpenBao, name: str, wire_log):
    bao.write(name, {NAME: "canary-not-for-you"})
    bao.policy("nothing", 'path "secret/data/other" { capabilities = ["read"] }')
    role_id, secret_id = approle(bao, name, token_policies=["nothing"])
    with Canary("canary-not-for-you", secret_id) as canary:
        provider = provider_of(bao, name, auth=AppRoleLogin(role_id, secret_id))
        error = await error_of(provider)
        assert isinstance(error, SecretDeniedError)
        assert 'its policy must allow "read"' in str(error)
        assert requests_of(wire_log, "auth/approle/login") == 1
        wire_log.clear()
        await error_of(provider)
        assert (requests_of(wire_log, "auth/approle/login"), requests_of(wire_log, "secret/data/.*")) == (1, 2)
    check_silent(canary, error, provider)
    # a policy given to the role is seen without a restart
    bao.client().auth.approle.create_or_update_approle(name, token_policies=["read"])
    assert (await provider.fetch()).reveal(NAME) == "canary-not-for-you"
    await provider.aclose()


async def test_a_policy_for_a_token_given_is_told_from_a_token_that_is_dead(bao: OpenBao, name: str):
    bao.policy("nothing", 'path "secret/data/other" { capabilities = ["read"] }')
    token = bao.token_for("nothing")
    with Canary(token) as canary:
        provider = provider_of(bao, name, auth=TokenLogin(token))
        error = await error_of(provider)
        assert isinstance(error, SecretDeniedError)
        assert "though the token is valid" in str(error)
        check_silent(canary, error, provider)
        bao.client().auth.token.revoke(token)
        error = await error_of(provider)
        assert isinstance(error, SecretDeniedError)
        assert "does not accept the token (403)" in str(error)
    check_silent(canary, error, provider)
    await provider.aclose()


async def test_a_token_without_the_right_to_look_itself_up_reads_all_the_same(bao: OpenBao, name: str):
    bao.write(name, {NAME: "one"})
    bao.policy("read", READ)
    provider = provider_of(bao, name, auth=TokenLogin(bao.token_for("read", no_default_policy=True)))
    assert (await provider.fetch()).reveal(NAME) == "one"
    await provider.aclose()


@pytest.mark.parametrize("where", ["secret/data/app", "auth/approle/login"])
@pytest.mark.parametrize("status", [200, 302, 307, 400, 401, 403, 404, 412, 418, 429, 472, 500, 502, 503])
async def test_what_a_strange_server_echoes_shows_up_nowhere(odd: Odd, where: str, status: int):
    granted = {"auth": {"client_token": "canary-client-token", "lease_duration": 60, "renewable": True}}
    # with a phrase that we do quote
    echo = "Vault is sealed: {echo} canary-secret-id canary-client-token"
    with Canary("canary-secret-id", "canary-client-token", "canary-of-jwt") as canary:
        provider = VaultProvider("app", address=odd.address, auth=AppRoleLogin("role", "canary-secret-id"))
        for body in (echo, {"errors": [echo]}, {"data": {"canary-of": echo, "data": echo}}):
            odd.replies = {"auth/approle/login": (200, {}, granted), where: (status, {}, body)}
            check_silent(canary, await error_of(provider), provider)
    await provider.aclose()


async def test_a_redirect_is_not_followed_by_the_token(odd: Odd):
    elsewhere = {"Location": f"{odd.address.replace('127.0.0.1', 'localhost')}/v1/elsewhere"}
    odd.replies = {"secret/data/app": (307, elsewhere, ""), "elsewhere": secret({NAME: "stolen"})}
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin("token-abcdef"))
    error = await error_of(provider)
    assert isinstance(error, SecretUnavailableError)
    assert "is a standby that points elsewhere (307)" in str(error)
    assert "GET /v1/elsewhere" not in odd.paths()
    await provider.aclose()


async def test_no_password_of_netrc_and_no_proxy_come_between_us_and_this_machine(
    odd: Odd, monkeypatch, tmp_path: Path
):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password canary-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    odd.replies = {"secret/data/app": secret({NAME: "one"})}
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin("token-abcdef"))
    assert (await provider.fetch()).reveal(NAME) == "one"
    assert all("Authorization" not in headers for _, _, headers in odd.seen)
    await provider.aclose()


async def test_something_that_is_no_vault_is_malformed(odd: Odd):
    odd.replies = {"secret/data/app": (200, {}, "<html>Welcome</html>")}
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin("token-abcdef"))
    error = await error_of(provider)
    assert isinstance(error, SecretMalformedError)
    assert "is this a Vault?" in str(error)
    await provider.aclose()


def test_without_hvac_the_error_says_what_to_install():
    code = (
        "import asyncio, sys\n"
        "from ethora_async_secrets import SecretUnavailableError, VaultProvider\n"
        "assert not {'hvac', 'requests'} & set(sys.modules)\n"
        "sys.modules['hvac'] = None\n"
        "try:\n"
        "    asyncio.run(VaultProvider('app', address='http://127.0.0.1:9').fetch())\n"
        "except SecretUnavailableError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    assert b"pip install 'ethora-async[vault]'" in done.stdout


async def test_a_read_left_behind_by_aclose_leaves_nothing_open(odd: Odd, monkeypatch):
    odd.replies = {"secret/data/app": secret({NAME: "one"})}
    began, go = threading.Event(), threading.Event()
    made: list[VaultSession] = []

    def slow(*arguments: Any) -> VaultSession:
        began.set()
        go.wait(20)
        made.append(VaultSession(*arguments))
        return made[-1]

    monkeypatch.setattr("ethora_async_secrets.vault.provider.VaultSession", slow)
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin("token-abcdef"))
    task = asyncio.create_task(provider.fetch())
    await asyncio.to_thread(began.wait, 20)
    await provider.aclose()
    go.set()
    await task
    assert provider._sessions == {}
    assert made[0]._wire._closed
    assert len(made[0]._wire._session.get_adapter(odd.address).poolmanager.pools) == 0
    assert (await provider.fetch()).reveal(NAME) == "one"
    await provider.aclose()


async def test_a_read_under_way_when_the_provider_closes_ends_by_itself(odd: Odd):
    odd.replies = {"secret/data/app": secret({NAME: "two"}, 2)}
    odd.gate.clear()
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin("token-abcdef"))
    task = asyncio.create_task(provider.fetch())
    assert await asyncio.to_thread(odd.asked.wait, 20)
    (session,) = provider._sessions.values()
    await provider.aclose()
    odd.gate.set()
    with pytest.raises(SecretUnavailableError, match="its provider is closed"):
        await task
    assert len(session._wire._session.get_adapter(odd.address).poolmanager.pools) == 0


def test_a_call_that_opens_a_connection_just_after_the_close_closes_it_too(odd: Odd):
    odd.replies = {"secret/data/app": secret({NAME: "one"})}
    wire = Wire(Target(odd.address, "", "", 5.0, trust_env=False, skip_verify_set=False))

    def ask(client: Any) -> object:
        wire.close()
        return client.secrets.kv.v2.read_secret_version("app", raise_on_deleted_version=True)

    assert wire.call("token-abcdef", ask)["data"]["data"] == {NAME: "one"}
    assert len(wire._session.get_adapter(odd.address).poolmanager.pools) == 0


async def test_an_answer_that_cannot_be_decoded_is_unavailable(odd: Odd):
    odd.replies = {"secret/data/app": (200, {"Content-Encoding": "gzip"}, "canary-not-zipped")}
    with Canary("canary-not-zipped", "canary-token") as canary:
        provider = VaultProvider("app", address=odd.address, auth=TokenLogin("canary-token"))
        error = await error_of(provider)
    assert isinstance(error, SecretUnavailableError)
    check_silent(canary, error, provider)
    await provider.aclose()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(bao: OpenBao, name: str):
    bao.write(name, {NAME: "one"})
    provider = provider_of(bao, name)
    asyncio.run(provider.fetch())
    child = os.fork()
    if child == 0:
        try:
            bundle = asyncio.run(asyncio.wait_for(provider.fetch(), 20))
            os._exit(0 if bundle.reveal(NAME) == "one" and len(provider._sessions) == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    asyncio.run(provider.aclose())
