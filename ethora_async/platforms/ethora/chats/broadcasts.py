"""``ethora.broadcasts``: send one message to many chats, on the platform's behalf.

See docs/platforms/ethora.md#broadcasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.bulk.jobs import JOB_TIMEOUT
from ethora_async.bulk.report import Report
from ethora_async.config import Seconds, seconds
from ethora_async.errors import InvalidInputError, ReplyLostError
from ethora_async.platforms.ethora import operations
from ethora_async.platforms.ethora.jobs import Job, asking
from ethora_async.platforms.ethora.users import batch_rows as rows
from ethora_async.records import Id, MongoId, record_id, required_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from ethora_async.bulk.outcome import Outcome
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.names import Names
    from ethora_async.request import Reply


class BroadcastJob(Job[Report]):
    """A broadcast in progress.

    ``await job`` waits for its end and returns a `Report`; ``async for outcome in job`` waits and yields an `Outcome`
    for each chat: ``created`` (sent), ``unchanged`` (a dry run), ``failed`` or ``unknown``. Its key is the chat's plain
    id, its `value` the platform's row. A job that was looked up by its id does not know which chats were requested, and
    reports those that the platform lists.
    """

    def __init__(
        self,
        id: str,
        ask: Callable[[], Awaitable[Any]],
        context: AppContext,
        *,
        chats: Sequence[str],
        timeout: float,
        dry_run: bool = False,
    ) -> None:
        def read(data: Any) -> Iterable[Outcome[str]]:
            for outcome in rows.match_sent(chats, data, context.known().names, dry_run=dry_run):
                outcome.came_from(self._request_id)
                yield outcome

        super().__init__(
            id,
            ask,
            lambda data: Report.of(read(data)),
            operation=operations.BROADCAST.name,
            context=context,
            timeout=timeout,
        )
        self._outcomes = read

    async def __aiter__(self) -> AsyncIterator[Outcome[str]]:
        for outcome in self._outcomes(await self._ended()):
            yield outcome


class Broadcasts:
    """Broadcasts to the chats of one app. The platform permits them for the app's server and its admins."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def send(
        self,
        text: str,
        *,
        chats: Id | Iterable[Id] | None = None,
        all_chats: bool = False,
        metadata: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        timeout: Seconds = JOB_TIMEOUT,
    ) -> BroadcastJob:
        """Send one message to these chats, or to all chats of the app.

        Never retried: when the reply is lost, the message may have been sent (the error's `effect` says so).

        Args:
            text: not empty.
            chats: your own ids, names or JIDs, or `MongoId`s; one or several, without duplicates.
            all_chats: every chat of the app, in place of `chats`.
            metadata: sent with the message.
            dry_run: True reports what the platform would do, and sends nothing.
            timeout: how long ``await job`` waits.

        Returns:
            The job, which runs on the platform: await it for the results, or keep its `id`.

        Raises:
            InvalidInputError: an argument cannot be used; neither or both of `chats` and `all_chats` are given; or a
                `MongoId` is combined with an own id that looks like one, which a single request cannot distinguish.
            NotFoundError: one of the chats does not exist.
            ForbiddenError: the app is archived (code ``APP_ARCHIVED``), or not yours.
        """
        data: dict[str, Any] = {"text": required_text(text, "text")}
        limit = seconds(timeout, "timeout")
        app = await self._context.open()
        wanted = _wanted(chats, app.names, all_chats=all_chats)
        data |= _target(wanted, app.names) if wanted else {"allRooms": True}
        if metadata is not None:
            data["metadata"] = dict(metadata)
        if dry_run:
            data["dryRun"] = True
        reply = await app.call(operations.BROADCAST, data=data)
        job = rows.job_id(reply.data)
        if job is None and not _holds_results(reply.data):
            msg = "the platform accepted the broadcast, but its reply names no job"
            raise ReplyLostError(msg, operation=operations.BROADCAST.name, status=reply.status, attempts=reply.attempts)
        ask = asking(self._context, operations.BROADCAST_JOB, job) if job else _known(reply)
        return BroadcastJob(job or "", ask, self._context, chats=wanted, timeout=limit, dry_run=dry_run)

    def job(self, id: str, *, timeout: Seconds = JOB_TIMEOUT) -> BroadcastJob:
        """Return an earlier broadcast by its job's id. No request is sent; `BroadcastJob.status` sends one.

        Raises:
            InvalidInputError: the id is empty.
        """
        known = required_text(id, "id")
        ask = asking(self._context, operations.BROADCAST_JOB, known)
        return BroadcastJob(known, ask, self._context, chats=(), timeout=seconds(timeout, "timeout"))


def _wanted(chats: Id | Iterable[Id] | None, names: Names, *, all_chats: bool) -> list[str]:
    if all_chats:
        if chats is not None:
            msg = "pass either chats or all_chats=True, not both"
            raise InvalidInputError(msg, field="chats")
        return []
    several = [chats] if isinstance(chats, Id) else chats or ()
    wanted = list(dict.fromkeys(names.lookup(chat, "chats") for chat in several))
    if not wanted:
        msg = "chats is empty: pass at least one chat, or all_chats=True"
        raise InvalidInputError(msg, field="chats")
    return wanted


def _target(wanted: Sequence[str], names: Names) -> dict[str, list[str]]:
    # The platform takes names or ids, not both. A name is never mistaken for a record id, but an own id may be.
    if not any(isinstance(chat, MongoId) for chat in wanted):
        return {"chatNames": [names.lookup_name(chat) for chat in wanted]}
    for chat in wanted:
        if not isinstance(chat, MongoId) and isinstance(record_id(chat), MongoId):
            msg = f"chats holds MongoIds and {chat!r}, an id of your own that looks like one: send two broadcasts"
            raise InvalidInputError(msg, field="chats")
    return {"chatIds": [str(chat) for chat in wanted]}


def _holds_results(data: Any) -> bool:
    holder = data.get("result", data) if isinstance(data, dict) else None
    return isinstance(holder, dict) and isinstance(holder.get("results"), list)


def _known(reply: Reply) -> Callable[[], Awaitable[Reply]]:
    async def ask() -> Reply:
        return attrs.evolve(reply, data={"state": "completed", **reply.data})

    return ask


__all__ = ["BroadcastJob", "Broadcasts"]
