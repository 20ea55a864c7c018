"""Calls to a sandbox's page, as the page itself and other clients send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from ethora_async.sandbox.local_server import LocalServer


class Caller:
    """Calls what is below `/_sandbox/`."""

    def __init__(self, sandbox: LocalServer) -> None:
        self._url = sandbox.url

    async def __call__(
        self, method: str, path: str = "", body: Any = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"{self._url}/_sandbox/{path}", json=body, headers=sent, allow_redirects=False
            ) as reply,
        ):
            return reply.status, await reply.text(), dict(reply.headers)

    async def state(self, **asked: str) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._url}/_sandbox/state", params=asked) as reply,
        ):
            assert reply.status == 200
            return await reply.json()

    async def change(self, **body: Any) -> tuple[int, str]:
        status, text, _ = await self("POST", "faults", body)
        return status, text


def cells(state: dict[str, Any]) -> list[list[Any]]:
    return [row["cells"] for row in state["table"]["rows"]]
