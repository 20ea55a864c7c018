"""Plain ids, prefixed names and JIDs: every form accepted, one form kept (docs/platforms/ethora.md#names-and-ids)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.records import Id, MongoId, id_text, several

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIMPLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@attrs.frozen
class Names:
    """The names that users and chats of one app go by.

    Ethora's XMPP side knows them as ``<appId>_<your id>``. Callers may pass their plain id, that prefixed name (doubled
    prefixes included: some routes used to answer them, docs/platforms/ethora.md#doubled-prefixes) or a whole JID.
    """

    app_id: str
    prefix: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "prefix", f"{self.app_id}_")

    def strip(self, name: str) -> str:
        """`name` without the app's prefix, however often it stands there."""
        # `app1234` is not prefixed under the app `app123`: the underscore belongs to the prefix
        # (docs/platforms/ethora.md#names-and-ids).
        prefix = self.prefix
        while name.startswith(prefix) and len(name) > len(prefix):
            name = name[len(prefix) :]
        return name

    def plain(self, value: Id, field: str = "id") -> str:
        """The caller's own id, from any form of it. A `MongoId` stays what it is.

        Raises:
            InvalidInputError: it is empty, of an unfit type, or holds an ``@`` and is no JID of this app.
        """
        if type(value) is str and _SIMPLE.fullmatch(value) and not value.startswith(self.prefix):
            return value  # nine of ten ids that ever come in, at a third of the cost
        if isinstance(value, MongoId):
            return value
        text = id_text(value, field)
        local, at, _ = text.partition("@")
        # Every JID of the app begins with its prefix (docs/platforms/ethora.md#names-and-ids). Taken for one, an e-mail
        # address would mean whoever happens to have its first part as an id.
        if at and not local.startswith(self.prefix):
            msg = f"{field} {text!r} holds '@' and is no JID of this app: pass your own id, not an e-mail address"
            raise InvalidInputError(msg, field=field)
        return self.strip(local)

    def prefixed(self, value: Id, field: str = "id") -> str:
        """``<appId>_<id>``, from any form of it; a `MongoId` stays what it is."""
        plain = self.plain(value, field)
        return plain if isinstance(plain, MongoId) else self.prefix + plain

    def pair(self, first: Id, second: Id) -> tuple[str, str]:
        """The names that the 1-1 chat of two users may have: ``<appId>_a-<appId>_b``, in either order.

        See docs/platforms/ethora.md#names-and-ids.

        Raises:
            InvalidInputError: an id cannot be used, or is a `MongoId`, of which no name can be made.
        """
        one, other = (self.prefixed(user, "user") for user in (first, second))
        if isinstance(first, MongoId) or isinstance(second, MongoId):
            msg = "the name of a 1-1 chat is made of users' own ids, not of a MongoId"
            raise InvalidInputError(msg, field="user")
        return f"{one}-{other}", f"{other}-{one}"

    def key(self, value: Id) -> str:
        """`plain` for reports: an id that cannot be used is shown as it came."""
        try:
            return self.plain(value)
        except InvalidInputError:
            return str(value).encode("utf-8", "backslashreplace").decode()

    def members(self, users: Id | Iterable[Id]) -> list[str]:
        """The prefixed names of one user or several, each once, in order.

        Raises:
            InvalidInputError: there is none, or one cannot be used.
        """
        names = list(dict.fromkeys(self.prefixed(user, "users") for user in several(users)))
        if not names:
            msg = "users is empty: pass at least one user id"
            raise InvalidInputError(msg, field="users")
        return names


def conference_host(xmpp_host: str) -> str:
    """The host that chats live on (docs/platforms/ethora.md#names-and-ids)."""
    return f"conference.{xmpp_host}"
