"""The client of a web application: open while the application runs, or in its own event loop."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, runtime_checkable

from ethora_async.errors import ConfigError, ReplyLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from concurrent.futures import Future
    from types import TracebackType

T = TypeVar("T")
ClientT = TypeVar("ClientT")
ClosableT = TypeVar("ClosableT", bound="Closable")
ClientT_co = TypeVar("ClientT_co", covariant=True)

_FAREWELL = 10.0
"""Seconds that closing a client may take."""


class Closable(Protocol):
    """Something that can be entered and closed, as every client can."""

    async def __aenter__(self) -> Any:
        """Read the settings."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close it."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


class AppClient(Generic[ClosableT]):
    """One client that is open while an application runs.

    Calling it returns the client, so it is accepted wherever a client or a function that returns one is expected::

        chat = AppClient(EthoraClient.from_env)
        app = FastAPI(lifespan=chat.lifespan)

        @app.post("/orders")
        async def order(ethora: Annotated[EthoraClient, Depends(chat.get)]): ...

    Args:
        factory: creates the client; called when the application starts, in its event loop.
    """

    def __init__(self, factory: Callable[[], ClosableT]) -> None:
        self._factory = factory
        self._client: ClosableT | None = None

    def __call__(self) -> ClosableT:
        """Return the client.

        Raises:
            ConfigError: the application has not started, or has ended.
        """
        if self._client is None:
            msg = (
                "the chat client is not open: pass AppClient.lifespan to the application, or enter the AppClient with"
                " `async with`"
            )
            raise ConfigError(msg)
        return self._client

    async def get(self) -> ClosableT:
        """Return the client, as a dependency of FastAPI or Litestar: ``Depends(chat.get)``.

        Raises:
            ConfigError: the application has not started, or has ended.
        """
        return self()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:  # noqa: ARG002  the frameworks pass it
        """Open the client, and close it at the end: the ``lifespan`` of FastAPI and Starlette, or one of Litestar's."""
        async with self:
            yield

    async def __aenter__(self) -> ClosableT:
        if self._client is not None:
            msg = "the chat client is open already: one AppClient belongs to one running application"
            raise ConfigError(msg)
        client = self._factory()
        await client.__aenter__()
        self._client = client
        return client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.__aexit__(kind, error, trace)


class OwnLoop(Generic[ClosableT]):
    """One client in a separate thread with its own event loop, usable from every loop and thread.

    A client belongs to one event loop. Under WSGI, including Django's ``runserver``, every request of an async view
    runs in a temporary loop: a shared client fails there with `WrongLoopError`, and a new one opens new connections
    each time. This client stays in its loop, and the work is sent there::

        chat = OwnLoop(EthoraClient.from_env)
        chats = await chat.run(lambda ethora: ethora.chats.get("order-7"))

    The thread starts with the first call, so that a server may fork before, and ends with the process at the latest.

    Args:
        factory: creates the client; called in the thread, with the first call.
    """

    def __init__(self, factory: Callable[[], ClosableT]) -> None:
        self._factory = factory
        self._lock = threading.Lock()
        self._home: _Home[ClosableT] | None = None

    async def run(self, work: Callable[[ClosableT], Awaitable[T]], /) -> T:
        """Run `work` with the client in its loop, and await the result. Cancelling also cancels `work`.

        Raises:
            ReplyLostError: the client was closed in the meantime.
            Exception: any error of `work` or the factory.
        """
        with self._lock:  # a client that is being closed accepts no more work
            done = asyncio.wrap_future(self._living().submit(work))
        try:
            return await done
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        # The client's loop has ended, and nobody has cancelled this task.
        msg = "the client was closed while this call was under way"
        raise ReplyLostError(msg)

    def close(self) -> None:
        """Close the client and end the thread; pending calls fail. The next call starts a new thread."""
        with self._lock:
            home, self._home = self._home, None
        if home is not None:
            atexit.unregister(self.close)
            home.end()

    async def aclose(self) -> None:
        """Do the same as `close`, without blocking the caller's event loop."""
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _living(self) -> _Home[ClosableT]:
        # A forked process has our memory, but not our thread.
        if self._home is None or self._home.process != os.getpid():
            self._home = _Home(self._factory)
            atexit.register(self.close)
        return self._home


class _Home(Generic[ClosableT]):
    """A thread with a loop and a client."""

    def __init__(self, factory: Callable[[], ClosableT]) -> None:
        self.process = os.getpid()
        self._factory = factory
        self._client: ClosableT | None = None
        # Made here, so that the caller, who may run a loop too, need not wait until the thread has one.
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="ethora-own-loop", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[ClosableT], Awaitable[T]]) -> Future[T]:
        """Start a piece of work."""
        return asyncio.run_coroutine_threadsafe(self._do(work), self._loop)

    def end(self) -> None:
        """Close the client, and wait for the thread's end."""
        if self.process != os.getpid():
            return
        with suppress(RuntimeError):  # the loop has already ended
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_FAREWELL)

    async def _do(self, work: Callable[[ClosableT], Awaitable[T]]) -> T:
        if self._client is None:
            self._client = self._factory()
        return await work(self._client)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        await self._stop.wait()
        if self._client is not None:
            await self._client.aclose()


@runtime_checkable
class Runs(Protocol[ClientT_co]):
    """Runs work with a client."""

    async def run(self, work: Callable[[ClientT_co], Awaitable[T]], /) -> T:
        """Await what `work` makes of the client."""
        ...


class Here(Generic[ClientT]):
    """Runs work with a client in the caller's own event loop.

    Args:
        client: the client, or a function that returns it, such as an `AppClient`.
    """

    def __init__(self, client: ClientT | Callable[[], ClientT]) -> None:
        self._client = client

    async def run(self, work: Callable[[ClientT], Awaitable[T]], /) -> T:
        """Await what `work` makes of the client."""
        return await work(self._found())

    def _found(self) -> Any:
        return self._client() if callable(self._client) else self._client


def place_of(client: object) -> Runs[Any]:
    """Return the runner for a client, a function that returns one, or an `OwnLoop`."""
    return client if isinstance(client, Runs) else Here(client)
