"""Two people talk in a real browser, on the chat page."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import re
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from browser_helpers import look, picture, press, tab_to, violations

from ethora_async import EthoraClient
from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.ethora.store import ChatData

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chromium_browser import Page

    from ethora_async.sandbox.ethora.records import Chat

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
PEOPLE = {"ada": ("Ada", "Byron"), "bob": ("Robert", "Keller"), "eve": ("Eve", "Moreau")}
ROWS = [
    {"id": id, "email": f"{id}@example.com", "first_name": first, "last_name": last}
    for id, (first, last) in PEOPLE.items()
]
MARKUP = '<img src=x onerror="window.hit=1"> & <b>bold</b> ]]> \u202eabc'
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Seat:
    """One user's chat: the page itself, or one of its frames."""

    def __init__(self, page: Page, frame: int | None = None) -> None:
        self._page = page
        self.window = "window" if frame is None else f"frames[{frame}]"

    async def value(self, expression: str) -> Any:
        return await self._page.value(f"((window, document) => {expression})({self.window}, {self.window}.document)")

    async def until(self, expression: str) -> None:
        guarded = f"((window, document) => document && {expression})({self.window}, {self.window}?.document)"
        await self._page.until(f"(() => {{ try {{ return {guarded}; }} catch {{ return false; }} }})()")

    async def sees(self, text: str, where: str = "messages") -> None:
        await self.until(f"document.getElementById('{where}').textContent.includes({json.dumps(text)})")

    async def messages(self) -> list[str]:
        return list(await self.value("[...document.querySelectorAll('#messages .body')].map((one) => one.textContent)"))

    async def write(self, text: str) -> None:
        await self.value("(window.focus(), document.getElementById('text').focus())")
        await self._page.call("Input.insertText", text=text)

    async def say(self, text: str) -> None:
        await self.write(text)
        await press(self._page, "Enter")

    async def ready(self) -> None:
        await self.until("document.getElementById('live')?.dataset.state === 'on'")
        await self.until("!document.getElementById('send').disabled")

    async def click(self, selector: str, nth: int = -1) -> None:
        await self.until(f"document.querySelectorAll({json.dumps(selector)}).length > 0")
        await self.value(f"[...document.querySelectorAll({json.dumps(selector)})].at({nth}).click()")


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(page: Page) -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox(app_id="app123", secret="secret-of-the-test") as sandbox:
        await sandbox.seed_users(ROWS)
        yield sandbox
        await page.call("Page.navigate", url="about:blank")


def made(sandbox: EthoraSandbox, id: str, title: str, *users: str, kind: str = "group") -> Chat:
    app = sandbox.store.app("app123")
    people = [user for user in app.users if user.uuid in users]
    return sandbox.store.create_chat(app, ChatData(title, kind, id), time.time(), members=people)


@pytest.fixture
def order(sandbox: EthoraSandbox) -> Chat:
    return made(sandbox, "o1", "Order 1001", "ada", "bob")


def post(sandbox: EthoraSandbox, chat: Chat, user: str | None, text: str, at: float | None = None) -> None:
    sender = next((one for one in chat.members if one.uuid == user), None)
    sandbox.store.post(chat, text, time.time() if at is None else at, sender=sender)


async def opened(page: Page, sandbox: EthoraSandbox, *users: str, chat: str | None = "o1") -> list[Seat]:
    await page.call("Page.navigate", url="about:blank")
    await page.call("Page.navigate", url=sandbox.chat_url(*users, chat=chat))
    seats = [Seat(page)] if len(users) == 1 else [Seat(page, number) for number in range(len(users))]
    for seat in seats:
        await seat.until("document.getElementById('live')?.dataset.state === 'on'")
        if chat is not None:
            await seat.ready()
    return seats


def client(sandbox: EthoraSandbox) -> EthoraClient:
    return EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url)


@pytest.mark.usefixtures("order")
async def test_two_people_talk_and_what_they_write_stays_text(page: Page, sandbox: EthoraSandbox) -> None:
    ada, bob = await opened(page, sandbox, "ada", "bob")
    await ada.write("How are")
    await bob.sees("Ada Byron is typing", "typing")
    await ada.say(" you?")
    await bob.sees("How are you?")
    await bob.until("document.getElementById('typing').textContent === ''")
    await bob.say(MARKUP)
    await ada.sees(MARKUP)
    assert await ada.messages() == await bob.messages() == ["How are you?", MARKUP]
    assert await ada.value("document.querySelectorAll('#messages img, #messages b').length") == 0
    assert await ada.value("window.hit") is None
    (chat,) = sandbox.store.app("app123").chats
    assert [message.body for message in chat.messages] == ["How are you?", MARKUP]
    assert page.console == []


