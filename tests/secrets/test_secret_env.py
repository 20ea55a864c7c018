from __future__ import annotations

import pytest

from ethora_async_secrets import EnvProvider, SecretMalformedError, SecretUnavailableError, StaticProvider


async def test_the_live_environment_is_read_at_each_fetch(monkeypatch: pytest.MonkeyPatch):
    provider = EnvProvider()
    monkeypatch.setenv("ETHORA_CHAT_APP_SECRET", "one")
    assert (await provider.fetch()).reveal("ETHORA_CHAT_APP_SECRET") == "one"
    monkeypatch.setenv("ETHORA_CHAT_APP_SECRET", "two")
    bundle = await provider.fetch()
    assert bundle.reveal("ETHORA_CHAT_APP_SECRET") == "two"
    assert bundle.source == "env"


async def test_previous_and_pending_come_from_suffixed_variables():
    environ = {"ETHORA_A": "1", "ETHORA_A_PREVIOUS": "0", "ETHORA_A_PENDING": "2", "OTHER": "x"}
    for provider in (EnvProvider(environ), EnvProvider(environ, names=["ETHORA_A"])):
        bundle = await provider.fetch()
        assert bundle.names() == {"ETHORA_A"}
        assert bundle.previous is not None
        assert bundle.previous.reveal("ETHORA_A") == "0"
        assert bundle.pending is not None
        assert bundle.pending.reveal("ETHORA_A") == "2"


async def test_names_limit_what_is_taken():
    bundle = await EnvProvider({"ETHORA_A": "1", "ETHORA_B": "2", "C": "3"}, names=["ETHORA_A", "C"]).fetch()
    assert bundle.names() == {"ETHORA_A", "C"}


@pytest.mark.parametrize("environ", [{}, {"ETHORA_A": " \t"}, {"ETHORA_A_PREVIOUS": "0"}, {"ETHORA_SECRETS": "env:"}])
async def test_an_environment_without_a_secret_is_unavailable_and_says_where_it_looked(
    environ: dict[str, str],
):
    with pytest.raises(SecretUnavailableError, match=r"looked for ETHORA_\*") as caught:
        await EnvProvider(environ).fetch()
    assert caught.value.source == "env"


async def test_the_message_names_the_variables_wanted():
    with pytest.raises(SecretUnavailableError, match="looked for AAA, BBB"):
        await EnvProvider({}, names=["AAA", "BBB"]).refresh()


async def test_there_is_no_file_convention():
    bundle = await EnvProvider({"ETHORA_A_FILE": "/etc/hostname"}).fetch()
    assert bundle.reveal("ETHORA_A_FILE") == "/etc/hostname"
    assert "ETHORA_A" not in bundle


async def test_undecodable_bytes_are_malformed_and_name_the_variable():
    with pytest.raises(SecretMalformedError, match="ETHORA_A is not UTF-8") as caught:
        await EnvProvider({"ETHORA_A": "secret-\udcff"}).fetch()
    assert "secret-" not in str(caught.value)


def test_one_string_as_names_is_refused():
    with pytest.raises(TypeError, match="pass a list"):
        EnvProvider({}, names="ETHORA_A")


async def test_static_secrets_keep_their_source_and_empty_ones_are_unavailable():
    assert (await StaticProvider({"A": "1"}, source="argument").fetch()).source == "argument"
    with pytest.raises(SecretUnavailableError, match="static secrets are empty"):
        await StaticProvider({}).fetch()
