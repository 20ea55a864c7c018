"""Every operation on rooms, messages, people and the server: the client's method, and the routes that it calls.

Each is carried out for each kind of room that has it, in a room of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import orjson
from yarl import URL

from ethora_async import RocketChatClient
from ethora_async.attachments import Attachment
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.platforms.rocketchat.user_client import UserClient
from ethora_async.sandbox import RocketChatSandbox
from ethora_async.testing.users import FakeClock
from ethora_async.transport import AiohttpTransport

if TYPE_CHECKING:
    from ethora_async.request import Request, Response

PICTURE = Attachment(source=b"\x89PNG and so on", name="map.png")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
FAMILY = {"c": "channels", "p": "groups", "d": "im"}


@attrs.frozen
class Exchange:
    """One request, and the reply."""

    method: str
    path: str
    query: dict[str, Any]
    body: Any
    status: int
    reply: Any

    @property
    def route(self) -> str:
        return f"{self.method} {self.path.removeprefix('/api/v1/')}"


class Recorder:
    """A transport that notes every exchange."""

    def __init__(self) -> None:
        self.inner = AiohttpTransport()
        self.seen: list[Exchange] = []

    async def send(self, request: Request, /) -> Response:
        response = await self.inner.send(request)
        self.note(request, response)
        return response

    def note(self, request: Request, response: Response) -> None:
        url = URL(request.url)
        query: dict[str, Any] = {}
        for name, value in url.query.items():
            bare = name.removesuffix("[]")
            query[bare] = [*query.get(bare, []), value] if bare != name else value
        body = None if request.upload is not None else orjson.loads(request.body) if request.body else {}
        is_json = response.body[:1] == b"{"
        reply = orjson.loads(response.body) if is_json else None
        self.seen.append(Exchange(request.method, url.path, query, body, response.status, reply))

    async def aclose(self) -> None:
        await self.inner.aclose()


@attrs.frozen
class World:
    """A server with ada, bob and eve, and a room with a message of ada's in it."""

    client: RocketChatClient
    ada: UserClient
    bob: UserClient
    sandbox: RocketChatSandbox
    clock: FakeClock
    room: Any = None
    """What names the room."""
    room_id: str = ""
    message: str = ""
    """A message of the administrator's that mentions ada and bob; of ada's in a direct room."""

    def user_id(self, name: str) -> str:
        user = self.sandbox.store.users.with_username(name)
        assert user is not None
        return user.id


@attrs.frozen
class Operation:
    """One operation.

    Attributes:
        words: What the platform's users call it.
        method: The client's method, below the client, `as_user` (``ada.…``, ``bob.…``), or both.
        routes: What it calls; ``{}`` is the family of the kind of room.
        kinds: The kinds of room that have it; empty when it is about no room.
        arguments: What to pass beside the room.
        takes_room: Whether the room comes first.
    """

    words: str
    method: str
    routes: tuple[str, ...]
    kinds: str = "cp"
    arguments: Callable[[World], tuple[Any, ...]] = lambda _: ()
    named: Callable[[World], dict[str, Any]] = lambda _: {}
    takes_room: bool = True
    before: str = ""
    """Another operation by its words, carried out first."""


def room(words: str, method: str, *routes: str, kinds: str = "cp", before: str = "", **given: Any) -> Operation:
    return Operation(words, method, routes, kinds, before=before, **given)


def message(words: str, method: str, *routes: str, **given: Any) -> Operation:
    return Operation(words, method, routes, "cpd", arguments=lambda w: (w.message,), takes_room=False, **given)


def people(words: str, method: str, *routes: str, before: str = "", **given: Any) -> Operation:
    return Operation(words, method, routes, "", takes_room=False, before=before, **given)


