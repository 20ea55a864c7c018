"""Access codes with an end, from the older guide (docs/platforms/ethora.md#older-guide).

The older guide does not define what a code implies and what follows its expiry. Here, a code is four independent bits;
any bit makes the user a member, `0000` removes the user; a setting with a time limit falls back to the previous one.
These settings exist only in the sandbox: the current platform has members only.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.grants import Grant

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import Chat, User
    from ethora_async.sandbox.ethora.store import Store


def set_access(store: Store, chat: Chat, user: User, bits: int, now: float, seconds: float) -> Grant:
    """Set the rights of `user` in `chat`, for `seconds` from `now`; 0 means without limit."""
    if not seconds:
        return _enter(store, chat, user, Grant(bits), now)
    held = chat.grant_of(user) or Grant(chat.access(user))
    grant = _enter(store, chat, user, Grant(bits, now + seconds, held), now)
    store.agenda.add(now + seconds, partial(_end, store, chat, user, grant))
    return grant


def _enter(store: Store, chat: Chat, user: User, grant: Grant, now: float) -> Grant:
    """Apply a setting, including membership. Joining and leaving drop the previous setting."""
    if grant.bits:
        store.join(chat, user)
    else:
        store.leave(chat, user, now, 0.0)
    chat.conversation.grants[user] = grant
    if grant.bits:
        store.access_changed(chat, user)
    return grant


def _end(store: Store, chat: Chat, user: User, grant: Grant) -> None:
    """Return to the earlier setting, skipping those that have expired."""
    end, back = grant.expires_at, grant.before
    if end is None or chat.grant_of(user) is not grant or not (chat.exists and user.exists):
        return
    while back is not None and back.expires_at is not None and back.expires_at <= end:
        back = back.before
    if back is not None:
        _enter(store, chat, user, back, end)
