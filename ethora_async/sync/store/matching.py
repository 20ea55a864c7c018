"""Match rows of the sources to records of the platform.

Different ids may name the same user: platforms fold case or Unicode forms, and people get new ids. A match is stored as
the ``target`` of a wanted row. Ambiguous rows are rejected and reported; a record that a rejected row may mean is never
deleted, and nobody gets access under somebody else's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sync.store import sides
from ethora_async.sync.store.schema import IDENTITY_INDEX, TARGET_INDEX, UNLIKE_INDEX
from ethora_async.wording import quoted, quoted_apart

if TYPE_CHECKING:
    import sqlite3

    from ethora_async.capabilities import NameRule
    from ethora_async.sync.store.items import Comparison

_RECORDS = "kind IN ('user', 'chat')"
_NEW = "NOT w.same AND NOT w.refused AND w.target IS NULL"
_PROBLEM = "INSERT INTO bad (kind, id, file, line, field, reason)"


def match_records(db: sqlite3.Connection, *, replace: bool) -> None:
    """Match wanted users and chats with those of the platform.

    Args:
        db: the connection.
        replace: whether a user with another id but the same address counts as another user.
    """
    if db.execute("SELECT 1 FROM actual LIMIT 1").fetchone() is None:
        return
    db.execute(UNLIKE_INDEX)
    if db.execute("SELECT 1 FROM wanted WHERE NOT same LIMIT 1").fetchone() is None:
        return
    sides.index_actual(db)
    db.execute(TARGET_INDEX)
    db.execute(
        f"UPDATE wanted AS w SET target = key WHERE {_RECORDS} AND NOT w.same AND EXISTS"
        " (SELECT 1 FROM actual AS a WHERE a.kind = w.kind AND a.key = w.key AND a.other = '')"
    )
    _match_spellings(db)
    _refuse(
        db,
        f"{_RECORDS} AND NOT refused AND NOT w.same AND EXISTS"
        " (SELECT 1 FROM actual AS a WHERE a.kind = w.kind AND a.key = w.target AND a.other = '' AND a.own)",
        "id",
        "'id ''' || w.key || ''' belongs to one of the platform''s own ' || w.kind || 's, which are left alone:'"
        " || ' use another one'",
    )
    if not replace:
        _match_addresses(db)


def _match_spellings(db: sqlite3.Connection) -> None:
    """Match ids that the platform treats as equal; for users, only if the e-mail address agrees."""
    same = "a.kind = w.kind AND a.identity = w.identity AND a.other = ''"
    listed = f"(SELECT MIN(a.key) FROM actual AS a WHERE {same})"
    unmatched = f"{_RECORDS} AND {_NEW} AND EXISTS (SELECT 1 FROM actual AS a WHERE {same})"
    certain = (
        f"w.kind = 'user' AND (SELECT COUNT(*) FROM actual AS a WHERE {same}) = 1"
        f" AND EXISTS (SELECT 1 FROM actual AS a WHERE {same} AND a.email = w.email)"
    )
    db.execute(f"UPDATE wanted AS w SET target = {listed} WHERE {unmatched} AND {certain}")
    db.create_function("apart", 2, quoted_apart, deterministic=True)
    _refuse(
        db,
        unmatched,
        "id",
        f"'id ' || apart(w.key, {listed}) || ' names the same ' || w.kind || ' as ' || apart({listed}, w.key)"
        " || ' on the platform'"
        " || CASE w.kind WHEN 'user' THEN ', who has another e-mail address' ELSE '' END"
        " || ': write it as the platform does, or choose another id'",
        target=listed,
    )


def _match_addresses(db: sqlite3.Connection) -> None:
    """Match users who kept their e-mail address and got another id."""
    holder = "FROM actual AS a WHERE a.kind = 'user' AND a.email = w.email"
    taken = "SELECT 1 FROM wanted AS o WHERE o.kind = 'user' AND o.target = a.key"
    free = f"{holder} AND NOT a.own AND NOT EXISTS ({taken})"
    new = f"kind = 'user' AND {_NEW}"
    db.execute(f"UPDATE wanted AS w SET target = (SELECT MIN(a.key) {free}) WHERE {new} AND EXISTS (SELECT 1 {free})")
    _refuse(
        db,
        f"{new} AND EXISTS (SELECT 1 {holder} AND a.own)",
        "email",
        f"'email ''' || w.email || ''' belongs to ''' || (SELECT MIN(a.key) {holder} AND a.own) || ''','"
        " || ' one of the platform''s own accounts'",
    )


def refuse_names(db: sqlite3.Connection, kind: str, rule: NameRule) -> None:
    """Reject wanted records that would get a name which the platform does not allow.

    Existing names may break the rule.
    """
    db.create_function("fits", 1, lambda name: rule.pattern.fullmatch(name) is not None, deterministic=True)
    db.create_function("shown", 1, quoted, deterministic=True)
    reason = f" is not allowed: names must match {rule.pattern.pattern} ({rule.source})".replace("'", "''")
    new = "(w.target IS NULL OR (w.kind = 'user' AND w.target <> w.key))"
    _refuse(
        db,
        f"kind = '{kind}' AND NOT w.same AND NOT refused AND {new} AND NOT fits(w.key)",
        "id",
        f"'id ' || shown(w.key) || '{reason}'",
    )


def match_memberships(db: sqlite3.Connection, what: Comparison) -> None:
    """Match wanted memberships with chats and users that exist or will be created, and reject the others."""
    if db.execute("SELECT 1 FROM wanted WHERE kind = 'member' LIMIT 1").fetchone() is None:
        return
    for index in (TARGET_INDEX, IDENTITY_INDEX):
        db.execute(index)
    for kind, column, target in (("chat", "key", "target"), ("user", "other", "other_target")):
        wanted = f"FROM wanted AS s WHERE s.kind = '{kind}' AND s.key = w.{column}"
        actual = f"FROM actual AS s WHERE s.kind = '{kind}' AND s.key = w.{column} AND s.other = ''"
        db.execute(
            f"UPDATE wanted AS w SET {target} = COALESCE((SELECT s.target {wanted}), (SELECT s.key {actual}))"
            " WHERE kind = 'member'"
        )
        member = "kind = 'member' AND NOT refused"
        name = f"'the {kind} ' || w.{column} || '"
        _refuse(db, f"{member} AND EXISTS (SELECT 1 {actual} AND s.own)", kind,
                f"{name} is one of the platform''s own, which are left alone'")  # fmt: skip
        _refuse(db, f"{member} AND EXISTS (SELECT 1 {wanted} AND s.refused)", kind, f"{name} cannot be used'")
        if kind == "user" and kind in what.kinds and "id" in what.changeable.get(kind, ()):
            _refuse_former_ids(db, f"{member} AND NOT EXISTS (SELECT 1 {wanted})")
        neither = f"{member} AND NOT EXISTS (SELECT 1 {wanted}) AND NOT EXISTS (SELECT 1 {actual})"
        _refuse_spellings(db, kind, column, target, neither)
        unread = f"w.{column} IN (SELECT id FROM bad WHERE kind = '{kind}' AND id IS NOT NULL)"
        _refuse(db, f"{neither} AND {unread}", kind, f"{name} cannot be used: its own row is not valid'")
        _refuse(db, neither, kind, f"{name} is neither among those wanted nor on the platform'")
        if what.prune and kind in what.kinds:
            unwanted = f"{member} AND w.{column} IN (SELECT key FROM item WHERE kind = '{kind}' AND action = 'delete')"
            _refuse(db, unwanted, kind, f"{name} is to be deleted, since no other source wants it'")


def _refuse_former_ids(db: sqlite3.Connection, unlisted: str) -> None:
    """Reject memberships under the former id of a user whom the plan renames: afterwards nobody has that id.

    The user stays a member.
    """
    renamed = "FROM wanted AS s WHERE s.kind = 'user' AND s.target = w.other AND s.key <> w.other AND NOT s.refused"
    _refuse(
        db,
        f"{unlisted} AND EXISTS (SELECT 1 {renamed})",
        "user",
        f"'the user ' || w.other || ' is renamed to ' || (SELECT MIN(s.key) {renamed}) || ': write the new id'",
    )


def _refuse_spellings(db: sqlite3.Connection, kind: str, column: str, target: str, unknown: str) -> None:
    """Reject memberships that spell an id differently from its own list or from the platform."""
    identity = f"w.{'identity' if column == 'key' else 'other_identity'}"
    spelled = (
        f"COALESCE((SELECT MIN(s.key) FROM wanted AS s WHERE s.kind = '{kind}' AND s.identity = {identity}),"
        f" (SELECT MIN(s.key) FROM actual AS s WHERE s.kind = '{kind}' AND s.identity = {identity}))"
    )
    there = (
        f"COALESCE((SELECT MIN(s.target) FROM wanted AS s WHERE s.kind = '{kind}' AND s.identity = {identity}),"
        f" {spelled})"
    )
    _refuse(
        db,
        f"{unknown} AND {spelled} IS NOT NULL",
        kind,
        f"'the {kind} ' || w.{column} || ' is spelled ''' || {spelled} || ''' elsewhere: on this platform both name the"
        f" same {kind}, so it is unclear which one is meant'",
        target=there,
        column=target,
    )


def _refuse(
    db: sqlite3.Connection, where: str, field: str, reason: str, *, target: str | None = None, column: str = "target"
) -> None:
    """Reject wanted rows `w`, with the records that they may mean as their target."""
    id = "CASE w.kind WHEN 'member' THEN w.key || '/' || w.other ELSE w.key END"
    refused = db.execute(
        f"{_PROBLEM} SELECT w.kind, {id}, w.file, w.line, '{field}', {reason} FROM wanted AS w WHERE {where}"
        " ORDER BY w.file, w.line"
    )
    if refused.rowcount:
        also = f", {column} = {target}" if target is not None else ""
        db.execute(f"UPDATE wanted AS w SET refused = 1{also} WHERE {where}")