@pytest.mark.usefixtures("order")
async def test_a_page_loads_what_is_said_and_older_pages_on_demand(page: Page, sandbox: EthoraSandbox) -> None:
    (chat,) = sandbox.store.app("app123").chats
    for number in range(95):
        post(sandbox, chat, ("ada", "bob")[number % 2], f"m{number}", 1_700_000_000 + number * 60)
    (ada,) = await opened(page, sandbox, "ada")
    await ada.until("document.querySelectorAll('#messages .body').length === 31")
    assert (await ada.messages())[-1] == "m94"
    for known in (61, 91, 95):
        await ada.click("#older")
        await ada.until(f"document.querySelectorAll('#messages .body').length === {known}")
    assert await ada.messages() == [f"m{number}" for number in range(95)]
    await ada.until("document.getElementById('older').hidden")


@pytest.mark.usefixtures("order")
async def test_messages_are_edited_and_deleted_before_the_others_eyes(page: Page, sandbox: EthoraSandbox) -> None:
    ada, bob = await opened(page, sandbox, "ada", "bob")
    await ada.say("Tomorow")
    await ada.say("Nonsense")
    await bob.sees("Nonsense")
    assert await bob.value("document.querySelectorAll('.acts').length") == 0
    await ada.click(".message .acts button:first-child", 0)
    assert await ada.value("document.getElementById('text').value") == "Tomorow"
    await press(page, "Escape")
    assert await ada.value("document.getElementById('text').value") == ""
    await ada.click(".message .acts button:first-child", 0)
    await ada.value("document.getElementById('text').select()")
    await ada.say("Tomorrow")
    await bob.sees("Tomorrow")
    await bob.sees("edited")
    await ada.click(".message .acts button:last-child")
    await bob.sees("Message deleted")
    for seat in (ada, bob):
        assert await seat.messages() == ["Tomorrow", "Message deleted"]
    # And whoever comes later sees the same.
    (later,) = await opened(page, sandbox, "bob")
    await later.sees("Message deleted")
    await later.sees("edited")
    assert await later.messages() == ["Tomorrow", "Message deleted"]


@pytest.mark.usefixtures("order")
async def test_broadcasts_and_files_appear_as_they_come(page: Page, sandbox: EthoraSandbox) -> None:
    (bob,) = await opened(page, sandbox, "bob")
    async with client(sandbox) as ethora:
        await (await ethora.broadcasts.send("We close at <b>6</b>", chats=["o1"]))
        await bob.sees("We close at <b>6</b>")
        ada = ethora.as_user(await ethora.sessions.exchange(await ethora.tokens.for_user("ada")))
        for name, kind in (("bike.png", "image/png"), ("bill.pdf", "application/pdf"), ("x.svg", "image/svg+xml")):
            form = aiohttp.FormData()
            form.add_field("files", PIXEL, filename=name, content_type=kind)
            async with (
                aiohttp.ClientSession(headers={"Authorization": ada.session.token.reveal()}) as session,
                session.post(f"{sandbox.url}/v1/chats/media/app123_o1", data=form) as reply,
            ):
                assert reply.status == 200, await reply.text()
    await bob.sees("x.svg")
    await bob.until("document.querySelector('#messages img')?.naturalWidth === 1")
    assert await bob.value("document.querySelector('#messages img').alt") == "bike.png"
    assert await bob.value("document.querySelectorAll('#messages img').length") == 1
    assert await bob.value("document.querySelectorAll('#messages a[rel~=noopener]').length") == 3


def react(sandbox: EthoraSandbox, chat: Chat, user: str, about: int, *kinds: str) -> None:
    """Add a reaction to a message, as the vendor's front end does; without a kind, remove it."""
    sender = next(one for one in chat.members if one.uuid == user)
    inside = "".join(f"<reaction>{html.escape(kind)}</reaction>" for kind in kinds)
    inner = (
        f"<reactions xmlns='urn:xmpp:reactions:0' id='{about}'>{inside}</reactions>"
        f"<data senderFirstName='{sender.first_name}' senderLastName='{sender.last_name}'/>"
        "<store xmlns='urn:xmpp:hints'/>"
    )
    sandbox.store.post(chat, "", time.time(), sender=sender, inner=inner, id=f"message-reaction:{time.time_ns()}")


