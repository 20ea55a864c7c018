"""JSON and typed records: decode bytes, build records, and say exactly where a bad value is."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import attrs
import orjson

from ethora_async._drafts import draft_of
from ethora_async.redaction import Secret, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cattrs import Converter

    from ethora_async.request import Origin

T = TypeVar("T")

_EXTRA = "(what else the object holds)"  # no JSON object of a platform has this key
_REQUEST_ID = "(the id of the request)"  # likewise
_NOT_ON_THE_WIRE = frozenset({"extra", "request_id"})
"""Fields of a record that its JSON object has no key for."""


DEEPEST = 100
"""The nesting depth allowed for JSON from outside before code recurses into it."""


def dumps(value: Any) -> bytes:
    """Encode `value` as compact UTF-8 JSON."""
    return orjson.dumps(value)


def dumps_revealed(value: Any) -> bytes:
    """Encode `value` like `dumps`, with every `Secret` in clear: only for the body of a request.

    Bodies carry passwords as `Secret` until this point, so that no traceback frame shows one.
    """
    return orjson.dumps(value, default=_revealed)


def _revealed(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    msg = f"{type(value).__name__} is not JSON"
    raise TypeError(msg)


def dumps_sorted(value: Any) -> bytes:
    """Encode `value` as compact UTF-8 JSON with sorted keys: equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def loads(body: bytes) -> Any:
    """Decode `body` as JSON; return None when it is empty.

    Raises:
        ValueError: it is not JSON, or is nested deeper than orjson reads (1024 levels). The message says where, and
            quotes nothing of the body.
    """
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        msg = f"not JSON (line {error.lineno} column {error.colno})"
    # Raised outside the handler: orjson's error holds the whole document with its tokens, and would become our context.
    raise ValueError(msg)


class PartialObject(dict[str, Any]):
    """A decoded JSON object without the keys that its `PartialReader` does not name, in it and in the objects in it."""

    __slots__ = ("_body",)

    def __init__(self, known: dict[str, Any], body: bytes) -> None:
        super().__init__(known)
        self._body = body

    def whole(self) -> Any:
        """Return the object with all its keys; decoded for each call.

        If what was left out is not valid, return what is known.
        """
        with suppress(ValueError):
            return loads(self._body)
        return self


class PartialReader:
    """Decodes JSON as `loads` does, but leaves out the keys of objects that a shape does not name.

    What is left out costs a quarter, since no objects are made for it. It is also checked less: it may hold text that
    is not UTF-8, numbers that no float can hold, or deeper nesting than `loads` reads.

    Args:
        shape: a `TypedDict` with ``total=False`` for the outermost object, and others for the objects in it. Values are
            texts, numbers that fit 64 bits, booleans or null, for which both decoders give the same. What does not fit
            the shape is decoded whole.
    """

    def __init__(self, shape: Any) -> None:
        self._shape = shape
        self._decode: Callable[[bytes], Any] | None = None
        self._refusals: tuple[type[Exception], ...] = ()

    def __call__(self, body: bytes) -> Any:
        """Return the value of `body`, a `PartialObject` if it fits the shape.

        Raises:
            ValueError: as `loads`.
        """
        decode = self._decode or self._prepared()
        with suppress(*self._refusals):
            return PartialObject(decode(body), body)
        return loads(body)

    def _prepared(self) -> Callable[[bytes], Any]:
        # Imported here: only runs over many users need it.
        from msgspec import MsgspecError
        from msgspec.json import Decoder

        self._refusals = (MsgspecError, RecursionError)
        self._decode = Decoder(self._shape).decode
        return self._decode


def is_shallow(value: Any) -> bool:
    """Return whether a JSON value is nested at most `DEEPEST` levels, so that recursion cannot exhaust the stack."""
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
    """Reads the records of one platform: an attrs class for each, the wire names of its fields, unknown fields in
    `extra`, and passwords and tokens wrapped as `Secret`.

    Each class gets a generated reading function. Input that this function does not expect is read by cattrs, which
    handles every kind of field. If that fails too, a slow converter that tracks paths reads it once more, so that the
    error can name the path.
    """

    def __init__(self) -> None:
        self._names: dict[type[Any], Mapping[str, str]] = {}
        self._readers: dict[type[Any], Callable[[Any], Any]] = {}
        self._converters: dict[bool, Converter] = {}

    def add(self, cls: type[Any], names: Mapping[str, str]) -> None:
        """Register `cls`; `names` maps its fields to wire names where the two differ."""
        self._names[cls] = names

    def read(self, data: Any, cls: type[T], *, origin: Origin, path: str = "reply") -> T:
        """Convert `data` to a `cls` that names the request id of its reply.

        Raises:
            ReplyLostError: it does not fit; the message names the path of each bad field, never its value.
        """
        record = self._read(data, cls, origin, path)
        if origin.request_id is not None:
            _stamp(record, origin.request_id)
        return record

    def _read(self, data: Any, cls: type[T], origin: Origin, path: str) -> T:
        read: Callable[[Any], T] = self._readers.get(cls) or self._made(cls)
        try:
            return read(data)
        except Exception:  # noqa: BLE001, S110  cattrs reads unusual input and reports errors
            pass
        with suppress(Exception):
            return self._converter(detailed=False).structure(data, cls)
        try:
            return self._converter(detailed=True).structure(data, cls)
        except Exception as error:  # noqa: BLE001  whatever cattrs raises means an unexpected shape
            from cattrs import transform_error

            problems = "; ".join(transform_error(error, path=path, format_exception=_describe))
        # Raised outside the handler: the error handled there holds the bad values.
        msg = f"the platform's reply has an unexpected shape: {problems}"
        raise origin.lost(msg)

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


