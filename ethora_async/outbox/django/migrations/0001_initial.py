"""Create the outbox's tables, schema version 1."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from ethora_async.outbox.django.tables import create, drop

Base: Any = migrations.Migration


class Migration(Base):  # type: ignore[misc]
    """The tables as `ethora outbox init` creates them."""

    initial = True
    dependencies: tuple[Any, ...] = ()
    operations = (migrations.RunPython(create, drop),)
