from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted_ethora import APP, CHILD, SECRET

from ethora_async import EthoraClient
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.platforms.ethora.in_app import InApp
    from ethora_async.platforms.ethora.sessions.user_client import UserClient
    from ethora_async.testing.users import FakeClock


@pytest.fixture
async def platform(clock: FakeClock) -> AsyncIterator[EthoraSandbox]:
    """A local Ethora with a child app below the base app."""
    async with EthoraSandbox(
        app_id=APP, secret=SECRET, clock=clock.now, admin_email="admin@example.com", admin_password="Adm1n-canary-word"
    ) as platform:
        platform.add_app("child", app_id=CHILD, parent=APP)
        yield platform


@pytest.fixture
async def tenant(platform: EthoraSandbox, clock: FakeClock) -> AsyncIterator[EthoraClient]:
    """A client of the parent app."""
    async with EthoraClient(app_id=APP, secret=SECRET, api_url=platform.url, clock=clock) as client:
        yield client


@pytest.fixture
async def admin(tenant: EthoraClient, platform: EthoraSandbox) -> UserClient:
    """The session of the tenant's owner."""
    return tenant.as_user(await tenant.sessions.login(platform.admin_email, platform.admin_password))


@pytest.fixture
def child(admin: UserClient) -> InApp:
    """The child app in the owner's session."""
    return admin.in_app(CHILD)
