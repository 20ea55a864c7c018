"""The example application without its lines about chat: triggers on its tables write the intents."""

from __future__ import annotations

import outbox_fastapi

from ethora_async import outbox


async def nothing(*_: object) -> None:
    """Write no intent."""


class Silent:
    """What the application finds in place of the outbox."""

    open_store = staticmethod(outbox.open_store)
    want_chat = want_member = want_members = want_no_member = staticmethod(nothing)
    want_no_user = want_no_users = want_users = staticmethod(nothing)


outbox_fastapi.outbox = Silent  # type: ignore[assignment]
app = outbox_fastapi.app
