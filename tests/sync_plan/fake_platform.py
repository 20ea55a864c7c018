"""A platform in memory, and clients of it that the sync engine can be driven with: no sockets, no clock, no thread.

::

    platform = FakePlatform()
    platform.faults.append(Fault("users.create", ReplyLostError, key="u1"))
    platform.crash(at=7, after_effect=True, then=lambda: shutil.copytree(workspace, survived))
    client = platform.client()  # one per process: after a crash take a new one, as a new process would

What is wanted comes from `fake_source.FakeSource`.

`FakePlatform.effects` counts what really happened to each record, so that nothing happens twice unseen; what is done
to a record that is the platform's own is refused, and noted in `attacks`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import attrs

from ethora_async.errors import ChatError, ConflictError, ForbiddenError, NotFoundError, ReplyLostError
from ethora_async.records import Chat, ChatAccess, NewChat, NewUser, User

if TYPE_CHECKING:
    from fake_client import FakeClient

    from ethora_async.bulk.outcome import Status
    from ethora_async.capabilities import State

T = TypeVar("T")

Operation = Literal[
    "users.reserved", "users.list", "users.create", "users.update", "users.delete",
    "chats.reserved", "chats.list", "chats.members", "chats.create", "chats.update", "chats.delete",
    "chats.grant", "chats.revoke",
]  # fmt: skip
"""What faults and `FakePlatform.steps` call a request. A request is about one record, or is one page of a listing."""

PREFIX = "app_"
"""Of the platform's own names, which `key` takes off, as Ethora's."""

USER_FIELDS = frozenset({"first_name", "last_name", "profile_image"})
CHAT_FIELDS = frozenset({"title", "description"})


class Crash(BaseException):
    """``kill -9``: no handler of the code under test may mistake it for an error to go on after."""


@attrs.define(eq=False)
class Fault:
    """Something that goes wrong.

    Attributes:
        operation: with which request.
        error: what is raised, or told of the item: `ConflictError`, `ValidationFailedError`, `NotFoundError` refuse
            it; `NotSentError` never reached the platform; `ReplyLostError` leaves it unknown.
        key: with which record only: its plain id, or ``chat/user``; None is any.
        times: how often; None is for ever.
        took_effect: whether the platform did it all the same; by default when nobody can know (`ReplyLostError`).
    """

    operation: Operation
    error: type[ChatError]
    key: str | None = None
    times: int | None = 1
    took_effect: bool = attrs.field(default=attrs.Factory(lambda self: issubclass(self.error, ReplyLostError), True))

    def meets(self, operation: Operation, key: str) -> bool:
        """Whether it strikes now; it is used up by that."""
        if self.operation != operation or self.key not in (None, key) or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def raised(self) -> ChatError:
        msg = f"{self.error.__name__} as the test asked for"
        return self.error(msg, operation=self.operation, attempts=1)


@attrs.define
class _Crash:
    at: int
    after_effect: bool
    then: Callable[[], None]


@attrs.define
class _Fading(Generic[T]):
    record: T
    listings: int


class FakePlatform:
    """Users with unique e-mail addresses, chats and memberships, and what happened to them.

    Args:
        name: what its clients show of it.
        folds: whether ids that differ by case alone name one user or chat.
        user_fields: what may be changed of a user; ``id`` and ``email`` among them where the platform can.
        lag: for how many further listings a record that is gone, or a membership, is still listed.
        page: records of a page of a listing.

    Attributes:
        users, chats, members: what is there, by plain id; `seed_user`, `seed_chat` and `seed_member` fill it.
        own_users, own_chats: the ids of the platform's own records.
        faults: what will go wrong; the first that meets a request strikes.
        effects: how often each record was changed: ``("create", "user", "u1")``, ``("grant", "member", "c1/u1")``.
        steps: how many requests there were, of each operation.
        then: called whenever something is changed; with old and new id when somebody is renamed.
        attacks: requests that would have changed the platform's own records; all were refused.
    """

    def __init__(
        self,
        name: str = "fake",
        *,
        lag: int = 0,
        page: int = 4,
        folds: bool = False,
        user_fields: frozenset[str] = USER_FIELDS,
    ) -> None:
        self.name, self.lag, self.page = name, lag, page
        self.folds, self.user_fields = folds, user_fields
        self.users: dict[str, User] = {}
        self.chats: dict[str, Chat] = {}
        self.members: dict[str, set[str]] = {}
        self.own_users: set[str] = set()
        self.own_chats: set[str] = set()
        self.faults: list[Fault] = []
        self.effects: Counter[tuple[str, str, str]] = Counter()
        self.steps: Counter[Operation] = Counter()
        self.attacks: list[tuple[Operation, str]] = []
        self.then: Callable[[tuple[str, str] | None], None] | None = None
        self._crash: _Crash | None = None
        self._fading_users: dict[str, _Fading[User]] = {}
        self._fading_chats: dict[str, _Fading[Chat]] = {}
        self._fading_members: dict[str, dict[str, _Fading[User]]] = {}

    def seed_user(self, id: str, *, own: bool = False, email: str | None = None, **fields: Any) -> User:
        """Put a user there, who counts as no effect; `own` is the platform's."""
        names = {"first_name": "Ann", "last_name": "Lee", **fields}
        user = User(id=id, email=email or f"{id}@example.com", xmpp_username=PREFIX + id, **names)
        self.users[id] = user
        if own:
            self.own_users.add(id)
        return user

    def seed_chat(
        self,
        id: str,
        *,
        own: bool = False,
        title: str = "Chat",
        description: str = "",
        access: ChatAccess = "private",
        members: Iterable[str] = (),
    ) -> Chat:
        """Put a chat there."""
        kind = "public" if access == "public" else "group"
        self.chats[id] = chat = Chat(id=id, name=PREFIX + id, title=title, description=description, type=kind)
        self.members[id] = set()
        for user in members:
            self.seed_member(id, user)
        if own:
            self.own_chats.add(id)
        return chat

    def seed_member(self, chat: str, user: str) -> None:
        """Put a membership there; both must be."""
        assert user in self.users
        self.members[chat].add(user)

    def client(self, *, batch_size: int = 3, concurrency: int = 2) -> FakeClient:
        """A client, for one process's life."""
        from fake_client import FakeClient

        return FakeClient(self, batch_size=batch_size, concurrency=concurrency)

    def crash(self, at: int, *, after_effect: bool = False, then: Callable[[], None] = lambda: None) -> None:
        """Kill the process with its `at`-th request from now on, before or after that takes effect.

        `then` is called at that very moment, in the loop's thread: to copy the files that a real process would leave,
        before any ``finally`` writes to them. Whoever goes on with the same client meets `Crash` again, to no effect.
        """
        self._crash = _Crash(at, after_effect, then)

    @property
    def crash_is_due(self) -> bool:
        """Whether the crash asked for has not come yet; `survive` takes it back."""
        return self._crash is not None

    def survive(self) -> None:
        """Let nothing crash, nothing fail and nothing lag from now on."""
        self._crash = None
        self.faults.clear()
        self.lag = 0
        for fading in (self._fading_users, self._fading_chats, self._fading_members):
            fading.clear()

    def state(self) -> tuple[dict[str, State], dict[str, State], set[tuple[str, str]]]:
        """What is there beside the platform's own: users, chats and memberships, in the words of `comparable`."""
        users = {id: user_state(user) for id, user in self.users.items() if id not in self.own_users}
        chats = {id: chat_state(chat) for id, chat in self.chats.items() if id not in self.own_chats}
        return users, chats, {(chat, user) for chat in chats for user in self.members[chat] if user in users}

    def own_state(self) -> tuple[dict[str, User], dict[str, Chat], set[tuple[str, str]]]:
        """The platform's own records: nobody may change them."""
        users = {id: user for id, user in self.users.items() if id in self.own_users}
        chats = {id: chat for id, chat in self.chats.items() if id in self.own_chats}
        members = {(chat, user) for chat, inside in self.members.items() for user in inside}
        return users, chats, {(chat, user) for chat, user in members if chat in chats or user in users}

    async def request(self, client: FakeClient, operation: Operation, key: str, act: Callable[[], T]) -> T:
        """One request: `act` is its effect.

        Raises:
            Crash: the process dies with it, or is dead.
            ChatError: `act` or a fault refuses it.
        """
        if client.dead:
            raise Crash
        self.steps[operation] += 1
        crash = self._crash
        if crash is not None:
            crash.at -= 1
            if crash.at > 0:
                crash = None
        if crash is not None and not crash.after_effect:
            self._die(client, crash)
        result = self._answered(operation, key, act)
        if crash is not None:
            self._die(client, crash)
        if isinstance(result, ChatError):
            raise result
        return result

    def _answered(self, operation: Operation, key: str, act: Callable[[], T]) -> T | ChatError:
        fault = next((fault for fault in self.faults if fault.meets(operation, key)), None)
        if fault is not None and not fault.took_effect:
            return fault.raised()
        try:
            result: T | ChatError = act()
        except ChatError as error:
            error.operation, error.attempts = operation, 1
            result = error
        return fault.raised() if fault is not None else result

    def _die(self, client: FakeClient, crash: _Crash) -> None:
        self._crash = None
        client.dead = True
        crash.then()
        raise Crash

    def effect(self, action: str, kind: str, key: str) -> None:
        """Note that something is changed."""
        self.effects[action, kind, key] += 1
        if self.then is not None:
            self.then(None)

    def guard(self, operation: Operation, key: str, *, own: bool) -> None:
        """Refuse to change the platform's own."""
        if own:
            self.attacks.append((operation, key))
            raise ForbiddenError("this is the platform's own")

    def create_user(self, new: NewUser, key: str) -> tuple[Status, User]:
        if (there := self._same(self.users, key)) is not None:
            return "existed", there
        if any(user.email == new.email for user in self.users.values()):
            raise ConflictError("the e-mail address belongs to another user")
        self.effect("create", "user", key)
        made = self.users[key] = User(
            id=key,
            email=new.email,
            first_name=new.first_name,
            last_name=new.last_name,
            profile_image=new.profile_image,
            xmpp_username=PREFIX + key,
        )
        self._fading_users.pop(key, None)
        return "created", made

    def update_user(self, change: FakeChange, key: str) -> tuple[Status, User]:
        user = self._user(key)
        self.guard("users.update", key, own=key in self.own_users)
        changed = attrs.evolve(user, **change.fields)
        if changed == user:
            return "unchanged", user
        others = [other for id, other in self.users.items() if id != key]
        if any(other.email == changed.email for other in others):
            raise ConflictError("the e-mail address belongs to another user")
        self.effect("update", "user", key)
        if changed.id != key:
            self._rename(key, changed.id)
        self.users[changed.id] = changed
        return "updated", changed

    def _same(self, records: dict[str, T], key: str) -> T | None:
        folded = key.lower() if self.folds else key
        return next((one for id, one in records.items() if (id.lower() if self.folds else id) == folded), None)

    def _rename(self, old: str, new: str) -> None:
        if self._same({id: 1 for id in self.users if id != old}, new):
            raise ConflictError("the id belongs to another user")
        del self.users[old]
        for inside in self.members.values():
            if old in inside:
                inside.remove(old)
                inside.add(new)
        if self.then is not None:
            self.then((old, new))

    def delete_user(self, key: str) -> Status:
        if key not in self.users:
            return "absent"
        self.guard("users.delete", key, own=key in self.own_users)
        self.effect("delete", "user", key)
        gone = self.users.pop(key)
        for inside in self.members.values():
            inside.discard(key)
        if self.lag:
            self._fading_users[key] = _Fading(gone, self.lag)
        return "deleted"

    def create_chat(self, new: NewChat, key: str, members: list[str]) -> tuple[Status, Chat]:
        if (there := self.chats.get(key)) is not None:
            return "existed", there
        for user in members:
            self._user(user)
        self.effect("create", "chat", key)
        description = new.description or ""
        made = self.seed_chat(key, title=new.title, description=description, access=new.access, members=members)
        self._fading_chats.pop(key, None)
        return "created", made

    def update_chat(self, key: str, fields: Mapping[str, Any]) -> Status:
        chat = self._chat(key)
        self.guard("chats.update", key, own=key in self.own_chats)
        self.effect("update", "chat", key)
        self.chats[key] = attrs.evolve(chat, **fields)
        return "updated"

    def delete_chat(self, key: str) -> Status:
        if key not in self.chats:
            return "absent"
        self.guard("chats.delete", key, own=key in self.own_chats)
        self.effect("delete", "chat", key)
        gone = self.chats.pop(key)
        del self.members[key]
        self._fading_members.pop(key, None)
        if self.lag:
            self._fading_chats[key] = _Fading(gone, self.lag)
        return "deleted"

    def grant(self, chat: str, user: str) -> Status:
        self._chat(chat)
        self._user(user)
        if user in self.members[chat]:
            return "existed"
        self.guard("chats.grant", f"{chat}/{user}", own=chat in self.own_chats or user in self.own_users)
        self.effect("grant", "member", f"{chat}/{user}")
        self.members[chat].add(user)
        self._fading_members.get(chat, {}).pop(user, None)
        return "created"

    def revoke(self, chat: str, user: str) -> Status:
        self._chat(chat)
        if user not in self.members[chat]:
            self._user(user)
            return "absent"
        self.guard("chats.revoke", f"{chat}/{user}", own=chat in self.own_chats or user in self.own_users)
        self.effect("revoke", "member", f"{chat}/{user}")
        self.members[chat].discard(user)
        if self.lag:
            self._fading_members.setdefault(chat, {})[user] = _Fading(self.users[user], self.lag)
        return "deleted"

    def list_users(self) -> list[User]:
        return [*self.users.values(), *_faded(self._fading_users)]

    def list_chats(self) -> list[Chat]:
        return [*self.chats.values(), *_faded(self._fading_chats)]

    def list_members(self, chat: str) -> list[User]:
        if chat not in self.chats:
            if chat in self._fading_chats:
                return []  # a room that listings still show has nobody inside
            self._chat(chat)
        fading = self._fading_members.get(chat, {})
        return [self.users[user] for user in sorted(self.members[chat])] + _faded(fading)

    def _user(self, key: str) -> User:
        if key not in self.users:
            raise NotFoundError(f"no user {key!r}", code="USER_NOT_FOUND")
        return self.users[key]

    def _chat(self, key: str) -> Chat:
        if key not in self.chats:
            raise NotFoundError(f"no chat {key!r}", code="CHAT_NOT_FOUND")
        return self.chats[key]


def _faded(fading: dict[str, _Fading[T]]) -> list[T]:
    shown = [one.record for one in fading.values()]
    for key, one in list(fading.items()):
        one.listings -= 1
        if one.listings <= 0:
            del fading[key]
    return shown


def user_state(user: NewUser | User) -> State:
    email = user.email.lower() if user.email is not None else None
    return {
        "email": email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "profile_image": user.profile_image,
    }


def chat_state(chat: NewChat | Chat) -> State:
    # None on an existing one would be "not known", and differ from an empty one for ever.
    description = chat.description if isinstance(chat, NewChat) else chat.description or ""
    return {"title": chat.title, "description": description, "access": chat.access}


@attrs.frozen
class FakeChange:
    """What to change about a user."""

    id: str
    fields: Mapping[str, Any]
