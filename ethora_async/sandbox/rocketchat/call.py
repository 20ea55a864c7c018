"""The context of one request in a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ethora_async.sandbox.rocketchat.encoding import rest_json
from ethora_async.sandbox.rocketchat.errors import MeteorError, invalid_user, logged_out, room_not_found
from ethora_async.sandbox.rocketchat.platform import Platform
from ethora_async.sandbox.rocketchat.records import LoginToken, User
from ethora_async.sandbox.rocketchat.routing import API, Route
from ethora_async.sandbox.rocketchat.settings import DEFAULT_COUNT, INFINITE_COUNT, UPPER_COUNT
from ethora_async.sandbox.rocketchat.uploads import Upload
from ethora_async.sandbox.wire import Reply

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.records import Room

CONTENT_TYPE = "application/json"
ItemT = TypeVar("ItemT")


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Reply with JSON that must not be cached."""
    return Reply(status, rest_json(body), CONTENT_TYPE, {"Cache-Control": "no-store", **(headers or {})})


def success(**fields: Any) -> Reply:
    """Reply 200 with the fields of an endpoint."""
    return answer({**fields, "success": True})


@attrs.frozen(kw_only=True, repr=False)
class Call:
    """A request after routing, token check and decoding. `now` is the time of arrival."""

    platform: Platform
    route: Route
    params: dict[str, str]
    query: dict[str, Any]
    body: dict[str, Any]
    files: list[Upload] = attrs.field(factory=list["Upload"])
    headers: Mapping[str, str]
    address: str
    now: float
    caller: User | None
    token: LoginToken | None

    @property
    def origin(self) -> str:
        """This server's address as the caller used it."""
        return f"http://{self.headers.get('Host', 'localhost')}"

    @property
    def agent(self) -> str:
        """The `User-Agent` of the caller."""
        return self.headers.get("User-Agent", "")

    @property
    def user(self) -> User:
        """The caller; raises the 401 for a call without a valid token."""
        if self.caller is None:
            raise logged_out(self.platform.version)
        return self.caller

    def session(self) -> tuple[User, LoginToken]:
        """Return the caller and the token of the call."""
        if self.token is None:
            raise logged_out(self.platform.version)
        return self.user, self.token

    def find_user(self, user_id: str) -> User:
        """Look a user up by id; raises `error-invalid-user`."""
        user = self.platform.store.users.with_id(user_id)
        if user is None:
            raise invalid_user()
        return user

    def user_of(self, fields: Mapping[str, Any]) -> User:
        """Find the user that `userId`, `username` or `user` names."""
        users = self.platform.store.users
        if fields.get("userId"):
            user = users.with_id(fields["userId"])
        elif fields.get("username") or fields.get("user"):
            user = users.with_username(str(fields.get("username") or fields["user"]))
        else:
            text = 'The required "userId" or "username" param was not provided'
            raise MeteorError("error-user-param-not-provided", text)
        if user is None:
            raise MeteorError(
                "error-invalid-user", 'The required "userId" or "username" param provided does not match any users'
            )
        return user

    def room_of(self, fields: Mapping[str, Any], *kinds: str) -> Room:
        """Find the room that `roomId` or `roomName` names; rooms of other kinds count as unknown."""
        rooms = self.platform.store.rooms
        if fields.get("roomId"):
            room = rooms.with_id(fields["roomId"])
        elif fields.get("roomName"):
            room = rooms.with_name(fields["roomName"])
        else:
            raise MeteorError("error-roomid-param-not-provided", 'The parameter "roomId" or "roomName" is required')
        if room is None or (kinds and room.type not in kinds):
            raise room_not_found()
        return room

    def family(self) -> str:
        """Return the first word of the call's name: `channels`, `groups`, `im`, `rooms`."""
        return self.route.path.removeprefix(API).partition(".")[0]

    def page(self, items: list[ItemT]) -> tuple[list[ItemT], dict[str, int]]:
        """Return a page of a list with `{count, offset, total}` (docs/platforms/rocketchat.md#pages).

        A count above the limit is clamped silently; 0 means all, where the server allows it.
        """
        settings = self.platform.settings
        offset = max(0, _whole(self.query.get("offset"), 0))
        count = _whole(self.query.get("count"), settings[DEFAULT_COUNT])
        if count == 0 and settings[INFINITE_COUNT]:
            count = len(items)
        elif count <= 0:
            count = settings[DEFAULT_COUNT]
        else:
            count = min(count, settings[UPPER_COUNT])
        cut = items[offset : offset + count]
        return cut, {"count": len(cut), "offset": offset, "total": len(items)}

    def listing(self, key: str, items: list[ItemT], shape: Callable[[ItemT], Any]) -> Reply:
        """Reply with a page of a list under `key`."""
        cut, numbers = self.page(items)
        return success(**{key: [shape(item) for item in cut]}, **numbers)


def _whole(value: Any, default: int) -> int:
    return default if value is None or isinstance(value, str | list) else int(value)
