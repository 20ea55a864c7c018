"""A user's life cycle against the sandbox: sign up, log in, chat, send files, expire, renew, log out."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, SECRET

from ethora_async import (
    Attachment,
    ConflictError,
    EthoraClient,
    ForbiddenError,
    InvalidInputError,
    MfaRequiredError,
    NewUser,
    NotFoundError,
    ServerFaultError,
    Session,
    UnauthorizedError,
    User,
    ValidationFailedError,
)
from ethora_async.engine.events import TokenRefreshed
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ethora_async.platforms.ethora.sessions.user_client import UserClient
    from ethora_async.testing.users import FakeClock

PASSWORD = "a-password-1"


@pytest.fixture
async def sandbox(clock: FakeClock) -> AsyncIterator[EthoraSandbox]:
    strict: dict[str, Any] = {"refresh_grace": 0.0, "refresh_reuse": "reject"}
    async with EthoraSandbox(app_id=APP, secret=SECRET, clock=clock.now, **strict) as sandbox:
        yield sandbox


@pytest.fixture
def events() -> list[object]:
    return []


@pytest.fixture
async def ethora(sandbox: EthoraSandbox, clock: FakeClock, events: list[object]) -> AsyncIterator[EthoraClient]:
    client = EthoraClient(app_id=APP, secret=SECRET, api_url=sandbox.url, clock=clock, on_event=events.append)
    async with client:
        people = [
            NewUser(id=f"u{n}", email=f"u{n}@example.com", first_name="Ann", last_name="Lee", password=PASSWORD)
            for n in range(1, 4)
        ]
        (await client.users.create_many(people)).raise_for_failures()
        await client.chats.create("c1", title="One", members=["u1", "u2"])
        await client.chats.create("open", title="Open", access="public")
        yield client


async def log_in(ethora: EthoraClient, name: str = "u1", **options: Any) -> UserClient:
    return ethora.as_user(await ethora.sessions.login(f"{name}@example.com", PASSWORD), **options)


def calls(sandbox: EthoraSandbox) -> Counter[str]:
    return Counter(f"{request.method} {request.path.partition('?')[0]}" for request in sandbox.requests)


async def test_from_sign_up_to_log_out(ethora: EthoraClient) -> None:
    made = await ethora.sessions.sign_up("new@example.com", "Newton", last_name="Lee", password=PASSWORD)
    assert made.status == "created"
    with pytest.raises(ConflictError):
        await ethora.sessions.sign_up("new@example.com", "Newton", last_name="Lee", password=PASSWORD)
    session = await ethora.sessions.login("new@example.com", PASSWORD)
    assert (session.app_id, session.user.email) == (APP, "new@example.com")
    user = ethora.as_user(session)
    assert (await user.me()).first_name == "Newton"
    changed = await user.update_profile(first_name="Isaac", description="likes apples")
    assert (changed.first_name, changed.extra["description"]) == ("Isaac", "likes apples")
    assert (await user.update_profile(description="")).extra["description"] == ""
    assert (await user.me()).first_name == "Isaac"
    assert (await user.xmpp_credentials()).username == session.user.xmpp_username
    assert (await user.logout()).status == "deleted"
    with pytest.raises(UnauthorizedError):
        await user.me()
    assert (await ethora.sessions.logout(session)).status == "absent"


async def test_without_a_password_one_is_mailed(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    await ethora.sessions.sign_up("mailed@example.com", "Mary", last_name="Lee")
    (mail,) = sandbox.outbox
    assert (await ethora.sessions.login(mail.to, mail.value)).user.email == "mailed@example.com"


async def test_a_wrong_password_is_told_apart_from_a_wrong_token(ethora: EthoraClient) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        await ethora.sessions.login("u1@example.com", "wrong-password")
    assert (caught.value.code, caught.value.status) == ("AUTH_FAILED", 401)
    assert caught.value.request_id
    with pytest.raises(NotFoundError) as missing:
        await ethora.sessions.login("u1@example.com", PASSWORD, app_id="f" * 24)
    assert missing.value.code == "APP_NOT_FOUND"


async def test_a_second_factor(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    user = sandbox.store.app(APP).users.find("u1")
    assert user is not None
    user.require_code("246810")
    with pytest.raises(MfaRequiredError) as caught:
        await ethora.sessions.login("u1@example.com", PASSWORD)
    with pytest.raises(UnauthorizedError):
        await caught.value.complete("000000")
    assert (await caught.value.complete("246810")).user.id == "u1"
    with pytest.raises(UnauthorizedError):
        await caught.value.complete("246810")


async def test_a_session_outlives_its_tokens(ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock) -> None:
    kept: list[Session] = []
    user = await log_in(ethora, on_renewed=kept.append)
    for _ in range(3):
        clock.advance(16 * 60)
        pages = await asyncio.gather(*(user.chats.list()._page(0) for _ in range(20)))
        assert all(len(page.items) == 1 for page in pages)
    assert calls(sandbox)["POST /v2/users/login/refresh"] == len(kept) == 3
    assert user.session is kept[-1]
    clock.advance(8 * 24 * 3600)
    with pytest.raises(UnauthorizedError) as caught:
        await user.chats.list()
    assert caught.value.code == "REFRESH_RECORD_NOT_FOUND"


async def test_a_session_near_its_end_is_renewed_in_the_background(
    ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock, events: list[object]
) -> None:
    renewed = asyncio.Event()
    user = await log_in(ethora, on_renewed=lambda _: renewed.set())
    clock.advance(15 * 60 - 10)
    await user.chats.list()
    await renewed.wait()
    await user.chats.list()
    assert [event.purpose for event in events if isinstance(event, TokenRefreshed)].count("session") == 1
    assert {request.status for request in sandbox.requests} <= {200, 201, 202}


async def test_a_refresh_survives_an_outage(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    session = await ethora.sessions.login("u1@example.com", PASSWORD)
    sandbox.faults.fail("POST /v2/users/login/refresh", status=503, times=2)
    renewed = await ethora.sessions.refresh(session)
    assert renewed.refresh_token != session.refresh_token
    assert (await ethora.sessions.me(renewed)).user.id == "u1"


async def test_a_refresh_whose_reply_was_lost_may_have_used_the_session_up(
    ethora: EthoraClient, sandbox: EthoraSandbox
) -> None:
    session = await ethora.sessions.login("u1@example.com", PASSWORD)
    sandbox.faults.fail("POST /v2/users/login/refresh", cut="after", times=1)
    with pytest.raises(UnauthorizedError) as caught:
        await ethora.sessions.refresh(session)
    assert (caught.value.code, caught.value.effect) == ("REFRESH_RECORD_NOT_FOUND", "unknown")


async def test_other_sessions_end_and_this_one_goes_on(ethora: EthoraClient) -> None:
    first, second = await log_in(ethora), await log_in(ethora)
    assert (await first.logout("others")).status == "deleted"
    assert (await first.me()).id == "u1"
    with pytest.raises(UnauthorizedError):
        await second.me()
    third = await log_in(ethora)
    await third.logout("all")
    with pytest.raises(UnauthorizedError):
        await first.me()


async def test_a_session_that_was_exchanged_acts_too(ethora: EthoraClient) -> None:
    user = ethora.as_user(await ethora.sessions.exchange(await ethora.tokens.for_user("u2")))
    assert [chat.id async for chat in user.chats.list()] == ["c1"]
    assert (await user.chats.get("c1")).member_count is not None


async def test_two_users_share_one_private_chat(ethora: EthoraClient) -> None:
    first, second = await log_in(ethora, "u1"), await log_in(ethora, "u2")
    made, found = await first.chats.private("u2"), await second.chats.private("u1")
    assert made.name == found.name
    assert made.name in first.chats.private_names("u2")
    assert set(first.chats.private_names("u2")) == set(second.chats.private_names("u1"))
    assert made.type == "private"
    assert made.name in [chat.name async for chat in first.chats.list()]
    with pytest.raises(NotFoundError):
        await first.chats.private("nobody")


async def test_mutes_reports_and_public_chats(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    user = await log_in(ethora)
    await user.chats.mute("c1")
    assert (await user.chats.get("c1")).extra["muted"] is True
    await user.chats.unmute("c1")
    assert (await user.chats.get("c1")).extra["muted"] is False
    with pytest.raises(NotFoundError) as caught:
        await user.chats.mute("open")
    assert caught.value.code == "CHAT_MEMBERSHIP_NOT_FOUND"
    await user.chats.report("c1", "spam", "sells things")
    chat = sandbox.store.app(APP).chats.find("c1")
    assert chat is not None
    assert [(report.category, report.text) for report in chat.conversation.reports] == [("spam", "sells things")]
    assert [chat.id async for chat in user.chats.public()] == ["open"]
    assert [chat.id async for chat in user.chats.created()] == []


async def test_media_arrives_byte_by_byte(ethora: EthoraClient, sandbox: EthoraSandbox, tmp_path: Path) -> None:
    user = await log_in(ethora)
    content = os.urandom(3 * 2**20 + 11)
    path = tmp_path / "a picture é.png"
    path.write_bytes(content)

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    with path.open("rb") as file:
        files = [path, Attachment(source=file, name="b"), Attachment(source=stream(), name="c")]
        records = await user.chats.send_media("c1", files)
    assert [record.size for record in records] == [len(content)] * 3
    assert [record.name for record in records] == ["a picture é.png", "b", "c"]
    assert records[0].mime_type == "image/png"
    chat = sandbox.store.app(APP).chats.find("c1")
    assert chat is not None
    assert len(chat.conversation.messages) == 3
    for record in records:
        stored = sandbox._platform.shelf.find(record.id)
        assert stored is not None
        assert stored.content.digest == hashlib.sha256(content).hexdigest()


async def test_media_is_refused_where_the_user_is_not(ethora: EthoraClient, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    user = await log_in(ethora, "u3")
    with pytest.raises(ForbiddenError):
        await user.chats.send_media("c1", tmp_path / "a.txt")
    with pytest.raises(NotFoundError) as caught:
        await user.chats.send_media("nowhere", tmp_path / "a.txt")
    assert caught.value.code == "CHAT_NOT_FOUND"


async def test_a_file_goes_out_again_after_the_session_ran_out(
    ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 1000)
    user = await log_in(ethora)
    signer = user._signer
    clock.advance(16 * 60)
    signer._due = signer._ends = float("inf")  # as if the token did not say when it ends
    (record,) = await user.chats.send_media("c1", tmp_path / "a.txt")
    assert record.size == 1000
    assert calls(sandbox)[f"POST /v1/chats/media/{APP}_c1"] == 2


async def test_a_source_that_breaks_off_leaves_nothing_behind(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        raise KeyError

    user = await log_in(ethora)
    for size in (None, 400_000):
        with pytest.raises(InvalidInputError, match="KeyError"):
            await user.chats.send_media("c1", Attachment(source=broken(), name="a", size=size))
    chat = sandbox.store.app(APP).chats.find("c1")
    assert chat is not None
    assert not chat.conversation.messages
    assert (await user.me()).id == "u1"


async def test_files_of_ones_own(ethora: EthoraClient, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"mine")
    user, other = await log_in(ethora, "u1"), await log_in(ethora, "u3")
    (record,) = await user.files.upload(tmp_path / "a.txt")
    (secure,) = await user.files.upload(tmp_path / "a.txt", chat="c1")
    assert secure.is_private is True
    with pytest.raises(ForbiddenError):
        await other.files.upload(tmp_path / "a.txt", chat="c1")
    assert [file.id async for file in user.files.list(limit=1)] == [record.id, secure.id]
    assert [file.id async for file in other.files.list()] == []
    assert (await other.files.delete(record.id)).status == "absent"
    assert [(await user.files.delete(record.id)).status for _ in range(2)] == ["deleted", "absent"]
    with pytest.raises(ValidationFailedError):
        await user.files.upload([tmp_path / "a.txt"] * 6)


async def test_a_picture_of_oneself(ethora: EthoraClient, tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(b"\x89PNG")
    user = await log_in(ethora)
    assert (await user.update_profile(first_name="Bea", picture=tmp_path / "me.png")).profile_image
    assert (await user.me()).first_name == "Bea"


async def test_api_keys_act_as_their_user_until_they_are_deleted(ethora: EthoraClient) -> None:
    user = await log_in(ethora)
    key = await user.api_keys.create("ci", ttl=86_400)
    assert key.value is not None
    assert key.created_at is not None
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days == 1
    program = ethora.as_user(api_key=key.value)
    assert (await program.me()).id == "u1"
    assert [chat.id async for chat in program.chats.list()] == ["c1"]
    listed = [one async for one in user.api_keys.list()]
    assert [(one.id, one.name, one.value) for one in listed] == [(key.id, "ci", None)]
    assert [(await user.api_keys.delete(key.id)).status for _ in range(2)] == ["deleted", "absent"]
    with pytest.raises(UnauthorizedError) as caught:
        await program.me()
    assert caught.value.code == "REFRESH_RECORD_NOT_FOUND"


async def test_the_admin_works_in_their_apps(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    child = sandbox.add_app("child", parent=APP)
    admin = ethora.as_user(await ethora.sessions.login(sandbox.admin_email, sandbox.admin_password))
    assert {user.id async for user in admin.in_app().users.list()} >= {"u1", "u2", "u3"}
    assert [user.id async for user in admin.in_app(child.id).users.list()]
    somebody = await log_in(ethora)
    with pytest.raises(ForbiddenError):
        await somebody.in_app(child.id).users.list()


async def test_an_archived_app_lets_nobody_in(ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock) -> None:
    user = await log_in(ethora)
    sandbox.store.app(APP).archived_at = clock.now()
    for call in (user.me, lambda: ethora.sessions.login("u1@example.com", PASSWORD)):
        with pytest.raises(ForbiddenError) as caught:
            await call()
        assert caught.value.code == "APP_ARCHIVED"
        assert caught.value.request_id


async def test_tokens_of_the_wrong_family_are_told_by_their_code(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    server = await ethora.tokens.for_server()
    for token in (server.value, (await ethora.tokens.for_user("u1")).value):
        stranger = Session(user=User(id="u1"), token=token, refresh_token="never-asked")
        with pytest.raises(UnauthorizedError) as caught:
            await ethora.as_user(stranger).me()
        assert (caught.value.code, caught.value.status) == ("INVALID_TOKEN_TYPE", 400)
        assert caught.value.request_id
    assert "POST /v2/users/login/refresh" not in calls(sandbox)


async def test_the_chats_of_others_are_not_mine(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    child = sandbox.add_app("child", parent=APP)
    await ethora.in_app(child.id).chats.create("theirs", title="Theirs")
    user = await log_in(ethora)
    for id in ("theirs", f"{child.id}_theirs", "open"):
        with pytest.raises(NotFoundError) as caught:
            await user.chats.get(id)
        assert caught.value.code == "CHAT_NOT_FOUND"
        assert caught.value.request_id


async def test_a_gateways_page_is_told_as_one(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    page = "<html><head><title>502 Bad Gateway</title></head></html>"
    sandbox.faults.fail("POST /v2/users/login-with-email", status=502, body=page, content_type="text/html", times=None)
    with pytest.raises(ServerFaultError, match=r"HTML page.*502 Bad Gateway"):
        await ethora.sessions.login("u1@example.com", PASSWORD)
