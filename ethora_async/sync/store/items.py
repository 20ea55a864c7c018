"""Values of a journal: items of work, the order of their steps, and the rows of the two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from ethora_async import codec
from ethora_async.bulk.outcome import Status
from ethora_async.errors import ChatError

Kind = Literal["user", "chat", "member"]
KINDS: tuple[Kind, ...] = ("user", "chat", "member")

FREES_AN_ADDRESS = 1
"""The step of deletions of users whose e-mail address somebody else gets: no two users have the same one."""

STEPS_ASIDE = 2
"""The step of users who get a temporary address, since they exchange theirs with somebody."""

LEAVES_FIRST = 3
"""The step of revocations of users who get another id: they are known by the old one until then."""

HANDS_ON = 10
"""The first of the steps of users whose address somebody else gets, or who get one: a step for each link of a chain."""

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
"""The usual step of every change. Lower steps go first: users and chats must exist before anybody enters a chat."""

CANNOT_CHANGE = "cannot change"
EXTRA = "extra"
"""Actions that are reported and never carried out: their step is 0."""

_DAMAGED = "the journal is damaged: a value in it is not what was written there. Make a new plan"

Result = tuple[Status, str | None, int, int]
"""What became of an item: status, reason, attempts, number."""


@attrs.frozen
class Entry:
    """One item of the journal.

    Attributes:
        number: its number in the journal.
        step: the step that carries it out; lower ones go first, 0 is never carried out.
        kind: ``user``, ``chat`` or ``member``.
        action: what to do.
        key: the id of the user or chat; of a membership, the chat's.
        other: of a membership, the user's id; else empty.
        before, after: the fields as they are, and as they should be.
        needs_source: whether the item holds a secret that only its source has.
        file, line: where it was read.
        status, reason: what became of it, once that is known.
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


@attrs.frozen
class Problem:
    """A row that cannot be used.

    Attributes:
        kind: ``user``, ``chat`` or ``member``.
        id: its id, as far as it has one; of a membership ``chat/user``.
        file, line, column: where it was read.
        reason: why it cannot be used.
    """

    kind: Kind
    id: str
    file: str | None
    line: int | None
    column: str | None
    reason: str


@attrs.frozen
class Wanted:
    """A user, chat or membership that a source wants.

    Attributes:
        identity, other_identity: the platform's keys of the ids.
        state: the record in comparable form; None for a membership.
        item: the record as it is sent, without a password.
        email: of a user, the address; no two users may have the same one.
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


@attrs.frozen
class Actual:
    """A user, chat or membership that the platform lists.

    Attributes:
        identity: the platform's key of the id; None for a membership.
        state: the record in comparable form; None for a membership.
        own: whether it is the platform's own, which is never changed.
    """

    kind: Kind
    key: str
    other: str = ""
    identity: str | None = None
    state: Mapping[str, Any] | None = None
    own: bool = False


def encoded(record: Mapping[str, Any] | None) -> str | None:
    """Return the text under which the journal keeps a record; equal records give equal texts."""
    return None if record is None else codec.dumps_sorted(record).decode()


def decoded(text: str | None) -> dict[str, Any] | None:
    """Return the record that `encoded` made this text of.

    Raises:
        ChatError: the journal is damaged.
    """
    record = None if text is None else parsed(text)
    if record is not None and not isinstance(record, dict):
        raise ChatError(_DAMAGED)
    return record


def parsed(text: Any) -> Any:
    """Return a value that the journal keeps as JSON.

    Raises:
        ChatError: the journal is damaged.
    """
    try:
        return codec.loads(text.encode())
    except (AttributeError, ValueError):  # SQLite keeps a number in any column
        raise ChatError(_DAMAGED) from None


@attrs.frozen
class Comparison:
    """The rules of a comparison.

    Attributes:
        kinds: the kinds that may be changed.
        sources: the kinds that have a source.
        prune: whether to delete what no source wants.
        replace: whether a user whose id changed may be deleted and created again, where the platform cannot rename.
        changeable: by kind, the fields that the platform lets us change; ``id`` if it can rename.
        limit: how many changes of each kind and action to keep; None is all.
    """

    kinds: frozenset[Kind]
    prune: bool
    changeable: Mapping[Kind, frozenset[str]]
    sources: frozenset[Kind] = frozenset()
    replace: bool = False
    limit: int | None = None


@attrs.frozen
class Compared:
    """The result of a comparison.

    Attributes:
        deletions: how much of each kind goes, before any limit.
        left: how many changes are left for later.
        counts: by kind, how many wanted records were compared.
    """

    deletions: Sequence[Deletions]
    left: int
    counts: Mapping[str, int]


@attrs.frozen
class Deletions:
    """The number of deletions of one kind.

    Attributes:
        action: ``delete`` or ``revoke``.
        count: how many records go.
        listed: how many there are, without the platform's own.
    """

    kind: Kind
    action: str
    count: int
    listed: int
