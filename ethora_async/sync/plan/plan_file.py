"""Plan files: JSON for people to review, applied later or elsewhere.

```json
{"ethora_plan": 1, "made_at": 1795255200.0, "platform": "…", "sources": {…}, "counts": {…}, "changes": [
{"kind": "user", "action": "update", "id": "alice", "before": {"last_name": "A"}, "after": {"last_name": "B"}},
…
]}
```

Each line holds one change, so that neither writing nor reading keeps all of them in memory. A reformatted file is also
accepted, and read as a whole. The file holds no password: ``needs_source`` marks a change whose source has one.
``step`` orders the changes that free or take an e-mail address.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ethora_async import codec
from ethora_async.errors import InvalidInputError
from ethora_async.records import NewChat, NewUser
from ethora_async.sync.plan import intake
from ethora_async.sync.plan.plan import PLANNED, Plan, summary_of
from ethora_async.sync.store.items import CANNOT_CHANGE, EXTRA, KINDS, STEPS, Entry
from ethora_async.sync.store.journal import Journal
from ethora_async_secrets.concurrency import OwnThread, run_blocking

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping

    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Kind

SCHEMA = 1
_CHUNK = 500
_MOVABLE = {("user", "delete"), ("user", "update"), ("member", "revoke")}
_START = '"changes": ['
_PLAN_BEGINS = re.compile(r'\s{0,20}\{\s{0,20}"ethora_plan"\s{0,20}:')


async def save_plan(plan: Plan, path: str | Path) -> None:
    """Write a plan to a file that only its owner can read. The file appears complete or not at all.

    An existing file is replaced only if it is a plan.

    Raises:
        InvalidInputError: the file cannot be written, or exists and is not a plan.
    """
    place = Path(path)
    thread = OwnThread("ethora-plan-file")
    opened: list[Any] = []
    try:
        await thread.run(_check_target, place)
        await thread.run(_begin, place, opened, await _head(plan))
        first = True
        async for part in intake.chunks(plan.journal.everything()):
            lines = [codec.dumps(_change(entry)).decode() for entry in part]
            await thread.run(opened[0].write, ("\n" if first else ",\n") + ",\n".join(lines))
            first = False
        await thread.run(_finish, opened[0], place)
    except OSError as error:
        msg = f"{place} cannot be written: {error.strerror}"
        raise InvalidInputError(msg, field="plan", file=str(place)) from None
    finally:
        # Also when cancelled: queued behind what the thread is still doing.
        await thread.finish(partial(_abandon, opened))


async def check_target(path: str | Path) -> None:
    """Check, before a plan is made, that `save_plan` may write to a file.

    Raises:
        InvalidInputError: it exists and is not a plan, or its folder does not exist.
    """
    await run_blocking(_check_target, Path(path))


async def made_at_of(path: str | Path) -> float | None:
    """Return when the plan in a file was made; this identifies the plan.

    Raises:
        InvalidInputError: the file cannot be read, or is not a plan.
    """
    async with _reading(Path(path)) as (head, _):
        return head.get("made_at")


async def load_plan(
    path: str | Path, *, sources: Mapping[Kind, Source[Any]] | None = None, journal: str | Path | None = None
) -> Plan:
    """Load a plan from its file into a new journal.

    `apply_plan` compares it with the current state of the platform before anything is sent.

    Args:
        path: the file.
        sources: the plan's sources; passwords are read from there, row by row.
        journal: where to keep it; None keeps it in a temporary file.

    Raises:
        InvalidInputError: it cannot be read, is not a plan, or was written by a newer version.
    """
    place = Path(path)
    async with AsyncExitStack() as stack:
        async with _reading(place) as (head, read):
            meta = {"state": "loading", "loaded": True, "options": head.get("options")}
            book = await stack.enter_async_context(await Journal.create(journal, meta=meta))
            number = 0
            while part := await read(number):
                number += len(part)
                await book.add(part)
        await book.set_meta(
            state=PLANNED, sources=head["sources"], guard=head["guard"], platform=head["platform"],
            made_at=head.get("made_at"), left=head.get("left") or 0,
            compared=head.get("compared") or {}, recipe=head.get("recipe"),
            problems=head.get("problems") or {},
        )  # fmt: skip
        plan = Plan(book, sources or {}, await summary_of(book), head["guard"], head["platform"])
        stack.pop_all()
    return plan


@asynccontextmanager
async def _reading(
    place: Path,
) -> AsyncGenerator[tuple[Mapping[str, Any], Callable[[int], Awaitable[list[Entry]]]], None]:
    """Yield the head of a plan's file, and a function that reads the changes after a number."""
    thread = OwnThread("ethora-plan-file")
    opened: list[IO[str]] = []
    try:
        await thread.run(_open, place, opened)
        head, changes = await thread.run(_read_head, opened[0], place)
        yield head, lambda number: thread.run(_next, changes, place, number)
    finally:
        # When cancelled: queued behind what the thread is still doing.
        await thread.finish(lambda: [file.close() for file in opened])


