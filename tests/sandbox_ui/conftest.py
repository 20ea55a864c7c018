"""A browser for each module of tests, and axe-core from npm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest_asyncio
from chromium_browser import Page, browser
from npm_packages import CACHE, installed, npm_install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

AXE = "4.10.3"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    async with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def axe() -> str:
    async def install(directory: Path) -> None:
        await npm_install(directory, json.dumps({"dependencies": {"axe-core": AXE}}))

    folder = await installed(CACHE / f"axe-core-{AXE}-1", install)
    return (folder / "node_modules/axe-core/axe.min.js").read_text("utf-8")
