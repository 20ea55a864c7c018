"""Administration of an app's users: tags, unread counts, import, export (docs/platforms/ethora.md#users)."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

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
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.platforms.ethora.users.records import UserImport
    from ethora_async.request import Operation

T = TypeVar("T")

BATCH_SIZE = 100
"""Maximum number of users in one request."""


class UserAdministration:
    """The administration methods of `Users`."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def unread_counts(
        self, ids: Id | Iterable[Id], *, mode: Literal["count", "flag"], cap: int | None
    ) -> dict[str, int] | dict[str, bool]:
        """See `Users.unread_counts`."""
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
        """See `Users.set_tags`."""
        return await self._change_tags(operations.SET_TAGS, ids, _tags(tags))

    async def add_tags(self, ids: Id | Iterable[Id], tags: str | Iterable[str]) -> Report:
        """See `Users.add_tags`."""
        return await self._change_tags(operations.ADD_TAGS, ids, _some_tags(tags))

    async def remove_tags(self, ids: Id | Iterable[Id], tags: str | Iterable[str]) -> Report:
        """See `Users.remove_tags`."""
        return await self._change_tags(operations.DELETE_TAGS, ids, _some_tags(tags))

    async def update_profile(
        self,
        id: Id,
        *,
        first_name: str | None,
        last_name: str | None,
        description: str | None,
        fields: Mapping[str, Any] | None,
    ) -> Outcome[str]:
        """See `Users.update_profile`."""
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
        """See `Users.export`."""
        app = await self._context.open()
        return (await app.call(operations.EXPORT_USERS, decode=None)).body

    def import_many(
        self,
        users: Iterable[UserImport] | AsyncIterable[UserImport],
        *,
        batch_size: int,
        concurrency: int,
        ordered: bool,
    ) -> Run[UserImport]:
        """See `Users.import_many`."""

        @asynccontextmanager
        async def working() -> WorkGenerator[UserImport]:
            send = partial(self._import_batch, await self._context.open())
            yield lambda batch: split_around(batch, send, lambda user: user.email)

        return run_in_batches(self._context, users, working, batch_size, concurrency, ordered=ordered)

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


def run_in_batches(
    context: AppContext,
    items: Iterable[T] | AsyncIterable[T],
    working: Callable[[], AbstractAsyncContextManager[Work[T]]],
    batch_size: int,
    concurrency: int,
    *,
    ordered: bool,
) -> Run[T]:
    """Return a run over users with `batch_size` per request.

    Raises:
        InvalidInputError: `batch_size` is not from 1 to 100, or `concurrency` less than 1.
    """
    if batch_size > BATCH_SIZE:
        msg = f"batch_size must be from 1 to {BATCH_SIZE}, not {batch_size}"
        raise InvalidInputError(msg, field="batch_size")
    emit = context.emitter.emit if context.emitter.wanted else None
    return Run(items, working, batch_size=batch_size, concurrency=concurrency, ordered=ordered, emit=emit)


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


__all__ = ["BATCH_SIZE", "CONCURRENCY", "UserAdministration", "run_in_batches"]
