"""The Django application."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:

    class AppConfig:
        """Django's, which carries no types."""

else:
    from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Brings the outbox's tables into the project's migrations."""

    name = "ethora_async.outbox.django"
    label = "ethora_outbox"
    verbose_name = "Ethora outbox"
