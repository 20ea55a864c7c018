"""Create the outbox's tables, schema version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.outbox.django.tables import create, drop

if TYPE_CHECKING:

    class DjangoMigration:
        """Django's, which carries no types."""

    RunPython: Any = None
else:
    from django.db.migrations import Migration as DjangoMigration
    from django.db.migrations import RunPython


class Migration(DjangoMigration):
    """The tables as `ethora outbox init` creates them."""

    initial = True
    dependencies: tuple[Any, ...] = ()
    operations: tuple[Any, ...] = (RunPython(create, drop),)
