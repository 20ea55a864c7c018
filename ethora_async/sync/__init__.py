"""Both sides in step: what ought to be on the platform, read from sources, against what is there.

```python
from ethora_async.sync import USERS, apply_plan, make_plan, open_source, verify

users = await open_source("people.csv", USERS)
async with await make_plan(client, users=users, journal="people.journal") as plan:
    print(plan.summary)
    applied = await apply_plan(client, plan)  # after a crash: await resume(client, "people.journal")
assert (await verify(client, users=users, wait=60)).in_step
```

Works on any client with the capability `ManagesUsers` (and, for chats and who may enter them, `ManagesChats`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethora_async.sync.apply import Applied, apply_plan
    from ethora_async.sync.formats import CHATS, MEMBERS, USERS
    from ethora_async.sync.mapping import ColumnMapping, read_mapping
    from ethora_async.sync.names import split_name
    from ethora_async.sync.opening import open_source
    from ethora_async.sync.outrun import check_plan
    from ethora_async.sync.plan import Plan, Problem, Summary, make_plan
    from ethora_async.sync.plan_file import load_plan, save_plan
    from ethora_async.sync.progress import Progress
    from ethora_async.sync.reject import RejectFile
    from ethora_async.sync.resumption import resume
    from ethora_async.sync.source import BadRow, Row, Source
    from ethora_async.sync.verification import Verification, verify

_HOMES = {
    "apply": ("Applied", "apply_plan"),
    "formats": ("CHATS", "MEMBERS", "USERS"),
    "mapping": ("ColumnMapping", "read_mapping"),
    "names": ("split_name",),
    "opening": ("open_source",),
    "outrun": ("check_plan",),
    "plan": ("Plan", "Problem", "Summary", "make_plan"),
    "plan_file": ("load_plan", "save_plan"),
    "progress": ("Progress",),
    "reject": ("RejectFile",),
    "resumption": ("resume",),
    "source": ("BadRow", "Row", "Source"),
    "verification": ("Verification", "verify"),
}
_HOME_OF = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  sorted as Python sorts
    "Applied", "BadRow", "CHATS", "ColumnMapping", "MEMBERS", "Plan", "Problem", "Progress", "RejectFile", "Row",
    "Source", "Summary", "USERS", "Verification", "apply_plan", "check_plan", "load_plan", "make_plan",
    "open_source", "read_mapping", "resume", "save_plan", "split_name", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(home), name)
