"""The outbox's tables in PostgreSQL."""

from __future__ import annotations

VERSION = 1

CHANNEL = "ethora_outbox"
"""The channel on which the inbox announces that it is no longer empty."""

TABLES = ("ethora_outbox", "ethora_wish", "ethora_lane")

CREATE: tuple[str, ...] = (
    "CREATE TABLE ethora_outbox (name text PRIMARY KEY, value jsonb NOT NULL)",
    """
    CREATE TABLE ethora_wish (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('user', 'chat', 'member')),
        key text NOT NULL,
        other text NOT NULL DEFAULT '',
        wanted jsonb CHECK (jsonb_typeof(wanted) = 'object'),
        traceparent text,
        at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "COMMENT ON TABLE ethora_wish IS 'ethora-async outbox: wanted states that no worker has looked at'",
    """
    CREATE TABLE ethora_lane (
        kind text NOT NULL,
        key text NOT NULL,
        other text NOT NULL DEFAULT '',
        wanted jsonb,
        version bigint NOT NULL,
        gone bigint NOT NULL DEFAULT 0,
        done bigint NOT NULL DEFAULT 0,
        due timestamptz,
        claim uuid,
        dead boolean NOT NULL DEFAULT false,
        attempts integer NOT NULL DEFAULT 0,
        reason text,
        traceparent text,
        since timestamptz NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (kind, key, other)
    )
    """,
    "COMMENT ON TABLE ethora_lane IS 'ethora-async outbox: a row for each user, chat and membership; of the workers'",
    "CREATE INDEX ethora_lane_due ON ethora_lane (due) WHERE due IS NOT NULL",
    "CREATE INDEX ethora_lane_finished ON ethora_lane (at) WHERE due IS NULL AND NOT dead",
    "CREATE INDEX ethora_lane_dead ON ethora_lane (at) WHERE dead",
    "CREATE INDEX ethora_lane_user ON ethora_lane (other) WHERE kind = 'member'",
    # Both tables are small and change often: autovacuum's default of a fifth of the table comes too late.
    "ALTER TABLE ethora_wish SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)",
    "ALTER TABLE ethora_lane SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)",
    # NOTIFY takes a lock that all commits share: only the statement that finds the inbox empty takes it.
    f"""
    CREATE FUNCTION ethora_wish_announce() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM ethora_wish WHERE id < (SELECT min(id) FROM added)) THEN
            PERFORM pg_notify('{CHANNEL}', '');
        END IF;
        RETURN NULL;
    END
    $body$
    """,
    """
    CREATE TRIGGER ethora_wish_announce AFTER INSERT ON ethora_wish
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ethora_wish_announce()
    """,
    f"INSERT INTO ethora_outbox VALUES ('schema', '{VERSION}')",
)
"""Version 1 of the schema."""

DROP: tuple[str, ...] = (
    "DROP TABLE IF EXISTS ethora_wish, ethora_lane, ethora_outbox",
    "DROP FUNCTION IF EXISTS ethora_wish_announce()",
)

__all__ = ["CHANNEL", "CREATE", "DROP", "TABLES", "VERSION"]
