"""The tables of runs on several machines, and the statements on them."""

from __future__ import annotations

VERSION = 1

TABLES = ("ethora_workers", "ethora_run", "ethora_chunk", "ethora_failure", "ethora_rate")

CREATE: tuple[str, ...] = (
    "CREATE TABLE ethora_workers (version int NOT NULL)",
    f"INSERT INTO ethora_workers VALUES ({VERSION})",  # noqa: S608  our own number
    """CREATE TABLE ethora_run (
        run text PRIMARY KEY,
        platform jsonb NOT NULL,
        state text NOT NULL,
        step bigint,
        unfinished int NOT NULL DEFAULT 0,
        undeferred int NOT NULL DEFAULT 0,
        outstanding int NOT NULL DEFAULT 0,
        deferred int NOT NULL DEFAULT 0,
        total bigint NOT NULL DEFAULT 0,
        done bigint NOT NULL DEFAULT 0,
        failed bigint NOT NULL DEFAULT 0,
        planner timestamptz,
        traceparent text,
        created timestamptz NOT NULL DEFAULT now(),
        ended timestamptz
    ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)""",
    """CREATE TABLE ethora_chunk (
        run text NOT NULL REFERENCES ethora_run ON DELETE CASCADE,
        step bigint NOT NULL,
        number int NOT NULL,
        kind text NOT NULL,
        action text NOT NULL,
        size int NOT NULL,
        local boolean NOT NULL DEFAULT false,
        items bytea NOT NULL,
        done boolean NOT NULL DEFAULT false,
        claim uuid,
        attempts int NOT NULL DEFAULT 0,
        troubles int NOT NULL DEFAULT 0,
        outcomes text,
        PRIMARY KEY (run, step, number)
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)""",
    # They are already compressed.
    "ALTER TABLE ethora_chunk ALTER COLUMN items SET STORAGE EXTERNAL",
    """CREATE TABLE ethora_failure (
        run text NOT NULL REFERENCES ethora_run ON DELETE CASCADE,
        step bigint NOT NULL,
        number int NOT NULL,
        item bigint NOT NULL,
        kind text NOT NULL,
        action text NOT NULL,
        name text NOT NULL,
        status text NOT NULL,
        reason text,
        PRIMARY KEY (run, item)
    )""",
    "CREATE INDEX ethora_failure_created ON ethora_failure (run, kind, name) WHERE action = 'create'",
    "CREATE INDEX ethora_failure_chunk ON ethora_failure (run, step, number)",
    "CREATE TABLE ethora_rate (name text PRIMARY KEY, tat timestamptz NOT NULL) WITH (fillfactor = 50)",
)
"""``local`` chunks contain users whose passwords only the planning process has; their records lack the passwords.

``outcomes`` has one letter per item: `.` is to do, `?` was sent with an unknown result and is to do again. In a run,
``step`` is the current one, ``unfinished`` the number of its unfinished chunks, and ``planner`` the time of the
planning process's last heartbeat, if it has work left.
"""

QUEUE = "ethora"
TASK = "ethora.chunk"

EXISTS = """
    SELECT (SELECT array_agg(relname::text ORDER BY relname) FROM pg_class
            WHERE oid = ANY(SELECT to_regclass(name)::oid FROM unnest(%(tables)s::text[]) AS name)),
        to_regclass('procrastinate_jobs') IS NOT NULL,
        to_regclass('procrastinate_workers') IS NOT NULL
            AND to_regtype('procrastinate_job_to_defer_v1') IS NOT NULL
"""

START = """
    INSERT INTO ethora_run (run, platform, state, traceparent, planner)
    VALUES (%(run)s, CAST(%(platform)s AS jsonb), 'running', %(traceparent)s, now())
"""

TOTAL = """
    UPDATE ethora_run AS run SET total = (SELECT coalesce(sum(size), 0) FROM ethora_chunk WHERE run = %(run)s)
    WHERE run = %(run)s
"""

WINDOW = 256
"""Jobs of a run that wait or are under way at once.

For each job that it hands out, the engine looks at all that wait.
"""

