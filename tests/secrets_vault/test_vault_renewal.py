from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import hvac
import pytest
from vault_helpers import NAME, READ, approle, check_silent, error_of, requests_of, secret

from ethora_async.testing.implementers import Canary
from ethora_async_secrets import SecretDeniedError, SecretUnavailableError, VaultProvider
from ethora_async_secrets.vault.provider import AppRoleLogin, TokenLogin

if TYPE_CHECKING:
    from openbao_server import OpenBao
    from vault_helpers import Odd

    from ethora_async.testing.users import FakeClock

HOUR = 3600


def counts(log: pytest.LogCaptureFixture) -> tuple[int, int]:
    """How many logins and renewals there were since the last call."""
    found = requests_of(log, "auth/approle/login"), requests_of(log, "auth/token/renew-self")
    log.clear()
    return found


async def test_a_token_is_renewed_after_two_thirds_of_its_time(bao: OpenBao, name: str, clock: FakeClock, wire_log):
    bao.write(name, {NAME: "one"})
    provider = VaultProvider(name, address=bao.address, auth=AppRoleLogin(*approle(bao, name)), clock=clock)
    wire_log.clear()
    await provider.fetch()
    assert counts(wire_log) == (1, 0)
    clock.advance(HOUR * 0.66)
    await provider.fetch()
    assert counts(wire_log) == (0, 0)
    clock.advance(HOUR * 0.01)
    await asyncio.gather(*(provider.fetch() for _ in range(20)))
    assert counts(wire_log) == (0, 1)
    clock.advance(HOUR * 0.66)
    await provider.fetch()
    assert counts(wire_log) == (0, 0)
    clock.advance(HOUR)
    await provider.fetch()
    assert counts(wire_log) == (1, 0)
    await provider.aclose()


async def test_a_token_given_is_renewed_too(bao: OpenBao, name: str, clock: FakeClock, wire_log):
    bao.write(name, {NAME: "one"})
    bao.policy("read", READ)
    provider = VaultProvider(name, address=bao.address, auth=TokenLogin(bao.token_for("read")), clock=clock)
    await provider.fetch()
    clock.advance(HOUR * 0.7)
    await provider.fetch()
    assert counts(wire_log) == (0, 1)
    await provider.aclose()


async def test_a_batch_token_cannot_be_renewed_and_is_replaced_in_time(
    bao: OpenBao, name: str, clock: FakeClock, wire_log
):
    bao.write(name, {NAME: "one"})
    login = AppRoleLogin(*approle(bao, name, token_type="batch"))
    provider = VaultProvider(name, address=bao.address, auth=login, clock=clock)
    await provider.fetch()
    counts(wire_log)
    clock.advance(HOUR * 0.7)
    await provider.fetch()
    assert counts(wire_log) == (1, 0)
    await provider.aclose()


async def test_a_root_token_is_never_renewed(bao: OpenBao, name: str, clock: FakeClock, wire_log):
    bao.write(name, {NAME: "one"})
    provider = VaultProvider(name, address=bao.address, auth=TokenLogin(bao.token), clock=clock)
    await provider.fetch()
    clock.advance(HOUR * 10_000)
    await provider.fetch()
    assert counts(wire_log) == (0, 0)
    await provider.aclose()


async def test_a_token_revoked_leads_to_one_login_and_an_answer(bao: OpenBao, name: str, clock: FakeClock, wire_log):
    bao.write(name, {NAME: "one"})
    provider = VaultProvider(name, address=bao.address, auth=AppRoleLogin(*approle(bao, name)), clock=clock)
    for before in (0, HOUR * 0.7):
        await provider.fetch()
        (session,) = provider._sessions.values()
        bao.client().auth.token.revoke(session._lease.token)
        clock.advance(before)
        wire_log.clear()
        assert (await provider.fetch()).reveal(NAME) == "one"
        assert requests_of(wire_log, "auth/approle/login") == 1
    await provider.aclose()


async def _dead(bao: OpenBao, token: str) -> None:
    """Wait until the server has ended `token`."""
    deadline = time.monotonic() + 120
    client = bao.client(token=token)
    while time.monotonic() < deadline:
        try:
            client.auth.token.lookup_self()
        except hvac.exceptions.Forbidden:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the token lives on")


async def test_a_token_past_its_max_ttl_leads_to_one_login_and_an_answer(
    bao: OpenBao, name: str, clock: FakeClock, wire_log
):
    bao.write(name, {NAME: "one"})
    login = AppRoleLogin(*approle(bao, name, token_ttl="1s", token_max_ttl="1s"))
    provider = VaultProvider(name, address=bao.address, auth=login, clock=clock)
    for ahead in (0.0, 0.7):
        await provider.fetch()
        (session,) = provider._sessions.values()
        await _dead(bao, session._lease.token)
        # by our clock it lives: the server has to say so, to the read and to the renewal
        clock.advance(ahead)
        wire_log.clear()
        assert (await provider.fetch()).reveal(NAME) == "one"
        assert requests_of(wire_log, "auth/approle/login") == 1
    await provider.aclose()


async def test_a_token_given_that_has_expired_is_denied_clearly(bao: OpenBao, name: str, clock: FakeClock):
    bao.write(name, {NAME: "one"})
    bao.policy("read", READ)
    token = bao.token_for("read", ttl="1s")
    with Canary(token) as canary:
        provider = VaultProvider(name, address=bao.address, auth=TokenLogin(token), clock=clock)
        await provider.fetch()
        await _dead(bao, token)
        for seconds in (0, 0.8, 10):
            clock.advance(seconds)
            error = await error_of(provider)
            assert isinstance(error, SecretDeniedError)
            assert "it has expired, was revoked or is mistyped" in str(error)
            check_silent(canary, error, provider)
    await provider.aclose()


