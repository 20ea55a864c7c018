"""Every operation of Ethora that this client uses, listed once, and whether it may be repeated.

See docs/architecture.md#sending.

`AppOperations` lists the operations on an app's users and chats twice: in the form for the client's own app, which the
vendor's SDK also sends (docs/platforms/ethora.md#methods-of-the-node-sdk), and in the form for another app
(``/v2/apps/{app}/…``).
"""

from __future__ import annotations

import attrs

from ethora_async.request import Method, Operation


def _repeatable(name: str, method: Method, path: str, source: str) -> Operation:
    return Operation(name, method, path, repeatable=True, source=f"docs/platforms/ethora.md#{source}")


def _once(name: str, method: Method, path: str, source: str) -> Operation:
    return Operation(name, method, path, repeatable=False, source=f"docs/platforms/ethora.md#{source}")


@attrs.frozen(eq=False, repr=False)
class AppOperations:
    """The operations on one app's users and chats. Every path may contain the app as ``{app}``."""

    create_users: Operation
    create_users_job: Operation
    create_users_now: Operation | None
    delete_users: Operation
    update_users: Operation
    list_users: Operation
    list_members: Operation | None
    get_user: Operation
    user_chats: Operation
    create_chat: Operation
    create_chat_without_id: Operation
    update_chat: Operation
    delete_chat: Operation
    list_chats: Operation
    grant: Operation
    revoke: Operation


_USER_CHATS = _repeatable("users.chats", "GET", "/v2/apps/{app}/users/{user}/chats", "users")
_UPDATE_CHAT = _repeatable("chats.update", "PATCH", "/v2/apps/{app}/chats/{chat}", "chats")
_LIST_CHATS = _repeatable("chats.list", "GET", "/v2/apps/{app}/chats", "chats")

# A batch names each user by uuid and e-mail: sent again, it finds them. A chat with an id answers "already exists" to a
# second creation; without one, a second chat is created.
OWN_APP = AppOperations(
    create_users=_repeatable("users.create", "POST", "/v2/users/batch", "users"),
    create_users_job=_repeatable("users.create.job", "GET", "/v2/users/batch/{job}", "users"),
    create_users_now=_repeatable("users.create", "POST", "/v1/users/batch", "users"),
    delete_users=_repeatable("users.delete", "DELETE", "/v1/users/batch", "users"),
    update_users=_repeatable("users.update", "PATCH", "/v2/chats/users", "users"),
    list_users=_repeatable("users.list", "GET", "/v2/chats/users", "users"),
    list_members=_repeatable("chats.members", "GET", "/v2/chats/users", "users"),
    get_user=_repeatable("users.get", "GET", "/v2/chats/users", "users"),
    user_chats=_USER_CHATS,
    create_chat=_repeatable("chats.create", "POST", "/v2/chats", "chats"),
    create_chat_without_id=_once("chats.create", "POST", "/v2/chats", "chats"),
    update_chat=_UPDATE_CHAT,
    delete_chat=_repeatable("chats.delete", "DELETE", "/v1/chats", "chats"),
    list_chats=_LIST_CHATS,
    grant=_repeatable("chats.grant", "POST", "/v2/chats/users-access", "chats"),
    revoke=_repeatable("chats.revoke", "DELETE", "/v2/chats/users-access", "chats"),
)

OTHER_APP = AppOperations(
    create_users=_repeatable("users.create", "POST", "/v2/apps/{app}/users/batch", "users"),
    create_users_job=_repeatable("users.create.job", "GET", "/v2/apps/{app}/users/batch/{job}", "users"),
    create_users_now=None,  # it takes the app from the token, and ours names the parent
    delete_users=_repeatable("users.delete", "DELETE", "/v2/apps/{app}/users/batch", "users"),
    update_users=_repeatable("users.update", "PATCH", "/v2/apps/{app}/chats/users", "users"),
    list_users=_repeatable("users.list", "GET", "/v1/users/{app}", "users"),
    list_members=None,  # the route above has no chats, and the own app's takes the app from the token
    get_user=_repeatable("users.get", "GET", "/v1/apps/users/{user}", "users"),
    user_chats=_USER_CHATS,
    create_chat=_repeatable("chats.create", "POST", "/v2/apps/{app}/chats", "chats"),
    create_chat_without_id=_once("chats.create", "POST", "/v2/apps/{app}/chats", "chats"),
    update_chat=_UPDATE_CHAT,
    delete_chat=_repeatable("chats.delete", "DELETE", "/v2/apps/{app}/chats", "chats"),
    list_chats=_LIST_CHATS,
    grant=_repeatable("chats.grant", "POST", "/v2/apps/{app}/chats/users-access", "chats"),
    revoke=_repeatable("chats.revoke", "DELETE", "/v2/apps/{app}/chats/users-access", "chats"),
)

