"""Export and import of whole apps (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.platforms.ethora.apps.records import unwrapped

if TYPE_CHECKING:
    from ethora_async.request import Origin

CONTENTS = ("users", "chats")
_SCHEMA = "schemaVersion"


@attrs.frozen(eq=False)
class AppBundle:
    """An exported app. It may contain personal data and secrets; its repr shows none of them.

    Attributes:
        content: the platform's bundle unchanged: write it to a file, or pass it to `Apps.import_bundle`.
    """

    content: Mapping[str, Any] = attrs.field(repr=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, repr=False)

    @property
    def schema_version(self) -> str | None:
        """The version of its format, ``ethora.app.bundle.v1``."""
        stated = self.content.get(_SCHEMA)
        return stated if isinstance(stated, str) else None


@attrs.frozen
class ImportedApp:
    """An app that was created from a bundle.

    Attributes:
        id: the new app's id.
        summary: the platform's summary of what it imported, with its own names.
    """

    id: str
    summary: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


def included(include: str | tuple[str, ...]) -> str:
    """Return the parts of an export in the route's form.

    Raises:
        InvalidInputError: one is neither ``users`` nor ``chats``.
    """
    parts = (include,) if isinstance(include, str) else tuple(dict.fromkeys(include))
    for part in parts:
        if part not in CONTENTS:
            msg = f"include holds {part!r}: it knows {' and '.join(CONTENTS)}"
            raise InvalidInputError(msg, field="include")
    return ",".join(parts)


def read_bundle(data: Any, *, origin: Origin) -> AppBundle:
    """Return an export, by itself or under ``result`` or ``bundle``.

    Raises:
        ReplyLostError: it is not an object.
    """
    content = data if isinstance(data, dict) and _SCHEMA in data else unwrapped(data, "result", "bundle")
    if not isinstance(content, dict):
        msg = "the platform's reply has an unexpected shape: expected an object"
        raise origin.lost(msg)
    return AppBundle(content, request_id=origin.request_id)


def read_import(data: Any, *, origin: Origin) -> ImportedApp:
    """Read the result of an import: ``{summary: {newAppId, …}}``.

    Raises:
        ReplyLostError: it does not name the new app.
    """
    summary = unwrapped(unwrapped(data, "result"), "summary")
    id = summary.get("newAppId") if isinstance(summary, dict) else None
    if not isinstance(id, str) or not id:
        msg = "the platform's reply has an unexpected shape: reply.summary.newAppId: expected text"
        raise origin.lost(msg)
    return ImportedApp(id, summary, request_id=origin.request_id)


__all__ = ["AppBundle", "ImportedApp", "included", "read_bundle", "read_import"]
