"""``ethora.apps.bot(app_id)``: the bot that answers in an app's chats (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ethora_async.errors import InvalidInputError
from ethora_async.platforms.ethora import operations
from ethora_async.platforms.ethora.apps.records import Bot, read_bot
from ethora_async.records import optional_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.platforms.ethora.context import AppContext

Trigger = Literal["any_message", "/bot"]
_TRIGGERS = ("any_message", "/bot")


class AppBot:
    """The bot of one app. In a new app it is off."""

    def __init__(self, context: AppContext, app_id: str) -> None:
        self._context = context
        self.app_id = app_id

    async def get(self) -> Bot:
        """Return its settings.

        Raises:
            ForbiddenError, NotFoundError: the app is not yours, or does not exist.
            ValidationFailedError: the app has no bot yet (code ``BOT_NOT_INITIALIZED``).
        """
        app = await self._context.open()
        reply = await app.call(operations.GET_BOT, path={"app": self.app_id})
        return read_bot(reply.data, origin=reply.origin)

    async def update(
        self,
        *,
        enabled: bool | None = None,
        trigger: Trigger | None = None,
        prompt: str | None = None,
        greeting: str | None = None,
        chat_id: str | None = None,
        rag: bool | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        display_name: str | None = None,
        saved_agent_id: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Bot:
        """Update its settings. None leaves a setting unchanged, an empty text clears it.

        Args:
            enabled: whether it is on.
            trigger: whether it answers any message, or only those that begin with ``/bot``.
            greeting: its first message.
            chat_id: its chat, in the platform's own form.
            rag: whether it uses the app's sources for its answers.
            fields: further settings by the platform's own names; None is sent as null.

        Returns:
            The new settings, as far as the platform's reply contains them.

        Raises:
            InvalidInputError: nothing is to be changed, or the trigger is invalid.
            ValidationFailedError: the platform rejects a setting, or the app has no bot yet (code
                ``BOT_NOT_INITIALIZED``).
        """
        if trigger is not None and trigger not in _TRIGGERS:
            msg = f"trigger must be one of {', '.join(_TRIGGERS)}, not {trigger!r}"
            raise InvalidInputError(msg, field="trigger")
        settings: dict[str, Any] = {
            "status": None if enabled is None else "on" if enabled else "off",
            "trigger": trigger,
            "prompt": prompt,
            "greetingMessage": greeting,
            "chatId": chat_id,
            "isRAG": rag,
            "botFirstName": first_name,
            "botLastName": last_name,
            "botDisplayName": display_name,
            "savedAgentId": saved_agent_id,
        }
        data = {
            name: optional_text(value, name) if isinstance(value, str) else value
            for name, value in settings.items()
            if value is not None
        }
        data |= fields or {}
        if not data:
            msg = "nothing to change: pass at least one setting"
            raise InvalidInputError(msg, field="enabled")
        app = await self._context.open()
        reply = await app.call(operations.UPDATE_BOT, path={"app": self.app_id}, data=data)
        return read_bot(reply.data or {}, origin=reply.origin)

    def __repr__(self) -> str:
        return f"AppBot({self.app_id!r})"


__all__ = ["AppBot", "Trigger"]
