"""Keep a chat platform in step with your own data, from your own database transactions.

```python
from ethora_async import NewUser, outbox

async with connection.transaction():
    await connection.execute("INSERT INTO users …")
    await outbox.want_user(connection, NewUser(id=7, email="ann@example.com", first_name="Ann", last_name="Lee"))
```

Intents commit or roll back with your data. A `Worker`, in your process or as ``ethora outbox work``, then carries them
out on the platform, in order, even if processes are killed in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.outbox.errors import OutboxDatabaseError
    from ethora_async.outbox.events import IntentFinished, OutboxMeasured, TurnFinished, TurnStarted
    from ethora_async.outbox.intents import (
        want_chat,
        want_chats,
        want_member,
        want_members,
        want_no_chat,
        want_no_chats,
        want_no_member,
        want_no_members,
        want_no_user,
        want_no_users,
        want_user,
        want_users,
    )
    from ethora_async.outbox.lanes import DeadLetter, LaneKey, OutboxStatus, Store
    from ethora_async.outbox.opening import open_store
    from ethora_async.outbox.passwords import PasswordSeal
    from ethora_async.outbox.reconciling import Reconciliation, reconcile, reconcile_every
    from ethora_async.outbox.trigger import Trigger
    from ethora_async.outbox.worker import Worker

_HOMES = {
    "errors": ("OutboxDatabaseError",),
    "events": ("IntentFinished", "OutboxMeasured", "TurnFinished", "TurnStarted"),
    "intents": (
        "want_chat",
        "want_chats",
        "want_member",
        "want_members",
        "want_no_chat",
        "want_no_chats",
        "want_no_member",
        "want_no_members",
        "want_no_user",
        "want_no_users",
        "want_user",
        "want_users",
    ),
    "lanes": ("DeadLetter", "LaneKey", "OutboxStatus", "Store"),
    "opening": ("open_store",),
    "passwords": ("PasswordSeal",),
    "reconciling": ("Reconciliation", "reconcile", "reconcile_every"),
    "trigger": ("Trigger",),
    "worker": ("Worker",),
}

__all__ = [
    "DeadLetter",
    "IntentFinished",
    "LaneKey",
    "OutboxDatabaseError",
    "OutboxMeasured",
    "OutboxStatus",
    "PasswordSeal",
    "Reconciliation",
    "Store",
    "Trigger",
    "TurnFinished",
    "TurnStarted",
    "Worker",
    "open_store",
    "reconcile",
    "reconcile_every",
    "want_chat",
    "want_chats",
    "want_member",
    "want_members",
    "want_no_chat",
    "want_no_chats",
    "want_no_member",
    "want_no_members",
    "want_no_user",
    "want_no_users",
    "want_user",
    "want_users",
]

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
