"""Chats for their members: lists, 1-1 chats, mutes, reports (docs/platforms/ethora.md#chats)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.conversation import Report
from ethora_async.sandbox.ethora.errors import RefusedError, chat_not_found, forbidden, invalid
from ethora_async.sandbox.ethora.forms import PAGE
from ethora_async.sandbox.ethora.forms_chats import CHAT_REPORT, PRIVATE_CHAT
from ethora_async.sandbox.ethora.replies import FLAG, TEXT, closed, listed, ref, result
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import chat_record, chat_with_members, listing, my_chat
from ethora_async.sandbox.ethora.store import ChatData
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import Chat, User

ROUTES: Routes[Call] = Routes()
MUTE = "/v1/chats/my/{chatName}/mute"
MUTED = result(closed({"chatName": TEXT, "muted": FLAG}))


@ROUTES.add("GET", "/v1/chats", auth=Auth.USER, section="chats", replies=listed("chats", ref("ChatWithMembers")))
def list_chats_i_made(call: Call) -> Reply:
    """List the chats that the user created."""
    user, _ = call.signed_in()
    rows = [chat_with_members(chat) for chat in user.chats if chat.creator is user]
    return listing("chats", rows, total=len(rows), limit=len(rows), offset=0)


@ROUTES.add("GET", "/v1/chats/my", auth=Auth.USER, section="chats", replies=listed("chats", ref("MyChat")))
def list_my_chats(call: Call) -> Reply:
    """List the user's chats, with at most 30 members each."""
    user, _ = call.signed_in()
    rows = [my_chat(chat, user) for chat in user.chats.window(0, user.chats.listed)]
    return listing("chats", rows, total=len(rows), limit=len(rows), offset=0)


@ROUTES.add("GET", "/v1/chats/my/{chatName}", auth=Auth.USER, section="chats", replies=result(ref("MyChat")))
def read_my_chat(call: Call) -> Reply:
    """Read one of the user's chats."""
    user, chat = _mine(call)
    return json_reply({"ok": True, "success": True, "result": my_chat(chat, user)})


@ROUTES.add("PUT", MUTE, auth=Auth.USER, section="chats", replies=MUTED)
def mute(call: Call) -> Reply:
    """Mute a chat."""
    user, chat = _membership(call)
    chat.conversation.muted.add(user)
    return _muted(chat, muted=True)


@ROUTES.add("DELETE", MUTE, auth=Auth.USER, section="chats", replies=MUTED)
def unmute(call: Call) -> Reply:
    """Unmute a chat."""
    user, chat = _membership(call)
    chat.conversation.muted.discard(user)
    return _muted(chat, muted=False)


@ROUTES.add(
    "GET", "/v1/chats/public", auth=Auth.USER, section="chats", query=PAGE, replies=listed("chats", ref("Chat"))
)
def list_public_chats(call: Call) -> Reply:
    """List the public chats of the app."""
    asked = call.asked()
    offset, limit = asked["offset"], asked["limit"]
    chats = [chat for chat in call.app.chats if chat.type == "public"]
    rows = [chat_record(chat) for chat in chats[offset : offset + limit]]
    return listing("chats", rows, total=len(chats), limit=limit, offset=offset)


@ROUTES.add(
    "POST",
    "/v1/chats/private",
    auth=Auth.USER,
    section="chats",
    body=PRIVATE_CHAT,
    replies=result(ref("ChatWithMembers")),
)
@ROUTES.add(
    "POST",
    "/v2/apps/{appId}/chats/private",
    auth=Auth.TENANT_ACTOR,
    section="chats",
    body=PRIVATE_CHAT,
    replies=result(ref("ChatWithMembers")),
)
def open_private_chat(call: Call) -> Reply:
    """Return the 1-1 chat of two users, in either order, or create it.

    A user's own token stands for the first of the two; a server names both. The body of the v2 form is not
    public: `users`, `members` and `username` are taken.
    """
    form = call.form()
    references = [form["username"]] if "username" in form else form.get("members") or form["users"]
    pair = dict.fromkeys(call.find_user(reference) for reference in references)
    me = call.user if call.user is not None and call.user.app is call.app else None
    if me is not None and me not in pair and len(pair) == 1:
        pair = {me: None, **pair}
    if len(pair) != 2:
        raise invalid("A private chat needs two different users", "members")
    if me is not None and me not in pair and not me.manages(call.app):
        raise forbidden()
    one, other = pair
    chat = _between(call, one, other, e2ee=form["e2ee"])
    return json_reply({"ok": True, "success": True, "result": chat_with_members(chat)})


@ROUTES.add("POST", "/v1/chats/reports/{chatName}", auth=Auth.USER, section="chats", body=CHAT_REPORT)
def report_chat(call: Call) -> Reply:
    """Report a chat."""
    form, (user, chat) = call.form(), _mine(call)
    category = form.get("category", form.get("reason", ""))
    chat.conversation.reports.append(Report(user, category, form.get("text", "")))
    return json_reply({"ok": True, "success": True})


def _between(call: Call, one: User, other: User, *, e2ee: bool) -> Chat:
    """Return the 1-1 chat of two users: its name holds both names, sorted; an encrypted one has a name of its own."""
    app = call.app
    first, second = sorted((one.xmpp_username, other.xmpp_username))
    name = f"{first}-{second}".removeprefix(f"{app.id}_") + ("-e2ee" if e2ee else "")
    chat = app.chats.with_uuid(name)
    if chat is None:
        data = ChatData(title=f"{other.first_name} {other.last_name}".strip(), type="private", uuid=name)
        chat = call.platform.store.create_chat(app, data, call.now)
    for user in (one, other):
        call.platform.store.join(chat, user)
    return chat


def _mine(call: Call) -> tuple[User, Chat]:
    user, _ = call.signed_in()
    chat = call.find_chat(call.params["chatName"])
    if user not in chat.members:
        raise chat_not_found()
    return user, chat


def _membership(call: Call) -> tuple[User, Chat]:
    """Return user and chat; 404 `CHAT_MEMBERSHIP_NOT_FOUND` when the user is not in it."""
    user, _ = call.signed_in()
    chat = call.app.chats.find(call.params["chatName"])
    if chat is None or user not in chat.members:
        raise RefusedError(404, "Chat membership not found", "CHAT_MEMBERSHIP_NOT_FOUND")
    return user, chat


def _muted(chat: Chat, *, muted: bool) -> Reply:
    return json_reply({"ok": True, "success": True, "result": {"chatName": chat.name, "muted": muted}})
