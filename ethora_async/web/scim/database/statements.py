"""Every statement on the SCIM records.

Values are named, as in ``:id``. ``LIST(:ids)`` stands for the elements of a JSON array; each connection renders both
for its database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_USER = (
    "SELECT number, id, doc, version, created, modified, active, chat_user, email, first_name, last_name, picture"
    " FROM ethora_scim_user"
)
_GROUP = "SELECT number, id, doc, version, created, modified, chat, title FROM ethora_scim_group"
_PAGE = "ORDER BY number LIMIT :limit"


def _lookups(select: str, conditions: Mapping[str, str], limit: str = ":limit") -> dict[str, str]:
    return {name: f"{select} WHERE {condition} ORDER BY number LIMIT {limit}" for name, condition in conditions.items()}


USER = f"{_USER} WHERE id = :id"
GROUP = f"{_GROUP} WHERE id = :id"

USERS_PAGE = f"{_USER} {_PAGE} OFFSET :offset"
GROUPS_PAGE = f"{_GROUP} {_PAGE} OFFSET :offset"
USERS_COUNT = "SELECT count(*) FROM ethora_scim_user"
GROUPS_COUNT = "SELECT count(*) FROM ethora_scim_group"

USERS_BY = _lookups(
    _USER,
    {
        "id": "id = :value",
        "username": "user_name = :value",
        "externalid": "external_id = :value",
        "emails": "id IN (SELECT usr FROM ethora_scim_email WHERE address = :value)",
        "groups": "id IN (SELECT usr FROM ethora_scim_member WHERE grp = :value)",
    },
)
"""Lookups of users by an index; the key is the attribute's name in lower case."""

GROUPS_BY = _lookups(
    _GROUP,
    {
        "id": "id = :value",
        "displayname": "name = :value",
        "externalid": "external_id = :value",
        "members": "id IN (SELECT grp FROM ethora_scim_member WHERE usr = :value)",
    },
)
"""Lookups of groups by an index; the key is the attribute's name in lower case."""

USER_NAME_OWNER = "SELECT id FROM ethora_scim_user WHERE user_name = :user_name"
CHAT_USER_OWNER = "SELECT id FROM ethora_scim_user WHERE chat_key = :chat_key"
CHAT_OWNER = "SELECT id FROM ethora_scim_group WHERE chat_key = :chat_key"

ADD_USER = """
INSERT INTO ethora_scim_user (id, user_name, external_id, active, chat_user, chat_key, email, first_name, last_name,
    picture, doc, version, created, modified)
VALUES (:id, :user_name, :external_id, :active, :chat_user, :chat_key, :email, :first_name, :last_name,
    :picture, :doc, 1, :now, :now)
"""

CHANGE_USER = """
UPDATE ethora_scim_user SET user_name = :user_name, external_id = :external_id, active = :active, email = :email,
    first_name = :first_name, last_name = :last_name, picture = :picture, doc = :doc, version = version + 1,
    modified = :now
WHERE id = :id
"""

TOUCH_USERS = "UPDATE ethora_scim_user SET version = version + 1 WHERE id IN LIST(:ids)"
TOUCH_MEMBERS = """
UPDATE ethora_scim_user SET version = version + 1
WHERE id IN (SELECT usr FROM ethora_scim_member WHERE grp = :group)
"""
"""A user's groups are part of the answer, so that it has another version when they join or leave one. A group's new
name leaves it: that would write every member."""

REMOVE_USER = "DELETE FROM ethora_scim_user WHERE id = :id"

FORGET_EMAILS = "DELETE FROM ethora_scim_email WHERE usr = :id"
ADD_EMAILS = """
INSERT INTO ethora_scim_email (address, usr) SELECT address.value, :id FROM LIST_OF(:addresses) AS address
"""

ADD_GROUP = """
INSERT INTO ethora_scim_group (id, name, external_id, chat, chat_key, title, doc, version, created, modified)
VALUES (:id, :name, :external_id, :chat, :chat_key, :title, :doc, 1, :now, :now)
"""

CHANGE_GROUP = """
UPDATE ethora_scim_group SET name = :name, external_id = :external_id, title = :title, doc = :doc,
    version = version + 1, modified = :now
WHERE id = :id
"""

REMOVE_GROUP = "DELETE FROM ethora_scim_group WHERE id = :id"

TOUCH_GROUPS_OF = """
UPDATE ethora_scim_group SET version = version + 1, modified = :now
WHERE id IN (SELECT grp FROM ethora_scim_member WHERE usr = :id)
"""

MEMBERS = "SELECT usr, display FROM ethora_scim_member WHERE grp = :group ORDER BY usr"
SOME_MEMBERS = """
SELECT usr, display FROM ethora_scim_member WHERE grp = :group AND usr IN LIST(:ids) ORDER BY usr
"""
MEMBERS_COUNT = "SELECT count(*) FROM ethora_scim_member WHERE grp IN LIST(:groups)"

GROUPS_OF = """
SELECT member.usr, grp.id, grp.title
FROM ethora_scim_member AS member JOIN ethora_scim_group AS grp ON grp.id = member.grp
WHERE member.usr IN LIST(:ids) ORDER BY grp.number
"""

KNOWN_USERS = "SELECT id, chat_user, active FROM ethora_scim_user WHERE id IN LIST(:ids)"

ADD_MEMBERS = """
INSERT INTO ethora_scim_member (grp, usr, display)
SELECT :group, member.value, NULL FROM LIST_OF(:ids) AS member WHERE true
ON CONFLICT (grp, usr) DO NOTHING
"""
NAME_MEMBER = """
UPDATE ethora_scim_member SET display = :display WHERE grp = :group AND usr = :usr
"""
REMOVE_MEMBERS = "DELETE FROM ethora_scim_member WHERE grp = :group AND usr IN LIST(:ids)"

CHATS_OF_USER = """
SELECT chat FROM ethora_scim_group WHERE id IN (SELECT grp FROM ethora_scim_member WHERE usr = :id) ORDER BY number
"""

FORGET_GONE = "DELETE FROM ethora_scim_gone WHERE chat_key = :chat_key"
NOTE_GONE = """
INSERT INTO ethora_scim_gone (chat_key, at) VALUES (:chat_key, :now)
ON CONFLICT (chat_key) DO UPDATE SET at = excluded.at
"""

ACTIVE = "SELECT active FROM ethora_scim_user WHERE chat_key = :chat_key"
GONE = "SELECT 1 FROM ethora_scim_gone WHERE chat_key = :chat_key"

FIND_USER = _lookups(
    _USER,
    {
        "id": "id = :value",
        "user_name": "user_name = :value",
        "external_id": "external_id = :value",
        "user_id": "chat_key = :value",
    },
    "2",
)

VERSION = "SELECT value FROM ethora_scim WHERE name = 'schema'"
OUTBOX_VERSION = "SELECT value FROM ethora_outbox WHERE name = 'schema'"
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ethora!_%' ESCAPE '!'",
    "postgresql": "SELECT name FROM unnest(CAST(ARRAY['ethora_scim', 'ethora_outbox', 'ethora_scim_user',"
    " 'ethora_wish', 'ethora_lane'] AS text[])) AS name WHERE to_regclass(name) IS NOT NULL",
}
"""The existing tables; in PostgreSQL those on the search path."""

WRITE_LOCK = "SELECT pg_advisory_xact_lock(745107, 3)"
"""One writer at a time: an intent for a membership depends on the user's row and on the group's."""
SCHEMA_LOCK = "SELECT pg_advisory_xact_lock(745107, 0)"
"""The outbox's own lock for creating tables."""