async def _head(plan: Plan) -> dict[str, Any]:
    names = ("made_at", "options", "recipe", "sources", "left", "compared")
    kept = {name: await plan.journal.meta(name) for name in names}
    summary = plan.summary
    counts = {f"{kind} {action}": count for (kind, action), count in summary.changes.items()}
    for action, found in ((CANNOT_CHANGE, summary.cannot_change), (EXTRA, summary.extras)):
        counts |= {f"{kind} {action}": count for kind, count in found.items()}
    told = {"guard": plan.guard, "counts": counts, "problems": dict(summary.problems)}
    return {"ethora_plan": SCHEMA, "platform": plan.platform, **told, **kept}


def _change(entry: Entry) -> dict[str, Any]:
    after = entry.after
    change: dict[str, Any] = {"kind": entry.kind, "action": entry.action, "id": entry.key}
    if entry.other:
        change["user"] = entry.other
    if entry.step > 0 and entry.step != STEPS.get((entry.kind, entry.action)):
        change["step"] = entry.step
    if entry.reason is not None and entry.step == 0:
        change["reason"] = entry.reason
    if entry.before is not None:
        change["before"] = entry.before
    if after is not None:
        change["after"] = after.get("fields", after)
        if "item" in after:
            change["record"] = after["item"]
    if entry.needs_source:
        change["needs_source"] = True
    if entry.file is not None or entry.line is not None:
        change |= {"file": entry.file, "line": entry.line}
    return change


def _entry(change: Any, number: int, place: Path) -> Entry:
    try:
        kind, action = change["kind"], change["action"]
        if kind not in KINDS or (action not in (CANNOT_CHANGE, EXTRA) and (kind, action) not in STEPS):
            raise ValueError
        return Entry(
            0, _step(change, kind, action), kind, action, _text(change["id"]),
            _text(change["user"]) if kind == "member" else "", _fields(change, "before"), _after(change, kind, action),
            bool(change.get("needs_source")), change.get("file"), change.get("line"),
            reason=_reason(change, action),
        )  # fmt: skip
    except (AttributeError, KeyError, TypeError, ValueError, InvalidInputError) as error:
        reason = f": {error.message}" if isinstance(error, InvalidInputError) else ""
        msg = f"change {number} of {place} is not a valid change{reason}; make a new plan"
        raise InvalidInputError(msg, field="plan", file=str(place), row=number) from None


def _step(change: Mapping[str, Any], kind: str, action: str) -> int:
    usual, step = STEPS.get((kind, action), 0), change.get("step")
    if step is None:
        return usual
    if (kind, action) not in _MOVABLE or type(step) is not int or not 0 < step < usual:
        raise ValueError
    return step


def _reason(change: Mapping[str, Any], action: str) -> str | None:
    reason = change.get("reason")
    return _text(reason) if reason is not None and action == CANNOT_CHANGE else None


def _after(change: Mapping[str, Any], kind: str, action: str) -> Mapping[str, Any] | None:
    after = _fields(change, "after")
    if kind == "member" or action in ("delete", EXTRA):
        return after
    if after is None:
        raise ValueError
    if action == "create":
        _check_record(after, kind)
        return after
    if action == CANNOT_CHANGE:
        return {"fields": after}
    record = _fields(change, "record")
    _check_record(record or {}, kind)
    return {"fields": after, "item": record}


def _check_record(record: Mapping[str, Any], kind: str) -> None:
    """Check that a record can be sent and holds no password, which the journal would store."""
    if "password" in record or "members" in record:
        raise ValueError
    _ = NewUser(**record) if kind == "user" else NewChat(**record)


