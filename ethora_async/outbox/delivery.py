"""Carry out one turn's lanes on the platform with the ``*_many`` methods, in a safe order."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import aclosing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import attrs

from ethora_async.bulk.outcome import Outcome, Status
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.capabilities import ManagesChats
from ethora_async.engine.lost_attempts import watching_lost_attempts
from ethora_async.errors import ChatError, ConfigError, InvalidInputError, NotSentError
from ethora_async.outbox.intents import SEALED_PASSWORD
from ethora_async.outbox.lanes import UNREADABLE, Lane, LaneKey, Verdict
from ethora_async.outbox.settling import collides, is_fatal, is_trouble, settled, was_not_there
from ethora_async.outbox.validation import check_fields
from ethora_async.records import NewChat, NewUser, User, literal_id
from ethora_async.sync.plan.directories import chats_of

if TYPE_CHECKING:
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.outbox.lanes import Kind
    from ethora_async.records import Id
    from ethora_async.redaction import Secret

_USER_FIELDS = ("email", "first_name", "last_name", "profile_image")
_CHAT_FIELDS = ("title", "access", "description")
_UPDATES = 4
"""Maximum number of retries of conflicting updates in one turn, while other updates resolve the conflict."""
_KNOWN_ACCESS = 50_000
"""Number of chats whose access is kept in memory."""


class Claim:
    """The claim that a delivery works under.

    Args:
        hold: extends the claim and returns the lanes that are still held.
        note_deleted: records that these were deleted, and returns those that are still held.
        wanted_addresses: returns the users whose open lanes want these e-mail addresses.
        open_password: opens a sealed password of a user.
    """

    def __init__(
        self,
        hold: Callable[[], Awaitable[frozenset[LaneKey]]],
        note_deleted: Callable[[Sequence[Lane]], Awaitable[frozenset[LaneKey]]],
        wanted_addresses: Callable[[Sequence[str]], Awaitable[Mapping[str, frozenset[str]]]],
        open_password: Callable[[str, object], Awaitable[Secret]],
    ) -> None:
        self.hold = hold
        self.note_deleted = note_deleted
        self.wanted_addresses = wanted_addresses
        self.open_password = open_password


class Delivery:
    """The delivery of one turn's lanes.

    Args:
        client: the platform's client.
        lanes: the lanes.
        claim: the claim on them.
        deadline: the client's deadline for one call.
        access: the known access of chats, by key; updated for the next turn. No platform can change it, and reading it
            may take a whole listing.

    The steps: delete the users to remove, or to recreate; create users; update existing users; delete, create and
    update chats; revoke and grant memberships; delete the chats to remove. Before each step the claim is extended, and
    lanes that another worker has taken over are skipped.

    Attributes:
        verdicts: the results so far; complete when `run` has returned. A lane without one was lost to another worker.
        answered: whether the platform has answered for at least one lane.
        trouble: the first error that was about the platform.
    """

    def __init__(
        self,
        client: ManagesUsers,
        lanes: Sequence[Lane],
        claim: Claim,
        *,
        deadline: float,
        access: MutableMapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._access = {} if access is None else access
        self._lanes = list(lanes)
        self._claim = claim
        self._by_id = {lane.id: lane for lane in lanes}
        self._held = frozenset(self._by_id)
        self._users: dict[LaneKey, NewUser] = {}
        self._address_freed = False
        self._in_flight: set[LaneKey] = set()
        self.verdicts: dict[LaneKey, Verdict] = {}
        self.answered: bool = False
        self.trouble: ChatError | None = None

    async def run(self) -> None:
        """Carry everything out.

        Raises:
            ConfigError, WrongLoopError: the client cannot work at all; nothing more was sent.
            OutboxDatabaseError: the claim could not be extended.
        """
        if not await self._client_knows_ids():
            return
        self._check_ids()
        await self._check()
        await self._delete_users()
        await self._create_users()
        await self._chats()
        await self._members()
        await self._delete_chats()

    def _open(self, kind: Kind, which: Callable[[Lane], bool]) -> list[Lane]:
        return [
            lane
            for lane in self._lanes
            if lane.id.kind == kind and lane.id not in self.verdicts and lane.id in self._held and which(lane)
        ]

    async def _step(self, kind: Kind, which: Callable[[Lane], bool]) -> list[Lane]:
        """Return the lanes of a step, their claim extended: a lease outlives every request of the step that is sent
        now.
        """
        if not self._open(kind, which):
            return []
        self._held &= await self._claim.hold()
        return self._open(kind, which)

    def _settle(self, lane: Lane, error: ChatError | None) -> None:
        verdict = settled(lane, error, self._deadline)
        if lane.id in self._in_flight and verdict.state in ("done", "again"):
            # A lost attempt may still arrive, and would undo a newer intent. The lane is carried out again after that.
            verdict = attrs.evolve(verdict, state="held", delay=max(self._deadline, verdict.delay))
        self.verdicts[lane.id] = verdict

    async def _client_knows_ids(self) -> bool:
        """Let a client whose app id is in the secret store read it. Return False when that failed."""
        try:
            self._client.users.plain_id("id")
        except ConfigError:
            try:
                await self._client.users.reserved()
            except ChatError as error:
                self._heed(error)
                for lane in self._lanes:
                    self._settle(lane, error)
                return False
        return True

    def _check_ids(self) -> None:
        """Reject ids that are not literally the caller's own: a look-up form would name somebody else's record."""
        chats = self._client.chats if isinstance(self._client, ManagesChats) else None
        for lane in self._lanes:
            ids = {"chat": lane.id.key, "user": lane.id.other} if lane.id.kind == "member" else {"id": lane.id.key}
            try:
                for field, id in ids.items():
                    directory = self._client.users if (lane.id.kind if field == "id" else field) == "user" else chats
                    if literal_id(id, field) and directory is not None and directory.plain_id(id) != id:
                        msg = f"{field} {id!r} is a name that the platform made: pass your own id, as in your database"
                        raise InvalidInputError(msg, field=field)
            except InvalidInputError as error:
                self._settle(lane, error)

    async def _check(self) -> None:
        for lane in self._open("user", lambda lane: lane.wanted is not None):
            try:
                self._users[lane.id] = await self._user(lane)
            except InvalidInputError as error:
                self._settle(lane, error)
        if not isinstance(self._client, ManagesChats):
            msg = f"{type(self._client).__name__} manages no chats"
            for lane in self._lanes:
                if lane.id.kind != "user":
                    self._settle(lane, InvalidInputError(msg))

    async def _user(self, lane: Lane) -> NewUser:
        wanted = _fields(lane, (*_USER_FIELDS, SEALED_PASSWORD))
        sealed = wanted.pop(SEALED_PASSWORD, None)
        password = None if sealed is None else await self._claim.open_password(lane.id.key, sealed)
        told = {name: wanted.get(name) or "" for name in ("email", "first_name", "last_name")}
        return NewUser(id=lane.id.key, **told, password=password, profile_image=wanted.get("profile_image"))

    async def _delete_users(self) -> None:
        lanes = await self._step("user", lambda lane: lane.wanted is None or lane.returns)
        await self._deleted(lanes, self._client.users.delete_many)

    async def _deleted(self, lanes: Sequence[Lane], delete: Callable[[Any], Run[Any]]) -> None:
        """Delete users; a user to recreate is recorded as deleted first, so no other worker deletes the new one."""
        returning: list[Lane] = []
        found: dict[LaneKey, Outcome[Any]] = {}
        errors = await self._send(lanes, [lane.id.key for lane in lanes], delete, found)
        for lane in lanes:
            error = None if was_not_there(errors[lane.id]) else errors[lane.id]
            if error is None and lane.wanted is not None:
                returning.append(lane)
            else:
                self._settle(lane, error)
        if returning:
            still = await self._claim.note_deleted(returning)
            self._held -= {lane.id for lane in returning} - still
        for lane in returning:
            if found[lane.id].attempts > 1:
                # An earlier attempt may still be in flight, and must not delete the new user.
                self.verdicts[lane.id] = Verdict(lane, "held", delay=self._deadline, attempts=lane.attempts)

    async def _create_users(self) -> None:
        lanes = await self._step("user", lambda lane: lane.wanted is not None)
        there: dict[LaneKey, Any] = {}
        blocked = await self._created(lanes, there)
        await self._update_users(there)
        if blocked and self._address_freed:
            still = {lane.id for lane in blocked}
            again = await self._step("user", lambda lane: lane.id in still)
            later: dict[LaneKey, Any] = {}
            blocked = await self._created(again, later)
            await self._update_users(later)
        for lane, error in blocked.items():
            self._settle(lane, error)

    async def _created(self, lanes: Sequence[Lane], there: dict[LaneKey, Any]) -> dict[Lane, ChatError]:
        """Create users; add existing ones to `there`, and return those whose address belongs to somebody else."""
        blocked: dict[Lane, ChatError] = {}
        found: dict[LaneKey, Outcome[Any]] = {}
        users = [self._users[lane.id] for lane in lanes]
        errors = await self._send(lanes, users, self._client.users.create_many, found)
        for lane in lanes:
            error = errors[lane.id]
            if error is not None and collides(error):
                blocked[lane] = error
            elif error is None and found[lane.id].status == "existed":
                there[lane.id] = found[lane.id].value
            else:
                self._settle(lane, error)
        return blocked

    async def _update_users(self, there: Mapping[LaneKey, Any]) -> None:
        users = self._client.users
        fields: dict[LaneKey, frozenset[str]] = {}
        stays: dict[LaneKey, frozenset[str]] = {}
        for id, record in there.items():
            wanted = users.comparable(self._users[id])
            actual = users.comparable(record) if isinstance(record, User) else {}
            differing = frozenset(
                name for name, value in wanted.items() if value is not None and value != actual.get(name, "\0")
            )
            fields[id] = differing & users.changeable
            # Fields that the reply lacks cannot be compared.
            stays[id] = frozenset(name for name in differing - users.changeable if actual.get(name) is not None)
        await self._update_fields(fields, there)
        for id in there:
            if id in self.verdicts or id not in self._held:
                continue
            lane = self._by_id[id]
            platform = type(self._client).__name__
            if stays[id]:
                self.verdicts[id] = _unchangeable(lane, stays[id], platform)
            else:
                self._settle(lane, None)

    async def _update_fields(self, fields: Mapping[LaneKey, frozenset[str]], there: Mapping[LaneKey, Any]) -> None:
        users = self._client.users
        left = frozenset(id for id, names in fields.items() if names)
        errors: dict[LaneKey, ChatError | None] = {}
        parked = False
        for _ in range(_UPDATES):
            lanes = await self._step("user", partial(_among, left))
            changes = [users.change(self._users[lane.id], fields[lane.id]) for lane in lanes]
            errors |= await self._send(lanes, changes, users.update_many)
            left = frozenset(lane.id for lane in lanes if collides(errors[lane.id]))
            self._address_freed |= any("email" in fields[lane.id] for lane in lanes if errors[lane.id] is None)
            if not left:
                break
            if len(left) == len(lanes):  # no conflict was resolved
                if parked or not await self._park(left, fields, there):
                    break
                parked = True
        for id, error in errors.items():
            if error is not None:
                self._settle(self._by_id[id], error)

    async def _park(
        self, blocked: Iterable[LaneKey], fields: Mapping[LaneKey, frozenset[str]], there: Mapping[LaneKey, Any]
    ) -> bool:
        """Move blocked users to an unused address if somebody else wants their current one.

        Otherwise users who swap their addresses would block each other. Return whether any user was moved.
        """
        users = self._client.users
        held = {id: there[id].email for id in blocked if "email" in fields[id] and isinstance(there[id], User)}
        wanting = await self._claim.wanted_addresses([email for email in held.values() if email])
        lanes = [self._by_id[id] for id, email in held.items() if wanting.get(email or "", frozenset()) - {id.key}]
        changes = []
        for lane in lanes:
            nobody = f"moving-{secrets.token_hex(8)}@ethora-outbox.invalid"
            changes.append(users.change(attrs.evolve(self._users[lane.id], email=nobody), frozenset({"email"})))
        errors = await self._send(lanes, changes, users.update_many)
        return any(error is None for error in errors.values())

    async def _chats(self) -> None:
        if not isinstance(self._client, ManagesChats):
            return
        chats = chats_of(self._client)
        await self._deleted(await self._step("chat", lambda lane: lane.returns), chats.delete_many)
        lanes, wanted = [], []
        for lane in await self._step("chat", lambda lane: lane.wanted is not None):
            try:
                wanted.append(_chat(lane))
                lanes.append(lane)
            except InvalidInputError as error:
                self._settle(lane, error)
        found: dict[LaneKey, Outcome[Any]] = {}
        errors = await self._send(lanes, wanted, chats.create_many, found)
        there = {}
        for lane, chat in zip(lanes, wanted, strict=True):
            if errors[lane.id] is None and found[lane.id].status == "existed":
                there[lane.id] = chat
            else:
                if errors[lane.id] is None:
                    self._note_access(chat.id, chat.access)
                self._settle(lane, errors[lane.id])
        lanes = await self._step("chat", lambda lane: lane.id in there)
        errors = await self._send(lanes, [there[lane.id] for lane in lanes], self._update_chats)
        changed = [lane for lane in lanes if errors[lane.id] is None]
        unknown = await self._look_up_access([there[lane.id] for lane in changed])
        for lane in lanes:
            chat = there[lane.id]
            if errors[lane.id] is None and unknown is None and self._differs(chat):
                self.verdicts[lane.id] = _unchangeable(lane, frozenset({"access"}), type(self._client).__name__)
            else:
                self._settle(lane, errors[lane.id] or unknown)

    def _differs(self, chat: NewChat) -> bool:
        """Return whether a chat's known access differs from the wanted one."""
        return self._access.get(chats_of(self._client).key(chat.id), chat.access) != chat.access

    def _note_access(self, id: Id, access: str | None) -> None:
        if len(self._access) >= _KNOWN_ACCESS:
            self._access.clear()
        if access is not None:
            self._access[chats_of(self._client).key(id)] = access

    async def _look_up_access(self, wanted: Sequence[NewChat]) -> ChatError | None:
        """Read the listing for chats whose access is unknown or differs, and store their access.

        A chat that is missing, since listings lag behind, counts as having the wanted access. Return an error when the
        listing cannot be read.
        """
        chats = chats_of(self._client)
        missing = {
            chats.key(chat.id) for chat in wanted if self._differs(chat) or chats.key(chat.id) not in self._access
        }
        if not missing:
            return None
        for key in missing:
            self._access.pop(key, None)
        try:
            async for chat in chats.list():
                self._note_access(chat.id, chats.comparable(chat).get("access"))
                missing.discard(chats.key(chat.id))
                if not missing:
                    break
        except ChatError as error:
            self._heed(error)
            return error
        return None

    def _update_chats(self, wanted: Iterable[NewChat] | AsyncIterable[NewChat]) -> Run[NewChat]:
        chats = chats_of(self._client)

        async def work(batch: Sequence[NewChat]) -> list[Outcome[NewChat]]:
            (chat,) = batch
            fields = {"title": chat.title, "description": chat.description}
            changes = {name: value for name, value in fields.items() if value is not None and name in chats.changeable}
            try:
                done = await chats.update(chat.id, **changes)
            except ChatError as error:
                status: Status = "unknown" if error.effect == "unknown" else "failed"
                return [Outcome(chat, chat.id, status, error, attempts=error.attempts, request_id=error.request_id)]
            return [Outcome(chat, chat.id, done.status, attempts=done.attempts, request_id=done.request_id)]

        return Run(wanted, lambda: nullcontext(work), batch_size=1, concurrency=CONCURRENCY)

    async def _members(self) -> None:
        for revoked in (True, False):
            lanes = await self._step("member", partial(_is_revoked, revoked))
            lanes.sort(key=lambda lane: lane.id)  # those of one chat share requests
            pairs = [(lane.id.key, lane.id.other) for lane in lanes]
            change = None
            if lanes:
                change = chats_of(self._client).revoke_many if revoked else chats_of(self._client).grant_many
            errors = await self._send(lanes, pairs, change)
            for lane in lanes:
                self._settle(lane, None if revoked and was_not_there(errors[lane.id]) else errors[lane.id])

    async def _delete_chats(self) -> None:
        lanes = await self._step("chat", lambda lane: lane.wanted is None)
        if lanes:
            await self._deleted(lanes, chats_of(self._client).delete_many)

    async def _send(
        self,
        lanes: Sequence[Lane],
        items: Sequence[Any],
        start: Callable[[Any], Run[Any]] | None,
        found: dict[LaneKey, Outcome[Any]] | None = None,
    ) -> dict[LaneKey, ChatError | None]:
        """Send the items of these lanes. Return an error, or None, for each; note the outcomes in `found`."""
        errors: dict[LaneKey, ChatError | None] = {}
        if not lanes or start is None:
            return errors
        # By identity: two items may be equal, and a run may return an item's key in another spelling.
        lane_of = {id(item): lane for lane, item in zip(lanes, items, strict=True)}
        ended: ChatError | None = None
        repeated: set[LaneKey] = set()
        with watching_lost_attempts() as lost:
            try:
                run = cast("AsyncGenerator[Outcome[Any], None]", aiter(start(list(items))))
                async with aclosing(run) as outcomes:
                    async for outcome in outcomes:
                        lane = lane_of[id(outcome.item)]
                        errors[lane.id] = outcome.error
                        if outcome.attempts > 1:
                            repeated.add(lane.id)
                        if found is not None:
                            found[lane.id] = outcome
                        self._heed(outcome.error)
            except ChatError as error:
                if is_fatal(error):
                    raise
                ended = error
                self._heed(error)
        if lost.seen:
            self._in_flight |= repeated
        for lane in lanes:
            if lane.id not in errors:
                errors[lane.id] = ended or NotSentError("it was not sent")
        return errors

    def _heed(self, error: ChatError | None) -> None:
        if error is not None and is_fatal(error):
            raise error
        if error is not None and is_trouble(error):
            self.trouble = self.trouble or error
        elif not isinstance(error, InvalidInputError):
            self.answered = True


