"""A checker for the part of JSON Schema that the server's request validators use.

See docs/platforms/rocketchat.md#rest-rules.

Objects are closed unless they say otherwise: an unknown key is refused. Messages are worded like ajv's.
"""

from __future__ import annotations

from typing import Any, cast

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FILLED: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
TEXTS: Schema = {"type": "array", "items": TEXT}
MAP: Schema = {"type": "object"}
MAPS: Schema = {"type": "array", "items": MAP}
WORDS_OF_TRUTH: Schema = {"type": "string", "enum": ["false", "true"]}

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def maybe(schema: Schema) -> Schema:
    """Return a schema that also accepts null."""
    return {**schema, "nullable": True}


def closed(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Return an object that has all of `required`, may have `optional`, and nothing else."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def loose(optional: dict[str, Schema]) -> Schema:
    """Return an object that may have these fields, and any others."""
    return {"type": "object", "properties": optional}


def one_of(*schemas: Schema) -> Schema:
    """Return a schema that matches exactly one of the given ones."""
    return {"oneOf": list(schemas)}


def by_room(required: dict[str, Schema] | None = None, optional: dict[str, Schema] | None = None) -> Schema:
    """Return an object that names a room by `roomId` or by `roomName`, not by both."""
    more = required or {}
    return one_of(closed({"roomId": TEXT, **more}, optional), closed({"roomName": TEXT, **more}, optional))


def problems(schema: Schema, value: Any) -> list[str]:
    """Return the problems of a value; empty if it is valid."""
    return _check(schema, value, "")


def coerce(schema: Schema, value: Any) -> Any:
    """Convert strings of a query to numbers where the schema requires numbers."""
    if "oneOf" in schema:
        for option in schema["oneOf"]:
            value = coerce(option, value)
        return value
    if schema.get("type") == "object" and isinstance(value, dict):
        known = cast("dict[str, Schema]", schema.get("properties", {}))
        fields = cast("dict[str, Any]", value)
        return {key: coerce(known[key], item) if key in known else item for key, item in fields.items()}
    if schema.get("type") == "number" and isinstance(value, str):
        return _number(value)
    return value


def _number(text: str) -> float | str:
    """Return a string as a number, or unchanged if it is not one."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _check(schema: Schema, value: Any, where: str) -> list[str]:
    if value is None and schema.get("nullable"):
        return []
    if "oneOf" in schema:
        return _check_options(schema["oneOf"], value, where)
    kind = schema.get("type")
    if kind is not None and not _is(kind, value):
        return [f"{where or 'data'} must be {kind}".replace("data ", "")]
    found = _check_text(schema, value, where) if isinstance(value, str) else []
    if isinstance(value, list) and "items" in schema:
        items: list[Any] = value
        found += [
            text for index, item in enumerate(items) for text in _check(schema["items"], item, f"{where}/{index}")
        ]
    if isinstance(value, dict) and "properties" in schema:
        found += _check_fields(schema, cast("dict[str, Any]", value), where)
    return found


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, TYPES[kind])


def _check_options(options: list[Schema], value: Any, where: str) -> list[str]:
    found = [_check(option, value, where) for option in options]
    fitting = sum(not messages for messages in found)
    if fitting == 1:
        return []
    return [
        *(text for messages in found for text in messages),
        f"{where} must match exactly one schema in oneOf".strip(),
    ]


def _check_text(schema: Schema, value: str, where: str) -> list[str]:
    found: list[str] = []
    least = schema.get("minLength", 0)
    if len(value) < least:
        found.append(f"{where} must NOT have fewer than {least} characters".strip())
    if "pattern" in schema and schema["pattern"] not in value:  # the server's patterns are plain words
        found.append(f'{where} must match pattern "{schema["pattern"]}"'.strip())
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} must be equal to one of the allowed values".strip())
    return found


def _check_fields(schema: Schema, value: dict[str, Any], where: str) -> list[str]:
    known = cast("dict[str, Schema]", schema["properties"])
    found = [
        f"{where} must have required property '{name}'".strip()
        for name in schema.get("required", ())
        if name not in value
    ]
    for name, item in value.items():
        if name in known:
            found += _check(known[name], item, f"{where}/{name}")
        elif schema.get("additionalProperties") is False:
            found.append(f"{where} must NOT have additional properties".strip())
    return found
