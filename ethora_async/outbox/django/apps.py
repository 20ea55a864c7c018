"""The Django application."""

# mypy: disable-error-code="misc"
# Django carries no types, so that its classes are Any.

from __future__ import annotations

from typing import Any

from django.apps import AppConfig

Base: Any = AppConfig


class OutboxConfig(Base):
    """Brings the outbox's tables into the project's migrations."""

    name = "ethora_async.outbox.django"
    label = "ethora_outbox"
    verbose_name = "Ethora outbox"