# The guide's older API, not part of the live one. Its other calls are current ones. A setting is absolute, so that
# setting it twice has the same effect as once.
LEGACY_APP = attrs.evolve(
    OWN_APP,
    create_chat=_repeatable("chats.create", "POST", "/chats/", "older-guide"),
    create_chat_without_id=_once("chats.create", "POST", "/chats/", "older-guide"),
    delete_chat=_repeatable("chats.delete", "DELETE", "/chats/", "older-guide"),
    grant=_repeatable("chats.grant", "POST", "/chat-access/", "older-guide"),
    revoke=_repeatable("chats.revoke", "POST", "/chat-access/", "older-guide"),
)
SET_ACCESS = _repeatable("chats.set_access", "POST", "/chat-access/", "older-guide")

# Operations of a user's session on the users of the own or another app.
UNREAD_COUNTS = _repeatable("users.unread_counts", "POST", "/v2/apps/{app}/users/unread-counts", "users")
IMPORT_USERS = _repeatable("users.import", "POST", "/v1/users/create-many-with-app-id/{app}", "users")
SET_TAGS = _repeatable("users.set_tags", "POST", "/v1/users/tags-set/{app}", "users")
ADD_TAGS = _repeatable("users.add_tags", "POST", "/v1/users/tags-add/{app}", "users")
DELETE_TAGS = _repeatable("users.remove_tags", "POST", "/v1/users/tags-delete/{app}", "users")
UPDATE_PROFILE = _repeatable("users.update_profile", "PUT", "/v1/users/{app}/{user}", "users")
EXPORT_USERS = _repeatable("users.export", "GET", "/v1/users/export/{app}", "users")

UPDATE_CHAT_META = _repeatable("chats.update_meta", "PATCH", "/v1/chats/meta", "chats")
LIST_MESSAGES = _repeatable("chats.messages", "GET", "/v2/apps/{app}/chats/{chat}/messages", "chats")
CLEAR_MESSAGES = _repeatable("chats.clear_messages", "DELETE", "/v2/apps/{app}/chats/{chat}/messages", "chats")
MESSAGES_CONTEXT = _repeatable("chats.messages_context", "GET", "/v2/apps/{app}/chats/{chat}/messages/context", "chats")
SEARCH_MESSAGES = _repeatable("chats.search", "GET", "/v2/apps/{app}/messages/search", "chats")
LIST_DEFAULT_ROOMS = _repeatable("default_rooms.list", "GET", "/v1/apps/get-default-rooms/app-id/{app}", "apps")
CREATE_DEFAULT_ROOM = _once("default_rooms.create", "POST", "/v1/apps/create-app-chat/{app}", "apps")
DELETE_DEFAULT_ROOM = _repeatable("default_rooms.delete", "DELETE", "/v1/apps/delete-app-chat/{app}", "apps")
BROADCAST = _once("broadcasts.send", "POST", "/v2/apps/{app}/chats/broadcast", "chats")
BROADCAST_JOB = _repeatable("broadcasts.job", "GET", "/v2/apps/{app}/chats/broadcast/{job}", "chats")

