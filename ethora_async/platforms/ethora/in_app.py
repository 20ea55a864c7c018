"""``ethora.in_app(app_id)``: the same operations on another app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.engine.open_requests import Requests
from ethora_async.platforms.ethora.chats.api import Chats
from ethora_async.platforms.ethora.chats.broadcasts import Broadcasts
from ethora_async.platforms.ethora.context import PAGING, RESET_LAG
from ethora_async.platforms.ethora.reset import reset
from ethora_async.platforms.ethora.users.api import Users

if TYPE_CHECKING:
    from ethora_async.bulk.report import Report
    from ethora_async.config import Seconds
    from ethora_async.platforms.ethora.context import OtherAppContext


class InApp(Requests):
    """The users, chats and broadcasts of another app, usually a child of the client's own.

    See docs/platforms/ethora.md#which-token-opens-which-route.

    Requests are signed with the own app's server token, which a parent app may use for its children; or with a user's
    session, for routes that only users may call: listing, importing and tagging users.
    """

    def __init__(self, context: OtherAppContext, app_id: str, *, xmpp_host: str | None) -> None:
        super().__init__(context.send, PAGING)
        self.app_id = app_id
        self._context = context
        self.users: Users = Users(context)
        self.chats: Chats = Chats(context, self.users, xmpp_host=xmpp_host, bot_jid=None)
        self.broadcasts: Broadcasts = Broadcasts(context)

    async def reset(self, *, confirm: str, timeout: Seconds = RESET_LAG) -> Report:
        """Empty the app, as `EthoraClient.reset` does; `confirm` is this app's id.

        Only a user may list another app's users (docs/platforms/ethora.md#users): create this `InApp` from a user's
        session.
        """
        return await reset(self._context, self.users, self.chats, confirm=confirm, timeout=timeout)

    def __repr__(self) -> str:
        return f"InApp({self.app_id!r})"
