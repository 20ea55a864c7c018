"""A secret rotated under load, in every store that changes by itself: no call fails, and the store is hardly read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rotation_parts import STORES, opened, soak
from slow_stores import ONE_BY_DEFAULT

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from pathlib import Path

    from rotation_parts import Result


def check(result: Result, sandbox: EthoraSandbox) -> None:
    """Nothing failed, nothing happened twice, and the store was read a few times a rotation."""
    assert result.errors == []
    chats = list(sandbox.store.app(sandbox.app_id).chats)
    assert len(chats) == result.created
    assert sum(len(chat.messages) for chat in chats) == result.broadcasts
    # One reading when the old secret is refused, a few while the store is behind, and those of the cache itself.
    assert result.reads <= 8 * result.rotations + 10
    assert result.seen >= result.rotations // 2


@pytest.mark.parametrize("name", ONE_BY_DEFAULT)
async def test_a_secret_rotated_under_load(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with EthoraSandbox() as sandbox:
        with opened(name, tmp_path, sandbox.secret, monkeypatch) as store:
            result = await soak(sandbox, store, rotations=5, interval=0.25, workers=16)
        print(f"\n{name}: {result}")  # noqa: T201  what the benchmark shows
        check(result, sandbox)
    assert result.rotations == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
async def test_two_hundred_rotations_under_the_load_of_sixty_four_workers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with EthoraSandbox() as sandbox:
        with opened(name, tmp_path, sandbox.secret, monkeypatch) as store:
            result = await soak(sandbox, store, rotations=200, interval=0.25)
        print(f"\n{name}: {result}")  # noqa: T201  what the benchmark shows
        check(result, sandbox)
    assert result.rotations == 200
