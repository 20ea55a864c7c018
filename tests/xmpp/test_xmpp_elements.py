"""XML in and out."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethora_async.sandbox.ethora.xmpp.elements import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_PARTS,
    BadXmlError,
    Element,
    parse,
    reparse,
    write,
    write_inner,
)

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,8}", fullmatch=True)
SPACES = st.sampled_from(["jabber:client", "urn:a", "urn:b", "a&b<\"'>"])
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n\r"), max_size=20)


def trees() -> st.SearchStrategy[Element]:
    def extend(children: st.SearchStrategy[Element]) -> st.SearchStrategy[Element]:
        return st.builds(
            Element, NAMES, SPACES, st.dictionaries(NAMES, TEXT, max_size=3), st.lists(children | TEXT, max_size=3)
        )

    return st.recursive(st.builds(Element, NAMES, SPACES), extend, max_leaves=12)


def plainly(element: Element) -> object:
    """The tree as tuples, neighbouring texts joined."""
    inside: list[object] = []
    for child in element.children:
        if isinstance(child, Element):
            inside.append(plainly(child))
        elif inside and isinstance(inside[-1], str):
            inside[-1] += child
        elif child:
            inside.append(child)
    return element.name, element.xmlns, element.attributes, inside


@settings(max_examples=40)
@given(trees())
def test_what_is_written_is_read_back(tree: Element) -> None:
    text = write(tree)
    assert plainly(parse(text)) == plainly(tree)
    ElementTree.fromstring(text)
    holder = Element("m", "jabber:client", {}, [tree])
    (again,) = reparse(write_inner(holder))
    assert isinstance(again, Element)
    assert plainly(again) == plainly(tree)


@given(st.text(max_size=60))
def test_any_text_becomes_xml(text: str) -> None:
    written = write(Element("m", "jabber:client", {"a": text}, [text]))
    ElementTree.fromstring(written.encode())


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["<a", ">", "/>", "</a>", "&", ";", "<!", "x:", "=", '"'])).map("".join)
)
def test_a_frame_is_an_element_or_refused(frame: str) -> None:
    try:
        element = parse(frame)
    except BadXmlError:
        return
    assert plainly(parse(write(element))) == plainly(element)


def test_prefixes_are_written_as_default_namespaces() -> None:
    frame = '<message xmlns:d="urn:d"><d:data d:a="1" xml:lang="en"><d:in/><out/></d:data></message>'
    assert write(parse(frame)) == (
        '<message xmlns="jabber:client"><data xmlns="urn:d" xmlns:d="urn:d" d:a="1" xml:lang="en"><in/>'
        '<out xmlns="jabber:client"/></data></message>'
    )


def test_a_namespace_that_was_stated_stays_stated() -> None:
    frame = '<message xmlns="jabber:client"><data xmlns="jabber:client" a="1"/><x xmlns=""/></message>'
    assert write(parse(frame)) == frame


def test_a_declared_encoding_is_overruled() -> None:
    assert parse('<?xml version="1.0" encoding="utf-16"?><iq>é</iq>').text == "é"


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        ("", "not-well-formed"),
        (" ", "not-well-formed"),
        ("text", "not-well-formed"),
        ("<iq>", "not-well-formed"),
        ("<iq/><iq/>", "not-well-formed"),
        ("<iq></message>", "not-well-formed"),
        ("<iq a='1' a='2'/>", "not-well-formed"),
        ("<iq><p:x/></iq>", "not-well-formed"),
        ("<iq>\x00</iq>", "not-well-formed"),
        ("<iq>\ud800</iq>", "not-well-formed"),
        ("<iq>&nbsp;</iq>", "not-well-formed"),
        ("<!DOCTYPE iq><iq/>", "restricted-xml"),
        ('<!DOCTYPE iq [<!ENTITY a "b">]><iq>&a;</iq>', "restricted-xml"),
        ('<!DOCTYPE iq [<!ENTITY a SYSTEM "file:///etc/passwd">]><iq>&a;</iq>', "restricted-xml"),
        ("<iq><!-- x --></iq>", "restricted-xml"),
        ("<iq><?x y?></iq>", "restricted-xml"),
        ("<iq>" + "x" * MAX_BYTES + "</iq>", "policy-violation"),
        ("<iq>" + "é" * (MAX_BYTES // 2) + "</iq>", "policy-violation"),
        ("<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1), "policy-violation"),
        ("<iq>" + "<a/>" * MAX_PARTS + "</iq>", "policy-violation"),
        ("<iq " + " ".join(f'a{number}=""' for number in range(MAX_PARTS)) + "/>", "policy-violation"),
    ],
)
def test_what_xmpp_forbids_is_refused(frame: str, condition: str) -> None:
    with pytest.raises(BadXmlError) as caught:
        parse(frame)
    assert caught.value.condition == condition


def test_the_largest_and_the_deepest_are_taken() -> None:
    parse("<iq>" + "x" * (MAX_BYTES - 9) + "</iq>")
    write(parse("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH))
    parse("<iq>" + "<a/>" * (MAX_PARTS - 1) + "</iq>")
