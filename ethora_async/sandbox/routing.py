"""The route table under every sandbox: routes are collected by decorators and found by method and path.

A route describes a call and its input. It does not contain its handler: the handler's argument (each platform's `Call`)
refers to the route, so the table stores the handler beside the route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

import attrs

from ethora_async.sandbox.wire import Reply

CallT = TypeVar("CallT")
Handler = Callable[[CallT], Reply | Awaitable[Reply]]
"""Answers one call, or raises the platform's error."""


@attrs.frozen
class Route:
    """A call that a server answers. Words of the path in braces are placeholders."""

    method: str
    path: str

    @property
    def operation(self) -> str:
        """`POST /v2/apps/{appId}/users/batch`: the route's name in logs and fault selectors."""
        return f"{self.method} {self.path}"

    @property
    def placeholders(self) -> list[str]:
        """The names in braces in the path."""
        return [word[1:-1] for word in _split(self.path) if word.startswith("{")]


RouteT = TypeVar("RouteT", bound=Route)


class RouteList(Generic[RouteT, CallT]):
    """The routes of one module, each with its handler, in the order in which they were added."""

    def __init__(self) -> None:
        self._pairs: list[tuple[RouteT, Handler[CallT]]] = []

    def __iter__(self) -> Iterator[tuple[RouteT, Handler[CallT]]]:
        return iter(self._pairs)

    def extend(self, routes: Iterable[RouteT], handler: Handler[CallT]) -> None:
        """Add routes that one handler serves."""
        self._pairs.extend((route, handler) for route in routes)


@attrs.frozen
class Match(Generic[RouteT, CallT]):
    """A route found for a request, with the decoded values of its placeholders."""

    route: RouteT
    params: dict[str, str]
    handler: Handler[CallT] = attrs.field(repr=False)

    async def answer(self, call: CallT) -> Reply:
        """Call the handler; one that does not wait runs without a pause."""
        answer = self.handler(call)
        return answer if isinstance(answer, Reply) else await answer


@attrs.define
class _Node(Generic[RouteT, CallT]):
    """A step of a path. Fixed words win over placeholders, as `/me` does over `/{appId}`."""

    words: dict[str, _Node[RouteT, CallT]] = attrs.field(factory=dict[str, "_Node[RouteT, CallT]"])
    placeholder: _Node[RouteT, CallT] | None = None
    methods: dict[str, tuple[RouteT, Handler[CallT]]] = attrs.field(
        factory=dict[str, "tuple[RouteT, Handler[CallT]]"],
    )


class RouteTable(Generic[RouteT, CallT]):
    """All routes of a server. A trailing slash is optional.

    errors: how to handle placeholders whose percent-encoding is not UTF-8: "strict" raises, "replace" continues.
    """

    def __init__(self, *lists: Iterable[tuple[RouteT, Handler[CallT]]], errors: str = "strict") -> None:
        self._errors = errors
        self._root: _Node[RouteT, CallT] = _Node()
        pairs = [pair for routes in lists for pair in routes]
        self.routes: tuple[RouteT, ...] = tuple(route for route, _ in pairs)
        for route, handler in pairs:
            self._insert(route, handler)

    def _insert(self, route: RouteT, handler: Handler[CallT]) -> None:
        node = self._root
        for word in _split(route.path):
            if word.startswith("{"):
                node.placeholder = node.placeholder or _Node()
                node = node.placeholder
            else:
                node = node.words.setdefault(word, _Node())
        if route.method in node.methods:
            msg = f"{route.operation} is registered twice."
            raise ValueError(msg)
        node.methods[route.method] = (route, handler)

    def find(self, method: str, path: str) -> Match[RouteT, CallT] | None:
        """Return the route for a raw (still percent-encoded) path, or None.

        Raises:
            ValueError: a placeholder's percent-encoding is not UTF-8, and `errors` is "strict".
        """
        values: list[str] = []
        node = _search(self._root, _split(path), 0, lambda found: method in found.methods, values)
        if node is None:
            return None
        route, handler = node.methods[method]
        named = zip(route.placeholders, values, strict=True)
        params = {name: unquote_to_bytes(value).decode(errors=self._errors) for name, value in named}
        return Match(route, params, handler)

    def serves(self, path: str) -> bool:
        """Return whether the path is known, for any method."""
        return _search(self._root, _split(path), 0, lambda found: bool(found.methods), []) is not None


def _split(path: str) -> list[str]:
    words = path.split("/")[1:]
    if words and not words[-1]:
        words.pop()
    return words


def _search(
    node: _Node[RouteT, CallT],
    words: list[str],
    index: int,
    wanted: Callable[[_Node[RouteT, CallT]], bool],
    values: list[str],
) -> _Node[RouteT, CallT] | None:
    if index == len(words):
        return node if wanted(node) else None
    word = words[index]
    fixed = node.words.get(word)
    if fixed is not None:
        found = _search(fixed, words, index + 1, wanted, values)
        if found is not None:
            return found
    if node.placeholder is None or not word:
        return None
    values.append(word)
    found = _search(node.placeholder, words, index + 1, wanted, values)
    if found is None:
        values.pop()
    return found
