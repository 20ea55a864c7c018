"""Queries: rooms, private storage, discovery, configuration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from xmpp_helpers import APP, HOST, World, room

if TYPE_CHECKING:
    from still_clock import Clock

CHATJSON = '<chatjson xmlns="chatjson:store" value="{}"/>'
RSM = "http://jabber.org/protocol/rsm"


def iq(inside: str, kind: str = "get", to: str = "", id: str = "q1") -> str:
    given = f' to="{to}"' if to else ""
    return f'<iq type="{kind}" id="{id}"{given}>{inside}</iq>'


def refused(frames: list[str], condition: str) -> None:
    (frame,) = frames
    assert 'type="error"' in frame
    assert f"<{condition} " in frame


def children(frames: list[str]) -> str:
    """What is inside of the one result."""
    (frame,) = frames
    found = re.fullmatch(r'<iq xmlns="jabber:client" type="result" id="q1"[^>]*?(?:/>|>(.*)</iq>)', frame)
    assert found is not None, frame
    return found[1] or ""


@pytest.mark.parametrize(
    "frame",
    [
        iq("<ping xmlns='urn:xmpp:ping'/>"),
        iq("<ping xmlns='urn:xmpp:ping'/>", to=HOST),
        iq("<ping xmlns='urn:xmpp:ping'/>").replace("<iq ", "<iq to='' "),
        iq("<vCard xmlns='vcard-temp'><FN>Ada</FN></vCard>", "set"),
        iq("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", "set"),
    ],
)
def test_some_queries_have_an_empty_answer(world: World, frame: str) -> None:
    assert children(world.log_in("ada")(frame)) == ""


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        (iq("<x xmlns='urn:unknown'/>"), "service-unavailable"),
        (iq("<x xmlns='urn:unknown'/>", "set", to=f"{APP}_room@conference.{HOST}"), "service-unavailable"),
        (iq("<query xmlns='jabber:iq:roster'/>"), "service-unavailable"),
        (iq(""), "bad-request"),
        (iq("<a xmlns='urn:a'/><b xmlns='urn:b'/>"), "bad-request"),
        (iq("<ping xmlns='urn:xmpp:ping'/>", "ask"), "bad-request"),
        (iq("<ping xmlns='urn:xmpp:ping'/>").replace(' id="q1"', ""), "bad-request"),
    ],
)
def test_what_is_not_served_is_said(world: World, frame: str, condition: str) -> None:
    refused(world.log_in("ada")(frame), condition)


PING = "<ping xmlns='urn:xmpp:ping'/>"
PLACE = f"{APP}_room@conference.{HOST}"


@pytest.mark.parametrize(
    ("to", "condition"),
    [
        (f"{PLACE}/{APP}_ada", ""),
        (f"{PLACE}/{APP}_BOB", ""),
        (f"{APP}_bob@{HOST}", ""),
        ("elsewhere.example", ""),  # a front end pings the host of its websocket
        (f"{PLACE}/{APP}_eve", "item-not-found"),
        (f"{APP}_hall@conference.{HOST}/{APP}_ada", "not-acceptable"),
        (f"{APP}_none@conference.{HOST}/{APP}_ada", "item-not-found"),
        (f"other_room@conference.{HOST}/{APP}_ada", "forbidden"),
        (PLACE, "service-unavailable"),
        (f"conference.{HOST}", "service-unavailable"),
        ("@@@", "jid-malformed"),
    ],
)
def test_a_ping_says_whether_one_is_in_a_room(world: World, to: str, condition: str) -> None:
    ada, _ = world.join("ada", world.room), world.join("bob", world.room)
    answer = ada(iq(PING, to=to))
    if condition:
        refused(answer, condition)
    else:
        assert children(answer) == ""


def test_who_was_removed_learns_it_from_a_ping(world: World, clock: Clock) -> None:
    bob = world.join("bob", world.room)
    me = f"{PLACE}/{APP}_bob"
    assert children(bob(iq(PING, to=me))) == ""
    world.sandbox.store.leave(world.room, world.users["bob"], clock(), 0.0)
    bob.take()
    refused(bob(iq(PING, to=me)), "not-acceptable")


@pytest.mark.parametrize("inside", ["<x xmlns='urn:unknown'/>", "<query xmlns='urn:xmpp:mam:2'/>"])
def test_occupants_answer_nothing_else(world: World, inside: str) -> None:
    ada, _ = world.join("ada", world.room), world.join("bob", world.room)
    refused(ada(iq(inside, "set", to=f"{PLACE}/{APP}_bob")), "service-unavailable")


def test_private_storage_is_its_owners_alone(world: World) -> None:
    inside = "<query xmlns='jabber:iq:private'><a xmlns='urn:a'>{}</a></query>"
    ada, bob = world.log_in("ada"), world.log_in("bob")
    children(bob(iq(inside.format("mine"), "set", to=f"{APP}_bob@{HOST}")))
    for kind in ("get", "set"):
        refused(ada(iq(inside.format(""), kind, to=f"{APP}_bob@{HOST}")), "forbidden")
    assert "mine" in children(bob(iq(inside.format(""), to=f"{APP}_BOB@{HOST}")))


@pytest.mark.parametrize("kind", ["result", "error"])
def test_answers_to_nothing_are_passed_over(world: World, kind: str) -> None:
    assert world.log_in("ada")(iq("", kind)) == []


def test_what_was_never_stored_is_left_out(world: World) -> None:
    ada = world.log_in("ada")
    wanted = "<query xmlns='jabber:iq:private'><chatjson xmlns='chatjson:store'/></query>"
    assert children(ada(iq(wanted))) == '<query xmlns="jabber:iq:private"/>'
    stored = CHATJSON.format("{&quot;a&quot;:&quot;1&quot;}")
    assert children(ada(iq(f"<query xmlns='jabber:iq:private'>{stored}</query>", "set"))) == ""
    assert children(world.log_in("ada")(iq(wanted))) == f'<query xmlns="jabber:iq:private">{stored}</query>'
    assert children(world.log_in("bob")(iq(wanted))) == '<query xmlns="jabber:iq:private"/>'


def test_private_storage_has_an_end(world: World) -> None:
    ada = world.log_in("ada")
    for number in range(32):
        ada(iq(f"<query xmlns='jabber:iq:private'><a xmlns='urn:{number}'/></query>", "set"))
    refused(ada(iq("<query xmlns='jabber:iq:private'><a xmlns='urn:x'/></query>", "set")), "resource-constraint")
    assert children(ada(iq("<query xmlns='jabber:iq:private'><a xmlns='urn:0'/></query>", "set"))) == ""


def test_what_a_front_end_has_shown_is_read_for_rest_too(world: World, clock: Clock) -> None:
    ada, bob = world.join("ada", world.room), world.log_in("bob")
    for number in range(3):
        ada.say(world.room, str(number))
        clock.now += 1
    assert world.room.unread(world.users["bob"]) == 3
    for shown, left in ((int((clock.now - 1.5) * 1000), 1), (0, 1), (int(clock.now * 1000), 0)):
        value = f"{{&quot;{room(world.room)}&quot;:&quot;{shown}&quot;}}"
        bob(iq(f"<query xmlns='jabber:iq:private'>{CHATJSON.format(value)}</query>", "set"))
        assert world.room.unread(world.users["bob"]) == left
    ada.say(world.room, "new")
    assert world.room.unread(world.users["bob"]) == 1


@pytest.mark.parametrize(
    "value",
    ["", "[[", "[]", "1", "{&quot;a&quot;:{}}", "[" * 5000, f"{{&quot;{APP}_room@x&quot;:&quot;x&quot;}}", "&#127;"],
)
def test_a_note_of_what_was_shown_may_be_nonsense(world: World, value: str) -> None:
    bob = world.log_in("bob")
    assert children(bob(iq(f"<query xmlns='jabber:iq:private'>{CHATJSON.format(value)}</query>", "set"))) == ""


def test_rooms_are_listed_with_what_the_front_end_shows(world: World) -> None:
    world.add_chat("b&b", "ada", title='<B> & "B"')
    ada = world.log_in("ada")
    answer = children(ada(iq("<query xmlns='ns:getrooms'/>")))
    assert answer.startswith(
        f'<query xmlns="ns:getrooms"><room jid="{room(world.room)}" name="Room" users_cnt="2" room_background="none"'
        ' room_thumbnail="none"/>'
    )
    assert 'name="&lt;B&gt; &amp; &quot;B&quot;"' in answer
    assert answer.count("<room ") == 3
    assert world.log_in("eve")(iq("<query xmlns='ns:getrooms'/>"))[0].count("<room ") == 0


def test_a_deleted_room_is_listed_no_more(world: World, clock: Clock) -> None:
    world.sandbox.store.delete_chat(world.room, clock(), 60.0)
    assert "room@" not in children(world.log_in("ada")(iq("<query xmlns='ns:getrooms'/>"))).replace("_room", "")


def test_rooms_come_in_pages_when_they_are_asked_for_so(world: World) -> None:
    for number in range(10):
        world.add_chat(f"c{number}", "bob")
    bob = world.log_in("bob")

    def page(inside: str) -> tuple[list[str], str]:
        answer = children(bob(iq(f"<query xmlns='ns:getrooms'><set xmlns='{RSM}'>{inside}</set></query>")))
        return re.findall(rf'jid="{APP}_([^@]*)', answer), answer

    names, answer = page("<max>3</max>")
    assert names == ["room", "c0", "c1"]
    assert "<count>11</count>" in answer
    assert page(f"<max>2</max><after>{APP}_c1@conference.{HOST}</after>")[0] == ["c2", "c3"]
    assert page("<max>2</max><before/>")[0] == ["c8", "c9"]
    assert page(f"<max>2</max><before>{APP}_c8@conference.{HOST}</before>")[0] == ["c6", "c7"]
    assert page("<max>2</max><after>nobody</after>")[0] == []
    assert page("<max>2</max><index>4</index>")[0] == ["c3", "c4"]


def test_an_owner_gives_a_room_its_look(world: World) -> None:
    ada, bob = world.log_in("ada"), world.log_in("bob")
    look = f"<query xmlns='ns:getrooms:setprofile' room='{room(world.room)}' room_thumbnail='http://x/t.png'/>"
    refused(bob(iq(look, "set")), "forbidden")
    assert children(ada(iq(look, "set"))) == ""
    assert 'room_thumbnail="http://x/t.png"' in children(bob(iq("<query xmlns='ns:getrooms'/>")))


def test_who_was_last_in_a_room(world: World, clock: Clock) -> None:
    ada = world.join("ada", world.room)
    clock.now += 60
    ada.say(world.room, "x")
    answer = children(ada(iq(f"<query xmlns='ns:room:last' room='{room(world.room)}'/>")))
    assert answer == (
        f'<query xmlns="ns:room:last"><activity jid="{APP}_ada@{HOST}" name="Ada Byron" role="moderator"'
        f' ban_status="clear" last_active="{int(clock.now)}"/><activity jid="{APP}_bob@{HOST}" name="Bob Byron"'
        f' role="participant" ban_status="clear" last_active="{int(clock.now) - 60}"/></query>'
    )
    refused(world.log_in("eve")(iq(f"<query xmlns='ns:room:last' room='{room(world.room)}'/>")), "forbidden")


def test_at_most_fifty_are_told(world: World) -> None:
    for number in range(60):
        world.sandbox.store.join(world.room, world.add_user(f"u{number}"))
    answer = children(world.log_in("ada")(iq("<query xmlns='ns:room:last'/>", to=room(world.room))))
    assert answer.count("<activity ") == 50


def test_what_there_is_can_be_discovered(world: World) -> None:
    world.room.description = "All & more"
    ada = world.log_in("ada")
    info, items = (
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    )
    about = children(ada(iq(info, to=room(world.room))))
    assert '<identity category="conference" type="text" name="Room"/>' in about
    assert '<field var="muc#roominfo_description"><value>All &amp; more</value></field>' in about
    assert '<field var="muc#roominfo_occupants"><value>2</value></field>' in about
    assert 'category="server"' in children(ada(iq(info, to=HOST)))
    assert 'category="conference"' in children(ada(iq(info, to=f"conference.{HOST}")))
    assert 'category="account"' in children(ada(iq(info)))
    assert f'jid="conference.{HOST}"' in children(ada(iq(items, to=HOST)))
    assert re.findall('name="(.*?)"', children(ada(iq(items, to=f"conference.{HOST}")))) == ["Hall"]
    refused(world.log_in("eve")(iq(info, to=room(world.room))), "forbidden")
    refused(ada(iq(info, to=f"{APP}_bob@{HOST}")), "service-unavailable")


def test_an_owner_renames_a_room(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    form = (
        "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"
        "<field var='muc#roomconfig_roomname'><value>{}</value></field></x></query>"
    )
    refused(bob(iq(form.format("Mine"), "set", room(world.room))), "forbidden")
    refused(ada(iq(form.format(""), "set", room(world.room))), "not-acceptable")
    assert children(ada(iq("<query xmlns='http://jabber.org/protocol/muc#owner'/>", "set", room(world.room)))) == ""
    ada(iq(form.format("Ours"), "set", room(world.room)))
    assert world.room.title == "Ours"
    assert 'title="Ours"' in bob.take()[-1]
    assert "<value>Ours</value>" in children(
        ada(iq("<query xmlns='http://jabber.org/protocol/muc#owner'/>", "get", room(world.room)))
    )
    gone = "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>"
    refused(ada(iq(gone, "set", room(world.room))), "not-allowed")


def test_members_may_subscribe(world: World) -> None:
    wish = "<subscribe xmlns='urn:xmpp:mucsub:0' nick='x'><event node='urn:xmpp:mucsub:nodes:messages'/></subscribe>"
    assert "<subscribe" in children(world.log_in("bob")(iq(wish, "set", room(world.room))))
    refused(world.log_in("eve")(iq(wish, "set", room(world.room))), "forbidden")
