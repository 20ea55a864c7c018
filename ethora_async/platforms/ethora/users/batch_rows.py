"""Match the rows of a batch's reply to its items.

See docs/architecture.md#bulk-and-sync.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload
from urllib.parse import unquote, urlsplit

from ethora_async.bulk.outcome import Outcome, Outcomes, Status, Unread, all_ok
from ethora_async.codec import PartialObject, PartialReader
from ethora_async.errors import (
    ChatError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ReplyLostError,
    ValidationFailedError,
)
from ethora_async.platforms.ethora import wire
from ethora_async.platforms.ethora.operations import BROADCAST, IMPORT_USERS, OWN_APP
from ethora_async.records import MongoId
from ethora_async.redaction import scrub
from ethora_async.request import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ethora_async.platforms.ethora.names import Names
    from ethora_async.platforms.ethora.users.records import UserChange, UserImport
    from ethora_async.records import NewUser, User
    from ethora_async.redaction import Secret
    from ethora_async.request import Reply

T = TypeVar("T")

_MADE = frozenset({"created", ""})
_CREATE = OWN_APP.create_users.name
_UPDATE = OWN_APP.update_users.name
_EXISTING = frozenset({"exists", "uuid_exists", "existed", "existing", "already_exists"})
_BETWEEN_WORDS = re.compile(r"[\s-]+")
_PLAINLY: dict[str, Status] = {"": "created", "created": "created", "exists": "existed"}
_USUAL = _MADE | _EXISTING | {"updated", "skipped"}
_REFUSALS = ("error", "fail", "invalid", "forbidden", "denied", "skip")
_MISSING = ("not_found", "notfound", "not_exist", "missing", "unknown")
_CHAT_KEYS = ("chatName", "name", "chatJid", "roomJid", "jid", "room", "chatId", "_id", "chat")
_NO_CHANGE = ("already", "exist", "unchanged", "not_a_member", "not_member", "absent")


class _Row(TypedDict, total=False):
    xmppUsername: str | None
    status: str | None


class _Rows(TypedDict, total=False):
    results: list[_Row] | None


class _Job(_Rows, total=False):
    state: str | None
    error: str | None
    result: _Rows | None


read_job: PartialReader = PartialReader(_Job)
"""Decodes the reply about a job of users, without the users' records: most outcomes are only counted."""


def job_id(data: Any) -> str | None:
    """Return the id of the job that a 202 announces: ``jobId``, or the last part of ``statusUrl``.

    See docs/platforms/ethora.md#users-batch.
    """
    if not isinstance(data, dict):
        return None
    stated = data.get("jobId")
    if isinstance(stated, (str, int)) and str(stated):
        return str(stated)
    url = data.get("statusUrl")
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]) or None if isinstance(url, str) else None


def traceable(outcomes: Sequence[Outcome[T]], reply: Reply) -> Sequence[Outcome[T]]:
    """Return the outcomes, told the request id of the reply that their rows stood in; their errors its status too."""
    stated = reply.request_id
    if isinstance(outcomes, Outcomes):
        outcomes.request_id = stated
        return outcomes
    if stated is None and all_ok(outcomes):
        return outcomes
    for outcome in outcomes:
        if outcome.error is not None and outcome.error.request_id is None:
            outcome.error.status = reply.status
        outcome.came_from(stated)
    return outcomes


def match_created(users: Sequence[NewUser], data: Any, names: Names, *, attempts: int) -> Sequence[Outcome[NewUser]]:
    """Return an outcome for each user, from the finished job or from the synchronous reply of the older route.

    Rows are matched by the normalised ``xmppUsername``. ``exists`` under another name means that the e-mail address
    belongs to somebody else: `ConflictError`. A user without a row is ``unknown``.

    Args:
        users: the users of the request, in order.
        data: the reply, decoded by `read_job` or in full.
        names: of the app.
        attempts: number of requests sent.
    """
    ids = [user.id for user in users]
    in_order = _in_order(users, ids, data, names, attempts)
    return _one_by_one(users, ids, _whole_rows(data), names, attempts) if in_order is None else in_order


