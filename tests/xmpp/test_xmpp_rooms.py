"""Entering and leaving rooms, messages, and the events between REST and chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from xmpp_helpers import APP, HOST, World, presence, room, seen

from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.ethora.access import set_access
from ethora_async.sandbox.ethora.grants import READ, WRITE
from ethora_async.sandbox.ethora.xmpp import presence as presences

if TYPE_CHECKING:
    from still_clock import Clock
    from xmpp_helpers import Machine

MUC_USER = "http://jabber.org/protocol/muc#user"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def refused(frames: list[str], condition: str, text: str = "") -> None:
    """One stanza error, with this condition and text."""
    (frame,) = frames
    assert 'type="error"' in frame
    assert f'<{condition} xmlns="{STANZAS}"/>' in frame
    assert text in frame


def groupchat(inside: str, id: str = "m1", to: str = f"{APP}_room@conference.{HOST}") -> str:
    return f'<message to="{to}" type="groupchat" id="{id}">{inside}</message>'


# -- entering


def test_who_enters_sees_the_others_then_themselves_then_the_subject(world: World) -> None:
    ada = world.log_in("ada", "web")
    assert len(ada.enter(world.room)) == 2
    bob = world.log_in("bob", "app")
    others, own, subject = bob.enter(world.room, "presenceInRoom-mx3-7")
    place = room(world.room)
    assert others == (
        f'<presence xmlns="jabber:client" from="{place}/{APP}_ada" to="{bob.jid}"><x xmlns="{MUC_USER}">'
        '<item affiliation="owner" role="moderator"/></x></presence>'
    )
    assert own == (
        f'<presence xmlns="jabber:client" id="presenceInRoom-mx3-7" from="{place}/{APP}_bob" to="{bob.jid}">'
        f'<x xmlns="{MUC_USER}"><item jid="{bob.jid}" affiliation="member" role="participant"/><status code="110"/></x>'
        "</presence>"
    )
    assert subject == (
        f'<message xmlns="jabber:client" type="groupchat" from="{place}" to="{bob.jid}"><subject/></message>'
    )
    assert ada.take() == [
        (
            f'<presence xmlns="jabber:client" id="presenceInRoom-mx3-7" from="{place}/{APP}_bob" to="{ada.jid}">'
            f'<x xmlns="{MUC_USER}"><item affiliation="member" role="participant"/></x></presence>'
        )
    ]


def test_every_session_sees_the_room_at_its_own_domain(world: World) -> None:
    ada = world.join("ada", world.room)
    bob = world.log_in("bob", host="127.0.0.1")
    bob(presence(f"{room(world.room, '127.0.0.1')}/{APP}_bob"))
    ada.take()
    assert f'by="{room(world.room, "127.0.0.1")}"' in bob(groupchat("<body>x</body>"))[0]
    (frame,) = ada.take()
    assert f'by="{room(world.room)}"' in frame
    assert "127.0.0.1" not in frame


@pytest.mark.parametrize(
    ("to", "condition", "text"),
    [
        ("{app}_room@conference.localhost/{app}_eve", "registration-required", "Membership is required"),
        ("{app}_room@conference.localhost/{app}_ada", "forbidden", "wrong nickname"),
        ("{app}_room@conference.localhost/Eve", "forbidden", "wrong nickname"),
        ("{app}_nothing@conference.localhost/{app}_eve", "item-not-found", ""),
        ("other_room@conference.localhost/{app}_eve", "forbidden", "wrong app name"),
        ("room@conference.localhost/{app}_eve", "forbidden", "wrong app name"),
        ("{app}_room@conference.localhost", "jid-malformed", ""),
        ("{app}_room@conference.localhost/", "jid-malformed", ""),
        ("@conference.localhost/{app}_eve", "jid-malformed", ""),
        ("a@b@conference.localhost/{app}_eve", "jid-malformed", ""),
        ("{app}_" + "x" * 2000 + "@conference.localhost/{app}_eve", "jid-malformed", ""),
    ],
)
def test_who_may_not_enter_is_told_why(world: World, to: str, condition: str, text: str) -> None:
    ada = world.join("ada", world.room)
    eve = world.log_in("eve")
    frames = eve(presence(to.format(app=APP), "p9"))
    refused(frames, condition, text)
    assert 'id="p9"' in frames[0]
    assert ada.take() == []


@pytest.mark.parametrize("to", ["null/undefined", HOST, f"{APP}_ada@{HOST}", f"conference.{HOST}"])
def test_a_presence_that_is_about_no_room_is_passed_over(world: World, to: str) -> None:
    assert world.log_in("eve")(presence(to)) == []


@pytest.mark.parametrize("kind", ["subscribe", "probe", "error", "nonsense"])
def test_a_presence_of_another_kind_is_passed_over(world: World, kind: str) -> None:
    assert world.log_in("eve")(presence(f"{room(world.room)}/{APP}_eve", type=kind)) == []


def test_anybody_of_the_app_enters_a_public_room_and_becomes_a_member(world: World) -> None:
    eve = world.log_in("eve")
    assert 'affiliation="member"' in eve.enter(world.hall)[0]
    assert world.users["eve"] in world.hall.members
    assert world.hall in world.users["eve"].chats


def test_the_users_other_sessions_hear_of_a_new_membership(world: World) -> None:
    elsewhere, eve = world.log_in("eve"), world.log_in("eve")
    eve.enter(world.hall)
    assert "<invite" in elsewhere.take()[0]


def test_a_front_end_that_does_not_know_the_host_may_enter(world: World) -> None:
    ada = world.log_in("ada")
    assert "110" in ada(presence(f"{APP}_room@conference./{APP}_ada"))[0]


def test_two_sessions_share_a_nick_and_the_room_sees_the_last_one_go(world: World) -> None:
    bob = world.join("bob", world.room)
    web, app = world.log_in("ada", "web"), world.log_in("ada", "app")
    web.enter(world.room)
    assert len(bob.take()) == 1
    app.enter(world.room)
    assert len(bob.take()) == len(web.take()) == 1
    assert len(app.say(world.room, "hi")) == len(web.take()) == len(bob.take()) == 1
    web(presence(f"{room(world.room)}/{APP}_ada", type="unavailable"))
    assert bob.take() == []
    app.stream.end()
    assert 'type="unavailable"' in bob.take()[0]


def test_who_enters_again_is_told_again_and_the_others_are_not(world: World) -> None:
    bob, ada = world.join("bob", world.room), world.join("ada", world.room)
    bob.take()
    assert len(ada.enter(world.room)) == 3
    assert bob.take() == []


def test_a_change_of_presence_reaches_the_room(world: World) -> None:
    bob, ada = world.join("bob", world.room), world.join("ada", world.room)
    bob.take()
    own = ada(presence(f"{room(world.room)}/{APP}_ada", inside="<show>away</show>"))
    assert "<show>away</show>" in own[0]
    assert "<show>away</show>" in bob.take()[0]


def test_leaving_is_confirmed_and_told(world: World) -> None:
    bob, ada = world.join("bob", world.room), world.join("ada", world.room)
    bob.take()
    (own,) = ada(presence(f"{room(world.room)}/{APP}_ada", "out", "", type="unavailable"))
    assert 'id="out"' in own
    assert '<status code="110"/>' in own
    assert 'role="none"' in own
    assert 'type="unavailable"' in bob.take()[0]
    assert ada(presence(f"{room(world.room)}/{APP}_ada", "out", "", type="unavailable")) == []
    refused(ada.say(world.room, "x"), "not-acceptable", "Only occupants are allowed to send messages to the conference")


def test_going_offline_leaves_every_room(world: World) -> None:
    ada = world.join("ada", world.room)
    ada.enter(world.hall)
    assert len(ada('<presence type="unavailable"/>')) == 2
    assert ada("<presence/>") == []


def test_joins_beyond_the_limit_are_refused_one_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presences, "MAX_ROOMS", 20)
    ada = world.log_in("ada")
    for number in range(30):
        chat = world.add_chat(f"room-{number}", "ada")
        ada.take()
        frames = ada.enter(chat)
        assert len(frames) == (2 if number < 20 else 1)
    refused(frames, "resource-constraint")
    assert len(ada.enter(world.sandbox.store.app(APP).chats.with_uuid("room-0") or world.room)) == 2
    for number in range(2_000):
        refused(ada(presence(f"{APP}_absent-{number}@conference.{HOST}/{APP}_ada")), "item-not-found")


def test_ten_thousand_joins_disturb_nobody_else(world: World) -> None:
    ada, bob, other = world.log_in("ada"), world.join("bob", world.room), world.join("ada", world.room, "other")
    for machine in (bob, other):
        machine.take()
    for number in range(10_000):
        frames = ada(presence(f"{APP}_absent-{number}@conference.{HOST}/{APP}_ada"))
        refused(frames, "item-not-found")
        if number % 1_000 == 0:
            bob.say(world.room, f"text {number}")
            (heard,) = other.take()
            assert f"text {number}" in heard
    assert ada.enter(world.room)[-1]


# -- talking


def test_a_message_goes_to_everyone_with_the_same_archive_id_and_is_kept(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.take()
    data = '<data xmlns="wss://example" senderFirstName="Ada" quickReplies="&quot;&amp;"/>'
    (own,) = ada(groupchat(f"{data}<body>Hello &lt;you&gt;</body>", "send-1"))
    place, stanza = room(world.room), world.room.messages[0].stanza
    assert own == (
        f'<message xmlns="jabber:client" type="groupchat" id="send-1" from="{place}/{APP}_ada" to="{ada.jid}">'
        f'<archived xmlns="urn:xmpp:mam:tmp" by="{place}" id="{stanza}"/>'
        f'<stanza-id xmlns="urn:xmpp:sid:0" by="{place}" id="{stanza}"/>'
        f"{data}<body>Hello &lt;you&gt;</body></message>"
    )
    assert len(str(stanza)) == 16
    assert bob.take() == [own.replace(ada.jid, bob.jid)]
    kept = world.room.messages[0]
    assert (kept.body, kept.sender, kept.id) == ("Hello <you>", world.users["ada"], "send-1")
    ada.say(world.room, "again")
    assert world.room.messages[1].stanza > stanza


def test_marks_that_a_client_makes_up_are_taken_off(world: World) -> None:
    ada = world.join("ada", world.room)
    spoofed = '<archived xmlns="urn:xmpp:mam:tmp" by="x" id="1"/><stanza-id xmlns="urn:xmpp:sid:0" by="x" id="1"/>'
    (frame,) = ada(groupchat(f"{spoofed}<body>x</body>"))
    assert 'id="1"' not in frame


@pytest.mark.parametrize(
    ("inside", "kept", "text"),
    [
        ("<body>x</body>", True, True),
        ("<body>x</body><paused xmlns='http://jabber.org/protocol/chatstates'/>", True, True),
        ("<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>+1</reaction></reactions>", True, False),
        ("<note/><store xmlns='urn:xmpp:hints'/>", True, False),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/><data fullName='Ada'/>", False, False),
        ("<body>x</body><no-store xmlns='urn:xmpp:hints'/>", False, False),
        ("<members-refresh xmlns='ethora:chats:members-refresh'/><no-store xmlns='urn:xmpp:hints'/>", False, False),
    ],
)
def test_what_is_kept(world: World, inside: str, kept: bool, text: bool) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.take()
    (own,) = ada(groupchat(inside))
    assert ("<archived" in own) == kept
    assert len(bob.take()) == 1
    assert len(world.room.conversation.archive) == kept
    assert len(world.room.messages) == text
    assert world.room.unread(world.users["bob"]) == text


def test_an_edit_rewrites_what_is_kept(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada(groupchat("<data fullName='Ada'/><body>old</body>"))
    bob.take()
    kept = world.room.messages[0]
    edit = f"<replace id='{kept.stanza}' text='new &amp; better'/>"
    ada(groupchat(edit, "edit-message-1"))
    (frame,) = bob.take()
    assert 'id="edit-message-1"' in frame
    assert f'by="{room(world.room)}"' in frame
    assert "<archived" not in frame
    assert kept.body == "new & better"
    assert "<body>new &amp; better</body>" in str(kept.inner)
    assert "<replaced timestamp=" in str(kept.inner)
    assert 'fullName="Ada"' in str(kept.inner)
    ada(groupchat(edit))
    assert str(kept.inner).count("<replaced") == 1
    assert len(world.room.messages) == 1


def test_a_deletion_leaves_its_mark(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.say(world.room, "oops")
    bob.take()
    kept = world.room.messages[0]
    ada(groupchat(f"<body>wow</body><delete id='{kept.stanza}'/>", "deleteMessageStanza"))
    (frame,) = bob.take()
    assert f'<delete id="{kept.stanza}"/>' in frame
    assert "<stanza-id" in frame
    assert kept.body == "deleted"
    assert "<deleted timestamp=" in str(kept.inner)
    assert len(world.room.messages) == 1


def test_what_is_deleted_stays_deleted(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.say(world.room, "oops")
    kept = world.room.messages[0]
    ada(groupchat(f"<delete id='{kept.stanza}'/>"))
    bob.take()
    for again in (f"<replace id='{kept.stanza}' text='back'/>", f"<delete id='{kept.stanza}'/>"):
        assert ada(groupchat(again)) == []
        assert bob.take() == []
    assert kept.body == "deleted"


def test_a_reaction_gets_no_text(world: World) -> None:
    ada = world.join("ada", world.room)
    ada(groupchat("<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>+1</reaction></reactions>"))
    (reaction,) = world.room.conversation.archive
    for change in ("<replace id='{}' text='x'/>", "<delete id='{}'/>"):
        ada(groupchat(change.format(reaction.stanza)))
    assert reaction.body == ""
    assert "<body>" not in str(reaction.inner)
    assert world.room.messages == []


@pytest.mark.parametrize("what", ["<delete id='{}'/>", "<replace id='{}' text='mine'/>"])
def test_another_ones_message_and_one_that_is_not_there_are_left_alone(world: World, what: str) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.say(world.room, "hers")
    bob.take()
    kept = world.room.messages[0]
    for id in (kept.stanza, 1, "", "²", "9" * 40, "x"):
        assert bob(groupchat(what.format(id))) == []
    assert kept.body == "hers"
    assert ada.take() == []


@pytest.mark.parametrize("seconds", [0, 60])
def test_who_may_not_read_any_more_hears_nothing_more(world: World, clock: Clock, seconds: float) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    set_access(world.sandbox.store, world.room, world.users["bob"], READ, clock(), 0)
    assert 'role="visitor"' in "".join(ada.take())
    bob.take()
    refused(bob.say(world.room, "may I?"), "forbidden")
    set_access(world.sandbox.store, world.room, world.users["bob"], WRITE, clock(), seconds)
    assert 'code="321"' in "".join(bob.take())
    ada.say(world.room, "he is gone")
    assert bob.take() == []
    refused(bob(presence(f"{room(world.room)}/{APP}_bob")), "forbidden")


def test_a_message_of_rest_can_be_deleted_by_who_wrote_it(world: World, clock: Clock) -> None:
    ada = world.join("ada", world.room)
    world.sandbox.store.post(world.room, "by REST", clock(), sender=world.users["ada"])
    kept = world.room.messages[0]
    ada(groupchat(f"<delete id='{kept.stanza}'/>"))
    assert kept.body == "deleted"
    assert "senderJID=" in str(kept.inner)


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        (f"<message to='{APP}_room@conference.{HOST}' id='1'><body>x</body></message>", "bad-request"),
        (
            f"<message to='{APP}_room@conference.{HOST}/{APP}_ada' type='chat'><body>x</body></message>",
            "service-unavailable",
        ),
        (f"<message to='{APP}_ada@{HOST}' type='chat'><body>x</body></message>", "service-unavailable"),
        (groupchat("<body>x</body>", to=f"{APP}_nothing@conference.{HOST}"), "item-not-found"),
        (groupchat("<body>x</body>", to=f"other_room@conference.{HOST}"), "forbidden"),
        (groupchat("<subject>mine</subject>"), "forbidden"),
    ],
)
def test_a_message_that_cannot_be_delivered_is_answered(world: World, frame: str, condition: str) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.take()
    refused(bob(frame), condition)
    assert ada.take() == []


@pytest.mark.parametrize("frame", ["<message/>", groupchat("<body/>").replace("groupchat", "error")])
def test_some_messages_need_no_answer(world: World, frame: str) -> None:
    assert world.join("ada", world.room)(frame) == []


def test_who_may_only_read_cannot_write(world: World, clock: Clock) -> None:
    ada = world.join("ada", world.room)
    set_access(world.sandbox.store, world.room, world.users["bob"], 0b0001, clock(), 0)
    bob = world.log_in("bob")
    assert 'role="visitor"' in bob.enter(world.room)[1]
    ada.take()
    refused(bob.say(world.room, "x"), "forbidden")
    assert ada.take() == []
    set_access(world.sandbox.store, world.room, world.users["eve"], 0b0010, clock(), 0)
    refused(world.log_in("eve").enter(world.room), "forbidden")


# -- what REST does


def test_who_is_taken_out_hears_it_and_is_out(world: World, clock: Clock) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.take()
    world.sandbox.store.leave(world.room, world.users["bob"], clock(), 0.0)
    assert bob.take() == [
        (
            f'<presence xmlns="jabber:client" type="unavailable" from="{room(world.room)}/{APP}_bob" to="{bob.jid}">'
            f'<x xmlns="{MUC_USER}"><item affiliation="none" role="none"/><status code="321"/><status code="110"/></x>'
            "</presence>"
        )
    ]
    (told,) = ada.take()
    assert 'type="unavailable"' in told
    assert "110" not in told
    refused(bob.say(world.room, "x"), "not-acceptable", "Only occupants")
    refused(bob.enter(world.room), "registration-required")
    assert len(ada.say(world.room, "on we go")) == 1
    assert bob.take() == []


def test_an_access_that_ends_by_the_clock_ends_in_the_room(world: World, clock: Clock) -> None:
    ada = world.join("ada", world.room)
    set_access(world.sandbox.store, world.room, world.users["eve"], 0b0011, clock(), 60)
    eve = world.join("eve", world.room)
    ada.take()
    clock.now += 60
    ada.say(world.room, "is eve still here?")
    assert ['code="321"' in frame for frame in eve.take()] == [True]


def test_who_is_added_is_invited_by_the_system_account(world: World) -> None:
    eve = world.log_in("eve", "web")
    world.sandbox.store.join(world.room, world.users["eve"])
    assert eve.take() == [
        (
            f'<message xmlns="jabber:client" from="{room(world.room)}" to="{APP}_eve@{HOST}"><x xmlns="{MUC_USER}">'
            f'<invite from="{APP}_{APP}@{HOST}"><reason/></invite></x></message>'
        )
    ]
    assert len(eve.enter(world.room)) == 2


def test_a_deleted_room_is_destroyed(world: World, clock: Clock) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada.take()
    world.sandbox.store.delete_chat(world.room, clock(), 60.0)
    for machine in (ada, bob):
        (frame,) = machine.take()
        assert 'type="unavailable"' in frame
        assert "<destroy/>" in frame
    refused(ada.say(world.room, "x"), "item-not-found")
    refused(ada.enter(world.room), "item-not-found")


def test_a_broadcast_arrives_with_what_the_front_ends_need(world: World, clock: Clock) -> None:
    bob = world.join("bob", world.room)
    store = world.sandbox.store
    store.post(world.room, "for all", clock())
    store.post(world.room, "from ada", clock(), sender=world.users["ada"])
    system, own = bob.take()
    assert f'from="{room(world.room)}/{APP}_{APP}"' in system
    assert 'isSystemMessage="true"' in system
    for frame, first in ((system, "App"), (own, "Ada")):
        assert f'senderFirstName="{first}"' in frame
        assert 'senderLastName=""' not in frame
        assert 'senderJID=""' not in frame
        assert "<archived" in frame


def test_a_file_arrives_as_one(world: World, clock: Clock) -> None:
    bob = world.join("bob", world.room)
    about: dict[str, Any] = {"location": "http://x/a.png", "mimetype": "image/png", "originalname": "a.png", "size": 3}
    world.sandbox.store.post(world.room, "media", clock(), sender=world.users["ada"], metadata=about)
    (frame,) = bob.take()
    assert 'id="media"' in frame
    for part in ('location="http://x/a.png"', 'mimetype="image/png"', 'originalName="a.png"', 'isMediafile="true"'):
        assert part in frame
    assert '<store xmlns="urn:xmpp:hints"/>' in frame


def test_what_a_room_or_a_profile_is_called_now_is_told(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    eve = world.join("eve", world.hall)
    ada.take()
    world.room.title = "<New>"
    world.sandbox.store.chat_changed(world.room)
    (frame,) = bob.take()
    assert 'type="headline"' in frame
    assert f'<chat-update xmlns="your:custom:ns" chatName="{APP}_room" title="&lt;New&gt;"' in frame
    world.users["bob"].first_name = "Robert"
    world.sandbox.store.user_changed(world.users["bob"])
    for machine in (ada, bob):
        assert 'firstName="Robert"' in machine.take()[-1]
    assert eve.take() == []


def test_the_oldest_messages_make_room(clock: Clock) -> None:
    world = World(EthoraSandbox(app_id=APP, secret="s", clock=clock, messages_per_chat=10), clock)
    ada = world.join("ada", world.room)
    for number in range(50):
        ada.say(world.room, str(number), f"m{number}")
        ada(groupchat("<reactions xmlns='urn:xmpp:reactions:0' id='1'/>"))
    assert len(world.room.conversation.archive) in (10, 11)
    assert [message.body for message in world.room.messages][-1] == "49"
    assert world.room.conversation.archive[0].stanza <= world.room.messages[0].stanza


def test_an_owner_invites_over_the_chat(world: World) -> None:
    ada, bob, eve = world.log_in("ada"), world.log_in("bob"), world.log_in("eve")
    invite = f"<x xmlns='{MUC_USER}'><invite to='{APP}_eve@{HOST}'/></x>"
    frame = groupchat(invite).replace('type="groupchat"', "")
    refused(bob(frame), "forbidden")
    assert ada(frame) == []
    assert "<invite" in eve.take()[0]
    assert world.users["eve"] in world.room.members
    refused(ada(frame.replace("_eve", "_nobody")), "item-not-found")


# -- history


def asked(inside: str = "", to: str = f"{APP}_room@conference.{HOST}", queryid: str = ' queryid="q"') -> str:
    return f'<iq type="set" to="{to}" id="h"><query xmlns="urn:xmpp:mam:2"{queryid}>{inside}</query></iq>'


def page(inside: str) -> str:
    return asked(f'<set xmlns="http://jabber.org/protocol/rsm">{inside}</set>')


def texts(machine: Machine, frame: str) -> tuple[list[int], str]:
    """The numbers of the messages on a page, and the last frame."""
    *found, fin = machine(frame)
    return [int(one.split("<body>")[1].split("<")[0]) for one in found], fin


@pytest.fixture
def talk(world: World, clock: Clock) -> Machine:
    """Bob, in a room in which 0 to 9 were said, one a second."""
    ada = world.join("ada", world.room)
    for number in range(10):
        ada.say(world.room, str(number), f"m{number}")
        clock.now += 1
    return world.log_in("bob")


def test_a_page_of_history_looks_like_this(talk: Machine, world: World) -> None:
    frame, fin = talk(page("<max>1</max><before/>"))
    place = room(world.room)
    assert seen(frame) == (
        f'<message xmlns="jabber:client" from="{place}" to="{talk.jid}"><result xmlns="urn:xmpp:mam:2" id="STANZA"'
        ' queryid="q"><forwarded xmlns="urn:xmpp:forward:0"><message xmlns="jabber:client" type="groupchat" id="m9"'
        f' from="{place}/{APP}_ada"><archived xmlns="urn:xmpp:mam:tmp" by="{place}" id="STANZA"/>'
        f'<stanza-id xmlns="urn:xmpp:sid:0" by="{place}" id="STANZA"/><body>9</body></message>'
        '<delay xmlns="urn:xmpp:delay" stamp="2023-11-14T22:13:29.000000Z"/></forwarded></result></message>'
    )
    assert seen(fin) == (
        f'<iq xmlns="jabber:client" type="result" id="h" to="{talk.jid}" from="{place}"><fin xmlns="urn:xmpp:mam:2"'
        ' complete="false"><set xmlns="http://jabber.org/protocol/rsm"><first>STANZA</first><last>STANZA</last>'
        "<count>10</count></set></fin></iq>"
    )
    assert "queryid" not in talk(asked(queryid=""))[0]


def test_history_is_turned_over_page_by_page_in_both_directions(talk: Machine, world: World) -> None:
    ids = [message.stanza for message in world.room.messages]
    assert texts(talk, page("<max>3</max><before/>"))[0] == [7, 8, 9]
    assert texts(talk, page(f"<max>3</max><before>{ids[7]}</before>"))[0] == [4, 5, 6]
    found, fin = texts(talk, page(f"<max>30</max><before>{ids[4]}</before>"))
    assert found == [0, 1, 2, 3]
    assert 'complete="true"' in fin
    assert texts(talk, page("<max>3</max>"))[0] == [0, 1, 2]
    found, fin = texts(talk, page(f"<max>30</max><after>{ids[6]}</after>"))
    assert found == [7, 8, 9]
    assert 'complete="true"' in fin
    assert texts(talk, asked())[0] == list(range(10))
    assert "<count>10</count>" in texts(talk, page("<max>0</max>"))[1]
    assert texts(talk, page(f"<max>5</max><before>{ids[3]}</before><after>{ids[0]}</after>"))[0] == [1, 2]
    for size in ("", "9" * 5000):  # none, and more digits than Python reads
        assert texts(talk, page(f"<max>{size}</max>"))[0] == list(range(10))


def form(**fields: str) -> str:
    inside = "".join(f"<field var='{name.strip('_')}'><value>{value}</value></field>" for name, value in fields.items())
    return asked(f"<x xmlns='jabber:x:data' type='submit'>{inside}</x>")


def test_history_is_chosen_by_time_and_author(talk: Machine, world: World) -> None:
    between = form(start="2023-11-14T22:13:23Z", end="2023-11-14T22:13:25Z")
    assert texts(talk, between)[0] == [3, 4, 5]
    assert texts(talk, form(with_=f"{APP}_ada@{HOST}"))[0] == list(range(10))
    assert texts(talk, form(with_=f"{APP.upper()}_ADA@{HOST}"))[0] == list(range(10))
    assert texts(talk, form(with_=f"{room(world.room)}/{APP}_bob"))[0] == []
    (answer,) = talk(asked().replace('type="set"', 'type="get"'))
    assert 'var="start"' in answer


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        (page("<max>many</max>"), "bad-request"),
        (page("<max>-1</max>"), "bad-request"),
        (page("<max>2</max><index>1</index>"), "feature-not-implemented"),
        (form(after_id="1"), "bad-request"),
        (form(start=""), "bad-request"),
        (form(with_="@@"), "jid-malformed"),
        (page("<before>x</before>"), "item-not-found"),
        (page("<after>²</after>"), "item-not-found"),
        (form(start="yesterday"), "bad-request"),
        (form(end="2026-13-01T00:00:00Z"), "bad-request"),
        (asked(to=f"other_room@conference.{HOST}"), "forbidden"),
        (asked(to=f"{APP}_none@conference.{HOST}"), "item-not-found"),
    ],
)
def test_a_question_about_history_that_makes_no_sense_is_refused(talk: Machine, frame: str, condition: str) -> None:
    refused(talk(frame), condition)


def test_who_is_out_cannot_read_what_was_said(talk: Machine, world: World, clock: Clock) -> None:
    refused(world.log_in("eve")(asked()), "forbidden")
    world.sandbox.store.leave(world.room, world.users["bob"], clock(), 60.0)
    talk.take()
    refused(talk(asked()), "forbidden")


def test_an_archive_of_ones_own_is_empty(talk: Machine) -> None:
    for to in ("", f"{APP}_bob@{HOST}"):
        (fin,) = talk(asked(to=to))
        assert '<fin xmlns="urn:xmpp:mam:2" complete="true">' in fin


def test_long_messages_make_short_pages(world: World) -> None:
    ada = world.join("ada", world.room)
    for number in range(20):
        ada(groupchat(f"<body>{number}</body><big>{'x' * 200_000}</big>"))
    ada.take()
    for frame, expected in ((page("<before/>"), [15, 16, 17, 18, 19]), (page("<max>50</max>"), [0, 1, 2, 3, 4])):
        found, fin = texts(ada, frame)
        assert found == expected
        assert 'complete="false"' in fin


def test_edits_and_reactions_are_in_the_history(world: World) -> None:
    ada = world.join("ada", world.room)
    ada.say(world.room, "1")
    stanza = world.room.messages[0].stanza
    ada(groupchat(f"<reactions xmlns='urn:xmpp:reactions:0' id='{stanza}'><reaction>+1</reaction></reactions>"))
    ada(groupchat(f"<replace id='{stanza}' text='2'/>"))
    first, second, _ = ada(asked())
    assert "<body>2</body>" in first
    assert "<replaced timestamp=" in first
    assert "<reaction>+1</reaction>" in second
