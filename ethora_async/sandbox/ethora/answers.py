"""Answers that several routes share: jobs and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.shapes import full_user, timestamp
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.jobs import Job
    from ethora_async.sandbox.ethora.sessions import Session


def accepted(job: Job, prefix: str) -> Reply:
    """Reply 202 with the URL of a job's status."""
    return json_reply({"ok": True, "success": True, "jobId": job.id, "statusUrl": f"{prefix}/{job.id}"}, 202)


def job_body(job: Job, now: float) -> dict[str, Any]:
    """Return the state of a job, and its outcome once it is done."""
    state = job.poll(now)
    body: dict[str, Any] = {"ok": True, "jobId": job.id, "state": state, "createdAt": timestamp(job.created_at)}
    if state == "completed":
        body["result"] = job.report()
    if state == "failed":
        body["error"] = job.error
    return body


def session_reply(call: Call, session: Session, extra: dict[str, Any] | None = None) -> Reply:
    """Reply with fresh tokens of a session and its user (docs/platforms/ethora.md#sessions)."""
    platform, user = call.platform, session.user
    return json_reply(
        {
            "ok": True,
            "success": True,
            **platform.sessions.tokens(session, call.now),
            "user": full_user(user, platform.signer),
            "isAllowedNewAppCreate": user.may_create_apps,
            **(extra or {}),
        }
    )
