"""Every statement of the outbox in SQLite; ``:now`` is the time in seconds since the epoch."""

from __future__ import annotations

# Row by row, in order: each intent is applied to the lane as the one before it left it.
FOLD = """
INSERT INTO ethora_lane AS lane (kind, key, other, wanted, version, gone, due, traceparent, since, at)
SELECT kind, ethora_text(CAST(key AS BLOB)), ethora_text(CAST(other AS BLOB)), wanted, id,
    CASE WHEN wanted IS NULL THEN id ELSE 0 END, :now, traceparent, at, :now
FROM ethora_wish WHERE id <= :last ORDER BY id
ON CONFLICT (kind, key, other) DO UPDATE SET
    gone = max(lane.gone, excluded.gone),
    wanted = CASE WHEN excluded.version > lane.version THEN excluded.wanted ELSE lane.wanted END,
    traceparent = CASE WHEN excluded.version > lane.version THEN excluded.traceparent ELSE lane.traceparent END,
    attempts = CASE WHEN excluded.version > lane.version THEN 0 ELSE lane.attempts END,
    dead = CASE WHEN excluded.version > lane.version THEN 0 ELSE lane.dead END,
    reason = CASE WHEN excluded.version > lane.version THEN NULL ELSE lane.reason END,
    since = CASE WHEN lane.due IS NULL THEN excluded.since ELSE lane.since END,
    due = CASE WHEN excluded.version > lane.version AND lane.claim IS NULL THEN excluded.due ELSE lane.due END,
    at = excluded.at,
    version = max(lane.version, excluded.version)
WHERE excluded.version > lane.version OR excluded.gone > lane.gone
"""

LAST = "SELECT max(id), count(*) FROM (SELECT id FROM ethora_wish ORDER BY id LIMIT :limit)"

GONE = """
SELECT kind, key, max(id) FROM ethora_wish
WHERE id <= :last AND wanted IS NULL AND kind <> 'member' GROUP BY kind, key
"""

_END = """
UPDATE ethora_lane SET
    wanted = NULL,
    version = :gone,
    gone = :gone,
    done = CASE WHEN claim IS NULL THEN :gone ELSE done END,
    due = CASE WHEN claim IS NULL THEN NULL ELSE due END,
    dead = 0,
    reason = NULL,
    at = :now
WHERE kind = 'member' AND version < :gone AND
"""

END_MEMBERSHIPS = {"user": f"{_END} other = :key", "chat": f"{_END} key = :key"}
"""Deleting a user or a chat also ends its memberships: their lanes have nothing left to do."""

EMPTY = "DELETE FROM ethora_wish WHERE id <= :last"

_OPEN = "SELECT 1 FROM ethora_lane AS part WHERE part.kind = '{}' AND part.key = lane.{} AND part.due IS NOT NULL"
_HELD = (
    "SELECT 1 FROM ethora_lane AS held WHERE held.kind = 'member' AND held.{} = lane.key"
    " AND held.claim IS NOT NULL AND held.due > :now"
)

CLAIM = f"""
SELECT kind, key, other, wanted, version, gone, done, attempts, max(0.0, :now - since), traceparent
FROM ethora_lane AS lane
WHERE due <= :now AND CASE kind
    WHEN 'member' THEN NOT EXISTS ({_OPEN.format("user", "other")}) AND NOT EXISTS ({_OPEN.format("chat", "key")})
    WHEN 'user' THEN NOT EXISTS ({_HELD.format("other")})
    ELSE NOT EXISTS ({_HELD.format("key")})
    END
ORDER BY due LIMIT :limit
"""
"""`due` is the lease of a claimed lane. Memberships wait for their user and chat, and those wait for claimed
memberships.
"""

_ONE_LANE = "kind = :kind AND key = :key AND other = :other"

TAKE = f"UPDATE ethora_lane SET claim = :claim, due = :due WHERE {_ONE_LANE}"

HOLD = "UPDATE ethora_lane SET due = :due WHERE claim = :claim AND due IS NOT NULL RETURNING kind, key, other"

