"""The same conversation on ejabberd and on the sandbox gives the same stanzas, for what both have."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol
from xml.etree import ElementTree

import attrs
import pytest
from ejabberd_server import HOST, Ejabberd, ejabberd
from still_clock import Clock
from xmpp_helpers import APP, BIND, CLOSE, OPEN, Client, World, plain, presence

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp

PLACE = f"{APP}_room@conference.{HOST}"
MAM = "urn:xmpp:mam:2"
Told = list[Any]
"""What somebody was told, without what must differ: ids that a server makes up, texts, the order of attributes."""


class Server(Protocol):
    """Where the conversation takes place."""

    url: str

    def password(self, name: str) -> str:
        """The password of a user."""
        ...

    async def revoke(self, name: str) -> None:
        """Remove a user from the room."""
        ...

    async def destroy(self) -> None:
        """Delete the room."""
        ...


@attrs.frozen
class OnEjabberd:
    server: Ejabberd
    url: str

    def password(self, name: str) -> str:
        return f"password of {name}"

    async def revoke(self, name: str) -> None:
        await self._affiliate(name, "none")

    async def _affiliate(self, name: str, affiliation: str) -> None:
        jid = f"{APP}_{name}@{HOST}"
        where = {"name": f"{APP}_room", "service": f"conference.{HOST}"}
        await self.server.call("set_room_affiliation", **where, jid=jid, affiliation=affiliation)

    async def destroy(self) -> None:
        await self.server.call("destroy_room", name=f"{APP}_room", service=f"conference.{HOST}")

    async def fill(self) -> None:
        for name in ("ada", "bob", "eve"):
            await self.server.call("register", user=f"{APP}_{name}", host=HOST, password=self.password(name))
        where = {"name": f"{APP}_room", "service": f"conference.{HOST}", "host": HOST}
        await self.server.call("create_room_with_opts", **where, options=[{"name": "title", "value": "Room"}])
        await self._affiliate("ada", "owner")
        await self._affiliate("bob", "member")


@attrs.frozen
class OnSandbox:
    world: World
    url: str

    def password(self, name: str) -> str:
        return self.world.password(name)

    async def revoke(self, name: str) -> None:
        self.world.sandbox.store.leave(self.world.room, self.world.users[name], self.world.clock(), 0.0)

    async def destroy(self) -> None:
        self.world.sandbox.store.delete_chat(self.world.room, self.world.clock(), 0.0)


class Talker:
    """One client of the conversation; it records what it receives."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.jid = ""

    async def told(self, frame: str, *ends: str) -> Told:
        """Send a frame; return everything up to a frame that contains all of these."""
        await self.client.send(frame)
        return await self.hears(*ends)

    async def hears(self, *ends: str) -> Told:
        found: Told = []
        while True:
            frame = await self.client.until("<")
            what = summary(frame)
            if what is None:
                continue
            found.append(what)
            if all(end in frame for end in ends):
                return found


def summary(frame: str) -> Any:
    """Return a frame's content. None for frames of ejabberd alone: a presence of the room itself, or without a room."""
    top = ElementTree.fromstring(frame)
    kind, given = _local(top.tag), top.attrib
    sender = given.get("from", "")
    if kind == "presence" and given.get("type") != "error" and not sender.startswith(f"{PLACE}/"):
        return None
    if kind == "iq" and given.get("type") == "get":
        return None  # a server that asks the client for its version
    if kind in ("open", "close", "features", "success", "failure"):
        return [kind, sorted(_local(one.tag) for one in top.iter() if _local(one.tag) != "text")]
    told: dict[str, Any] = {"kind": kind, "type": given.get("type", ""), "id": given.get("id", ""), "from": sender}
    own = sender.endswith(given.get("to", "").partition("@")[0])
    if (kind == "message" and not given.get("id", "").startswith("c-")) or (kind == "presence" and not own):
        told["id"] = ""  # ejabberd shows the ids of others' presences too
    error = top.find("{jabber:client}error")
    if error is not None:
        told["error"] = (error.get("type"), _local(error[0].tag))
    about = top.find("{http://jabber.org/protocol/muc#user}x")
    if about is not None and error is None:
        item = about.find("{http://jabber.org/protocol/muc#user}item")
        told["item"] = None if item is None else (item.get("affiliation"), item.get("role"))
        codes = {one.get("code") for one in about.iter("{http://jabber.org/protocol/muc#user}status")}
        told["destroyed"] = about.find("{http://jabber.org/protocol/muc#user}destroy") is not None
        told["codes"] = sorted(codes & {"110", "321"})
    body = top.find("{jabber:client}body")
    if body is not None and error is None:  # what is refused need not be sent back whole
        told["body"] = body.text
    if error is None:
        stamps = top.findall("{urn:xmpp:sid:0}stanza-id")
        told["marked by"] = [(one.get("by"), _shape(one.get("id"))) for one in stamps]
        told["subject"] = top.find("{jabber:client}subject") is not None
    return told | _history(top)