async def test_reactions_appear_change_and_go(page: Page, sandbox: EthoraSandbox, order: Chat, axe: str) -> None:
    post(sandbox, order, "ada", "Ready?")
    post(sandbox, order, "bob", "Not yet")
    first, second = (message.stanza for message in order.messages)
    react(sandbox, order, "bob", first, "+1")
    seen = "[...document.querySelectorAll('.reactions')].map((one) => [...one.children].map((li) => li.title + ' ' + "
    seen += "li.firstChild.textContent).join('|'))"
    (bob,) = await opened(page, sandbox, "bob")
    await bob.until(f"JSON.stringify({seen}) === {json.dumps(json.dumps(['Robert Keller 👍 1'], ensure_ascii=False))}")
    react(sandbox, order, "ada", first, "+1", "heart")
    react(sandbox, order, "ada", second, ":own:", MARKUP[:32])
    await bob.until("document.querySelectorAll('.reactions').length === 2")
    assert await bob.value(seen) == [
        "Robert Keller, Ada Byron 👍 2|Ada Byron ❤️ 1",
        f"Ada Byron :own: 1|Ada Byron {MARKUP[:32].strip()} 1",
    ]
    assert await bob.messages() == ["Ready?", "Not yet"]
    assert await bob.value("window.hit") is None
    assert await violations(page, axe) == []
    react(sandbox, order, "ada", first)
    react(sandbox, order, "ada", second)
    await bob.until(f"JSON.stringify({seen}) === {json.dumps(json.dumps(['Robert Keller 👍 1'], ensure_ascii=False))}")
    # And whoever comes later sees the same.
    (later,) = await opened(page, sandbox, "ada")
    await later.sees("Not yet")
    await later.until("document.querySelectorAll('.reactions').length === 1")
    assert await later.value(seen) == ["Robert Keller 👍 1"]


async def test_one_reacts_with_the_mouse_and_with_the_keyboard(
    page: Page, sandbox: EthoraSandbox, order: Chat, axe: str
) -> None:
    post(sandbox, order, "ada", "Ready?")
    post(sandbox, order, "bob", "Yes")
    react(sandbox, order, "bob", order.messages[0].stanza, "heart", ":own:")
    ada, bob = await opened(page, sandbox, "ada", "bob")
    await ada.sees("Yes")
    await ada.until("document.querySelectorAll('.reacts button').length === 2")
    seen = "[...document.querySelectorAll('.reactions li')].map((one) => one.title + ' ' + one.firstChild.textContent)"

    async def both_see(*expected: str) -> None:
        wanted = json.dumps(json.dumps(expected, ensure_ascii=False, separators=(",", ":")))
        for seat in (ada, bob):
            await seat.until(f"JSON.stringify({seen}) === {wanted}")

    # From the list of emoji, to a message of one's own and to somebody else's.
    for place, word in ((0, "+1"), (1, "tada")):
        await ada.click(".reacts button", place)
        await ada.until("document.activeElement.closest('.choice') !== null")
        await ada.click(f".choice [aria-label='{word}']")
        await ada.until("document.querySelector('.choice') === null")
    await both_see("Robert Keller ❤️ 1", "Robert Keller :own: 1", "Ada Byron 👍 1", "Ada Byron 🎉 1")
    assert await ada.value("document.activeElement.dataset.act") == "React"
    # A reaction of somebody else's is joined with one click on it, and taken back with another.
    await ada.click(".reactions .cover", 0)
    await both_see("Robert Keller, Ada Byron ❤️ 2", "Robert Keller :own: 1", "Ada Byron 👍 1", "Ada Byron 🎉 1")
    assert await ada.value("document.querySelector('.reactions .cover').ariaPressed") == "true"
    assert await bob.value("document.querySelectorAll('.reactions .own').length") == 2
    await ada.click(".reactions .cover", 0)
    await both_see("Robert Keller ❤️ 1", "Robert Keller :own: 1", "Ada Byron 👍 1", "Ada Byron 🎉 1")
    # With keys alone: open, choose, and Escape leaves it as it was.
    await ada.value("(window.focus(), document.querySelectorAll('.reacts button')[1].focus())")
    await press(page, "Enter")
    await ada.until("document.activeElement.closest('.choice') !== null")
    assert await ada.value("document.querySelector(\".choice [aria-label='tada']\").ariaPressed") == "true"
    assert await violations(page, axe) == []
    await press(page, "Escape")
    await ada.until("document.querySelector('.choice') === null && document.activeElement.dataset.act === 'React'")
    await press(page, "Enter")
    await ada.until("document.activeElement.closest('.choice') !== null")
    await press(page, "Enter")
    await both_see("Robert Keller ❤️ 1", "Robert Keller :own: 1", "Ada Byron 👍 1", "Ada Byron 🎉 1", "Ada Byron 👍 1")
    assert await ada.messages() == ["Ready?", "Yes"]
    sent = order.conversation.archive[-1]
    assert sent.sender.uuid == "ada"
    assert re.search(r'<reactions [^>]*from="app123_ada@127\.0\.0\.1/.+?">', sent.inner)
    assert "urn:xmpp:hints" in (sent.inner or "")
    # Who may not write any more may not react either.
    async with client(sandbox) as ethora:
        await ethora.chats.revoke("o1", "ada")
    await ada.until("document.getElementById('room').hasAttribute('data-locked')")
    await ada.until("getComputedStyle(document.querySelector('.cover') ?? document.body).display !== 'inline-block'")
    assert await ada.value("[...document.querySelectorAll('.reacts, .cover')].every((one) => !one.checkVisibility())")
    assert page.console == []


