"""Grant and revoke access to chats (docs/platforms/ethora.md#chat-members, #older-guide)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal

from ethora_async.access import Access
from ethora_async.bulk.outcome import Outcome, Status, failed
from ethora_async.bulk.report import Report
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.bulk.split import split_around
from ethora_async.config import Seconds, seconds
from ethora_async.errors import ChatError, ConfigError, InvalidInputError, NotFoundError
from ethora_async.platforms.ethora.users import batch_rows as rows
from ethora_async.records import several

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping, Sequence

    from ethora_async.bulk.run import WorkGenerator
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.records import Id

MEMBERS_AT_ONCE = 100
CHAT_NOT_FOUND = "CHAT_NOT_FOUND"
_LONGEST_TIMER = 100 * 365 * 86_400
MEMBER = Access.READ | Access.WRITE
"""Rights of a member of a chat on the current platform."""
_UNCHANGED: Mapping[str, Status] = {"created": "existed", "deleted": "absent"}


class AccessControl:
    """The access methods of `Chats`."""

    def __init__(self, context: AppContext, *, bot_jid: str | None) -> None:
        self._context = context
        self._bot_jid = bot_jid

    async def grant(self, id: Id, users: Id | Iterable[Id]) -> Report:
        """See `Chats.grant`."""
        return await self._change_access(id, users, done="created")

    async def revoke(self, id: Id, users: Id | Iterable[Id]) -> Report:
        """See `Chats.revoke`."""
        return await self._change_access(id, users, done="deleted")

    async def set_access(
        self, chat: Id, user: Id, access: Access | str, *, expires_in: Seconds | None
    ) -> Outcome[tuple[Id, Id]]:
        """See `Chats.set_access`."""
        rights, timer = Access.parse(access), timer_seconds(expires_in)
        return (await self._set_access((chat, user), rights, timer)).raise_for_failure()

    async def grant_bot(self, id: Id) -> Report:
        """See `Chats.grant_bot`."""
        if not self._bot_jid:
            msg = "no bot is named: set ETHORA_CHAT_BOT_JID, or pass bot_jid= to the client"
            raise InvalidInputError(msg, field="bot_jid")
        # The setting is the bot's whole JID, and may lack the app's prefix
        # (docs/platforms/ethora.md#plain-or-prefixed).
        bot = self._bot_jid.partition("@")[0]
        return await self._change_access(id, bot, done="created", literal=False)

    def grant_many(
        self,
        grants: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]],
        *,
        concurrency: int,
        ordered: bool,
    ) -> Run[tuple[Id, Id]]:
        """See `Chats.grant_many`."""

        return self._change_many(grants, "created", concurrency, ordered=ordered)

    def revoke_many(
        self,
        revocations: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]],
        *,
        concurrency: int,
        ordered: bool,
    ) -> Run[tuple[Id, Id]]:
        """See `Chats.revoke_many`."""
        return self._change_many(revocations, "deleted", concurrency, ordered=ordered)

    def _change_many(
        self,
        pairs: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]],
        done: Literal["created", "deleted"],
        concurrency: int,
        *,
        ordered: bool,
    ) -> Run[tuple[Id, Id]]:
        @asynccontextmanager
        async def working() -> WorkGenerator[tuple[Id, Id]]:
            yield partial(self._change_batch, await self._context.open(), done=done)

        emit = self._context.emitter.emit
        return Run(pairs, working, batch_size=MEMBERS_AT_ONCE, concurrency=concurrency, ordered=ordered, emit=emit)

    async def _set_access(self, pair: tuple[Id, Id], rights: Access, timer: int | None) -> Outcome[tuple[Id, Id]]:
        done = _expressible(rights, timer)
        app = await self._context.open()
        chat, user = app.names.lookup_name(pair[0], "chat"), app.names.member(pair[1])
        (outcome,) = await self._access_batch(app, chat, [user], done=done)
        return Outcome(
            pair,
            pair_key(app, pair),
            outcome.status,
            outcome.error,
            attempts=outcome.attempts,
            request_id=outcome.request_id,
        )

    async def _change_access(
        self, id: Id, users: Id | Iterable[Id], *, done: Literal["created", "deleted"], literal: bool = True
    ) -> Report:
        app = await self._context.open()
        chat = app.names.lookup_name(id)
        members = app.names.members(users) if literal else [app.names.lookup_name(user) for user in several(users)]
        report = Report()
        for start in range(0, len(members), MEMBERS_AT_ONCE):
            try:
                outcomes = await self._access_batch(app, chat, members[start : start + MEMBERS_AT_ONCE], done=done)
            except ChatError as error:
                if not start:
                    raise
                # Not raised: the results of earlier requests would be lost, and the error would say that nothing was
                # done.
                return report.add_all(failed(member, app.names.shown(member), error) for member in members[start:])
            report.add_all(outcomes)
        return report

    async def _access_batch(
        self, app: App, chat: str, members: Sequence[str], *, done: Literal["created", "deleted"]
    ) -> Sequence[Outcome[str]]:
        operation = app.operations.grant if done == "created" else app.operations.revoke
        reply = await app.call(operation, data={"chatName": chat, "members": list(members)})
        outcomes = rows.match_access(
            members, reply.data, app.names, done=done, operation=operation.name, attempts=reply.attempts
        )
        return rows.traceable(outcomes, reply)

    async def _change_batch(
        self, app: App, pairs: Sequence[tuple[Id, Id]], *, done: Literal["created", "deleted"]
    ) -> Sequence[Outcome[tuple[Id, Id]]]:
        outcomes: dict[int, Outcome[tuple[Id, Id]]] = {}
        by_chat: dict[str, dict[str, list[int]]] = {}
        for place, pair in enumerate(pairs):
            try:
                chat, user = app.names.lookup_name(pair[0], "chat"), app.names.member(pair[1])
            except InvalidInputError as error:
                outcomes[place] = failed(pair, pair_key(app, pair), error)
                continue
            by_chat.setdefault(chat, {}).setdefault(user, []).append(place)
        for chat, places_of in by_chat.items():
            send = partial(self._change_in_chat, app, chat, done=done)
            changed = await split_around([*places_of], send, app.names.shown)
            for places, outcome in zip(places_of.values(), changed, strict=True):
                for repeat, place in enumerate(places):
                    status = _UNCHANGED[done] if repeat and outcome.status == done else outcome.status
                    key = pair_key(app, pairs[place])
                    outcomes[place] = Outcome(
                        pairs[place],
                        key,
                        status,
                        outcome.error,
                        attempts=outcome.attempts,
                        request_id=outcome.request_id,
                    )
        return [outcomes[place] for place in range(len(pairs))]

    async def _change_in_chat(
        self, app: App, chat: str, members: Sequence[str], *, done: Literal["created", "deleted"]
    ) -> Sequence[Outcome[str]]:
        try:
            return await self._access_batch(app, chat, members, done=done)
        except NotFoundError as error:
            if error.code != CHAT_NOT_FOUND:
                raise
            # No member is the cause: splitting would send a request to the missing chat for each member.
            return [failed(member, app.names.shown(member), error) for member in members]


def pair_key(app: App, pair: tuple[Id, Id]) -> str:
    """Return ``chat/user``."""
    return f"{app.names.shown(pair[0])}/{app.names.shown(pair[1])}"


def timer_seconds(value: Seconds | None) -> int | None:
    """Return a time limit in the wire's unit.

    Raises:
        InvalidInputError: it is not a whole number of seconds greater than 0, or longer than a hundred years.
    """
    if value is None:
        return None
    try:
        number = seconds(value, "expires_in")
    except ConfigError as error:
        raise InvalidInputError(error.message, field="expires_in") from None
    if not number.is_integer() or number > _LONGEST_TIMER:
        msg = f"expires_in must be whole seconds, a hundred years at the most, not {number:g} s"
        raise InvalidInputError(msg, field="expires_in")
    return int(number)


def _expressible(rights: Access, timer: int | None) -> Literal["created", "deleted"]:
    """Return whether to grant or revoke membership for these rights."""
    if timer is not None:
        msg = (
            "today's platform keeps no timer for access: leave expires_in out, and call revoke or grant yourself when"
            " the time is up; an older server that has /chat-access/ keeps one (legacy_api=True)"
        )
        raise InvalidInputError(msg, field="expires_in")
    if rights is Access.NONE:
        return "deleted"
    if rights == MEMBER:
        return "created"
    msg = (
        f"today's platform cannot express access {rights}: use Access.READ | Access.WRITE ({MEMBER}, a member) or"
        " Access.NONE (0000, removed); an older server that has /chat-access/ takes every code (legacy_api=True)"
    )
    raise InvalidInputError(msg, field="access")


__all__ = ["CHAT_NOT_FOUND", "CONCURRENCY", "MEMBER", "AccessControl", "pair_key", "timer_seconds"]
