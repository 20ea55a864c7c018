"""Pictures of users and rooms (docs/platforms/rocketchat.md#avatars)."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import announce
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, missing_permission
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.records import Avatar
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import TEXT, closed
from ethora_async.sandbox.wire import Reply

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import User

ROUTES: Routes[Call] = Routes()
SECTION = "avatars"
WHO = closed({}, dict.fromkeys(("userId", "username", "user"), TEXT))


def _whose(call: Call) -> User:
    named = any(call.body.get(key) for key in ("userId", "username"))
    user = call.user_of(call.body) if named else call.user
    if user is not call.user and not may(call.user, "edit-other-user-avatar"):
        raise missing_permission()
    if user is call.user and not call.platform.settings["Accounts_AllowUserAvatarChange"]:
        raise MeteorError("error-not-allowed", "Change avatar is not allowed", {"method": "setAvatar"})
    return user


def _changed(call: Call, user: User) -> None:
    user.updated_at = call.now
    etag = None if user.avatar is None else user.avatar.etag
    told = {"username": user.username, "etag": etag}
    call.platform.hub.emit(announce.NOTIFY_LOGGED, "updateAvatar", [told])


@ROUTES.add("POST", "users.setAvatar", section=SECTION)
def set_avatar(call: Call) -> Reply:
    """Set a user's picture, from a URL or a file in the field `image`."""
    user = _whose(call)
    image = next((one for one in call.files if one.field == "image"), None)
    address = call.body.get("avatarUrl")
    if image is not None:
        if not image.content_type.startswith("image/"):
            raise MeteorError("error-avatar-invalid-url", "Invalid avatar")
        user.avatar = Avatar(content=image.content, content_type=image.content_type)
    elif isinstance(address, str) and address.startswith(("http://", "https://")):
        user.avatar = Avatar(address=address)
    else:
        raise MeteorError("error-avatar-invalid-url", f"Invalid avatar URL: {address or ''}")
    _changed(call, user)
    return success()


@ROUTES.add("POST", "users.resetAvatar", section=SECTION)
def reset_avatar(call: Call) -> Reply:
    """Remove a user's picture; their initial is shown instead."""
    user = _whose(call)
    user.avatar = None
    _changed(call, user)
    return success()


@ROUTES.add("GET", "users.getAvatar", section=SECTION, anonymous=True, query=WHO)
def get_avatar(call: Call) -> Reply:
    """Redirect to a user's picture."""
    user = call.user_of(call.query)
    return Reply(307, b"", headers={"Location": f"{call.origin}/avatar/{user.username}"})


@ROUTES.add("GET", "users.getAvatarSuggestion", section=SECTION)
def suggestions(_: Call) -> Reply:
    """List pictures from other services; there are none here."""
    return success(suggestions={})


@ROUTES.add("GET", "/avatar/{username}", section=SECTION, anonymous=True)
def picture(call: Call) -> Reply:
    """Return a user's picture, or their initial."""
    user = call.platform.store.users.with_username(call.params["username"])
    if user is None:
        raise failure("Not found", 404)
    return _shown(user.avatar, user.username)


@ROUTES.add("GET", "/avatar/room/{rid}", section=SECTION, anonymous=True)
def room_picture(call: Call) -> Reply:
    """Return a room's picture, or its initial."""
    room = call.platform.store.rooms.with_id(call.params["rid"])
    if room is None:
        raise failure("Not found", 404)
    return _shown(room.avatar, room.fname or room.name or "")


def _shown(avatar: Avatar | None, name: str) -> Reply:
    if avatar is not None and avatar.address is not None:
        return Reply(302, b"", headers={"Location": avatar.address})
    if avatar is not None:
        return Reply(200, avatar.content, avatar.content_type, {"ETag": f'"{avatar.etag}"'})
    letter = html.escape(name[:1].upper())
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200"><text x="70" y="130">{letter}</text></svg>'
    return Reply(200, drawn.encode(), "image/svg+xml")
