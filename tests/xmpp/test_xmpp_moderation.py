"""Bans in rooms, and the list of users whom a user has blocked."""

from __future__ import annotations

import re

import pytest
from test_xmpp_queries import children, iq, refused
from xmpp_helpers import APP, HOST, Machine, World, room

BAN, BLOCK, UNBLOCK, BLOCKLIST = (f"ns:deepx:muc:user:{name}" for name in ("ban", "block", "unblock", "blocklist"))


def jid(name: str) -> str:
    return f"{APP}_{name}@{HOST}"


def ban(world: World, action: str = "ban", name: str = "bob", **more: str) -> str:
    given = {"action": action, "user": jid(name), "type": "room", "room": room(world.room), "comment": "Rude", **more}
    attributes = "".join(f' {key}="{value}"' for key, value in given.items())
    return iq(f'<query xmlns="{BAN}"{attributes}/>', "set")


def block(kind: str, name: str) -> str:
    return iq(f'<query xmlns="{kind}" user="{jid(name)}"/>', "set")


def listed(machine: Machine) -> list[tuple[str, ...]]:
    inside = children(machine(iq(f'<query xmlns="{BLOCKLIST}"/>')))
    return re.findall('<item user="(.*?)" fullname="(.*?)" date="(.*?)"/>', inside)


def test_a_banned_member_reads_and_may_not_write(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    assert children(ada(ban(world, time="300"))) == ""
    (bounced,) = bob.say(world.room, "let me")
    assert '<error type="cancel"><forbidden xmlns' in bounced
    assert ">You are banned in this room!<" in bounced
    assert 'id="m1"' in bounced
    for quiet in ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", "<replace id='1' text='x'/>"):
        (bounced,) = bob(f'<message to="{room(world.room)}" type="groupchat" id="m2">{quiet}</message>')
        assert "forbidden" in bounced
    assert ada.take() == []
    assert not world.room.messages
    ada.say(world.room, "hello")
    assert any("hello" in frame for frame in bob.take())  # he still reads
    last = children(ada(iq(f'<query xmlns="ns:room:last" room="{room(world.room)}"/>')))
    assert re.findall(r'jid="(\w+)@[^>]*ban_status="(\w+)"', last) == [(f"{APP}_ada", "clear"), (f"{APP}_bob", "ban")]
    (item,) = re.findall("<item [^>]*>", children(ada(ban(world, "get_list"))))
    assert f'user="{jid("bob")}" fullname="Bob Byron" time="1700000300" comment="Rude"' in item


@pytest.mark.parametrize("ended", ["unban", "time", "no time"])
def test_a_ban_ends(world: World, ended: str) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    ada(ban(world) if ended == "no time" else ban(world, time="300"))
    if ended == "unban":
        assert children(ada(ban(world, "unban"))) == ""
        refused(ada(ban(world, "unban")), "item-not-found")
    else:
        world.clock.now += 300
    sent = bob.say(world.room, "again")
    assert any("<body>again</body>" in frame for frame in sent) is (ended != "no time")
    assert ('type="error"' in sent[0]) is (ended == "no time")


@pytest.mark.parametrize(
    ("who", "given", "condition"),
    [
        ("bob", {"name": "ada"}, "forbidden"),  # a member bans nobody
        ("eve", {}, "forbidden"),
        ("ada", {"name": "ada"}, "not-allowed"),
        ("ada", {"name": "nobody"}, "item-not-found"),
        ("ada", {"user": ""}, "item-not-found"),
        ("ada", {"action": "kick"}, "bad-request"),
        ("ada", {"type": "everywhere"}, "bad-request"),
        ("ada", {"type": "all"}, "forbidden"),
        ("ada", {"room": f"{APP}_nowhere@conference.{HOST}"}, "item-not-found"),
        ("ada", {"room": f"other_room@conference.{HOST}"}, "forbidden"),
        *(("ada", {"time": time}, "bad-request") for time in ("soon", "-1", "1.5", "9" * 5000, "\u0663")),
    ],
)
def test_a_ban_that_may_not_be(world: World, who: str, given: dict[str, str], condition: str) -> None:
    machine = world.log_in(who)
    refused(machine(ban(world, **given)), condition)  # type: ignore[arg-type]
    bob = world.join("bob", world.room)
    assert "error" not in bob.say(world.room, "free")[0]


def test_who_is_blocked_is_kept_for_each_user(world: World) -> None:
    ada, bob = world.join("ada", world.room), world.join("bob", world.room)
    for name in ("bob", "eve", "bob"):
        assert children(ada(block(BLOCK, name))) == ""
        world.clock.now += 1
    assert listed(ada) == [
        (jid("bob"), "Bob Byron", "1700000000"),
        (jid("eve"), "Eve Byron", "1700000001"),
    ]
    assert listed(bob) == []
    bob.say(world.room, "hello")
    assert any("hello" in frame for frame in ada.take())  # blocking is the front end's filter
    assert children(ada(block(UNBLOCK, "bob"))) == children(ada(block(UNBLOCK, "bob"))) == ""
    assert [row[0] for row in listed(ada)] == [jid("eve")]
    refused(ada(block(BLOCK, "nobody")), "item-not-found")
    refused(ada(block(BLOCK, "ada")), "not-allowed")
    world.sandbox.store.delete_user(world.users["eve"])
    assert listed(ada) == []
