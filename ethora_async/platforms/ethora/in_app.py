"""``ethora.in_app(app_id)``: the same operations on another app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.platforms.ethora.chats import Chats
from ethora_async.platforms.ethora.users import Users

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.context import OtherContext


class InApp:
    """The users and chats of another app, usually a child of the client's own (contract §1.3).

    Signed with the own app's server token, which a parent app may use on its children; or with a user's session, for
    what only users may do there.
    """

    def __init__(self, context: OtherContext, app_id: str, *, xmpp_host: str | None) -> None:
        self.app_id = app_id
        self.users = Users(context)
        self.chats = Chats(context, self.users, xmpp_host=xmpp_host, bot_jid=None)

    def __repr__(self) -> str:
        return f"InApp({self.app_id!r})"
