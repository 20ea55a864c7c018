"""Subscriptions to streams; each receives an event once (docs/platforms/rocketchat.md#streams)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ethora_async.sandbox.rocketchat.encoding import ejson

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.rocketchat.records import User

Key = tuple[str, str]


class EventListener(Protocol):
    """A connection that receives events."""

    user: User | None

    def push(self, text: str) -> None:
        """Queue one frame."""
        ...

    def token_died(self, hashed: str) -> None:
        """Handle the end of a token, which may be the one that this connection logged in with."""
        ...


class Hub:
    """The fan-out of events. There is no replay: an event without listeners is lost."""

    def __init__(self) -> None:
        self.listeners: set[EventListener] = set()
        self._subs: dict[Key, dict[tuple[EventListener, str], None]] = {}

    def subscribe(self, listener: EventListener, sub_id: str, key: Key) -> None:
        """Subscribe a connection to an event."""
        self._subs.setdefault(key, {})[listener, sub_id] = None

    def unsubscribe(self, listener: EventListener, sub_id: str, key: Key) -> None:
        """End one subscription; does nothing if it has already ended."""
        subs = self._subs.get(key)
        if subs is None:
            return
        subs.pop((listener, sub_id), None)
        if not subs:
            del self._subs[key]

    def drop(self, user: User, key: Key) -> None:
        """End all subscriptions of a user to an event silently, as the server does on a kick."""
        for listener, sub_id in [entry for entry in self._subs.get(key, {}) if entry[0].user is user]:
            self.unsubscribe(listener, sub_id, key)

    def heard(self, key: Key) -> bool:
        """Return whether anyone listens to an event, so that unheard events are not built."""
        return key in self._subs

    def emit(self, stream: str, event: str, args: list[Any], *, but: EventListener | None = None) -> None:
        """Send an event to all subscribers except the connection that caused it."""
        subs = self._subs.get((stream, event))
        if not subs:
            return
        text = ejson({"msg": "changed", "collection": stream, "id": "id", "fields": {"eventName": event, "args": args}})
        for listener, _ in list(subs):
            if listener is not but:
                listener.push(text)

    def emit_each(self, stream: str, event: str, args: Callable[[User | None], list[Any] | None]) -> None:
        """Send each subscriber its own form of an event; None skips a subscriber."""
        for listener, _ in list(self._subs.get((stream, event), {})):
            own = args(listener.user)
            if own is not None:
                fields = {"eventName": event, "args": own}
                listener.push(ejson({"msg": "changed", "collection": stream, "id": "id", "fields": fields}))

    def token_died(self, hashed: str) -> None:
        """Notify every connection that a token has ended."""
        for listener in list(self.listeners):
            listener.token_died(hashed)
