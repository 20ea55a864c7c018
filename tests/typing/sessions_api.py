"""What a type checker makes of sessions and of what users do in them. Checked by mypy and pyright, never run."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

from ethora_async import Attachment, Chat, EthoraClient, InvalidInputError, MfaRequiredError, Session, User
from ethora_async.bulk import Outcome
from ethora_async.pages import Page, Pages
from ethora_async.platforms.ethora.in_app import InApp
from ethora_async.platforms.ethora.sessions.api_keys import ApiKey
from ethora_async.platforms.ethora.sessions.files import FileRecord
from ethora_async.platforms.ethora.sessions.user_client import UserClient, XmppCredentials
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def stream() -> AsyncIterator[bytes]:
    yield b"piece"


class FrameworkFile:
    """A web framework's upload: `read` is a coroutine."""

    filename = "a.png"

    async def read(self, size: int = -1) -> bytes:
        return b"" * size


async def sessions(ethora: EthoraClient) -> None:
    try:
        session = await ethora.sessions.login("a@b.c", Secret("pw"), app_id="6540f2a1b3c4d5e6f7a8b9c0")
    except MfaRequiredError as step:
        session = await step.complete("123456")
        assert_type(step.mfa_token, Secret | None)
    assert_type(session, Session)
    assert_type(session.refresh_token, Secret | None)
    assert_type(await ethora.sessions.sign_up("a@b.c", "Ann", last_name="Lee"), Outcome[str])
    assert_type(await ethora.sessions.refresh(session), Session)
    assert_type(await ethora.sessions.me(session), Session)
    assert_type(await ethora.sessions.logout(session, "others"), Outcome[str])
    Session(user=User(id="u1"), token="JWT a.b.c", refresh_token=Secret("r"))


async def keep(session: Session) -> None:
    assert_type(session.app_id, str | None)


async def user(ethora: EthoraClient, session: Session) -> None:
    user = ethora.as_user(session, on_renewed=keep)
    assert_type(user, UserClient)
    ethora.as_user(session, on_renewed=print)
    assert_type(ethora.as_user(api_key="key").session, Session | None)
    assert_type(await user.me(), User)
    assert_type(await user.update_profile(first_name="", picture=Path("me.png")), User)
    assert_type(await user.xmpp_credentials(), XmppCredentials)
    assert_type(user.in_app("6540f2a1b3c4d5e6f7a8b9c0"), InApp)
    listed: Pages[Chat] = user.chats.list()
    assert_type(await listed, Page[Chat])
    assert_type(await user.chats.public(), Page[Chat])
    assert_type(await user.chats.private(7), Chat)
    assert_type(await user.chats.mute("c1"), Outcome[str])
    assert_type(await user.api_keys.create(ttl=timedelta(days=1)), ApiKey)
    assert_type(await user.files.upload("a.png", chat="c1"), tuple[FileRecord, ...])


async def media(user: UserClient) -> None:
    sent = await user.chats.send_media("c1", Path("a.png"))
    assert_type(sent, tuple[FileRecord, ...])
    await user.chats.send_media("c1", ["a.png", io.BytesIO(b"x"), FrameworkFile(), stream(), b"x"])
    await user.chats.send_media("c1", Attachment(source=stream(), name="a.png", size=5), timeout=timedelta(minutes=9))


async def misuse(ethora: EthoraClient, user: UserClient, session: Session) -> None:
    await ethora.sessions.login("a@b.c", 5)  # type: ignore[arg-type]
    await ethora.sessions.logout(session, "mine")  # type: ignore[arg-type]
    ethora.as_user("JWT a.b.c")  # type: ignore[arg-type]
    ethora.as_user(session, on_renewed=5)  # type: ignore[arg-type]
    await user.chats.send_media("c1", 5)  # type: ignore[arg-type]
    await user.update_profile(email="a@b.c")  # type: ignore[call-arg]
    Attachment("a.png")  # type: ignore[call-arg]
    session.token = Secret("x")  # type: ignore[misc]
    raise InvalidInputError("no")
