"""What the users and the chats of an app have in common: the forms of their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.platforms.ethora import names

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.records import Id


class AppRecords:
    """The base of `Users` and `Chats`. An id of either becomes the local part of a JID."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def plain_id(self, id: Id) -> str:
        """Return your own id, from any form of it; an invalid id is returned unchanged.

        Raises:
            ConfigError: the app id comes from the secret store, which has not been read yet.
        """
        return str(self._context.known().names.shown(id))

    def own_id(self, id: Id, field: str = "id") -> str:
        """Return one of your own ids, taken literally; plans use it to reject ids that cannot be sent.

        Raises:
            ConfigError: as `plain_id`.
            InvalidInputError: it cannot be part of a JID, or begins with the app's prefix; `field` is the given one.
        """
        return self._context.known().names.own(id, field)

    def key(self, id: Id) -> str:
        """Return the key of an id: ids with equal keys name one user or chat, since they become the same JID.

        Raises:
            ConfigError: as `plain_id`.
        """
        return names.key(self.plain_id(id))


__all__ = ["AppRecords"]
