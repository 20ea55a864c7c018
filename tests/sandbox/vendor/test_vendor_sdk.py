"""The vendor's own Node SDK, unmodified from the registry, against the sandbox."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import pytest_asyncio
from npm_packages import CACHE, installed, need_npm, npm_install, run
from sandbox_helpers import APP, SECRET

from ethora_async import EthoraClient
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PACKAGE = "@ethora/sdk-backend@26.8.1"
SCRIPT = Path(__file__).with_name("every_method.cjs")
CHILD = "0123456789abcdef01234567"
PRIVATE = {
    *("getHeaders", "createScopedChatName", "createScopedMembers", "buildQueryString", "makeRequest"),
}


async def _npm_install(directory: Path) -> None:
    await npm_install(directory, '{"private": true}', PACKAGE)


@attrs.frozen
class Vendor:
    """Return the results of the SDK's methods, and the sandbox after them."""

    methods: set[str]
    replies: dict[str, list[Any]]
    sandbox: EthoraSandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendor() -> AsyncIterator[Vendor]:
    need_npm()
    package = await installed(CACHE / "sdk-backend-26.8.1", _npm_install)
    async with EthoraSandbox(app_id=APP, secret=SECRET) as sandbox:
        sandbox.add_app("child", app_id=CHILD, parent=APP)
        quiet = {"NODE_ENV": "production", "NO_PROXY": "*"}
        code, out, err = await run("node", str(SCRIPT), str(package), CHILD, **sandbox.environment, **quiet)
        assert code == 0, err[-2000:]
        result = json.loads(out.rpartition("\n")[2])
        yield Vendor(set(result["methods"]) - PRIVATE, result["replies"], sandbox)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_of_two_first_runs_at_once_one_installs_and_both_succeed(tmp_path: Path) -> None:
    together = asyncio.Barrier(2)

    async def install(directory: Path) -> None:
        (directory / "node_modules").mkdir()
        await together.wait()

    cache = tmp_path / "tests" / "sdk"
    assert await asyncio.gather(installed(cache, install), installed(cache, install)) == [cache, cache]
    assert [path.name for path in cache.iterdir()] == ["node_modules"]
    assert list(cache.parent.iterdir()) == [cache]
    assert cache.parent.stat().st_mode & 0o777 == 0o700


async def test_an_install_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    async def install(directory: Path) -> None:
        raise OSError

    with pytest.raises(OSError):
        await installed(tmp_path / "tests" / "sdk", install)
    assert list((tmp_path / "tests").iterdir()) == []


async def test_every_public_method_was_called_and_succeeded(vendor: Vendor) -> None:
    assert vendor.methods == set(vendor.replies)
    assert len(vendor.methods) == 36


async def test_the_users_and_chats_of_the_own_app_are_as_told(vendor: Vendor) -> None:
    app = vendor.sandbox.store.app(APP)
    assert [user.uuid for user in app.users if not user.platform_owned] == ["ada", "bob"]
    ada = app.users.find("ada")
    assert ada is not None
    assert (ada.first_name, ada.last_name, ada.email) == ("Augusta", "Lovelace", "ada@example.com")
    assert [chat.uuid for chat in app.chats] == ["room"]
    room = app.chats.find("room")
    assert room is not None
    assert (room.title, room.description, room.type) == ("A better room", "for all", "group")
    assert list(room.members) == [ada]


async def test_the_users_and_chats_of_the_child_app_are_as_told(vendor: Vendor) -> None:
    app = vendor.sandbox.store.app(CHILD)
    assert [user.uuid for user in app.users if not user.platform_owned] == ["carl"]
    (room,) = app.chats
    assert (room.uuid, room.title, [user.uuid for user in room.members]) == ("room", "Grown up", ["carl"])
    assert [message.body for message in room.messages] == ["hello"]


async def test_jobs_end_and_tell_their_rows(vendor: Vendor) -> None:
    first, second = vendor.replies["getUsersBatchJob"]
    assert (first["state"], second["state"]) == ("pending", "completed")
    assert [row["status"] for row in second["result"]["results"]] == ["created", "created"]
    sent = vendor.replies["getAppBroadcastJob"][1]
    assert [row["status"] for row in sent["result"]["results"]] == ["sent"]


async def test_apps_are_made_and_archived(vendor: Vendor) -> None:
    store = vendor.sandbox.store
    made = store.app_of_domain("madebynode")
    assert made is not None
    assert (made.display_name, made.parent, made.settings) == ("Made by Node", store.app(APP), {"bundleId": "x.y"})
    assert [room.chat.title for room in made.rooms] == ["Lobby", "Help"]
    assert made.bot is not None
    assert (made.bot["status"], made.bot["prompt"]) == ("on", "Be kind.")
    assert [app.display_name for app in store.apps if app.archived] == ["Doomed"]
    (listed,) = vendor.replies["listApps"]
    assert [app["displayName"] for app in listed["apps"]] == ["Made by Node", "Child", "App"]


async def test_app_tokens_are_shown_once_and_kept_as_hashes(vendor: Vendor) -> None:
    app = vendor.sandbox.store.app_of_domain("madebynode")
    assert app is not None
    assert [(token.label, token.active) for token in app.tokens.values()] == [
        ("ci", False),
        ("ci 2", False),
        ("", True),
    ]
    (listed,) = vendor.replies["listAppTokens"]
    assert all("token" not in row for row in listed["tokens"])
    values = [reply["token"] for name in ("createAppToken", "rotateAppToken") for reply in vendor.replies[name]]
    assert len(set(values)) == 3
    assert not any(value in repr(vars(vendor.sandbox._platform.credentials)) for value in values)


@pytest.mark.filterwarnings("ignore::ethora_async.platforms.ethora.app_secret.WeakSecretWarning")
async def test_our_client_reads_the_state_that_it_left(vendor: Vendor) -> None:
    async with EthoraClient(app_id=APP, secret=SECRET, api_url=vendor.sandbox.url) as ours:
        names = {user.id: user.first_name async for user in ours.users.list() if "owner-" not in user.id}
        assert names == {"ada": "Augusta", "bob": "Bob"}
        room = await ours.chats.get("room")
        assert (room.title, room.description, room.access) == ("A better room", "for all", "private")
        assert [user.id async for user in ours.chats.members("room")] == ["ada"]
        assert [chat.id async for chat in ours.users.chats("ada")] == ["room"]
        (token,) = vendor.replies["createChatUserJwtToken"]
        assert (await ours.sessions.exchange(token)).user.id == "ada"

        child = ours.in_app(CHILD)
        assert [(chat.id, chat.title) async for chat in child.chats.list()] == [("room", "Grown up")]
        assert [user.id async for user in child.chats.members("room")] == ["carl"]
        assert (await child.users.get("carl")).last_name == "Gauss"
        (job,) = {reply["jobId"] for reply in vendor.replies["broadcastToAppChats"]}
        assert str(await child.broadcasts.job(job)) == "1 created"

        assert [message.body async for message in child.chats.messages("room")] == ["hello"]

        made = [app async for app in ours.apps.list() if app.display_name == "Made by Node"]
        assert [chat.title async for chat in ours.in_app(made[0].id).chats.list()] == ["Lobby", "Help"]
        everything = {app.display_name: app.archived async for app in ours.apps.list(include_archived=True)}
        assert everything == {"App": False, "Child": False, "Made by Node": False, "Doomed": True}
        assert [token.label async for token in ours.apps.tokens(made[0].id).list()] == ["ci", "ci 2", ""]
        assert (await ours.apps.bot(made[0].id).get()).prompt == "Be kind."