def _history(top: ElementTree.Element) -> dict[str, Any]:
    result, fin = top.find(f"{{{MAM}}}result"), top.find(f"{{{MAM}}}fin")
    if result is not None:
        inner = result.find("{urn:xmpp:forward:0}forwarded/{jabber:client}message")
        assert inner is not None
        return {
            "history": (inner.get("from"), inner.get("type"), inner.get("id"), inner.findtext("{jabber:client}body")),
            "first": _local(top[0].tag),
            "queryid": result.get("queryid"),
            "archived as": _shape(result.get("id")),
            "delayed": result.find("{urn:xmpp:forward:0}forwarded/{urn:xmpp:delay}delay") is not None,
        }
    if fin is not None:
        count = fin.findtext("{http://jabber.org/protocol/rsm}set/{http://jabber.org/protocol/rsm}count")
        return {"complete": fin.get("complete", "false"), "count": count}
    return {}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _shape(id: str | None) -> str:
    return re.sub(r"\d", "9", id or "")


async def log_in(http: aiohttp.ClientSession, server: Server, name: str, said: Told, resource: str) -> Talker:
    client = Client(await http.ws_connect(server.url, protocols=("xmpp",)))
    talker = Talker(client)
    said.append(await talker.told(OPEN, "features"))
    said.append(await talker.told(plain(f"{APP}_{name}", "wrong"), "<failure"))
    said.append(await talker.told(plain(f"{APP}_{name}", server.password(name)), "<success"))
    await client.send(OPEN)
    await client.until("features")  # ejabberd offers more than is asked for here
    await client.send(BIND.format(f"<resource>{resource}</resource>"))
    bound = await client.until("<jid>")
    found = re.search("<jid>(.*)</jid>", bound)
    assert found is not None
    talker.jid = found[1]
    said.append(talker.jid)
    await client.send("<presence/>")
    return talker


def groupchat(text: str, id: str) -> str:
    return f'<message to="{PLACE}" type="groupchat" id="{id}"><body>{text}</body><data x="1"/></message>'


def history(inside: str, id: str) -> str:
    rsm = f'<set xmlns="http://jabber.org/protocol/rsm">{inside}</set>'
    return f'<iq type="set" to="{PLACE}" id="{id}"><query xmlns="{MAM}" queryid="q-{id}">{rsm}</query></iq>'


def chosen(name: str, value: str, id: str) -> str:
    form = (
        f'<field var="FORM_TYPE" type="hidden"><value>{MAM}</value></field>'
        f'<field var="{name}"><value>{value}</value></field>'
    )
    query = f'<query xmlns="{MAM}"><x xmlns="jabber:x:data" type="submit">{form}</x></query>'
    return f'<iq type="set" to="{PLACE}" id="{id}">{query}</iq>'


