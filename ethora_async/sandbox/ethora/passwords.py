"""Passwords that the platform generates and mails."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.platform import Mail

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.platform import Platform
    from ethora_async.sandbox.ethora.records import User


def mail_new_password(platform: Platform, user: User) -> None:
    """Give a user a new password; it can be read in the sandbox's outbox."""
    user.password = secrets.token_urlsafe(9)
    if user.email is not None:
        platform.outbox.append(Mail(user.email, "password", user.password))
