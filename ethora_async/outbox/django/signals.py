"""Write intents from Django's signals, so that an application only saves and deletes models.

Save inside ``transaction.atomic()``, or set ``ATOMIC_REQUESTS``: in autocommit mode Django has committed the row
before it sends the signal. ``QuerySet.update()``, ``bulk_create()`` and plain SQL send no signals: use triggers
(``ethora outbox trigger``) where an application uses those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections
from django.db.models.signals import post_delete, post_save

from ethora_async.outbox.intents import (
    want_chat,
    want_member,
    want_no_chat,
    want_no_member,
    want_no_user,
    want_user,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.outbox.passwords import PasswordSeal
    from ethora_async.records import Id, NewChat, NewUser


def follow_users(
    model: Any,
    describe: Callable[[Any], NewUser | None],
    *,
    id: Callable[[Any], Id] = lambda instance: instance.pk,
    seal: PasswordSeal | None = None,
) -> None:
    """Write an intent whenever an instance of a user model is saved or deleted.

    Args:
        describe: returns the user for an instance; None for one that is not wanted, such as an inactive one.
        id: returns the user's id for an instance; by default its primary key.
        seal: encrypts passwords at rest.
    """

    def saved(connection: Any, instance: Any) -> None:
        user = describe(instance)
        # Django's connections block: the row is written when the call returns.
        _ = want_no_user(connection, id(instance)) if user is None else want_user(connection, user, seal=seal)

    _follow(model, saved, lambda connection, instance: want_no_user(connection, id(instance)))


def follow_chats(
    model: Any,
    describe: Callable[[Any], NewChat | None],
    *,
    id: Callable[[Any], Id] = lambda instance: instance.pk,
) -> None:
    """Write an intent whenever an instance of a chat model is saved or deleted.

    Args:
        describe: returns the chat for an instance; None for one that is not wanted.
        id: returns the chat's id for an instance; by default its primary key.
    """

    def saved(connection: Any, instance: Any) -> None:
        chat = describe(instance)
        _ = want_no_chat(connection, id(instance)) if chat is None else want_chat(connection, chat)

    _follow(model, saved, lambda connection, instance: want_no_chat(connection, id(instance)))


def follow_members(model: Any, pair: Callable[[Any], tuple[Id, Id]]) -> None:
    """Write an intent whenever an instance of a membership model is saved or deleted.

    Args:
        pair: returns the ids of the chat and of the user.
    """
    _follow(
        model,
        lambda connection, instance: want_member(connection, *pair(instance)),
        lambda connection, instance: want_no_member(connection, *pair(instance)),
    )


def _follow(model: Any, saved: Callable[[Any, Any], object], deleted: Callable[[Any, Any], object]) -> None:
    def on_save(sender: Any, instance: Any, using: str, **_: Any) -> None:  # noqa: ARG001
        saved(connections[using], instance)

    def on_delete(sender: Any, instance: Any, using: str, **_: Any) -> None:  # noqa: ARG001
        deleted(connections[using], instance)

    # Strong references: nothing else refers to the two receivers.
    post_save.connect(on_save, sender=model, weak=False, dispatch_uid=f"ethora-outbox-{model._meta.label}")  # noqa: SLF001
    post_delete.connect(on_delete, sender=model, weak=False, dispatch_uid=f"ethora-outbox-{model._meta.label}")  # noqa: SLF001


__all__ = ["follow_chats", "follow_members", "follow_users"]
