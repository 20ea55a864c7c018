"""Send the requests of outgoing webhooks (docs/platforms/rocketchat.md#integrations)."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from ethora_async.sandbox.rocketchat import webhook_events, webhook_posts
from ethora_async.sandbox.rocketchat.encoding import rest_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.webhook_calls import WebhookCall

TIMEOUT = 10.0
LONGEST = 1_000_000
"""Bytes of an answer that are read."""
FOREIGN = "The sandbox calls webhooks on this machine only: name further hosts by webhook_hosts= or --webhook-host."


class WebhookSender:
    """Sends requests while the server runs: to this machine, and to the hosts that the developer has named."""

    def __init__(
        self,
        platform: Platform,
        hosts: Iterable[str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._platform = platform
        self._hosts = frozenset(host.lower() for host in hosts)
        self._sleep = sleep
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Send what is submitted from now on."""
        self._loop = asyncio.get_running_loop()

    async def aclose(self) -> None:
        """Give up every request under way."""
        self._loop = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def submit(self, call: WebhookCall) -> None:
        """Send a request soon; nothing is sent while the server is stopped."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._spawn, call)

    def _spawn(self, call: WebhookCall) -> None:
        if self._loop is None:
            return
        task = self._loop.create_task(self._send(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, call: WebhookCall) -> None:
        if not self._is_near(call.url):
            webhook_posts.failed(self._platform, call, FOREIGN)
            return
        try:
            status, kind, text = await _request(call)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            webhook_posts.failed(self._platform, call, f"{type(error).__name__}: {error}")
            return
        pause = webhook_posts.answered(self._platform, call, status, kind, text)
        if pause is not None:
            await self._sleep(pause)
            webhook_events.call(self._platform, call.integration, call.url, call.event, call.tries + 1)

    def _is_near(self, url: str) -> bool:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return False
        if host in self._hosts or host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


async def _request(call: WebhookCall) -> tuple[int, str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "Rocket.Chat sandbox"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    # Redirects could lead to other machines.
    async with (
        aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.post(call.url, data=rest_json(call.data), headers=headers, allow_redirects=False) as response,
    ):
        read = bytearray()
        async for part in response.content.iter_any():
            read += part
            if len(read) > LONGEST:
                break
        return response.status, response.content_type, bytes(read[:LONGEST]).decode("utf-8", "replace")
