"""Every statement of the outbox in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import LiteralString

BEGIN = "SET LOCAL idle_in_transaction_session_timeout = '30s'"

LOCK = "SELECT pg_advisory_xact_lock(745107, 'ethora_lane'::regclass::oid::int)"
"""Workers fold and claim one at a time: intents are folded in order, and no worker sees another's partial work."""


def _fitting(column: LiteralString) -> LiteralString:
    """Return the SQL of an id that fits into an index, however long the id is that a trigger wrote.

    A shortened id is longer than any valid one, so that it becomes a dead letter.
    """
    shortened = f"rpad(left({column}, 100), %(longest)s::int + 1, '.')"
    return f"CASE WHEN octet_length({column}) > %(longest)s::int THEN {shortened} ELSE {column} END"


FOLD = f"""
WITH taken AS (
    DELETE FROM ethora_wish WHERE id IN (SELECT id FROM ethora_wish ORDER BY id LIMIT %(limit)s)
    RETURNING id, kind, {_fitting("key")} AS key, {_fitting("other")} AS other, wanted, traceparent, at
), newest AS (
    SELECT DISTINCT ON (kind, key, other) kind, key, other, wanted, id AS version, traceparent
    FROM taken ORDER BY kind, key, other, id DESC
), summed AS (
    SELECT kind, key, other, min(at) AS since, coalesce(max(id) FILTER (WHERE wanted IS NULL), 0) AS gone
    FROM taken GROUP BY kind, key, other
), folded AS (
    INSERT INTO ethora_lane AS lane (kind, key, other, wanted, version, gone, due, traceparent, since, at)
    SELECT kind, key, other, wanted, version, gone, statement_timestamp(), traceparent, since, statement_timestamp()
    FROM newest JOIN summed USING (kind, key, other)
    ON CONFLICT (kind, key, other) DO UPDATE SET
        gone = greatest(lane.gone, excluded.gone),
        wanted = CASE WHEN excluded.version > lane.version THEN excluded.wanted ELSE lane.wanted END,
        traceparent = CASE WHEN excluded.version > lane.version THEN excluded.traceparent ELSE lane.traceparent END,
        attempts = CASE WHEN excluded.version > lane.version THEN 0 ELSE lane.attempts END,
        dead = CASE WHEN excluded.version > lane.version THEN false ELSE lane.dead END,
        reason = CASE WHEN excluded.version > lane.version THEN NULL ELSE lane.reason END,
        since = CASE WHEN lane.due IS NULL THEN excluded.since ELSE lane.since END,
        due = CASE WHEN excluded.version > lane.version AND lane.claim IS NULL THEN excluded.due ELSE lane.due END,
        at = excluded.at,
        version = greatest(lane.version, excluded.version)
    WHERE excluded.version > lane.version OR excluded.gone > lane.gone
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM folded),
    (SELECT jsonb_agg(jsonb_build_object('kind', kind, 'key', key, 'gone', gone))
     FROM summed WHERE gone > 0 AND kind <> 'member')
"""

END_MEMBERSHIPS = """
UPDATE ethora_lane AS lane SET
    wanted = NULL,
    version = parted.gone,
    gone = parted.gone,
    done = CASE WHEN lane.claim IS NULL THEN parted.gone ELSE lane.done END,
    due = CASE WHEN lane.claim IS NULL THEN NULL ELSE lane.due END,
    dead = false,
    reason = NULL,
    at = statement_timestamp()
FROM jsonb_to_recordset(CAST(CAST(%(gone)s AS text) AS jsonb)) AS parted (kind text, key text, gone bigint)
WHERE lane.kind = 'member' AND lane.version < parted.gone
    AND ((parted.kind = 'user' AND lane.other = parted.key) OR (parted.kind = 'chat' AND lane.key = parted.key))
"""
"""Deleting a user or a chat also ends its memberships: their lanes have nothing left to do."""

CLAIM = """
WITH ready AS (
    SELECT kind, key, other FROM ethora_lane AS lane
    WHERE due <= statement_timestamp() AND CASE kind
        WHEN 'member' THEN
            NOT EXISTS (SELECT 1 FROM ethora_lane AS part
                        WHERE part.kind = 'user' AND part.key = lane.other AND part.due IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM ethora_lane AS part
                            WHERE part.kind = 'chat' AND part.key = lane.key AND part.due IS NOT NULL)
        WHEN 'user' THEN
            NOT EXISTS (SELECT 1 FROM ethora_lane AS held WHERE held.kind = 'member' AND held.other = lane.key
                        AND held.claim IS NOT NULL AND held.due > statement_timestamp())
        ELSE
            NOT EXISTS (SELECT 1 FROM ethora_lane AS held WHERE held.kind = 'member' AND held.key = lane.key
                        AND held.claim IS NOT NULL AND held.due > statement_timestamp())
        END
    ORDER BY due LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE ethora_lane AS lane SET claim = %(claim)s, due = statement_timestamp() + make_interval(secs => %(lease)s)
FROM ready WHERE lane.kind = ready.kind AND lane.key = ready.key AND lane.other = ready.other
RETURNING lane.kind, lane.key, lane.other, lane.wanted::text, lane.version, lane.gone, lane.done, lane.attempts,
    extract(epoch FROM statement_timestamp() - lane.since)::float8, lane.traceparent
"""
"""`due` is the lease of a claimed lane. Memberships wait for their user and chat, and those wait for claimed
memberships.
"""

HOLD = """
UPDATE ethora_lane SET due = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE claim = %(claim)s AND due IS NOT NULL RETURNING kind, key, other
"""

