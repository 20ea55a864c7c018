"""Routes of webhooks: create, list, read, change and remove (docs/platforms/rocketchat.md#integrations)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import integrations, webhook_events
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure
from ethora_async.sandbox.rocketchat.integrations import INCOMING, OUTGOING, RIGHTS
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import (
    FILLED,
    FLAG,
    NUMBER,
    TEXT,
    Schema,
    closed,
    maybe,
    one_of,
)
from ethora_async.sandbox.rocketchat.webhook_calls import Event

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Integration
    from ethora_async.sandbox.rocketchat.versions import Version
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "integrations"
UNKNOWN = "No integration found."

COMMON = {"channel": TEXT, "scriptEnabled": FLAG, "name": TEXT, "enabled": FLAG}
OPTIONS = {name: maybe(TEXT) for name in ("script", "alias", "avatar", "emoji")}
OUTGOING_OPTIONS = {
    **OPTIONS,
    **dict.fromkeys(("targetRoom", "token", "retryDelay"), maybe(TEXT)),
    **dict.fromkeys(("urls", "triggerWords"), maybe({"type": "array", "items": FILLED})),
    **dict.fromkeys(("triggerWordAnywhere", "runOnEdits", "retryFailedCalls", "impersonateUser"), maybe(FLAG)),
    "retryCount": maybe(NUMBER),
}


def _of(kind: str) -> Schema:
    return {"type": "string", "pattern": kind}


def _newer(version: Version) -> dict[str, Schema]:
    return {"skipTranspile": maybe(FLAG)} if version.since(8) else {}


def creation(version: Version) -> Schema:
    """Return the form of a new webhook of either kind."""
    more = {"scriptEngine": maybe(TEXT), **_newer(version)}
    incoming = {**OPTIONS, **more, "overrideDestinationChannelEnabled": maybe(FLAG)}
    named = {"username": TEXT, **COMMON}
    return one_of(
        closed({"type": _of(INCOMING), **named}, incoming),
        closed({"type": _of(OUTGOING), "event": TEXT, **named}, {**OUTGOING_OPTIONS, **more}),
    )


def change(version: Version) -> Schema:
    """Return the form of a webhook's new settings; an incoming one accepts other fields too."""
    more = {"scriptEngine": TEXT, **_newer(version)}
    incoming = {**OPTIONS, **more, "overrideDestinationChannelEnabled": maybe(FLAG)}
    named = {"type": _of(OUTGOING), "username": TEXT, "event": TEXT, **COMMON}
    places = {"integrationId": maybe(TEXT), "target_url": maybe(TEXT)}
    return one_of(
        {**closed({"type": _of(INCOMING), "integrationId": TEXT, **COMMON}, incoming), "additionalProperties": True},
        closed(named, {**OUTGOING_OPTIONS, **more, **places}),
    )


REMOVAL = one_of(
    *(
        {**closed({"type": _of(kind), key: TEXT}), "additionalProperties": True}
        for kind, key in ((INCOMING, "integrationId"), (OUTGOING, "target_url"), (OUTGOING, "integrationId"))
    )
)
LISTED = closed(
    {},
    {
        **dict.fromkeys(("offset", "count"), maybe(NUMBER)),
        **dict.fromkeys(("sort", "name", "type", "query"), maybe(TEXT)),
    },
)

OUTGOING_RIGHTS = ("manage-outgoing-integrations", "manage-own-outgoing-integrations")
HISTORY_PAGE = {**dict.fromkeys(("offset", "count"), maybe(NUMBER)), **dict.fromkeys(("sort", "query"), maybe(TEXT))}


@ROUTES.add("POST", "integrations.create", section=SECTION, body=creation)
def create(call: Call) -> Reply:
    """Create a webhook."""
    kind = _kind(call)
    _allow(call, kind)
    made = integrations.create(call.platform.store, call.body, call.user, call.now)
    return success(integration=integrations.shape(made))


@ROUTES.add("GET", "integrations.list", section=SECTION, any_of=RIGHTS, query=LISTED)
def list_(call: Call) -> Reply:
    """List the webhooks of the server, the newest first, filtered by name and kind."""
    words, kind = (call.query.get("name") or "").lower(), call.query.get("type")
    found = [
        one
        for one in call.platform.store.integrations.values()
        if words in one.fields["name"].lower() and kind in (None, one.kind)
    ]
    cut, numbers = call.page(found[::-1])
    return success(integrations=[integrations.shape(one) for one in cut], items=len(cut), **numbers)


