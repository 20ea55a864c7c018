"""The differences between what ought to be and what is, found by joins on disk; they become the journal's items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ethora_async.sync.store.journal import add_rows, state_of, text_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from ethora_async.capabilities import State

Kind = Literal["user", "chat", "member"]

MAKES_ROOM = 1
"""The step of deletions of users whose e-mail address somebody else is to have: no two users have the same one."""

STEPS: dict[tuple[str, str], int] = {
    ("user", "create"): 2,
    ("user", "update"): 3,
    ("chat", "create"): 4,
    ("chat", "update"): 5,
    ("member", "grant"): 6,
    ("member", "revoke"): 7,
    ("chat", "delete"): 8,
    ("user", "delete"): 9,
}
"""Everything that is to be carried out, in its order: who is to enter a chat must be there, and so must the chat."""

CANNOT_CHANGE = "cannot change"
EXTRA = "extra"
"""Actions of items that are told of, and never carried out: their step is 0."""

_PARTS = (("chat", "key"), ("user", "other"))
"""Which column of a membership names what."""

_INSERT = "INSERT INTO item (step, kind, action, key, other, before, after, needs_source, file, line)"


@attrs.frozen
class Comparison:
    """What is compared.

    Attributes:
        kinds: the kinds that were read from a source.
        prune: whether extras are to go.
        changeable: the fields of each kind that can be changed.
    """

    kinds: frozenset[Kind]
    prune: bool
    changeable: Mapping[Kind, frozenset[str]]

    def write(self, db: sqlite3.Connection) -> None:
        """Make the journal's items of all differences, inside a transaction."""
        _refuse_reserved(db)
        if "member" in self.kinds:
            _refuse_unknown(db)
            if self.prune:
                self._refuse_doomed(db)
        kinds: tuple[Kind, ...] = ("user", "chat")
        for kind in kinds:
            if kind in self.kinds:
                _missing(db, kind, "create")
                add_rows(db, self._changed(db, kind))
        if "member" in self.kinds:
            _missing(db, "member", "grant")
        # A chat's deletion first: its memberships go with it, and need not be revoked one by one.
        for kind, gone in (("chat", "delete"), ("member", "revoke"), ("user", "delete")):
            if kind in self.kinds:
                _superfluous(db, kind, gone if self.prune else EXTRA)
        make_room(db)

    def _changed(self, db: sqlite3.Connection, kind: Kind) -> Iterator[tuple[Any, ...]]:
        pairs = db.execute(
            "SELECT w.key, w.state, a.state, w.item, w.file, w.line FROM wanted AS w JOIN actual AS a"
            " ON a.kind = w.kind AND a.key = w.key AND a.other = w.other WHERE w.kind = ? AND w.state <> a.state",
            (kind,),
        )
        for key, wanted, actual, item, file, line in pairs:
            before, after = different(state_of(wanted) or {}, state_of(actual) or {})
            fields = self.changeable[kind]
            if here := {name: value for name, value in after.items() if name in fields}:
                # What is sent is made of the whole record: a platform may keep two fields of ours as one.
                whole = {"item": state_of(item), "fields": here}
                old = {name: before[name] for name in here}
                yield (STEPS[kind, "update"], kind, "update", key, "", text_of(old), text_of(whole), False, file, line)
            if there := {name: value for name, value in after.items() if name not in fields}:
                old = {name: before[name] for name in there}
                yield (0, kind, CANNOT_CHANGE, key, "", text_of(old), text_of({"fields": there}), False, file, line)

    def _refuse_doomed(self, db: sqlite3.Connection) -> None:
        """Memberships of users, or in chats, that the other sources let go of."""
        for kind, column in _PARTS:
            if kind in self.kinds:
                unwanted = f"NOT EXISTS (SELECT 1 FROM wanted AS s WHERE s.kind = '{kind}' AND s.key = wanted.{column})"
                _refuse_members(db, kind, column, unwanted, "is to be deleted, since no other source wants it")


def _refuse_unknown(db: sqlite3.Connection) -> None:
    for kind, column in _PARTS:
        own = f"EXISTS (SELECT 1 FROM actual AS s WHERE s.kind = '{kind}' AND s.key = wanted.{column} AND s.own)"
        _refuse_members(db, kind, column, own, "is one of the platform''s own, which are left alone")
        nowhere = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {side} AS s WHERE s.kind = '{kind}' AND s.key = wanted.{column})"
            for side in ("wanted", "actual")
        )
        _refuse_members(db, kind, column, nowhere, "is neither among those wanted nor on the platform")


def _refuse_members(db: sqlite3.Connection, kind: str, column: str, where: str, reason: str) -> None:
    db.execute(
        f"INSERT INTO bad SELECT 'member', key || '/' || other, file, line, '{kind}',"
        f" 'the {kind} ' || {column} || ' {reason}' FROM wanted WHERE kind = 'member' AND {where}"
    )
    db.execute(f"DELETE FROM wanted WHERE kind = 'member' AND {where}")


def make_room(db: sqlite3.Connection) -> None:
    """Let deletions come first on which the creation of somebody else waits."""
    db.execute(
        f"UPDATE item SET step = {MAKES_ROOM} WHERE step > 0 AND kind = 'user' AND action = 'delete'"
        " AND json_extract(before, '$.email') IN ("
        "  SELECT json_extract(after, '$.email') FROM item WHERE kind = 'user' AND action = 'create')"
    )


def _refuse_reserved(db: sqlite3.Connection) -> None:
    reserved = (
        "kind <> 'member' AND EXISTS"
        " (SELECT 1 FROM actual AS a WHERE a.kind = wanted.kind AND a.key = wanted.key AND a.own)"
    )
    reason = "' is one of the platform''s own, which are left alone'"
    db.execute(
        f"INSERT INTO bad SELECT kind, key, file, line, 'id', 'the ' || kind || {reason} FROM wanted WHERE {reserved}"
    )
    db.execute(f"DELETE FROM wanted WHERE {reserved}")


def _missing(db: sqlite3.Connection, kind: Kind, action: str) -> None:
    db.execute(
        f"{_INSERT} SELECT ?, kind, ?, key, other, NULL, item, needs_source, file, line FROM wanted AS s"
        f" WHERE kind = ? AND {_not_in('actual')} ORDER BY key, other",
        (STEPS[kind, action], action, kind),
    )


def _superfluous(db: sqlite3.Connection, kind: str, action: str) -> None:
    stays = "NOT EXISTS (SELECT 1 FROM item WHERE action = 'delete' AND item.kind = 'chat' AND item.key = s.key)"
    extra = f"NOT own AND {_not_in('wanted')} AND {stays if kind == 'member' else '1'}"
    db.execute(
        f"{_INSERT} SELECT ?, kind, ?, key, other, state, NULL, 0, NULL, NULL FROM actual AS s"
        f" WHERE kind = ? AND {extra} ORDER BY key, other",
        (STEPS.get((kind, action), 0), action, kind),
    )


def _not_in(side: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {side} AS o WHERE o.kind = s.kind AND o.key = s.key AND o.other = s.other)"


def different(wanted: State, actual: State) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """The fields that differ: as they are, and as they ought to be. What is not stated may be anything."""
    fields = [name for name, value in wanted.items() if value is not None and value != actual.get(name)]
    return {name: actual.get(name) for name in fields}, {name: wanted[name] for name in fields}