def _in_order(
    users: Sequence[NewUser], ids: list[str], data: Any, names: Names, attempts: int
) -> Outcomes[NewUser] | None:
    """Return the outcomes if the reply's rows are the requested users in order, created or existing; else None.

    Nearly all replies have this form. `_one_by_one` gives the same outcomes.
    """
    found = _rows(data)
    prefix = names.prefix
    stated = [row.get("xmppUsername") for row in found]
    if stated != [prefix + id for id in ids] or len({*ids}) != len(ids) or f"\n{prefix}" in "\n".join(["", *ids]):
        return None
    try:
        statuses: list[Status] = [_PLAINLY[row.get("status", "")] for row in found]
    except (KeyError, TypeError):
        return None
    return Outcomes(users, ids, statuses, _Records(data, len(found)), partial(_user_of, names), attempts)


class _Records(Sequence[dict[str, Any]]):
    """The rows of a reply with the users' records, decoded in full when the first of them is read."""

    def __init__(self, data: Any, count: int) -> None:
        self._data = data
        self._count = count
        self._rows: list[dict[str, Any]] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if self._rows is None:
            self._rows, self._data = _whole_rows(self._data), None
        return self._rows[place]


def _one_by_one(
    users: Sequence[NewUser], ids: list[str], found: list[dict[str, Any]], names: Names, attempts: int
) -> list[Outcome[NewUser]]:
    own, others = _sorted_out(found, set(ids), names)
    by_email = {email: row for row in reversed(others) if (email := _row_email(row))}
    by_key = {names.key(other): row for row in reversed(others) if (other := _row_id(row, names)) is not None}
    in_order = found if len(found) == len(users) else [None] * len(users)
    secrets = [user.password for user in users if user.password is not None]
    outcomes: list[Outcome[NewUser]] = []
    for user, id, in_its_place in zip(users, ids, in_order, strict=True):
        match = own.get(id) or by_email.get(user.email) or by_key.get(names.key(id))
        if match is None and _stands_for_its_place(in_its_place, others):
            match = in_its_place
        outcomes.append(_created(user, id, match, names, attempts, secrets))
    return outcomes


