"""Collect from an error what error reporters collect: the local variables of every frame, and their contents.

The rule that the tests prove: from where a password, secret or token enters the library to where it is written to the
wire, it stands in a frame as one of `MASKED` alone. These types print nothing of it, and reporters collect an object by
its `repr`. The frames that need the text itself (the ones that write a header, a form or a body) have returned when an
error is raised, or are those of the HTTP library, whose errors are neither cause nor context of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ethora_async.engine import Engine
from ethora_async.platforms.ethora.app_secret import SigningKeys
from ethora_async.platforms.rocketchat.admin_session import Login
from ethora_async.platforms.rocketchat.two_factor import WithCode
from ethora_async.protocols import Credential
from ethora_async.redaction import Secret
from ethora_async.request import Reply, Request, Response
from ethora_async.tokens.hs256 import HS256Key
from ethora_async.tokens.oauth2 import AccessToken, ClientLogin
from ethora_async.tokens.settings import RotatingSettings, Values
from ethora_async.transport import AiohttpTransport, HttpxTransport, MemoryTransport
from ethora_async_secrets import SecretBundle

if TYPE_CHECKING:
    from types import FrameType

MASKED: tuple[type, ...] = (
    Secret, Values, SecretBundle, SigningKeys, HS256Key, ClientLogin, Login, AccessToken, Credential, WithCode,
    Request, Response, Reply, Engine, AiohttpTransport, HttpxTransport, MemoryTransport, RotatingSettings,
)  # fmt: skip
"""What may hold the text. Their `repr` is checked; what is in them is not."""

DEEPEST = 7
_CONTAINERS = (list, tuple, set, frozenset)


def leaks(error: BaseException, values: tuple[str, ...]) -> list[str]:
    """Return the places in an error's frames that hold one of the values in clear."""
    return [
        f"{frame.f_code.co_qualname}: {place}"
        for frame in frames(error)
        if frame.f_code.co_filename.find("/tests/") < 0
        for name, local in list(frame.f_locals.items())
        for place in _found(local, name, values, DEEPEST, set())
    ]


def frames(error: BaseException) -> Iterator[FrameType]:
    """Yield all frames of an error, of its visible causes and contexts, and of the errors of a group."""
    pending, seen = [error], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        trace = one.__traceback__
        while trace is not None:
            yield trace.tb_frame
            trace = trace.tb_next
        if one.__cause__ is not None:
            pending.append(one.__cause__)
        elif one.__context__ is not None and not one.__suppress_context__:
            pending.append(one.__context__)
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions


def _found(thing: Any, place: str, values: tuple[str, ...], depth: int, seen: set[int]) -> Iterator[str]:
    if isinstance(thing, (str, bytes, bytearray, memoryview)):
        text = thing if isinstance(thing, str) else bytes(thing).decode("utf-8", "replace")
        if any(value in text for value in values):
            yield place
        return
    if depth == 0 or id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, (Mapping, *_CONTAINERS)):
        for where, value in _items(thing):
            yield from _found(value, f"{place}{where}", values, depth - 1, seen)
        return
    if not type(thing).__module__.startswith("ethora_async") or isinstance(thing, type):
        return
    if any(value in _printed(thing) for value in values):
        yield f"repr of {place}"
    if not isinstance(thing, MASKED):
        for name, value in _attributes(thing):
            yield from _found(value, f"{place}.{name}", values, depth - 1, seen)


def _printed(thing: object) -> str:
    try:
        return repr(thing)
    except AttributeError:  # a record that was not made to its end
        return ""


def _items(container: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(container, Mapping):
        yield from ((f"[{number}]", value) for number, value in enumerate(container))
        return
    for key, value in list(container.items()):
        yield " (a key)", key
        yield f"[{key!r}]", value


def _attributes(thing: object) -> Iterator[tuple[str, Any]]:
    yield from list(getattr(thing, "__dict__", {}).items())
    for cls in type(thing).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name != "__weakref__" and hasattr(thing, name):
                yield name, getattr(thing, name)
