"""JSON and typed records: bytes to values, values to records, and where exactly a bad one went wrong."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import attrs
import orjson
from cattrs import Converter, transform_error
from cattrs.gen import make_dict_structure_fn, override

from ethora_async.errors import ReplyLostError
from ethora_async.redaction import Secret, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_EXTRA = "\0extra"  # a key that no JSON object of a platform holds


DEEPEST = 100
"""Levels of nesting that JSON from outside may have where code follows it into its depth."""


def dumps(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON."""
    return orjson.dumps(value)


def loads(body: bytes) -> Any:
    """The JSON value in `body`; None when it is empty.

    Raises:
        ValueError: it is not JSON, or nests deeper than orjson reads (1024 levels). The text says where, and repeats
            nothing of the body.
    """
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        msg = f"not JSON (line {error.lineno} column {error.colno})"
    # Outside the handler: orjson's error holds the whole document, tokens included, and would hang on ours.
    raise ValueError(msg)


def is_shallow(value: Any) -> bool:
    """Return whether a JSON value nests no deeper than `DEEPEST` levels: following it cannot run out of stack."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


class Codec:
    """One platform's records: an attrs class for each, the wire's names for its fields, unknown fields kept in `extra`,
    those that hold a password or a token wrapped as `Secret`.

    Reading runs on a fast converter. Only when that fails is the same data read again by a slow one that knows the
    path, so that the error can name it.
    """

    def __init__(self) -> None:
        self._fast = _converter(detailed=False)
        self._detailed = _converter(detailed=True)

    def add(self, cls: type[Any], names: Mapping[str, str]) -> None:
        """Teach both converters `cls`; `names` maps its fields to the wire's names where the two differ."""
        for converter, detailed in ((self._fast, False), (self._detailed, True)):
            converter.register_structure_hook(cls, _record_hook(cls, converter, names, detailed=detailed))

    def read(self, data: Any, cls: type[T], *, operation: str, path: str = "reply") -> T:
        """`data` as a `cls`.

        Raises:
            ReplyLostError: it does not fit; the text names the path of each bad field, never its value.
        """
        with suppress(Exception):  # the detailed converter says below what it was
            return self._fast.structure(data, cls)
        try:
            return self._detailed.structure(data, cls)
        except Exception as error:  # noqa: BLE001  a reply in a shape that cattrs stumbles over is still only that
            problems = "; ".join(transform_error(error, path=path, format_exception=_describe))
        # Outside the handler: the values that did not fit hang on the error handled there.
        msg = f"the platform's reply has an unexpected shape: {problems}"
        raise ReplyLostError(msg, operation=operation)


class _Unfit(Exception):
    """A value of the wrong kind; says what was expected and what kind came, never the value."""

    def __init__(self, expected: str, value: Any) -> None:
        super().__init__(f"expected {expected}, got {_kind(value)}")


def _kind(value: Any) -> str:
    kinds = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


def _describe(error: BaseException, _: type[Any] | None) -> str:
    if isinstance(error, _Unfit):
        return str(error)
    return "missing" if isinstance(error, KeyError) else "unreadable"


def _text(value: Any, _: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _Unfit("text", value)


def _integer(value: Any, _: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _Unfit("a whole number", value)


def _boolean(value: Any, _: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _Unfit("true or false", value)


def _moment(value: Any, _: Any) -> datetime:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise _Unfit("an ISO 8601 time or milliseconds since the epoch", value)


def _secret(value: Any, _: Any) -> Secret:
    if isinstance(value, str):
        return Secret(value)
    raise _Unfit("text", value)


def _converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    # cattrs would turn anything into text, None included, by calling str() on it.
    for kind, hook in ((str, _text), (int, _integer), (bool, _boolean), (datetime, _moment), (Secret, _secret)):
        converter.register_structure_hook(kind, hook)
        # Most fields may be null; told so, cattrs calls our hook without a detour through its own.
        converter.register_structure_hook(kind | None, _or_null(hook))
    return converter


def _or_null(hook: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, kind: None if value is None else hook(value, kind)


def _holds_list(kind: Any) -> bool:
    return any(get_origin(part) in (list, tuple) for part in (kind, *get_args(kind)))


def _list_hook(converter: Converter) -> Callable[[Any, Any], Any]:
    def hook(value: Any, kind: Any) -> Any:
        # cattrs takes any iterable for a list: text would come apart into its characters.
        if value is not None and not isinstance(value, list):
            raise _Unfit("a list", value)
        return converter.structure(value, kind)

    return hook


def _record_hook(
    cls: type[Any], converter: Converter, names: Mapping[str, str], *, detailed: bool
) -> Callable[[Any, Any], Any]:
    fields = [field.name for field in attrs.fields(cls)]
    known = {names.get(name, name) for name in fields if name != "extra"}
    overrides = {name: override(rename=wire) for name, wire in names.items()}
    attrs.resolve_types(cls)
    for field in attrs.fields(cls):
        if _holds_list(field.type):
            overrides[field.name] = override(rename=names.get(field.name), struct_hook=_list_hook(converter))
    overrides["extra"] = override(rename=_EXTRA, struct_hook=lambda value, _: value)
    structure = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=detailed, **overrides)  # type: ignore[arg-type]

    def hook(data: Any, _: Any) -> Any:
        if not isinstance(data, dict):
            raise _Unfit("an object", data)
        extra = {name: value for name, value in data.items() if name not in known}
        return structure({**data, _EXTRA: sealed(extra)} if extra else data, cls)

    return hook


_FOR_SCRIPTS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def script_json(value: Any) -> str:
    """A JSON value as it may stand between ``<script>`` and ``</script>``.

    ``<``, ``>``, ``&`` and the two line separators that JavaScript knows and JSON does not are written as escapes: no
    text can end the script, open a comment in it, or break it.

    Raises:
        TypeError: it is no JSON value.
    """
    return dumps(value).decode().translate(_FOR_SCRIPTS)
