"""The records of incoming and outgoing webhooks (docs/platforms/rocketchat.md#integrations)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.ids import new_token
from ethora_async.sandbox.rocketchat.records import Integration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sandbox.rocketchat.records import User
    from ethora_async.sandbox.rocketchat.store import Store

INCOMING, OUTGOING = "webhook-incoming", "webhook-outgoing"
RIGHTS = tuple(f"manage-{own}{way}-integrations" for way in ("outgoing", "incoming") for own in ("", "own-"))
WHOLE_KINDS = frozenset({"all_public_channels", "all_private_groups", "all_direct_messages"})
EVENTS = {
    # By name, whether the event happens in a channel; the others need a room that they are told to.
    "sendMessage": True,
    "fileUploaded": True,
    "roomArchived": False,
    "roomCreated": False,
    "roomJoined": True,
    "roomLeft": True,
    "userCreated": False,
}
NEEDS_TARGET = frozenset({"roomArchived", "roomCreated", "userCreated"})
DEFAULT_RETRIES = 4


def shape(integration: Integration) -> dict[str, Any]:
    """Return the wire format of a webhook."""
    return {
        **integration.fields,
        "_id": integration.id,
        "type": integration.kind,
        "channel": [*integration.channels],
        "userId": integration.user.id,
        "_createdAt": moment(integration.created_at),
        "_createdBy": integration.creator,
        "_updatedAt": moment(integration.updated_at),
    }


def create(store: Store, given: Mapping[str, Any], creator: User, now: float) -> Integration:
    """Create a webhook. The user that an incoming one posts as becomes a bot."""
    fields = _fields(given)
    channels, user = _checked(store, given["type"], fields)
    if given["type"] == INCOMING:
        fields = {"overrideDestinationChannelEnabled": False, **fields, "token": new_token()}
        if "bot" not in user.roles:
            user.roles.append("bot")
            store.users.changed()
    integration = Integration(
        kind=given["type"],
        channels=channels,
        user=user,
        creator={"_id": creator.id, "username": creator.username},
        created_at=now,
        updated_at=now,
        fields=fields,
    )
    store.integrations[integration.id] = integration
    return integration


def update(store: Store, integration: Integration, given: Mapping[str, Any], now: float) -> None:
    """Replace the settings of a webhook. An incoming one keeps its token and its user."""
    fields = _fields(given)
    if integration.kind == INCOMING:
        fields |= {"token": integration.fields["token"], "username": integration.fields["username"]}
    integration.channels, integration.user = _checked(store, integration.kind, fields)
    integration.fields = {**integration.fields, **fields}
    integration.updated_at = now


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    placed = {"type", "integrationId", "target_url"}
    found = {name: value for name, value in given.items() if name not in placed and value is not None}
    return {"scriptEngine": "isolated-vm", **found}


def _checked(store: Store, kind: str, fields: dict[str, Any]) -> tuple[list[str], User]:
    """Return the channels and the user in the settings; remove `channel` and fill in defaults."""
    event = fields.get("event", "")
    if kind == OUTGOING:
        _check_outgoing(event, fields)
    channels = [word.strip() for word in fields.pop("channel").split(",") if word.strip()]
    if kind == INCOMING and not channels:
        raise MeteorError("error-invalid-channel", "Invalid channel")
    if kind == OUTGOING and not EVENTS[event]:
        channels = []
    for channel in channels:
        if channel[0] not in "@#" and (kind == INCOMING or channel.lower() not in WHOLE_KINDS):
            raise MeteorError("error-invalid-channel-start-with-chars", "Invalid channel. Start with @ or #")
    if not fields["username"].strip():
        raise MeteorError("error-invalid-username", "Invalid username")
    user = store.users.with_username(fields["username"])
    if user is None:
        raise MeteorError("error-invalid-user", "Invalid user")
    for channel in channels:
        find = store.rooms.find if channel[0] == "#" else store.users.find
        if channel[0] in "@#" and find(channel[1:]) is None:
            raise MeteorError("error-invalid-room", "Invalid room")
    return channels, user


def _check_outgoing(event: str, fields: dict[str, Any]) -> None:
    if event not in EVENTS:
        raise MeteorError("error-invalid-event-type", "Invalid event type")
    if event in NEEDS_TARGET and not fields.get("targetRoom"):
        raise MeteorError("error-invalid-targetRoom", "Invalid Target Room")
    fields["urls"] = [url for url in fields.get("urls", []) if url.strip()]
    if not fields["urls"]:
        raise MeteorError("error-invalid-urls", "Invalid URLs")
    if fields.get("retryFailedCalls"):
        retries = int(fields.get("retryCount", 0))
        fields["retryCount"] = retries if retries > 0 else DEFAULT_RETRIES
        fields["retryDelay"] = fields.get("retryDelay", "").strip().lower() or "powers-of-ten"


def rename_room(store: Store, old: str, new: str) -> None:
    """Update the webhooks of a renamed room."""
    for integration in store.integrations.values():
        integration.channels = [f"#{new}" if channel == f"#{old}" else channel for channel in integration.channels]


def disable_of(store: Store, user: User) -> None:
    """Disable the webhooks of a deleted user."""
    for integration in store.integrations.values():
        if integration.user is user:
            integration.fields["enabled"] = False