def _fields(lane: Lane, names: Iterable[str]) -> dict[str, str]:
    """Return the stated fields of an intent; an intent of a trigger may contain anything.

    Raises:
        InvalidInputError: one is not text, or is unknown.
    """
    wanted = lane.wanted if isinstance(lane.wanted, Mapping) else {}
    if wanted is UNREADABLE:
        msg = f"the fields of this {lane.id.kind} cannot be read: write a JSON object of texts"
        raise InvalidInputError(msg)
    if unknown := sorted(set(wanted) - set(names)):
        msg = f"a {lane.id.kind} has no field {unknown[0]!r}"
        raise InvalidInputError(msg, field=unknown[0])
    stated = {name: value for name, value in wanted.items() if value is not None}
    for name, value in stated.items():
        if not isinstance(value, str):
            msg = f"{name} must be text, not {type(value).__name__}"
            raise InvalidInputError(msg, field=name)
    check_fields(stated)
    return stated


def _is_revoked(revoked: bool, lane: Lane) -> bool:
    return (lane.wanted is None) is revoked


def _among(ids: frozenset[LaneKey], lane: Lane) -> bool:
    return lane.id in ids


def _chat(lane: Lane) -> NewChat:
    wanted = _fields(lane, _CHAT_FIELDS)
    access: Any = wanted.get("access") or "private"
    return NewChat(
        id=lane.id.key, title=wanted.get("title") or "", access=access, description=wanted.get("description")
    )


def _unchangeable(lane: Lane, fields: frozenset[str], platform: str) -> Verdict:
    kind, names = lane.id.kind, " and ".join(sorted(fields))
    reason = (
        f"{platform} cannot change {names} of a {kind} that exists; every other field is as wanted. To have it"
        f" otherwise, write want_no_{kind} and then want_{kind} in one transaction, and want_member again for each"
        f" membership: the {kind} is deleted and created again. To leave {names} as it is: ethora outbox skip {kind}"
        f" {shlex.quote(lane.id.key)}"
    )
    return Verdict(lane, "dead", reason, attempts=lane.attempts + 1)


__all__ = ["Claim", "Delivery"]
