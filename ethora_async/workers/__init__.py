"""Apply a plan on several machines (extra ``workers``): a ledger in PostgreSQL, and procrastinate as its engine.

```python
from ethora_async import EthoraClient
from ethora_async.workers import Worker

async with EthoraClient() as client:
    await Worker(client, "postgresql://chat@db.internal/chat").run()
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.workers.database import Database, WorkersDatabaseError
    from ethora_async.workers.events import ChunkFinished, ChunkStarted
    from ethora_async.workers.ledger import Ledger, RunStatus
    from ethora_async.workers.pushing import follow, push
    from ethora_async.workers.rate import RateLimitedTransport, SharedRate
    from ethora_async.workers.verifying import verify_run
    from ethora_async.workers.worker import Worker

_HOMES = {
    "database": ("Database", "WorkersDatabaseError"),
    "events": ("ChunkFinished", "ChunkStarted"),
    "ledger": ("Ledger", "RunStatus"),
    "pushing": ("follow", "push"),
    "rate": ("RateLimitedTransport", "SharedRate"),
    "verifying": ("verify_run",),
    "worker": ("Worker",),
}

__all__ = [
    "ChunkFinished", "ChunkStarted", "Database", "Ledger", "RateLimitedTransport", "RunStatus", "SharedRate", "Worker",
    "WorkersDatabaseError", "follow", "push", "verify_run",
]  # fmt: skip

if not TYPE_CHECKING:  # a type checker must refuse a name that is not exported
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