ROOMS = [
    room("archive", "chats.archive", "POST {}.archive"),
    room("unarchive", "chats.unarchive", "POST {}.unarchive", before="archive"),
    room("open", "ada.chats.open", "POST rooms.open", kinds="cpd"),
    room("close", "ada.chats.close", "POST rooms.hide", kinds="cpd"),
    room("hide", "ada.chats.hide", "POST rooms.hide", kinds="cpd"),
    room("rename", "chats.rename", "POST {}.rename", arguments=lambda w: (f"new-{w.room}",)),
    room("topic", "chats.set_topic", "POST {}.setTopic", arguments=lambda _: ("News",)),
    room("topic of a direct room", "ada.chats.set_topic", "POST im.setTopic", kinds="d", arguments=lambda _: ("us",)),
    room("description", "chats.set_description", "POST {}.setDescription", arguments=lambda _: ("All",)),
    room("announcement", "chats.set_announcement", "POST {}.setAnnouncement", arguments=lambda _: ("Closed",)),
    room("read-only", "chats.set_read_only", "POST {}.setReadOnly", arguments=lambda _: (True,)),
    room("type", "chats.set_access", "POST channels.setType", kinds="c", arguments=lambda _: ("private",)),
    room("type back", "chats.set_access", "POST groups.setType", kinds="p", arguments=lambda _: ("public",)),
    room("encrypted", "chats.set_encrypted", "POST rooms.saveRoomSettings", kinds="p", arguments=lambda _: (True,)),
    room("custom fields", "chats.set_custom_fields", "POST {}.setCustomFields", arguments=lambda _: ({"a": 1},)),
    room("default", "chats.set_default", "POST rooms.saveRoomSettings", arguments=lambda _: (True,)),
    room("join code", "chats.set_join_code", "POST rooms.saveRoomSettings", kinds="c", arguments=lambda _: ("sesame",)),
    *(
        room(f"{verb} {role}", f"chats.{verb}_role", f"POST {{}}.{verb}{role.title()}",
             arguments=lambda _, role=role: ("ada", role), before=f"add {role}" if verb == "remove" else "")
        for role in ("owner", "moderator", "leader") for verb in ("add", "remove")
    ),
    room("mute a user", "chats.mute_user", "POST rooms.muteUser", arguments=lambda _: ("ada",)),
    room("unmute a user", "chats.unmute_user", "POST rooms.unmuteUser", arguments=lambda _: ("ada",)),
    room("list roles", "chats.roles", "GET {}.roles"),
    room("members", "chats.members", "GET {}.members"),
    room("members of a direct room", "ada.chats.members", "GET im.members", kinds="d"),
    room("online", "chats.online", "GET {}.online"),
    room("counters", "ada.chats.counters", "GET {}.counters", kinds="cpd"),
    room("files", "ada.chats.files", "GET {}.files", kinds="cpd", before="media in two steps"),
    room("integrations", "chats.integrations", "GET {}.getIntegrations"),
    room("history", "ada.messages.history", "GET {}.history", kinds="cpd"),
    room("leave", "ada.chats.leave", "POST rooms.leave"),
    room("join", "ada.chats.join", "POST channels.join", kinds="c", before="leave"),
    room("favourite", "ada.chats.set_favorite", "POST rooms.favorite", kinds="cpd"),
    room("clean history", "chats.clean_history", "POST rooms.cleanHistory",
         named=lambda w: {"before": datetime.fromtimestamp(w.clock.now() + 60, UTC)}),
    room("create a discussion", "ada.chats.create_discussion", "POST rooms.createDiscussion", kinds="cpd",
         arguments=lambda _: ("The bridge",), named=lambda _: {"users": ["bob"], "reply": "Well?"}),
    room("list discussions", "ada.chats.discussions", "GET rooms.getDiscussions", kinds="cp",
         before="create a discussion"),
    room("convert to team", "chats.convert_to_team", "POST {}.convertToTeam"),
    room("invite", "chats.invite", "POST {}.invite", arguments=lambda _: (["eve"],)),
    room("invite all", "chats.invite_all", "POST {}.addAll"),
    room("kick", "chats.kick", "POST {}.kick", arguments=lambda _: (["ada"],)),
    room("get", "ada.chats.get", "GET rooms.info", kinds="cpd"),
    room("delete", "chats.delete", "POST rooms.delete"),
    room("subscription", "ada.chats.subscription", "GET subscriptions.getOne", kinds="cpd"),
    room("mark read", "bob.chats.mark_read", "POST subscriptions.read", kinds="cpd"),
    room("mark unread", "bob.chats.mark_unread", "POST subscriptions.unread", kinds="cpd"),
    room("admin rooms", "chats.everywhere", "GET rooms.adminRooms", kinds="", takes_room=False),
]  # fmt: skip
MESSAGES = [
    room("send", "ada.messages.send", "POST chat.sendMessage", kinds="cpd", arguments=lambda _: ("hello @bob",)),
    message("get", "ada.messages.get", "GET chat.getMessage"),
    message("react", "ada.messages.react", "POST chat.react", named=lambda _: {"emoji": "tada"}),
    message("take a reaction back", "ada.messages.unreact", "POST chat.react", named=lambda _: {"emoji": "tada"},
            before="react"),
    message("star", "ada.messages.star", "POST chat.starMessage"),
    message("take a star back", "ada.messages.unstar", "POST chat.unStarMessage", before="star"),
    message("follow", "ada.messages.follow", "POST chat.followMessage"),
    message("follow no more", "ada.messages.unfollow", "POST chat.unfollowMessage", before="follow"),
    message("report", "ada.messages.report", "POST chat.reportMessage", named=lambda _: {"reason": "rude"}),
    room("pin", "messages.pin", "POST chat.pinMessage", arguments=lambda w: (w.message,), takes_room=False),
    room("unpin", "messages.unpin", "POST chat.unPinMessage", arguments=lambda w: (w.message,), takes_room=False,
         before="pin"),
    room("edit", "messages.edit", "POST chat.update", arguments=lambda w: (w.message, "better")),
    room("delete a message", "messages.delete", "POST chat.delete", arguments=lambda w: (w.message,)),
    room("answer in a thread", "ada.messages.send", "POST chat.sendMessage", kinds="cpd", arguments=lambda _: ("so",),
         named=lambda w: {"thread": w.message}),
    room("threads", "ada.messages.threads", "GET chat.getThreadsList", kinds="cpd", before="answer in a thread"),
    message("a thread", "ada.messages.thread", "GET chat.getThreadMessages", before="answer in a thread"),
    message("changes of a thread", "ada.messages.thread_changes", "GET chat.syncThreadMessages",
            named=lambda _: {"since": LONG_AGO}, before="answer in a thread"),
    room("messages of discussions", "ada.messages.discussions", "GET chat.getDiscussions",
         before="create a discussion"),
    room("mentions", "ada.messages.mentioning_me", "GET chat.getMentionedMessages"),
    room("pinned", "ada.messages.pinned", "GET chat.getPinnedMessages", before="pin"),
    room("starred", "ada.messages.starred", "GET chat.getStarredMessages", kinds="cpd", before="star"),
    room("deleted", "ada.messages.deleted", "GET chat.getDeletedMessages", arguments=lambda _: (LONG_AGO,),
         before="delete a message"),
    room("search", "ada.messages.search", "GET chat.search", kinds="cpd", arguments=lambda _: ("hello",)),
    room("changes", "ada.messages.changes", "GET chat.syncMessages", kinds="cpd", arguments=lambda _: (LONG_AGO,)),
    room("ignore a user", "ada.messages.ignore_user", "GET chat.ignoreUser", kinds="cpd", arguments=lambda _: ("bob",)),
    room("preview of an address", "ada.messages.url_preview", "GET chat.getURLPreview", kinds="cpd",
         arguments=lambda w: (f"{w.sandbox.url}/",)),
    room("media in two steps", "ada.messages.send_file", "POST rooms.media/{rid}",
         "POST rooms.mediaConfirm/{rid}/{fid}",
         kinds="cpd", arguments=lambda _: (PICTURE,), named=lambda _: {"text": "look"}),
    room("media in one step", "ada.messages.send_file", "POST rooms.upload/{rid}", kinds="cpd",
         arguments=lambda _: (PICTURE,), named=lambda _: {"one_step": True}),
    room("messages of others", "messages.of_others", "GET im.messages.others", kinds="d"),
]  # fmt: skip
PEOPLE = [
    people("create a user", "users.create", "POST users.create", arguments=lambda _: ("joe",),
           named=lambda _: {"email": "joe@example.com", "first_name": "Joe", "last_name": "Doe"}),
    people("get a user", "users.get", "GET users.info", arguments=lambda _: ("ada",)),
    people("list users", "users.list", "GET users.list"),
    people("rooms of a user", "users.chats", "GET users.info", arguments=lambda _: ("ada",)),
    people("update a user", "users.update", "POST users.update", arguments=lambda _: ("ada",),
           named=lambda _: {"name": "Ada Lovelace"}),
    people("presence and status", "users.status", "GET users.getStatus", arguments=lambda _: ("ada",)),
    people("who is there", "users.present", "GET users.presence"),
    people("presence of some", "users.present", "GET users.presence", arguments=lambda _: (["ada", "bob"],)),
    people("set the status", "ada.people.set_status", "POST users.setStatus", arguments=lambda _: ("away",),
           named=lambda _: {"text": "at lunch"}),
    people("avatar by address", "ada.people.set_avatar", "POST users.setAvatar",
           named=lambda _: {"url": "https://example.com/ada.png"}),
    people("avatar", "ada.people.set_avatar", "POST users.setAvatar", named=lambda _: {"picture": PICTURE}),
    people("avatar of another", "users.set_avatar", "POST users.setAvatar",
           named=lambda _: {"id": "ada", "url": "https://example.com/ada.png"}),
    people("no avatar", "ada.people.reset_avatar", "POST users.resetAvatar"),
    people("preferences", "ada.people.preferences", "GET users.getPreferences"),
    people("set preferences", "ada.people.set_preferences", "POST users.setPreferences",
           arguments=lambda _: ({"useEmojis": False},)),
    people("deactivate", "users.set_active", "POST users.setActiveStatus", arguments=lambda _: ("eve", False)),
    people("deactivate the idle", "users.deactivate_idle", "POST users.deactivateIdle", arguments=lambda _: (30,)),
    people("give a role", "users.add_role", "POST roles.addUserToRole", arguments=lambda _: ("eve", "bot")),
    people("take a role", "users.remove_role", "POST roles.removeUserFromRole", arguments=lambda _: ("eve", "bot"),
           before="give a role"),
    people("users in a role", "users.in_role", "GET roles.getUsersInRole", arguments=lambda _: ("admin",)),
    people("list with filters", "users.find", "GET users.listByStatus", arguments=lambda _: ("a",),
           named=lambda _: {"active": True, "logged_in": False, "kind": "user", "roles": ["user"]}),
    people("personal access token", "personal_tokens.create", "POST users.generatePersonalAccessToken",
           arguments=lambda _: ("robot",)),
    people("renew a personal access token", "personal_tokens.renew", "POST users.regeneratePersonalAccessToken",
           arguments=lambda _: ("robot",)),
    people("list personal access tokens", "personal_tokens.list", "GET users.getPersonalAccessTokens",
           ),
    people("delete a personal access token", "personal_tokens.delete", "POST users.removePersonalAccessToken",
           arguments=lambda _: ("robot",)),
    people("remove other tokens", "ada.personal_tokens.end_other_sessions", "POST users.removeOtherTokens"),
    people("log a user out", "logout", "POST users.logout", arguments=lambda _: ("bob",)),
    people("me", "ada.me", "GET me"),
    people("own rooms", "ada.rooms", "GET rooms.get"),
    people("subscriptions", "ada.subscriptions", "GET subscriptions.get"),
    people("direct room of two", "ada.direct", "POST im.create", arguments=lambda _: ("eve",)),
    people("direct room of others", "chats.direct", "POST im.create", arguments=lambda _: (["ada", "eve"],)),
    people("create a channel", "chats.create", "POST channels.create", arguments=lambda _: ("made-c",),
           named=lambda _: {"title": "Made", "access": "public", "members": ["ada"]}),
    people("create a group", "chats.create", "POST groups.create", arguments=lambda _: ("made-p",),
           named=lambda _: {"title": "Made", "members": ["ada"]}),
    people("list channels", "chats.channels", "GET channels.list"),
    people("list groups", "chats.groups", "GET groups.listAll"),
    people("directory of channels", "server.channels", "GET directory"),
    people("directory of users", "server.users", "GET directory", arguments=lambda _: ("ad",)),
    people("directory of teams", "server.teams", "GET directory"),
    people("spotlight", "server.search", "GET spotlight", arguments=lambda _: ("ad",)),
    people("statistics", "server.statistics", "GET statistics"),
    people("past statistics", "server.past_statistics", "GET statistics.list", before="statistics"),
    people("token", "tokens.for_user", "POST users.createToken", arguments=lambda _: ("eve",)),
    people("version", "ping", "GET /api/info"),
    people("delete a user", "users.delete", "POST users.delete", arguments=lambda _: ("eve",)),
]  # fmt: skip
ALL = [*ROOMS, *MESSAGES, *PEOPLE]
BY_WORDS = {one.words: one for one in ALL}
CASES = [(one, kind) for one in ALL for kind in one.kinds or " "]


