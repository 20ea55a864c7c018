"""A small validator with the platform's messages: those of Joi (docs/platforms/ethora.md#error-replies).

Each rule reads a decoded JSON value and returns the value to use, or raises `InvalidValueError`. The path of a bad
value is put together while the exception travels up, so that good input pays nothing for it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import attrs

MISSING: Any = object()
SAFE_INTEGER = 2**53 - 1
ASTRAL = re.compile("[\U00010000-\U0010ffff]")
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)
DECIMAL = re.compile(r"\s*[+-]?\d+(\.\d*)?([eE][+-]?\d{1,4})?\s*", re.ASCII)


class InvalidValueError(Exception):
    """A value that breaks a rule. `message` is the whole sentence, `path` leads to the value."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: str = ""

    def under(self, parent: str) -> InvalidValueError:
        """Put `parent` in front of the path."""
        separator = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{parent}{separator}{self.path}"
        return self


class Rule(Protocol):
    """Reads one value."""

    def read(self, value: Any, label: str) -> Any:
        """Return the value to use; `label` is how messages name it. Raises `InvalidValueError`."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema, for the OpenAPI document."""
        ...


def js_length(text: str) -> int:
    """Return the length that JavaScript sees: UTF-16 code units."""
    return len(text) if text.isascii() else len(text) + len(ASTRAL.findall(text))


@attrs.frozen
class Text:
    """A string. `pattern` has the message for a mismatch."""

    min: int = 1
    max: int | None = None
    trim: bool = False
    lower: bool = False
    may_be_empty: bool = False
    pattern: re.Pattern[str] | None = None
    mismatch: str = ""
    choices: tuple[str, ...] = ()

    def read(self, value: Any, label: str) -> Any:
        """Return the string, trimmed and lower-cased as the rule says."""
        if type(value) is not str:
            raise InvalidValueError(f'"{label}" must be a string')
        text = value.strip() if self.trim else value
        if not text:
            if self.may_be_empty:
                return text
            raise InvalidValueError(f'"{label}" is not allowed to be empty')
        if self.choices and text not in self.choices:
            raise InvalidValueError(f'"{label}" must be one of [{", ".join(self.choices)}]')
        if self.min > 1 and js_length(text) < self.min:
            raise InvalidValueError(f'"{label}" length must be at least {self.min} characters long')
        if self.max is not None and js_length(text) > self.max:
            raise InvalidValueError(f'"{label}" length must be less than or equal to {self.max} characters long')
        if self.pattern is not None and self.pattern.fullmatch(text) is None:
            raise InvalidValueError(f'"{label}" {self.mismatch}')
        return text.lower() if self.lower else text

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema. An allowed empty string passes without further checks."""
        if self.choices:
            return {"type": "string", "enum": list(self.choices)}
        full: dict[str, Any] = {"type": "string", "minLength": self.min}
        if self.max is not None:
            full["maxLength"] = self.max
        if self.pattern is not None:
            full["pattern"] = f"^(?:{self.pattern.pattern})$"
        if not self.may_be_empty:
            return full
        return {"type": "string"} if self.min == 1 else {"anyOf": [full, {"type": "string", "maxLength": 0}]}


@attrs.frozen
class Flag:
    """A boolean, or the words "true" and "false"."""

    def read(self, value: Any, label: str) -> Any:
        """Return the boolean."""
        if type(value) is bool:
            return value
        if type(value) is str and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        raise InvalidValueError(f'"{label}" must be a boolean')

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        return {"type": "boolean"}


@attrs.frozen
class Whole:
    """A whole number between two bounds, or a string that says one (query values are strings)."""

    low: int = 0
    high: int | None = None

    def read(self, value: Any, label: str) -> Any:
        """Return the integer."""
        number = _number(value, label)
        if abs(number) > SAFE_INTEGER:
            raise InvalidValueError(f'"{label}" must be a safe number')
        if number != int(number):
            raise InvalidValueError(f'"{label}" must be an integer')
        if number < self.low:
            raise InvalidValueError(f'"{label}" must be greater than or equal to {self.low}')
        if self.high is not None and number > self.high:
            raise InvalidValueError(f'"{label}" must be less than or equal to {self.high}')
        return int(number)

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        return {
            "type": "integer",
            "minimum": self.low,
            "maximum": SAFE_INTEGER if self.high is None else self.high,
        }


@attrs.frozen
class Moment:
    """A date or time as ISO 8601 writes it; one without an offset is UTC."""

    def read(self, value: Any, label: str) -> Any:
        """Return the seconds since 1970."""
        try:
            if type(value) is not str or ISO_TIME.fullmatch(value) is None:
                raise ValueError
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        except (ValueError, OverflowError):
            raise InvalidValueError(f'"{label}" must be in ISO 8601 date format') from None

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema, for the usual case: a time with an offset."""
        return {"type": "string", "format": "date-time"}


