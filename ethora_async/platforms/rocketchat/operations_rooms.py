"""The routes of rooms beside the basic ones in `operations`: by kind of room where the platform has a route for each.

See docs/architecture.md#sending. A second archiving, role or name is rejected with a specific code or text, which the
client counts as done. Every call creates another discussion, team or upload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.platforms.rocketchat.operations import route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.request import Method, Operation

    Kinds = Mapping[str, Operation]
    """An operation for each kind of room that supports it: ``c``, ``p``, ``d``."""

_FAMILY = {"c": "channels", "p": "groups", "d": "im"}
_SETTINGS, _ROLES, _STANDING, _CONTENTS = "room-settings", "room-roles", "standing-in-a-room", "room-contents"


def _kinds(name: str, method: Method, suffix: str, source: str, kinds: str = "cp", *, repeatable: bool = True) -> Kinds:
    return {kind: route(name, method, f"{_FAMILY[kind]}.{suffix}", source, repeatable=repeatable) for kind in kinds}


ARCHIVE = _kinds("chats.archive", "POST", "archive", _SETTINGS)
UNARCHIVE = _kinds("chats.unarchive", "POST", "unarchive", _SETTINGS)
RENAME = _kinds("chats.rename", "POST", "rename", _SETTINGS)
SET_TOPIC = _kinds("chats.set_topic", "POST", "setTopic", _SETTINGS, "cpd")
SET_DESCRIPTION = _kinds("chats.set_description", "POST", "setDescription", _SETTINGS)
SET_ANNOUNCEMENT = _kinds("chats.set_announcement", "POST", "setAnnouncement", _SETTINGS)
SET_READ_ONLY = _kinds("chats.set_read_only", "POST", "setReadOnly", _SETTINGS)
SET_TYPE = _kinds("chats.set_access", "POST", "setType", _SETTINGS)
SET_CUSTOM_FIELDS = _kinds("chats.set_custom_fields", "POST", "setCustomFields", _SETTINGS)
SAVE_SETTINGS = route("chats.save_settings", "POST", "rooms.saveRoomSettings", _SETTINGS)
TO_TEAM = _kinds("chats.convert_to_team", "POST", "convertToTeam", _SETTINGS, repeatable=False)

ADD_ROLE = {
    role: _kinds("chats.add_role", "POST", f"add{role.title()}", _ROLES) for role in ("owner", "moderator", "leader")
}
REMOVE_ROLE = {
    role: _kinds("chats.remove_role", "POST", f"remove{role.title()}", _ROLES)
    for role in ("owner", "moderator", "leader")
}
MUTE = dict.fromkeys("cp", route("chats.mute_user", "POST", "rooms.muteUser", _ROLES))
UNMUTE = dict.fromkeys("cp", route("chats.unmute_user", "POST", "rooms.unmuteUser", _ROLES))
ROLES = _kinds("chats.roles", "GET", "roles", _ROLES)

OPEN = route("chats.open", "POST", "rooms.open", _STANDING)
HIDE = route("chats.hide", "POST", "rooms.hide", _STANDING)
FAVORITE = route("chats.set_favorite", "POST", "rooms.favorite", _STANDING)
LEAVE = route("chats.leave", "POST", "rooms.leave", _STANDING)
JOIN = route("chats.join", "POST", "channels.join", "rooms")
ADD_ALL = _kinds("chats.invite_all", "POST", "addAll", _STANDING)
ONLINE = _kinds("chats.online", "GET", "online", _STANDING)
COUNTERS = _kinds("chats.counters", "GET", "counters", _STANDING, "cpd")
MARK_READ = route("subscriptions.read", "POST", "subscriptions.read", "rooms")
MARK_UNREAD = route("subscriptions.unread", "POST", "subscriptions.unread", _STANDING)
GET_SUBSCRIPTION = route("subscriptions.get", "GET", "subscriptions.getOne", "rooms")

FILES = _kinds("chats.files", "GET", "files", _CONTENTS, "cpd")
INTEGRATIONS = _kinds("chats.integrations", "GET", "getIntegrations", _CONTENTS)
CLEAN_HISTORY = route("chats.clean_history", "POST", "rooms.cleanHistory", _CONTENTS)
CREATE_DISCUSSION = route("chats.create_discussion", "POST", "rooms.createDiscussion", _CONTENTS, repeatable=False)
DISCUSSIONS = route("chats.discussions", "GET", "rooms.getDiscussions", _CONTENTS)
ADMIN_ROOMS = route("chats.everywhere", "GET", "rooms.adminRooms", _CONTENTS)

UPLOAD = route("messages.send_file", "POST", "rooms.upload/{room}", "media", repeatable=False)
MEDIA = route("messages.upload_file", "POST", "rooms.media/{room}", "media", repeatable=False)
CONFIRM_MEDIA = route("messages.confirm_file", "POST", "rooms.mediaConfirm/{room}/{file}", "media", repeatable=False)