async def test_who_is_removed_is_told_and_cannot_write(page: Page, sandbox: EthoraSandbox, order: Chat) -> None:
    made(sandbox, "o2", "Order 1002", "ada", "bob")
    ada, bob = await opened(page, sandbox, "ada", "bob")
    async with client(sandbox) as ethora:
        await ethora.chats.revoke("o1", "bob")
        await bob.until("document.getElementById('notice').textContent === 'You were removed from this chat.'")
        await bob.until("document.getElementById('fields').disabled")
        await ada.say("Still here?")
        await ada.sees("Still here?")
        assert "Still here?" not in await bob.messages()
        assert order.messages[-1].body == "Still here?"
        # Another chat goes on.
        await bob.click("#rooms a[href='#room/app123_o2']")
        await bob.ready()
        await bob.until("document.getElementById('notice').hidden")
        # Let in again, the chat is there again without a reload, with what was said meanwhile.
        await ethora.chats.grant("o1", "bob")
        await bob.click("#rooms a[href='#room/app123_o1']")
        await bob.ready()
        await bob.sees("Still here?")
        await ethora.chats.delete("o1")
        await bob.until("document.getElementById('notice').textContent === 'This chat was deleted.'")


async def test_who_is_let_in_sees_the_chat_appear(page: Page, sandbox: EthoraSandbox) -> None:
    (eve,) = await opened(page, sandbox, "eve", chat=None)
    await eve.until("!document.getElementById('no-rooms').hidden")
    made(sandbox, "o1", "Order 1001", "ada")
    async with client(sandbox) as ethora:
        await ethora.chats.grant("o1", "eve")
    await eve.sees("Order 1001", "rooms")


async def test_a_public_chat_is_joined_by_whoever_wants(page: Page, sandbox: EthoraSandbox) -> None:
    town = made(sandbox, "town", "Town square", kind="public")
    (eve,) = await opened(page, sandbox, "eve", chat=None)
    await eve.sees("Town square", "public")
    await eve.click("#public button")
    await eve.ready()
    await eve.say("Hello, town")
    await eve.sees("Hello, town")
    assert [user.uuid for user in town.members if user.uuid == "eve"] == ["eve"]
    await eve.until("document.getElementById('public').children.length === 0")


async def test_a_lost_connection_comes_back_without_gap_or_double(
    page: Page, sandbox: EthoraSandbox, order: Chat
) -> None:
    post(sandbox, order, "bob", "before")
    (ada,) = await opened(page, sandbox, "ada")
    await ada.say("mine")
    await ada.sees("mine")
    await ada.write("half a thou")
    await sandbox.aclose()
    await ada.until("document.getElementById('live').dataset.state === 'off'")
    for number in range(130):
        post(sandbox, order, "bob", f"missed {number}")
    await sandbox.start()
    await ada.until("document.getElementById('live').dataset.state === 'on'")
    await ada.sees("missed 129")
    assert await ada.messages() == ["before", "mine", *[f"missed {number}" for number in range(130)]]
    assert await ada.value("document.getElementById('text').value") == "half a thou"
    await ada.say("ght")
    await ada.sees("half a thought")


async def test_unread_messages_are_counted(page: Page, sandbox: EthoraSandbox, order: Chat) -> None:
    other = made(sandbox, "o2", "Order 1002", "ada", "bob")
    (ada,) = await opened(page, sandbox, "ada")
    for text in ("one", "two"):
        post(sandbox, other, "bob", text)
    await ada.until("document.querySelector('.unread')?.textContent === '2'")
    await ada.sees("Robert Keller: two", "rooms")
    await ada.click("#rooms a[href='#room/app123_o2']")
    await ada.sees("two")
    await ada.until("document.querySelector('.unread') === null")
    del order


