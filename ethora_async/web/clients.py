"""Where a web application keeps its client: open while it runs, or in an event loop of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, cast

from ethora_async.errors import ConfigError

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
    """What every client is: something to be entered, and left."""

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

    Calling it gives the client, and so it goes wherever a client or what gives one is asked for::

        chat = AppClient(EthoraClient.from_env)
        app = FastAPI(lifespan=chat.lifespan)

        @app.post("/orders")
        async def order(ethora: Annotated[EthoraClient, Depends(chat.get)]): ...

    Args:
        factory: makes the client; called when the application starts, in its event loop.
    """

    def __init__(self, factory: Callable[[], ClosableT]) -> None:
        self._factory = factory
        self._client: ClosableT | None = None

    def __call__(self) -> ClosableT:
        """The client.

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
        """The client, as a dependency of FastAPI or Litestar: ``Depends(chat.get)``.

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
    """One client in an event loop of its own, in a thread of its own: usable from every loop and thread.

    A client belongs to one event loop. Under WSGI, Django's ``runserver`` among it, every request of an async view
    runs in a loop that is made for it and thrown away; a client used there fails with `WrongLoop`, and one made there
    pays for its connections each time. This one stays where it is, and the work goes there::

        chat = OwnLoop(EthoraClient.from_env)
        chats = await chat.run(lambda ethora: ethora.chats.get("order-7"))

    The thread starts with the first call, so that a server may fork before, and ends with the process at the latest.

    Args:
        factory: makes the client; called in the thread, with the first call.
    """

    def __init__(self, factory: Callable[[], ClosableT]) -> None:
        self._factory = factory
        self._lock = threading.Lock()
        self._process = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._client: ClosableT | None = None

    async def run(self, work: Callable[[ClosableT], Awaitable[T]], /) -> T:
        """Await what `work` makes of the client, over there. Cancelling cancels it there too.

        Raises:
            Exception: whatever `work` or the factory raises.
        """
        return await asyncio.wrap_future(self._submit(work))

    def close(self) -> None:
        """Close the client and end the thread; calls under way fail. The next call starts anew."""
        with self._lock:
            thread, loop, stop = self._thread, self._loop, self._stop
            self._thread = self._loop = self._stop = None
            if thread is None or loop is None or stop is None or self._process != os.getpid():
                return
            atexit.unregister(self.close)
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(stop.set)
            thread.join(_FAREWELL)

    async def aclose(self) -> None:
        """`close`, without holding up the caller's event loop."""
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _submit(self, work: Callable[[ClosableT], Awaitable[T]]) -> Future[T]:
        # Under the lock: a loop that is about to stop takes no more work.
        with self._lock:
            return asyncio.run_coroutine_threadsafe(self._do(work), self._running())

    async def _do(self, work: Callable[[ClosableT], Awaitable[T]]) -> T:
        if self._client is None:
            self._client = self._factory()
        return await work(self._client)

    def _running(self) -> asyncio.AbstractEventLoop:
        # A forked process has our memory, but not our thread.
        if self._loop is None or self._process != os.getpid():
            self._process = os.getpid()
            self._client = None
            ready = threading.Event()
            self._thread = threading.Thread(target=self._serve, args=(ready,), name="ethora-own-loop", daemon=True)
            self._thread.start()
            ready.wait()
            atexit.register(self.close)
        return cast("asyncio.AbstractEventLoop", self._loop)

    def _serve(self, ready: threading.Event) -> None:
        asyncio.run(self._live(ready))

    async def _live(self, ready: threading.Event) -> None:
        stop = self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        ready.set()
        await stop.wait()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


class Runs(Protocol[ClientT_co]):
    """Lets work at a client."""

    async def run(self, work: Callable[[ClientT_co], Awaitable[T]], /) -> T:
        """Await what `work` makes of the client."""
        ...


class Here(Generic[ClientT]):
    """Works at a client in the caller's own event loop.

    Args:
        client: the client, or what gives it when called: an `AppClient` above all.
    """

    def __init__(self, client: ClientT | Callable[[], ClientT]) -> None:
        self._client = client

    async def run(self, work: Callable[[ClientT], Awaitable[T]], /) -> T:
        """Await what `work` makes of the client."""
        client = self._client() if callable(self._client) else self._client
        return await work(client)


def place_of(client: Any) -> Runs[Any]:
    """Where work at a client is done: a client, what gives one when called, or an `OwnLoop`."""
    return client if isinstance(client, OwnLoop) else Here(client)
