"""Capabilities of platforms (docs/architecture.md#capabilities), as small protocols. A client supports a capability if
it has the attributes that the protocol names.

A client has no method for what its platform cannot do, so a wrong call is a type error. The sync engine and the web
handlers use clients only through these protocols.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

import attrs

if TYPE_CHECKING:
    import re
    from types import TracebackType

    from ethora_async.bulk.outcome import Outcome
    from ethora_async.bulk.run import Run
    from ethora_async.config import Seconds
    from ethora_async.records import Chat, ChatToken, Id, NewChat, NewUser, User

ChangeT = TypeVar("ChangeT")

State = Mapping[str, str | None]
"""A record in the form in which two sides are compared: field name to text; None means "not stated"."""


class UserTokens(Protocol):
    """Mint chat tokens: ``client.tokens``."""

    async def for_user(self, id: Id, /) -> ChatToken:
        """Mint a chat token for a user."""
        ...


@runtime_checkable
class MintsUserTokens(Protocol):
    """A client that mints chat tokens."""

    @property
    def tokens(self) -> UserTokens:
        """The tokens."""
        ...


@runtime_checkable
class RevocableTokens(UserTokens, Protocol):
    """Mint and revoke chat tokens: ``client.tokens`` on a platform with revocation."""

    async def revoke(self, token: ChatToken, /) -> Any:
        """Revoke a token."""
        ...


@runtime_checkable
class RevokesTokens(Protocol):
    """A client that can revoke tokens."""

    @property
    def tokens(self) -> RevocableTokens:
        """The tokens."""
        ...


class UserDirectory(Protocol[ChangeT]):
    """The users of a platform, as plans need them: ``client.users``."""

    @property
    def changeable(self) -> frozenset[str]:
        """The fields of `comparable` that can be changed on the platform, with ``id`` if users can be renamed."""
        ...

    def plain_id(self, id: Id, /) -> str:
        """Return the id as the platform lists it. Available after the first call has been answered."""
        ...

    def key(self, id: Id, /) -> str:
        """Return the key of an id: on this platform, ids with equal keys name the same user.

        A platform that treats every spelling as a different user returns the plain id. Available after the first call
        has been answered.
        """
        ...

    def comparable(self, user: NewUser | User, /) -> State:
        """Return the compared fields of a wanted or an existing user; never a password."""
        ...

    def change(self, user: NewUser, fields: frozenset[str], /, *, current: str | None = None) -> ChangeT:
        """Return the change that sets these fields to the values of `user`.

        Args:
            user: the wanted user.
            fields: some of `changeable`.
            current: the id of the record to change, if it differs; with ``id`` among the fields, the record is renamed.
        """
        ...

    async def reserved(self) -> Callable[[User], bool]:
        """Return a predicate for the platform's own records, which are never planned, deleted or counted.

        See docs/architecture.md#guards.
        """
        ...

    def list(self) -> AsyncIterable[User]:
        """List all users, each once."""
        ...

    def create_many(self, users: Iterable[NewUser] | AsyncIterable[NewUser], /) -> Run[NewUser]:
        """Create users; existing ones are left unchanged."""
        ...

    def update_many(self, changes: Iterable[ChangeT] | AsyncIterable[ChangeT], /) -> Run[ChangeT]:
        """Update users."""
        ...

    def delete_many(self, ids: Iterable[Id] | AsyncIterable[Id], /) -> Run[Id]:
        """Delete users; a missing one is ``absent``."""
        ...


class ChatDirectory(Protocol):
    """The chats of a platform, as plans need them: ``client.chats``."""

    @property
    def changeable(self) -> frozenset[str]:
        """The fields of `comparable` that can be changed on the platform: some of ``title`` and ``description``."""
        ...

    def plain_id(self, id: Id, /) -> str:
        """Return the id as the platform lists it. Available after the first call has been answered."""
        ...

    def key(self, id: Id, /) -> str:
        """Return the key of an id: ids with equal keys name the same chat; see `UserDirectory.key`."""
        ...

    def comparable(self, chat: NewChat | Chat, /) -> State:
        """Return the compared fields of a wanted or an existing chat."""
        ...

    async def reserved(self) -> Callable[[Chat], bool]:
        """Return a predicate for the platform's own chats, which are never planned, deleted or counted.

        See docs/architecture.md#guards.
        """
        ...

    def list(self) -> AsyncIterable[Chat]:
        """List all chats, each once."""
        ...

    def members(self, id: Id, /) -> AsyncIterable[User]:
        """Return the members of a chat."""
        ...

    def create_many(self, chats: Iterable[NewChat] | AsyncIterable[NewChat], /) -> Run[NewChat]:
        """Create chats; existing ones are left unchanged."""
        ...

    async def update(self, id: Id, /, *, title: str | None = None, description: str | None = None) -> Outcome[str]:
        """Update a chat; None leaves a field unchanged."""
        ...

    def delete_many(self, ids: Iterable[Id] | AsyncIterable[Id], /) -> Run[Id]:
        """Delete chats; a missing one is ``absent``."""
        ...

    def grant_many(self, pairs: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]], /) -> Run[tuple[Id, Id]]:
        """Add users to chats, given as pairs of chat and user."""
        ...

    def revoke_many(self, pairs: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]], /) -> Run[tuple[Id, Id]]:
        """Remove users from chats, given as pairs of chat and user."""
        ...


@runtime_checkable
class ChecksIds(Protocol):
    """A directory of users or chats that can reject, without a request, an id that the platform could not store."""

    def own_id(self, id: Id, field: str = "id", /) -> str:
        """Return one of your own ids, taken literally.

        Raises:
            InvalidInputError: the platform could not store it; `field` is the given one.
        """
        ...


class NameRule(NamedTuple):
    """What the names of new records must match entirely, and where that is set."""

    pattern: re.Pattern[str]
    source: str


@runtime_checkable
class RulesNames(Protocol):
    """A directory of users or chats whose server has a rule for the names of new ones."""

    async def name_rule(self) -> NameRule | None:
        """Return the rule; None if it is unknown. Existing records may break it."""
        ...


class ShortNames(NamedTuple):
    """Names that some servers of the platform refuse because they are short, and others accept.

    Attributes:
        fields: the fields of a `NewUser` that it concerns.
        length: the number of letters up to which a name is short.
        reason: what is said of them.
    """

    fields: tuple[str, ...]
    length: int
    reason: str


@runtime_checkable
class DoubtsShortNames(Protocol):
    """A directory of users some of whose servers refuse short names. They are warned of, not rejected."""

    @property
    def short_names(self) -> ShortNames:
        """The names to warn of."""
        ...


@runtime_checkable
class LeavesOut(Protocol):
    """A directory of users that does not hold every field of a `NewUser`."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """By field that is neither stored nor compared, the reason and what to do instead."""
        ...


@runtime_checkable
class RemembersNames(Protocol):
    """A client that remembers for a while which record a name stands for."""

    def forget_names(self) -> None:
        """Look names up anew from now on: others may have deleted a record, and made one of the same name."""
        ...


@runtime_checkable
class ChecksIdsTogether(Protocol):
    """A directory of users that can check many ids together, at a fraction of the cost."""

    def plain_keys(self, ids: Sequence[str], /) -> Sequence[str] | None:
        """Return the `UserDirectory.key` of each id, or None if one of them needs a closer look.

        With keys, `UserDirectory.plain_id` and `ChecksIds.own_id` return each id as it is.
        """
        ...


@runtime_checkable
class ComparesTexts(Protocol):
    """A directory of users whose `UserDirectory.comparable` takes fields of a new user as they are."""

    @property
    def compared(self) -> frozenset[str]:
        """The fields of a `NewUser` that `comparable` returns unchanged, None among them, and no others.

        The e-mail address of a `NewUser` is in lower case.
        """
        ...


@attrs.frozen
class ListedUsers:
    """Users of a listing, as far as a comparison needs them, by column.

    Attributes:
        ids: the `UserDirectory.plain_id` of each.
        keys: the `UserDirectory.key` of each.
        states: the `UserDirectory.comparable` fields of each.
        own: whether each is the platform's own.
    """

    ids: Sequence[str]
    keys: Sequence[str]
    states: Sequence[State]
    own: Sequence[bool]

    def __len__(self) -> int:
        return len(self.ids)


@runtime_checkable
class ListsForComparison(Protocol):
    """A directory of users that can list them without making a record of each."""

    async def list_for_comparison(
        self, reserved: Callable[[User], bool], keep: Callable[[ListedUsers], Awaitable[int]], /
    ) -> None:
        """List what `UserDirectory.list` lists, many users at once.

        Args:
            reserved: a result of `UserDirectory.reserved`.
            keep: called with the users of each page; returns how many of them were not listed before. Of users who are
                listed again, the first record counts.
        """
        ...


@runtime_checkable
class TellsOwnIds(Protocol):
    """A result of `UserDirectory.reserved` that needs the id alone, and no record made for it."""

    def has_id(self, id: str, /) -> bool:
        """Return whether a new user with this id would count as the platform's own."""
        ...


