"""What a command of the command line printed, and its exit code."""

from __future__ import annotations

import json
from typing import Any

import attrs


@attrs.frozen
class Result:
    """The result of a command."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Return what ``--json`` printed: always one object."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document

    def is_only_an_error(self, code: int) -> bool:
        """Return whether it ended with this code, and stdout holds the error as one JSON object."""
        document = self.json
        return self.code == code and list(document) == ["error"] and document["error"]["exit_code"] == code
