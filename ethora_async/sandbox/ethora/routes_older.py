"""The older guide's calls, `/chats/` and `/chat-access/`, which the current platform does not have.

See docs/platforms/ethora.md#older-guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.access import set_access
from ethora_async.sandbox.ethora.errors import chat_exists, chat_not_found, user_not_found
from ethora_async.sandbox.ethora.forms_chats import OLDER_ACCESS, OLDER_CHAT, OLDER_DELETION
from ethora_async.sandbox.ethora.names import collapse
from ethora_async.sandbox.ethora.replies import MAYBE_TIME, TEXT, success
from ethora_async.sandbox.ethora.routes_chats import require_control
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import timestamp
from ethora_async.sandbox.ethora.store import ChatData
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import Chat, User

ROUTES: Routes[Call] = Routes()
TYPES = {"public": "public", "private": "group"}
CHAT = {200: success({"jid": TEXT, "name": TEXT})}
ACCESS = success({"chatJid": TEXT, "userJid": TEXT, "accessCode": TEXT, "expiresAt": MAYBE_TIME})


@ROUTES.add("POST", "/chats", auth=Auth.TENANT_ACTOR, section="older-guide", body=OLDER_CHAT, replies=CHAT)
def create_chat(call: Call) -> Reply:
    """Create a chat for one of the caller's entities, given by `UUID`."""
    form = call.form()
    uuid = call.plain_uuid(form.get("UUID"))
    if uuid is not None and call.app.chats.sharing_jid(uuid) is not None:
        raise chat_exists()
    title = form.get("title") or (f"Chat {uuid}" if uuid else "Chat")
    data = ChatData(title=title, type=TYPES[form["access"]], uuid=uuid)
    return _chat(call, call.platform.store.create_chat(call.app, data, call.now, creator=call.user))


@ROUTES.add("DELETE", "/chats", auth=Auth.TENANT_ACTOR, section="older-guide", body=OLDER_DELETION, replies=CHAT)
def delete_chat(call: Call) -> Reply:
    """Delete a chat with its history."""
    form = call.form()
    chat = _find_chat(call, form.get("UUID", form.get("chatUuid")), form.get("chatJid"))
    require_control(call, chat)
    call.platform.store.delete_chat(chat, call.now, call.platform.faults.deletion_lag)
    return _chat(call, chat)


@ROUTES.add(
    "POST", "/chat-access", auth=Auth.TENANT_ACTOR, section="older-guide", body=OLDER_ACCESS, replies={200: ACCESS}
)
def change_access(call: Call) -> Reply:
    """Set a user's rights in a chat, permanently or for some seconds."""
    form = call.form()
    chat = _find_chat(call, form.get("chatUuid"), form.get("chatJid"))
    user = _find_user(call, form)
    require_control(call, chat)
    bits, seconds = int(form["accessCode"], 2), form["accessTimer"]
    grant = set_access(call.platform.store, chat, user, bits, call.now, seconds)
    return json_reply(
        {
            "ok": True,
            "success": True,
            "chatJid": _jid(call, chat),
            "userJid": f"{user.xmpp_username}@{call.platform.xmpp_host}",
            "accessCode": form["accessCode"],
            "expiresAt": None if grant.expires_at is None else timestamp(grant.expires_at),
        }
    )


def _find_chat(call: Call, uuid: str | None, jid: str | None) -> Chat:
    chats = call.app.chats
    chat = chats.find(jid or "") if uuid is None else chats.with_uuid(collapse(call.app.id, uuid))
    if chat is None:
        raise chat_not_found()
    return chat


def _find_user(call: Call, form: dict[str, Any]) -> User:
    users, uuid = call.app.users, form.get("userUuid")
    user = users.find(form["userJid"]) if uuid is None else users.with_uuid(collapse(call.app.id, uuid))
    if user is None:
        raise user_not_found()
    return user


def _jid(call: Call, chat: Chat) -> str:
    return f"{chat.name}@conference.{call.platform.xmpp_host}"


def _chat(call: Call, chat: Chat) -> Reply:
    return json_reply({"ok": True, "success": True, "jid": _jid(call, chat), "name": chat.name})
