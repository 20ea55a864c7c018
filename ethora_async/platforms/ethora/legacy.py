"""Chats through the guide's older ``/chats/`` and ``/chat-access/``, which are not part of the live API.

See docs/platforms/ethora.md#older-guide.

Only the guide documents them. Where it leaves gaps, this module decides: ``/chats/`` takes POST and DELETE with JSON,
``/chat-access/`` POST, and every plausible reply is accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from ethora_async.access import Access
from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.bulk.report import Report
from ethora_async.errors import ChatError, ConflictError, NotFoundError, ReplyLostError, ValidationFailedError
from ethora_async.platforms.ethora import legacy_wire, operations
from ethora_async.platforms.ethora.chats.access_control import CHAT_NOT_FOUND, MEMBER, AccessControl, pair_key
from ethora_async.platforms.ethora.chats.api import Chats
from ethora_async.records import Id, NewChat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.records import ChatAccess
    from ethora_async.request import Operation, Reply


class LegacyAccessControl(AccessControl):
    """Access to chats by ``/chat-access/``, one request for each user."""

    async def _set_access(self, pair: tuple[Id, Id], rights: Access, timer: int | None) -> Outcome[tuple[Id, Id]]:
        app = await self._context.open()
        body = legacy_wire.access_body(pair, rights, timer, app.names)
        reply = await _sent(app, operations.SET_ACCESS, body)
        setting = legacy_wire.read_setting(reply.data, rights, origin=reply.origin)
        return Outcome(
            pair, pair_key(app, pair), "updated", value=setting, attempts=reply.attempts, request_id=reply.request_id
        )

    async def _change_access(
        self, id: Id, users: Id | Iterable[Id], *, done: Literal["created", "deleted"], literal: bool = True
    ) -> Report:
        app = await self._context.open()
        several = [users] if isinstance(users, Id) else [*users]
        if literal:
            app.names.members(several)  # rejects an empty list
        rights = MEMBER if done == "created" else Access.NONE
        operation = app.operations.grant if done == "created" else app.operations.revoke
        # All at once, so that an invalid id is found before anything is sent.
        bodies = {
            app.names.lookup(user): legacy_wire.access_body((id, user), rights, None, app.names) for user in several
        }
        report = Report()
        for key, body in bodies.items():
            try:
                reply = await _sent(app, operation, body)
            except ChatError as error:
                about_user = isinstance(error, (NotFoundError, ValidationFailedError)) and error.code != CHAT_NOT_FOUND
                # Not raised: the results of earlier requests would be lost, and the error would say that nothing was
                # done.
                if not about_user and not report.total:
                    raise
                report.add(failed(key, key, error))
            else:
                report.add(Outcome(key, key, done, attempts=reply.attempts, request_id=reply.request_id))
        return report

    async def _change_batch(
        self, app: App, pairs: Sequence[tuple[Id, Id]], *, done: Literal["created", "deleted"]
    ) -> Sequence[Outcome[tuple[Id, Id]]]:
        return [await self._change_one(app, pair, done) for pair in pairs]

    async def _change_one(
        self, app: App, pair: tuple[Id, Id], done: Literal["created", "deleted"]
    ) -> Outcome[tuple[Id, Id]]:
        key = pair_key(app, pair)
        rights = MEMBER if done == "created" else Access.NONE
        operation = app.operations.grant if done == "created" else app.operations.revoke
        try:
            reply = await _sent(app, operation, legacy_wire.access_body(pair, rights, None, app.names))
        except ChatError as error:
            return failed(pair, key, error)
        return Outcome(pair, key, done, attempts=reply.attempts, request_id=reply.request_id)


class LegacyChats(Chats):
    """The chats of an app on a server with the older API: `Chats` of a client with ``legacy_api=True``.

    `create`, `delete`, `grant`, `revoke` and `set_access`, and the methods built on them, use the older routes, one
    request for each user. The older API takes neither members nor a description for a new chat. All other methods use
    the current API, since the guide has no call for them.
    """

    _access_type = LegacyAccessControl

    async def _create_unnamed(
        self, title: str, access: ChatAccess, description: str | None, members: Id | Iterable[Id]
    ) -> Outcome[NewChat]:
        app = await self._context.open()
        # The record requires an id, but the request has none.
        chat = NewChat(id="new", title=title, access=access, description=description, members=members)
        operation = app.operations.create_chat_without_id
        reply = await _sent(app, operation, legacy_wire.chat_body(chat, app.names, named=False))
        made = legacy_wire.read_chat(chat, reply.data, app.names, origin=reply.origin)
        # A JID may be the only name of the chat, and no caller could guess it.
        named = attrs.evolve(chat, id=made.id) if "@" not in made.id else chat
        return Outcome(named, made.id, "created", value=made, attempts=reply.attempts, request_id=reply.request_id)

    async def _create_one(self, app: App, chats: Sequence[NewChat]) -> Sequence[Outcome[NewChat]]:
        (chat,) = chats
        key = chat.id
        operation = app.operations.create_chat
        try:
            reply = await _sent(app, operation, legacy_wire.chat_body(chat, app.names))
        except ConflictError as refusal:
            return [await self._taken(app, chat, refusal)]
        except ChatError as error:
            return [failed(chat, key, error)]
        try:
            made = legacy_wire.read_chat(chat, reply.data, app.names, origin=reply.origin)
        except ReplyLostError:
            made = None  # a 2xx means success, even if the chat in the reply is invalid
        return [Outcome(chat, key, "created", value=made, attempts=reply.attempts, request_id=reply.request_id)]

    def _lists_nothing(self, error: ChatError) -> bool:
        # An older server may answer a newer route in any way.
        return super()._lists_nothing(error) or isinstance(error, ReplyLostError)

    async def _delete_one(self, app: App, ids: Sequence[Id]) -> Sequence[Outcome[Id]]:
        (id,) = ids
        key = app.names.shown(id)
        try:
            body = legacy_wire.chat_reference(id, app.names, "UUID")
            reply = await _sent(app, app.operations.delete_chat, body)
        except NotFoundError as error:
            return [Outcome(id, key, "absent", attempts=error.attempts, request_id=error.request_id)]
        except ChatError as error:
            return [failed(id, key, error)]
        return [Outcome(id, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)]


async def _sent(app: App, operation: Operation, body: dict[str, object]) -> Reply:
    reply = await app.call(operation, data=body)
    legacy_wire.check(reply, operation)
    return reply


__all__ = ["LegacyChats"]
