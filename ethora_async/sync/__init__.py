"""Keep a platform in step with your lists: compare the wanted state with the actual one, and apply the difference.

```python
from ethora_async.sync import USERS, apply_plan, make_plan, open_source, verify

users = await open_source("people.csv", USERS)
async with await make_plan(client, users=users, journal="people.journal") as plan:
    print(plan.summary)
    applied = await apply_plan(client, plan)  # after a crash: await resume(client, "people.journal")
assert (await verify(client, users=users, wait=60)).in_step
```

Works with any client that satisfies `ManagesUsers` and, for chats and memberships, `ManagesChats`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.sync.plan.apply import Applied, apply_plan
    from ethora_async.sync.plan.plan import Plan, Summary, make_plan
    from ethora_async.sync.plan.plan_file import load_plan, save_plan
    from ethora_async.sync.plan.progress import Progress
    from ethora_async.sync.plan.resume import resume
    from ethora_async.sync.plan.stale_items import check_plan
    from ethora_async.sync.plan.verify import Verification, verify
    from ethora_async.sync.sources.formats import CHATS, MEMBERS, USERS
    from ethora_async.sync.sources.mapping import ColumnMapping, read_mapping
    from ethora_async.sync.sources.opening import ReadOptions, open_source
    from ethora_async.sync.sources.reject_file import RejectFile
    from ethora_async.sync.sources.source import BadRow, Row, Source
    from ethora_async.sync.sources.split_name import split_name
    from ethora_async.sync.store.items import Problem

_HOMES = {
    "plan.apply": ("Applied", "apply_plan"),
    "sources.formats": ("CHATS", "MEMBERS", "USERS"),
    "sources.mapping": ("ColumnMapping", "read_mapping"),
    "sources.split_name": ("split_name",),
    "sources.opening": ("ReadOptions", "open_source"),
    "plan.stale_items": ("check_plan",),
    "plan.plan": ("Plan", "Summary", "make_plan"),
    "plan.plan_file": ("load_plan", "save_plan"),
    "plan.progress": ("Progress",),
    "sources.reject_file": ("RejectFile",),
    "plan.resume": ("resume",),
    "sources.source": ("BadRow", "Row", "Source"),
    "plan.verify": ("Verification", "verify"),
    "store.items": ("Problem",),
}
__all__ = [  # noqa: RUF022  sorted as Python sorts
    "Applied", "BadRow", "CHATS", "ColumnMapping", "MEMBERS", "Plan", "Problem", "Progress", "ReadOptions",
    "RejectFile", "Row", "Source", "Summary", "USERS", "Verification", "apply_plan", "check_plan", "load_plan",
    "make_plan", "open_source", "read_mapping", "resume", "save_plan", "split_name", "verify",
]  # fmt: skip

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
