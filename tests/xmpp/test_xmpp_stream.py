"""Opening, logging in, binding, and their errors."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from still_clock import Clock
from xmpp_helpers import APP, BIND, CLOSE, HOST, OPEN, World, plain, presence, room

from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.ethora.sessions import XMPP_TTL
from ethora_async.sandbox.ethora.xmpp.stream import ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM_ERROR = r'<stream:error xmlns:stream="http://etherx.jabber.org/streams"><([a-z-]+) '


def broken(frames: list[str]) -> str:
    """The condition of the stream error that the frames end with, before the close."""
    assert frames[-1] == CLOSE
    found = re.match(STREAM_ERROR, frames[-2])
    assert found is not None, frames
    return found[1]


def test_a_stream_is_opened_with_what_can_be_done(world: World) -> None:
    opening, features = world.connect()(OPEN)
    assert re.fullmatch(
        f'<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="{HOST}" id="[0-9a-f]+" version="1.0" xml:lang="en"/>',
        opening,
    )
    assert features == (
        '<stream:features xmlns:stream="http://etherx.jabber.org/streams"><mechanisms'
        ' xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><mechanism>PLAIN</mechanism></mechanisms></stream:features>'
    )


def test_after_the_log_in_a_resource_is_bound(world: World) -> None:
    machine = world.connect()
    machine(OPEN)
    assert machine(plain(f"{APP}_ada", world.password("ada"))) == [
        '<success xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>'
    ]
    assert machine(OPEN)[1] == (
        '<stream:features xmlns:stream="http://etherx.jabber.org/streams"><bind'
        ' xmlns="urn:ietf:params:xml:ns:xmpp-bind"/><session xmlns="urn:ietf:params:xml:ns:xmpp-session"><optional/>'
        "</session></stream:features>"
    )
    assert machine(BIND.format("<resource>web</resource>")) == [
        (
            '<iq xmlns="jabber:client" type="result" id="bind"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind">'
            f"<jid>{APP}_ada@{HOST}/web</jid></bind></iq>"
        )
    ]
    assert machine.stream.bound


def test_without_a_wish_the_server_makes_the_resource_up(world: World) -> None:
    assert world.log_in("ada").jid != world.log_in("ada").jid
    assert len(world.sandbox.realtime.hub.sessions) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "xmpp.example.com", "büro.example"])
def test_the_domain_is_what_the_stream_names(world: World, host: str) -> None:
    assert world.log_in("ada", "web", host).jid == f"{APP}_ada@{host}/web"


@pytest.mark.parametrize("host", ["", " ", "a b", "a/b", "a@b", "a&lt;b", "x" * 2000])
def test_what_is_no_domain_is_unknown(world: World, host: str) -> None:
    assert broken(world.connect()(OPEN.replace(HOST, host))) == "host-unknown"


def test_the_domain_cannot_change(world: World) -> None:
    machine = world.connect()
    machine(OPEN)
    assert broken(machine(OPEN.replace(HOST, "example.com"))) == "host-unknown"


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (lambda world: plain(f"{APP}_ada", "wrong"), "not-authorized"),
        (lambda world: plain(f"{APP}_ada", world.password("bob")), "not-authorized"),
        (lambda world: plain(f"{APP}_nobody", "wrong"), "not-authorized"),
        (lambda world: plain("ada", world.password("ada")), "not-authorized"),
        (lambda world: plain("_" * 100_000, "x"), "not-authorized"),
        (lambda world: plain(f"{APP}_ada", world.password("ada"), authzid=f"{APP}_bob"), "invalid-authzid"),
        (lambda world: plain(f"{APP}_ada", ""), "malformed-request"),
        (lambda world: plain("", world.password("ada")), "malformed-request"),
        (lambda world: plain("a\0b", "c"), "malformed-request"),
        (
            lambda world: '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">=</auth>',
            "malformed-request",
        ),
        (
            lambda world: '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">?!</auth>',
            "incorrect-encoding",
        ),
        (
            lambda world: '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">/w==</auth>',
            "incorrect-encoding",
        ),
        (
            lambda world: '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="SCRAM-SHA-1">AA==</auth>',
            "invalid-mechanism",
        ),
        (lambda world: '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl">AA==</auth>', "invalid-mechanism"),
        (lambda world: '<abort xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>', "aborted"),
    ],
)
def test_a_log_in_is_refused_with_its_reason_and_can_be_tried_again(
    world: World, sent: Callable[[World], str], condition: str
) -> None:
    machine = world.connect()
    machine(OPEN)
    assert machine(sent(world)) == [f'<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><{condition}/></failure>']
    assert "<success" in machine(plain(f"{APP}_ada", world.password("ada")))[0]


def test_many_failed_log_ins_end_the_connection(world: World) -> None:
    machine = world.connect()
    machine(OPEN)
    for _ in range(ATTEMPTS - 1):
        machine(plain(f"{APP}_ada", "wrong"))
    assert broken(machine(plain(f"{APP}_ada", "wrong"))) == "policy-violation"
    assert machine(plain(f"{APP}_ada", world.password("ada"))) == []


def test_the_password_may_come_as_an_answer_to_a_challenge(world: World) -> None:
    machine = world.connect()
    machine(OPEN)
    (challenge,) = machine('<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>')
    assert challenge == '<challenge xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>'
    message = base64.b64encode(f"\0{APP}_ada\0{world.password('ada')}".encode()).decode()
    assert "<success" in machine(f'<response xmlns="urn:ietf:params:xml:ns:xmpp-sasl">{message}</response>')[0]


def test_short_lived_passwords_end(world: World, clock: Clock) -> None:
    platform = world.sandbox.realtime.hub.platform
    token = platform.sessions.xmpp_password(world.users["ada"], clock())
    machine = world.connect()
    machine(OPEN)
    assert "not-authorized" in machine(plain(f"{APP}_bob", token))[0]
    clock.now += XMPP_TTL - 1
    assert "<success" in machine(plain(f"{APP}_ada", token))[0]
    clock.now += 1
    late = world.connect()
    late(OPEN)
    assert "not-authorized" in late(plain(f"{APP}_ada", token))[0]


def test_a_token_of_another_purpose_is_no_password(world: World, clock: Clock) -> None:
    platform = world.sandbox.realtime.hub.platform
    session = platform.sessions.open(world.users["ada"])
    machine = world.connect()
    machine(OPEN)
    for token in platform.sessions.tokens(session, clock()).values():
        assert "not-authorized" in machine(plain(f"{APP}_ada", token.removeprefix("JWT ")))[0]


def test_an_app_id_may_hold_an_underscore(world: World) -> None:
    world.sandbox.add_app("other", app_id="my_own_app", secret="secret", parent=None)
    world.add_user("zoe_1", "my_own_app")
    assert world.log_in("zoe_1").jid.startswith("my_own_app_zoe_1@")


def test_the_newer_of_two_with_one_resource_stays(world: World) -> None:
    before, bob = world.join("ada", world.room, "web"), world.join("bob", world.room)
    before.take()
    after = world.log_in("ada", "web")
    assert broken(before.take()) == "conflict"
    assert before.closed
    assert before(presence(f"{room(world.room)}/{APP}_ada")) == []
    assert 'type="unavailable"' in bob.take()[0]
    assert len(after.enter(world.room)) == 3
    before.stream.end()
    assert len(world.sandbox.realtime.hub.sessions_of(world.users["ada"])) == 1


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        ("<iq/>", "invalid-namespace"),
        ("<stream:stream xmlns:stream='http://etherx.jabber.org/streams'/>", "invalid-namespace"),
        ("<open/>", "invalid-namespace"),
        ("junk", "not-well-formed"),
        ("<!DOCTYPE x><x/>", "restricted-xml"),
        ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "invalid-namespace"),
    ],
)
def test_the_first_frame_opens_the_stream_or_ends_it(world: World, frame: str, condition: str) -> None:
    machine = world.connect()
    opening, *frames = machine(frame)
    assert opening.startswith('<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" id=')
    assert broken(frames) == condition
    assert machine.closed


@pytest.mark.parametrize("frame", [presence(f"{APP}_room@conference.{HOST}/{APP}_ada"), "<message/>", BIND.format("")])
def test_a_stanza_before_the_log_in_ends_the_stream(world: World, frame: str) -> None:
    machine = world.connect()
    machine(OPEN)
    assert broken(machine(frame)) == "not-authorized"
    other = world.connect()
    other(OPEN)
    other(plain(f"{APP}_ada", world.password("ada")))
    assert broken(other(frame)) == "not-authorized"


def test_a_stanza_before_the_binding_ends_the_stream(world: World) -> None:
    machine = world.connect()
    machine(OPEN)
    machine(plain(f"{APP}_ada", world.password("ada")))
    machine(OPEN)
    assert broken(machine(presence(f"{room(world.room)}/{APP}_ada"))) == "not-authorized"


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        (OPEN, "bad-format"),
        (plain(f"{APP}_ada", "again"), "not-authorized"),
        ("<note/>", "unsupported-stanza-type"),
        ("<iq xmlns='urn:other'/>", "invalid-namespace"),
        (f"<iq type='get' id='1' from='{APP}_bob@{HOST}/web'><ping xmlns='urn:xmpp:ping'/></iq>", "invalid-from"),
    ],
)
def test_a_session_keeps_to_the_protocol_or_ends(world: World, frame: str, condition: str) -> None:
    bob = world.join("bob", world.room)
    ada = world.join("ada", world.room)
    bob.take()
    assert broken(ada(frame)) == condition
    assert 'type="unavailable"' in bob.take()[0]
    assert "<body>still here</body>" in bob.say(world.room, "still here")[0]


def test_a_resource_that_is_none_is_refused_and_another_taken(world: World) -> None:
    machine = world.connect()
    machine(OPEN)
    machine(plain(f"{APP}_ada", world.password("ada")))
    machine(OPEN)
    assert "<bad-request" in machine(BIND.format(f"<resource>{'x' * 300}</resource>"))[0]
    assert "<bad-request" in machine(BIND.format("<resource>a&#10;b</resource>"))[0]
    assert "<jid>" in machine(BIND.format("<resource>ok</resource>"))[0]


def test_closing_is_answered_and_nothing_after_it(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.take()
    assert ada(CLOSE) == [CLOSE]
    assert ada.closed
    assert ada.say(world.room, "too late") == []
    assert ada(OPEN) == []
    assert 'type="unavailable"' in bob.take()[0]
    assert not world.room.messages


def test_who_takes_too_long_to_log_in_is_disconnected(world: World) -> None:
    machine = world.connect()
    machine(OPEN)
    machine.stream.expire()
    assert broken(machine.take()) == "connection-timeout"
    ada = world.log_in("ada")
    ada.stream.expire()
    assert not ada.closed


@pytest.mark.parametrize("gone", ["user", "app"])
def test_who_is_gone_is_disconnected_and_hears_nothing_more(world: World, clock: Clock, gone: str) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.take()
    if gone == "user":
        world.users["bob"].app.users.remove(world.users["bob"])
    else:
        world.sandbox.store.purge_app(world.users["ada"].app)
    world.sandbox.store.post(world.room, "secret", clock())
    assert broken(bob.take()) == "not-authorized"
    assert bob.closed
    assert any("secret" in frame for frame in ada.take()) == (gone == "user")


def test_a_user_of_an_archived_app_cannot_log_in(world: World, clock: Clock) -> None:
    ada = world.log_in("ada")
    world.users["ada"].app.archived_at = clock()
    world.sandbox.realtime.hub.sweep()
    assert broken(ada.take()) == "not-authorized"
    machine = world.connect()
    machine(OPEN)
    assert "account-disabled" in machine(plain(f"{APP}_ada", world.password("ada")))[0]


def test_no_password_is_in_what_is_shown(world: World) -> None:
    ada = world.log_in("ada")
    shown = f"{ada.stream!r} {ada.stream.session!r} {world.sandbox!r} {vars(ada.stream)!r}"
    assert world.password("ada") not in shown


PIECES = st.sampled_from(
    [OPEN, CLOSE, BIND.format(""), "<iq/>", "<message/>", "<presence/>", "<", "<!DOCTYPE a><a/>", "<a>" * 70]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["to", "from", "type", "id", "xmlns"]),
    st.sampled_from(
        [
            "",
            "get",
            "set",
            "groupchat",
            "unavailable",
            "error",
            "x",
            "@",
            "/",
            "a@b@c",
            f"{APP}_room@conference.{HOST}",
            f"{APP}_room@conference.{HOST}/{APP}_bob",
            f"{APP}_eve@{HOST}",
            "jabber:client",
            "conference.",
            "null/x",
            HOST,
        ]
    ),
)
CHILDREN = st.lists(
    st.sampled_from(
        [
            "<body>x</body>",
            "<delete id='1'/>",
            "<replace id='²' text=''/>",
            "<query xmlns='urn:xmpp:mam:2'/>",
            "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>-1</max></set></query>",
            "<query xmlns='jabber:iq:private'><chatjson xmlns='chatjson:store' value='[[['/></query>",
            "<query xmlns='ns:getrooms'/>",
            "<query xmlns='ns:room:last' room='x'/>",
            "<ping xmlns='urn:xmpp:ping'/>",
            "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='x'/></x>",
            "<subject/>",
            "<query xmlns='http://jabber.org/protocol/muc#owner'/>",
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
        ]
    ),
    max_size=3,
)
STANZAS = st.builds(
    lambda name, given, inside: (
        f"<{name} "
        + " ".join(f'{key}="{value}"' for key, value in given.items())
        + ">"
        + "".join(inside)
        + f"</{name}>"
    ),
    st.sampled_from(["iq", "message", "presence", "note"]),
    ATTRIBUTES,
    CHILDREN,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES | STANZAS | st.text(max_size=30), max_size=12), st.booleans())
def test_nobody_notices_what_somebody_else_sends(frames: list[str], logged_in: bool) -> None:
    clock = Clock()
    world = World(EthoraSandbox(app_id=APP, secret="secret", clock=clock), clock)
    bob = world.join("bob", world.room)
    eve = world.log_in("eve") if logged_in else world.connect()
    for frame in frames:
        eve(frame)
    assert bob.take() == []
    assert "<body>hello</body>" in bob.say(world.room, "hello")[0]


@pytest.mark.parametrize("spelling", [str.upper, str.title, lambda text: text.replace("a", "\uff41")])
def test_a_name_logs_in_and_a_room_is_entered_in_any_spelling_of_its_jid(
    world: World, spelling: Callable[[str], str]
) -> None:
    machine = world.connect()
    machine(OPEN)
    name = spelling(f"{APP}_ada")
    assert "<success" in machine(plain(name, world.password("ada"), f"{name}@{HOST}"))[0]
    machine(OPEN)
    machine(BIND.format(""))
    machine(presence(f"{spelling(world.hall.name)}@conference.{HOST}/{APP}_ada"))
    assert machine.stream.session is not None
    assert machine.stream.session.chats == {world.hall}
