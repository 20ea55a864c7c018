"""Plain ids, prefixed names and JIDs (docs/platforms/ethora.md#names-and-ids, docs/reference/identities.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import normalize

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.ids import Id, MongoId, id_text, literal_id, several
from ethora_async.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SIMPLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
_NOT_IN_JID = re.compile(r"[\"&'/:<>@]")
"""Matches what RFC 7622 excludes from a prepared local part. `literal_id` rejects these characters, but not their
full-width forms, which preparation makes narrow.
"""

_ALL_SIMPLE = re.compile(rf"(?:{_SIMPLE.pattern}\n)*")


@attrs.frozen(eq=False, repr=False)
class Names:
    """Converts between the ids and the platform's names of one app's users and chats.

    On Ethora's XMPP side, a name is ``<appId>_<your id>``. `own` accepts only the plain id. `lookup` also accepts that
    prefixed name and whole JIDs; doubled prefixes as well, since some routes used to return them
    (docs/platforms/ethora.md#doubled-prefixes).
    """

    app_id: str
    prefix: str = attrs.field(init=False)
    _folded: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "prefix", f"{self.app_id}_")
        object.__setattr__(self, "_folded", key(self.prefix))

    def strip(self, name: str) -> str:
        """Return `name` without the app's prefix, however often it is repeated."""
        # `app1234` has no prefix in the app `app123`: the underscore belongs to the prefix
        # (docs/platforms/ethora.md#names-and-ids).
        prefix = self.prefix
        while name.startswith(prefix) and len(name) > len(prefix):
            name = name[len(prefix) :]
        return name

    def own(self, value: Id, field: str = "id") -> str:
        """Return an id from outside, taken literally: nothing is stripped from it, and no other form is accepted.

        Minting, creating and granting use this: people who choose their own name in your product must not be able to
        choose one that means somebody else here.

        Raises:
            InvalidInputError: it cannot be part of a JID, begins with the app's own prefix, or is a `MongoId`.
        """
        if type(value) is str and _SIMPLE.fullmatch(value) and not value.lower().startswith(self._folded):
            return value  # nine of ten ids, at a third of the cost
        text = literal_id(value, field)
        prepared = _prepared(text, field)
        if found := _NOT_IN_JID.search(prepared):
            msg = f"{field} {text!r} holds {found.group()} in full width: use letters, digits, '-', '.' or '_'"
            raise InvalidInputError(msg, field=field)
        if prepared.startswith(self._folded):
            msg = f"{field} {text!r} begins with the app's prefix: pass your own id, as it is in your database"
            raise InvalidInputError(msg, field=field)
        return text

    def key(self, id: str) -> str:
        """Return the canonical form of an id, equal for two spellings of one account; see the module's `key`."""
        return key(id)

    def own_keys(self, ids: Sequence[str]) -> list[str] | None:
        """Return the `key` of each id if `own` accepts all of them; None when one of them needs a closer check.

        Checked together, ids cost a fifth of what they cost one by one.
        """
        text = "\n".join([*ids, ""])
        if not _ALL_SIMPLE.fullmatch(text):
            return None
        lowered = text.lower()
        keys = lowered.split("\n")[:-1]
        if len(keys) != len(ids) or f"\n{self._folded}" in f"\n{lowered}":
            return None
        return keys

    def own_name(self, value: Id, field: str = "id") -> str:
        """Return ``<appId>_<id>`` of an id from outside; see `own`."""
        return self.prefix + self.own(value, field)

    def lookup(self, value: Id, field: str = "id") -> str:
        """Return the caller's own id from any form in which an operator may name an existing record.

        These are the plain id, the prefixed name and the JID. A `MongoId` is returned unchanged.

        Raises:
            InvalidInputError: it is empty, of the wrong type, or contains an ``@`` but is not a JID of this app.
        """
        if type(value) is str and _SIMPLE.fullmatch(value) and not value.startswith(self.prefix):
            return value
        if isinstance(value, MongoId):
            return value
        text = id_text(value, field)
        local, at, _ = text.partition("@")
        # Every JID of the app begins with its prefix (docs/platforms/ethora.md#names-and-ids). If an e-mail address
        # were treated as a JID, it would mean the user whose id is its first part.
        if at and not local.startswith(self.prefix):
            msg = f"{field} {text!r} holds '@' and is not a JID of this app: pass your own id, not an e-mail address"
            raise InvalidInputError(msg, field=field)
        return self.strip(local)

    def lookup_name(self, value: Id, field: str = "id") -> str:
        """Return ``<appId>_<id>`` from any form of an existing record; a `MongoId` is returned unchanged."""
        plain = self.lookup(value, field)
        return plain if isinstance(plain, MongoId) else self.prefix + plain

    def pair(self, first: Id, second: Id) -> tuple[str, str]:
        """Return the two possible names of the 1-1 chat of two users: ``<appId>_a-<appId>_b``, in either order.

        See docs/platforms/ethora.md#names-and-ids.

        Raises:
            InvalidInputError: an id cannot be used, or is a `MongoId`, which has no name.
        """
        if isinstance(first, MongoId) or isinstance(second, MongoId):
            msg = "the name of a 1-1 chat is made of users' own ids, not of a MongoId"
            raise InvalidInputError(msg, field="user")
        one, other = self.own_name(first, "user"), self.own_name(second, "user")
        return f"{one}-{other}", f"{other}-{one}"

    def shown(self, value: Id) -> str:
        """Return `lookup` for reports: an invalid id is shown unchanged."""
        try:
            return self.lookup(value)
        except InvalidInputError:
            return printable(str(value))

    def members(self, users: Id | Iterable[Id]) -> list[str]:
        """Return the prefixed names of one user or several, without duplicates, in order; a `MongoId` is returned
        unchanged.

        Raises:
            InvalidInputError: there is none, or one cannot be used; see `own`.
        """
        names = list(dict.fromkeys([self.member(user, "users") for user in several(users)]))
        if not names:
            msg = "users is empty: pass at least one user id"
            raise InvalidInputError(msg, field="users")
        return names

    def member(self, user: Id, field: str = "user") -> str:
        """Return the prefixed name of one user; a `MongoId` is returned unchanged.

        Raises:
            InvalidInputError: it cannot be used; see `own`.
        """
        return user if isinstance(user, MongoId) else self.prefix + self.own(user, field)


def is_simple(id: str) -> bool:
    """Return whether an id has only characters that need no preparation: its `key` is its lower case."""
    return _SIMPLE.fullmatch(id) is not None


def key(id: str) -> str:
    """Return the canonical form of an id, equal for two spellings of one account.

    Ids become local parts of JIDs, which RFC 7622 prepares by the PRECIS profile UsernameCaseMapped: lower case, NFC,
    full-width letters made narrow. ``Ann`` and ``ann`` are one account on the chat server. Characters that no JID can
    contain, but an older record may, are folded in the same way.
    """
    try:
        return _prepared(id, "id")
    except InvalidInputError:
        return normalize("NFC", normalize("NFKC", id).lower())


def _prepared(id: str, field: str) -> str:
    """Return an id prepared as the local part of a JID.

    Raises:
        InvalidInputError: it contains a character that is not allowed in a JID.
    """
    if id.isascii() and _SIMPLE.fullmatch(id):
        return id.lower()
    from precis_i18n import get_profile

    try:
        return str(get_profile("UsernameCaseMapped").enforce(id))
    except UnicodeEncodeError as error:
        msg = f"{field} {id!r} cannot be part of a JID ({error.reason}): use letters, digits, '-', '.' or '_'"
    raise InvalidInputError(msg, field=field)


def conference_host(xmpp_host: str) -> str:
    """Return the host of chats (docs/platforms/ethora.md#names-and-ids)."""
    return f"conference.{xmpp_host}"
