"""A message, as REST and realtime return it (docs/platforms/rocketchat.md#messages)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

import attrs


@attrs.frozen(kw_only=True)
class Message:
    """A message in a room. Fields that the platform did not return are None.

    Attributes:
        id: the message's own id.
        room_id: the room's record id.
        user_id, username: the author's record id, and your own id of the author.
        type: set on the platform's own messages ("user joined": ``uj``), None on what people wrote.
        thread_id: the message whose thread it belongs to.
        updated_at: when it last changed in any way: edits, reactions and pins send the whole message again.
        extra: every field of the reply that has no attribute here, under the platform's name for it.
    """

    id: str
    room_id: str
    text: str = ""
    user_id: str | None = None
    username: str | None = None
    type: str | None = None
    thread_id: str | None = None
    sent_at: datetime | None = None
    updated_at: datetime | None = None
    edited_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class MessageChanges:
    """The changes in a room since a time: new or edited messages, the least recently changed first, and the ids of
    deleted ones.
    """

    updated: tuple[Message, ...]
    deleted: tuple[str, ...]
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


class UrlPreview(TypedDict, total=False):
    """The server's preview of a URL, with the platform's keys.

    Attributes:
        url: The address.
        meta: What the page says of itself: ``pageTitle``, ``ogTitle``, ``description`` and others. Empty when it is no
            page, or the server could not read it.
        headers: ``contentType`` and ``contentLength`` of the answer. Missing when there was none.
        ignoreParse: Whether clients leave the address as it is.
    """

    url: str
    meta: dict[str, Any]
    headers: dict[str, Any]
    ignoreParse: bool