@pytest.mark.slow
async def test_reads_never_fail_through_renewals_and_max_ttls(bao: OpenBao, name: str, wire_log):
    bao.write(name, {NAME: "one"})
    login = AppRoleLogin(*approle(bao, name, token_ttl="2s", token_max_ttl="4s"))
    provider = VaultProvider(name, address=bao.address, auth=login)
    wire_log.clear()
    end = time.monotonic() + 12
    while time.monotonic() < end:
        assert (await provider.fetch()).reveal(NAME) == "one"
        await asyncio.sleep(0.02)
    logins, renewals = counts(wire_log)
    assert 3 <= logins <= 8
    assert renewals >= 3
    await provider.aclose()


def granted(seconds: int, token: str = "token-abcdef") -> tuple[int, dict[str, str], object]:
    return 200, {}, {"auth": {"client_token": token, "lease_duration": seconds, "renewable": True}}


@pytest.mark.parametrize(
    "reply",
    [
        (500, {}, {"errors": ["1 error occurred:\n\t* past the max TTL, cannot renew\n\n"]}),
        (403, {}, {"errors": ["permission denied"]}),
        (400, {}, {"errors": ["lease is not renewable"]}),
        (200, {}, {"auth": None}),
        (200, {}, "<html>"),
    ],
)
async def test_a_renewal_refused_is_a_login(odd: Odd, clock: FakeClock, reply: object):
    odd.replies = {
        "auth/approle/login": [granted(HOUR), granted(HOUR, "token-second")],
        "auth/token/renew-self": reply,
        "secret/data/app": secret({NAME: "one"}),
    }
    provider = VaultProvider("app", address=odd.address, auth=AppRoleLogin("role", "secret-id"), clock=clock)
    await provider.fetch()
    clock.advance(HOUR * 0.7)
    await provider.fetch()
    assert odd.paths().count("POST /v1/auth/approle/login") == 2
    assert odd.seen[-1][2]["X-Vault-Token"] == "token-second"
    await provider.aclose()


async def test_a_read_refused_with_500_past_max_ttl_is_a_login(odd: Odd, clock: FakeClock):
    past = (500, {}, {"errors": ["past the max TTL"]})
    odd.replies = {"auth/approle/login": granted(HOUR), "secret/data/app": secret({NAME: "one"})}
    provider = VaultProvider("app", address=odd.address, auth=AppRoleLogin("role", "secret-id"), clock=clock)
    await provider.fetch()
    odd.replies["auth/approle/login"] = granted(HOUR, "token-second")
    odd.replies["secret/data/app"] = [past, secret({NAME: "two"})]
    assert (await provider.fetch()).reveal(NAME) == "two"
    odd.replies["secret/data/app"] = [(500, {}, {"errors": ["internal error"]}), secret({NAME: "three"})]
    before = odd.paths().count("POST /v1/auth/approle/login")
    assert isinstance(await error_of(provider), SecretUnavailableError)
    assert odd.paths().count("POST /v1/auth/approle/login") == before
    await provider.aclose()


async def test_while_neither_renewal_nor_login_works_the_token_serves_to_its_end(odd: Odd, clock: FakeClock):
    down = (503, {}, {"errors": ["down"]})
    odd.replies = {"auth/approle/login": granted(HOUR), "secret/data/app": secret({NAME: "one"})}
    provider = VaultProvider("app", address=odd.address, auth=AppRoleLogin("role", "secret-id"), clock=clock)
    await provider.fetch()
    odd.replies["auth/approle/login"] = odd.replies["auth/token/renew-self"] = down
    clock.advance(HOUR * 0.7)
    for _ in range(5):
        assert (await provider.fetch()).reveal(NAME) == "one"
    # it is tried again later, not at each read
    assert odd.paths().count("POST /v1/auth/token/renew-self") == 1
    clock.advance(HOUR * 0.2)
    assert (await provider.fetch()).reveal(NAME) == "one"
    assert odd.paths().count("POST /v1/auth/token/renew-self") == 2
    clock.advance(HOUR * 0.2)
    assert isinstance(await error_of(provider), SecretUnavailableError)
    await provider.aclose()


async def test_near_its_max_ttl_a_token_is_replaced_rather_than_renewed_for_ever_less(odd: Odd, clock: FakeClock):
    odd.replies = {
        "auth/approle/login": granted(HOUR),
        "auth/token/renew-self": granted(HOUR // 3),
        "secret/data/app": secret({NAME: "one"}),
    }
    provider = VaultProvider("app", address=odd.address, auth=AppRoleLogin("role", "secret-id"), clock=clock)
    for step in (0.0, 0.7, 0.25):
        clock.advance(HOUR * step)
        await provider.fetch()
    calls = [path for path in odd.paths() if "auth/" in path]
    login, renewal = "POST /v1/auth/approle/login", "POST /v1/auth/token/renew-self"
    assert calls == [login, renewal, login]
    await provider.aclose()


async def test_a_login_that_fails_is_tried_once_per_read(odd: Odd, clock: FakeClock):
    odd.replies = {
        "auth/approle/login": granted(HOUR),
        "secret/data/app": [secret({NAME: "one"}), (403, {}, {"errors": ["permission denied"]})],
    }
    provider = VaultProvider("app", address=odd.address, auth=AppRoleLogin("role", "secret-id"), clock=clock)
    await provider.fetch()
    before = len(odd.seen)
    odd.replies["auth/approle/login"] = granted(HOUR, "token-second")
    assert isinstance(await error_of(provider), SecretDeniedError)
    read, login = "GET /v1/secret/data/app", "POST /v1/auth/approle/login"
    assert odd.paths()[before:] == [read, login, read]
    await provider.aclose()
