"""The contract of a platform's client, as a suite to subclass.

```python
class TestMyPlatform(PlatformContract):
    client = MyClient
    platform = "my-chat"
    required = ("MY_CHAT_URL", "MY_CHAT_KEY")
    secrets = ("MY_CHAT_KEY",)

    @asynccontextmanager
    async def sandbox(self):
        async with MySandbox() as sandbox:
            yield sandbox
```
"""

from __future__ import annotations

import abc
import asyncio
import functools
import json
import os
import pickle
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from unittest.mock import patch

from ethora_async.capabilities import KnowsWhetherReady, ManagesChats, ManagesUsers, MintsUserTokens, RevocableTokens
from ethora_async.errors import ChatError, ConfigError, NotSentError, TransportError, WrongLoopError
from ethora_async.records import ChatToken
from ethora_async.testing.implementers.canary import Canary
from ethora_async.testing.implementers.cancel import cancel_at_every_step
from ethora_async.transport import AiohttpTransport
from ethora_async_secrets import SecretBundle, StaticProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from ethora_async.records import Id
    from ethora_async.request import Request, Response

_PATIENCE = 30.0
"""Timeout in seconds for things that should happen; no passing test waits so long."""

_UNREACHABLE = 0.3
"""Seconds for a call that cannot succeed."""


class ContractSandbox(Protocol):
    """A platform to test a client with; `environment` holds the variables that its ``from_env`` reads."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables, by their names."""
        ...

    async def aclose(self) -> None:
        """Stop listening."""
        ...


def _in_new_loop(
    test: Callable[[PlatformContract, ContractSandbox], Coroutine[object, object, None]],
) -> Callable[[PlatformContract], None]:
    """Turn it into a plain test with a platform and its settings: the suite needs no asyncio plug-in."""

    @functools.wraps(test)
    def run(self: PlatformContract) -> None:
        async def patient() -> None:
            async with asyncio.timeout(_PATIENCE), self.sandbox() as sandbox:
                with patch.dict(os.environ, sandbox.environment):
                    await test(self, sandbox)

        asyncio.run(patient())

    # pytest would require a fixture for each argument of the wrapped function.
    del run.__dict__["__wrapped__"]
    return run


