"""The routes of messages beside the basic ones in `operations` (docs/architecture.md#sending)."""

from __future__ import annotations

from ethora_async.platforms.rocketchat.operations import route

_MARKS, _LISTS = "message-marks", "message-lists"


EDIT = route("messages.edit", "POST", "chat.update", "messages")
DELETE = route("messages.delete", "POST", "chat.delete", "messages")
REACT = route("messages.react", "POST", "chat.react", _MARKS)
PIN = route("messages.pin", "POST", "chat.pinMessage", _MARKS)
UNPIN = route("messages.unpin", "POST", "chat.unPinMessage", _MARKS)
STAR = route("messages.star", "POST", "chat.starMessage", _MARKS)
UNSTAR = route("messages.unstar", "POST", "chat.unStarMessage", _MARKS)
FOLLOW = route("messages.follow", "POST", "chat.followMessage", _MARKS)
UNFOLLOW = route("messages.unfollow", "POST", "chat.unfollowMessage", _MARKS)
REPORT = route("messages.report", "POST", "chat.reportMessage", _MARKS, repeatable=False)
IGNORE = route("messages.ignore_user", "GET", "chat.ignoreUser", _MARKS)
PREVIEW = route("messages.url_preview", "GET", "chat.getURLPreview", _MARKS)

PINNED = route("messages.pinned", "GET", "chat.getPinnedMessages", _LISTS)
STARRED = route("messages.starred", "GET", "chat.getStarredMessages", _LISTS)
MENTIONING = route("messages.mentioning_me", "GET", "chat.getMentionedMessages", _LISTS)
OF_OTHERS = route("messages.of_others", "GET", "im.messages.others", "room-contents")
DISCUSSIONS = route("messages.discussions", "GET", "chat.getDiscussions", _LISTS)
DELETED = route("messages.deleted", "GET", "chat.getDeletedMessages", _LISTS)
SEARCH = route("messages.search", "GET", "chat.search", _LISTS)
THREADS = route("messages.threads", "GET", "chat.getThreadsList", _LISTS)
THREAD = route("messages.thread", "GET", "chat.getThreadMessages", _LISTS)
THREAD_CHANGES = route("messages.thread_changes", "GET", "chat.syncThreadMessages", _LISTS)