@runtime_checkable
class ManagesUsers(Protocol):
    """A client that can keep the platform's users in step with yours."""

    @property
    def users(self) -> UserDirectory[Any]:
        """The users."""
        ...


@runtime_checkable
class ManagesChats(Protocol):
    """A client that can keep the platform's chats and their members in step with yours."""

    @property
    def chats(self) -> ChatDirectory:
        """The chats."""
        ...


class CallbackAnswer(Protocol):
    """A reply to a callback of the platform, for a web framework to send."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, including Content-Type."""
        ...

    @property
    def body(self) -> bytes:
        """The body."""
        ...


class CallbackHandler(Protocol):
    """Answers a platform's callbacks to this site, independently of any web framework."""

    async def handle(
        self,
        method: str,
        path: str,
        query: str | Mapping[str, str],
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        /,
    ) -> CallbackAnswer:
        """Answer one request: `path` percent-encoded and without its query, `query` raw or as a mapping."""
        ...


@runtime_checkable
class AnswersUserInfo(Protocol):
    """A client for a platform that looks up users through this site."""

    def user_info(self, lookup: Callable[[Sequence[Any]], Awaitable[Iterable[Any]]], /) -> CallbackHandler:
        """Return the handler; `lookup` finds users by their ids."""
        ...


class EventStream(Protocol):
    """A stream of events as one user sees them: enter it with ``async with``, then iterate over it."""

    async def __aenter__(self) -> Self:
        """Open it."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close it."""
        ...

    def __aiter__(self) -> AsyncIterator[Any]:
        """Return the iterator of events. It raises an error when the user's session ends."""
        ...

    async def subscribe(self, room: Id, /) -> None:
        """Report a room's events from now on."""
        ...

    async def unsubscribe(self, room: Id, /) -> None:
        """Stop reporting a room's events."""
        ...

    async def send(self, room: Id, text: str, /) -> Any:
        """Send a message to a room as the user; return the message."""
        ...

    async def typing(self, room: Id, /, *, composing: bool = True) -> None:
        """Tell a room that the user is typing, or has stopped."""
        ...

    async def history(self, room: Id, /, *, limit: int = 100, before: str | None = None) -> Sequence[Any]:
        """Return the latest messages of a room, oldest first; those before the message with this id if it is given."""
        ...

    async def aclose(self) -> None:
        """Close it; safe to call more than once."""
        ...


@runtime_checkable
class StreamsEvents(Protocol):
    """A client that reports events as they happen."""

    def realtime(
        self, user: Id | ChatToken, /, *, rooms: Id | Iterable[Id] = (), queue_size: int = 1000
    ) -> EventStream:
        """Return the stream of what one user sees in these rooms; at most `queue_size` events wait to be read."""
        ...


@runtime_checkable
class KnowsWhetherReady(Protocol):
    """A client that can check whether it is able to sign a call now."""

    async def ready(self) -> None:
        """Check that the settings are complete; read the secret store if it has not been read yet."""
        ...


class PingAnswer(Protocol):
    """The platform's answer to a ping."""

    @property
    def latency(self) -> float:
        """The seconds that it took."""
        ...


@runtime_checkable
class AnswersPing(Protocol):
    """A client that can check that its platform answers."""

    async def ping(self, *, timeout: Seconds | None = None) -> PingAnswer:
        """Send a request to the platform; return when it answers."""
        ...