class PlatformContract(abc.ABC):
    """The contract of a platform's client; subclass it in a pytest module, as ``Test…``.

    Each test runs in its own event loop, with its own platform.

    Attributes:
        client: the client's class.
        platform: its name in `ChatToken.platform`.
        required: variables without which ``from_env`` fails.
        secrets: variables whose values must not appear anywhere.
        user: the id of a user that exists on the sandbox, if the platform requires that.
        sends_requests: False for a client without a server; tests of the network are skipped.
    """

    client: ClassVar[Any]
    platform: ClassVar[str]
    required: ClassVar[tuple[str, ...]]
    secrets: ClassVar[tuple[str, ...]]
    user: ClassVar[Id] = "ann"
    sends_requests: ClassVar[bool] = True

    @abc.abstractmethod
    def sandbox(self) -> AbstractAsyncContextManager[ContractSandbox]:
        """Return a running platform on which `user` may chat. Called in the loop of the test."""

    async def call(self, client: Any) -> None:
        """Send a request to the platform, uncached; by default for a token."""
        await client.tokens.for_user(self.user)

    @_in_new_loop
    async def test_it_is_usable_at_once_and_ends_twice(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check use without ``async with``, and that an unused client can be closed."""
        used, unused = self.client.from_env(), self.client.from_env()
        await self.call(used)
        for client in (used, unused):
            await client.aclose()
            await client.aclose()

    @_in_new_loop
    async def test_async_with_gives_the_client_itself(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check the result of ``async with``, minting and `ready`."""
        made = self.client.from_env()
        async with made as client:
            _check(client is made, "`async with` gave something else")
            _check(isinstance(client, MintsUserTokens), "it has no tokens.for_user")
            _check(isinstance(client, KnowsWhetherReady), "it has no ready()")
            await client.ready()

    @_in_new_loop
    async def test_a_closed_client_sends_no_more(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check that it raises `NotSentError`."""
        self._needs_requests()
        client = self.client.from_env()
        await self.call(client)
        await client.aclose()
        error = await self._error_of(client)
        _check(isinstance(error, NotSentError), f"a closed client raised {_name(error)}")

    @_in_new_loop
    async def test_a_missing_setting_is_named(self, sandbox: ContractSandbox) -> None:
        """Check for a `ConfigError` with the variable's name, and no secret, when it is unset, empty or blank."""
        for name in self.required:
            for instead in (None, "", "  "):
                environment = {key: value for key, value in sandbox.environment.items() if key != name}
                if instead is not None:
                    environment[name] = instead
                with patch.dict(os.environ, environment):
                    if instead is None:
                        os.environ.pop(name, None)
                    error = self._refusal()
                _check(isinstance(error, ConfigError), f"without {name} it raised {_name(error)}")
                _check(name in str(error), f"the error does not name {name}: {error}")
                for secret in self._secrets(sandbox):
                    _check(secret not in str(error), "the error shows a secret")

    @_in_new_loop
    async def test_a_secret_provider_serves_as_well_as_the_environment(self, sandbox: ContractSandbox) -> None:
        """Check a client whose settings all come from one bundle, under the environment's names."""
        bundle = SecretBundle(sandbox.environment, source="the contract")
        for name in sandbox.environment:
            del os.environ[name]
        async with self.client.from_secrets(StaticProvider(bundle)) as client:
            await self.call(client)

    @_in_new_loop
    async def test_a_token_says_for_whom_it_is_and_until_when(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check that a `ChatToken` prints masked, cannot be pickled, and has an `extra` that is JSON."""
        async with self.client.from_env() as client:
            token = await client.tokens.for_user(self.user)
            again = await client.tokens.for_user(self.user)
        _check(type(token) is ChatToken, f"for_user gave a {type(token).__name__}")
        _check(token.platform == self.platform, f"it is for {token.platform}")
        _check(token.user_id == str(self.user), f"it is for the user {token.user_id}")
        _check(token.refresh_at <= token.expires_at, "it is to be refreshed after its end")
        _check(again.value == token.value, "a second token was made while the first is good")
        _check(token.value not in f"{token!r}{token}", "it prints itself")
        _check(bool(json.dumps(dict(token.extra))), "its extra is not JSON")
        _check(not _pickles(token), "it is pickled in clear")

    @_in_new_loop
    async def test_no_secret_is_shown(self, sandbox: ContractSandbox) -> None:
        """Check the client, its events, the log at DEBUG, and the error when the platform is gone."""
        events: list[object] = []
        with Canary(*self._secrets(sandbox)) as canary:
            client = self.client.from_env(on_event=events.append, **self._impatient())
            token = await client.tokens.for_user(self.user)
            await sandbox.aclose()
            error = await self._error_of(client) if self.sends_requests else None
            await client.aclose()
        held = (client, vars(client), token, token.extra, error, *events)
        canary.check(*held)
        Canary(token.value).check(*canary.records, *held)
        _check(not _pickles(client), "the client is pickled, with its secrets")

    @_in_new_loop
    async def test_a_platform_that_is_gone_is_a_transport_error(self, sandbox: ContractSandbox) -> None:
        """Check that it is raised within the timeout, names the operation, and is reported to listeners."""
        self._needs_requests()
        events: list[object] = []
        async with self.client.from_env(on_event=events.append, **self._impatient()) as client:
            await sandbox.aclose()
            error = await self._error_of(client)
        _check(isinstance(error, TransportError), f"it raised {_name(error)}")
        _check(error is not None and error.operation is not None, "the error does not say in which operation")
        _check(bool(events), "no listener was told")

    @_in_new_loop
    async def test_a_listener_that_fails_breaks_nothing(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check that a call succeeds nevertheless."""

        def fail(event: object) -> None:
            raise ValueError(type(event).__name__)

        async with self.client.from_env(on_event=fail) as client:
            await self.call(client)

    @_in_new_loop
    async def test_another_loop_is_refused(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check for a `WrongLoopError` before a request is sent; the client still works in its own loop."""
        self._needs_requests()
        async with self.client.from_env() as client:
            await self.call(client)
            error = await asyncio.to_thread(lambda: asyncio.run(self._error_of(client)))
            _check(isinstance(error, WrongLoopError), f"from another loop it raised {_name(error)}")
            await self.call(client)

    @_in_new_loop
    async def test_clients_share_nothing(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check that closing one client does not affect another."""
        async with self.client.from_env() as lasting:
            async with self.client.from_env() as passing:
                await self.call(passing)
                await self.call(lasting)
            await self.call(lasting)

    @_in_new_loop
    async def test_a_session_that_was_passed_in_stays_open(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check that the client closes its transport, but not the session that was passed in."""
        self._needs_requests()
        import aiohttp

        async with aiohttp.ClientSession() as session:
            transport = _Counted(AiohttpTransport(session))
            async with self.client.from_env(transport=transport) as client:
                await self.call(client)
            _check(transport.sent > 0, "the transport that was passed in was not used")
            _check(transport.closed > 0, "the transport was not closed with the client")
            _check(not session.closed, "somebody else's session was closed")

    @_in_new_loop
    async def test_cancelling_leaves_nothing_behind(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Cancel at every point where a call waits, and check that the client works and leaves no task."""
        before = asyncio.all_tasks()
        async with self.client.from_env() as client:
            await cancel_at_every_step(lambda: self.call(client))
            await self.call(client)
        while left := asyncio.all_tasks() - before:  # the sandbox's own tasks end with their connections
            await asyncio.wait(left)

    @_in_new_loop
    async def test_what_it_can_do_it_can_do_whole(self, sandbox: ContractSandbox) -> None:  # noqa: ARG002
        """Check users, chats and revocation, if the client has them, against `ethora_async.capabilities`."""
        async with self.client.from_env() as client:
            tokens = client.tokens
            if isinstance(client, ManagesUsers):
                _check(callable(await client.users.reserved()), "users.reserved gave no test")
                _check(client.users.key(self.user) == str(self.user), "users.key does not give the id")
                listed = [user.id async for user in client.users.list()]
                _check(len(listed) == len(set(listed)), "somebody is listed twice")
            if isinstance(client, ManagesChats):
                _check(callable(await client.chats.reserved()), "chats.reserved gave no test")
            # For `RevokesTokens`, `isinstance` looks no deeper than the client itself.
            if isinstance(tokens, RevocableTokens):
                await tokens.revoke(await tokens.for_user(self.user))

    def _secrets(self, sandbox: ContractSandbox) -> list[str]:
        return [sandbox.environment[name] for name in self.secrets]

    def _impatient(self) -> dict[str, Any]:
        return {"timeout": _UNREACHABLE} if self.sends_requests else {}

    def _refusal(self) -> ChatError | None:
        try:
            self.client.from_env()
        except ChatError as error:
            return error
        return None

    async def _error_of(self, client: Any) -> ChatError | None:
        try:
            await self.call(client)
        except ChatError as error:
            return error
        return None

    def _needs_requests(self) -> None:
        if not self.sends_requests:
            import pytest

            pytest.skip("this client sends no requests")


class _Counted:
    """A transport that counts its requests."""

    def __init__(self, inner: AiohttpTransport) -> None:
        self._inner = inner
        self.sent = self.closed = 0

    async def send(self, request: Request, /) -> Response:
        self.sent += 1
        return await self._inner.send(request)

    async def aclose(self) -> None:
        self.closed += 1
        await self._inner.aclose()


def _pickles(thing: object) -> bool:
    try:
        pickle.dumps(thing)
    except Exception:  # noqa: BLE001  any error means that it cannot be pickled
        return False
    return True


def _name(error: object) -> str:
    return "nothing" if error is None else type(error).__name__


def _check(holds: bool, otherwise: str) -> None:
    # Not an assert: pytest would print its operands, and python -O would remove it.
    if not holds:
        raise AssertionError(otherwise)


__all__ = ["ContractSandbox", "PlatformContract"]
