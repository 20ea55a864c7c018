"""Outgoing webhooks: which of them an event runs, and what they receive (docs/platforms/rocketchat.md#integrations)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.ids import new_id
from ethora_async.sandbox.rocketchat.integrations import EVENTS, OUTGOING, shape
from ethora_async.sandbox.rocketchat.shapes import full_user, message_shape, room_shape
from ethora_async.sandbox.rocketchat.webhook_calls import Event, WebhookCall

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import Integration, Message, Room

WITH_TRIGGER_WORDS = frozenset({"sendMessage"})
REDUCED_SINCE = (7, 7)
"""From this version on, only events with a message are described (docs/platforms/rocketchat.md#integrations)."""


def run(platform: Platform, event: Event) -> None:
    """Call the webhooks of an event."""
    for integration in list(platform.store.integrations.values()):
        if _is_for(integration, event):
            for url in integration.fields["urls"]:
                call(platform, integration, url, event)


def call(platform: Platform, integration: Integration, url: str, event: Event, tries: int = 0) -> None:
    """Call one URL of a webhook, unless the webhook has been disabled or removed or its trigger words are missing."""
    fields = integration.fields
    if platform.store.integrations.get(integration.id) is not integration or fields["enabled"] is not True:
        return
    message = event.message
    word = None
    if event.name in WITH_TRIGGER_WORDS and fields.get("triggerWords"):
        word = _trigger_word(fields, "" if message is None else message.text)
        if word is None:
            return
    if message is not None and message.edited_at is not None and not fields.get("runOnEdits"):
        return
    data = _data(platform, fields, event, word)
    record = _record(platform, integration, event, data, word)
    if fields["scriptEnabled"] and (fields.get("script") or "").strip():
        note(platform, record, "execute-script-getting-script", error=True, errorStack="The sandbox runs no scripts.")
        return
    note(platform, record, "pre-http-call", url=url, httpCallData=data)
    platform.call_webhook(
        WebhookCall(url=url, data=data, integration=integration, event=event, record=record, tries=tries)
    )


def note(platform: Platform, record: dict[str, Any], step: str, **more: Any) -> None:
    """Write a step into the history of a request."""
    record.update(step=step, _updatedAt=moment(platform.now()), **more)


def _is_for(integration: Integration, event: Event) -> bool:
    fields = integration.fields
    if integration.kind != OUTGOING or fields["event"] != event.name:
        return False
    if not EVENTS[event.name]:
        return True
    room = event.room
    return room is not None and not _places(room, event.message).isdisjoint(
        integration.channels or ["all_public_channels"]
    )


def _places(room: Room, message: Message | None) -> set[str]:
    """Return the channels of webhooks that include a room."""
    if room.type == "d":
        author = None if message is None else message.username
        people = {f"@{name}" for name in room.usernames if name != author}
        return {"all_direct_messages", *people, *(f"@{user_id}" for user_id in room.members)}
    whole = "all_public_channels" if room.type == "c" else "all_private_groups"
    return {whole, f"#{room.id}", f"#{room.name}"}


def _trigger_word(fields: dict[str, Any], text: str) -> str | None:
    anywhere = fields.get("triggerWordAnywhere")
    words: list[str] = fields["triggerWords"]
    return next((word for word in words if (word in text if anywhere else text.startswith(word))), None)


def _record(
    platform: Platform, integration: Integration, event: Event, data: dict[str, Any], word: str | None
) -> dict[str, Any]:
    now = moment(platform.now())
    record: dict[str, Any] = {
        "_id": new_id(),
        "type": "outgoing-webhook",
        "step": "mapped-args-to-data",
        "integration": shape(integration),
        "event": event.name,
        "data": data,
        "ranPrepareScript": False,
        "finished": False,
        "_createdAt": now,
        "_updatedAt": now,
        **({} if word is None else {"triggerWord": word}),
    }
    platform.store.webhook_history.append(record)
    return record


def _data(platform: Platform, fields: dict[str, Any], event: Event, word: str | None) -> dict[str, Any]:
    """Return the body of a request."""
    data: dict[str, Any] = {"bot": False}
    if fields.get("token") is not None:
        data["token"] = fields["token"]
    if word is not None:
        data["trigger_word"] = word
    if event.message is not None and event.room is not None:
        return data | _about_message(platform, event, event.message, event.room)
    if platform.version.since(*REDUCED_SINCE):
        return data
    return data | _about_room_or_user(event)


def _about_message(platform: Platform, event: Event, message: Message, room: Room) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "channel_id": room.id,
        "channel_name": room.name,
        "message_id": message.id,
        "timestamp": moment(message.at),
        "user_id": message.user_id,
        "user_name": message.username,
        "text": message.text,
        "alias": message.extra.get("alias"),
        "bot": True if "bot" in message.extra else None,
    }
    if event.name == "sendMessage":
        edited = True if message.edited_at is not None else None
        shown |= {"siteUrl": platform.site_url, "isEdited": edited, "tmid": message.extra.get("tmid")}
    else:
        user = None if event.user is None else full_user(event.user)
        shown |= {"user": user, "room": room_shape(room), "message": message_shape(message)}
    return {name: value for name, value in shown.items() if value is not None}


def _about_room_or_user(event: Event) -> dict[str, Any]:
    room, user = event.room, event.user
    shown: dict[str, Any] = {}
    if room is not None:
        born = room.created_at if event.name == "roomCreated" else event.at
        shown = {
            "channel_id": room.id,
            "channel_name": room.name,
            "timestamp": moment(born),
            "room": room_shape(room),
        }
    if user is not None:
        shown.setdefault("timestamp", moment(user.created_at))
        shown |= {"user_id": user.id, "user_name": user.username}
        shown["owner" if event.name == "roomCreated" else "user"] = full_user(user)
        if user.kind == "bot":
            shown["bot"] = True
    return shown
