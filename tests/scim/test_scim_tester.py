"""scim2-tester, which checks a server against RFC 7643 and RFC 7644, with each sandbox that manages users behind it."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from managed_platforms import PLATFORMS, chats_of, named_people_of, platform_of
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import CheckResult, Status, check_server
from scim_helpers import TOKEN, served

from ethora_async import outbox


def _checked(url: str) -> list[CheckResult]:
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        return check_server(SyncSCIMClient(http))


@pytest.mark.slow
@pytest.mark.parametrize("name", PLATFORMS)
async def test_every_check_of_scim2_tester_passes(name: str, sqlite_url: str) -> None:
    async with platform_of(name) as platform, served(sqlite_url) as scim:
        async with outbox.Worker(platform.client, sqlite_url, deadline=2):
            results = await asyncio.to_thread(_checked, scim.url)
        failed = [result for result in results if result.status not in (Status.SUCCESS, Status.SKIPPED)]
        assert failed == []
        assert sum(result.status is Status.SUCCESS for result in results) >= 130
        await outbox.Worker(platform.client, sqlite_url, deadline=2).run_once()
        # It deletes what it creates.
        assert (await scim.get("/Users"))["totalResults"] == 0
        assert await named_people_of(platform) == {}
        assert await chats_of(platform) == {}
