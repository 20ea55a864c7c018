"""Output of commands: JSON or plain lines on stdout, everything else on stderr."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from datetime import datetime
from typing import Any

import attrs
import typer
from rich.console import Console

from ethora_async import codec
from ethora_async.bulk.outcome import Outcome
from ethora_async.bulk.report import Report
from ethora_async.cli.json_reply import begin_document, break_off
from ethora_async.cli.runtime import DONE, PLATFORM, SOME_FAILED, DeliveryCheck
from ethora_async.errors import ChatError
from ethora_async.records import Chat, User
from ethora_async.redaction import MASK, Secret
from ethora_async.wording import printable

JSON_OPTION = typer.Option("--json", help="Print JSON, and nothing else, on stdout.")

errors: Console = Console(stderr=True, highlight=False, soft_wrap=True)
"""stderr, for people."""


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it, with secrets masked and bytes that are no UTF-8 escaped."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, datetime):
        return value.isoformat()
    if attrs.has(type(value)):
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
        extra = fields.pop("extra", None) or {}
        return {name: plain(inner) for name, inner in {**extra, **fields}.items()}
    if isinstance(value, dict):
        return {printable(str(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return printable(value) if isinstance(value, str) else value


def print_json(value: Mapping[str, Any] | attrs.AttrsInstance) -> None:
    """Print one JSON object on stdout, in UTF-8 whatever the terminal's encoding."""
    begin_document()
    typer.echo(codec.dumps(plain(value)))


async def print_document(head: Mapping[str, Any], **lists: tuple[AsyncIterable[Any], Callable[[Any], Any]]) -> None:
    """Print one JSON object: `head`, and lists of any length, one element a line.

    Args:
        head: The first fields.
        lists: By field, the elements as they come and a function that converts one to JSON.
    """
    text, begun = codec.dumps(plain(head))[:-1], False
    for name, (items, fields) in lists.items():
        text += (b"," if text != b"{" else b"") + codec.dumps(name) + b":["
        try:
            async for item in items:
                begin_document()
                typer.echo(text + codec.dumps(plain(fields(item))), nl=False)
                text, begun = b",\n", True
        except (ChatError, asyncio.CancelledError):
            # The output so far stays valid, and the error ends it.
            if begun:
                typer.echo(b"]" if text == b",\n" else text + b"]", nl=False)
                break_off()
            raise
        text = b"]" if text == b",\n" else text + b"]"
    begin_document()
    typer.echo(text + b"}")


async def print_list(name: str, items: AsyncIterable[Any], *, as_json: bool) -> None:
    """Print records as they come: a JSON object with the list `name`, or plain lines."""
    if as_json:
        await print_document({}, **{name: (items, plain)})
        return
    async for item in items:
        typer.echo(line(item))


async def print_outcomes(outcomes: AsyncIterable[Outcome[Any]], *, as_json: bool) -> int:
    """Print outcomes as they come; return the exit code."""
    failed = False
    delivery = DeliveryCheck()

    async def noticed() -> AsyncGenerator[Outcome[Any], None]:
        nonlocal failed
        async for outcome in outcomes:
            failed = failed or not outcome.ok
            delivery.note(outcome.error)
            yield outcome

    if as_json:
        await print_document({}, outcomes=(noticed(), _outcome_fields))
    else:
        async for outcome in noticed():
            reason = f": {outcome.error}" if outcome.error is not None else ""
            typer.echo(f"{shown(outcome.key)}: {outcome.status}{reason}")
    if delivery.failure is not None:
        return PLATFORM
    return SOME_FAILED if failed else DONE


def _outcome_fields(outcome: Outcome[Any]) -> dict[str, Any]:
    reason = str(outcome.error) if outcome.error is not None else None
    return {"id": outcome.key, "status": outcome.status, "reason": reason}


def line(item: User | Chat) -> str:
    """Return a record as one line, its parts separated by tabs."""
    if isinstance(item, User):
        name = " ".join(filter(None, (item.first_name, item.last_name)))
        return "\t".join(map(shown, (item.id, item.email or "", name)))
    return "\t".join(map(shown, (item.id, item.access, item.title or "")))


_JOINERS = "\u200c\u200d"
"""Invisible characters that names in Persian and in Indic scripts need."""


def shown(text: str) -> str:
    """Return the text in one line, without control sequences of terminals."""
    return "".join(one if one.isprintable() or one in _JOINERS else " " for one in text)


def print_outcome(outcome: Outcome[Any], *, as_json: bool) -> None:
    """Print the outcome of one item."""
    if as_json:
        print_json(_outcome_fields(outcome))
    else:
        typer.echo(f"{shown(outcome.key)}: {outcome.status}")


def print_report(report: Report, *, as_json: bool, key: Callable[[Outcome[Any]], str] | None = None) -> int:
    """Print the number of items by status and every failure that was kept; return the exit code.

    Args:
        key: Returns the name of an item; by default its outcome's key.
    """
    name = key or (lambda outcome: outcome.key)
    failures = [{"id": name(outcome), "reason": str(outcome.error)} for outcome in report.failures]
    if as_json:
        print_json({"counts": dict(report.counts), "failures": failures})
    else:
        typer.echo(str(report))
        for failure in failures:
            typer.echo(f"  {shown(failure['id'])}: {failure['reason']}")
    return DONE if report.ok else SOME_FAILED
