"""Write intents for the chat platform in your own database transaction.

An intent is the wanted state of one user, chat or membership. It commits or rolls back with your own data, and a worker
(`ethora_async.outbox.Worker`, ``ethora outbox work``) carries it out afterwards. A newer intent for the same user, chat
or membership replaces an older one that has not been carried out.

Every function takes the connection or session of your transaction: psycopg, asyncpg, SQLAlchemy, Django, sqlite3 or
aiosqlite. Await the call on an asynchronous connection. On a blocking one the row is written when the call returns, and
awaiting it does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.errors import InvalidInputError
from ethora_async.outbox.validation import check_fields, checked_traceparent, listed, of_type
from ethora_async.outbox.writing import Intent, is_awaited, write
from ethora_async.records import Id, NewChat, NewUser, literal_id, several
from ethora_async.trace_context import current_traceparent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ethora_async.outbox.passwords import PasswordSeal

SEALED_PASSWORD = "sealed_password"  # noqa: S105  the name of a field
"""The field of the encrypted password in an intent for a user."""

_PAIRS = "pairs of chat and user"


def want_user(
    connection: object, user: NewUser, *, seal: PasswordSeal | None = None, traceparent: str | None = None
) -> Awaitable[None]:
    """Want this user on the platform, as described. See `want_users`."""
    return want_users(connection, [user], seal=seal, traceparent=traceparent)


def want_users(
    connection: object, users: Iterable[NewUser], *, seal: PasswordSeal | None = None, traceparent: str | None = None
) -> Awaitable[None]:
    """Want these users on the platform, as described.

    Args:
        connection: the connection or session of your transaction. A session is flushed first, so that your row is
            written before the intent.
        users: the wanted users. A password is used when the user is created, and never changed afterwards.
        seal: encrypts passwords at rest.
        traceparent: the W3C trace context of the request, which the worker's spans and events carry on. By default
            that of the current OpenTelemetry span, if there is one.

    Raises:
        InvalidInputError: a user has a password and there is no `seal`, or the connection is of an unknown kind.
        ConfigError: the database has no outbox tables.
    """
    wanted = listed(users, "users", "NewUser")

    def intents() -> list[Intent]:
        return [_user_intent(user, seal, traceparent) for user in wanted]

    if seal is not None:
        _check_seal(seal)
        if seal.stale:
            if is_awaited(connection):
                return _written_afresh(connection, seal, intents)
            seal.refresh_blocking()
    return write(connection, intents())


async def _written_afresh(connection: object, seal: PasswordSeal, intents: Callable[[], list[Intent]]) -> None:
    """Write intents with the key that the secret store holds now."""
    await seal.refresh()
    await write(connection, intents())


def want_no_user(connection: object, id: Id, *, traceparent: str | None = None) -> Awaitable[None]:
    """Want no user with this id on the platform. See `want_no_users`."""
    return want_no_users(connection, [id], traceparent=traceparent)


def want_no_users(connection: object, ids: Id | Iterable[Id], *, traceparent: str | None = None) -> Awaitable[None]:
    """Want no users with these ids on the platform. Their memberships end too.

    Raises:
        InvalidInputError: an id cannot be used, or the connection is of an unknown kind.
        ConfigError: the database has no outbox tables.
    """
    return write(connection, [_intent("user", literal_id(id), "", None, traceparent) for id in _ids(ids)])


def want_chat(connection: object, chat: NewChat, *, traceparent: str | None = None) -> Awaitable[None]:
    """Want this chat on the platform, as described. See `want_chats`."""
    return want_chats(connection, [chat], traceparent=traceparent)


def want_chats(connection: object, chats: Iterable[NewChat], *, traceparent: str | None = None) -> Awaitable[None]:
    """Want these chats on the platform, as described, and their `members` in them.

    Other members are left unchanged: remove a member with `want_no_member`.

    Raises:
        InvalidInputError: the connection is of an unknown kind.
        ConfigError: the database has no outbox tables.
    """
    intents: list[Intent] = []
    for chat in listed(chats, "chats", "NewChat"):
        of_type(chat, NewChat, "chat")
        wanted: dict[str, Any] = {"title": chat.title, "access": chat.access}
        if chat.description is not None:
            wanted["description"] = chat.description
        intents.append(_intent("chat", chat.id, "", wanted, traceparent))
        intents += [_intent("member", chat.id, literal_id(user, "members"), {}, traceparent) for user in chat.members]
    return write(connection, intents)


def want_no_chat(connection: object, id: Id, *, traceparent: str | None = None) -> Awaitable[None]:
    """Want no chat with this id on the platform. See `want_no_chats`."""
    return want_no_chats(connection, [id], traceparent=traceparent)


def want_no_chats(connection: object, ids: Id | Iterable[Id], *, traceparent: str | None = None) -> Awaitable[None]:
    """Want no chats with these ids on the platform. Their memberships end too.

    Raises:
        InvalidInputError: an id cannot be used, or the connection is of an unknown kind.
        ConfigError: the database has no outbox tables.
    """
    return write(connection, [_intent("chat", literal_id(id), "", None, traceparent) for id in _ids(ids)])


def want_member(connection: object, chat: Id, user: Id, *, traceparent: str | None = None) -> Awaitable[None]:
    """Want this user in this chat. The intent waits until both exist. See `want_members`."""
    return want_members(connection, [(chat, user)], traceparent=traceparent)


def want_members(
    connection: object, pairs: Iterable[tuple[Id, Id]], *, traceparent: str | None = None
) -> Awaitable[None]:
    """Want these memberships: pairs of chat and user.

    Raises:
        InvalidInputError: an id cannot be used, or the connection is of an unknown kind.
        ConfigError: the database has no outbox tables.
    """
    return write(connection, [_member_intent(pair, {}, traceparent) for pair in listed(pairs, "members", _PAIRS)])


def want_no_member(connection: object, chat: Id, user: Id, *, traceparent: str | None = None) -> Awaitable[None]:
    """Want this user out of this chat. See `want_no_members`."""
    return want_no_members(connection, [(chat, user)], traceparent=traceparent)


def want_no_members(
    connection: object, pairs: Iterable[tuple[Id, Id]], *, traceparent: str | None = None
) -> Awaitable[None]:
    """Want none of these memberships: pairs of chat and user.

    Raises:
        InvalidInputError: an id cannot be used, or the connection is of an unknown kind.
        ConfigError: the database has no outbox tables.
    """
    return write(connection, [_member_intent(pair, None, traceparent) for pair in listed(pairs, "members", _PAIRS)])


def wanted_user(user: NewUser) -> dict[str, Any]:
    """Return the outbox's form of a user, without the password."""
    wanted: dict[str, Any] = {"email": user.email, "first_name": user.first_name, "last_name": user.last_name}
    if user.profile_image is not None:
        wanted["profile_image"] = user.profile_image
    return wanted


