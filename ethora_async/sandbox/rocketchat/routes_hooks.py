"""Incoming webhooks: a request to their URL posts a message (docs/platforms/rocketchat.md#integrations)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.rocketchat import webhook_posts
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, RestError, failure
from ethora_async.sandbox.rocketchat.integrations import INCOMING
from ethora_async.sandbox.rocketchat.routing import Routes

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Integration
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "integrations"
PATHS = ("/hooks/{integrationId}/{token}", "/hooks/{integrationId}/{userId}/{token}")


@ROUTES.add("POST", *PATHS, section=SECTION, anonymous=True)
def receive(call: Call) -> Reply:
    """Post a message as the webhook's user. An empty body posts nothing."""
    hook = _hook(call)
    fields = hook.fields
    if fields["scriptEnabled"] and (fields.get("script") or "").strip():
        # The sandbox has no engine for them: a message that skips the script would be another than the real one.
        raise failure("error-running-script")
    body = _content(call)
    if not body:
        return success()
    if (body.get("channel") or body.get("roomId")) and not fields["overrideDestinationChannelEnabled"]:
        raise failure("overriding destination channel is disabled for this integration")
    try:
        sent = webhook_posts.post(call.platform, hook, hook.user, body, hook.channels)
    except (MeteorError, RestError) as error:
        raise failure(webhook_posts.reason(error)) from None
    if body.get("separateResponse") is not True:
        return success()
    if all("error" in one for one in sent):
        raise RestError(400, {"responses": sent, "success": False})
    return success(responses=sent)


@ROUTES.add("GET", *PATHS, section=SECTION, anonymous=True)
def check(call: Call) -> Reply:
    """Answer a request without a body, which posts nothing."""
    _hook(call)
    return success()


def _hook(call: Call) -> Integration:
    hook = call.platform.store.integrations.get(call.params["integrationId"])
    if hook is None or hook.kind != INCOMING or hook.fields["token"] != call.params["token"]:
        raise failure("Invalid integration id or token provided.", 404)
    if hook.fields["enabled"] is not True:
        raise failure("Service Unavailable", 503)
    return hook


def _content(call: Call) -> dict[str, Any]:
    """Return the body. The only field of a form may hold it as JSON, under `payload`."""
    body = call.body
    if "urlencoded" not in call.headers.get("Content-Type", "") or set(body) != {"payload"}:
        return body
    try:
        content: object = orjson.loads(body["payload"])
    except ValueError:
        raise failure("The payload is not valid JSON.") from None
    return content if isinstance(content, dict) else {}