@attrs.frozen
class Reference:
    """A caller's own id: a string, or a whole number that is turned into text.

    See docs/platforms/ethora.md#older-guide.
    """

    def read(self, value: Any, label: str) -> Any:
        """Return the id as text."""
        if type(value) is int:
            return str(value)
        return Text(trim=True).read(value, label)

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        return {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1}]}


@attrs.frozen
class Anything:
    """A JSON object that is kept as it came."""

    def read(self, value: Any, label: str) -> Any:
        """Return the object."""
        if type(value) is not dict:
            raise InvalidValueError(f'"{label}" must be of type object')
        return cast("dict[str, Any]", value)

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        return {"type": "object"}


def _number(value: Any, label: str) -> int | float:
    if type(value) is int or type(value) is float:
        return value
    if type(value) is str and DECIMAL.fullmatch(value):
        return float(value)
    raise InvalidValueError(f'"{label}" must be a number')


@attrs.frozen
class Items:
    """An array of values that follow one rule."""

    item: Rule
    low: int = 0
    high: int | None = None

    def read(self, value: Any, label: str) -> Any:
        """Return the list of read items."""
        values = cast("list[Any]", value)
        if type(value) is not list:
            raise InvalidValueError(f'"{label}" must be an array')
        if len(values) < self.low:
            raise InvalidValueError(f'"{label}" must contain at least {self.low} items')
        if self.high is not None and len(values) > self.high:
            raise InvalidValueError(f'"{label}" must contain less than or equal to {self.high} items')
        read = self.item.read
        index = 0
        result: list[Any] = []
        try:
            for index, item in enumerate(values):
                result.append(read(item, f"{label}[{index}]"))
        except InvalidValueError as problem:
            raise problem.under(f"[{index}]") from None
        return result

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        high = {} if self.high is None else {"maxItems": self.high}
        return {"type": "array", "items": self.item.schema(), "minItems": self.low, **high}


@attrs.frozen
class Field:
    """A key of an object: its rule, whether it must be there, and what stands in when it is not."""

    rule: Rule
    required: bool = False
    default: Any = MISSING


def required(rule: Rule) -> Field:
    """Return a field that has to be there."""
    return Field(rule, required=True)


@attrs.frozen
class Form:
    """An object with known keys. `strict` refuses others, as the platform does with bodies, not queries.

    `rivals` are keys that exclude each other; of each group in `one_of` exactly one key is needed; `filled` asks
    for at least one key.
    """

    fields: dict[str, Field]
    strict: bool = True
    rivals: tuple[str, str] | None = None
    filled: bool = False
    one_of: tuple[tuple[str, ...], ...] = ()

    def read(self, value: Any, label: str = "value") -> dict[str, Any]:
        """Return a dict of the known keys that were sent, plus defaults."""
        if type(value) is not dict:
            raise InvalidValueError(f'"{label}" must be of type object')
        source = cast("dict[str, Any]", value)
        result: dict[str, Any] = {}
        key = ""
        try:
            for key, field in self.fields.items():
                if key in source:
                    result[key] = field.rule.read(source[key], key)
                elif field.required:
                    raise InvalidValueError(f'"{key}" is required')
                elif field.default is not MISSING:
                    result[key] = field.default
        except InvalidValueError as problem:
            raise problem.under(key) from None
        self._check_keys(source, label)
        return result

    def _check_keys(self, source: dict[str, Any], label: str) -> None:
        if self.strict and not source.keys() <= self.fields.keys():
            key = next(key for key in source if key not in self.fields)
            raise InvalidValueError(f'"{key}" is not allowed').under(key)
        if self.filled and not source:
            raise InvalidValueError(f'"{label}" must have at least 1 key')
        if self.rivals is not None and all(key in source for key in self.rivals):
            raise InvalidValueError(f'"{label}" contains a conflict between exclusive peers [{", ".join(self.rivals)}]')
        for group in self.one_of:
            found = sum(key in source for key in group)
            if found == 0:
                raise InvalidValueError(f'"{label}" must contain at least one of [{", ".join(group)}]')
            if found > 1:
                raise InvalidValueError(f'"{label}" contains a conflict between exclusive peers [{", ".join(group)}]')

    def schema(self) -> dict[str, Any]:
        """Return the form as JSON Schema."""
        named = [key for key, field in self.fields.items() if field.required]
        document: dict[str, Any] = {
            "type": "object",
            "properties": {key: field.rule.schema() for key, field in self.fields.items()},
        }
        if named:
            document["required"] = named
        if self.strict:
            document["additionalProperties"] = False
        if self.filled:
            document["minProperties"] = 1
        demands: list[dict[str, Any]] = [{"oneOf": [{"required": [key]} for key in group]} for group in self.one_of]
        if self.rivals is not None:
            demands.append({"not": {"required": list(self.rivals)}})
        if demands:
            document["allOf"] = demands
        return document
