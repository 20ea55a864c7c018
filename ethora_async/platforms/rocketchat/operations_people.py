"""The routes of people and of the server beside the basic ones in `operations` (docs/architecture.md#sending).

A personal access token is shown once: a second generation finds the name taken.
"""

from __future__ import annotations

from ethora_async.platforms.rocketchat.operations import route

_PRESENCE, _DIRECTORY = "presence-and-preferences", "directory-and-statistics"


GET_STATUS = route("users.status", "GET", "users.getStatus", _PRESENCE)
PRESENT = route("users.present", "GET", "users.presence", _PRESENCE)
SET_STATUS = route("users.set_status", "POST", "users.setStatus", "rate-limits")
GET_PREFERENCES = route("users.preferences", "GET", "users.getPreferences", _PRESENCE)
SET_PREFERENCES = route("users.set_preferences", "POST", "users.setPreferences", _PRESENCE)
BY_STATUS = route("users.find", "GET", "users.listByStatus", _PRESENCE)
SET_AVATAR = route("users.set_avatar", "POST", "users.setAvatar", "avatars")
RESET_AVATAR = route("users.reset_avatar", "POST", "users.resetAvatar", "avatars")
ADD_ROLE = route("users.add_role", "POST", "roles.addUserToRole", "roles")
REMOVE_ROLE = route("users.remove_role", "POST", "roles.removeUserFromRole", "roles")
IN_ROLE = route("users.in_role", "GET", "roles.getUsersInRole", "roles")
DEACTIVATE_IDLE = route("users.deactivate_idle", "POST", "users.deactivateIdle", "registration")

GENERATE_TOKEN = route("personal_tokens.create", "POST", "users.generatePersonalAccessToken", "users", repeatable=False)
REGENERATE_TOKEN = route(
    "personal_tokens.renew", "POST", "users.regeneratePersonalAccessToken", "second-factor", repeatable=False
)
REMOVE_TOKEN = route("personal_tokens.delete", "POST", "users.removePersonalAccessToken", "second-factor")
LIST_TOKENS = route("personal_tokens.list", "GET", "users.getPersonalAccessTokens", "users")
REMOVE_OTHER_TOKENS = route("personal_tokens.end_other_sessions", "POST", "users.removeOtherTokens", "users")

DIRECTORY = route("server.directory", "GET", "directory", _DIRECTORY)
SPOTLIGHT = route("server.spotlight", "GET", "spotlight", _DIRECTORY)
STATISTICS = route("server.statistics", "GET", "statistics", _DIRECTORY)
PAST_STATISTICS = route("server.past_statistics", "GET", "statistics.list", _DIRECTORY)
