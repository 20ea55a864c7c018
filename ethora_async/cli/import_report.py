"""The report of an import: counts, and every failure with its place in the file."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, Self

from ethora_async import codec
from ethora_async.bulk.outcome import STATUSES, Status
from ethora_async.redaction import scrub
from ethora_async.sync.importing import RowResult
from ethora_async.wording import printable

_IN_MEMORY = 1_000_000
"""Bytes of failures kept in memory; more go to a temporary file, in case every row of a list is invalid."""


class Tally:
    """Counts results by file, and keeps the failures."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[Status]] = {}
        self._ended: set[str] = set()
        self._failures: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by us

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._failures.close()

    def begin(self, file: str) -> None:
        """Start a file, so that it is reported even if none of its rows is processed."""
        self.counts.setdefault(printable(file), Counter())

    def end(self, file: str) -> None:
        """Note that a file was read to its end."""
        self._ended.add(printable(file))

    def summary(self, file: str) -> str:
        """Return a file's counts in words."""
        counts = self.counts[file]
        words = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
        return words or ("no rows" if file in self._ended else "no row was done")

    def add(self, result: RowResult) -> None:
        """Record one result."""
        file = printable(result.file)
        self.counts.setdefault(file, Counter())[result.status] += 1
        if result.error is not None:
            failure = {
                "file": file,
                "row": result.row,
                "column": result.column,
                "id": scrub(result.id),
                # Truncated: it may quote a field of any length.
                "reason": scrub(result.reason or ""),
            }
            self._failures.write(codec.dumps(failure) + b"\n")

    def total(self) -> Counter[Status]:
        """Return the counts of all files together."""
        return sum(self.counts.values(), Counter())

    @property
    def failed(self) -> int:
        """The number of rows that failed or are unknown."""
        total = self.total()
        return total["failed"] + total["unknown"]

    def failures(self) -> Iterator[dict[str, Any]]:
        """Yield every failure in the order in which they came."""
        self._failures.seek(0)
        for line in self._failures:
            yield codec.loads(line)

    def json_parts(self) -> Iterator[bytes]:
        """Yield the report as one JSON object, piece by piece: ``counts``, ``files`` and ``failures``."""
        files = [{"file": file, "counts": _in_order(counts)} for file, counts in self.counts.items()]
        head = codec.dumps({"counts": _in_order(self.total()), "files": files})
        yield head[:-1] + b',"failures":['
        for number, failure in enumerate(self.failures()):
            yield (b"," if number else b"") + codec.dumps(failure)
        yield b"]}"


def _in_order(counts: Counter[Status]) -> dict[str, int]:
    return {status: counts[status] for status in STATUSES if counts[status]}