def _stamp(record: Any, request_id: str) -> None:
    """Note the request id in a record that was just read, and in the records that it holds."""
    cls = type(record)
    names = _STAMPED.get(cls)
    if names is None:
        names = _STAMPED[cls] = tuple(
            field.name for field in attrs.fields(cls) if field.name == "request_id" or _holds_list(field.type)
        )
    for name in names:
        if name == "request_id":
            # Nobody has seen the record yet: it is as good as being made with it, at a tenth of the cost.
            object.__setattr__(record, name, request_id)
            continue
        for inner in getattr(record, name) or ():
            if attrs.has(type(inner)):
                _stamp(inner, request_id)


_STAMPED: dict[type[Any], tuple[str, ...]] = {}
"""By class of record: the fields in which a request id is noted, and those that hold records in their turn."""


class _WrongTypeError(Exception):
    """A value of the wrong type; names the expected and the actual type, never the value."""

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
    if isinstance(error, _WrongTypeError):
        return str(error)
    return "missing" if isinstance(error, KeyError) else "unreadable"


def _text(value: Any, _: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _WrongTypeError("text", value)


def _integer(value: Any, _: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _WrongTypeError("a whole number", value)


def _boolean(value: Any, _: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _WrongTypeError("true or false", value)


def _moment(value: Any, _: Any) -> datetime:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise _WrongTypeError("an ISO 8601 time or milliseconds since the epoch", value)


def _secret(value: Any, _: Any) -> Secret:
    if isinstance(value, str):
        return Secret(value)
    raise _WrongTypeError("text", value)


def _converter(*, detailed: bool) -> Converter:
    # Imported here: most replies do not need it, and its import takes a tenth of the package's start-up time.
    from cattrs import Converter

    converter = Converter(detailed_validation=detailed)
    # cattrs would turn anything into text with str(), even None.
    for kind, hook in ((str, _text), (int, _integer), (bool, _boolean), (datetime, _moment), (Secret, _secret)):
        converter.register_structure_hook(kind, hook)
        # Most fields are nullable; with this hook, cattrs calls ours directly.
        converter.register_structure_hook(kind | None, _or_null(hook))
    return converter


def _or_null(hook: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, kind: None if value is None else hook(value, kind)


def _holds_list(kind: Any) -> bool:
    return any(get_origin(part) in (list, tuple) for part in (kind, *get_args(kind)))


def _list_hook(converter: Converter) -> Callable[[Any, Any], Any]:
    def hook(value: Any, kind: Any) -> Any:
        # cattrs accepts any iterable as a list: a text would become a list of characters.
        if value is not None and not isinstance(value, list):
            raise _WrongTypeError("a list", value)
        return converter.structure(value, kind)

    return hook


def _record_hook(
    cls: type[Any], converter: Converter, names: Mapping[str, str], *, detailed: bool
) -> Callable[[Any, Any], Any]:
    from cattrs.gen import make_dict_structure_fn, override

    fields = [field.name for field in attrs.fields(cls)]
    known = {names.get(name, name) for name in fields if name not in _NOT_ON_THE_WIRE}
    overrides = {name: override(rename=wire) for name, wire in names.items()}
    attrs.resolve_types(cls)
    for field in attrs.fields(cls):
        if _holds_list(field.type):
            overrides[field.name] = override(rename=names.get(field.name), struct_hook=_list_hook(converter))
    overrides["extra"] = override(rename=_EXTRA, struct_hook=lambda value, _: value)
    if "request_id" in fields:
        overrides["request_id"] = override(rename=_REQUEST_ID)
    structure = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=detailed, **overrides)  # type: ignore[arg-type]

    def hook(data: Any, _: Any) -> Any:
        if not isinstance(data, dict):
            raise _WrongTypeError("an object", data)
        extra = {name: value for name, value in data.items() if name not in known}
        return structure({**data, _EXTRA: sealed(extra)} if extra else data, cls)

    return hook


_PLAIN_KINDS = {int: "int", bool: "bool"}
_CONVERTED_KINDS: dict[Any, Callable[[Any, Any], Any]] = {Secret: _secret}


def record_reader(
    cls: type[Any], names: Mapping[str, str], structure: Callable[[Any, Any], Any]
) -> Callable[[Any], Any]:
    """Return a function that builds a `cls` from a JSON object in the usual case, and raises in every other.

    The function is generated source with a few lines for each field, as attrs generates its initialisers; looping
    over a table of fields takes twice as long. A plain field is checked by its type; other kinds are left to
    `structure`.

    Args:
        cls: An attrs class with a field `extra`, without converters and validators; its `request_id`, if it has one, is
            left to the caller.
        names: The wire names of fields, where the two differ.
        structure: Converts a value, for types without generated code.

    Raises:
        TypeError: it is no such class.
    """
    fields = [field for field in attrs.fields(attrs.resolve_types(cls)) if field.name not in _NOT_ON_THE_WIRE]
    wire = {field.name: names.get(field.name, field.name) for field in fields}
    scope: dict[str, Any] = {
        "cls": cls,
        "draft": _draft_of(cls),
        "fromisoformat": datetime.fromisoformat,
        "known": frozenset(wire.values()),
        "new": object.__new__,
        "sealed": sealed,
        "structure": structure,
        "utc": UTC,
    }
    body = [
        line for number, field in enumerate(fields) for line in _field_lines(number, field, wire[field.name], scope)
    ]
    if any(field.name == "request_id" for field in attrs.fields(cls)):
        body.append("record.request_id = None")
    source = [
        "def read(data):",
        "    if type(data) is not dict: raise TypeError",
        "    record = new(draft)",
        "    absent = 0",
        *(f"    {line}" for line in body),
        f"    if len(data) + absent == {len(fields)}:",
        "        record.extra = {}",
        "    else:",
        "        record.extra = sealed({name: value for name, value in data.items() if name not in known})",
        "    record.__class__ = cls",
        "    return record",
    ]
    exec("\n".join(source), scope)  # noqa: S102  built only from this class's field names
    reader: Callable[[Any], Any] = scope["read"]
    return reader


def _draft_of(cls: type[Any]) -> type[Any]:
    """Return the `draft_of` a class.

    Raises:
        TypeError: its ``__init__`` does more than set the attributes.
    """
    if hasattr(cls, "__attrs_post_init__") or any(
        field.converter or field.validator or not field.init for field in attrs.fields(cls)
    ):
        msg = f"{cls.__name__} cannot be read from replies: it must be an attrs class that only holds attributes"
        raise TypeError(msg)
    return draft_of(cls)


def _field_lines(number: int, field: attrs.Attribute[Any], key: str, scope: dict[str, Any]) -> list[str]:
    """Return the source lines that set one attribute of the record, and count those that the object does not hold."""
    lines = [
        f"if {key!r} in data:",
        f"    value = data[{key!r}]",
        *(f"    {line}" for line in _reading_lines(number, field.type, scope)),
        f"    record.{field.name} = value",
        "else:",
    ]
    if field.default is attrs.NOTHING:
        return [*lines, "    raise KeyError"]
    default = f"default_{number}"
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        scope[default] = field.default.factory  # type: ignore[union-attr]
        return [*lines, f"    record.{field.name} = {default}()", "    absent += 1"]
    scope[default] = field.default
    return [*lines, f"    record.{field.name} = {default}", "    absent += 1"]


def _reading_lines(number: int, kind: Any, scope: dict[str, Any]) -> list[str]:
    """Return the source lines that check or convert `value`; None passes unchecked where the type allows it."""
    parts = get_args(kind) if type(None) in get_args(kind) else (kind, None)
    named = [part for part in parts if part is not None and part is not type(None)]
    one = named[0] if len(named) == 1 else None
    not_null = "value is not None" if type(None) in get_args(kind) else "True"
    scope[f"kind_{number}"] = kind if one is None else one
    if one is str:  # a record id is a subclass of str
        return [f"if type(value) is not str and {not_null} and not isinstance(value, str): raise TypeError"]
    if one in _PLAIN_KINDS:
        return [f"if type(value) is not {_PLAIN_KINDS[one]} and {not_null}: raise TypeError"]
    if one is datetime:
        scope[f"convert_{number}"] = _moment
        return [
            "if type(value) is str:",
            "    value = fromisoformat(value)",
            "    if value.tzinfo is None: value = value.replace(tzinfo=utc)",
            f"elif {not_null}: value = convert_{number}(value, kind_{number})",
        ]
    if one in _CONVERTED_KINDS:
        scope[f"convert_{number}"] = _CONVERTED_KINDS[one]
        return [f"if {not_null}: value = convert_{number}(value, kind_{number})"]
    if not _holds_list(kind):
        return [f"if {not_null}: value = structure(value, kind_{number})"]
    # cattrs accepts any iterable as a list: a text would become a list of characters.
    lines = [f"if type(value) is not list and {not_null}: raise TypeError"]
    if get_origin(one) is tuple and get_args(one) == (str, ...):
        lines += [f"if {not_null}:", "    for one in value:", "        if not isinstance(one, str): raise TypeError"]
        return [*lines, "    value = tuple(value)"]
    return [*lines, f"if {not_null}: value = structure(value, kind_{number})"]


_FOR_SCRIPTS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def script_json(value: Any) -> str:
    """Encode a JSON value so that it is safe between ``<script>`` and ``</script>``.

    ``<``, ``>``, ``&`` and the two line separators that JavaScript treats as line ends are escaped: no text can end the
    script, open a comment in it, or break it.

    Raises:
        TypeError: it is not a JSON value.
    """
    return dumps(value).decode().translate(_FOR_SCRIPTS)
