"""Messages: the archive of a chat, context, search (docs/platforms/ethora.md#messages).

They come from XMPP (`/ws`), broadcasts, uploads and `store.post`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.errors import forbidden, invalid, not_found
from ethora_async.sandbox.ethora.forms_chats import ARCHIVE, CONTEXT, SEARCH
from ethora_async.sandbox.ethora.replies import COUNT, FLAG, MAYBE_TEXT, listed, many, ref, success
from ethora_async.sandbox.ethora.routes_chats import require_control
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import found_message, listing, message_record
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.records import Chat, User

ROUTES: Routes[Call] = Routes()
PATH = "/v2/apps/{appId}/chats/{chatId}/messages"
MESSAGES = many(ref("Message"))


@ROUTES.add(
    "GET",
    PATH,
    auth=Auth.TENANT_ACTOR,
    section="chats",
    query=ARCHIVE,
    replies={
        200: success({"results": MESSAGES, "total": COUNT, "nextBefore": MAYBE_TEXT, "mamUnavailable": FLAG}),
    },
)
def list_messages(call: Call) -> Reply:
    """List the latest messages, oldest first; `before` takes the `nextBefore` of the previous page."""
    asked, chat = call.asked(), _readable(call)
    before = asked.get("before")
    if before is not None and not (before.isascii() and before.isdigit() and len(before) < 20):
        raise invalid('"before" must be a message id', "before")
    page = chat.conversation.before(None if before is None else int(before), asked["limit"])
    more = bool(page) and page[0] is not chat.messages[0]
    return json_reply(
        {
            "ok": True,
            "success": True,
            "results": [message_record(chat, message) for message in page],
            "total": len(chat.messages),
            "nextBefore": str(page[0].stanza) if more else None,
            "mamUnavailable": False,
        }
    )


@ROUTES.add("DELETE", PATH, auth=Auth.TENANT_ACTOR, section="chats")
def clear_messages(call: Call) -> Reply:
    """Clear the history of a chat."""
    chat = call.find_chat(call.params["chatId"])
    require_control(call, chat)
    chat.conversation.clear()
    return json_reply({"ok": True, "success": True})


@ROUTES.add(
    "GET",
    PATH + "/context",
    auth=Auth.TENANT_ACTOR,
    section="chats",
    query=CONTEXT,
    replies={200: success({"results": MESSAGES, "items": MESSAGES, "message": ref("Message")})},
)
def read_context(call: Call) -> Reply:
    """Read a message with the `radius` messages before and after it."""
    asked, chat = call.asked(), _readable(call)
    place = chat.conversation.place(asked.get("aroundStanzaId", asked.get("aroundMessageId", "")))
    if place is None:
        raise not_found("Message")
    around = chat.messages[max(0, place - asked["radius"]) : place + asked["radius"] + 1]
    rows = [message_record(chat, message) for message in around]
    found = message_record(chat, chat.messages[place])
    return json_reply({"ok": True, "success": True, "results": rows, "items": rows, "message": found})


@ROUTES.add(
    "GET",
    "/v2/apps/{appId}/messages/search",
    auth=Auth.TENANT_ACTOR,
    section="chats",
    query=SEARCH,
    replies=listed("messages", ref("FoundMessage")),
)
def search_messages(call: Call) -> Reply:
    """Search the messages of the app; a user finds only messages of their own chats."""
    asked = call.asked()
    words = asked["q"].split() if asked["mode"] == "fulltext" else [asked["q"]]
    found = [pair for pair in _find_messages(_searched(call, asked), words) if _meets(call, asked, pair[1])]
    if asked["sort"] == "date":
        found.sort(key=lambda pair: pair[1].stanza, reverse=True)
    else:
        found.sort(key=lambda pair: len(pair[1].body))
    rows = [found_message(*pair) for pair in found[asked["offset"] : asked["offset"] + asked["limit"]]]
    return listing("messages", rows, total=len(found), limit=asked["limit"], offset=asked["offset"])


def _readable(call: Call) -> Chat:
    chat = call.find_chat(call.params["chatId"])
    if not _may_read(call, chat):
        raise forbidden()
    return chat


def _may_read(call: Call, chat: Chat) -> bool:
    return call.user is None or call.user in chat.members or call.user.manages(call.app)


def _searched(call: Call, asked: dict[str, Any]) -> list[Chat]:
    chats = list(call.app.chats) if "chatId" not in asked else [call.find_chat(asked["chatId"])]
    return [chat for chat in chats if call.user is None or call.user in chat.members]


def _meets(call: Call, asked: dict[str, Any], message: Message[User]) -> bool:
    author = asked.get("fromUserId")
    if author is not None and (message.sender is None or message.sender is not call.app.users.find(author)):
        return False
    since: float = asked.get("since", 0.0)
    until: float = asked.get("until", math.inf)
    return since <= message.sent_at <= until


def _find_messages(chats: Iterable[Chat], words: list[str]) -> list[tuple[Chat, Message[User]]]:
    """Return the messages that contain all `words`, ignoring case, ordered by chat and time."""
    wanted = [word.casefold() for word in words]
    return [
        (chat, message)
        for chat in chats
        for message in chat.messages
        if all(word in message.body.casefold() for word in wanted)
    ]
