"""Showing a room inside a page of yours (docs/platforms/rocketchat.md#embedding): addresses for the iframe, and what
the page tells it.

The embedded layout hides the side bar. It is no access control, and the server must allow the framing
(``Iframe_Restrict_Access``) and the messages (``Iframe_Integration_receive_enable``, with your page's exact origin).
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from ethora_async import codec
from ethora_async.config import normal_url
from ethora_async.errors import InvalidInputError
from ethora_async.platforms.rocketchat.names import RecordId, lookup

if TYPE_CHECKING:
    from ethora_async.records import ChatToken, Id

RoomPath = Literal["channel", "group", "direct"]
Presence = Literal["online", "away", "busy", "offline"]

_ROOM_PATHS = ("channel", "group", "direct")
_PRESENCES = ("online", "away", "busy", "offline")


class Embedding:
    """Makes what a page needs that shows one server's rooms in an iframe. No request is made.

    Args:
        site: the server's address, with its sub-path if it has one.
    """

    def __init__(self, site: str) -> None:
        self._site = normal_url(site, "site", "https://chat.example.com")

    @property
    def origin(self) -> str:
        """The only origin to post messages to, and the only one to take events from."""
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
            room: the room's name; for ``direct`` its `RecordId`, since user names are no addresses there.
            kind: ``channel``, ``group`` or ``direct``.
            embedded: False shows the whole client.
            thread: the id of the message whose thread to open.
            message: the id of the message to go to; not every version does.
            resume: logs the client in by the address. The token then stands in logs, histories and referrers, and some
                versions do not take it: prefer `login_script`.

        Raises:
            InvalidInputError: the room cannot be addressed so.
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
            msg = "src is no address of this site: take it from room_url or home_url"
            raise InvalidInputError(msg, field="src")
        allow = "camera; microphone; fullscreen; display-capture; clipboard-write"
        attributes = {"id": id, "src": src, "title": title, "allow": allow}
        written = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
        return f"<iframe {written}></iframe>"

    def login_script(self, token: ChatToken, *, id: str = "rocketchat") -> str:
        """Return a ``<script>`` that logs the iframe in whenever its client has started, as HTML.

        It waits for the client's ``startup``, since nobody listens before; it takes that event from this site's origin
        and from this iframe alone, and posts the token to this origin alone. It logs in on every start: the client
        may still hold the session of another user of the same browser.

        The page that holds it holds the token: serve it with ``Cache-Control: no-store``, to that user alone.
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
    """Return what the page posts to the iframe to log a user in. There is no answer to it.

    See docs/platforms/rocketchat.md#commands-to-the-iframe.
    """
    return {"externalCommand": "login-with-token", "token": token.secret.reveal()}


def logout_message() -> dict[str, str]:
    """Return what the page posts to log whoever it is out."""
    return {"externalCommand": "logout"}


def go_message(path: str) -> dict[str, str]:
    """Return what the page posts to show another room: a path of the site, such as ``/channel/general``.

    Raises:
        InvalidInputError: it is no path.
    """
    if not path.startswith("/") or path.startswith("//"):
        msg = "path must begin with one slash"
        raise InvalidInputError(msg, field="path")
    return {"externalCommand": "go", "path": path}


def presence_message(status: Presence) -> dict[str, str]:
    """Return what the page posts to set the user's presence.

    Raises:
        InvalidInputError: it is no presence that the platform knows.
    """
    if status not in _PRESENCES:
        msg = f"status must be online, away, busy or offline, not {status!r}"
        raise InvalidInputError(msg, field="status")
    return {"externalCommand": "set-user-status", "status": status}


def sso_reply(token: ChatToken) -> dict[str, str]:
    """Return what your ``Accounts_Iframe_api_url`` answers with a 200 to a browser whose user it knows.

    See docs/platforms/rocketchat.md#iframe-log-in.
    """
    return {"loginToken": token.secret.reveal()}


def _quoted(part: str) -> str:
    if part in (".", ".."):
        msg = f"{part!r} names another place in an address"
        raise InvalidInputError(msg, field="room")
    return quote(part, safe="")
