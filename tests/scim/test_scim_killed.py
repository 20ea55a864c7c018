"""A process that is killed between a request and its reply: the record and its intents are both there, or neither."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_a_killed_server_leaves_a_record_with_its_intents_or_neither(database: str) -> None:
    command = [sys.executable, str(HERE / "scim_killed.py"), database]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in told if one["records"] != one["intents"]] == []
    asked = list(dict.fromkeys(one["request"] for one in told))
    assert asked == ["POST Users", "POST Groups", "PATCH Groups", "PATCH Users", "DELETE Users"]
    for request in asked:
        outcomes = {one["records"] for one in told if one["request"] == request and one["killed"]}
        assert outcomes == {False, True}, f"{request}: killed before and after the commit"