TO_DEFER = """
    SELECT number FROM ethora_chunk WHERE run = %(run)s AND step = %(step)s AND NOT local AND NOT done
        AND number > %(deferred)s ORDER BY number LIMIT %(limit)s
"""
DEFER = """
    SELECT procrastinate_defer_jobs_v1(array_agg(ROW(%(queue)s, %(task)s, 0,
        run || '/' || step || '/' || number, NULL,
        jsonb_build_object('run', run, 'step', step, 'number', number), NULL)::procrastinate_job_to_defer_v1
        ORDER BY number))
    FROM ethora_chunk WHERE run = %(run)s AND step = %(step)s AND number = ANY(%(numbers)s)
"""
"""A job for each chunk of a step that is not done. Its lock keeps two jobs for one chunk from running at once."""

DEFERRED = """
    UPDATE ethora_run SET undeferred = greatest(undeferred - %(found)s, 0), outstanding = outstanding + %(found)s,
        deferred = %(last)s WHERE run = %(run)s
"""
NONE_TO_DEFER = "UPDATE ethora_run SET undeferred = 0 WHERE run = %(run)s"

# A chunk that is claimed while another worker holds it was interrupted: its remaining items may have taken effect.
CLAIM = """
    UPDATE ethora_chunk AS chunk SET claim = %(claim)s, attempts = attempts + 1,
        outcomes = CASE WHEN claim IS NULL THEN outcomes
            ELSE translate(coalesce(outcomes, repeat('.', size)), '.', '?') END
    FROM ethora_run AS run
    WHERE chunk.run = %(run)s AND chunk.step = %(step)s AND number = %(number)s AND NOT chunk.done
        AND run.run = chunk.run AND run.state = 'running' AND run.step = chunk.step
    RETURNING kind, action, items, attempts, troubles, outcomes, run.platform, run.traceparent
"""

UNCREATED = """
    SELECT kind, name FROM ethora_failure WHERE run = %(run)s AND action = 'create'
        AND (kind = 'user' AND name = ANY(%(users)s) OR kind = 'chat' AND name = ANY(%(chats)s))
"""

# Locks the run first, as every statement does that changes its chunks.
LOCK_CLAIMED = """
    SELECT length(translate(coalesce(chunk.outcomes, ''), '.?', ''))
    FROM ethora_run AS run JOIN ethora_chunk AS chunk ON chunk.run = run.run
    WHERE run.run = %(run)s AND chunk.step = %(step)s AND number = %(number)s AND claim = %(claim)s AND NOT chunk.done
    FOR UPDATE OF run
"""
RECORD = """
    UPDATE ethora_chunk SET outcomes = %(outcomes)s, done = %(done)s, troubles = troubles + %(troubles)s,
        claim = CASE WHEN %(done)s OR %(troubles)s > 0 THEN NULL ELSE claim END
    WHERE run = %(run)s AND step = %(step)s AND number = %(number)s AND claim = %(claim)s AND NOT done
    RETURNING local
"""
FAIL = """
    INSERT INTO ethora_failure (run, step, number, item, kind, action, name, status, reason)
    SELECT %(run)s, %(step)s, %(number)s, item, %(kind)s, %(action)s, name, status, reason
    FROM unnest(%(items)s::bigint[], %(names)s::text[], %(statuses)s::text[], %(reasons)s::text[])
        AS one (item, name, status, reason)
    ON CONFLICT (run, item) DO UPDATE SET status = excluded.status, reason = excluded.reason
    RETURNING xmax = 0
"""
"""Returns true for each new failure."""

COUNT = """
    UPDATE ethora_run SET done = done + %(known)s, failed = failed + %(failed)s,
        unfinished = unfinished - CASE WHEN %(done)s AND step = %(step)s THEN 1 ELSE 0 END,
        outstanding = outstanding - CASE WHEN %(done)s AND NOT %(local)s AND step = %(step)s THEN 1 ELSE 0 END
    WHERE run = %(run)s RETURNING unfinished, undeferred, outstanding, deferred, step
"""

