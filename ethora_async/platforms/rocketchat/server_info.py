"""The server's version and its token lifetime.

See docs/platforms/rocketchat.md#token-lifetime, #server-info.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ethora_async.engine.patience import joined, shared_by_callers
from ethora_async.errors import ReplyLostError
from ethora_async.platforms.rocketchat import operations
from ethora_async.platforms.rocketchat.api import NOBODY
from ethora_async_secrets.concurrency import SingleFlight

if TYPE_CHECKING:
    from typing import Any

    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.context import ServerContext

LOGIN_EXPIRATION = "Accounts_LoginExpiration"
_DEFAULT_DAYS = 90
_DAY = 86_400.0
_KEPT_FOR = 300.0
"""Seconds after which the lifetime is read again: a change also applies to existing tokens."""
_AFTER_A_FAILURE = 15.0
"""Seconds before the next attempt, when the last one failed."""
_PAGE = 100
_VERSION = re.compile(r"(\d+)\.(\d+)")


class ServerInfo:
    """The version and the token lifetime of a server, each read once for all waiting callers.

    The version is kept until `forget_version`. The lifetime is refreshed in the background once it is five minutes old;
    until an answer comes, and while the server gives none, the last known value is used.
    """

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._version: tuple[int, int] | None = None
        self._reading_version = SingleFlight(self._read_version)
        self._lifetime: float | None = None
        self._refresh_at = float("-inf")
        self._reading_lifetime = SingleFlight(self._read_lifetime)

    async def version(self) -> tuple[int, int]:
        """Return major and minor version: the server does not tell everybody more.

        Raises:
            ReplyLostError: the reply has no version.
        """
        if self._version is None:
            return await joined(self._reading_version, self._context.clock)
        return self._version

    def forget_version(self) -> None:
        """Read the version again next time: the server may have been upgraded."""
        self._version = None

    async def token_lifetime(self) -> float:
        """Return the lifetime of a token in seconds: the public setting, or 90 days if that is invalid.

        Waits for the server only while no value is known.
        """
        if self._lifetime is None:
            return await joined(self._reading_lifetime, self._context.clock)
        if self._context.clock.monotonic() >= self._refresh_at:
            # Set before the answer: a failing server is not asked again for every token.
            self._refresh_at = self._context.clock.monotonic() + _AFTER_A_FAILURE
            with shared_by_callers():
                self._reading_lifetime.start()
        return self._lifetime

    async def aclose(self) -> None:
        """Cancel pending requests."""
        await self._reading_version.aclose()
        await self._reading_lifetime.aclose()

    async def _read_version(self) -> tuple[int, int]:
        api = await self._context.open()
        reply = await api.call(operations.SERVER_INFO, credentials=NOBODY)
        self._version = read_version(reply.data)
        return self._version

    async def _read_lifetime(self) -> float:
        self._lifetime = _DAY * _days(await public_setting(await self._context.open(), LOGIN_EXPIRATION))
        self._refresh_at = self._context.clock.monotonic() + _KEPT_FOR
        return self._lifetime


async def public_setting(api: Api, name: str) -> Any:
    """Return the value of a public setting; None if there is no such setting.

    Raises:
        ReplyLostError: the reply has no settings.
    """
    offset = 0
    while True:
        # Before 7.0 the filter is not supported, and all settings come, in pages.
        query: dict[str, str | int] = {"_id": name, "offset": offset, "count": _PAGE}
        reply = await api.call(operations.PUBLIC_SETTINGS, query=query, credentials=NOBODY)
        settings, total = reply.data.get("settings"), reply.data.get("total")
        if not isinstance(settings, list):
            msg = "the platform's reply has an unexpected shape: no list under settings"
            raise ReplyLostError(msg, operation=operations.PUBLIC_SETTINGS.name)
        for setting in settings:
            if isinstance(setting, dict) and setting.get("_id") == name:
                return setting.get("value")
        offset += len(settings)
        if not settings or not isinstance(total, int) or offset >= total:
            return None


def read_version(data: Any) -> tuple[int, int]:
    """Read major and minor version from ``/api/info``; the full version is under ``info`` for callers who may see it.

    Raises:
        ReplyLostError: there is none.
    """
    inner = data.get("info")
    for holder in (data, inner if isinstance(inner, dict) else {}):
        stated = holder.get("version")
        if isinstance(stated, str) and (found := _VERSION.match(stated)):
            return int(found.group(1)), int(found.group(2))
    msg = "the platform's reply has an unexpected shape: no version"
    raise ReplyLostError(msg, operation=operations.SERVER_INFO.name)


def _days(value: Any) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")
    return float(value) if usable else float(_DEFAULT_DAYS)
