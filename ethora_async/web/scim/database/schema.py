"""The tables of the SCIM records, for SQLite and PostgreSQL."""

from __future__ import annotations

VERSION = 1

TABLES: tuple[str, ...] = (
    "ethora_scim",
    "ethora_scim_user",
    "ethora_scim_email",
    "ethora_scim_group",
    "ethora_scim_member",
    "ethora_scim_gone",
)

_CREATE: tuple[str, ...] = (
    "CREATE TABLE ethora_scim (name text PRIMARY KEY, value text NOT NULL)",
    """
    CREATE TABLE ethora_scim_user (
        number {number},
        id text NOT NULL UNIQUE,
        user_name text NOT NULL UNIQUE,
        external_id text,
        active boolean NOT NULL,
        chat_user text NOT NULL,
        chat_key text NOT NULL UNIQUE,
        email text NOT NULL,
        first_name text NOT NULL,
        last_name text NOT NULL,
        picture text,
        doc text NOT NULL,
        version bigint NOT NULL,
        created double precision NOT NULL,
        modified double precision NOT NULL
    )
    """,
    "CREATE INDEX ethora_scim_user_external_id ON ethora_scim_user (external_id)",
    """
    CREATE TABLE ethora_scim_email (
        address text NOT NULL,
        usr text NOT NULL REFERENCES ethora_scim_user (id) ON DELETE CASCADE,
        PRIMARY KEY (address, usr)
    )
    """,
    "CREATE INDEX ethora_scim_email_user ON ethora_scim_email (usr)",
    """
    CREATE TABLE ethora_scim_group (
        number {number},
        id text NOT NULL UNIQUE,
        name text NOT NULL,
        external_id text,
        chat text NOT NULL,
        chat_key text NOT NULL UNIQUE,
        title text NOT NULL,
        doc text NOT NULL,
        version bigint NOT NULL,
        created double precision NOT NULL,
        modified double precision NOT NULL
    )
    """,
    "CREATE INDEX ethora_scim_group_name ON ethora_scim_group (name)",
    "CREATE INDEX ethora_scim_group_external_id ON ethora_scim_group (external_id)",
    """
    CREATE TABLE ethora_scim_member (
        grp text NOT NULL REFERENCES ethora_scim_group (id) ON DELETE CASCADE,
        usr text NOT NULL REFERENCES ethora_scim_user (id) ON DELETE CASCADE,
        display text,
        PRIMARY KEY (grp, usr)
    )
    """,
    "CREATE INDEX ethora_scim_member_user ON ethora_scim_member (usr)",
    "CREATE TABLE ethora_scim_gone (chat_key text PRIMARY KEY, at double precision NOT NULL)",
    f"INSERT INTO ethora_scim (name, value) VALUES ('schema', '{VERSION}')",  # noqa: S608
)

_NUMBERS = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}


def create(dialect: str) -> tuple[str, ...]:
    """Return the statements that create version 1 of the tables.

    `ethora_scim_gone` lists deleted users: they get no tokens until they are created again.
    """
    return tuple(statement.replace("{number}", _NUMBERS[dialect]) for statement in _CREATE)


DROP: tuple[str, ...] = tuple(f"DROP TABLE IF EXISTS {name}" for name in reversed(TABLES))

__all__ = ["DROP", "TABLES", "VERSION", "create"]
