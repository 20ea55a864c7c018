"""Broadcasts: one text into many chats, as a job (docs/platforms/ethora.md#broadcasts).

Assumptions of this sandbox: `allRooms` means every public and group chat; a chat that is not found is a row
`failed` of the job, not a refusal; a dry run reports `dry-run` rows and keeps nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.answers import accepted, job_body
from ethora_async.sandbox.ethora.errors import RefusedError, job_not_found
from ethora_async.sandbox.ethora.forms_chats import BROADCAST
from ethora_async.sandbox.ethora.jobs import JobKind
from ethora_async.sandbox.ethora.replies import COUNT, FLAG, STARTED, TEXT, closed, job, many
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import Chat

ROUTES: Routes[Call] = Routes()
TARGETS = ("allRooms", "chatIds", "chatNames")
PATHS = ("/v2/chats/broadcast", "/v2/apps/{appId}/chats/broadcast")
ROW = closed({"status": TEXT, "chatName": TEXT, "chatId?": TEXT, "messageId?": TEXT, "error?": TEXT, "code?": TEXT})
OUTCOME = closed({"total": COUNT, "sent": COUNT, "failed": COUNT, "dryRun": FLAG, "results": many(ROW)})


@ROUTES.add("POST", *PATHS, auth=Auth.TENANT_ACTOR, section="chats", admin=True, body=BROADCAST, replies=STARTED)
def broadcast(call: Call) -> Reply:
    """Send a text to all chats, or to the named ones, and store it as a message of each."""
    form = call.form()
    named = [key for key in TARGETS if key in form and form[key] is not False]
    if len(named) != 1 or not form[named[0]]:
        raise RefusedError(400, f"Exactly one of {', '.join(TARGETS)} is required", "BROADCAST_TARGET_INVALID")
    targets = _targets(call, form)

    def send() -> Callable[[], dict[str, Any]]:
        rows = [_send(call, form, reference, chat) for reference, chat in targets]
        sent = sum(row["status"] == "sent" for row in rows)
        failed = sum(row["status"] == "failed" for row in rows)
        counts = {"total": len(rows), "sent": sent, "failed": failed, "dryRun": form["dryRun"]}
        return lambda: {**counts, "results": rows}

    return accepted(
        call.platform.jobs.run(JobKind.BROADCAST, call.app, call.now, send),
        call.route.path.replace("{appId}", call.app.id),
    )


@ROUTES.add(
    "GET",
    *[f"{path}/{{jobId}}" for path in PATHS],
    auth=Auth.TENANT_ACTOR,
    section="chats",
    admin=True,
    replies=job(OUTCOME),
)
def read_broadcast(call: Call) -> Reply:
    """Return the progress of a broadcast and, once it is done, the result for each chat."""
    job = call.platform.jobs.find(JobKind.BROADCAST, call.params["jobId"], call.app)
    if job is None:
        raise job_not_found()
    return json_reply(job_body(job, call.now))


def _targets(call: Call, form: dict[str, Any]) -> list[tuple[str, Chat | None]]:
    """Return the target chats, each once, however often it is named."""
    chats = call.app.chats
    if form.get("allRooms"):
        return [(chat.name, chat) for chat in chats if chat.type != "private"]
    references = form["chatIds"] if form.get("chatIds") else form["chatNames"]
    found: dict[object, tuple[str, Chat | None]] = {}
    for reference in references:
        chat = chats.find(reference)
        found.setdefault(chat or reference, (reference, chat))
    return list(found.values())


def _send(call: Call, form: dict[str, Any], reference: str, chat: Chat | None) -> dict[str, Any]:
    if chat is None:
        return {"status": "failed", "chatName": reference, "error": "Chat not found", "code": "CHAT_NOT_FOUND"}
    row = {"status": "dry-run", "chatName": chat.name, "chatId": chat.id}
    if form["dryRun"]:
        return row
    metadata = form.get("metadata")
    if "senderName" in form:
        metadata = {**(metadata if isinstance(metadata, dict) else {}), "senderName": form["senderName"]}
    message = call.platform.store.post(chat, form["text"], call.now, sender=call.user, metadata=metadata)
    return {**row, "status": "sent", "messageId": message.id}
