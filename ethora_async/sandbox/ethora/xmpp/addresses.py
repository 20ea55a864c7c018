"""JIDs: parsed as received, written with the domain of the session's stream."""

from __future__ import annotations

import re
from typing import Final

import attrs

from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError

CONFERENCE: Final = "conference."
_PART: Final = 1023
"""The most bytes of each part of a JID."""
_DOMAIN: Final = re.compile(r"""[^\s"&'/:<>@]+|\[[0-9A-Fa-f:.]+\]""")


@attrs.frozen
class Address:
    """A JID in its three parts, none of them folded."""

    local: str
    domain: str
    resource: str

    @classmethod
    def read(cls, jid: str) -> Address:
        """Split a JID.

        Raises:
            StanzaError: it is malformed.
        """
        bare, slash, resource = jid.partition("/")
        local, at, domain = bare.rpartition("@")
        parts = (local, domain, resource)
        if (at and not local) or (slash and not resource) or not domain or "@" in local:
            raise StanzaError("jid-malformed", "Not a JID")
        if any(len(part.encode("utf-8", "replace")) > _PART for part in parts):
            raise StanzaError("jid-malformed", f"A part of a JID has at most {_PART} bytes")
        return cls(local, domain, resource)

    @property
    def of_room(self) -> bool:
        """True for the JID of a room, or of an occupant of one.

        An older front end writes `name@conference.` when it does not know the host.
        """
        return bool(self.local) and self.domain.startswith(CONFERENCE)


def is_domain(text: str) -> bool:
    """Return whether a stream can be opened to it: a host name or an IP address."""
    return len(text) <= _PART and _DOMAIN.fullmatch(text) is not None