# The tenant's apps. Provisioned rooms have no id of ours: a second request creates them again.
LIST_APPS = _repeatable("apps.list", "GET", "/v2/apps", "apps")
GET_APP = _repeatable("apps.get", "GET", "/v2/apps/{app}", "apps")
GET_APP_CONFIG = _repeatable("apps.find", "GET", "/v1/apps/get-config", "apps")
CHECK_DOMAIN_NAME = _repeatable("apps.domain_name_is_free", "POST", "/v1/apps/check-domain-name", "apps")
CREATE_APP = _once("apps.create", "POST", "/v2/apps", "apps")
UPDATE_APP = _repeatable("apps.update", "PATCH", "/v2/apps/{app}", "apps")
DELETE_APP = _repeatable("apps.delete", "DELETE", "/v2/apps/{app}", "apps")
PURGE_APP = _repeatable("apps.purge", "DELETE", "/v1/apps/{app}", "apps")
PURGE_JOB = _repeatable("apps.purge_job", "GET", "/v2/apps/purge-jobs/{job}", "apps")
RESTORE_APP = _repeatable("apps.restore", "POST", "/v1/apps/{app}/restore", "apps")
EXPORT_APP = _repeatable("apps.export", "GET", "/v2/apps/{app}/export", "apps")
IMPORT_APP = _once("apps.import", "POST", "/v2/apps/import", "apps")
PROVISION_APP = _once("apps.provision", "POST", "/v2/apps/{app}/provision", "apps")
GET_BOT = _repeatable("bot.get", "GET", "/v2/apps/{app}/bot", "apps")
UPDATE_BOT = _repeatable("bot.update", "PUT", "/v2/apps/{app}/bot", "apps")
LIST_APP_TOKENS = _repeatable("app_tokens.list", "GET", "/v2/apps/{app}/tokens", "apps")
CREATE_APP_TOKEN = _once("app_tokens.create", "POST", "/v2/apps/{app}/tokens", "apps")
ROTATE_APP_TOKEN = _once("app_tokens.rotate", "POST", "/v2/apps/{app}/tokens/{token}/rotate", "apps")
REVOKE_APP_TOKEN = _repeatable("app_tokens.revoke", "DELETE", "/v2/apps/{app}/tokens/{token}", "apps")

PING = _repeatable("ping", "GET", "/ping", "hosts-and-paths")
EXCHANGE = _repeatable("sessions.exchange", "POST", "/v1/users/client", "sessions")

# Log-in, sign-up and log-out. A sign-up mails once and a code is accepted once; a second log-in or refresh opens a new
# session.
LOGIN = _repeatable("sessions.login", "POST", "/v2/users/login-with-email", "sessions")
COMPLETE_MFA = _once("sessions.complete_mfa", "POST", "/v2/users/login/mfa", "sessions")
SIGN_UP = _once("sessions.sign_up", "POST", "/v2/users/sign-up-with-email", "sessions")
SIGN_UP_BY_MAIL = _once("sessions.sign_up_by_mail", "POST", "/v1/users/sign-up-with-email", "sessions")
REFRESH = _repeatable("sessions.refresh", "POST", "/v2/users/login/refresh", "sessions")
LOGOUT = _repeatable("sessions.logout", "POST", "/v1/users/logout", "sessions")
ME = _repeatable("me.get", "GET", "/v2/users/me", "sessions")

# Operations of a user on their own behalf. A second request creates a second report, file or API key.
UPDATE_ME = _repeatable("me.update_profile", "PUT", "/v1/users", "sessions")
XMPP_TOKEN = _repeatable("me.xmpp_credentials", "POST", "/v1/users/xmpp-token", "sessions")
LIST_API_KEYS = _repeatable("me.api_keys.list", "GET", "/v2/users/me/api-keys", "sessions")
CREATE_API_KEY = _once("me.api_keys.create", "POST", "/v2/users/me/api-keys", "sessions")
DELETE_API_KEY = _repeatable("me.api_keys.delete", "DELETE", "/v2/users/me/api-keys/{key}", "sessions")
MY_CHATS = _repeatable("me.chats.list", "GET", "/v1/chats/my", "chats")
MY_CHAT = _repeatable("me.chats.get", "GET", "/v1/chats/my/{chat}", "chats")
CREATED_CHATS = _repeatable("me.chats.created", "GET", "/v1/chats", "chats")
PUBLIC_CHATS = _repeatable("me.chats.public", "GET", "/v1/chats/public", "chats")
PRIVATE_CHAT = _repeatable("me.chats.private", "POST", "/v1/chats/private", "chats")
MUTE_CHAT = _repeatable("me.chats.mute", "PUT", "/v1/chats/my/{chat}/mute", "chats")
UNMUTE_CHAT = _repeatable("me.chats.unmute", "DELETE", "/v1/chats/my/{chat}/mute", "chats")
REPORT_CHAT = _once("me.chats.report", "POST", "/v1/chats/reports/{chat}", "chats")
SEND_MEDIA = _once("me.chats.send_media", "POST", "/v1/chats/media/{chat}", "chats")
LIST_FILES = _repeatable("me.files.list", "GET", "/v2/files", "apps")
UPLOAD_FILES = _once("me.files.upload", "POST", "/v2/files", "apps")
UPLOAD_SECURE_FILES = _once("me.files.upload_secure", "POST", "/v2/files/secure", "apps")
DELETE_FILE = _repeatable("me.files.delete", "DELETE", "/v2/files/{file}", "apps")
