"""Errors: stanza errors, and stream errors that end the connection."""

from __future__ import annotations

from typing import Final

from ethora_async.sandbox.ethora.xmpp.elements import Element, element, write
from ethora_async.sandbox.ethora.xmpp.namespaces import STANZA_ERRORS, STREAM, STREAM_ERRORS

_TYPES: Final = {
    "bad-request": "modify",
    "conflict": "cancel",
    "feature-not-implemented": "cancel",
    "forbidden": "auth",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-allowed": "cancel",
    "registration-required": "auth",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
}


class StanzaError(Exception):
    """A stanza is refused; the connection stays open. `kind` is the type of the error, if not the usual one."""

    def __init__(self, condition: str, text: str = "", *, kind: str = "") -> None:
        super().__init__(text or condition)
        self.condition = condition
        self.text = text
        self.kind: str = kind or _TYPES[condition]

    def answer(self, stanza: Element, sender: str) -> Element:
        """Return the error stanza for `sender`: same kind and id, from the address it was sent to."""
        error = element("error", stanza.xmlns, element(self.condition, STANZA_ERRORS), type=self.kind)
        if self.text:
            error.children.append(element("text", STANZA_ERRORS, self.text))
        given = {"type": "error", "to": sender}
        given |= {key: stanza.attributes[key] for key in ("id",) if key in stanza.attributes}
        if stanza.get("to"):
            given["from"] = stanza.get("to")
        return Element(stanza.name, stanza.xmlns, given, [error])


class StreamError(Exception):
    """The connection cannot go on. `condition` and `text` are sent before it is closed."""

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(text or condition)
        self.condition = condition
        self.text = text

    def frame(self) -> str:
        """Return the frame to send."""
        return stream_error(self.condition, self.text)


def stream_error(condition: str, text: str = "") -> str:
    """Write a stream error. The prefix of its name is the only one that the server ever writes besides `features`."""
    told = write(element(condition, STREAM_ERRORS))
    if text:
        told += write(element("text", STREAM_ERRORS, text))
    return f'<stream:error xmlns:stream="{STREAM}">{told}</stream:error>'
