"""``ethora demo --live``: two of the imported users talk in a browser, over the platform's own protocol."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Any

import attrs
import typer

from ethora_async.cli.output import errors, print_json
from ethora_async.cli.runtime import DONE

if TYPE_CHECKING:
    from ethora_async.cli.import_report import Tally
    from ethora_async.platforms.ethora.client import EthoraClient
    from ethora_async.records import Chat, User
    from ethora_async.sandbox import EthoraSandbox

_GREETING = "Welcome! This was sent by the back end, as a broadcast."


@attrs.frozen
class LiveChat:
    """A chat, two of its members, and the links that show them in a browser."""

    chat: Chat
    users: tuple[User, ...]
    links: tuple[str, ...]
    both: str
    console: str | None


async def stay_live(client: EthoraClient, sandbox: EthoraSandbox, tally: Tally, *, as_json: bool) -> int:
    """Show two users of one chat in a browser, and serve them until Ctrl-C or SIGTERM."""

    async def mint(user: str) -> str:
        token = await client.tokens.for_user(user, ttl=3600)
        return token.value

    sandbox.mint_chat_tokens_with(mint)
    live = await _live_chat(client, sandbox)
    await (await client.broadcasts.send(_GREETING, chats=[live.chat.id]))
    if as_json:
        print_json(_fields(live, tally))
    else:
        _print(live)
    sys.stdout.flush()
    if has_display():
        # Not awaited: a browser in the foreground returns only when it is closed.
        threading.Thread(target=webbrowser.open, args=(live.both,), daemon=True).start()
    errors.print("listening; Ctrl-C stops it and discards all data", markup=False)
    await asyncio.Event().wait()
    return DONE


async def _live_chat(client: EthoraClient, sandbox: EthoraSandbox) -> LiveChat:
    """Choose a private chat with two members.

    Raises:
        LookupError: The list has no such chat.
    """
    async for chat in client.chats.list():
        if chat.type != "group":
            continue
        members = [user async for user in client.chats.members(chat.id)][:2]
        if len(members) == 2:
            ids = [user.id for user in members]
            links = tuple(sandbox.chat_url(id, chat=chat.id) for id in ids)
            return LiveChat(chat, tuple(members), links, sandbox.chat_url(*ids, chat=chat.id), sandbox.console_url)
    msg = "no chat of the demo list has two members"
    raise LookupError(msg)


def _fields(live: LiveChat, tally: Tally) -> dict[str, Any]:
    people = zip(live.users, live.links, strict=True)
    return {
        "live": live.both,
        "users": [{"id": user.id, "name": _name(user), "link": link} for user, link in people],
        "chat": {"id": live.chat.id, "title": live.chat.title},
        "sandbox": live.console,
        "imported": dict(tally.total()),
    }


def _print(live: LiveChat) -> None:
    typer.echo(f"\nTwo of the imported users are members of {live.chat.title!r}; each link logs one of them in:")
    for user, link in zip(live.users, live.links, strict=True):
        typer.echo(f"  {_name(user)}: {link}")
    typer.echo(f"Both side by side: {live.both}")
    typer.echo(f"What the platform has and is asked: {live.console}")


def _name(user: User) -> str:
    return " ".join(filter(None, (user.first_name, user.last_name)))


def has_display() -> bool:
    """Return whether a browser can be opened: on a desktop, or if BROWSER names one."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