async def test_it_is_used_by_keyboard_alone(page: Page, sandbox: EthoraSandbox, order: Chat) -> None:
    made(sandbox, "o2", "Order 1002", "ada")
    post(sandbox, order, "ada", "first")
    await look(page, "light", 1280)
    (ada,) = await opened(page, sandbox, "ada")
    await ada.sees("first")
    await press(page, "Tab")
    assert await page.value("document.activeElement.textContent") == "Skip to writing"
    await tab_to(page, "#rooms a[href='#room/app123_o2']")
    await press(page, "Enter")
    await page.until("document.getElementById('room-title').textContent === 'Order 1002'")
    await page.until("document.activeElement.id === 'text'")
    await page.call("Input.insertText", text="by keys")
    await press(page, "Enter")
    await ada.sees("by keys")
    await page.value("document.getElementById('scroll').focus()")
    await tab_to(page, ".acts button:last-child")
    opacity = "getComputedStyle(document.activeElement.parentElement).opacity"
    assert await page.value(opacity) == "1"
    await press(page, "Enter")
    await ada.sees("Message deleted")
    await page.until("document.activeElement.id === 'text'")


async def test_a_user_who_is_deleted_is_logged_out(page: Page, sandbox: EthoraSandbox, order: Chat) -> None:
    (bob,) = await opened(page, sandbox, "bob")
    async with client(sandbox) as ethora:
        await ethora.users.delete("bob")
    await bob.until("document.getElementById('live').textContent === 'logged out'")
    await bob.until("!document.getElementById('notice').hidden")
    del order


def talk(sandbox: EthoraSandbox, order: Chat) -> None:
    """A conversation for pictures."""
    made(sandbox, "d7", "Delivery team", "ada", "bob", "eve")
    made(sandbox, "town", "Town square", kind="public")
    start = time.time() - 1500
    said = (
        ("ada", "Hi! Where is my bicycle?"),
        ("bob", "Good morning, Ada. It left our warehouse yesterday."),
        ("bob", "The driver should be with you before noon."),
        ("ada", "Great, I am at home until two."),
        (None, "Your order 1001 is out for delivery."),
        ("bob", "He just sent a picture: the parcel is on the van."),
        ("ada", "Thank you! Could he ring at the side door? The bell at the front does not work."),
        ("bob", "I have passed that on."),
    )
    for number, (user, text) in enumerate(said):
        post(sandbox, order, user, text, start + number * 95)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "users"), [(1280, ("ada",)), (400, ("ada",)), (1280, ("ada", "bob"))])
async def test_it_is_readable_by_everyone(
    scheme: str, width: int, users: tuple[str, ...], page: Page, axe: str, sandbox: EthoraSandbox, order: Chat
) -> None:
    talk(sandbox, order)
    await look(page, scheme, width, 800)
    seats = await opened(page, sandbox, *users)
    for seat in seats:
        await seat.sees("I have passed that on.")
    assert await violations(page, axe) == []
    for seat in seats:
        assert await seat.value("document.documentElement.scrollWidth <= window.innerWidth") is True
    if len(users) == 1 and width == 400:
        await seats[0].click("#back")
        await seats[0].until("document.body.dataset.view === 'rooms'")
        assert await violations(page, axe) == []
        await seats[0].click("#rooms a[href='#room/app123_o1']")
    async with client(sandbox) as ethora:
        await ethora.chats.revoke("o1", "ada")
    await seats[0].until("!document.getElementById('notice').hidden")
    assert await violations(page, axe) == []
    assert page.console == []


@pytest.mark.parametrize(
    ("name", "scheme", "width", "users"),
    [
        ("live-chat", "light", 1280, ("ada", "bob")),
        ("chat-dark", "dark", 1280, ("ada",)),
        ("chat-phone", "light", 400, ("bob",)),
    ],
)
async def test_its_picture_for_the_docs(
    name: str, scheme: str, width: int, users: tuple[str, ...], page: Page, sandbox: EthoraSandbox, order: Chat
) -> None:
    talk(sandbox, order)
    await look(page, scheme, width, 760)
    seats = await opened(page, sandbox, *users)
    for seat in seats:
        await seat.sees("I have passed that on.")
    if len(seats) == 2:
        await seats[1].write("Anything else?")
        await seats[0].sees("Robert Keller is typing", "typing")
    await asyncio.sleep(0.2)  # for what is drawn by itself, as the scrollbar
    await picture(page, name)
