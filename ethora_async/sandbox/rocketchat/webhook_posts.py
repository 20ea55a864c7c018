"""Messages that webhooks post: those of incoming ones, and the answers to outgoing ones.

See docs/platforms/rocketchat.md#integrations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.rocketchat import membership, posting, webhook_events
from ethora_async.sandbox.rocketchat.errors import MeteorError, RestError, failure
from ethora_async.sandbox.rocketchat.shapes import message_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import Integration, Room, User
    from ethora_async.sandbox.rocketchat.webhook_calls import WebhookCall

SUCCESSES = frozenset({200, 201, 202})
JSON_TYPES = frozenset(
    {"application/json", "text/javascript", "application/javascript", "application/x-javascript"},
)
GONE, BROKEN = 410, 500
TEXT_FIELDS = ("text", "msg", "username", "alias", "icon_emoji", "emoji", "icon_url", "avatar", "tmid")


def post(
    platform: Platform, integration: Integration, user: User, body: Mapping[str, Any], default: list[str]
) -> list[dict[str, Any]]:
    """Post a webhook's message into its rooms as a user; return `{channel, message}` for each.

    Args:
        platform: the server.
        integration: the webhook.
        user: the author of the messages.
        body: the message: `text`, `attachments` and how it looks, and optionally the rooms.
        default: the rooms if the body names none.

    Raises:
        MeteorError: a room is unknown, or the user may not write there. `separateResponse` reports it as `error`.
    """
    targets = body.get("channel") or body.get("roomId") or default
    wanted = list(dict.fromkeys(map(str, targets if isinstance(targets, list) else [targets])))
    message = _message(integration, body)
    sent: list[dict[str, Any]] = []
    for target in wanted:
        try:
            room = _room(platform, user, target)
            more = {"bot": {"i": integration.id}, "groupable": body.get("groupable") is True}
            written = posting.send(platform, room, user, message, platform.now(), **more)
        except (MeteorError, RestError) as error:
            if body.get("separateResponse") is not True:
                raise
            sent.append({"channel": target, "error": reason(error)})
        else:
            sent.append({"channel": target, "message": message_shape(written)})
    return sent


def reason(error: MeteorError | RestError) -> str:
    """Return the word or text by which replies to webhooks name an error."""
    return str(error.body["error"]) if isinstance(error, RestError) else str(error.code)


def _message(integration: Integration, body: Mapping[str, Any]) -> dict[str, Any]:
    for name in TEXT_FIELDS:
        if not isinstance(body.get(name), (str, type(None))):
            raise failure(f"Match error: Expected string in field {name}")
    if not isinstance(body.get("customFields"), (dict, type(None))):
        raise failure("Match error: Expected object in field customFields")
    fields = integration.fields
    attachments = body.get("attachments")
    if isinstance(attachments, list) and not all(isinstance(one, dict) for one in attachments):
        raise failure("Match error: Expected objects in field attachments")
    message = {
        "msg": str(body.get("text") or body.get("msg") or "").strip(),
        "alias": body.get("username") or body.get("alias") or fields.get("alias"),
        "attachments": attachments if isinstance(attachments, list) and attachments else None,
        "tmid": body.get("tmid"),
        "customFields": body.get("customFields"),
    }
    own = {"avatar": body.get("icon_url") or body.get("avatar"), "emoji": body.get("icon_emoji") or body.get("emoji")}
    for looks in (own, fields):
        chosen = next((one for one in ("avatar", "emoji") if looks.get(one)), None)
        if chosen is not None:
            return {**message, chosen: looks[chosen]}
    return message


def _room(platform: Platform, user: User, target: str) -> Room:
    """Find `#room`, `@user`, or either by its name or id alone. A public channel is joined."""
    rooms, users = platform.store.rooms, platform.store.users
    sign, name = (target[:1], target[1:]) if target[:1] in ("#", "@") else ("", target)
    room = None if sign == "@" and not _is_direct(platform, name) else rooms.find(name)
    if room is None and sign != "#":
        other = users.find(name)
        if other is not None:
            return membership.direct(platform, [user, other], platform.now())[0]
    if room is None:
        raise MeteorError("invalid-channel")
    if room.type == "c":
        membership.enter(platform, room, user, platform.now())
    return room


def _is_direct(platform: Platform, room_id: str) -> bool:
    room = platform.store.rooms.with_id(room_id)
    return room is not None and room.type == "d"


def answered(platform: Platform, call: WebhookCall, status: int, kind: str, text: str) -> float | None:
    """Handle the answer to a request; return the seconds after which it is repeated, None if it is not."""
    webhook_events.note(
        platform, call.record, "after-http-call", httpResult=orjson.dumps(text).decode(), ranPrepareScript=True
    )
    if not text or status not in SUCCESSES:
        return _refused(platform, call, status, text)
    answer = _decoded(kind, text)
    if answer.get("text") or answer.get("attachments"):
        _post_answer(platform, call, answer)
    return None


def failed(platform: Platform, call: WebhookCall, problem: str) -> None:
    """Write into the history that no answer came."""
    webhook_events.note(platform, call.record, "after-http-call", httpError={"message": problem}, httpResult="null")


def _decoded(kind: str, text: str) -> dict[str, Any]:
    if kind not in JSON_TYPES:
        return {}
    try:
        answer: object = orjson.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refused(platform: Platform, call: WebhookCall, status: int, text: str) -> float | None:
    fields = call.integration.fields
    if text and status in (GONE, BROKEN):
        if status == GONE:
            fields["enabled"] = False
        step = f"after-process-http-status-{status}"
    elif not fields.get("retryFailedCalls") or not fields.get("retryCount"):
        step = "failed-and-not-configured-to-retry"
    elif call.tries >= fields["retryCount"]:
        step = "too-many-retries"
    else:
        pause = _pause(fields["retryDelay"], call.tries)
        if pause is not None:
            webhook_events.note(platform, call.record, f"going-to-retry-{call.tries + 1}", error=True)
            return pause
        step = "failed-and-retry-delay-is-invalid"
    webhook_events.note(platform, call.record, step, error=True)
    return None


def _pause(way: str, tries: int) -> float | None:
    pauses: dict[str, float] = {
        "powers-of-ten": 10 ** (tries - 1),
        "powers-of-two": 2 ** (tries + 1),
        "increments-of-two": 2 * (tries + 1),
    }
    return pauses.get(way)


def _post_answer(platform: Platform, call: WebhookCall, answer: dict[str, Any]) -> None:
    integration = call.integration
    user = None
    if integration.fields.get("impersonateUser"):
        user = platform.store.users.with_username(str(call.data.get("user_name")))
    target = integration.fields.get("targetRoom") or (None if call.event.room is None else call.event.room.id)
    if user is None:
        user = integration.user
    default = [target] if target else []
    try:
        sent = post(platform, integration, user, {**answer, "separateResponse": False}, default)
    except (MeteorError, RestError):
        sent = []
    if not sent:
        webhook_events.note(platform, call.record, "after-http-call-send-message-failed", finished=True)
        return
    webhook_events.note(platform, call.record, "url-response-sent-message", resultMessage=sent, finished=True)
