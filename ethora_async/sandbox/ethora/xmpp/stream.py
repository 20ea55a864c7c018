"""One client's connection as a state machine without I/O: frames come in, frames go out (RFC 7395).

Open, log in, open again, bind, and exchange stanzas. Every input is answered by the protocol: a result, a stanza error,
or a stream error that ends this connection. No input raises.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal

from ethora_async.sandbox.ethora.xmpp import messages, presence, queries
from ethora_async.sandbox.ethora.xmpp.addresses import is_domain
from ethora_async.sandbox.ethora.xmpp.elements import BadXmlError, Element, element, parse, quoted, write
from ethora_async.sandbox.ethora.xmpp.namespaces import BIND, CLIENT, FRAMING, SASL, SESSION, STREAM
from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError, StreamError
from ethora_async.sandbox.ethora.xmpp.sasl import SaslError, log_in
from ethora_async.sandbox.ethora.xmpp.session import XmppSession

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import User
    from ethora_async.sandbox.ethora.xmpp.hub import Hub
    from ethora_async.sandbox.ethora.xmpp.session import Line

ATTEMPTS: Final = 5
"""The largest number of failed log-ins on one connection."""
LONGEST_RESOURCE: Final = 255

State = Literal["new", "opened", "challenged", "logged in", "binding", "bound", "closed"]
_STANZAS: Final = {"message": messages.receive, "presence": presence.receive, "iq": queries.receive}


class Stream:
    """A connection. Call `receive` with each frame, `expire` when the log-in takes too long, `end` when it is gone."""

    def __init__(self, hub: Hub, line: Line) -> None:
        self._hub = hub
        self._line = line
        self._state: State = "new"
        self._domain = ""
        self._user: User | None = None
        self._failed = 0
        self.session: XmppSession | None = None

    @property
    def bound(self) -> bool:
        """True once the client has logged in and bound a resource."""
        return self._state == "bound"

    def receive(self, frame: str) -> None:
        """Handle one frame; after the end of the stream, frames are ignored."""
        if self._state == "closed":
            return
        try:
            self._take(parse(frame))
        except BadXmlError as error:
            self._fail(StreamError(error.condition, error.text))
        except StreamError as error:
            self._fail(error)

    def expire(self) -> None:
        """End a connection whose log-in took too long."""
        if self._state not in ("bound", "closed"):
            self._fail(StreamError("connection-timeout", "The log-in took too long"))

    def shut_down(self) -> None:
        """End the connection because the server shuts down."""
        if self._state != "closed":
            self._fail(StreamError("system-shutdown"))

    def overflow(self) -> None:
        """End the connection of a client that does not read what it is sent."""
        if self._state != "closed":
            self._fail(StreamError("resource-constraint", "The client does not keep up"))

    def end(self) -> None:
        """Clean up after the connection has closed."""
        self._state = "closed"
        if self.session is not None:
            self._hub.depart(self.session)
            self.session = None

    def _take(self, frame: Element) -> None:
        platform = self._hub.platform
        platform.store.agenda.settle(platform.clock())
        if frame.xmlns == FRAMING:
            self._framing(frame)
        elif self._state == "new":
            raise StreamError("invalid-namespace", "The first frame is an open")
        elif frame.xmlns == SASL:
            self._sasl(frame)
        elif frame.xmlns != CLIENT:
            raise StreamError("invalid-namespace")
        elif frame.name not in _STANZAS:
            raise StreamError("unsupported-stanza-type")
        elif self._state == "binding":
            self._bind(frame)
        elif self._state == "bound":
            self._stanza(frame)
        else:
            raise StreamError("not-authorized", "Log in first")

    # -- the stream

    def _framing(self, frame: Element) -> None:
        if frame.name == "close":
            self._push(write(element("close", FRAMING)))
            self._close()
            return
        if frame.name != "open" or self._state in ("binding", "bound", "challenged"):
            raise StreamError("bad-format")
        domain = frame.get("to")
        if not is_domain(domain) or (self._domain and domain != self._domain):
            raise StreamError("host-unknown")
        self._domain = domain
        self._push(self._opening())
        if self._state == "logged in":
            self._state = "binding"
            optional = element("session", SESSION, element("optional", SESSION))
            self._features(element("bind", BIND), optional)
        else:
            self._state = "opened"
            self._features(element("mechanisms", SASL, element("mechanism", SASL, "PLAIN")))

    def _opening(self) -> str:
        given = {"from": self._domain, "id": secrets.token_hex(4), "version": "1.0", "xml:lang": "en"}
        return write(Element("open", FRAMING, {key: value for key, value in given.items() if value}))

    def _features(self, *features: Element) -> None:
        offered = "".join(write(feature) for feature in features)
        self._push(f'<stream:features xmlns:stream="{quoted(STREAM)}">{offered}</stream:features>')

    def _fail(self, error: StreamError) -> None:
        if self._state == "new":
            self._push(self._opening())  # a stream error must be inside a stream
        self._push(error.frame())
        self._push(write(element("close", FRAMING)))
        self._close()

    def _close(self) -> None:
        self.end()
        self._line.close()

    def _push(self, frame: str) -> None:
        self._line.push(frame.encode())

    # -- who it is

    def _sasl(self, frame: Element) -> None:
        if self._state not in ("opened", "challenged"):
            raise StreamError("not-authorized", "Already logged in")
        try:
            if frame.name == "abort":
                raise SaslError("aborted")
            message = frame.text.strip()
            if frame.name == "auth" and self._state == "opened":
                if frame.get("mechanism") != "PLAIN":
                    raise SaslError("invalid-mechanism")
                if not message:
                    self._state = "challenged"
                    self._push(write(element("challenge", SASL)))
                    return
            elif frame.name != "response" or self._state != "challenged":
                raise StreamError("bad-format")
            self._user = log_in(self._hub.platform, message, self._hub.platform.clock())
        except SaslError as error:
            self._state = "opened"
            self._failed += 1
            self._push(write(element("failure", SASL, element(error.condition, SASL))))
            if self._failed == ATTEMPTS:
                raise StreamError("policy-violation", "Too many failed log-ins") from None
            return
        self._state = "logged in"
        self._push(write(element("success", SASL)))

    def _bind(self, frame: Element) -> None:
        wanted = frame.find("bind", BIND)
        if frame.name != "iq" or frame.get("type") != "set" or wanted is None or self._user is None:
            raise StreamError("not-authorized", "Bind a resource first")
        resource = wanted.text_of("resource") or secrets.token_hex(8)
        if len(resource) > LONGEST_RESOURCE or not resource.isprintable():
            self._push(write(StanzaError("bad-request", "The resource is not valid").answer(frame, self._domain)))
            return
        if not self._hub.alive(self._user):
            raise StreamError("not-authorized", "The account is gone")
        self.session = XmppSession(self._user, self._domain, resource, self._line, self.end)
        self._hub.arrive(self.session)
        self._state = "bound"
        bound = element("bind", BIND, element("jid", BIND, self.session.jid))
        self._push(write(Element("iq", CLIENT, {"type": "result", "id": frame.get("id")}, [bound])))

    # -- what it says

    def _stanza(self, stanza: Element) -> None:
        session = self.session
        if session is None or not self._hub.alive(session.user):
            raise StreamError("not-authorized", "The account is gone")
        sender = stanza.get("from")
        if sender and sender.casefold() not in (session.jid.casefold(), session.bare.casefold()):
            raise StreamError("invalid-from")
        try:
            _STANZAS[stanza.name](self._hub, session, stanza)
        except StanzaError as error:
            if stanza.get("type") != "error":
                session.send(error.answer(stanza, session.jid))
