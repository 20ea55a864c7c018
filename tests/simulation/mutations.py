"""Mistakes that the simulation must find: each changes one thing in the library, as a careless hand might."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from ethora_async.bulk.outcome import Outcome
from ethora_async.engine import engine, retry
from ethora_async.engine.engine import Engine
from ethora_async.engine.limiter import Limiter
from ethora_async.sync.store import execution
from ethora_async.sync.store.journal import Journal
from ethora_async.tokens.rotating import RotatingKeys
from ethora_async_secrets.concurrency import SingleFlight

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from ethora_async.errors import ChatError
    from ethora_async.protocols import Credential
    from ethora_async.request import Response

Mutation = Callable[[ExitStack], None]


def repeats_what_must_happen_once(stack: ExitStack) -> None:
    """Every operation counts as repeatable."""
    real = retry._worth_repeating
    stack.enter_context(
        mock.patch.object(retry, "_worth_repeating", lambda error, *, repeatable: real(error, repeatable=True))
    )


def ignores_the_deadline(stack: ExitStack) -> None:
    """Waits between attempts are not measured against the deadline."""
    real = engine.wait_before_retry

    def patient(error: ChatError, **named: Any) -> float | None:
        return real(error, **{**named, "remaining": 1e9})

    async def endless(self: Engine, call: Any, waiting: Any, what: str) -> Any:
        return await waiting

    stack.enter_context(mock.patch.object(engine, "wait_before_retry", patient))
    stack.enter_context(mock.patch.object(Engine, "_in_time", endless))


def marks_an_item_before_its_reply(stack: ExitStack) -> None:
    """An item of the journal is known to be done as soon as it is sent."""
    real = Journal.mark_sent

    async def marked(self: Journal, numbers: Any) -> None:
        numbers = list(numbers)
        await real(self, numbers)
        await self.mark_known([("created", None, 1, number) for number in numbers])

    stack.enter_context(mock.patch.object(Journal, "mark_sent", marked))


def says_that_nothing_happened(stack: ExitStack) -> None:
    """What is unknown is told as not done."""
    real = Engine._complete

    def sure(self: Engine, error: ChatError, call: Any) -> ChatError:
        found = real(self, error, call)
        found.effect = "none"
        return found

    stack.enter_context(mock.patch.object(Engine, "_complete", sure))


def keeps_the_old_secret(stack: ExitStack) -> None:
    """A rejection does not make the client ask the store again."""

    async def newer(self: RotatingKeys[Any], version: str) -> Any:
        return await self.load()

    stack.enter_context(mock.patch.object(RotatingKeys, "newer", newer))


def ignores_a_429(stack: ExitStack) -> None:
    """The platform's wish to wait is not heard."""
    stack.enter_context(mock.patch.object(engine, "time_to_wait", return_value=None))
    stack.enter_context(mock.patch.object(Limiter, "refused", return_value=None))


def leaves_out_what_is_unknown(stack: ExitStack) -> None:
    """A resume carries on with what was never sent, and leaves out what may have been."""
    stack.enter_context(mock.patch.object(execution, "take_up", execution.remaining))


def begins_again_on_resume(stack: ExitStack) -> None:
    """A resume does everything once more, what is known to be done as well."""
    real = execution.take_up

    def everything(db: sqlite3.Connection) -> int:
        db.execute("UPDATE item SET state = 0, status = NULL WHERE step > 0")
        return real(db)

    stack.enter_context(mock.patch.object(execution, "take_up", everything))


def leaves_a_task_behind(stack: ExitStack) -> None:
    """Closing does not end a flight that is under way."""

    async def aclose(self: Any) -> None:
        await asyncio.sleep(0)

    stack.enter_context(mock.patch.object(SingleFlight, "aclose", aclose))


def shows_a_token(stack: ExitStack) -> None:
    """An error repeats the headers of its request."""
    real = Engine._failure

    def telling(self: Engine, call: Any, response: Response, credential: Credential) -> Any:
        error, rejected = real(self, call, response, credential)
        error.args = (f"{error.message} (sent with {dict(credential.headers)})",)
        return error, rejected

    stack.enter_context(mock.patch.object(Engine, "_failure", telling))


def calls_failures_successes(stack: ExitStack) -> None:
    """An item of a run that failed counts as done."""
    real = Outcome.__init__

    def init(self: Any, item: Any, key: Any, status: Any, *args: Any, **named: Any) -> None:
        real(self, item, key, "created" if status in ("failed", "unknown") else status, *args, **named)

    stack.enter_context(mock.patch.object(Outcome, "__init__", init))


def keeps_the_line_open(stack: ExitStack) -> None:
    """Closing the client forgets its connections."""

    async def aclose(self: Engine) -> None:
        self._closed = True

    stack.enter_context(mock.patch.object(Engine, "aclose", aclose))


MUTATIONS: tuple[Mutation, ...] = (
    repeats_what_must_happen_once,
    ignores_the_deadline,
    marks_an_item_before_its_reply,
    says_that_nothing_happened,
    keeps_the_old_secret,
    ignores_a_429,
    leaves_out_what_is_unknown,
    begins_again_on_resume,
    leaves_a_task_behind,
    shows_a_token,
    calls_failures_successes,
    keeps_the_line_open,
)


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """Change the library for a while."""
    with ExitStack() as stack:
        mutation(stack)
        yield
