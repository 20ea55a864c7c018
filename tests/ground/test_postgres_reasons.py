"""What a message quotes of a PostgreSQL driver's error."""

from __future__ import annotations

import psycopg
import pytest

from ethora_async.postgres import PostgresServer


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'connection refused\n\tIs the server running on that host?\nMultiple attempts failed: "h"',
            "connection refused",
        ),
        ("duplicate key value\nDETAIL:  Key (email)=(ann@example.com) already exists.", "duplicate key value"),
        ("\n  no password for canary-password\r\nHINT: look", "no password for •••"),
        ("", "OperationalError"),
        ("  \n", "OperationalError"),
    ],
)
def test_only_the_first_line_is_quoted_and_no_password(text: str, said: str) -> None:
    server = PostgresServer(
        "postgresql://me:canary-password@db/app",
        application="test",
        needed_by="the tests need",
        extra="outbox",
        called="the URL",
        field="database",
    )
    assert server.reason(psycopg.OperationalError(text)) == said
