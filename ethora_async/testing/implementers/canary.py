"""Check that a secret does not leak: run a scenario, then search everything it left behind."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_SHORTEST = 8


class Canary:
    """Values that must not appear anywhere.

    ```python
    with Canary(secret, password) as canary:
        events, error = await scenario()
    canary.check(client, error, *events)
    ```

    Inside the block every log record of the process is kept, down to DEBUG. `check` searches for the values, also
    encoded as JSON, URL and Base64, in those records and in everything that its arguments print and pickle: ``str``,
    ``repr``, and for errors their whole chain, including suppressed contexts and notes.

    Args:
        values: the texts to search for, each of at least 8 characters: shorter ones appear by chance.
    """

    def __init__(self, *values: str) -> None:
        if not values or any(len(value) < _SHORTEST for value in values):
            msg = f"a canary needs at least one value, each of at least {_SHORTEST} characters"
            raise ValueError(msg)
        self._spellings = [(place, each) for place, value in enumerate(values) for each in _spellings(value)]
        self._handler = _Keeper()
        self._level_before = logging.NOTSET

    @property
    def records(self) -> list[str]:
        """The log records of the block as text, including arguments and tracebacks."""
        return self._handler.texts

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._level_before = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self._handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level_before)

    def check(self, *things: object) -> None:
        """Search the log records and the arguments.

        Raises:
            AssertionError: a value is in one of them; the message says in which, but does not contain the value.
        """
        for number, text in enumerate(self.records, 1):
            self._search(text, f"log record {number}")
        for number, thing in enumerate(things, 1):
            for where, text in _showings(thing):
                self._search(text, f"{where} of thing {number}, {_kind(thing)}")

    def _search(self, text: str, where: str) -> None:
        for place, spelling in self._spellings:
            if spelling in text:
                msg = f"value {place + 1} is in the {where}"
                raise AssertionError(msg)


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # A custom formatter may print every attribute, not only the message.
        self.texts.append(f"{self.format(record)} {record.__dict__!r}")


def _spellings(value: str) -> set[str]:
    raw = value.encode("utf-8", "surrogatepass")
    return {
        value,
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        quote(raw, safe=""),
        # Without the last group, which depends on the following text.
        base64.b64encode(raw)[: len(raw) // 3 * 4].decode(),
        base64.urlsafe_b64encode(raw)[: len(raw) // 3 * 4].decode(),
    }


def _showings(thing: object) -> Iterator[tuple[str, str]]:
    if isinstance(thing, str):
        yield "text", thing
        return
    if isinstance(thing, bytes):
        yield "text", thing.decode("utf-8", "replace")
        return
    yield "str", str(thing)
    yield "repr", repr(thing)
    yield "format", f"{thing}"
    if isinstance(thing, BaseException):
        for error in _chain(thing):
            yield "traceback", "".join(traceback.format_exception(error))
            yield f"arguments of {_kind(error)}", f"{error.args!r} {vars(error)!r}"
    try:
        pickled = pickle.dumps(thing)
    except Exception:  # noqa: BLE001  what cannot be pickled does not leak that way
        return
    yield "pickle", pickled.decode("utf-8", "replace")


def _chain(error: BaseException) -> Iterator[BaseException]:
    pending, seen = [error], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        pending += [other for other in (one.__cause__, one.__context__) if other is not None]
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions


def _kind(thing: object) -> str:
    return type(thing).__name__


__all__ = ["Canary"]
