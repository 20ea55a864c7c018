"""Embed a room in your pages (docs/platforms/rocketchat.md#embedding): addresses for the iframe, and messages from the
page to it.

The embedded layout hides the side bar. It is not access control, and the server must allow framing
(``Iframe_Restrict_Access``) and messages (``Iframe_Integration_receive_enable``, with your page's exact origin).
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from ethora_async import codec
from ethora_async.config import normal_url
from ethora_async.errors import InvalidInputError
from ethora_async.platforms.rocketchat.names import RecordId, lookup
from ethora_async.redaction import masked_address

if TYPE_CHECKING:
    from ethora_async.records import ChatToken, Id

RoomPath = Literal["channel", "group", "direct"]
Presence = Literal["online", "away", "busy", "offline"]

_ROOM_PATHS = ("channel", "group", "direct")
_PRESENCES = ("online", "away", "busy", "offline")


class Embedding:
    """Builds the HTML and messages of a page that shows one server's rooms in an iframe. No request is sent.

    Args:
        site: the server's address, with its sub-path if it has one.
    """

    def __init__(self, site: str) -> None:
        site = masked_address(site)
        self._site = normal_url(site, "site", "https://chat.example.com")

    @property
    def origin(self) -> str:
        """The only origin to post messages to, and to accept events from."""
        parts = urlsplit(self._site)
        return f"{parts.scheme}://{parts.netloc}"

    def room_url(
        self,
        room: Id,
        kind: RoomPath = "group",
        *,
        embedded: bool = True,
        thread: str | None = None,
        message: str | None = None,
        resume: ChatToken | None = None,
    ) -> str:
        """Return the address of a room.

        Args:
            room: the room's name; for ``direct`` its `RecordId`, since user names are not part of those addresses.
            kind: ``channel``, ``group`` or ``direct``.
            embedded: False shows the whole client.
            thread: the id of the message whose thread to open.
            message: the id of the message to scroll to; not supported by every version.
            resume: a token that logs the client in by the address. It then appears in logs, histories and referrers,
                and some versions do not support it: prefer `login_script`.

        Raises:
            InvalidInputError: the room has no such address.
        """
        if kind not in _ROOM_PATHS:
            msg = f"kind must be channel, group or direct, not {kind!r}"
            raise InvalidInputError(msg, field="kind")
        name = lookup(room, "room")
        if kind == "direct" and not isinstance(name, RecordId):
            msg = "a direct room is addressed by its RecordId: take it from chats.direct(…).record_id"
            raise InvalidInputError(msg, field="room")
        path = f"/{kind}/{_quoted(str(name))}"
        if thread is not None:
            path += f"/thread/{_quoted(thread)}"
        return self._address(path, embedded=embedded, msg=message, resumeToken=resume)

    def home_url(self, *, embedded: bool = True) -> str:
        """Return the address of the start page."""
        return self._address("/home", embedded=embedded)

    def iframe(self, src: str, *, id: str = "rocketchat", title: str = "Chat") -> str:
        """Return an ``<iframe>`` for an address of this site, as HTML.

        Raises:
            InvalidInputError: the address is not this site's.
        """
        if src != self._site and not src.startswith((f"{self._site}/", f"{self._site}?")):
            msg = "src is not an address of this site: take it from room_url or home_url"
            raise InvalidInputError(msg, field="src")
        allow = "camera; microphone; fullscreen; display-capture; clipboard-write"
        attributes = {"id": id, "src": src, "title": title, "allow": allow}
        written = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
        return f"<iframe {written}></iframe>"

    def login_script(self, token: ChatToken, *, id: str = "rocketchat") -> str:
        """Return a ``<script>`` that logs the iframe in whenever its client has started, as HTML.

        It waits for the client's ``startup`` event, since the client does not listen before; it accepts that event only
        from this site's origin and this iframe, and posts the token only to this origin. It logs in on every start: the
        client may still have the session of another user of the same browser.

        The page contains the token: serve it with ``Cache-Control: no-store``, to that user only.
        """
        origin, frame = codec.script_json(self.origin), codec.script_json(id)
        login = codec.script_json(login_message(token))
        return (
            "<script>(function () {\n"
            f"  var origin = {origin};\n"
            f"  var frame = document.getElementById({frame});\n"
            '  window.addEventListener("message", function (event) {\n'
            "    if (event.origin !== origin || event.source !== frame.contentWindow) return;\n"
            '    if (!event.data || event.data.eventName !== "startup") return;\n'
            f"    frame.contentWindow.postMessage({login}, origin);\n"
            "  });\n"
            "})();</script>"
        )

    def _address(self, path: str, *, embedded: bool, **query: Any) -> str:
        words = {"layout": "embedded"} if embedded else {}
        for name, value in query.items():
            if value is not None:
                words[name] = value if isinstance(value, str) else value.secret.reveal()
        return f"{self._site}{path}" + (f"?{urlencode(words, quote_via=quote)}" if words else "")


def login_message(token: ChatToken) -> dict[str, str]:
    """Return the message that logs a user in, to be posted to the iframe. It is not answered.

    See docs/platforms/rocketchat.md#commands-to-the-iframe.
    """
    return {"externalCommand": "login-with-token", "token": token.secret.reveal()}


def logout_message() -> dict[str, str]:
    """Return the message that logs the current user out."""
    return {"externalCommand": "logout"}


def go_message(path: str) -> dict[str, str]:
    """Return the message that shows another room: a path of the site, such as ``/channel/general``.

    Raises:
        InvalidInputError: it is not a path.
    """
    if not path.startswith("/") or path.startswith("//"):
        msg = "path must begin with one slash"
        raise InvalidInputError(msg, field="path")
    return {"externalCommand": "go", "path": path}


def presence_message(status: Presence) -> dict[str, str]:
    """Return the message that sets the user's presence.

    Raises:
        InvalidInputError: it is not a presence of the platform.
    """
    if status not in _PRESENCES:
        msg = f"status must be online, away, busy or offline, not {status!r}"
        raise InvalidInputError(msg, field="status")
    return {"externalCommand": "set-user-status", "status": status}


def sso_reply(token: ChatToken) -> dict[str, str]:
    """Return the body of your ``Accounts_Iframe_api_url``'s 200 reply to a browser with a known user.

    See docs/platforms/rocketchat.md#iframe-log-in.
    """
    return {"loginToken": token.secret.reveal()}


def _quoted(part: str) -> str:
    if part in (".", ".."):
        msg = f"{part!r} names another path in a URL"
        raise InvalidInputError(msg, field="room")
    return quote(part, safe="")
