"""Settings and roles of rooms (docs/platforms/rocketchat.md#room-settings, #room-roles)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import ApiError, InvalidInputError, NotFoundError
from ethora_async.platforms.rocketchat import operations_rooms as operations
from ethora_async.platforms.rocketchat.names import lookup, own
from ethora_async.platforms.rocketchat.room_access import RoomAccess
from ethora_async.platforms.rocketchat.room_records import RoleHolder, RoomRole
from ethora_async.records import ChatAccess, Id, optional_text
from ethora_async.redaction import Secret, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.directory import Room
    from ethora_async.request import Operation, Reply

_KIND_NAMES = {"c": "channel", "p": "group", "d": "direct room", "l": "omnichannel room"}
_LETTER = {"public": "c", "private": "p"}
_SO_ALREADY = re.compile(r"is the same as what it would be|is already (?:open|closed)|is not archived", re.IGNORECASE)
_SO_CODES = frozenset({"error-channels-setdefault-same"})


def so_already(error: ApiError, *codes: str) -> bool:
    """Return whether an error says that the room is already in the requested state."""
    if error.code in _SO_CODES or error.code in codes:
        return True
    return error.code is None and _SO_ALREADY.search(error.message) is not None


class RoomSettings(RoomAccess):
    """The methods of `Rooms` that change a room's settings and roles."""

    async def archive(self, id: Id) -> Outcome[Id]:
        """Archive a channel or group: it takes no more messages, and its members' lists do not show it.

        Returns:
            An outcome that is ``updated``, or ``unchanged`` when it is archived.

        Raises:
            NotFoundError: There is no such room.
            ForbiddenError: The caller lacks the permission ``archive-room``.
            InvalidInputError: It is neither a channel nor a group.
        """
        return await self._set(id, operations.ARCHIVE, {}, "error-room-archived")

    async def unarchive(self, id: Id) -> Outcome[Id]:
        """Unarchive a channel or group; see `archive`."""
        return await self._set(id, operations.UNARCHIVE, {})

    async def rename(self, id: Id, name: Id) -> Outcome[Id]:
        """Rename a channel or group.

        Raises:
            ConflictError: Another room has the name.
            ValidationFailedError: The server does not allow such a name.
        """
        outcome = await self._set(id, operations.RENAME, {"name": str(own(name, "name"))})
        self._context.directory.forget_room(id)
        return outcome

    async def set_topic(self, id: Id, topic: str) -> Outcome[Id]:
        """Change the topic of a room of any kind; an empty text removes it."""
        return await self._set(id, operations.SET_TOPIC, {"topic": optional_text(topic, "topic")})

    async def set_description(self, id: Id, description: str) -> Outcome[Id]:
        """Change the description of a channel or group; an empty text removes it."""
        return await self._set(
            id, operations.SET_DESCRIPTION, {"description": optional_text(description, "description")}
        )

    async def set_announcement(self, id: Id, announcement: str) -> Outcome[Id]:
        """Change the announcement, which is shown above the messages; an empty text removes it."""
        return await self._set(
            id, operations.SET_ANNOUNCEMENT, {"announcement": optional_text(announcement, "announcement")}
        )

    async def set_read_only(self, id: Id, read_only: bool) -> Outcome[Id]:
        """Allow only owners and moderators to write, or everybody."""
        return await self._set(id, operations.SET_READ_ONLY, {"readOnly": read_only})

    async def set_access(self, id: Id, access: ChatAccess) -> Outcome[Id]:
        """Turn a channel into a group (``"private"``), or a group into a channel (``"public"``)."""
        letter = _LETTER.get(access)
        if letter is None:
            msg = f"access must be 'private' or 'public', not {access!r}"
            raise InvalidInputError(msg, field="access")
        api = await self._context.open()
        if (await self._room(api, id)).kind == letter:
            return Outcome(id, str(id), "unchanged")
        outcome = await self._set(id, operations.SET_TYPE, {"type": letter})
        self._context.directory.forget_room(id)
        return outcome

    async def set_custom_fields(self, id: Id, fields: Mapping[str, Any]) -> Outcome[Id]:
        """Replace the custom fields of a channel or group."""
        return await self._set(id, operations.SET_CUSTOM_FIELDS, {"customFields": dict(fields)})

    async def set_encrypted(self, id: Id, encrypted: bool) -> Outcome[Id]:
        """Switch end-to-end encryption of a group or a direct room on or off; channels have none.

        Only the devices of the members can read encrypted messages.

        Raises:
            ForbiddenError: It is a channel, or the caller lacks the permission ``toggle-room-e2e-encryption``.
        """
        return await self._save(id, {"encrypted": encrypted})

    async def set_default(self, id: Id, default: bool) -> Outcome[Id]:
        """Add every new user to a room automatically, or stop doing so."""
        return await self._save(id, {"default": default})

    async def set_join_code(self, id: Id, code: str | Secret) -> Outcome[Id]:
        """Require a code for joining a channel; an empty text removes it."""
        code = wrapped(code)  # the frames of errors show it
        if not isinstance(code, Secret):
            msg = f"code must be text, not {type(code).__name__}"
            raise InvalidInputError(msg, field="code")
        return await self._save(id, {"joinCode": Secret(code.reveal().strip())})

    async def convert_to_team(self, id: Id) -> Mapping[str, Any]:
        """Make a channel or group the main room of a new team; return the team in the platform's format.

        Raises:
            ForbiddenError: The caller lacks the permission ``create-team``.
            ConflictError, ValidationFailedError: The room is part of a team.
        """
        api = await self._context.open()
        room = await self._room(api, id)
        operation = self._for(room, operations.TO_TEAM, id)
        key = "channelId" if room.public else "roomId"
        team = (await api.call(operation, data={key: room.id})).data.get("team")
        return team if isinstance(team, dict) else {}

    async def add_role(self, id: Id, user: Id, role: RoomRole) -> Outcome[Id]:
        """Make a member ``owner``, ``moderator`` or ``leader`` of a channel or group.

        Returns:
            An outcome that is ``updated``, or ``unchanged`` when they already are.

        Raises:
            NotFoundError: There is no such room or user, or the user is not in the room.
            ForbiddenError: The caller may not assign the role.
        """
        return await self._set_role(id, user, role, operations.ADD_ROLE, f"error-user-already-{role}")

    async def remove_role(self, id: Id, user: Id, role: RoomRole) -> Outcome[Id]:
        """Take a role from a member; see `add_role`.

        Raises:
            ConflictError: They are the last owner.
        """
        return await self._set_role(id, user, role, operations.REMOVE_ROLE, f"error-user-not-{role}")

    async def mute_user(self, id: Id, user: Id) -> Outcome[Id]:
        """Forbid a member of a channel or group to write and to react there.

        Raises:
            NotFoundError: There is no such room or user, or the user is not in the room.
            ForbiddenError: The caller lacks the permission ``mute-user``.
        """
        return await self._set_voice(id, user, operations.MUTE)

    async def unmute_user(self, id: Id, user: Id) -> Outcome[Id]:
        """Let a muted member write again; in a read-only room, let them write at all. See `mute_user`."""
        return await self._set_voice(id, user, operations.UNMUTE)

    async def roles(self, id: Id) -> tuple[RoleHolder, ...]:
        """Return the members with roles in a channel or group."""
        api = await self._context.open()
        room = await self._room(api, id)
        reply = await api.call(self._for(room, operations.ROLES, id), query={"roomId": room.id})
        rows = reply.data.get("roles")
        holders = []
        for row in rows if isinstance(rows, list) else ():
            user = row.get("u") or {}
            if isinstance(user.get("_id"), str):
                roles = tuple(role for role in row.get("roles") or () if isinstance(role, str))
                holders.append(
                    RoleHolder(
                        user_id=user["_id"],
                        username=str(user.get("username") or ""),
                        roles=roles,
                        request_id=reply.request_id,
                    )
                )
        return tuple(holders)

    async def _set_role(
        self, id: Id, user: Id, role: RoomRole, table: Mapping[str, Mapping[str, Operation]], done: str
    ) -> Outcome[Id]:
        if role not in table:
            msg = f"role must be one of {', '.join(table)}, not {role!r}"
            raise InvalidInputError(msg, field="role")
        api = await self._context.open()
        user_id = await self._context.directory.user_id(api, user, fresh=True)
        return await self._set(id, table[role], {"userId": user_id}, done)

    async def _set_voice(self, id: Id, user: Id, kinds: Mapping[str, Operation]) -> Outcome[Id]:
        api = await self._context.open()
        user_id = await self._context.directory.user_id(api, user, fresh=True)
        return await self._set(id, kinds, {"userId": user_id})

    async def _set(self, id: Id, kinds: Mapping[str, Operation], data: Mapping[str, Any], *done: str) -> Outcome[Id]:
        api = await self._context.open()
        room = await self._context.directory.room(api, id)
        return await self._change(api, id, self._for(room, kinds, id), {"roomId": room.id, **data}, *done)

    async def _save(self, id: Id, data: Mapping[str, Any]) -> Outcome[Id]:
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, id)
        return await self._change(api, id, operations.SAVE_SETTINGS, {"rid": room_id, **data})

    async def _change(self, api: Api, id: Id, operation: Operation, data: Mapping[str, Any], *done: str) -> Outcome[Id]:
        key = str(lookup(id))
        try:
            reply: Reply = await api.call(operation, data=dict(data))
        except NotFoundError:
            self._context.directory.forget_room(id)
            raise
        except ApiError as refusal:
            if not so_already(refusal, *done):
                raise
            return Outcome(id, key, "unchanged", attempts=refusal.attempts, request_id=refusal.request_id)
        return Outcome(id, key, "updated", attempts=reply.attempts, request_id=reply.request_id)

    @staticmethod
    def _for(room: Room, kinds: Mapping[str, Operation], id: Id) -> Operation:
        operation = kinds.get(room.kind)
        if operation is None:
            takes = " or ".join(_KIND_NAMES[kind] for kind in kinds)
            msg = f"{lookup(id)!r} is a {_KIND_NAMES.get(room.kind, room.kind)}: this takes a {takes}"
            raise InvalidInputError(msg, field="id")
        return operation


__all__ = ["RoomSettings", "so_already"]
