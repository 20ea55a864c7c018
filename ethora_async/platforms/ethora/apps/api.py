"""``ethora.apps``: the apps of a tenant (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

from ethora_async.bulk.jobs import JOB_TIMEOUT
from ethora_async.bulk.outcome import Outcome
from ethora_async.bulk.run import Run
from ethora_async.config import Seconds, seconds
from ethora_async.errors import ConflictError, InvalidInputError, NotFoundError, ReplyLostError, ValidationFailedError
from ethora_async.pages import Pages
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.apps.app_tokens import AppTokens
from ethora_async.platforms.ethora.apps.bot import AppBot
from ethora_async.platforms.ethora.apps.bundles import AppBundle, ImportedApp, included, read_bundle, read_import
from ethora_async.platforms.ethora.apps.provisioning import ROOMS_AT_ONCE, NewRoom, provision_batch
from ethora_async.platforms.ethora.apps.records import TenantApp, read_app
from ethora_async.platforms.ethora.apps.settings import AppOrder, color, domain_text, ordering
from ethora_async.platforms.ethora.jobs import Job, asking
from ethora_async.platforms.ethora.listings import LARGEST_PAGE
from ethora_async.platforms.ethora.users import batch_rows as rows
from ethora_async.records import id_text, optional_text, required_text
from ethora_async.request import Reply
from ethora_async.tokens.fixed import FixedCredentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping

    from ethora_async.bulk.run import WorkGenerator
    from ethora_async.platforms.ethora.context import AppContext


class Apps:
    """The apps of the client's tenant: the client's own app and its children.

    Child apps are created and managed with the parent's server token
    (docs/platforms/ethora.md#which-token-opens-which-route). `ForbiddenError` means that an app belongs to another
    tenant or is archived (code ``APP_ARCHIVED``), or that the plan does not include the call (HTTP 402 or 403);
    `NotFoundError` means that an app does not exist.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def list(
        self,
        *,
        order_by: AppOrder | None = None,
        order: Literal["asc", "desc"] | None = None,
        include_archived: bool = False,
        limit: int = LARGEST_PAGE,
        offset: int = 0,
    ) -> Pages[TenantApp]:
        """Return the tenant's apps.

        Args:
            order_by, order: None uses the platform's default.
            include_archived: whether to include archived apps; documented for the older route of this listing.
            limit: apps in a page, 1 to 500 (default 500).
            offset: where to start; 0 is the first.

        Raises:
            InvalidInputError: an argument is invalid.
        """
        sorting = ordering(order_by, order)
        if include_archived:
            sorting["includeArchived"] = "true"

        async def fetch(offset: int, limit: int) -> tuple[tuple[TenantApp, ...], int | None]:
            app = await self._context.open()
            reply = await app.call(operations.LIST_APPS, query={"limit": limit, "offset": offset, **sorting})
            return wire.read_list(
                reply.data,
                ("apps",),
                lambda row, path: read_app(row, origin=reply.origin, path=path),
                origin=reply.origin,
            )

        return Pages(fetch, lambda found: found.id, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def get(self, app_id: str) -> TenantApp:
        """Return one app.

        Raises:
            NotFoundError: there is no such app.
            ForbiddenError: it is not the tenant's.
        """
        app = await self._context.open()
        reply = await app.call(operations.GET_APP, path=_path(app_id))
        return read_app(reply.data, origin=reply.origin)

    async def find(self, domain_name: str) -> TenantApp:
        """Return the app with this domain name, as front ends find it: its public settings and its app token. Needs no
        permission.

        Raises:
            InvalidInputError: the name has other characters than letters and digits.
            NotFoundError: there is no such app.
        """
        query: dict[str, str | int] = {"domainName": domain_text(domain_name)}
        app = await self._context.open()
        nobody = FixedCredentials()
        reply = await app.engine.call(operations.GET_APP_CONFIG, query=query, credentials=nobody)
        return read_app(reply.data, origin=reply.origin)

    async def domain_name_is_free(self, domain_name: str) -> bool:
        """Return whether no app of the platform has this domain name yet. Requires a user's session
        (`EthoraClient.as_user`).

        Raises:
            InvalidInputError: the name has other characters than letters and digits.
        """
        data = {"domainName": domain_text(domain_name)}
        app = await self._context.open()
        try:
            reply = await app.call(operations.CHECK_DOMAIN_NAME, data=data)
        except ConflictError:
            return False
        except ValidationFailedError as error:
            if error.status == 422 and error.code is None:
                # For a taken name, the platform answers 422 with only `exists` (docs/platforms/ethora.md#apps).
                return False
            raise
        taken = reply.data.get("exists") if isinstance(reply.data, dict) else None
        if not isinstance(taken, bool):
            msg = "the platform's reply has an unexpected shape: reply.exists: expected true or false"
            raise ReplyLostError(msg, operation=operations.CHECK_DOMAIN_NAME.name)
        return not taken

    async def create(
        self,
        display_name: str,
        *,
        domain_name: str | None = None,
        default_chat: bool | None = None,
        primary_color: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> TenantApp:
        """Create a child app. Never retried: a second request would create a second app.

        Args:
            display_name: not empty.
            domain_name: letters and digits only, unique on the platform; by default the platform generates one.
            default_chat: whether it starts with a "Main chat".
            primary_color: ``#RRGGBB``.
            fields: further settings by the platform's own names, such as ``usersCanFree``.

        Returns:
            The app, with its token and, where the platform shows it, its secret, both masked.

        Raises:
            InvalidInputError: an argument cannot be used.
            ForbiddenError: the plan does not include another app.
            ConflictError, ValidationFailedError: the domain name is taken, or rejected.
        """
        data: dict[str, Any] = {"displayName": required_text(display_name, "display_name")}
        if domain_name is not None:
            data["domainName"] = domain_text(domain_name)
        if default_chat is not None:
            data["createDefaultChat"] = default_chat
        if primary_color is not None:
            data["primaryColor"] = color(primary_color)
        app = await self._context.open()
        reply = await app.call(operations.CREATE_APP, data={**data, **(fields or {})})
        return read_app(reply.data, origin=reply.origin)

    async def update(
        self,
        app_id: str,
        *,
        display_name: str | None = None,
        tagline: str | None = None,
        primary_color: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Outcome[str]:
        """Update an app. None leaves a field unchanged, an empty tagline clears it.

        Args:
            fields: further settings by the platform's own names; None is sent as null.

        Returns:
            An outcome ``updated``; its `value` is the `TenantApp` if the platform's reply contains it.

        Raises:
            InvalidInputError: nothing is to be changed, or an argument cannot be used.
        """
        data: dict[str, Any] = {}
        if display_name is not None:
            data["displayName"] = required_text(display_name, "display_name")
        if tagline is not None:
            data["appTagline"] = optional_text(tagline, "tagline")
        if primary_color is not None:
            data["primaryColor"] = color(primary_color)
        data |= fields or {}
        if not data:
            msg = "nothing to change: pass display_name, tagline, primary_color or fields"
            raise InvalidInputError(msg, field="display_name")
        path = _path(app_id)
        app = await self._context.open()
        reply = await app.call(operations.UPDATE_APP, path=path, data=data)
        try:
            value = read_app(reply.data, origin=reply.origin)
        except ReplyLostError:
            value = None  # a 2xx means success, even if the app in the reply is invalid
        return Outcome(
            path["app"], path["app"], "updated", value=value, attempts=reply.attempts, request_id=reply.request_id
        )

    @overload
    async def delete(
        self, app_id: str, *, hard: Literal[False] = False, timeout: Seconds = JOB_TIMEOUT
    ) -> Outcome[str]: ...

    @overload
    async def delete(
        self, app_id: str, *, hard: Literal[True], timeout: Seconds = JOB_TIMEOUT
    ) -> Job[Outcome[str]]: ...

    async def delete(
        self, app_id: str, *, hard: bool = False, timeout: Seconds = JOB_TIMEOUT
    ) -> Outcome[str] | Job[Outcome[str]]:
        """Archive an app, which `restore` undoes; or, with `hard`, purge it with everything in it.

        Args:
            timeout: how long ``await job`` waits.

        Returns:
            An outcome ``deleted``, or ``absent`` when there is no such app. With `hard` a job that runs on the
            platform: await it for the outcome, or keep its `id` for `purge_job`.
        """
        path = _path(app_id)
        if hard:
            return await self._purge(path["app"], seconds(timeout, "timeout"))
        app = await self._context.open()
        try:
            reply = await app.call(operations.DELETE_APP, path=path)
        except NotFoundError as error:
            return Outcome(path["app"], path["app"], "absent", attempts=error.attempts, request_id=error.request_id)
        return Outcome(path["app"], path["app"], "deleted", attempts=reply.attempts, request_id=reply.request_id)

    def purge_job(self, id: str, *, timeout: Seconds = JOB_TIMEOUT) -> Job[Outcome[str]]:
        """Return the job of an earlier purge by its id; its outcome does not name the app. No request is sent."""
        known = required_text(id, "id")
        return self._purging(known, Outcome("", "", "deleted"), seconds(timeout, "timeout"))

    async def restore(self, app_id: str) -> Outcome[str]:
        """Restore an archived app.

        Returns:
            An outcome ``updated``.

        Raises:
            NotFoundError: there is no such app.
        """
        path = _path(app_id)
        app = await self._context.open()
        reply = await app.call(operations.RESTORE_APP, path=path, data={})
        return Outcome(path["app"], path["app"], "updated", attempts=reply.attempts, request_id=reply.request_id)

    async def export(self, app_id: str, *, include: str | tuple[str, ...] = ("users", "chats")) -> AppBundle:
        """Export an app as a bundle, with its users and chats or one of them."""
        query: dict[str, str | int] = {"format": "json", "include": included(include)}
        app = await self._context.open()
        reply = await app.call(operations.EXPORT_APP, path=_path(app_id), query=query)
        return read_bundle(reply.data, origin=reply.origin)

    async def import_bundle(
        self, bundle: AppBundle | Mapping[str, Any], *, domain_name: str | None = None
    ) -> ImportedApp:
        """Create an app from a bundle. Never retried: a second request would create a second app.

        Args:
            domain_name: in place of the bundle's own, which may be taken: letters and digits only.

        Raises:
            ValidationFailedError: the platform rejects the bundle.
        """
        query: dict[str, str | int] = {}
        if domain_name is not None:
            query["domainNameOverride"] = domain_text(domain_name)
        content = bundle.content if isinstance(bundle, AppBundle) else bundle
        app = await self._context.open()
        reply = await app.call(operations.IMPORT_APP, query=query, data=dict(content))
        return read_import(reply.data, origin=reply.origin)

    def tokens(self, app_id: str) -> AppTokens:
        """Return the tokens of an app. No request is sent."""
        return AppTokens(self._context, _path(app_id)["app"])

    def bot(self, app_id: str) -> AppBot:
        """Return the bot of an app. No request is sent."""
        return AppBot(self._context, _path(app_id)["app"])

    def provision(self, app_id: str, rooms: Iterable[NewRoom] | AsyncIterable[NewRoom]) -> Run[NewRoom]:
        """Create rooms in an app, twenty per request, one request after the other, in order.

        Each ends ``created`` (its `value` is the `DefaultRoom` if the platform's reply contains it), ``failed`` or
        ``unknown``.
        Rooms have no ids of yours: requesting them again creates them again, so nothing is retried.
        """
        id = _path(app_id)["app"]

        @asynccontextmanager
        async def working() -> WorkGenerator[NewRoom]:
            yield partial(provision_batch, await self._context.open(), id)

        emit = self._context.emitter.emit
        return Run(rooms, working, batch_size=ROOMS_AT_ONCE, concurrency=1, ordered=True, emit=emit)

    async def _purge(self, id: str, timeout: float) -> Job[Outcome[str]]:
        app = await self._context.open()
        try:
            reply = await app.call(operations.PURGE_APP, path={"app": id}, query={"mode": "hard"})
        except NotFoundError as error:
            return self._purged(Outcome(id, id, "absent", attempts=error.attempts, request_id=error.request_id))
        job = rows.job_id(reply.data)
        if job is None:
            msg = "the platform accepted the purge, but its reply names no job"
            raise ReplyLostError(msg, operation=operations.PURGE_APP.name, status=reply.status, attempts=reply.attempts)
        return self._purging(
            job, Outcome(id, id, "deleted", attempts=reply.attempts, request_id=reply.request_id), timeout
        )

    def _purging(self, job: str, outcome: Outcome[str], timeout: float) -> Job[Outcome[str]]:
        return Job(
            job,
            asking(self._context, operations.PURGE_JOB, job),
            lambda _: outcome,
            operation=operations.PURGE_APP.name,
            context=self._context,
            timeout=timeout,
        )

    def _purged(self, outcome: Outcome[str]) -> Job[Outcome[str]]:
        async def done() -> Reply:
            return Reply(200, {"state": "completed"}, {})

        return Job("", done, lambda _: outcome, operation=operations.PURGE_APP.name, context=self._context)


def _path(app_id: str) -> dict[str, str]:
    return {"app": id_text(app_id, "app_id")}


__all__ = ["AppOrder", "Apps", "NewRoom"]
