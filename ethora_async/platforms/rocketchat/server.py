"""``rocketchat.server``: find people and rooms, and count them.

See docs/platforms/rocketchat.md#directory-and-statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.pages import Pages
from ethora_async.platforms.rocketchat import operations_people as operations
from ethora_async.platforms.rocketchat import wire
from ethora_async.records import Chat, User, required_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async.platforms.rocketchat.context import ServerContext

_LARGEST_PAGE = 100


@attrs.frozen(kw_only=True)
class Found:
    """The results of a quick search: a few of each kind."""

    users: tuple[User, ...]
    rooms: tuple[Chat, ...]
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


class Server:
    """The directory and the statistics of the server."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    def channels(self, text: str = "", *, limit: int = _LARGEST_PAGE, offset: int = 0) -> Pages[Chat]:
        """Read the directory of channels that the caller may see, by a part of name or topic."""
        return self._directory("channels", text, wire.read_chat, limit, offset)

    def teams(self, text: str = "", *, limit: int = _LARGEST_PAGE, offset: int = 0) -> Pages[Chat]:
        """Read the directory of teams: their main rooms."""
        return self._directory("teams", text, wire.read_chat, limit, offset)

    def users(self, text: str = "", *, limit: int = _LARGEST_PAGE, offset: int = 0) -> Pages[User]:
        """Read the directory of users, by a part of the user name or name."""
        return self._directory("users", text, wire.read_user, limit, offset)

    async def search(self, text: str) -> Found:
        """Find a few users and rooms at once, as the search field of the platform's own client does.

        Args:
            text: A part of a name; a leading ``@`` finds only users, ``#`` only rooms.

        Raises:
            InvalidInputError: The text is empty.
        """
        api = await self._context.open()
        operation = operations.SPOTLIGHT
        reply = await api.call(operation, query={"query": required_text(text, "text")})
        return Found(
            users=wire.read_list(reply.data, "users", wire.read_user, origin=reply.origin),
            rooms=wire.read_list(reply.data, "rooms", wire.read_chat, origin=reply.origin),
            request_id=reply.request_id,
        )

    async def statistics(self, *, refresh: bool = False) -> Mapping[str, Any]:
        """Return the server's counts, under the platform's names: ``totalUsers``, ``totalMessages`` and so on.

        Args:
            refresh: True counts now; otherwise the last count is returned.

        Raises:
            ForbiddenError: The caller lacks the permission ``view-statistics``.
        """
        api = await self._context.open()
        return wire.read_row((await api.call(operations.STATISTICS, query={"refresh": refresh})).data)

    def past_statistics(self, *, limit: int = _LARGEST_PAGE, offset: int = 0) -> Pages[Mapping[str, Any]]:
        """Read earlier counts; see `statistics`."""
        operation = operations.PAST_STATISTICS

        async def fetch(offset: int, limit: int) -> tuple[tuple[Mapping[str, Any], ...], int | None]:
            api = await self._context.open()
            reply = await api.call(operation, query={"offset": offset, "count": limit})
            rows = wire.read_list(reply.data, "statistics", wire.read_row, origin=reply.origin)
            return rows, wire.total(reply.data)

        return Pages(fetch, lambda row: str(row.get("_id")), limit=limit, offset=offset, largest=_LARGEST_PAGE)

    def _directory(
        self,
        kind: Literal["channels", "teams", "users"],
        text: str,
        read: Callable[..., Any],
        limit: int,
        offset: int,
    ) -> Pages[Any]:
        if not isinstance(text, str):
            msg = "text must be text"
            raise InvalidInputError(msg, field="text")
        operation = operations.DIRECTORY

        async def fetch(offset: int, limit: int) -> tuple[tuple[Any, ...], int | None]:
            api = await self._context.open()
            query: dict[str, str | int] = {"text": text, "type": kind, "offset": offset, "count": limit}
            reply = await api.call(operation, query=query)
            return wire.read_list(reply.data, "result", read, origin=reply.origin), wire.total(reply.data)

        return Pages(fetch, lambda one: one.record_id or one.id, limit=limit, offset=offset, largest=_LARGEST_PAGE)