async def conversation(http: aiohttp.ClientSession, server: Server) -> dict[str, Told]:
    """Log in, enter, send messages, read the archive, be refused, be removed, leave."""
    said: dict[str, Told] = {}
    ada = await log_in(http, server, "ada", said.setdefault("ada logs in", []), "web")
    bob = await log_in(http, server, "bob", said.setdefault("bob logs in", []), "app")
    eve = await log_in(http, server, "eve", said.setdefault("eve logs in", []), "x")
    said["ada enters"] = await ada.told(presence(f"{PLACE}/{APP}_ada", "c-1"), "<subject")
    said["no nick"] = await bob.told(presence(PLACE, "c-4"), "error")
    said["bob enters"] = await bob.told(presence(f"{PLACE}/{APP}_bob", "c-2"), "<subject")
    said["ada sees bob"] = await ada.hears("_bob")
    said["eve is refused"] = await eve.told(presence(f"{PLACE}/{APP}_eve", "c-3"), "error")
    said["eve speaks"] = await eve.told(groupchat("let me in", "c-5"), "error")
    said["eve reads"] = await eve.told(history("<before/>", "c-6"), "error")
    for number in range(5):
        said[f"ada says {number}"] = await ada.told(groupchat(str(number), f"c-m{number}"), f"<body>{number}")
        said[f"bob hears {number}"] = await bob.hears(f"<body>{number}")
    typing = f'<message to="{PLACE}" type="groupchat" id="c-7"><composing xmlns="http://jabber.org/protocol/chatstates"/></message>'
    said["ada types"] = await ada.told(typing, "composing")
    said["bob sees it"] = await bob.hears("composing")
    said["the end"] = await bob.told(history("<max>2</max><before/>", "c-8"), "<fin")
    said["the beginning"] = await bob.told(history("<max>3</max>", "c-9"), "<fin")
    said["all"] = await bob.told(history("<max>30</max><before/>", "c-10"), "<fin")
    said["a subject"] = await bob.told(
        f'<message to="{PLACE}" type="groupchat" id="c-11"><subject>mine</subject></message>', "error"
    )
    said["a ping"] = await bob.told(f'<iq type="get" to="{HOST}" id="c-12"><ping xmlns="urn:xmpp:ping"/></iq>', "c-12")
    said["unknown"] = await bob.told(f'<iq type="get" to="{HOST}" id="c-13"><x xmlns="urn:unknown"/></iq>', "c-13")
    for number, (who, to) in enumerate(
        ((bob, f"{PLACE}/{APP}_bob"), (bob, f"{PLACE}/{APP}_eve"), (eve, f"{PLACE}/{APP}_eve"), (bob, PLACE),
         (bob, f"conference.{HOST}"), (bob, f"{APP}_ada@{HOST}"), (bob, f"{APP}_none@conference.{HOST}/{APP}_bob"))
    ):  # fmt: skip
        said[f"a ping of {to}"] = await who.told(
            f'<iq type="get" to="{to}" id="c-p{number}"><ping xmlns="urn:xmpp:ping"/></iq>', f"c-p{number}"
        )
    for number, inside in enumerate(("<max>0</max>", "<max>-1</max>", "<max/>", "<max>2</max><index>1</index>")):
        said[f"a page of {inside}"] = await bob.told(history(inside, f"c-r{number}"), f"c-r{number}")
    for number, (name, value) in enumerate((("start", ""), ("end", "soon"), ("other", "x"))):
        said[f"{name} of {value}"] = await bob.told(chosen(name, value, f"c-f{number}"), f"c-f{number}")
    storage = '<query xmlns="jabber:iq:private"><a xmlns="urn:a"/></query>'
    said["another's storage"] = await bob.told(f'<iq type="get" to="{APP}_ada@{HOST}" id="c-s">{storage}</iq>', "c-s")
    second = await log_in(http, server, "ada", [], "second")
    said["ada enters once more"] = await second.told(presence(f"{PLACE}/{APP}_ada", "c-20"), "<subject")
    gone = presence(f"{PLACE}/{APP}_ada", "c-22", "", type="unavailable")
    said["ada leaves once"] = await second.told(gone, "unavailable")
    said["what ada saw of it"] = await ada.told(groupchat("5", "c-m5"), "<body>5")
    said["what bob saw of it"] = await bob.hears("<body>5")
    said["bob is taken out"] = await _while(server.revoke("bob"), bob, "unavailable")
    said["ada sees it"] = await ada.hears("unavailable")
    said["bob speaks"] = await bob.told(groupchat("still?", "c-14"), "error")
    said["bob comes back"] = await bob.told(presence(f"{PLACE}/{APP}_bob", "c-15"), "error")
    said["bob reads"] = await bob.told(history("<before/>", "c-16"), "error")
    said["ada leaves"] = await ada.told(presence(f"{PLACE}/{APP}_ada", "c-17", "", type="unavailable"), "unavailable")
    said["ada comes back"] = await ada.told(presence(f"{PLACE}/{APP}_ada", "c-18"), "<subject")
    said["ada goes on"] = await ada.told(presence(f"{PLACE}/{APP}_ada", "c-19", "<show>away</show>"), "<show")
    said["the room is gone"] = await _while(server.destroy(), ada, "<destroy")
    # Of a room that is gone, ejabberd also says that one has left it.
    said["nobody speaks there"] = (await ada.told(groupchat("hello?", "c-21"), "error"))[-1:]
    again = await log_in(http, server, "ada", [], "web")
    said["ada is replaced"] = [await ada.client.until("conflict") != ""]
    await again.client.send(CLOSE)
    said["closed"] = [summary(await again.client.until("<close"))]
    for talker in (ada, bob, eve, again, second):
        await talker.client.socket.close()
    return said


async def _while(action: Any, talker: Talker, end: str) -> Told:
    told, _ = await asyncio.gather(talker.hears(end), action)
    return list(told)


@asynccontextmanager
async def real_one(directory: Path) -> AsyncIterator[OnEjabberd]:
    async with ejabberd(directory) as server:
        place = OnEjabberd(server, server.websocket)
        await place.fill()
        yield place


@pytest.mark.slow
async def test_ejabberd_and_the_sandbox_say_the_same(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    clock = Clock()
    async with real_one(tmp_path) as real, EthoraSandbox(app_id=APP, secret="s", clock=clock) as sandbox:
        world = World(sandbox, clock)
        theirs = await conversation(http, real)
        ours = await conversation(http, OnSandbox(world, f"{sandbox.url.replace('http', 'ws', 1)}/ws"))
    assert ours.keys() == theirs.keys()
    differs = [
        f"{step}:\n  ours   {ours[step]}\n  theirs {theirs[step]}" for step in ours if ours[step] != theirs[step]
    ]
    assert not differs, "\n".join(differs)