def _user_intent(user: NewUser, seal: PasswordSeal | None, traceparent: str | None) -> Intent:
    of_type(user, NewUser, "user")
    wanted = wanted_user(user)
    if user.password is not None:
        if seal is None:
            msg = (
                f"user {user.id!r} has a password, which the outbox stores encrypted only: pass seal=PasswordSeal(…),"
                " or leave the password out and let the platform make one"
            )
            raise InvalidInputError(msg, field="password")
        wanted[SEALED_PASSWORD] = seal.seal(user.id, user.password)
    return _intent("user", user.id, "", wanted, traceparent)


def _check_seal(seal: object) -> None:
    from ethora_async.outbox.passwords import PasswordSeal  # imports cryptography

    of_type(seal, PasswordSeal, "seal")


def _ids(ids: Id | Iterable[Id]) -> list[Id]:
    return listed(several(ids), "ids", "ids")


def _member_intent(pair: object, wanted: dict[str, Any] | None, traceparent: str | None) -> Intent:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:  # a text of two letters would unpack as a pair
        msg = f"a membership is a pair of chat and user, not {pair!r:.80}"
        raise InvalidInputError(msg, field="members")
    chat, user = pair
    return _intent("member", literal_id(chat, "chat"), literal_id(user, "user"), wanted, traceparent)


def _intent(kind: str, key: str, other: str, wanted: dict[str, Any] | None, traceparent: str | None) -> Intent:
    intent: Intent = {"kind": kind, "key": key, "other": other}
    if wanted is not None:
        check_fields(wanted)
        intent["wanted"] = wanted
    context = checked_traceparent(traceparent) or current_traceparent()
    if context is not None:
        intent["traceparent"] = context
    return intent
