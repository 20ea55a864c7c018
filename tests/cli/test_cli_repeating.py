"""Commands that start beside others wait for a server that is away."""

from __future__ import annotations

import math

import pytest

from ethora_async import ConfigError, RetryPolicy, SettingsUnavailableError
from ethora_async.cli import repeating
from ethora_async.cli.repeating import repeated

AWAY = (SettingsUnavailableError,)


async def test_a_store_that_is_away_is_asked_again_and_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(repeating, "_SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(repeating, "_PAUSES", RetryPolicy(base=0, cap=0))
    left = iter(range(5))

    async def call() -> str:
        if next(left, None) is not None:
            msg = "the store is down"
            raise SettingsUnavailableError(msg)
        return "settings"

    assert await repeated(call, AWAY) == "settings"
    assert capsys.readouterr().err == "the store is down; trying again\n"


@pytest.mark.parametrize(("error", "patience"), [(ConfigError, math.inf), (SettingsUnavailableError, 0.0)])
async def test_a_setting_that_is_wrong_or_a_command_without_patience_ends_at_once(
    error: type[ConfigError], patience: float
) -> None:
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise error("no")

    with pytest.raises(error):
        await repeated(call, AWAY, patience)
    assert calls == 1
