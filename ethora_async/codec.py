"""JSON and typed records: bytes to values, values to records, and where exactly a bad one went wrong."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import attrs
import orjson

from ethora_async.errors import ReplyLostError
from ethora_async.redaction import Secret, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cattrs import Converter

T = TypeVar("T")

_EXTRA = "(what else the object holds)"  # a key that no JSON object of a platform has


DEEPEST = 100
"""Levels of nesting that JSON from outside may have where code follows it into its depth."""


def dumps(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON."""
    return orjson.dumps(value)


def dumps_revealed(value: Any) -> bytes:
    """`value` as `dumps` writes it, with every `Secret` in clear: for the body of a request alone.

    Bodies carry their passwords as `Secret` up to this point, so that no frame of a traceback shows one.
    """
    return orjson.dumps(value, default=_revealed)


def _revealed(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    msg = f"{type(value).__name__} is not JSON"
    raise TypeError(msg)


def dumps_sorted(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON, its keys in order: equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def loads(body: bytes) -> Any:
    """Return the JSON value in `body`; None when it is empty.

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

    Each class gets a reading function of its own, written for its fields. Whatever that function does not expect is
    read by cattrs, which knows every kind of field; and if that fails, once more by a slow converter that knows the
    path, so that the error can name it.
    """

    def __init__(self) -> None:
        self._names: dict[type[Any], Mapping[str, str]] = {}
        self._readers: dict[type[Any], Callable[[Any], Any]] = {}
        self._converters: dict[bool, Converter] = {}

    def add(self, cls: type[Any], names: Mapping[str, str]) -> None:
        """Teach the codec `cls`; `names` maps its fields to the wire's names where the two differ."""
        self._names[cls] = names

    def read(self, data: Any, cls: type[T], *, operation: str, path: str = "reply") -> T:
        """Return `data` as a `cls`.

        Raises:
            ReplyLostError: it does not fit; the text names the path of each bad field, never its value.
        """
        read: Callable[[Any], T] = self._readers.get(cls) or self._made(cls)
        try:
            return read(data)
        except Exception:  # noqa: BLE001, S110  cattrs reads what is unusual, and says what is wrong
            pass
        with suppress(Exception):
            return self._converter(detailed=False).structure(data, cls)
        try:
            return self._converter(detailed=True).structure(data, cls)
        except Exception as error:  # noqa: BLE001  a reply in a shape that cattrs stumbles over is still only that
            from cattrs import transform_error

            problems = "; ".join(transform_error(error, path=path, format_exception=_describe))
        # Outside the handler: the values that did not fit hang on the error handled there.
        msg = f"the platform's reply has an unexpected shape: {problems}"
        raise ReplyLostError(msg, operation=operation)

    def _made(self, cls: type[Any]) -> Callable[[Any], Any]:
        reader = self._readers[cls] = record_reader(cls, self._names[cls], self._structured)
        return reader

    def _structured(self, value: Any, kind: Any) -> Any:
        if get_origin(kind) is tuple and (item := get_args(kind)[0]) in self._names:
            read = self._readers.get(item) or self._made(item)
            return tuple([read(one) for one in value])
        return self._converter(detailed=False).structure(value, kind)

    def _converter(self, *, detailed: bool) -> Converter:
        converter = self._converters.get(detailed)
        if converter is None:
            converter = self._converters[detailed] = _converter(detailed=detailed)
            for cls, names in self._names.items():
                converter.register_structure_hook(cls, _record_hook(cls, converter, names, detailed=detailed))
        return converter


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
    # Imported here: most replies do without it, and its import takes a tenth of the package's start.
    from cattrs import Converter

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
    from cattrs.gen import make_dict_structure_fn, override

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


_PLAIN_KINDS = {int: "int", bool: "bool"}
_CONVERTED_KINDS: dict[Any, Callable[[Any, Any], Any]] = {datetime: _moment, Secret: _secret}


def record_reader(
    cls: type[Any], names: Mapping[str, str], structure: Callable[[Any, Any], Any]
) -> Callable[[Any], Any]:
    """Return a function that reads a JSON object as a `cls` in the usual case, and raises in every other.

    The function is source text with a line or two for each field, as attrs makes its initialisers: going through a
    table of fields takes twice as long. A plain field is checked by its type; whatever else a field may be is
    left to `structure`.

    Args:
        cls: An attrs class with a field `extra`.
        names: The wire's names of fields, where the two differ.
        structure: Reads a value as a kind, for kinds that have no line of their own.
    """
    fields = [field for field in attrs.fields(attrs.resolve_types(cls)) if field.init and field.name != "extra"]
    wire = {field.name: names.get(field.name, field.name) for field in fields}
    scope: dict[str, Any] = {"cls": cls, "known": frozenset(wire.values()), "sealed": sealed, "structure": structure}
    body: list[str] = []
    for number, field in enumerate(fields):
        value, key = f"value_{number}", repr(wire[field.name])
        scope[f"default_{number}"] = field.default
        lines = _reading_lines(value, number, field.type, scope)
        if field.default is attrs.NOTHING:
            body += [f"{value} = data[{key}]", *lines]
        elif isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            scope[f"default_{number}"] = field.default.factory
            body += [f"if {key} in data:", *(f"    {line}" for line in (f"{value} = data[{key}]", *lines))]
            body += [f"else: {value} = default_{number}()"]
        else:
            body += [f"{value} = data.get({key}, default_{number})", *lines]
    values = ", ".join(f"{field.alias}=value_{number}" for number, field in enumerate(fields))
    source = [
        "def read(data):",
        "    if type(data) is not dict: raise TypeError",
        *(f"    {line}" for line in body),
        "    extra = {}",
        "    if not data.keys() <= known:",
        "        extra = sealed({name: value for name, value in data.items() if name not in known})",
        f"    return cls({values}, extra=extra)",
    ]
    exec("\n".join(source), scope)  # noqa: S102  made of this class's own field names
    reader: Callable[[Any], Any] = scope["read"]
    return reader


def _reading_lines(value: str, number: int, kind: Any, scope: dict[str, Any]) -> list[str]:
    """Return the lines that check or convert a value; None passes unread where the kind allows it."""
    parts = get_args(kind) if type(None) in get_args(kind) else (kind, None)
    named = [part for part in parts if part is not None and part is not type(None)]
    one = named[0] if len(named) == 1 else None
    unless_null = f"if {value} is not None" if type(None) in get_args(kind) else "if True"
    scope[f"kind_{number}"] = kind if one is None else one
    if one is str:  # a record id is a text of its own kind
        return [f"{unless_null} and not isinstance({value}, str): raise TypeError"]
    if one in _PLAIN_KINDS:
        return [f"{unless_null} and type({value}) is not {_PLAIN_KINDS[one]}: raise TypeError"]
    if one in _CONVERTED_KINDS:
        scope[f"convert_{number}"] = _CONVERTED_KINDS[one]
        return [f"{unless_null}: {value} = convert_{number}({value}, kind_{number})"]
    if not _holds_list(kind):
        return [f"{unless_null}: {value} = structure({value}, kind_{number})"]
    # cattrs takes any iterable for a list: text would come apart into its characters.
    lines = [f"{unless_null} and type({value}) is not list: raise TypeError"]
    if get_origin(one) is tuple and get_args(one) == (str, ...):
        lines += [f"{unless_null}:", f"    for one in {value}:", "        if not isinstance(one, str): raise TypeError"]
        return [*lines, f"    {value} = tuple({value})"]
    return [*lines, f"{unless_null}: {value} = structure({value}, kind_{number})"]


_FOR_SCRIPTS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def script_json(value: Any) -> str:
    """Return a JSON value as it may stand between ``<script>`` and ``</script>``.

    ``<``, ``>``, ``&`` and the two line separators that JavaScript knows and JSON does not are written as escapes: no
    text can end the script, open a comment in it, or break it.

    Raises:
        TypeError: it is no JSON value.
    """
    return dumps(value).decode().translate(_FOR_SCRIPTS)
