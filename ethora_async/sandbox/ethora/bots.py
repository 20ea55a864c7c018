"""The bot that every new app has, switched off (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

from typing import Any

NEW_BOT: dict[str, Any] = {
    "status": "off",
    "trigger": "/bot",
    "prompt": "",
    "greetingMessage": "",
    "chatId": None,
    "isRAG": False,
    "botFirstName": "Chat",
    "botLastName": "Bot",
    "botDisplayName": "Chat Bot",
    "savedAgentId": None,
}


def new_bot() -> dict[str, Any]:
    """Return the default settings of a bot."""
    return dict(NEW_BOT)