NOTE_DELETED = (
    f"UPDATE ethora_lane SET done = max(done, :gone) WHERE {_ONE_LANE} AND claim = :claim RETURNING kind, key, other"
)

FINISH = f"""
UPDATE ethora_lane SET
    done = CASE WHEN :state = 'done' THEN max(done, :version) ELSE done END,
    due = CASE WHEN version > :version AND :state <> 'held' THEN :now
               WHEN :state IN ('again', 'held') THEN :now + :delay ELSE NULL END,
    dead = :state = 'dead' AND version <= :version,
    attempts = CASE WHEN version > :version THEN 0 ELSE :attempts END,
    reason = CASE WHEN version > :version THEN NULL ELSE :reason END,
    since = CASE WHEN :state IN ('done', 'dead') AND version > :version THEN :now ELSE since END,
    wanted = CASE WHEN :state = 'done' AND version <= :version THEN json_remove(wanted, '$.sealed_password')
                  ELSE wanted END,
    at = :now,
    claim = CASE WHEN :state = 'held' THEN claim END
WHERE {_ONE_LANE} AND claim = :claim
"""

WANTED_ADDRESSES = """
SELECT json_extract(wanted, '$.email'), key FROM ethora_lane
WHERE kind = 'user' AND due IS NOT NULL
    AND json_extract(wanted, '$.email') IN (SELECT value FROM json_each(:addresses))
"""

PURGE = """
DELETE FROM ethora_lane WHERE due IS NULL AND NOT dead AND at < min(:now - :keep, coalesce(
    (SELECT json_extract(value, '$.since') FROM ethora_outbox
     WHERE name = 'reconciling' AND json_extract(value, '$.since') > :now - 86400), :now))
"""
"""Completed lanes are kept for a while, so that an intent that commits late is recognised as old."""

COUNT = """
SELECT kind, count(*) FILTER (WHERE due IS NOT NULL), count(*) FILTER (WHERE dead),
    count(*) FILTER (WHERE claim IS NOT NULL AND due > :now), :now - min(since) FILTER (WHERE due IS NOT NULL)
FROM ethora_lane WHERE due IS NOT NULL OR dead GROUP BY kind
"""

COUNT_INBOX = "SELECT count(*), :now - min(at) FROM ethora_wish"

DEAD = """
SELECT kind, key, other, coalesce(reason, ''), attempts, at FROM ethora_lane WHERE dead
ORDER BY at, kind, key, other LIMIT :limit
"""

_ONE = f"(:kind IS NULL OR ({_ONE_LANE}))"

RETRY = f"""
UPDATE ethora_lane SET dead = 0, due = :now, attempts = 0, reason = NULL, since = :now, at = :now WHERE dead AND {_ONE}
"""

SKIP = f"UPDATE ethora_lane SET dead = 0, reason = NULL, done = version, at = :now WHERE dead AND {_ONE}"

UNSETTLED = f"""
SELECT 1 WHERE
    EXISTS (SELECT 1 FROM ethora_lane WHERE {_ONE_LANE} AND (due IS NOT NULL OR dead OR at >= :since))
    OR EXISTS (SELECT 1 FROM ethora_wish WHERE {_ONE_LANE})
"""

REOPEN = f"""
INSERT INTO ethora_lane AS lane (kind, key, other, wanted, version, due, since, at)
SELECT :kind, :key, :other, :wanted, 0, :now, :now, :now
WHERE NOT EXISTS (SELECT 1 FROM ethora_wish WHERE {_ONE_LANE})
ON CONFLICT (kind, key, other) DO UPDATE SET
    wanted = excluded.wanted, due = :now, attempts = 0, reason = NULL, since = :now, at = :now
WHERE lane.due IS NULL AND NOT lane.dead AND lane.at < :since
"""

NOTE = "INSERT INTO ethora_outbox VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

NOTED = "SELECT value FROM ethora_outbox WHERE name = :name"
