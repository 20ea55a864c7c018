"""XML as XMPP uses it: one element a frame, read by expat, written without prefixes.

The vendor's front ends look children up by literal name, so what is written carries `xmlns` as a plain attribute and
no prefix; elements that come in with a prefix are written with the default namespace that they stand for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

import attrs

from ethora_async.sandbox.ethora.xmpp.namespaces import CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 64
MAX_PARTS: Final = 4096
"""Elements and attributes in one stanza; more would block the server."""

_SEPARATOR: Final = "\x1f"  # a character that no XML document may contain
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IN_TEXT: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_IN_ATTRIBUTE: Final = {**_IN_TEXT, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"}
_SPECIAL_IN_TEXT: Final = re.compile("[&<>\r]")
_SPECIAL_IN_ATTRIBUTE: Final = re.compile('[&<>"\r\n\t]')


class BadXmlError(ValueError):
    """A frame that is not one valid XML element. `condition` is the stream error."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text


@attrs.define(eq=False)
class Element:
    """An XML element.

    Attributes:
        name: the name without a prefix.
        xmlns: the namespace that it is in.
        attributes: all attributes but `xmlns`.
        children: elements and text, in order.
        declared: whether the element itself states its namespace, though its parent has the same.
    """

    name: str
    xmlns: str = CLIENT
    attributes: dict[str, str] = attrs.field(factory=dict[str, str])
    children: list[Element | str] = attrs.field(factory=list["Element | str"])
    declared: bool = False

    def get(self, attribute: str) -> str:
        """Return the value of an attribute, or ""."""
        return self.attributes.get(attribute, "")

    @property
    def elements(self) -> Iterator[Element]:
        """The children that are elements."""
        return (child for child in self.children if isinstance(child, Element))

    @property
    def text(self) -> str:
        """The text directly inside the element."""
        return "".join(child for child in self.children if isinstance(child, str))

    def find(self, name: str, xmlns: str | None = None) -> Element | None:
        """Return the first child with this name, and this namespace if one is given."""
        for child in self.elements:
            if child.name == name and (xmlns is None or child.xmlns == xmlns):
                return child
        return None

    def has(self, name: str, xmlns: str | None = None) -> bool:
        """Return whether such a child exists."""
        return self.find(name, xmlns) is not None

    def text_of(self, name: str) -> str | None:
        """Return the text of the first child with this name, or None."""
        child = self.find(name)
        return None if child is None else child.text


def element(name: str, xmlns: str, /, *children: Element | str, **attributes: str) -> Element:
    """Create an element."""
    return Element(name, xmlns, attributes, list(children))


def parse(frame: str) -> Element:
    """Read the one element of a frame.

    Raises:
        BadXmlError: the frame is too large, too deep, not well-formed, or holds what XMPP forbids: a DTD, entities,
            comments, processing instructions.
    """
    data = frame.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        msg = f"A stanza has at most {MAX_BYTES} bytes"
        raise BadXmlError("policy-violation", msg)
    return _Reader().read(data)


def reparse(inner: str) -> list[Element | str]:
    """Parse the children of a stanza from the output of `write_inner`."""
    return _Reader().read(f'<m xmlns="{CLIENT}">{inner}</m>'.encode()).children


def write(element: Element) -> str:
    """Write an element as a frame of its own."""
    parts: list[str] = []
    _write(element, None, parts)
    return "".join(parts)


def write_inner(element: Element) -> str:
    """Write the children of an element, without the element."""
    parts: list[str] = []
    for child in element.children:
        _write(child, element.xmlns, parts)
    return "".join(parts)


def quoted(value: str) -> str:
    """Escape the value of an attribute in double quotes."""
    if _SPECIAL_IN_ATTRIBUTE.search(value):
        value = _SPECIAL_IN_ATTRIBUTE.sub(lambda found: _IN_ATTRIBUTE[found[0]], value)
    return _FORBIDDEN.sub("\ufffd", value)


def _escaped(text: str) -> str:
    if _SPECIAL_IN_TEXT.search(text):
        text = _SPECIAL_IN_TEXT.sub(lambda found: _IN_TEXT[found[0]], text)
    return _FORBIDDEN.sub("\ufffd", text)


def _write(node: Element | str, outer: str | None, parts: list[str]) -> None:
    if isinstance(node, str):
        parts.append(_escaped(node))
        return
    parts.append(f"<{node.name}")
    if node.declared or node.xmlns != outer:
        parts.append(f' xmlns="{quoted(node.xmlns)}"')
    parts += [f' {name}="{quoted(value)}"' for name, value in node.attributes.items()]
    if not node.children:
        parts.append("/>")
        return
    parts.append(">")
    for child in node.children:
        _write(child, node.xmlns, parts)
    parts.append(f"</{node.name}>")


class _Reader:
    """Builds the tree while expat reads; used once."""

    def __init__(self) -> None:
        # The encoding is fixed, whatever an XML declaration says: RFC 7395 frames are UTF-8.
        parser = self._parser = expat.ParserCreate("utf-8", _SEPARATOR)
        parser.namespace_prefixes = True
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.ProcessingInstructionHandler = _refuse
        parser.CommentHandler = _refuse
        parser.SkippedEntityHandler = _refuse
        self._open: list[Element] = []
        self._defaults: list[str] = [CLIENT]  # the default namespace, which clients leave out on stanzas
        self._declared: str | None = None
        self._root: Element | None = None
        self._parts = 0

    def read(self, data: bytes) -> Element:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            msg = f"{expat.ErrorString(error.code)}, column {error.offset}"
            raise BadXmlError("not-well-formed", msg) from None
        finally:
            # Break the reference cycle with the handlers, which only the garbage collector would free.
            del self._parser
        if self._root is None:
            raise BadXmlError("not-well-formed", "no element found")
        return self._root

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        if prefix is None:
            self._declared = uri or ""

    def _start(self, name: str, attributes: list[str]) -> None:
        self._parts += 1 + len(attributes) // 2
        if len(self._open) == MAX_DEPTH or self._parts > MAX_PARTS:
            msg = f"A stanza has at most {MAX_DEPTH} levels and {MAX_PARTS} elements and attributes"
            raise BadXmlError("policy-violation", msg)
        stated, self._declared = self._declared, None
        default = self._defaults[-1] if stated is None else stated
        self._defaults.append(default)
        uri, local, prefix = _split(name)
        own = uri if prefix else default
        read: dict[str, str] = {}
        for key, value in zip(attributes[::2], attributes[1::2], strict=True):
            scope, word, short = _split(key)
            if scope and scope != _XML:
                read[f"xmlns:{short}"] = scope
            read[f"{short}:{word}" if short else f"xml:{word}" if scope else word] = value
        new = Element(local, own, read, declared=stated is not None and not prefix)
        if self._open:
            self._open[-1].children.append(new)
        else:
            self._root = new
        self._open.append(new)

    def _end(self, _: str) -> None:
        self._open.pop()
        self._defaults.pop()

    def _characters(self, text: str) -> None:
        self._open[-1].children.append(text)


def _split(name: str) -> tuple[str, str, str]:
    """Return namespace, name and prefix of a name as expat reports it."""
    words = name.split(_SEPARATOR)
    if len(words) == 1:
        return "", words[0], ""
    return words[0], words[1], words[2] if len(words) > 2 else ""


def _refuse(*_: object) -> None:
    raise BadXmlError("restricted-xml", "DTDs, entities, comments and processing instructions are not allowed here")
