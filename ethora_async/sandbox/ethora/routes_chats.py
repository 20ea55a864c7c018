"""Chats for a backend: create, change, delete, list (docs/platforms/ethora.md#chats)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.errors import chat_exists, forbidden, invalid, legacy_not_found
from ethora_async.sandbox.ethora.forms import PAGE
from ethora_async.sandbox.ethora.forms_chats import CHAT_CHANGE, CHAT_DELETION, CHAT_META
from ethora_async.sandbox.ethora.grants import ADMIN, OWNER
from ethora_async.sandbox.ethora.replies import TEXT, listed, ref, result
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import chat_record, chat_with_members, listing
from ethora_async.sandbox.ethora.store import ChatData
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import Chat

ROUTES: Routes[Call] = Routes()
CHAT = result(ref("Chat"))[200]


@ROUTES.add(
    "POST",
    "/v1/chats",
    "/v2/chats",
    "/v2/apps/{appId}/chats",
    auth=Auth.TENANT_ACTOR,
    section="chats",
    body=lambda forms: forms.chat,
    replies={200: CHAT, 201: CHAT},
)
def create_chat(call: Call) -> Reply:
    """Create a chat, optionally with members; nothing is created if one of them is unknown."""
    form = call.form()
    data = ChatData(
        title=form["title"],
        type=form["type"],
        uuid=call.plain_uuid(form.get("uuid")),
        description=form["description"],
        picture=form.get("picture"),
    )
    members = [call.find_user(reference) for reference in form["members"]]
    if data.uuid is not None and call.app.chats.sharing_jid(data.uuid) is not None:
        raise chat_exists()
    chat = call.platform.store.create_chat(call.app, data, call.now, creator=call.user, members=members)
    status = 200 if call.route.path.startswith("/v1/") else 201
    return json_reply({"ok": True, "success": True, "result": chat_record(chat)}, status)


@ROUTES.add(
    "GET",
    "/v2/apps/{appId}/chats",
    auth=Auth.TENANT_ACTOR,
    section="chats",
    admin=True,
    query=PAGE,
    replies=listed("chats", {"anyOf": [ref("Chat"), ref("ChatWithMembers")]}),
)
def list_chats(call: Call) -> Reply:
    """List the chats of the app."""
    asked = call.asked()
    shape = chat_with_members if asked["includeMembers"] else chat_record
    rows = [shape(chat) for chat in call.app.chats.window(asked["offset"], asked["limit"])]
    return listing("chats", rows, total=call.app.chats.listed, limit=asked["limit"], offset=asked["offset"])


@ROUTES.add(
    "PATCH",
    "/v2/apps/{appId}/chats/{chat}",
    auth=Auth.TENANT_ACTOR,
    section="chats",
    body=CHAT_CHANGE,
    replies={200: CHAT},
)
def change_chat(call: Call) -> Reply:
    """Change the title or description of a chat, given by its room name or JID."""
    changes = call.form()
    return _change(call, call.find_chat(call.params["chat"]), changes)


@ROUTES.add("PATCH", "/v1/chats/meta", auth=Auth.TENANT_ACTOR, section="chats", body=CHAT_META, replies={200: CHAT})
def change_chat_meta(call: Call) -> Reply:
    """Change the title or description of a chat (older route)."""
    form = call.form()
    return _change(call, call.find_chat(form["name"]), form["data"])


@ROUTES.add(
    "DELETE",
    "/v1/chats",
    "/v2/apps/{appId}/chats",
    auth=Auth.TENANT_ACTOR,
    section="chats",
    body=CHAT_DELETION,
    replies=result(TEXT),
)
def delete_chat(call: Call) -> Reply:
    """Delete a chat with its memberships; listings may lag behind."""
    form = call.form()
    reference = form.get("name", form.get("chatName"))
    if reference is None:
        raise invalid('"name" is required', "name")
    faults = call.platform.faults
    if faults.legacy_errors and call.route.path == "/v1/chats" and call.app.chats.find(reference) is None:
        raise legacy_not_found("Chat")
    chat = call.find_chat(reference)
    require_control(call, chat)
    call.platform.store.delete_chat(chat, call.now, faults.deletion_lag)
    return json_reply({"ok": True, "success": True, "result": chat.name})


def require_control(call: Call, chat: Chat) -> None:
    """Check that the caller is the app's server, a manager, the chat's creator or a moderator. Raises the 403."""
    user = call.user
    if user is None or chat.creator is user or user.manages(call.app) or chat.access(user) & (ADMIN | OWNER):
        return
    raise forbidden()


def _change(call: Call, chat: Chat, changes: dict[str, Any]) -> Reply:
    require_control(call, chat)
    chat.title = changes.get("title", chat.title)
    chat.description = changes.get("description", chat.description)
    chat.updated_at = call.now
    call.platform.store.chat_changed(chat)
    return json_reply({"ok": True, "success": True, "result": chat_record(chat)})
