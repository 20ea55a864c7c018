from __future__ import annotations

import asyncio
import itertools
import socket
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from ports import free_port
from vault_helpers import NAME, approle, check_silent, error_of, requests_of, secret

from ethora_async.testing.implementers import Canary
from ethora_async_secrets import (
    CachedProvider,
    ChainProvider,
    SecretMalformedError,
    SecretUnavailableError,
    VaultProvider,
)
from ethora_async_secrets.testing import MemoryProvider
from ethora_async_secrets.vault.provider import AppRoleLogin, TokenLogin

if TYPE_CHECKING:
    from pathlib import Path

    from openbao_server import OpenBao
    from vault_helpers import Odd

    from ethora_async.testing.users import FakeClock

_numbers = itertools.count(1)


def provider_of(server: OpenBao, **options: Any) -> VaultProvider:
    path = f"outage-{next(_numbers)}"
    server.write(path, {NAME: "canary-value-one"})
    return VaultProvider(
        path, **({"address": server.address, "auth": TokenLogin(server.token), "ca": server.ca} | options)
    )


async def test_a_sealed_vault_is_unavailable_until_it_is_unsealed(durable: OpenBao):
    provider = provider_of(durable)
    fresh = provider_of(durable)
    await provider.fetch()
    durable.seal()
    try:
        with Canary("canary-value-one", durable.token) as canary:
            for each in (provider, fresh):
                error = await error_of(each)
                assert isinstance(error, SecretUnavailableError)
                assert "is sealed, starting or down (503)" in str(error)
                check_silent(canary, error, each)
    finally:
        durable.unseal()
    for each in (provider, fresh):
        assert (await each.fetch()).reveal(NAME) == "canary-value-one"
        await each.aclose()


async def test_a_vault_killed_is_unavailable_until_it_is_back(durable: OpenBao):
    provider, fresh = provider_of(durable), provider_of(durable)
    before = await provider.fetch()
    durable.kill()
    try:
        with Canary("canary-value-one", durable.token) as canary:
            for each in (provider, fresh):
                error = await error_of(each)
                assert isinstance(error, SecretUnavailableError)
                assert f"Vault at {durable.address} cannot be reached" in str(error)
                check_silent(canary, error, each)
    finally:
        durable.restart()
    after = await provider.fetch()
    assert (after.reveal(NAME), after.version) == ("canary-value-one", before.version)
    assert (await fresh.fetch()).reveal(NAME) == "canary-value-one"
    await provider.aclose()
    await fresh.aclose()


async def test_a_login_outlives_a_restart(durable: OpenBao, name: str, wire_log):
    provider = provider_of(durable, auth=AppRoleLogin(*approle(durable, name)))
    await provider.fetch()
    durable.restart()
    wire_log.clear()
    assert (await provider.fetch()).reveal(NAME) == "canary-value-one"
    assert requests_of(wire_log, "auth/approle/login") == 0
    await provider.aclose()


async def test_an_uninitialised_vault_is_unavailable(tmp_path: Path):
    from openbao_server import OpenBao

    server = OpenBao(tmp_path, durable=True)
    server._configure()
    server.start()
    try:
        provider = VaultProvider("app", address=server.address, auth=TokenLogin("token-abcdef"), ca=server.ca)
        assert isinstance(await error_of(provider), SecretUnavailableError)
        await provider.aclose()
    finally:
        server.kill()


async def test_the_cache_bridges_an_outage_up_to_max_stale(durable: OpenBao, clock: FakeClock):
    inner = provider_of(durable)
    provider = CachedProvider(inner, ttl=60, max_stale=600, clock=clock)
    first = await provider.fetch()
    durable.kill()
    try:
        with Canary("canary-value-one", durable.token) as canary:
            for seconds in (61, 300, 298):
                clock.advance(seconds)
                assert (await provider.fetch()).version == first.version
            clock.advance(2)
            error = await error_of(provider)
        assert isinstance(error, SecretUnavailableError)
        assert "cannot be reached" in str(error)
        canary.check(error, provider)
    finally:
        durable.restart()
    durable.write(inner.source.rpartition("/")[2], {NAME: "canary-value-two"})
    clock.advance(31)
    second = await provider.fetch()
    assert second.reveal(NAME) == "canary-value-two"
    assert second.previous is not None
    assert second.previous.version == first.version
    await provider.aclose()


async def test_a_chain_goes_on_from_a_vault_that_is_down():
    fallback = MemoryProvider({NAME: "fallback"})
    down = VaultProvider("app", address=f"http://127.0.0.1:{free_port()}", auth=TokenLogin("token-abcdef"))
    chain = ChainProvider([VaultProvider("app", environ={}), down, fallback])
    assert (await chain.fetch()).reveal(NAME) == "fallback"
    await chain.aclose()