NOTE_DELETED = """
UPDATE ethora_lane AS lane SET done = greatest(lane.done, deleted.gone)
FROM jsonb_to_recordset(CAST(CAST(%(lanes)s AS text) AS jsonb))
    AS deleted (kind text, key text, other text, gone bigint)
WHERE lane.kind = deleted.kind AND lane.key = deleted.key AND lane.other = deleted.other AND lane.claim = %(claim)s
RETURNING lane.kind, lane.key, lane.other
"""

FINISH = """
UPDATE ethora_lane AS lane SET
    done = CASE WHEN verdict.state = 'done' THEN greatest(lane.done, verdict.version) ELSE lane.done END,
    due = CASE WHEN lane.version > verdict.version AND verdict.state <> 'held' THEN statement_timestamp()
               WHEN verdict.state IN ('again', 'held') THEN statement_timestamp() + make_interval(secs => verdict.delay)
               ELSE NULL END,
    dead = verdict.state = 'dead' AND lane.version <= verdict.version,
    attempts = CASE WHEN lane.version > verdict.version THEN 0 ELSE verdict.attempts END,
    reason = CASE WHEN lane.version > verdict.version THEN NULL ELSE verdict.reason END,
    since = CASE WHEN verdict.state IN ('done', 'dead') AND lane.version > verdict.version
                 THEN statement_timestamp() ELSE lane.since END,
    wanted = CASE WHEN verdict.state = 'done' AND lane.version <= verdict.version
                  THEN lane.wanted - 'sealed_password' ELSE lane.wanted END,
    at = statement_timestamp(),
    claim = CASE WHEN verdict.state = 'held' THEN lane.claim END
FROM jsonb_to_recordset(CAST(CAST(%(verdicts)s AS text) AS jsonb)) AS verdict
    (kind text, key text, other text, version bigint, state text, reason text, delay float8, attempts integer)
WHERE lane.kind = verdict.kind AND lane.key = verdict.key AND lane.other = verdict.other AND lane.claim = %(claim)s
"""

WANTED_ADDRESSES = """
SELECT wanted ->> 'email', key FROM ethora_lane
WHERE kind = 'user' AND due IS NOT NULL AND wanted ->> 'email' = ANY(%(addresses)s)
"""

PURGE = """
DELETE FROM ethora_lane WHERE due IS NULL AND NOT dead AND at < least(
    now() - make_interval(secs => %(keep)s),
    (SELECT to_timestamp((value ->> 'since')::float8) FROM ethora_outbox
     WHERE name = 'reconciling' AND to_timestamp((value ->> 'since')::float8) > now() - interval '1 day'))
"""
"""Completed lanes are kept for a while, so that an intent that commits late is recognised as old."""

COUNT = """
SELECT kind, count(*) FILTER (WHERE due IS NOT NULL), count(*) FILTER (WHERE dead),
    count(*) FILTER (WHERE claim IS NOT NULL AND due > now()),
    extract(epoch FROM now() - min(since) FILTER (WHERE due IS NOT NULL))::float8
FROM ethora_lane WHERE due IS NOT NULL OR dead GROUP BY kind
"""

COUNT_INBOX = "SELECT count(*), extract(epoch FROM now() - min(at))::float8 FROM ethora_wish"

DEAD = """
SELECT kind, key, other, coalesce(reason, ''), attempts, extract(epoch FROM at)::float8
FROM ethora_lane WHERE dead ORDER BY at, kind, key, other LIMIT %(limit)s
"""

_ONE = "(%(kind)s::text IS NULL OR (kind = %(kind)s AND key = %(key)s AND other = %(other)s))"

RETRY = f"""
UPDATE ethora_lane SET dead = false, due = now(), attempts = 0, reason = NULL, since = now(), at = now()
WHERE dead AND {_ONE}
"""

SKIP = f"UPDATE ethora_lane SET dead = false, reason = NULL, done = version, at = now() WHERE dead AND {_ONE}"

_IDS = "jsonb_to_recordset(CAST(CAST(%(ids)s AS text) AS jsonb)) AS asked (kind text, key text, other text)"

UNSETTLED = f"""
SELECT kind, key, other FROM {_IDS} WHERE
    EXISTS (SELECT 1 FROM ethora_lane AS lane
            WHERE lane.kind = asked.kind AND lane.key = asked.key AND lane.other = asked.other
            AND (lane.due IS NOT NULL OR lane.dead OR lane.at >= to_timestamp(%(since)s)))
    OR EXISTS (SELECT 1 FROM ethora_wish AS wish
               WHERE wish.kind = asked.kind AND wish.key = asked.key AND wish.other = asked.other)
"""

REOPEN = """
INSERT INTO ethora_lane AS lane (kind, key, other, wanted, version, due, since, at)
SELECT kind, key, other, wanted, 0, now(), now(), now()
FROM jsonb_to_recordset(CAST(CAST(%(ids)s AS text) AS jsonb)) AS drift (kind text, key text, other text, wanted jsonb)
WHERE NOT EXISTS (SELECT 1 FROM ethora_wish AS wish
                  WHERE wish.kind = drift.kind AND wish.key = drift.key AND wish.other = drift.other)
ON CONFLICT (kind, key, other) DO UPDATE SET
    wanted = excluded.wanted, due = now(), attempts = 0, reason = NULL, since = now(), at = now()
WHERE lane.due IS NULL AND NOT lane.dead AND lane.at < to_timestamp(%(since)s)
"""

NOTE = """
INSERT INTO ethora_outbox VALUES (%(name)s, CAST(CAST(%(value)s AS text) AS jsonb))
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""

NOTED = "SELECT value FROM ethora_outbox WHERE name = %(name)s"
