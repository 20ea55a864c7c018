"""What a platform may be able to do (docs/architecture.md#capabilities): small protocols that clients satisfy by having
the parts they name.

What a platform cannot do, its client does not have, so that asking for it is a type error. The sync engine and the web
handlers know clients by these alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from types import TracebackType

    from ethora_async.bulk.outcome import Outcome
    from ethora_async.bulk.run import Run
    from ethora_async.records import Chat, ChatToken, Id, NewChat, NewUser, User

ChangeT = TypeVar("ChangeT")

State = Mapping[str, str | None]
"""A record in the words in which two sides are compared: field name to text; None stands for "not stated"."""


class UserTokens(Protocol):
    """``client.tokens``."""

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


class RevocableTokens(UserTokens, Protocol):
    """``client.tokens`` where the platform can take a token back."""

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
    """``client.users``, as plans need it."""

    @property
    def changeable(self) -> frozenset[str]:
        """The fields of `comparable` that the platform lets us change, and ``id`` if it can rename users."""
        ...

    def plain_id(self, id: Id, /) -> str:
        """Return the id as the platform lists it. Not before the first call has been answered."""
        ...

    def key(self, id: Id, /) -> str:
        """Return the key of an id: ids with equal keys name one user on this platform.

        A platform that tells all spellings apart returns the plain id. Not before the first call has been answered.
        """
        ...

    def comparable(self, user: NewUser | User, /) -> State:
        """Return the compared fields of a wanted or an existing user; never a password."""
        ...

    def change(self, user: NewUser, fields: frozenset[str], /, *, current: str | None = None) -> ChangeT:
        """Return the change that makes these fields as `user` has them.

        Args:
            user: the wanted user.
            fields: some of `changeable`.
            current: the id of the record to change, when it is another one; ``id`` among the fields renames it.
        """
        ...

    async def reserved(self) -> Callable[[User], bool]:
        """Return what tells the platform's own records, which are never planned, deleted or counted.

        See docs/architecture.md#guards.
        """
        ...

    def list(self) -> AsyncIterable[User]:
        """Everybody, each once."""
        ...

    def create_many(self, users: Iterable[NewUser] | AsyncIterable[NewUser], /) -> Run[NewUser]:
        """Create them; who is there already is left alone."""
        ...

    def update_many(self, changes: Iterable[ChangeT] | AsyncIterable[ChangeT], /) -> Run[ChangeT]:
        """Change them."""
        ...

    def delete_many(self, ids: Iterable[Id] | AsyncIterable[Id], /) -> Run[Id]:
        """Delete them; one who is not there is ``absent``."""
        ...


class ChatDirectory(Protocol):
    """``client.chats``, as plans need it."""

    @property
    def changeable(self) -> frozenset[str]:
        """The fields of `comparable` that the platform lets us change: some of ``title`` and ``description``."""
        ...

    def plain_id(self, id: Id, /) -> str:
        """Return the id as the platform lists it. Not before the first call has been answered."""
        ...

    def key(self, id: Id, /) -> str:
        """Return the key of an id: ids with equal keys name one chat on this platform; see `UserDirectory.key`."""
        ...

    def comparable(self, chat: NewChat | Chat, /) -> State:
        """Return a wanted or an existing chat in the words in which the two are compared."""
        ...

    async def reserved(self) -> Callable[[Chat], bool]:
        """Return what tells the platform's own chats, which are never planned, deleted or counted.

        See docs/architecture.md#guards.
        """
        ...

    def list(self) -> AsyncIterable[Chat]:
        """Return all chats, each once."""
        ...

    def members(self, id: Id, /) -> AsyncIterable[User]:
        """Return who may enter a chat."""
        ...

    def create_many(self, chats: Iterable[NewChat] | AsyncIterable[NewChat], /) -> Run[NewChat]:
        """Create them; what is there already is left alone."""
        ...

    async def update(self, id: Id, /, *, title: str | None = None, description: str | None = None) -> Outcome[str]:
        """Change one; None leaves a field as it is."""
        ...

    def delete_many(self, ids: Iterable[Id] | AsyncIterable[Id], /) -> Run[Id]:
        """Delete them; one that is not there is ``absent``."""
        ...

    def grant_many(self, pairs: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]], /) -> Run[tuple[Id, Id]]:
        """Let users into chats: pairs of chat and user."""
        ...

    def revoke_many(self, pairs: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]], /) -> Run[tuple[Id, Id]]:
        """Take users out of chats: pairs of chat and user."""
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
    """A client that can keep the platform's chats, and who may enter them, in step with yours."""

    @property
    def chats(self) -> ChatDirectory:
        """The chats."""
        ...


class CallbackAnswer(Protocol):
    """A reply to a platform that called us, for a web framework to send."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, Content-Type among them."""
        ...

    @property
    def body(self) -> bytes:
        """The body."""
        ...


class CallbackHandler(Protocol):
    """Answers what a platform asks this site, without any web framework."""

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
    """A client for a platform that asks this site who its users are."""

    def user_info(self, lookup: Callable[[Sequence[Any]], Awaitable[Iterable[Any]]], /) -> CallbackHandler:
        """Return the handler; `lookup` finds users by their ids."""
        ...


class EventStream(Protocol):
    """A stream of events as one user sees them: enter it, then iterate over it."""

    async def __aenter__(self) -> Self:
        """Open it."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close it."""
        ...

    def __aiter__(self) -> AsyncIterator[Any]:
        """Return the events. The end of the user's session is raised, as an error."""
        ...

    async def aclose(self) -> None:
        """Close it; may be called more than once."""
        ...


@runtime_checkable
class StreamsEvents(Protocol):
    """A client that tells what happens as it happens."""

    def realtime(self, user: Id | ChatToken, /) -> EventStream:
        """Return what one user sees."""
        ...


@runtime_checkable
class KnowsWhetherReady(Protocol):
    """A client that can tell whether it could sign a call now."""

    async def ready(self) -> None:
        """Pass when the settings are complete and the secret is at hand; asks for it when it is not."""
        ...


@runtime_checkable
class AnswersPing(Protocol):
    """A client that can ask its platform for a sign of life."""

    async def ping(self) -> Any:
        """Pass when the platform answers."""
        ...
