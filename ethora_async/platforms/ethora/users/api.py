"""``ethora.users``: the users of an app (docs/platforms/ethora.md#users)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

from ethora_async._distinct import Distinct
from ethora_async.bulk.jobs import JOB_TIMEOUT, JobTimes, wait_for_job
from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.bulk.split import split_around
from ethora_async.config import Seconds, seconds
from ethora_async.errors import ConflictError, InvalidInputError, NotFoundError
from ethora_async.pages import Pages
from ethora_async.platforms.ethora import names, wire
from ethora_async.platforms.ethora.app_records import AppRecords
from ethora_async.platforms.ethora.listings import LARGEST_PAGE, list_for_comparison, user_pages
from ethora_async.platforms.ethora.platform_records import own_users
from ethora_async.platforms.ethora.sync_support import SHORT_NAMES, USER_FIELDS, comparable_user, user_change
from ethora_async.platforms.ethora.users import batch_rows as rows
from ethora_async.platforms.ethora.users.admin import BATCH_SIZE, CONCURRENCY, UserAdministration, run_in_batches
from ethora_async.platforms.ethora.users.records import UserChange
from ethora_async.records import Chat, Id, MongoId, NewUser, User, several
from ethora_async.redaction import wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence

    from ethora_async.bulk.report import Report
    from ethora_async.bulk.run import Run, WorkGenerator
    from ethora_async.capabilities import ListedUsers, ShortNames, State
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.platforms.ethora.users.records import UserImport
    from ethora_async.redaction import Secret
    from ethora_async.request import Operation


_IDS_IN_MEMORY = 40_000
"""Ids of one run that are kept in memory, some 5 MB, to find those that occur twice."""


class Users(AppRecords):
    """The users of one app.

    The routes of tags, profiles, import and export require the session of a user who may manage the app (see
    docs/platforms/ethora.md#users), not the app's own server token: use an `in_app` with such a session.
    """

    def __init__(self, context: AppContext, *, bot_jid: str | None = None) -> None:
        super().__init__(context)
        self._bot_jid = bot_jid
        self._administration = UserAdministration(context)

    async def create(
        self,
        id: Id,
        *,
        email: str,
        first_name: str,
        last_name: str,
        password: str | Secret | None = None,
        profile_image: str | None = None,
        timeout: Seconds = JOB_TIMEOUT,
    ) -> Outcome[NewUser]:
        """Create one user, and wait until the platform has done it.

        Returns:
            An outcome ``created`` or ``existed``; an existing user is left unchanged. `value` holds the `User` if
            the reply contains it.

        Raises:
            InvalidInputError: an argument cannot be used.
            ConflictError: the e-mail address belongs to another user of the app.
            JobFailedError, JobTimeoutError: the platform's job failed, or took longer than `timeout`.
            ChatError: see `ethora_async.errors`.
        """
        password = wrapped(password)
        user = NewUser(
            id=id,
            email=email,
            first_name=first_name,
            last_name=last_name,
            password=password,
            profile_image=profile_image,
        )
        app = await self._context.open()
        app.names.own(user.id)
        outcomes = await self._create_batch(app, [user], timeout=seconds(timeout, "timeout"))
        return outcomes[0].raise_for_failure()

    def create_many(
        self,
        users: Iterable[NewUser] | AsyncIterable[NewUser],
        *,
        batch_size: int = BATCH_SIZE,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
        timeout: Seconds = JOB_TIMEOUT,
        synchronous: bool = False,
    ) -> Run[NewUser]:
        """Create any number of users, `batch_size` per request, with `concurrency` concurrent requests and flat memory.

        Each ends ``created``, ``existed`` (left unchanged), ``failed`` or ``unknown``. A batch that is rejected because
        of one user is split around that one. A second user with the same id is ``failed: InvalidInputError``; one
        whose e-mail address belongs to somebody else is ``failed: ConflictError``. `timeout` is the deadline of each
        batch's job.

        `synchronous` uses the platform's older route, which answers at once and starts no job. It rejects a whole batch
        because of one existing user: the batch is split around that one, who is then looked up. Use it for few users,
        most of them new; only for the client's own app.

        Raises:
            InvalidInputError: `batch_size` is not from 1 to 100, `concurrency` less than 1, or `synchronous` is asked
                for under `in_app` (raised by the run).
        """
        job_timeout = seconds(timeout, "timeout")

        @asynccontextmanager
        async def working() -> WorkGenerator[NewUser]:
            app = await self._context.open()
            send = self._sender(app, job_timeout, synchronous=synchronous)
            send_plain = partial(send, plain=True)

            async with Distinct(in_memory=_IDS_IN_MEMORY) as seen:

                async def work(batch: Sequence[NewUser]) -> Sequence[Outcome[NewUser]]:
                    keys = app.names.own_keys([user.id for user in batch])
                    if keys is not None and seen.add_new(keys):  # nearly always
                        return await split_around(batch, send_plain, lambda user: user.id)
                    fit, unfit = (batch, {}) if keys is not None else _sorted_by_id(batch, app.names.own)
                    earlier = await seen.add([(one, 0) for one in keys or [names.key(user.id) for user in fit]])
                    if not unfit and earlier.count(None) == len(earlier):
                        return await split_around(batch, send, lambda user: user.id)
                    fresh = [user for user, place in zip(fit, earlier, strict=True) if place is None]
                    done = iter(await split_around(fresh, send, lambda user: user.id) if fresh else ())
                    outcomes = (
                        next(done) if place is None else _repeated(user, user.id)
                        for user, place in zip(fit, earlier, strict=True)
                    )
                    return [unfit[place] if place in unfit else next(outcomes) for place in range(len(batch))]

                yield work

        return run_in_batches(self._context, users, working, batch_size, concurrency, ordered=ordered)

    async def get(self, id: Id) -> User:
        """Return one user, by your own id, the prefixed name, a JID or a `MongoId`.

        Under `in_app` the route is ``GET /v1/apps/users/{name}``, which takes names only. The sandbox lets a parent's
        token look up the users of its children there; whether real servers do is not known.

        Raises:
            InvalidInputError: under `in_app`, `id` is a `MongoId`.
            NotFoundError: there is no such user.
        """
        app = await self._context.open()
        name = app.names.lookup_name(id)
        operation = app.operations.get_user
        by_record = isinstance(name, MongoId)
        if "{user}" not in operation.path:
            reply = await app.call(operation, query={"userId" if by_record else "xmppUsername": name})
        elif by_record:
            msg = (
                "users of another app are looked up by your own id, not by a MongoId: pass the id or the prefixed name"
            )
            raise InvalidInputError(msg, field="id")
        else:
            reply = await app.call(operation, path={"user": name})
        data = wire.result(reply.data)
        if not wire.holds_list(data, "users"):
            return wire.read_user(data, app.names, origin=reply.origin)
        # If the filter is treated as a search, or unknown, the reply is a list of other users.
        for user in wire.read_users(data, app.names, origin=reply.origin)[0]:
            if name in (user.xmpp_username, user.record_id):
                return user
        msg = f"no user {app.names.shown(id)!r}"
        raise NotFoundError(msg, operation=operation.name, status=reply.status, attempts=reply.attempts)

    def list(self, *, chat: Id | None = None, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[User]:
        """List the app's users, or the members of one chat, including the platform's own accounts (owner, bots).

        Under `in_app` the users come from ``GET /v1/users/{app}``, which requires a user's session; and the members
        from the app's listing of chats, read until the chat is found: no other known route names both the app and the
        chat.

        Args:
            chat: your own id of a chat, its name or JID.
            limit: users in a page, 1 to 500 (default 500).
            offset: where to start; 0 is the first.

        Raises:
            NotFoundError: on reading, under `in_app`: there is no such chat.
            ReplyLostError: on reading, under `in_app`: the listing contains fewer members of the chat than its count.
        """
        return user_pages(self._context, chat=chat, limit=limit, offset=offset)

    def chats(
        self, id: Id, *, include_members: bool = False, limit: int = LARGEST_PAGE, offset: int = 0
    ) -> Pages[Chat]:
        """Return the chats that a user is a member of.

        Args:
            id: the user's own id, the prefixed name, a JID or a `MongoId`.
            include_members: whether each chat lists its members.
        """

        async def fetch(offset: int, limit: int) -> tuple[tuple[Chat, ...], int | None]:
            app = await self._context.open()
            query: dict[str, str | int] = {"limit": limit, "offset": offset}
            if include_members:
                query["includeMembers"] = "true"
            operation = app.operations.user_chats
            reply = await app.call(operation, path={"user": app.names.lookup(id)}, query=query)
            return wire.read_chats(reply.data, app.names, origin=reply.origin)

        return Pages(fetch, lambda chat: chat.name, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def update(
        self,
        id: Id,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        username: str | None = None,
        profile_image: str | None = None,
    ) -> Outcome[UserChange]:
        """Update a user's names or picture. None leaves a field unchanged, an empty text clears it.

        Returns:
            An outcome that is ``updated`` or ``unchanged``.

        Raises:
            InvalidInputError: nothing is to be changed.
            NotFoundError: there is no such user.
        """
        change = UserChange(
            id=id, first_name=first_name, last_name=last_name, username=username, profile_image=profile_image
        )
        app = await self._context.open()
        return (await self._update_batch(app, [change]))[0].raise_for_failure()

    def update_many(
        self,
        changes: Iterable[UserChange] | AsyncIterable[UserChange],
        *,
        batch_size: int = BATCH_SIZE,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[UserChange]:
        """Update any number of users; each ends ``updated``, ``unchanged``, ``failed`` or ``unknown``."""

        @asynccontextmanager
        async def working() -> WorkGenerator[UserChange]:
            app = await self._context.open()
            send = partial(self._update_batch, app)
            yield lambda batch: split_around(batch, send, lambda change: app.names.shown(change.id))

        return run_in_batches(self._context, changes, working, batch_size, concurrency, ordered=ordered)

    async def delete(self, id: Id) -> Outcome[Id]:
        """Delete one user.

        Returns:
            An outcome that is ``deleted``, or ``absent`` when there was no such user.
        """
        app = await self._context.open()
        return (await self._delete_batch(app, [id]))[0].raise_for_failure()

    def delete_many(
        self,
        ids: Id | Iterable[Id] | AsyncIterable[Id],
        *,
        batch_size: int = BATCH_SIZE,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[Id]:
        """Delete any number of users; each ends ``deleted``, ``absent``, ``failed`` or ``unknown``.

        The platform rejects a whole batch because of one unknown id (docs/platforms/ethora.md#deleting-users): it is
        split around that one.
        """

        @asynccontextmanager
        async def working() -> WorkGenerator[Id]:
            app = await self._context.open()
            send = partial(self._delete_batch, app)
            yield lambda batch: split_around(batch, send, app.names.shown)

        return run_in_batches(self._context, several(ids), working, batch_size, concurrency, ordered=ordered)

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
            not public: a list of rows and an object by user id are both accepted.

        Raises:
            InvalidInputError: there is no id, one cannot be used, or `cap` is less than 1.
        """
        return await self._administration.unread_counts(ids, mode=mode, cap=cap)

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
        return await self._administration.set_tags(ids, tags)

    async def add_tags(self, ids: Id | Iterable[Id], tags: str | Iterable[str]) -> Report:
        """Add tags to users, keeping the existing ones; see `set_tags`.

        Raises:
            InvalidInputError: there is no user or no tag, or one cannot be used.
        """
        return await self._administration.add_tags(ids, tags)

    async def remove_tags(self, ids: Id | Iterable[Id], tags: str | Iterable[str]) -> Report:
        """Remove tags from users; see `set_tags`.

        Raises:
            InvalidInputError: there is no user or no tag, or one cannot be used.
        """
        return await self._administration.remove_tags(ids, tags)

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
        return await self._administration.update_profile(
            id, first_name=first_name, last_name=last_name, description=description, fields=fields
        )

    async def export(self) -> bytes:
        """Return the app's users in the platform's export format: a CSV file.

        Raises:
            UnauthorizedError: the route requires a user's session.
        """
        return await self._administration.export()

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
        return self._administration.import_many(users, batch_size=batch_size, concurrency=concurrency, ordered=ordered)

    async def list_for_comparison(
        self, reserved: Callable[[User], bool], keep: Callable[[ListedUsers], Awaitable[int]]
    ) -> None:
        """List what `list` lists, a page at a time, with the fields that a comparison needs.

        Args:
            reserved: a result of `reserved`.
            keep: takes each page; returns how many of its users were not listed before.
        """
        await list_for_comparison(self._context, reserved, keep)

    @property
    def changeable(self) -> frozenset[str]:
        """The compared fields that can be changed: names and picture, not the e-mail address."""
        return USER_FIELDS

    def plain_keys(self, ids: Sequence[str]) -> Sequence[str] | None:
        """Return the `key` of each id, or None if one of them needs a closer look. `own_id` returns each as it is.

        Raises:
            ConfigError: as `plain_id`.
        """
        return self._context.known().names.own_keys(ids)

    @property
    def short_names(self) -> ShortNames:
        """Names of one letter, which some servers refuse."""
        return SHORT_NAMES

    @property
    def compared(self) -> frozenset[str]:
        """The fields that `comparable` returns: all of a new user but the id and the password."""
        return USER_FIELDS | {"email"}

    def comparable(self, user: NewUser | User) -> State:
        """Return ``email``, ``first_name``, ``last_name`` and ``profile_image``; None for an unstated field."""
        return comparable_user(user)

    def change(self, user: NewUser, fields: frozenset[str], *, current: str | None = None) -> UserChange:
        """Return the change that sets these fields to the values of `user`; other fields stay.

        Args:
            user: the wanted user.
            fields: some of `changeable`.
            current: the id of the record to change, if it differs.
        """
        return user_change(user, fields, current=current)

    async def reserved(self) -> Callable[[User], bool]:
        """Return a predicate for the platform's own accounts. One request.

        They are the owner's (ids ``owner-…``), widget visitors' (``widget-…``) and bots', among them the one that
        ``bot_jid=`` names. An account of yours with such an id looks the same: `Users.create_many` creates it, but a
        sync or a reset never changes or deletes it.
        """
        return await own_users(self._context, self._bot_jid)

    def _sender(
        self, app: App, timeout: float, *, synchronous: bool
    ) -> Callable[..., Awaitable[Sequence[Outcome[NewUser]]]]:
        """Return the function that creates the users of one batch; `plain` tells it that `own_keys` takes their ids."""
        if not synchronous:
            return partial(self._create_batch, app, timeout=timeout, times=JobTimes())
        if app.operations.create_users_now is None:
            msg = "synchronous creation is for the client's own app: the route takes the app from the token"
            raise InvalidInputError(msg, field="synchronous")
        return partial(self._create_now, app, app.operations.create_users_now)

    async def _create_batch(
        self,
        app: App,
        users: Sequence[NewUser],
        *,
        timeout: float,
        times: JobTimes | None = None,
        plain: bool = False,
    ) -> Sequence[Outcome[NewUser]]:
        reply = await app.call(app.operations.create_users, data=_creation(app, users, plain=plain))
        finished, attempts = reply.data, reply.attempts
        if job := rows.job_id(reply.data):

            async def read() -> Any:
                operation = app.operations.create_users_job
                return (await app.call(operation, path={"job": job}, decode=rows.read_job)).data

            finished = await wait_for_job(
                read,
                operation=app.operations.create_users.name,
                clock=self._context.clock,
                timeout=timeout,
                known=[user.password for user in users if user.password is not None],
                times=times,
            )
        return rows.traceable(rows.match_created(users, finished, app.names, attempts=attempts), reply)

    async def _create_now(
        self, app: App, operation: Operation, users: Sequence[NewUser], *, plain: bool = False
    ) -> Sequence[Outcome[NewUser]]:
        try:
            reply = await app.call(operation, data=_creation(app, users, plain=plain))
        except ConflictError as refusal:
            if len(users) > 1:
                raise
            return [await self._existing(users[0], refusal)]
        return rows.traceable(rows.match_created(users, reply.data, app.names, attempts=reply.attempts), reply)

    async def _existing(self, user: NewUser, refusal: ConflictError) -> Outcome[NewUser]:
        key = user.id
        try:
            # The error does not say which one exists: the id, or somebody else's e-mail address.
            found = await self.get(user.id)
        except NotFoundError:
            return failed(user, key, refusal)
        if found.id != key:
            msg = f"user {key!r} cannot be created because {found.id!r} exists: the chat server treats both as one user"
            return failed(user, key, ConflictError(msg, operation=refusal.operation, attempts=refusal.attempts))
        return Outcome(user, key, "existed", value=found, attempts=refusal.attempts, request_id=refusal.request_id)

    async def _update_batch(self, app: App, changes: Sequence[UserChange]) -> Sequence[Outcome[UserChange]]:
        body = {"users": [rows.change_body(change, app.names) for change in changes]}
        reply = await app.call(app.operations.update_users, data=body)
        return rows.traceable(rows.match_updated(changes, reply.data, app.names, attempts=reply.attempts), reply)

    async def _delete_batch(self, app: App, ids: Sequence[Id]) -> Sequence[Outcome[Id]]:
        plain = [app.names.lookup(id) for id in ids]
        try:
            reply = await app.call(app.operations.delete_users, data={"usersIdList": plain})
        except NotFoundError as error:
            if len(ids) > 1:
                raise
            return [Outcome(ids[0], plain[0], "absent", attempts=error.attempts, request_id=error.request_id)]
        return [
            Outcome(id, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)
            for id, key in zip(ids, plain, strict=True)
        ]


def _creation(app: App, users: Sequence[NewUser], *, plain: bool) -> dict[str, Any]:
    ids = [user.id for user in users]
    if not plain and app.names.own_keys(ids) is None:
        ids = [app.names.own(id) for id in ids]
    return {"bypassEmailConfirmation": True, "usersList": list(map(wire.user_body, users, ids))}


def _sorted_by_id(
    batch: Sequence[NewUser], own: Callable[[Id], str]
) -> tuple[list[NewUser], dict[int, Outcome[NewUser]]]:
    """Return the users with valid ids, and the outcomes of the others by index."""
    fit: list[NewUser] = []
    unfit: dict[int, Outcome[NewUser]] = {}
    for place, user in enumerate(batch):
        try:
            own(user.id)
        except InvalidInputError as error:
            unfit[place] = failed(user, user.id, error)
        else:
            fit.append(user)
    return fit, unfit


def _repeated(user: NewUser, key: str) -> Outcome[NewUser]:
    msg = f"id {user.id!r} occurs more than once"
    return failed(user, key, InvalidInputError(msg, field="id"))


__all__ = ["BATCH_SIZE", "CONCURRENCY", "LARGEST_PAGE", "UserChange", "Users"]
