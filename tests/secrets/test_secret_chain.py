from __future__ import annotations

import pytest

from ethora_async_secrets import (
    Attempt,
    ChainProvider,
    EnvProvider,
    SecretDeniedError,
    SecretMalformedError,
    SecretUnavailableError,
    StaticProvider,
)
from ethora_async_secrets.testing import MemoryProvider

CANARY = "canary-c0ffee"


def down(source: str) -> MemoryProvider:
    provider = MemoryProvider({"A": CANARY}, source=source)
    provider.fail(SecretUnavailableError(f"{source} is down.", source))
    return provider


async def test_the_first_that_answers_wins_and_is_named():
    last = MemoryProvider({"A": "3"}, source="last")
    chain = ChainProvider([down("first"), MemoryProvider({"A": "2"}, source="second"), last])
    assert (await chain.fetch()).source == "second"
    assert (await chain.refresh()).reveal("A") == "2"
    assert last.calls == 0
    assert chain.source == "first, second, last"


@pytest.mark.parametrize(
    "error", [SecretDeniedError("No.", "first"), SecretMalformedError("Garbled.", "first"), OSError("bug")]
)
async def test_another_failure_than_unavailable_stops_the_chain(error: Exception):
    first, second = MemoryProvider({"A": "1"}, source="first"), MemoryProvider({"A": "2"})
    first.fail(error)
    with pytest.raises(type(error)):
        await ChainProvider([first, second]).fetch()
    assert second.calls == 0


async def test_the_final_message_lists_each_attempt():
    with pytest.raises(SecretUnavailableError) as caught:
        await ChainProvider([down("one"), EnvProvider({}), down("two")]).refresh()
    message = str(caught.value)
    assert message.startswith("No source has the secrets. Asked 3: one: one is down. | env: ")
    assert message.endswith("| two: two is down.")
    assert caught.value.source == "one, env, two"


async def test_diagnose_reports_every_source_and_raises_nothing():
    denied, malformed, bug = (MemoryProvider({}, source=source) for source in ("d", "m", "b"))
    denied.fail(SecretDeniedError("No.", "d"))
    malformed.fail(SecretMalformedError("Garbled.", "m"))
    bug.fail(OSError(CANARY))
    good = MemoryProvider({"B": CANARY, "A": CANARY}, source="g")
    attempts = await ChainProvider([down("u"), denied, malformed, bug, good]).diagnose()
    assert attempts == [
        Attempt("u", "unavailable", "u is down."),
        Attempt("d", "denied", "No."),
        Attempt("m", "malformed", "Garbled."),
        Attempt("b", "failed", "OSError"),
        Attempt("g", "answered", "", ("A", "B"), version=good.bundle.version),
    ]
    assert CANARY not in repr(attempts)
    assert good.refreshes == 1


async def test_invalidate_and_close_reach_every_provider():
    class Stuck(MemoryProvider):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("stuck")

    providers = [MemoryProvider({"A": "1"}), Stuck({"A": "2"}), MemoryProvider({"A": "3"})]
    chain = ChainProvider(providers)
    chain.invalidate("v1")
    assert [provider.invalidated for provider in providers] == [["v1"]] * 3
    with pytest.raises(OSError, match="stuck"):
        await chain.aclose()
    assert [provider.closes for provider in providers] == [1, 1, 1]


def test_an_empty_chain_is_refused():
    with pytest.raises(ValueError, match="empty"):
        ChainProvider([])


async def test_a_source_that_lacks_a_required_name_is_passed_over():
    """A lone setting in the environment must not hide the file that holds the secret."""
    partial = StaticProvider({"ETHORA_CHAT_API_URL": "https://api.example.com"}, source="first")
    whole = StaticProvider({"ETHORA_CHAT_APP_SECRET": "a-long-enough-secret"}, source="second")
    chain = ChainProvider([partial, whole], required=["ETHORA_CHAT_APP_SECRET"])

    assert (await chain.fetch()).source == "second"
    assert [attempt.outcome for attempt in await chain.diagnose()] == ["unavailable", "answered"]
    with pytest.raises(SecretUnavailableError, match="first: It lacks ETHORA_CHAT_APP_SECRET"):
        await ChainProvider([partial], required=["ETHORA_CHAT_APP_SECRET"]).fetch()
