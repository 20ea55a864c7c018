"""Members of rooms: invite, kick, list (docs/platforms/rocketchat.md#rooms)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.bulk.report import Report
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.bulk.split import split_around
from ethora_async.errors import ApiError, ChatError, InvalidInputError, NotFoundError
from ethora_async.pages import Pages
from ethora_async.platforms.rocketchat import operations, wire
from ethora_async.platforms.rocketchat.directory import A_MOMENT
from ethora_async.platforms.rocketchat.names import lookup, own
from ethora_async.platforms.rocketchat.users import LARGEST_PAGE, each
from ethora_async.records import Id, User, several

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Sequence

    from ethora_async.bulk.run import WorkGenerator
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.platforms.rocketchat.directory import Room

_MEMBERS = {
    "c": operations.CHANNEL_MEMBERS,
    "p": operations.GROUP_MEMBERS,
    "d": operations.DIRECT_MEMBERS,
}
PAIRS_AT_ONCE = 100
_NOT_IN_ROOM = "error-user-not-in-room"
_NOBODY = "invalid-user-invite-list"
Pair = tuple[Id, Id]


class RoomAccess:
    """The methods of `Rooms` that add, remove and list members."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def invite(self, id: Id, users: Id | Iterable[Id]) -> Report:
        """Add users to a room: one or several. Existing members stay; the platform's reply is the same for both.

        Returns:
            A report with an outcome for each user: ``created`` or ``failed``.

        Raises:
            NotFoundError: there is no such room.
        """
        api = await self._context.open()
        await self._context.directory.room(api, id, within=A_MOMENT)
        return Report.of(await self._invite_pairs(api, [(id, user) for user in several(users)], fresh=True))

    async def kick(self, id: Id, users: Id | Iterable[Id]) -> Report:
        """Remove users from a room: one or several, a request each.

        Returns:
            A report with an outcome for each user: ``deleted``, ``absent`` or ``failed``; the last owner of a room
                cannot be removed (`ConflictError`).

        Raises:
            NotFoundError: there is no such room.
        """
        api = await self._context.open()
        await self._context.directory.room(api, id, within=A_MOMENT)
        return Report.of([await self._kick_one(api, (id, user), fresh=True) for user in several(users)])

    def grant_many(
        self, pairs: Iterable[Pair] | AsyncIterable[Pair], *, concurrency: int = CONCURRENCY, ordered: bool = False
    ) -> Run[Pair]:
        """Add users to rooms: any number of pairs of room and user.

        Pairs are read in hundreds, and those of one room within a hundred share a request: input sorted by room needs
        the fewest requests. Each pair ends ``created``, ``failed`` or ``unknown``; its key is ``room/user``.
        """

        @asynccontextmanager
        async def working() -> WorkGenerator[Pair]:
            yield partial(self._invite_pairs, await self._context.open())

        emit = self._context.emitter.emit
        return Run(pairs, working, batch_size=PAIRS_AT_ONCE, concurrency=concurrency, ordered=ordered, emit=emit)

    def revoke_many(
        self, pairs: Iterable[Pair] | AsyncIterable[Pair], *, concurrency: int = CONCURRENCY, ordered: bool = False
    ) -> Run[Pair]:
        """Remove users from rooms: any number of pairs of room and user, a request each.

        Each pair ends ``deleted``, ``absent``, ``failed`` or ``unknown``; its key is ``room/user``.
        """
        return each(self._context, pairs, self._kick_one, concurrency, ordered=ordered)

    def members(self, id: Id, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[User]:
        """List the members of a room of any kind.

        Those of a direct room are shown to its members alone: read them with `RocketChatClient.as_user`.

        Args:
            limit: users in a page, 1 to 100 (default 100).
            offset: where to start; 0 is the first.

        Raises:
            NotFoundError: on reading, there is no such room, or it is a direct room that the asker is not in.
            InvalidInputError: on reading, it is an omnichannel room.
        """

        async def fetch(offset: int, limit: int) -> tuple[tuple[User, ...], int | None]:
            api = await self._context.open()
            room = await self._context.directory.room(api, id)
            operation = _MEMBERS.get(room.kind)
            if operation is None:
                msg = f"{lookup(id)!r} is an omnichannel room: it has no list of members"
                raise InvalidInputError(msg, field="id")
            reply = await api.call(operation, query={"roomId": room.id, "offset": offset, "count": limit})
            users = wire.read_list(reply.data, "members", wire.read_user, origin=reply.origin)
            return users, wire.total(reply.data)

        return Pages(fetch, lambda user: user.record_id or user.id, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def _room(self, api: Api, id: Id) -> Room:
        room = await self._context.directory.room(api, id, within=A_MOMENT)
        if room.kind not in ("c", "p"):
            msg = f"{lookup(id)!r} is neither a channel nor a group: its members cannot be changed"
            raise InvalidInputError(msg, field="id")
        return room

    async def _invite_pairs(self, api: Api, pairs: Sequence[Pair], *, fresh: bool = False) -> list[Outcome[Pair]]:
        outcomes: dict[int, Outcome[Pair]] = {}
        by_room: dict[Room, list[tuple[int, str]]] = {}
        for place, pair in enumerate(pairs):
            try:
                room = await self._room(api, pair[0])
                # The platform silently ignores unknown users, so each one is looked up.
                user_id = await self._context.directory.user_id(api, own(pair[1], "user"), fresh=fresh)
            except ChatError as error:
                outcomes[place] = failed(pair, pair_key(pair), error)
                continue
            by_room.setdefault(room, []).append((place, user_id))
        for room, entries in by_room.items():
            send = partial(self._invite_batch, api, room, pairs)
            done = await split_around(entries, send, lambda entry: pair_key(pairs[entry[0]]))
            for (place, _), outcome in zip(entries, done, strict=True):
                key = pair_key(pairs[place])
                outcomes[place] = Outcome(
                    pairs[place],
                    key,
                    outcome.status,
                    outcome.error,
                    attempts=outcome.attempts,
                    request_id=outcome.request_id,
                )
        stale = [place for place in range(len(pairs)) if not fresh and _names_nobody(outcomes[place].error)]
        if stale:
            again = await self._invite_pairs(api, [pairs[place] for place in stale], fresh=True)
            outcomes.update(zip(stale, again, strict=True))
        return [outcomes[place] for place in range(len(pairs))]

    async def _invite_batch(
        self, api: Api, room: Room, pairs: Sequence[Pair], entries: Sequence[tuple[int, str]]
    ) -> list[Outcome[tuple[int, str]]]:
        operation = operations.INVITE_TO_CHANNEL if room.public else operations.INVITE_TO_GROUP
        users = list(dict.fromkeys(user_id for _, user_id in entries))
        try:
            reply = await api.call(operation, data={"roomId": room.id, "userIds": users})
        except NotFoundError:
            # A cached name may now belong to another record.
            for place, _ in entries:
                self._forget(pairs[place])
            raise
        return [
            Outcome(entry, pair_key(pairs[entry[0]]), "created", attempts=reply.attempts, request_id=reply.request_id)
            for entry in entries
        ]

    async def _kick_one(self, api: Api, pair: Pair, *, fresh: bool = False) -> Outcome[Pair]:
        key = pair_key(pair)
        try:
            room = await self._room(api, pair[0])
            user_id = await self._context.directory.user_id(api, own(pair[1], "user"), fresh=fresh)
            operation = operations.KICK_FROM_CHANNEL if room.public else operations.KICK_FROM_GROUP
            reply = await api.call(operation, data={"roomId": room.id, "userId": user_id})
        except NotFoundError as error:
            self._forget(pair)
            if not fresh and error.code != _NOT_IN_ROOM:
                return await self._kick_one(api, pair, fresh=True)  # the name may stand for another record by now
            # If the room or the user is gone, so is the membership.
            return Outcome(pair, key, "absent", attempts=error.attempts, request_id=error.request_id)
        except ChatError as error:
            return failed(pair, key, error)
        return Outcome(pair, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)

    def _forget(self, pair: Pair) -> None:
        self._context.directory.forget_room(pair[0])
        self._context.directory.forget_user(pair[1])


def _names_nobody(error: ChatError | None) -> bool:
    """Return whether none of the record ids in an invitation were there: their names may stand for others by now."""
    return isinstance(error, ApiError) and error.code == _NOBODY


def pair_key(pair: Pair) -> str:
    """Return ``room/user``."""
    return f"{pair[0]}/{pair[1]}"