def _fields(change: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    found = change.get(name)
    if found is None:
        return None
    if not isinstance(found, dict) or not all(value is None or isinstance(value, str) for value in found.values()):
        raise TypeError
    return found


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _check_target(place: Path) -> None:
    if not place.parent.is_dir():
        msg = f"{place} cannot be written: No such file or directory"
        raise InvalidInputError(msg, field="out", file=str(place))
    if not os.path.lexists(place):
        return
    opened: list[IO[str]] = []
    try:
        if place.is_symlink() or not place.is_file():
            raise _no_plan(place)
        _open(place, opened)
        # A plan begins with its schema, however it is formatted.
        if not _PLAN_BEGINS.match(opened[0].read(200)):
            raise _no_plan(place)
    except ValueError:
        raise _no_plan(place) from None
    finally:
        for file in opened:
            file.close()


def _no_plan(place: Path) -> InvalidInputError:
    msg = f"{place} exists and is not a plan: only a plan is ever replaced; name another file"
    return InvalidInputError(msg, field="out", file=str(place))


def _begin(place: Path, opened: list[Any], head: dict[str, Any]) -> None:
    # Created exclusively, under an unguessable name: an existing file or link is never followed or reused.
    draft = tempfile.NamedTemporaryFile(  # noqa: SIM115  closed by `_abandon`
        "w", encoding="utf-8", prefix=f".{place.name}.", suffix=".new", dir=place.parent, delete=False
    )
    opened.append(draft)
    draft.write(f"{codec.dumps(head).decode()[:-1]}, {_START}")


def _finish(draft: Any, place: Path) -> None:
    draft.write("\n]}\n")
    draft.flush()
    os.fsync(draft.fileno())
    Path(draft.name).replace(place)


def _abandon(opened: list[Any]) -> None:
    for draft in opened:
        with suppress(OSError):
            draft.close()
        with suppress(OSError):
            Path(draft.name).unlink(missing_ok=True)


def _open(place: Path, opened: list[IO[str]]) -> None:
    try:
        opened.append(place.open(encoding="utf-8"))
    except OSError as error:
        msg = f"{place} cannot be read: {error.strerror}"
        raise InvalidInputError(msg, field="plan", file=str(place)) from None


def _read_head(lines: Iterator[str], place: Path) -> tuple[dict[str, Any], Iterator[Any]]:
    try:
        first = next(lines, "")
        if first.rstrip().endswith(_START):
            head = codec.loads(f"{first.rstrip()[: -len(_START)].rstrip().rstrip(',')}}}".encode())
            changes = _by_line(lines)
        else:
            head = codec.loads((first + "".join(lines)).encode())
            changes = iter(head.pop("changes"))
        schema = head["ethora_plan"]
        if schema == SCHEMA:
            _check_head(head)
    except InvalidInputError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        msg = f"{place} is not a plan: name a file that ethora plan wrote"
        raise InvalidInputError(msg, field="plan", file=str(place)) from None
    if schema != SCHEMA:
        msg = f"{place} is a plan of schema {schema}, but this version reads {SCHEMA}: update, or make a new plan"
        raise InvalidInputError(msg, field="plan", file=str(place))
    return head, changes


def _check_head(head: Mapping[str, Any]) -> None:
    left = head.get("left")
    fits = (
        isinstance(head["platform"], str)
        and isinstance(head["guard"], str | None)
        and all(isinstance(one, dict) for one in head["sources"].values())
        and all(isinstance(head.get(name), dict | None) for name in ("options", "problems", "compared"))
        and (left is None or isinstance(left, int))
    )
    if not fits:
        raise ValueError


def _by_line(lines: Iterator[str]) -> Iterator[Any]:
    for line in lines:
        text = line.strip()
        if text == "]}":
            if any(rest.strip() for rest in lines):
                break
            return
        if text:
            yield codec.loads(text.removesuffix(",").encode())
    msg = "the file is truncated, or has data after its end"
    raise ValueError(msg)


def _next(changes: Iterator[Any], place: Path, number: int) -> list[Entry]:
    part: list[Entry] = []
    try:
        for change in changes:
            part.append(_entry(change, number + len(part) + 1, place))
            if len(part) == _CHUNK:
                break
    except ValueError as error:
        msg = f"{place} cannot be read after change {number + len(part)}: {error}"
        raise InvalidInputError(msg, field="plan", file=str(place)) from None
    return part
