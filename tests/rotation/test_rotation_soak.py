"""A secret rotated under load, in every store that changes by itself: no call fails, and the store is hardly read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rotation_parts import MountedFile, soak

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_mounted_file_rotated_under_load(tmp_path: Path) -> None:
    async with EthoraSandbox() as sandbox:
        result = await soak(sandbox, MountedFile(tmp_path, sandbox.secret), rotations=8, interval=0.25, workers=16)
        print(result, Counter(str(r.status) for r in sandbox.requests))
    assert result.errors == []
    assert result.seen >= 4
