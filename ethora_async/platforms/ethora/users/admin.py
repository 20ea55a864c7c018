"""Administration of an app's users: tags, unread counts, import, export
(docs/platforms/ethora.md#users).
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.bulk.report import Report
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.bulk.split import split_around
from ethora_async.errors import ChatError, ConflictError, InvalidInputError
from ethora_async.platforms.ethora import operations
from ethora_async.platforms.ethora.listings import find_record_ids
from ethora_async.platforms.ethora.users import batch_rows as rows
from ethora_async.platforms.ethora.users.unread_counts import read_unread
from ethora_async.records import Id, optional_text, several

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence

    from ethora_async.bulk.run import Work, WorkGenerator
    from ethora_async.platforms.ethora.context import App, AppContext
    from ethora_async.platforms.ethora.users.records import UserImport
    from ethora_async.request import Operation

T = TypeVar("T")

BATCH_SIZE = 100
"""Maximum number of users in one request."""


class UserAdministration:
    """The less common methods of `Users`.

    The routes of tags, profiles, import and export require the session of a user who may manage the app (see
    docs/platforms/ethora.md#users), not the app's own server token: use an `in_app` with such a session.
    """

    def __init__(self, context: AppContext, *, bot_jid: str | None = None) -> None:
        self._context = context
        self._bot_jid = bot_jid

    @overload
    async def unread_counts(
        self, ids: Id | Iterable[Id], *, mode: Literal["count"] = "count", cap: int | None = None
    ) -> dict[str, int]: ...

    @overload
    async def unread_counts(
        self, ids: Id | Iterable[Id], *, mode: Literal["flag"], cap: int | None = None
    ) -> dict[str, bool]: ...

    async def unread_counts(
        self, ids: Id | Iterable[Id], *, mode: Literal["count", "flag"] = "count", cap: int | None = None
    ) -> dict[str, int] | dict[str, bool]:
        """Return the numbers of unread messages of users, with a hundred users per request.

        Args:
            ids: one user or several.
            mode: ``"count"``, or ``"flag"`` to learn only whether there are any, which costs the platform less.
            cap: a number at which the platform may stop counting.

        Returns:
            The numbers by your own id. Users missing from the platform's reply are left out. The reply's shape is
            not
            public: a list of rows and an object by user id are both accepted.

        Raises:
            InvalidInputError: there is no id, one cannot be used, or `cap` is less than 1.
        """
        if mode not in ("count", "flag"):
            msg = f"mode must be 'count' or 'flag', not {mode!r}"
            raise InvalidInputError(msg, field="mode")
        if cap is not None and cap < 1:
            msg = f"cap must be at least 1, not {cap}"
            raise InvalidInputError(msg, field="cap")
        app = await self._context.open()
        found: dict[str, int] = {}
        for batch in _batches(_plain(app, ids)):
            body: dict[str, Any] = {"userIds": batch, "mode": mode}
            if cap is not None:
                body["cap"] = cap
            reply = await app.call(operations.UNREAD_COUNTS, data=body)
            found |= read_unread(reply.data, app.names, origin=reply.origin)
        return {id: bool(count) for id, count in found.items()} if mode == "flag" else found

    async def set_tags(self, ids: Id | Iterable[Id], tags: str | Iterable[str]) -> Report:
        """Set the tags of users, replacing the existing ones; an empty list removes all.

        The route takes record ids. Pass them if you have them (`User.record_id`, a `MongoId`): your own ids are looked
        up in the listing of users, which costs a request for every 500 users until all are found.

        Returns:
            A report with an outcome ``updated`` for each user.

        Raises:
            InvalidInputError: there is no user, or an id or a tag cannot be used.
            NotFoundError: one of the users does not exist.
            UnauthorizedError: the route requires a user's session.
        """
        return await self._change_tags(operations.SET_TAGS, ids, _tags(tags))

    async def add_tags(self, ids: Id | Iterable[Id], tags: str | Iterable[str]) -> Report:
        """Add tags to users, keeping the existing ones; see `set_tags`.

        Raises:
            InvalidInputError: there is no user or no tag, or one cannot be used.
        """
        return await self._change_tags(operations.ADD_TAGS, ids, _some_tags(tags))

    async def remove_tags(self, ids: Id | Iterable[Id], tags: str | Iterable[str]) -> Report:
        """Remove tags from users; see `set_tags`.

        Raises:
            InvalidInputError: there is no user or no tag, or one cannot be used.
        """
        return await self._change_tags(operations.DELETE_TAGS, ids, _some_tags(tags))

    async def update_profile(
        self,
        id: Id,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        description: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Outcome[str]:
        """Update a user's profile on their behalf. None leaves a field unchanged, an empty text clears it.

        Args:
            id: your own id, the prefixed name, a JID or a `MongoId`.
            fields: further fields by the platform's own names, such as ``phone``; None is sent as null.

        Returns:
            An outcome ``updated``.

        Raises:
            InvalidInputError: nothing is to be changed.
            NotFoundError: there is no such user.
            UnauthorizedError: the route requires a user's session.
        """
        texts = {"first_name": first_name, "last_name": last_name, "description": description}
        named = {"first_name": "firstName", "last_name": "lastName", "description": "description"}
        data: dict[str, Any] = {
            named[field]: optional_text(text, field) for field, text in texts.items() if text is not None
        }
        data |= fields or {}
        if not data:
            msg = "nothing to change: pass first_name, last_name, description or fields"
            raise InvalidInputError(msg, field="first_name")
        app = await self._context.open()
        key = app.names.lookup(id)
        reply = await app.call(operations.UPDATE_PROFILE, path={"user": key}, data=data)
        return Outcome(key, key, "updated", attempts=reply.attempts, request_id=reply.request_id)

    async def export(self) -> bytes:
        """Return the app's users in the platform's export format: a CSV file.

        Raises:
            UnauthorizedError: the route requires a user's session.
        """
        app = await self._context.open()
        return (await app.call(operations.EXPORT_USERS, decode=False)).body

    def import_many(
        self,
        users: Iterable[UserImport] | AsyncIterable[UserImport],
        *,
        batch_size: int = BATCH_SIZE,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[UserImport]:
        """Create users who have no id of yours: the import that an app's owner does before launch.

        Each ends ``created`` (its `value` is the `User` with the id that the platform generated), ``existed`` when the
        e-mail address is taken, ``failed`` or ``unknown``. A batch that is rejected because of one user is split around
        that one. The route requires a user's session; with the app's own token use `Users.create_many`.

        Raises:
            InvalidInputError: `batch_size` is not from 1 to 100, or `concurrency` less than 1.
        """

        @asynccontextmanager
        async def working() -> WorkGenerator[UserImport]:
            send = partial(self._import_batch, await self._context.open())
            yield lambda batch: split_around(batch, send, lambda user: user.email)

        return self._run(users, working, batch_size, concurrency, ordered=ordered)

    def _run(
        self,
        items: Iterable[T] | AsyncIterable[T],
        working: Callable[[], AbstractAsyncContextManager[Work[T]]],
        batch_size: int,
        concurrency: int,
        *,
        ordered: bool,
    ) -> Run[T]:
        if batch_size > BATCH_SIZE:
            msg = f"batch_size must be from 1 to {BATCH_SIZE}, not {batch_size}"
            raise InvalidInputError(msg, field="batch_size")
        emitter = self._context.emitter
        emit = emitter.emit if emitter.wanted else None
        return Run(items, working, batch_size=batch_size, concurrency=concurrency, ordered=ordered, emit=emit)

    async def _change_tags(self, operation: Operation, ids: Id | Iterable[Id], tags: list[str]) -> Report:
        app = await self._context.open()
        report = Report()
        plain = _plain(app, ids)
        records = dict(zip(plain, await find_record_ids(self._context, plain), strict=True))
        for batch in _batches(plain):
            data = {"usersIdList": [records[id] for id in batch], "tagsList": tags}
            try:
                reply = await app.call(operation, data=data)
            except ChatError as error:
                if not report.total:
                    raise
                # Not raised: the results of earlier requests would be lost, and the error would say that nothing was
                # done.
                return report.add_all(failed(id, id, error) for id in plain[report.total :])
            report.add_all(
                Outcome(id, id, "updated", attempts=reply.attempts, request_id=reply.request_id) for id in batch
            )
        return report

    async def _import_batch(self, app: App, users: Sequence[UserImport]) -> list[Outcome[UserImport]]:
        body = [{"email": user.email, "firstName": user.first_name, "lastName": user.last_name} for user in users]
        try:
            reply = await app.call(operations.IMPORT_USERS, data={"usersList": body})
        except ConflictError as error:
            if len(users) > 1:
                raise
            return [Outcome(users[0], users[0].email, "existed", attempts=error.attempts, request_id=error.request_id)]
        return [*rows.traceable(rows.match_imported(users, reply.data, app.names, attempts=reply.attempts), reply)]


def _plain(app: App, ids: Id | Iterable[Id]) -> list[str]:
    plain = list(dict.fromkeys(app.names.lookup(id, "ids") for id in several(ids)))
    if not plain:
        msg = "ids is empty: pass at least one user id"
        raise InvalidInputError(msg, field="ids")
    return plain


def _batches(ids: Sequence[str]) -> list[list[str]]:
    return [list(ids[start : start + BATCH_SIZE]) for start in range(0, len(ids), BATCH_SIZE)]


def _tags(tags: str | Iterable[str]) -> list[str]:
    several = [tags] if isinstance(tags, str) else tags
    cleaned = list(dict.fromkeys(optional_text(tag, "tags") for tag in several))
    if "" in cleaned:
        msg = "tags holds an empty text"
        raise InvalidInputError(msg, field="tags")
    return cleaned


def _some_tags(tags: str | Iterable[str]) -> list[str]:
    cleaned = _tags(tags)
    if not cleaned:
        msg = "tags is empty: pass at least one tag"
        raise InvalidInputError(msg, field="tags")
    return cleaned


__all__ = ["BATCH_SIZE", "CONCURRENCY", "UserAdministration"]
