"""Create the outbox's tables, schema version 1."""

# mypy: disable-error-code="misc"
# Django carries no types, so that its classes are Any.

from __future__ import annotations

from typing import Any

from django.db import migrations

from ethora_async.outbox.django.tables import create, drop

Base: Any = migrations.Migration


class Migration(Base):
    """The tables as `ethora outbox init` creates them."""

    initial = True
    dependencies: tuple[Any, ...] = ()
    operations = (migrations.RunPython(create, drop),)
