"""The order of changes to e-mail addresses, which must stay unique.

A change that frees an address comes first: deletions, then chains of hand-overs link by link, then all other changes.
In a cycle (two users exchange their addresses) one of them gets a temporary address first. An address whose holder
keeps it is a conflict: it is reported with the holder, and not requested.

Only users whose address somebody else has or wants are held in memory.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.sync.store.items import CANNOT_CHANGE, FREES_AN_ADDRESS, HANDS_ON, STEPS_ASIDE, decoded, encoded
from ethora_async.sync.store.schema import FILE_NAME

if TYPE_CHECKING:
    import sqlite3

_TAKES = (
    "CASE action WHEN 'create' THEN json_extract(after, '$.email')"
    " WHEN 'update' THEN json_extract(after, '$.fields.email') END"
)
_ASIDE = "temporary: addresses are exchanged, and one user must let go first"


@attrs.define(eq=False)
class _Move:
    """A change that takes an address from its current holder.

    Attributes:
        number: of the item.
        key: the id of the record.
        action: ``create`` or ``update``.
        address: the address that it takes.
        holder: the user who has it on the platform.
        gives: whether it is an update, which frees an address.
    """

    number: int
    key: str
    action: str
    address: str
    holder: str

    @property
    def gives(self) -> bool:
        return self.action == "update"


def order(db: sqlite3.Connection) -> None:
    """Order the changes of users, and report the conflicts."""
    moves = {move.number: move for move in _contended(db)}
    if not moves:
        return
    deletions = _releases(db, "i.action = 'delete'")
    updates = _releases(db, "i.action = 'update' AND json_extract(i.after, '$.fields.email') IS NOT NULL")
    for move in _blocked(moves, deletions, updates):
        _report(db, move)
        del moves[move.number]
    _arrange(db, moves, deletions, updates)


def temporary_address(key: str, address: str) -> str:
    """Return an unused address at which the owner of `address` still gets mail, if the mail server supports tags."""
    local, _, domain = address.rpartition("@")
    tag = hashlib.sha256(f"{key}\0{address}".encode()).hexdigest()[:10]
    return f"{local[:40]}+moving-{tag}@{domain}"


def _contended(db: sqlite3.Connection) -> list[_Move]:
    rows = db.execute(
        "SELECT i.number, i.key, i.action, a.email, MIN(a.key) FROM"
        f" (SELECT number, key, action, {_TAKES} AS takes FROM item WHERE kind = 'user' AND step > 0) AS i"
        " JOIN actual AS a ON a.kind = 'user' AND a.email = i.takes AND a.key <> i.key GROUP BY i.number"
    )
    return [_Move(*row) for row in rows]


def _releases(db: sqlite3.Connection, which: str) -> dict[str, int]:
    """Return, by user, the number of the item that frees an address which somebody else takes."""
    return dict(
        db.execute(
            "SELECT i.key, i.number FROM item AS i JOIN actual AS a ON a.kind = 'user' AND a.key = i.key"
            f" WHERE i.kind = 'user' AND i.step > 0 AND a.email IN (SELECT {_TAKES} FROM item"
            f"  WHERE kind = 'user' AND step > 0) AND {which}"
        ).fetchall()
    )


def _blocked(moves: dict[int, _Move], deletions: dict[str, int], updates: dict[str, int]) -> list[_Move]:
    """Find the moves that wait for a user who frees nothing; remove those of them that are in `updates`."""
    waiting: dict[str, list[_Move]] = {}
    for move in moves.values():
        waiting.setdefault(move.holder, []).append(move)
    keepers = [holder for holder in waiting if holder not in deletions and holder not in updates]
    found: list[_Move] = []
    while keepers:
        for move in waiting.pop(keepers.pop(), ()):
            found.append(move)
            if move.gives and updates.pop(move.key, None) is not None:
                keepers.append(move.key)  # it keeps its own address now
    return sorted(found, key=lambda move: move.number)


def _arrange(
    db: sqlite3.Connection, moves: dict[int, _Move], deletions: dict[str, int], updates: dict[str, int]
) -> None:
    successors: dict[int, list[int]] = {}
    needs: dict[int, int] = {}
    for move in moves.values():
        needs[move.number] = before = deletions.get(move.holder) or updates[move.holder]
        successors.setdefault(before, []).append(move.number)
    bundles: dict[int, int] = {}
    for first in sorted({*needs.values()} - {*needs}):
        _arrange_chain(db, first, successors, moves, bundles, is_deletion=first in {*deletions.values()})
    for number in sorted(moves):
        if number not in bundles:
            _arrange_cycle(db, moves[_in_cycle(number, needs)], successors, moves, bundles)
    _keep_together(db, bundles)


def _in_cycle(number: int, needs: dict[int, int]) -> int:
    """Return the first item of the cycle on which an item waits."""
    seen: set[int] = set()
    while number not in seen:
        seen.add(number)
        number = needs[number]
    cycle = [number]
    while (following := needs[cycle[-1]]) != number:
        cycle.append(following)
    return min(cycle)


def _arrange_chain(
    db: sqlite3.Connection,
    first: int,
    successors: dict[int, list[int]],
    moves: dict[int, _Move],
    bundles: dict[int, int],
    *,
    is_deletion: bool,
) -> None:
    bundles[first] = first
    _set_step(db, first, FREES_AN_ADDRESS if is_deletion else HANDS_ON)
    _follow(db, first, 0 if is_deletion else 1, successors, moves, bundles)


def _arrange_cycle(
    db: sqlite3.Connection,
    start: _Move,
    successors: dict[int, list[int]],
    moves: dict[int, _Move],
    bundles: dict[int, int],
) -> None:
    """Give `start` a temporary address, so that its address is free; it gets its final one after the last move."""
    aside = _step_aside(db, start)
    bundles[aside] = start.number
    bundles[start.number] = start.number
    last = _follow(db, start.number, 0, successors, moves, bundles)
    _set_step(db, start.number, HANDS_ON + last)


def _follow(
    db: sqlite3.Connection,
    first: int,
    level: int,
    successors: dict[int, list[int]],
    moves: dict[int, _Move],
    bundles: dict[int, int],
) -> int:
    """Set the steps of all items that wait for an item; return the level after the last of them."""
    layer = [first]
    while layer := [number for before in layer for number in successors.get(before, ()) if number not in bundles]:
        for number in layer:
            bundles[number] = bundles[first]
            if moves[number].gives:  # creations come after all hand-overs anyway
                _set_step(db, number, HANDS_ON + level)
        level += 1
    return level


def _step_aside(db: sqlite3.Connection, move: _Move) -> int:
    before, after, file, line = db.execute(
        "SELECT before, after, file, line FROM item WHERE number = ?", (move.number,)
    ).fetchone()
    address = temporary_address(move.key, move.address)
    record = {**(decoded(after) or {})["item"], "email": address}
    old = {"email": (decoded(before) or {}).get("email")}
    # The id, too, is the one that the record has until its own change.
    record["id"] = move.key
    cursor = db.execute(
        "INSERT INTO item (step, kind, action, key, other, before, after, needs_source, file, line, reason)"
        " VALUES (?, 'user', 'update', ?, '', ?, ?, 0, ?, ?, ?)",
        (
            STEPS_ASIDE, move.key, encoded(old), encoded({"item": record, "fields": {"email": address}}), file, line,
            _ASIDE,
        ),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def _set_step(db: sqlite3.Connection, number: int, step: int) -> None:
    db.execute("UPDATE item SET step = ? WHERE number = ?", (step, number))


def _keep_together(db: sqlite3.Connection, bundles: dict[int, int]) -> None:
    db.executemany(
        "UPDATE item SET bundle = ? WHERE number = ?", [(bundle, number) for number, bundle in bundles.items()]
    )


def _report(db: sqlite3.Connection, move: _Move) -> None:
    """Remove an address from a change, and report its holder."""
    reason = f"email {move.address!r} belongs to {move.holder!r} on the platform, who keeps it"
    if move.action == "create":
        db.execute(
            "INSERT INTO bad (kind, id, file, line, field, reason)"
            f" SELECT kind, key, {FILE_NAME}, line, 'email', ? FROM item WHERE number = ?",
            (reason, move.number),
        )
        db.execute("UPDATE wanted SET refused = 1 WHERE kind = 'user' AND key = ?", (move.key,))
        db.execute("DELETE FROM item WHERE number = ?", (move.number,))
        return
    before, after = db.execute("SELECT before, after FROM item WHERE number = ?", (move.number,)).fetchone()
    old, new = decoded(before) or {}, decoded(after) or {}
    fields = {name: value for name, value in new["fields"].items() if name != "email"}
    db.execute(
        "INSERT INTO item (step, kind, action, key, other, before, after, needs_source, file, line, reason)"
        " SELECT 0, kind, ?, key, '', ?, ?, 0, file, line, ? FROM item WHERE number = ?",
        (
            CANNOT_CHANGE, encoded({"email": old.get("email")}), encoded({"fields": {"email": move.address}}), reason,
            move.number,
        ),
    )  # fmt: skip
    if fields:
        rest: dict[str, Any] = {name: value for name, value in old.items() if name != "email"}
        db.execute(
            "UPDATE item SET before = ?, after = ? WHERE number = ?",
            (encoded(rest), encoded({**new, "fields": fields}), move.number),
        )
    else:
        db.execute("DELETE FROM item WHERE number = ?", (move.number,))