NEXT = """
    SELECT step, count(*)::int, (count(*) FILTER (WHERE NOT local))::int
    FROM ethora_chunk WHERE run = %(run)s AND NOT done GROUP BY step ORDER BY step LIMIT 1
"""
BEGIN_STEP = """
    UPDATE ethora_run SET step = %(step)s, unfinished = %(chunks)s, undeferred = %(remote)s, outstanding = 0,
        deferred = 0 WHERE run = %(run)s
"""
END = """
    UPDATE ethora_run SET state = CASE WHEN failed > 0 THEN 'failed' ELSE 'done' END, step = NULL, planner = NULL,
        ended = now() WHERE run = %(run)s
"""

RESET = """
    UPDATE ethora_chunk SET done = false, claim = NULL, troubles = 0,
        outcomes = translate(outcomes, 'fk', '.?')
    WHERE run = %(run)s AND (%(local)s OR NOT local) AND done AND outcomes ~ '[fk]'
"""
FORGET_FAILURES = """
    DELETE FROM ethora_failure AS failure USING ethora_chunk AS chunk
    WHERE failure.run = %(run)s AND chunk.run = failure.run AND chunk.step = failure.step
        AND chunk.number = failure.number AND NOT chunk.done
"""
RECOUNT = """
    UPDATE ethora_run SET state = 'running', step = NULL, ended = NULL,
        planner = CASE WHEN %(local)s THEN now() ELSE planner END,
        done = (SELECT coalesce(sum(length(translate(outcomes, '.?', ''))), 0) FROM ethora_chunk WHERE run = %(run)s),
        failed = (SELECT count(*) FROM ethora_failure WHERE run = %(run)s)
    WHERE run = %(run)s
"""

BEAT = "UPDATE ethora_run SET planner = now() WHERE run = %(run)s AND state = 'running' RETURNING 1"
SILENT = """
    SELECT run FROM ethora_run AS run WHERE state = 'running' AND planner < now() - %(silence)s * interval '1 second'
        AND EXISTS (SELECT 1 FROM ethora_chunk AS chunk WHERE chunk.run = run.run AND local AND NOT done)
"""
LOCAL = """
    SELECT step, number, kind, action, items, outcomes FROM ethora_chunk
    WHERE run = %(run)s AND local AND NOT done ORDER BY step, number LIMIT 1
"""
GIVE_UP = """
    UPDATE ethora_chunk SET claim = %(claim)s WHERE run = %(run)s AND step = %(step)s AND number = %(number)s
"""

LOCAL_CHUNKS = """
    SELECT number FROM ethora_chunk WHERE run = %(run)s AND step = %(step)s AND local AND NOT done ORDER BY number
"""

HEAD = """
    SELECT run, state, step, extract(epoch FROM created)::float8, total, done, failed,
        extract(epoch FROM now() - planner)::float8
    FROM ethora_run
"""
PROGRESS = """
    SELECT kind, action, outcomes, count(*)::bigint FROM ethora_chunk
    WHERE run = %(run)s AND outcomes IS NOT NULL GROUP BY kind, action, outcomes
"""
AFTER = """
    SELECT step, number, kind, action, items, outcomes, local FROM ethora_chunk
    WHERE run = %(run)s AND (step, number) > (%(step)s, %(number)s) ORDER BY step, number LIMIT %(limit)s
"""
REASONS = """
    SELECT item, reason FROM ethora_failure WHERE run = %(run)s AND step = %(step)s AND number = %(number)s
"""

RESERVE = """
    INSERT INTO ethora_rate AS rate (name, tat) VALUES (%(name)s, clock_timestamp() + %(span)s * interval '1 second')
    ON CONFLICT (name) DO UPDATE
        SET tat = greatest(rate.tat, clock_timestamp()) + %(span)s * interval '1 second'
    RETURNING extract(epoch FROM tat - %(span)s * interval '1 second' - clock_timestamp())::float8
"""
"""The generic cell rate algorithm: ``tat`` is when the next permit is due if all are used.

A block of permits advances it by their number; the caller waits until its block begins. Only the database's clock is
used.
"""
PUSH_BACK = """
    INSERT INTO ethora_rate AS rate (name, tat) VALUES (%(name)s, clock_timestamp() + %(wait)s * interval '1 second')
    ON CONFLICT (name) DO UPDATE SET tat = greatest(rate.tat, excluded.tat)
"""
