"""Two generations of @xmpp/client, from npm, on the sandbox."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from npm_packages import CACHE, installed, need_npm, npm_install, run
from xmpp_helpers import APP, HOST, room

if TYPE_CHECKING:
    from xmpp_helpers import World

SCRIPT = Path(__file__).with_name("client.mjs")


async def install(directory: Path, version: str) -> None:
    await npm_install(directory, '{"private": true}', f"@xmpp/client@{version}", "ws@8")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0.13.6", "0.14.0"])
async def test_a_client_of_others_talks(listening: World, version: str) -> None:
    need_npm()
    modules = await installed(CACHE / f"xmpp-client-{version}-1", partial(install, version=version))
    url = f"{listening.sandbox.url.replace('http', 'ws', 1)}/ws"
    members = [word for name in ("ada", "eve") for word in (f"{APP}_{name}", listening.password(name))]
    arguments = [url, HOST, room(listening.room), *members]
    code, out, err = await run("node", str(SCRIPT), *arguments, MODULES=str(modules))
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert told == {
        "wrong": "not-authorized",
        "jid": f"{APP}_ada@{HOST}/node",
        "entered": ["110"],
        "said": "Hello <there> & you",
        "archived": True,
        "refused": "registration-required",
        "unheard": "not-acceptable",
        "unread": "forbidden",
        "history": ["Hello <there> & you"],
        "complete": "true",
        "ping": None,
    }
    assert [message.body for message in listening.room.messages] == ["Hello <there> & you"]
