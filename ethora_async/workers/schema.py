"""The tables of runs that several machines carry out."""

from __future__ import annotations

CREATE = (
    """CREATE TABLE ethora_run (
        run text PRIMARY KEY,
        platform jsonb NOT NULL,
        state text NOT NULL,
        step bigint,
        created timestamptz NOT NULL DEFAULT now(),
        ended timestamptz
    )""",
    """CREATE TABLE ethora_chunk (
        run text NOT NULL REFERENCES ethora_run ON DELETE CASCADE,
        step bigint NOT NULL,
        number int NOT NULL,
        kind text NOT NULL,
        action text NOT NULL,
        size int NOT NULL,
        items bytea,
        done boolean NOT NULL DEFAULT false,
        claim uuid,
        attempts int NOT NULL DEFAULT 0,
        outcomes text,
        PRIMARY KEY (run, step, number)
    )""",
    """CREATE TABLE ethora_failure (
        run text NOT NULL REFERENCES ethora_run ON DELETE CASCADE,
        step bigint NOT NULL,
        number int NOT NULL,
        item bigint NOT NULL,
        name text NOT NULL,
        status text NOT NULL,
        reason text,
        PRIMARY KEY (run, item)
    )""",
    "CREATE TABLE ethora_rate (name text PRIMARY KEY, tat timestamptz NOT NULL)",
)
"""Chunk 0 of a step stands for the users whose passwords only the planning process has: it holds no items."""

QUEUE = "ethora"
TASK = "ethora.chunk"

EXISTS = "SELECT to_regclass('ethora_run') IS NOT NULL, to_regclass('procrastinate_jobs') IS NOT NULL"

DEFER = """
    SELECT procrastinate_defer_jobs_v1(array_agg(ROW(%(queue)s, %(task)s, 0,
        run || '/' || step || '/' || number, NULL,
        jsonb_build_object('run', run, 'step', step, 'number', number), NULL)::procrastinate_job_to_defer_v1))
    FROM ethora_chunk WHERE run = %(run)s AND step = %(step)s AND number > 0 AND NOT done HAVING count(*) > 0
"""
"""A job for each chunk of a step that is not done. Its lock keeps two jobs for one chunk from running at once."""

CLAIM = """
    UPDATE ethora_chunk AS chunk SET claim = %(claim)s, attempts = attempts + 1
    FROM ethora_run AS run
    WHERE chunk.run = %(run)s AND chunk.step = %(step)s AND number = %(number)s AND NOT done
        AND run.run = chunk.run AND run.state = 'running' AND run.step = chunk.step
    RETURNING kind, action, items, attempts, outcomes, run.platform
"""

FINISH = """
    UPDATE ethora_chunk SET done = true, claim = NULL, outcomes = %(outcomes)s
    WHERE run = %(run)s AND step = %(step)s AND number = %(number)s AND claim = %(claim)s AND NOT done
"""

NEXT = """
    SELECT min(step) FILTER (WHERE NOT done) FROM ethora_chunk WHERE run = %(run)s
"""

PROGRESS = """
    SELECT kind, action, outcomes, sum(size)::bigint FROM (
        SELECT kind, action, CASE WHEN done THEN outcomes END AS outcomes, size FROM ethora_chunk WHERE run = %(run)s
    ) AS chunk GROUP BY kind, action, outcomes
"""
