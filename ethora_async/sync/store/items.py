"""Values of a journal: items of work, the order of their steps, and the rows of the two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from ethora_async import codec
from ethora_async.bulk.outcome import Status
from ethora_async.capabilities import NameRule, ShortNames
from ethora_async.errors import ChatError

Kind = Literal["user", "chat", "member"]
KINDS: tuple[Kind, ...] = ("user", "chat", "member")

FREES_AN_ADDRESS = 1
"""The step of deletions of users whose e-mail address somebody else gets: addresses are unique."""

STEPS_ASIDE = 2
"""The step of users who get a temporary address, because they are in a cycle of exchanges."""

LEAVES_FIRST = 3
"""The step of revocations of users who get another id: until then they are known by the old one."""

HANDS_ON = 10
"""The first of the steps of users who pass on or take over an address: one step for each link of a chain."""

_LAST = 1_000_000_000

STEPS: dict[tuple[str, str], int] = {
    ("user", "create"): _LAST + 2,
    ("user", "update"): _LAST + 3,
    ("chat", "create"): _LAST + 4,
    ("chat", "update"): _LAST + 5,
    ("member", "grant"): _LAST + 6,
    ("member", "revoke"): _LAST + 7,
    ("chat", "delete"): _LAST + 8,
    ("user", "delete"): _LAST + 9,
}
"""The usual step of a change. Lower steps go first: users and chats must exist before memberships."""

CANNOT_CHANGE = "cannot change"
EXTRA = "extra"
"""Actions that are reported and never applied: their step is 0."""

_DAMAGED = "the journal is damaged: a value in it is not what was written there. Make a new plan"

Result = tuple[Status, str | None, int, int]
"""The result of an item: status, reason, attempts, number."""


@attrs.frozen
class Entry:
    """One item of the journal.

    Attributes:
        number: its number in the journal.
        step: the step that applies it; lower ones go first, 0 is never applied.
        kind: ``user``, ``chat`` or ``member``.
        action: ``create``, ``update``, ``delete``, …
        key: the id of the user or chat; of a membership, the chat's.
        other: of a membership, the user's id; else empty.
        before, after: the current and the wanted fields.
        needs_source: whether the item needs a secret that only its source has.
        file, line: its position in the source.
        status, reason: the result, once it is known.
    """

    number: int
    step: int
    kind: str
    action: str
    key: str
    other: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    needs_source: bool = False
    file: str | None = None
    line: int | None = None
    status: Status | None = None
    reason: str | None = None

    @property
    def name(self) -> str:
        """The id, or ``chat/user`` for a membership."""
        return f"{self.key}/{self.other}" if self.other else self.key


@attrs.define
class ToSend:
    """The fields of an item that are needed to send it; see `Entry`."""

    number: int
    key: str
    other: str
    after: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """The id, or ``chat/user`` for a membership."""
        return f"{self.key}/{self.other}" if self.other else self.key


@attrs.frozen
class Problem:
    """A row that cannot be used.

    Attributes:
        kind: ``user``, ``chat`` or ``member``.
        id: its id, if it has one; of a membership ``chat/user``.
        file, line, column: its position in the source.
        reason: why it cannot be used.
    """

    kind: Kind
    id: str
    file: str | None
    line: int | None
    column: str | None
    reason: str


@attrs.define
class Wanted:
    """A user, chat or membership that a source wants.

    Attributes:
        identity, other_identity: the platform's keys of the ids.
        state: the record in comparable form; None for a membership.
        item: the record to send, without a password.
        email: a user's address, which must be unique.
        target: the id of the record that it was found to mean, if any.
        same: whether it was found to change nothing of that record.
    """

    kind: Kind
    key: str
    other: str = ""
    identity: str | None = None
    other_identity: str | None = None
    state: Mapping[str, Any] | None = None
    item: Mapping[str, Any] = attrs.field(factory=dict)
    needs_source: bool = False
    email: str | None = None
    file: str | None = None
    line: int | None = None
    target: str | None = None
    same: bool = False


@attrs.define
class WantedUsers:
    """Many wanted users without passwords, as columns.

    Attributes:
        ids, identities, emails, lines: as in `Wanted`.
        texts: what the source states of each, by field.
        items: `texts` as `encoded` returns them.
        compared: the fields of `texts` that are compared.
        file: the file of all of them.
    """

    ids: Sequence[str]
    identities: Sequence[str]
    texts: Sequence[Mapping[str, str]]
    items: Sequence[str]
    compared: frozenset[str]
    emails: Sequence[str]
    file: str
    lines: Sequence[int]

    @property
    def states(self) -> list[dict[str, str]]:
        """The records in comparable form, without fields that are not stated."""
        return [{name: texts[name] for name in self.compared} for texts in self.texts]

    def only(self, places: Sequence[int]) -> WantedUsers:
        """Return those at some places."""
        return WantedUsers(
            ids=[self.ids[place] for place in places],
            identities=[self.identities[place] for place in places],
            texts=[self.texts[place] for place in places],
            items=[self.items[place] for place in places],
            compared=self.compared,
            emails=[self.emails[place] for place in places],
            file=self.file,
            lines=[self.lines[place] for place in places],
        )

    def rows(self) -> list[Wanted]:
        """Return them one by one."""
        columns = zip(self.ids, self.identities, self.states, self.texts, self.emails, self.lines, strict=True)
        return [
            Wanted("user", id, identity=identity, state=state, item=item, email=email, file=self.file, line=line)
            for id, identity, state, item, email, line in columns
        ]


@attrs.define
class Actual:
    """A user, chat or membership that the platform lists.

    Attributes:
        identity: the platform's key of the id; None for a membership.
        state: the record in comparable form; None for a membership.
        own: whether it is the platform's own, which is never changed.
        other_identity: of a membership, the platform's key of the user.
    """

    kind: Kind
    key: str
    other: str = ""
    identity: str | None = None
    state: Mapping[str, Any] | None = None
    own: bool = False
    other_identity: str | None = None


def encoded(record: Mapping[str, Any] | None) -> str | None:
    """Encode a record for the journal; equal records give equal texts."""
    return None if record is None else codec.dumps_sorted(record).decode()


def decoded(text: str | None) -> dict[str, Any] | None:
    """Decode a text of `encoded`.

    Raises:
        ChatError: the journal is damaged.
    """
    record = None if text is None else parsed(text)
    if record is not None and not isinstance(record, dict):
        raise ChatError(_DAMAGED)
    return record


def decoded_all(texts: Sequence[str]) -> list[dict[str, Any] | None]:
    """Decode many texts of `encoded` at once; ``null`` stands for None.

    Raises:
        ChatError: the journal is damaged.
    """
    try:
        records = parsed(f"[{','.join(texts)}]")
    except TypeError:  # as `parsed`
        raise ChatError(_DAMAGED) from None
    if len(records) != len(texts) or not {*map(type, records)} <= {dict, type(None)}:
        raise ChatError(_DAMAGED)
    found: list[dict[str, Any] | None] = records
    return found


def parsed(text: Any) -> Any:
    """Parse a JSON value of the journal.

    Raises:
        ChatError: the journal is damaged.
    """
    try:
        return codec.loads(text.encode())
    except (AttributeError, ValueError):  # SQLite stores a number in any column
        raise ChatError(_DAMAGED) from None


@attrs.frozen
class Comparison:
    """The rules of a comparison.

    Attributes:
        kinds: the kinds that may be changed.
        sources: the kinds that have a source.
        prune: whether to delete what no source wants.
        replace: whether a user whose id changed may be deleted and created again, if the platform cannot rename users.
        changeable: by kind, the fields that can be changed on the platform; ``id`` if it can rename.
        limit: maximum number of changes of each kind and action; None for all.
        names: by kind, the platform's rule for the names of new records.
        short_names: the names of users to warn of.
        left_out: by field of users that the platform neither stores nor compares, the reason.
    """

    kinds: frozenset[Kind]
    prune: bool
    changeable: Mapping[Kind, frozenset[str]]
    sources: frozenset[Kind] = frozenset()
    replace: bool = False
    limit: int | None = None
    names: Mapping[Kind, NameRule] = attrs.field(factory=dict)
    short_names: ShortNames | None = None
    left_out: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Compared:
    """The result of a comparison.

    Attributes:
        deletions: the deletions of each kind, before any limit.
        left: number of changes left for later.
        counts: by kind, number of wanted records that were compared.
        warnings: what the platform may refuse.
    """

    deletions: Sequence[Deletions]
    left: int
    counts: Mapping[str, int]
    warnings: Sequence[str] = ()


@attrs.frozen
class Deletions:
    """The number of deletions of one kind.

    Attributes:
        action: ``delete`` or ``revoke``.
        count: number of records to delete.
        listed: number of existing records, without the platform's own.
    """

    kind: Kind
    action: str
    count: int
    listed: int
