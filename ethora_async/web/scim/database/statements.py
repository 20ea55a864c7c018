"""Every statement on the SCIM records.

Values are named, as in ``:id``. ``LIST(:ids)`` stands for the elements of a JSON array; each connection renders both
for its database.
"""

from __future__ import annotations

_USER = "number, id, doc, version, created, modified, active, chat_user, email, first_name, last_name, picture"
_GROUP = "number, id, doc, version, created, modified, chat, title"

USER = f"SELECT {_USER} FROM ethora_scim_user WHERE id = :id"  # noqa: S608
GROUP = f"SELECT {_GROUP} FROM ethora_scim_group WHERE id = :id"  # noqa: S608

USERS_PAGE = f"SELECT {_USER} FROM ethora_scim_user ORDER BY number LIMIT :limit OFFSET :offset"  # noqa: S608
GROUPS_PAGE = f"SELECT {_GROUP} FROM ethora_scim_group ORDER BY number LIMIT :limit OFFSET :offset"  # noqa: S608
USERS_COUNT = "SELECT count(*) FROM ethora_scim_user"
GROUPS_COUNT = "SELECT count(*) FROM ethora_scim_group"

_BY = "WHERE {} ORDER BY number LIMIT :limit"

USERS_BY = {
    lookup: f"SELECT {_USER} FROM ethora_scim_user {_BY.format(condition)}"  # noqa: S608
    for lookup, condition in {
        "id": "id = :value",
        "username": "user_name = :value",
        "externalid": "external_id = :value",
        "emails": "id IN (SELECT usr FROM ethora_scim_email WHERE address = :value)",
        "groups": "id IN (SELECT usr FROM ethora_scim_member WHERE grp = :value)",
    }.items()
}
"""Lookups of users by an index; the key is the attribute's name in lower case."""

GROUPS_BY = {
    lookup: f"SELECT {_GROUP} FROM ethora_scim_group {_BY.format(condition)}"  # noqa: S608
    for lookup, condition in {
        "id": "id = :value",
        "displayname": "name = :value",
        "externalid": "external_id = :value",
        "members": "id IN (SELECT grp FROM ethora_scim_member WHERE usr = :value)",
    }.items()
}
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

FIND_USER = {
    lookup: f"SELECT {_USER} FROM ethora_scim_user WHERE {column} = :value ORDER BY number LIMIT 2"  # noqa: S608
    for lookup, column in {
        "id": "id",
        "user_name": "user_name",
        "external_id": "external_id",
        "user_id": "chat_key",
    }.items()
}

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
