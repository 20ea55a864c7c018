"""The routes of the local Rocket.Chat: their permissions and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import attrs

from ethora_async.sandbox import routing
from ethora_async.sandbox.rocketchat.schema import Schema
from ethora_async.sandbox.rocketchat.versions import Version

if TYPE_CHECKING:
    from ethora_async.sandbox.routing import Handler

API = "/api/v1/"
SchemaOf = Callable[[Version], Schema]
CallT = TypeVar("CallT")


@attrs.frozen
class RateLimit:
    """A rate limit: `calls` within `milliseconds`."""

    calls: int
    milliseconds: int


@attrs.frozen
class Route(routing.Route):
    """One call.

    section: the heading in docs/platforms/rocketchat.md whose table lists it.
    anonymous: it takes no token.
    any_of: permissions of which the caller needs one.
    two_factor: it asks for a second factor where the server does at all; `creation`, only where it also does so for
    making users and their tokens.
    limit: a limit of its own; `limit_since`, from which version on.
    body, query: what it takes; either may depend on the version.
    """

    section: str
    anonymous: bool = False
    any_of: tuple[str, ...] = ()
    two_factor: bool = False
    creation: bool = False
    limit: RateLimit | None = None
    limit_since: tuple[int, int] = (0, 0)
    body: Schema | SchemaOf | None = attrs.field(default=None, repr=False)
    query: Schema | SchemaOf | None = attrs.field(default=None, repr=False)

    def schema(self, version: Version) -> Schema | None:
        """Return the schema of this route's input: its query for GET, else its body."""
        schema = self.query if self.method == "GET" else self.body
        return schema(version) if callable(schema) else schema


class Routes(routing.RouteList[Route, CallT]):
    """Routes of one module, collected by decorators: `ROUTES: Routes[Call] = Routes()`."""

    def add(
        self,
        method: str,
        *names: str,
        section: str,
        anonymous: bool = False,
        any_of: tuple[str, ...] = (),
        two_factor: bool = False,
        creation: bool = False,
        limit: RateLimit | None = None,
        limit_since: tuple[int, int] = (0, 0),
        body: Schema | SchemaOf | None = None,
        query: Schema | SchemaOf | None = None,
    ) -> Callable[[Handler[CallT]], Handler[CallT]]:
        """Return a decorator that serves `method` on all `names` with the handler; see `Route`.

        A name is below `/api/v1/`, unless it begins with a slash.
        """

        def register(handler: Handler[CallT]) -> Handler[CallT]:
            routes = (
                Route(
                    method,
                    name if name.startswith("/") else API + name,
                    section,
                    anonymous=anonymous,
                    any_of=any_of,
                    two_factor=two_factor,
                    creation=creation,
                    limit=limit,
                    limit_since=limit_since,
                    body=body,
                    query=query,
                )
                for name in names
            )
            self.extend(routes, handler)
            return handler

        return register
