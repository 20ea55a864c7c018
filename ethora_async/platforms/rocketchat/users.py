"""``rocketchat.users``: the users of a server (docs/platforms/rocketchat.md#users)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.errors import ChatError, ConflictError, InvalidInputError, NotFoundError, ReplyLostError
from ethora_async.pages import Pages
from ethora_async.platforms.rocketchat import operations, wire
from ethora_async.platforms.rocketchat.directory import check_name, user_query
from ethora_async.platforms.rocketchat.name_rules import USER_NAMES, name_rule
from ethora_async.platforms.rocketchat.names import key as folded
from ethora_async.platforms.rocketchat.names import lookup
from ethora_async.platforms.rocketchat.user_profile import UserProfiles
from ethora_async.platforms.rocketchat.user_records import UserChange, UserOptions
from ethora_async.records import Chat, Id, NewUser, User, several
from ethora_async.redaction import wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence

    from ethora_async.bulk.run import WorkGenerator
    from ethora_async.capabilities import NameRule, State
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.redaction import Secret

T = TypeVar("T")

LARGEST_PAGE = 100
"""Records in a page: the server's default maximum."""
_OWN_ROLES = frozenset({"admin", "bot", "app"})


class Users(UserProfiles):
    """The users of one server. Your own id of a user is the user name; a `RecordId` names Rocket.Chat's own."""

    changeable: frozenset[str] = frozenset({"name", "email", "id"})

    left_out: Mapping[str, str] = MappingProxyType(
        {"profile_image": "Rocket.Chat lists no pictures, so it is neither set nor compared: users.set_avatar sets one"}
    )
    """Fields of a `NewUser` that are neither stored nor compared, with the reason."""

    def __init__(self, context: ServerContext, forget: Callable[[str], None]) -> None:
        self._context = context
        self._forget = forget

    async def create(
        self,
        id: Id,
        *,
        email: str,
        first_name: str,
        last_name: str,
        password: str | Secret | None = None,
        options: UserOptions | None = None,
    ) -> Outcome[NewUser]:
        """Create one user.

        Args:
            id: the user name: letters, digits, ``-``, ``_`` and ``.`` unless the server allows more.
            first_name, last_name: shown together as one name.
            password: for those who log in by themselves; None generates a random one.

        Returns:
            An outcome ``created`` or ``existed``; an existing user is left unchanged. `value` holds the `User`.

        Raises:
            InvalidInputError: an argument cannot be used.
            ConflictError: the e-mail address belongs to another user.
            ValidationFailedError: the server does not allow such a user name, address or password.
            ForbiddenError: the admin lacks the permission ``create-user``.
        """
        password = wrapped(password)
        user = NewUser(
            id=id,
            email=email,
            first_name=first_name,
            last_name=last_name,
            password=password,
        )
        return (await self._create_one(await self._context.open(), user, options)).raise_for_failure()

    def create_many(
        self,
        users: Iterable[NewUser] | AsyncIterable[NewUser],
        *,
        options: UserOptions | None = None,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[NewUser]:
        """Create any number of users, one request each, `concurrency` at once.

        Each ends ``created``, ``existed`` (left unchanged), ``failed`` or ``unknown``.
        """
        return self._run(users, lambda api, user: self._create_one(api, user, options), concurrency, ordered=ordered)

    async def get(self, id: Id) -> User:
        """Return one user, by user name or `RecordId`.

        Raises:
            NotFoundError: there is no such user.
        """
        return await self._get(await self._context.open(), lookup(id))

    def list(self, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[User]:
        """List all users, including the platform's own accounts (admins, bots), up to the total that the server
        reports.

        Args:
            limit: users in a page, 1 to 100 (default 100): the server silently clamps larger ones.
            offset: where to start; 0 is the first.
        """

        async def fetch(offset: int, limit: int) -> tuple[tuple[User, ...], int | None]:
            api = await self._context.open()
            operation = operations.LIST_USERS
            reply = await api.call(operation, query={"offset": offset, "count": limit})
            users = wire.read_list(reply.data, "users", wire.read_user, origin=reply.origin)
            return users, wire.total(reply.data)

        return Pages(fetch, lambda user: user.record_id or user.id, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def chats(self, id: Id) -> tuple[Chat, ...]:
        """Return the rooms that a user is in, including direct ones; called as the admin, so it needs no token of the
        user.

        The rooms have little more than their name and kind; ``extra`` holds the user's ``roles`` and ``unread`` there.
        `RocketChatClient.as_user` returns complete rooms.

        Raises:
            NotFoundError: there is no such user.
        """
        api = await self._context.open()
        operation = operations.GET_USER
        reply = await api.call(operation, query={**user_query(lookup(id)), "includeUserRooms": "true"})
        user = reply.data.get("user")
        check_name(lookup(id), wire.read_user(user, origin=reply.origin).id, operation.name)
        if isinstance(user, dict) and user.get("rooms") is None:
            return ()
        return wire.read_list(user, "rooms", wire.read_chat, origin=reply.origin)

    async def update(
        self,
        id: Id,
        *,
        name: str | None = None,
        email: str | None = None,
        username: str | None = None,
        password: str | Secret | None = None,
        active: bool | None = None,
        verified: bool | None = None,
        roles: str | Iterable[str] | None = None,
    ) -> Outcome[UserChange]:
        """Update a user; None leaves a field unchanged. See `UserChange`. The server requires a second factor.

        Returns:
            An outcome ``updated``; `value` holds the `User`.

        Raises:
            InvalidInputError: nothing is to be changed.
            NotFoundError: there is no such user.
            ConflictError: the user name or the e-mail address belongs to somebody else.
            TwoFactorRequiredError: the server requires a second factor that this client does not have.
        """
        password = wrapped(password)
        change = UserChange(
            id=id,
            name=name,
            email=email,
            username=username,
            password=password,
            active=active,
            verified=verified,
            roles=roles,
        )
        return (await self._update_one(await self._context.open(), change)).raise_for_failure()

    def update_many(
        self,
        changes: Iterable[UserChange] | AsyncIterable[UserChange],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[UserChange]:
        """Change any number of users; each ends ``updated``, ``failed`` or ``unknown``."""
        return self._run(changes, self._update_one, concurrency, ordered=ordered)

    async def set_active(self, id: Id, active: bool, *, confirm_relinquish: bool = False) -> None:
        """Activate or deactivate a user; deactivating ends all their sessions.

        Args:
            confirm_relinquish: True even where they are the last owner of rooms.

        Raises:
            NotFoundError: there is no such user.
            ConflictError: they are the last owner of a room, and `confirm_relinquish` is not given.
        """
        api = await self._context.open()
        user_id = await self._context.directory.user_id(api, id, fresh=True)
        data = {"userId": user_id, "activeStatus": active, **_relinquish(confirm_relinquish)}
        await api.call(operations.SET_ACTIVE, data=data)
        if not active:
            self._forget(user_id)

    async def delete(self, id: Id, *, confirm_relinquish: bool = False) -> Outcome[Id]:
        """Delete one user.

        Args:
            confirm_relinquish: True even where they are the last owner of rooms: those get another owner, or go too.

        Returns:
            An outcome that is ``deleted``, or ``absent`` when there was no such user.

        Raises:
            ConflictError: they are the last owner of a room, and `confirm_relinquish` is not given.
        """
        api = await self._context.open()
        return (await self._delete_one(api, id, confirm_relinquish)).raise_for_failure()

    def delete_many(
        self,
        ids: Id | Iterable[Id] | AsyncIterable[Id],
        *,
        confirm_relinquish: bool = False,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[Id]:
        """Delete any number of users; each ends ``deleted``, ``absent``, ``failed`` or ``unknown``."""
        return self._run(
            several(ids), lambda api, id: self._delete_one(api, id, confirm_relinquish), concurrency, ordered=ordered
        )

    async def name_rule(self) -> NameRule | None:
        """Return what the server demands of new names, if it tells: a public setting."""
        return await name_rule(self._context, USER_NAMES)

    def plain_id(self, id: Id) -> str:
        """Return the user name."""
        return str(lookup(id))

    def key(self, id: Id) -> str:
        """Return the key of a user name: the server ignores case when it looks a name up."""
        return folded(lookup(id))

    def comparable(self, user: NewUser | User) -> State:
        """Return ``name`` and ``email``; the name is the first and last name together."""
        return {"name": wire.full_name(user.first_name, user.last_name), "email": user.email}

    def change(self, user: NewUser, fields: frozenset[str], *, current: str | None = None) -> UserChange:
        """Return the change that sets these fields to the values of `user`; the address counts as verified.

        Args:
            user: the wanted user.
            fields: some of `changeable`.
            current: the user name of the record to change, if it differs; ``id`` renames it.
        """
        return UserChange(
            id=user.id if current is None else current,
            name=wire.full_name(user.first_name, user.last_name) if "name" in fields else None,
            email=user.email if "email" in fields else None,
            username=self.plain_id(user.id) if "id" in fields else None,
            verified=True if "email" in fields else None,
        )

    async def reserved(self) -> Callable[[User], bool]:
        """Return a predicate for admins, bots, apps and this client's own account."""
        api = await self._context.open()
        reply = await api.call(operations.ME)
        own = reply.data.get("_id")

        def is_reserved(user: User) -> bool:
            roles = user.extra.get("roles")
            kind = user.extra.get("type")
            return (
                user.record_id == own
                or (isinstance(roles, list) and not _OWN_ROLES.isdisjoint(roles))
                or (kind is not None and kind != "user")
            )

        return is_reserved

    def _run(
        self,
        items: Iterable[T] | AsyncIterable[T],
        one: Callable[[Api, T], Awaitable[Outcome[T]]],
        concurrency: int,
        *,
        ordered: bool,
    ) -> Run[T]:
        return each(self._context, items, one, concurrency, ordered=ordered)

    async def _get(self, api: Api, name: str) -> User:
        reply = await api.call(operations.GET_USER, query=user_query(name))
        user = wire.read_user(reply.data.get("user"), origin=reply.origin)
        check_name(name, user.id, operations.GET_USER.name)
        return user

    async def _create_one(self, api: Api, user: NewUser, options: UserOptions | None) -> Outcome[NewUser]:
        body = wire.user_body(user, (options or UserOptions()).body())
        try:
            reply = await api.call(operations.CREATE_USER, data=body)
        except ConflictError as refusal:
            return await self._existing(api, user, refusal)
        except ChatError as error:
            return failed(user, user.id, error)
        try:
            made = wire.read_user(reply.data.get("user"), origin=reply.origin)
        except ReplyLostError:
            made = None  # a 2xx means success, even if the user in the reply is invalid
        return Outcome(user, user.id, "created", value=made, attempts=reply.attempts, request_id=reply.request_id)

    async def _existing(self, api: Api, user: NewUser, refusal: ConflictError) -> Outcome[NewUser]:
        try:
            # The error may concern the user name, or somebody else's e-mail address.
            reply = await api.call(operations.GET_USER, query=user_query(user.id))
            found = wire.read_user(reply.data.get("user"), origin=reply.origin)
        except NotFoundError:
            return failed(user, user.id, refusal)
        except ChatError as error:
            return failed(user, user.id, error)
        if found.id != user.id:
            msg = f"user {user.id!r} cannot be created because {found.id!r} exists: the server treats both as one user"
            conflict = ConflictError(
                msg, operation=refusal.operation, status=refusal.status, code=refusal.code, attempts=refusal.attempts
            )
            return failed(user, user.id, conflict)
        return Outcome(user, user.id, "existed", value=found, attempts=refusal.attempts, request_id=refusal.request_id)

    async def _update_one(self, api: Api, change: UserChange) -> Outcome[UserChange]:
        directory = self._context.directory
        try:
            user_id = await directory.user_id(api, change.id, fresh=True)
            reply = await api.call(operations.UPDATE_USER, data={"userId": user_id, "data": change.body()})
            value = wire.read_user(reply.data.get("user"), origin=reply.origin)
        except NotFoundError as error:
            directory.forget_user(change.id)
            return failed(change, str(change.id), error)
        except ChatError as error:
            return failed(change, str(change.id), error)
        if change.username is not None:
            directory.forget_user(change.id)
        if change.active is False or change.password is not None:
            self._forget(user_id)
        return Outcome(
            change, str(change.id), "updated", value=value, attempts=reply.attempts, request_id=reply.request_id
        )

    async def _delete_one(self, api: Api, id: Id, confirm: bool) -> Outcome[Id]:
        try:
            name = lookup(id)
        except InvalidInputError as error:
            return failed(id, str(id), error)
        key = str(name)
        try:
            # By record id: given a name, the server deletes the user who has it in any spelling.
            user_id = await self._context.directory.user_id(api, name, fresh=True)
            reply = await api.call(operations.DELETE_USER, data={"userId": user_id, **_relinquish(confirm)})
        except NotFoundError as error:
            self._gone(name)
            return Outcome(id, key, "absent", attempts=error.attempts, request_id=error.request_id)
        except ChatError as error:
            return failed(id, key, error)
        self._gone(name)
        return Outcome(id, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)

    def _gone(self, name: str) -> None:
        directory = self._context.directory
        if (user_id := directory.known_user(name)) is not None:
            self._forget(user_id)
        directory.forget_user(name)


def each(
    context: ServerContext,
    items: Iterable[T] | AsyncIterable[T],
    one: Callable[[Api, T], Awaitable[Outcome[T]]],
    concurrency: int,
    *,
    ordered: bool,
) -> Run[T]:
    """Yield a run with one item per request: Rocket.Chat has no batches."""

    @asynccontextmanager
    async def working() -> WorkGenerator[T]:
        api = await context.open()

        async def work(batch: Sequence[T]) -> Sequence[Outcome[T]]:
            return [await one(api, item) for item in batch]

        yield work

    emit = context.emitter.emit
    return Run(items, working, batch_size=1, concurrency=concurrency, ordered=ordered, emit=emit)


def _relinquish(confirm: bool) -> dict[str, Any]:
    return {"confirmRelinquish": True} if confirm else {}


__all__ = ["LARGEST_PAGE", "UserChange", "UserOptions", "Users"]