@ROUTES.add(
    "GET",
    "integrations.get",
    section=SECTION,
    query={**closed({"integrationId": TEXT}, {"createdBy": maybe(TEXT)}), "additionalProperties": True},
)
def get(call: Call) -> Reply:
    """Return a webhook."""
    found = call.platform.store.integrations.get(call.query["integrationId"])
    if found is None or call.query.get("createdBy") not in (None, found.creator["_id"]):
        raise failure("The integration does not exists.")
    if not may(call.user, _right(found.kind)):
        raise failure("not-authorized")
    return success(integration=integrations.shape(found))


@ROUTES.add("PUT", "integrations.update", section=SECTION, body=change)
def update(call: Call) -> Reply:
    """Change the settings of a webhook."""
    found = _named(call)
    _allow(call, found.kind)
    integrations.update(call.platform.store, found, call.body, call.now)
    return success(integration=integrations.shape(found))


@ROUTES.add("POST", "integrations.remove", section=SECTION, any_of=RIGHTS, body=REMOVAL)
def remove(call: Call) -> Reply:
    """Remove a webhook."""
    found = _named(call)
    del call.platform.store.integrations[found.id]
    return success(integration=integrations.shape(found))


@ROUTES.add(
    "GET", "integrations.history", section=SECTION, any_of=OUTGOING_RIGHTS, query=closed({"id": FILLED}, HISTORY_PAGE)
)
def history(call: Call) -> Reply:
    """List the requests of an outgoing webhook, the latest first."""
    records = [one for one in call.platform.store.webhook_history if one["integration"]["_id"] == call.query["id"]]
    cut, numbers = call.page(records[::-1])
    return success(history=cut, items=len(cut), **numbers)


@ROUTES.add("POST", "integrations.clearHistory", section=SECTION, body=closed({"integrationId": FILLED}))
def clear_history(call: Call) -> Reply:
    """Forget the requests of an outgoing webhook."""
    found = _outgoing(call)
    kept = [one for one in call.platform.store.webhook_history if one["integration"]["_id"] != found.id]
    call.platform.store.webhook_history.clear()
    call.platform.store.webhook_history.extend(kept)
    return success()


@ROUTES.add(
    "POST",
    "integrations.replayOutgoing",
    section=SECTION,
    body=closed({"integrationId": FILLED, "historyId": FILLED}),
)
def replay(call: Call) -> Reply:
    """Send a request of an outgoing webhook again."""
    found = _outgoing(call)
    for record in call.platform.store.webhook_history:
        if record["_id"] == call.body["historyId"] and record["integration"]["_id"] == found.id:
            if record.get("url"):
                webhook_events.call(call.platform, found, record["url"], _event(call, record))
            return success()
    raise MeteorError("error-invalid-integration-history", "Invalid Integration History")


def _event(call: Call, record: dict[str, Any]) -> Event:
    """Return the event of an earlier request, as it is now."""
    data, store = record["data"], call.platform.store
    room = store.rooms.with_id(data.get("channel_id", ""))
    message = None if room is None else room.messages.get(data.get("message_id", ""))
    user = store.users.with_id(data.get("user_id", ""))
    return Event(name=record["event"], at=call.now, room=room, message=message, user=user)


def _outgoing(call: Call) -> Integration:
    """Return the outgoing webhook that a body names."""
    found = call.platform.store.integrations.get(call.body["integrationId"])
    allowed = any(may(call.user, right) for right in OUTGOING_RIGHTS)
    if not allowed or found is None or found.kind != OUTGOING:
        raise MeteorError("error-invalid-integration", "Invalid integration")
    return found


def listed_in(call: Call, name: str, kind: str | None) -> list[Integration]:
    """Return the webhooks of a room and, with `kind`, those of all rooms of that kind."""
    wanted = {f"#{name}", kind}
    return [one for one in call.platform.store.integrations.values() if not wanted.isdisjoint(one.channels)]


def _named(call: Call) -> Integration:
    """Return the webhook of the given kind that a body names by its id or its target URL."""
    body, kind = call.body, _kind(call)
    for one in call.platform.store.integrations.values():
        called = body.get("target_url") in one.fields.get("urls", []) if body.get("target_url") else None
        if one.kind == kind and (one.id == body.get("integrationId") if called is None else called):
            return one
    raise failure(UNKNOWN)


def _kind(call: Call) -> str:
    """Return the kind of webhook in a body; the form accepts any string that contains a kind."""
    kind: str = call.body["type"]
    if kind not in (INCOMING, OUTGOING):
        raise failure("Invalid integration type.")
    return kind


def _allow(call: Call, kind: str) -> None:
    if not may(call.user, _right(kind)):
        raise MeteorError("not_authorized", "Unauthorized")


def _right(kind: str) -> str:
    return "manage-incoming-integrations" if kind == INCOMING else "manage-outgoing-integrations"