async def in_room(world: World, kind: str, number: int) -> World:
    """The same world, with a new room of a kind and a message in it."""
    if kind == "d":
        chat = await world.client.chats.direct(["ada", "bob"])
        name: Any = RecordId(chat.record_id or "")
        sent = await world.ada.messages.send(name, "hello @bob")
    else:
        name = f"room-{kind}-{number}"
        access: Any = "public" if kind == "c" else "private"
        await world.client.chats.create(name, title="Room", access=access, members=["ada", "bob"])
        chat = await world.client.chats.get(name)
        sent = await world.client.messages.send(name, "hello @ada and @bob")
    return attrs.evolve(world, room=name, room_id=chat.record_id or "", message=sent.id)


async def carry_out(world: World, operation: Operation, **instead: Any) -> Any:
    """Carry out one operation; lists are read to their end."""
    method: Any = {"ada": world.ada, "bob": world.bob}.get(operation.method.partition(".")[0], world.client)
    for name in operation.method.removeprefix("ada.").removeprefix("bob.").split("."):
        method = getattr(method, name)
    place = (instead.get("room", world.room),) if operation.takes_room else ()
    arguments = instead.get("arguments", operation.arguments(world))
    found = method(*place, *arguments, **operation.named(world))
    if hasattr(found, "__aiter__"):
        return [one async for one in found]
    return await found


async def prepare(world: World, operation: Operation) -> None:
    """Carry out what must come first."""
    if operation.before:
        first = BY_WORDS[operation.before]
        await prepare(world, first)
        await carry_out(world, first)


def expected(operation: Operation, kind: str) -> set[str]:
    return {route.replace("{}", FAMILY.get(kind, "")) for route in operation.routes}
