"""What the server says about itself: its version, and how long tokens live.

See docs/platforms/rocketchat.md#token-lifetime, #server-info.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ethora_async.errors import ReplyLostError
from ethora_async.platforms.rocketchat import operations
from ethora_async.platforms.rocketchat.api import NOBODY

if TYPE_CHECKING:
    from typing import Any

    from ethora_async.platforms.rocketchat.context import Context

LOGIN_EXPIRATION = "Accounts_LoginExpiration"
_DEFAULT_DAYS = 90
_DAY = 86_400.0
_KEPT_FOR = 300.0
"""Seconds for which the lifetime is used before it is asked for again: a change holds for tokens that exist, too."""
_PAGE = 100
_VERSION = re.compile(r"(\d+)\.(\d+)")


class ServerInfo:
    """Asked once and remembered; the version until `forget_version`, the lifetime for five minutes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._version: tuple[int, int] | None = None
        self._lifetime = 0.0
        self._lifetime_until = float("-inf")

    async def version(self) -> tuple[int, int]:
        """Major and minor: more is not told to everybody.

        Raises:
            ReplyLostError: the server does not say it.
        """
        if self._version is None:
            api = await self._context.open()
            reply = await api.call(operations.SERVER_INFO, credentials=NOBODY)
            self._version = read_version(reply.data)
        return self._version

    def forget_version(self) -> None:
        """Ask again next time: the server may have been upgraded."""
        self._version = None

    async def token_lifetime(self) -> float:
        """Seconds that a token lives from its making: the public setting, in days; 90 where it is 0 or unfit."""
        now = self._context.clock.monotonic()
        if now >= self._lifetime_until:
            self._lifetime = _DAY * _days(await self._setting(LOGIN_EXPIRATION))
            self._lifetime_until = now + _KEPT_FOR
        return self._lifetime

    async def _setting(self, name: str) -> Any:
        api = await self._context.open()
        offset = 0
        while True:
            # Before 7.0 the filter is not known, and all settings come, in pages.
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
    """Major and minor from ``/api/info``, where the full version stands under ``info`` for those who may see it.

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