async def test_a_thousand_first_calls_of_which_half_are_cancelled_are_one_read(bao: OpenBao, wire_log):
    provider = CachedProvider(provider_of(bao))
    wire_log.clear()
    tasks = [asyncio.create_task(provider.fetch()) for _ in range(1000)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, asyncio.CancelledError) for answer in answers) == 500
    good = [answer for answer in answers[1::2] if not isinstance(answer, BaseException)]
    assert len(good) == 500
    assert len({bundle.version for bundle in good}) == 1
    assert requests_of(wire_log, "secret/data/.*") == 1
    await provider.aclose()


async def test_another_ca_is_a_matter_of_configuration_and_says_so(durable: OpenBao, tmp_path: Path):
    wrong = tmp_path / "wrong.pem"
    trustme.CA().cert_pem.write_to_path(str(wrong))
    for ca, environ, said in (
        (str(wrong), {}, "This is a matter of configuration: name the CA that signed it in VAULT_CACERT or ca=."),
        (None, {"VAULT_CACERT": str(wrong)}, "is not trusted for this address"),
        (None, {"VAULT_SKIP_VERIFY": "1"}, "VAULT_SKIP_VERIFY is set and not honoured"),
        (None, {"VAULT_CACERT": str(tmp_path / "absent.pem")}, "absent.pem does not exist"),
    ):
        with Canary("canary-value-one", durable.token) as canary:
            provider = provider_of(durable, ca=ca, environ=environ)
            error = await error_of(provider)
        assert isinstance(error, SecretUnavailableError)
        assert said in str(error)
        check_silent(canary, error, provider)
        await provider.aclose()


async def test_a_ca_that_is_no_certificate_is_unavailable(durable: OpenBao, tmp_path: Path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    provider = provider_of(durable, ca=tmp_path / "ca.pem")
    error = await error_of(provider)
    assert isinstance(error, SecretUnavailableError)
    await provider.aclose()


async def test_the_environment_says_where_the_vault_is_and_who_signed_for_it(durable: OpenBao):
    environ = {"VAULT_ADDR": f"{durable.address}/", "VAULT_CACERT": str(durable.ca), "VAULT_TOKEN": durable.token}
    provider = provider_of(durable, address=None, auth="token", ca=None, environ=environ)
    assert (await provider.fetch()).reveal(NAME) == "canary-value-one"
    await provider.aclose()


async def test_plain_http_spoken_to_tls_and_the_reverse_say_so(durable: OpenBao, bao: OpenBao):
    provider = provider_of(durable, address=durable.address.replace("https", "http"))
    assert "http request to an https server" in str(await error_of(provider))
    await provider.aclose()
    provider = provider_of(bao, address=bao.address.replace("http", "https"))
    error = await error_of(provider)
    assert isinstance(error, SecretUnavailableError)
    assert "the right http:// or https://" in str(error)
    await provider.aclose()


async def test_a_vault_that_does_not_answer_is_given_up_after_the_timeout():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with Canary("canary-token") as canary:
            provider = VaultProvider("app", address=address, auth=TokenLogin("canary-token"), timeout=0.1)
            error = await error_of(provider)
        assert isinstance(error, SecretUnavailableError)
        assert "did not answer within 0.1 s" in str(error)
        check_silent(canary, error, provider)
        await provider.aclose()


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("", SecretUnavailableError, "set VAULT_ADDR"),
        ("vault.example", SecretMalformedError, "VAULT_ADDR does not begin with http:// or https://"),
        ("https://me:canary-password@vault", SecretMalformedError, "VAULT_ADDR holds credentials"),
        ("https://vault:canary-password", SecretMalformedError, "VAULT_ADDR is not a URL"),
    ],
)
async def test_a_vault_addr_that_is_none_is_named(address: str, kind: type, said: str):
    with Canary("canary-password") as canary:
        provider = VaultProvider("app", environ={"VAULT_ADDR": address, "VAULT_TOKEN": "token-abcdef"})
        error = await error_of(provider)
    assert type(error) is kind
    assert said in str(error)
    check_silent(canary, error, provider)


async def test_a_second_loop_reads_through_the_connection_of_the_first(bao: OpenBao):
    provider = provider_of(bao)

    def elsewhere() -> str:
        return asyncio.run(provider.fetch()).reveal(NAME)

    await provider.fetch()
    assert await asyncio.to_thread(elsewhere) == "canary-value-one"
    await provider.aclose()


async def test_the_connection_is_kept_between_reads_and_closed_with_the_provider(odd: Odd, wire_log):
    odd.replies = {"secret/data/app": secret({NAME: "one"})}
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin("token-abcdef"))
    await provider.fetch()
    (session,) = provider._sessions.values()
    pools = session._wire._session.get_adapter(odd.address).poolmanager.pools
    assert len(pools) == 1
    await provider.aclose()
    assert len(pools) == 0
