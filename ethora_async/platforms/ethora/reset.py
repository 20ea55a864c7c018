"""``client.reset``: delete an app's users and chats, except the platform's own records.

See docs/architecture.md#guards.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ethora_async._distinct import Distinct
from ethora_async.bulk.outcome import Outcome
from ethora_async.bulk.report import Report
from ethora_async.config import Seconds, seconds
from ethora_async.errors import InvalidInputError, JobTimeoutError
from ethora_async.records import Chat, User

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ethora_async.bulk.run import Run
    from ethora_async.pages import Pages
    from ethora_async.platforms.ethora.chats.api import Chats
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.users.api import Users
    from ethora_async.records import Id

T = TypeVar("T", User, Chat)

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 10.0
_TRIES = 3
"""Maximum number of attempts at a deletion whose result is unknown."""


async def reset(context: AppContext, users: Users, chats: Chats, *, confirm: str, timeout: Seconds) -> Report:
    """Delete the app's chats and users until its listings show none of them; see `EthoraClient.reset`."""
    lag = seconds(timeout, "timeout")
    app = await context.open()
    if confirm != app.app_id:
        msg = f"nothing was deleted: confirm must be the id of the app to empty, {app.app_id!r}, not {confirm!r}"
        raise InvalidInputError(msg, field="confirm")
    own_user, own_chat = await users.reserved(), await chats.reserved()
    async with Distinct() as chats_done, Distinct() as users_done:
        sweeps = (
            _Sweep(chats.list, chats.delete_many, lambda chat: chat.name, own_chat, chats_done),
            _Sweep(users.list, users.delete_many, lambda user: user.xmpp_username or user.id, own_user, users_done),
        )
        await _sweep_until_empty(context, sweeps, lag)
        return _summed(sweeps, lag)


async def _sweep_until_empty(context: AppContext, sweeps: Sequence[_Sweep[Any]], lag: float) -> None:
    clock = context.clock
    quiet_since, wait = clock.monotonic(), _FIRST_WAIT
    while True:
        # Chats first: deleting a user removes them from all their chats, which would be wasted work.
        progress = [await sweep.once() for sweep in sweeps]
        if any(progress):
            quiet_since, wait = clock.monotonic(), _FIRST_WAIT
            continue
        if not any(sweep.lingering for sweep in sweeps) or clock.monotonic() + wait > quiet_since + lag:
            return
        await clock.sleep(wait)
        wait = min(_LONGEST_WAIT, 2 * wait)


class _Sweep(Generic[T]):
    """One kind of record: listed, deleted, and listed again."""

    def __init__(
        self,
        listing: Callable[[], Pages[T]],
        delete_many: Callable[[Sequence[Id]], Run[Id]],
        key: Callable[[T], str],
        spared: Callable[[T], bool],
        done: Distinct,
    ) -> None:
        self._listing: Callable[[], Pages[T]] = listing
        self._delete_many = delete_many
        self._key: Callable[[T], str] = key
        self._spared: Callable[[T], bool] = spared
        self._done = done
        self._absent: set[str] = set()
        self._again: dict[str, int] = {}
        self.deleted = 0
        self.failures: dict[str, Outcome[Any]] = {}
        self.lingering: list[str] = []
        """Records that the last round still found listed although they are deleted."""

    async def once(self) -> bool:
        """Go through the listing once; return whether anything new was found."""
        progress = False
        self.lingering = []
        # Deleting shifts the rest of the list: records skipped because of that are found in the next round.
        async with aclosing(self._listing().by_page()) as pages:
            async for page in pages:
                todo = await self._undone([item for item in page.items if not self._spared(item)])
                if todo:
                    progress = True
                    await self._delete(todo)
        return progress

    async def _undone(self, items: Sequence[T]) -> list[T]:
        if not items:
            return []
        keys = [self._key(item) for item in items]
        earlier = await self._done.add([(key, 0) for key in keys])
        todo = []
        for item, key, place in zip(items, keys, earlier, strict=True):
            if place is None or key in self._again:
                todo.append(item)
            elif key not in self.failures:
                self.lingering.append(key)
        return todo

    async def _delete(self, items: Sequence[T]) -> None:
        key_of = {item.id: self._key(item) for item in items}
        async for outcome in self._delete_many([item.id for item in items]):
            key = key_of.get(str(outcome.item), outcome.key)
            tries = self._again.pop(key, 0) + 1
            if outcome.status == "deleted":
                self.deleted += 1
            elif outcome.status == "absent":
                self._absent.add(key)
            elif outcome.status == "unknown" and tries < _TRIES:
                self._again[key] = tries  # the next listing will show it
            else:
                self.failures[key] = outcome

    def add_to(self, report: Report, lag: float) -> None:
        """Count the results of all records."""
        still = [key for key in self.lingering if key not in self._absent]
        for outcome in self.failures.values():
            report.add(outcome)
        for key in still:
            error = JobTimeoutError(f"{key!r} is still listed {lag:g} s after its deletion")
            report.add(Outcome(key, key, "unknown", error))
        # Records to retry that are no longer listed are gone.
        report.counts["deleted"] += self.deleted + len(self._again) - len(still)


def _summed(sweeps: Sequence[_Sweep[Any]], lag: float) -> Report:
    report = Report()
    for sweep in sweeps:
        sweep.add_to(report, lag)
    report.counts = +report.counts
    return report


__all__ = ["reset"]
