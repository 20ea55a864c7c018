"""The Django application."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:

    class AppConfig:
        """Django's class, which is untyped."""

else:
    from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Adds the outbox's tables to the project's migrations."""

    name = "ethora_async.outbox.django"
    label = "ethora_outbox"
    verbose_name = "Ethora outbox"
