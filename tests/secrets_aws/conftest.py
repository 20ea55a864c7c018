from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto_server import Moto, running_moto

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def moto_process() -> Iterator[Moto]:
    with running_moto() as moto:
        yield moto


@pytest.fixture
def moto(moto_process: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """An empty server that boto3 finds by the environment."""
    moto_process.reset()
    for name, value in moto_process.env.items():
        monkeypatch.setenv(name, value)
    return moto_process
