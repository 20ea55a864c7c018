"""One JSON object on stdout for every command that runs with ``--json``, whatever happens.

A command prints its document itself. When it ends without one (wrong usage, an unreachable platform, Ctrl-C), the
command group prints an object with the error in its place. A document that breaks off ends with the error.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import typer

from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.wording import bounded, printable

_KINDS = {
    1: "failed",
    2: "usage",
    3: "platform",
    4: "not_in_step",
    5: "stopped",
    6: "cannot_change",
    130: "interrupted",
}


class _Reply:
    def __init__(self) -> None:
        self.begun = False
        self.broken = False
        self.error: dict[str, Any] | None = None


_current: ContextVar[_Reply | None] = ContextVar("json_reply", default=None)


def begin_document() -> None:
    """Declare that the command prints its own document from here on."""
    reply = _current.get()
    if reply is not None:
        reply.begun = True


def break_off() -> None:
    """End the document that the command has printed in part; the error that follows becomes its last field."""
    reply = _current.get()
    if reply is not None:
        reply.broken = True
    else:
        typer.echo("}")


def complain(message: str, error: BaseException | None = None) -> None:
    """Print why a command ends on stderr, and keep it for the JSON document."""
    typer.echo(message, err=True)
    reply = _current.get()
    if reply is None or reply.error is not None:
        return
    reply.error = {"message": message.removeprefix("error: ")}
    if isinstance(error, ChatError):
        reply.error["type"] = type(error).__name__
    if isinstance(error, InvalidInputError):
        place = {"field": error.field, "file": error.file, "row": error.row, "column": error.column}
        cut = {name: bounded(value) if isinstance(value, str) else value for name, value in place.items()}
        reply.error |= {name: value for name, value in cut.items() if value is not None}


@contextmanager
def replying(args: Sequence[str]) -> Generator[None, None, None]:
    """Make sure that a command called with ``--json`` prints one JSON object on stdout, however it ends.

    Inside another `replying`, the first of the two to know the error prints it.
    """
    options = args[: args.index("--")] if "--" in args else args
    if "--json" not in options:
        with _bounded():
            yield
        return
    reply = _current.get() or _Reply()
    token = _current.set(reply)
    try:
        with _bounded():
            yield
    except BaseException as error:
        code = _exit_code(error)
        if code and (reply.broken or not reply.begun):
            _print_error(reply, error, code)
        raise
    finally:
        _current.reset(token)


@contextmanager
def _bounded() -> Generator[None, None, None]:
    """Shorten the message of a usage error, which quotes the arguments."""
    try:
        yield
    except Exception as error:
        if isinstance(message := getattr(error, "message", None), str) and hasattr(error, "format_message"):
            vars(error)["message"] = bounded(message)
        raise


def _exit_code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 130
    code = getattr(error, "exit_code", None)
    if isinstance(error, SystemExit):
        code = error.code
    return code if isinstance(code, int) else 1


def _print_error(reply: _Reply, error: BaseException, code: int) -> None:
    from ethora_async import codec

    found = reply.error or {"message": _message(error, code)}
    document = {"error": {"kind": _KINDS.get(code, "failed"), **found, "exit_code": code}}
    text = codec.dumps(_encodable(document))
    typer.echo(b"," + text[1:] if reply.broken else text)
    reply.begun, reply.broken = True, False


def _message(error: BaseException, code: int) -> str:
    format_message = getattr(error, "format_message", None)  # typer's usage errors
    if callable(format_message):
        return str(format_message())
    return "interrupted" if code == 130 else "the command failed; see stderr"


def _encodable(value: Any) -> Any:
    # Arguments and file names may contain bytes that are not UTF-8, which JSON must not.
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {name: _encodable(inner) for name, inner in value.items()}
    return value