def _sorted_out(
    found: Iterable[dict[str, Any]], wanted: set[str], names: Names
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return each wanted user's own row, and the rows that may belong to users without one."""
    own: dict[str, dict[str, Any]] = {}
    others: list[dict[str, Any]] = []
    # Creations first: if an e-mail address occurs twice, its owner has a row as created and another as existing.
    for row in sorted(found, key=_rank):
        id = _row_id(row, names)
        if id in wanted and id not in own:
            own[id] = row
        elif id is None or _rank(row):  # that somebody else was created says nothing about the users here
            others.append(row)
    return own, others


def _rank(row: dict[str, Any]) -> int:
    word = _word(row)
    return 0 if word in _MADE else 1 if word in _EXISTING else 2


def _stands_for_its_place(row: dict[str, Any] | None, others: list[dict[str, Any]]) -> bool:
    # A row with neither a name nor an e-mail address: its index in the reply is the only clue.
    return row is not None and bool(_word(row)) and _row_email(row) is None and any(row is other for other in others)


def _created(
    user: NewUser, id: str, row: dict[str, Any] | None, names: Names, attempts: int, secrets: Sequence[Secret]
) -> Outcome[NewUser]:
    if row is None:
        return _unmentioned(user, id, _CREATE, attempts)
    word = _word(row)
    holder = _row_id(row, names) or id
    if word in _EXISTING and holder != id:
        other = scrub(holder, secrets)
        msg = f"the e-mail address of {id!r} belongs to another user, {other!r}"
        if names.key(holder) == names.key(id):
            msg = f"user {id!r} cannot be created because {other!r} exists: the chat server treats both as one user"
        error: ChatError = ConflictError(msg, operation=_CREATE)
        return Outcome(user, id, "failed", error, attempts=attempts)
    # The older synchronous route returns plain user records: every user in it has been created
    # (docs/platforms/ethora.md#users-batch).
    status: Status | None = "created" if word in _MADE else "existed" if word in _EXISTING else None
    if status is None:
        return _refused(user, id, _CREATE, row, word, attempts, secrets)
    return Outcome(user, id, status, value=_user_in(row, names), attempts=attempts)


def _user_in(row: dict[str, Any], names: Names) -> Unread:
    return Unread(partial(_user_of, names, row))


def _user_of(names: Names, row: dict[str, Any], request_id: str | None) -> User | None:
    try:
        return wire.read_user(row.get("user", row), names, origin=Origin(_CREATE, request_id=request_id))
    except ReplyLostError:
        return None  # the row means success, even if the user in it is invalid


def change_body(change: UserChange, names: Names) -> dict[str, Any]:
    """Return one row of the body that updates users: only the changes (docs/platforms/ethora.md#changing-users).

    Raises:
        InvalidInputError: nothing is to be changed.
    """
    fields = {
        "firstName": change.first_name,
        "lastName": change.last_name,
        "username": change.username,
        "profileImage": change.profile_image,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    if isinstance(change.id, MongoId):
        msg = "users are changed by your own id, not by a MongoId: read the user first, and pass its id"
        raise InvalidInputError(msg, field="id")
    if not given:
        msg = f"nothing to change for user {change.id!r}: pass first_name, last_name, username or profile_image"
        raise InvalidInputError(msg, field="first_name")
    return {"xmppUsername": names.lookup_name(change.id), **given}


def match_updated(
    changes: Sequence[UserChange], data: Any, names: Names, *, attempts: int
) -> list[Outcome[UserChange]]:
    """Return an outcome for each change: ``updated``, ``skipped`` → ``unchanged``, ``not-found`` → `NotFoundError`."""
    by_id = {_row_id(row, names): row for row in _rows(data)}
    outcomes: list[Outcome[UserChange]] = []
    for change in changes:
        id = names.lookup(change.id)
        row = by_id.get(id)
        if row is None:
            outcomes.append(_unmentioned(change, id, _UPDATE, attempts))
            continue
        word = _word(row)
        if word in ("updated", "skipped"):
            status: Status = "updated" if word == "updated" else "unchanged"
            outcomes.append(Outcome(change, id, status, value=_user_in(row, names), attempts=attempts))
        else:
            outcomes.append(_refused(change, id, _UPDATE, row, word, attempts))
    return outcomes


def match_access(
    members: Sequence[str], data: Any, names: Names, *, done: Status, operation: str, attempts: int
) -> list[Outcome[str]]:
    """Return an outcome for each member of an access change.

    The statuses of its rows are not public (docs/platforms/ethora.md#open-questions): a row that mentions something
    missing is `NotFoundError`, one that mentions an error or a refusal is `ValidationFailedError`, "already" or "not a
    member" is no change; anything else, and a reply without rows, is `done`.
    """
    by_id: dict[str | None, dict[str, Any]] = {}
    for detail in _rows(data, "details"):
        by_id[_row_id(detail, names)] = detail
        if isinstance(record := detail.get("_id"), str):
            by_id.setdefault(record, detail)
    outcomes: list[Outcome[str]] = []
    for member in members:
        id = names.lookup(member)
        row = by_id.get(id)
        word = _word(row) if row is not None else ""
        if any(part in word for part in (*_MISSING, *_REFUSALS)):
            outcomes.append(_refused(member, id, operation, row or {}, word, attempts))
        elif any(part in word for part in _NO_CHANGE):
            outcomes.append(Outcome(id, id, "existed" if done == "created" else "absent", attempts=attempts))
        else:
            outcomes.append(Outcome(id, id, done, attempts=attempts))
    return outcomes


def match_imported(users: Sequence[UserImport], data: Any, names: Names, *, attempts: int) -> list[Outcome[UserImport]]:
    """Return an outcome for each imported user: ``created`` if the reply lists the address, else ``unknown``."""
    by_email = {email: row for row in _rows(data) if (email := _row_email(row))}
    outcomes: list[Outcome[UserImport]] = []
    for user in users:
        row = by_email.get(user.email)
        if row is None:
            outcomes.append(_unmentioned(user, user.email, IMPORT_USERS.name, attempts))
        else:
            outcomes.append(Outcome(user, user.email, "created", value=_user_in(row, names), attempts=attempts))
    return outcomes


def match_sent(chats: Sequence[str], data: Any, names: Names, *, dry_run: bool = False) -> Iterator[Outcome[str]]:
    """Yield an outcome for each chat of a broadcast, by its plain id: ``created`` when the message was sent.

    Of the statuses of a row only ``sent`` is public (docs/platforms/ethora.md#open-questions). One that mentions a
    refusal is ``failed``, one that mentions a dry run (and in a dry run any other) ``unchanged``, anything else
    ``unknown``. A requested chat without a row is also ``unknown``, and so is, if no chats were named, each that the
    reply counts but does not list.
    """
    holder = wire.result(data)
    summary = holder if isinstance(holder, dict) else {}
    dry_run = dry_run or summary.get("dryRun") is True
    found = _rows(data)
    keys = [_chat_keys(row, names) for row in found]
    left = set(range(len(found)))
    for chat, at in zip(chats, _places(chats, keys), strict=True):
        if at is None:
            yield _unmentioned(chat, chat, BROADCAST.name, 1)
        else:
            left.discard(at)
            yield _sent(chat, found[at], dry_run=dry_run)
    for at in sorted(left):
        yield _sent(keys[at][0] if keys[at] else "", found[at], dry_run=dry_run)
    total = summary.get("total")
    if not chats and isinstance(total, int):
        for _ in range(len(found), total):
            yield _unmentioned("", "", BROADCAST.name, 1)


def _places(chats: Sequence[str], keys: Sequence[Sequence[str]]) -> Iterator[int | None]:
    """Yield the index of each chat's row: the row that names it, else the row at its own index if unnamed."""
    asked = set(chats)
    named = {key: at for at, several in enumerate(keys) for key in several}
    for place, chat in enumerate(chats):
        in_its_place = len(keys) == len(chats) and asked.isdisjoint(keys[place])
        yield named.get(chat, place if in_its_place else None)


def _chat_keys(row: dict[str, Any], names: Names) -> list[str]:
    chat = row.get("chat")
    holders = (row, chat if isinstance(chat, dict) else {})
    values = (holder.get(key) for holder in holders for key in _CHAT_KEYS)
    return [names.strip(value.partition("@")[0]) for value in values if isinstance(value, str) and value]


def _sent(chat: str, row: dict[str, Any], *, dry_run: bool) -> Outcome[str]:
    word = _word(row)
    if word.startswith(("un", "not_")) or any(part in word for part in (*_MISSING, *_REFUSALS)):
        return _refused(chat, chat, BROADCAST.name, row, word, 1)
    if dry_run or "dry" in word:
        return Outcome(chat, chat, "unchanged", value=row)
    if word == "sent":
        return Outcome(chat, chat, "created", value=row)
    msg = f"the platform answered {scrub(word) or 'nothing'} for {chat!r}, not that the message was sent"
    return Outcome(chat, chat, "unknown", ReplyLostError(msg, operation=BROADCAST.name))


def _rows(data: Any, key: str = "results") -> list[dict[str, Any]]:
    holder = wire.result(data)
    rows = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(rows, list):
        return []
    return rows if {*map(type, rows)} == {dict} else [row for row in rows if isinstance(row, dict)]


def _whole_rows(data: Any) -> list[dict[str, Any]]:
    return _rows(data.whole() if isinstance(data, PartialObject) else data)


def _row_id(row: dict[str, Any], names: Names) -> str | None:
    stated = row.get("xmppUsername")
    if stated and type(stated) is str:  # most rows begin with it
        return names.strip(stated.partition("@")[0])
    user = row.get("user")
    for holder in (row, user if isinstance(user, dict) else {}):
        for key in ("xmppUsername", "uuid"):
            name = holder.get(key)
            if isinstance(name, str) and name:
                return names.strip(name.partition("@")[0])
    return None


def _row_email(row: dict[str, Any]) -> str | None:
    user = row.get("user")
    for holder in (row, user if isinstance(user, dict) else {}):
        email = holder.get("email")
        if isinstance(email, str) and email:
            return email.lower()
    return None


def _word(row: dict[str, Any]) -> str:
    word = row.get("status")
    if not isinstance(word, str):
        return ""
    return word if word in _USUAL else _BETWEEN_WORDS.sub("_", word.strip().lower())


def _unmentioned(item: Any, id: str, operation: str, attempts: int) -> Outcome[Any]:
    msg = f"the platform's reply does not mention {id!r}"
    return Outcome(item, id, "unknown", ReplyLostError(msg, operation=operation), attempts=attempts)


def _refused(
    item: Any, id: str, operation: str, row: dict[str, Any], word: str, attempts: int, secrets: Sequence[Secret] = ()
) -> Outcome[Any]:
    reason = next((row[key] for key in ("error", "message", "reason") if isinstance(row.get(key), str)), "")
    code = row.get("code")
    missing = str(code).endswith("_NOT_FOUND") or any(part in word for part in _MISSING)
    kind = NotFoundError if missing else ValidationFailedError
    msg = f"the platform answered {scrub(word, secrets) or 'nothing'} for {id!r}" + (
        f": {scrub(reason, secrets)}" if reason else ""
    )
    # A row rarely has a code; the platform's support can look for the word in its place.
    error = kind(msg, operation=operation, code=scrub(code if isinstance(code, str) else word, secrets) or None)
    return Outcome(item, id, "failed", error, attempts=attempts)
