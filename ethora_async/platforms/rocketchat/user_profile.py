"""Presence, pictures, preferences and roles of users.

See docs/platforms/rocketchat.md#presence-and-preferences, #avatars, #roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import attrs

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import ConflictError, InvalidInputError, NotFoundError, ValidationFailedError
from ethora_async.multipart import Multipart
from ethora_async.pages import Pages
from ethora_async.platforms.rocketchat import operations_people as operations
from ethora_async.platforms.rocketchat import wire
from ethora_async.platforms.rocketchat.names import lookup
from ethora_async.records import optional_text, required_text, several

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.attachments import Attachment, Source
    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.records import Id, User
    from ethora_async.request import Origin

_LARGEST_PAGE = 100
Presence = Literal["online", "away", "busy", "offline"]


@attrs.frozen(kw_only=True)
class UserStatus:
    """A user's presence.

    Attributes:
        presence: ``online``, ``away``, ``busy`` or ``offline``.
        text: The status text.
    """

    presence: str
    text: str = ""
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class UserPresence:
    """A user's presence, with the user's names.

    Attributes:
        id: The user name.
        record_id: Rocket.Chat's own id of the user.
        name: The displayed name.
        presence: ``online``, ``away``, ``busy`` or ``offline``.
        text: The words that go with it.
        extra: Every field of the reply that has no attribute here, under the platform's name for it.
    """

    id: str
    record_id: str
    name: str | None = None
    presence: str = "offline"
    text: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


wire.codec.add(UserPresence, {"id": "username", "record_id": "_id", "presence": "status", "text": "statusText"})


class UserProfiles:
    """The methods of `Users` for presence, pictures, preferences and roles."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def status(self, id: Id) -> UserStatus:
        """Return a user's presence and status text.

        Raises:
            NotFoundError: There is no such user.
        """
        api = await self._context.open()
        user_id = await self._context.directory.user_id(api, id)
        reply = await api.call(operations.GET_STATUS, query={"userId": user_id})
        data = reply.data
        if not isinstance(data.get("status"), str):
            msg = "the platform's reply has an unexpected shape: no status"
            raise reply.origin.lost(msg)
        return UserStatus(presence=data["status"], text=str(data.get("message") or ""), request_id=reply.request_id)

    async def present(self, ids: Id | Iterable[Id] | None = None) -> tuple[UserPresence, ...]:
        """Return everybody who is not offline; or these users, offline or not.

        Raises:
            NotFoundError: There is no such user.
        """
        api = await self._context.open()
        query: dict[str, Any] = {}
        if ids is not None:
            query["ids[]"] = [await self._context.directory.user_id(api, id) for id in several(ids)]
            if not query["ids[]"]:
                return ()
        reply = await api.call(operations.PRESENT, query=query)

        def read(row: Any, *, origin: Origin, path: str) -> UserPresence:
            return wire.codec.read(row, UserPresence, origin=origin, path=path)

        return wire.read_list(reply.data, "users", read, origin=reply.origin)

    async def set_status(self, presence: Presence | None = None, *, text: str | None = None) -> None:
        """Change the caller's own presence or status text; None leaves it unchanged.

        Raises:
            InvalidInputError: Nothing is to be changed, or there is no such presence.
        """
        if presence is None and text is None:
            msg = "nothing to change: pass presence or text"
            raise InvalidInputError(msg, field="presence")
        if presence is not None and presence not in get_args(Presence):
            msg = f"presence must be one of {', '.join(get_args(Presence))}, not {presence!r}"
            raise InvalidInputError(msg, field="presence")
        data = {} if presence is None else {"status": str(presence)}
        if text is not None:
            data["message"] = optional_text(text, "text")
        api = await self._context.open()
        await api.call(operations.SET_STATUS, data=data)

    async def preferences(self) -> Mapping[str, Any]:
        """Return the caller's own preferences, under the platform's names."""
        api = await self._context.open()
        return wire.read_row((await api.call(operations.GET_PREFERENCES)).data.get("preferences"))

    async def set_preferences(self, preferences: Mapping[str, Any], *, id: Id | None = None) -> None:
        """Change preferences; others stay unchanged.

        Args:
            preferences: Under the platform's names, such as ``{"emailNotificationMode": "nothing"}``.
            id: The user; by default the caller. For others the caller needs the permission ``edit-other-user-info``.
        """
        if not preferences:
            msg = "nothing to change: preferences is empty"
            raise InvalidInputError(msg, field="preferences")
        data: dict[str, Any] = {"data": dict(preferences)}
        api = await self._context.open()
        if id is not None:
            data["userId"] = await self._context.directory.user_id(api, id, fresh=True)
        await api.call(operations.SET_PREFERENCES, data=data)

    async def set_avatar(
        self, *, id: Id | None = None, url: str | None = None, picture: Attachment | Source | None = None
    ) -> None:
        """Set a user's picture.

        Args:
            id: The user; by default the caller. For others the caller needs the permission ``edit-other-user-avatar``.
            url: The picture's URL, which the server fetches.
            picture: The picture itself, in place of `url`; see `Attachment`.

        Raises:
            InvalidInputError: There is neither a `url` nor a `picture`, or both; or the picture cannot be read.
            NotFoundError: There is no such user.
            ValidationFailedError: The server cannot use it.
        """
        if (url is None) == (picture is None):
            msg = "pass url or picture, and not both"
            raise InvalidInputError(msg, field="url")
        api = await self._context.open()
        whose = {} if id is None else {"userId": await self._context.directory.user_id(api, id, fresh=True)}
        if picture is None:
            data = {**whose, "avatarUrl": required_text(url or "", "url")}
            await api.call(operations.SET_AVATAR, data=data)
        else:
            form = await Multipart.of([("image", picture)], fields=whose)
            await api.call(operations.SET_AVATAR, upload=form)

    async def reset_avatar(self, *, id: Id | None = None) -> None:
        """Remove a user's picture; the initials are shown instead. See `set_avatar`."""
        api = await self._context.open()
        user_id = None if id is None else await self._context.directory.user_id(api, id, fresh=True)
        await api.call(operations.RESET_AVATAR, data={} if user_id is None else {"userId": user_id})

    async def add_role(self, id: Id, role: str) -> Outcome[Id]:
        """Add a server-wide role to a user, such as ``"bot"``.

        Returns:
            An outcome that is ``updated``, or ``unchanged`` when they already have it.

        Raises:
            NotFoundError: There is no such user.
            ForbiddenError: The caller lacks the permission ``assign-roles``.
        """
        return await self._set_role(id, role, add=True)

    async def remove_role(self, id: Id, role: str) -> Outcome[Id]:
        """Remove a role from a user; see `add_role`.

        Raises:
            ConflictError: They are the last administrator.
        """
        return await self._set_role(id, role, add=False)

    def in_role(self, role: str, *, limit: int = _LARGEST_PAGE, offset: int = 0) -> Pages[User]:
        """Read the users with a server-wide role."""
        name = required_text(role, "role")

        async def fetch(offset: int, limit: int) -> tuple[tuple[User, ...], int | None]:
            api = await self._context.open()
            operation = operations.IN_ROLE
            reply = await api.call(operation, query={"role": name, "offset": offset, "count": limit})
            return wire.read_list(reply.data, "users", wire.read_user, origin=reply.origin), wire.total(reply.data)

        return Pages(fetch, lambda user: user.record_id or user.id, limit=limit, offset=offset, largest=_LARGEST_PAGE)

    def find(
        self,
        text: str = "",
        *,
        active: bool | None = None,
        logged_in: bool | None = None,
        kind: str | None = None,
        roles: Iterable[str] = (),
        limit: int = _LARGEST_PAGE,
        offset: int = 0,
    ) -> Pages[User]:
        """Read the users that match all filters.

        Args:
            text: A part of the user name, name or e-mail address.
            active: Whether they may log in.
            logged_in: Whether they have ever logged in.
            kind: ``user``, ``bot`` or ``app``.
            roles: They have one of these.

        Raises:
            ForbiddenError: On reading, the caller lacks the permission ``view-full-other-user-info``.
        """
        query: dict[str, Any] = {"searchTerm": text} if text else {}
        if active is not None:
            query["status"] = "active" if active else "deactivated"
        if logged_in is not None:
            query["hasLoggedIn"] = logged_in
        if kind is not None:
            query["type"] = kind
        if wanted := [roles] if isinstance(roles, str) else list(roles):
            query["roles[]"] = wanted

        async def fetch(offset: int, limit: int) -> tuple[tuple[User, ...], int | None]:
            api = await self._context.open()
            operation = operations.BY_STATUS
            reply = await api.call(operation, query={**query, "offset": offset, "count": limit})
            return wire.read_list(reply.data, "users", wire.read_user, origin=reply.origin), wire.total(reply.data)

        return Pages(fetch, lambda user: user.record_id or user.id, limit=limit, offset=offset, largest=_LARGEST_PAGE)

    async def deactivate_idle(self, days: int, *, role: str = "user") -> int:
        """Deactivate the accounts of a role that were not used for so many days; return their number.

        Raises:
            InvalidInputError: `days` is not positive.
        """
        if days <= 0:
            msg = f"days must be positive, not {days}"
            raise InvalidInputError(msg, field="days")
        api = await self._context.open()
        reply = await api.call(operations.DEACTIVATE_IDLE, data={"daysIdle": days, "role": role})
        return int(reply.data.get("count") or 0)

    async def _set_role(self, id: Id, role: str, *, add: bool) -> Outcome[Id]:
        name = required_text(role, "role")
        api = await self._context.open()
        account = await self._context.directory.account(api, id, fresh=True)
        operation = operations.ADD_ROLE if add else operations.REMOVE_ROLE
        done = "error-user-already-in-role" if add else "error-user-not-in-role"
        try:
            reply = await api.call(operation, data={"username": account.username, "roleId": name})
        except (ConflictError, NotFoundError, ValidationFailedError) as refusal:
            if refusal.code != done:
                raise
            return Outcome(id, str(lookup(id)), "unchanged", attempts=refusal.attempts, request_id=refusal.request_id)
        self._context.directory.forget_user(id)
        return Outcome(id, str(lookup(id)), "updated", attempts=reply.attempts, request_id=reply.request_id)
