"""Test helpers: a secret store in memory, and the contract suite for every `SecretProvider`.

```python
class TestMyProvider(SecretProviderContract):
    async def make_provider(self, values):
        self.store = FakeStore(values)
        return MyProvider(self.store.address)

    async def rotate(self, values):
        self.store.set(values)

    async def break_store(self):
        self.store.stop()
```
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import functools
import pickle
import traceback
from typing import TYPE_CHECKING, ClassVar

from ethora_async_secrets.bundle import SecretBundle
from ethora_async_secrets.errors import SecretError, SecretNotFoundError
from ethora_async_secrets.provider import SecretProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

__all__ = ["MemoryProvider", "SecretProviderContract"]


class MemoryProvider:
    """A store in memory that fails, blocks and counts on demand; it has no cache.

    Set `bundle` at any time (or `put` values). Counters: `fetches`, `refreshes`, `closes` and the versions in
    `invalidated`; `waiting` is the number of calls that are blocked now.
    """

    def __init__(self, values: Mapping[str, str] | SecretBundle, *, source: str = "memory") -> None:
        self._source = source
        self.bundle: SecretBundle = values if isinstance(values, SecretBundle) else SecretBundle(values, source=source)
        self.fetches: int = 0
        self.refreshes: int = 0
        self.closes: int = 0
        self.waiting: int = 0
        self.invalidated: list[str] = []
        self._errors: list[BaseException] = []
        self._lasting_error: BaseException | None = None
        self._gate: asyncio.Event | None = None
        self._entered = asyncio.Event()

    def __repr__(self) -> str:
        return f"MemoryProvider({self.bundle!r})"

    @property
    def source(self) -> str:
        """The given name, `memory` by default."""
        return self._source

    @property
    def calls(self) -> int:
        """The number of reads: fetches and refreshes."""
        return self.fetches + self.refreshes

    def put(self, values: Mapping[str, str], *, version: str | None = None) -> SecretBundle:
        """Make `values` the current bundle, and the values so far its `previous`; return the bundle."""
        self.bundle = SecretBundle(values, version=version, source=self._source, previous=self.bundle)
        return self.bundle

    def fail(self, error: BaseException, *, times: int | None = None) -> None:
        """Raise `error` for the next `times` calls, or for all until `mend`."""
        if times is None:
            self._lasting_error = error
        else:
            self._errors.extend([error] * times)

    def mend(self) -> None:
        """Answer again."""
        self._errors.clear()
        self._lasting_error = None

    def hold(self) -> None:
        """Block calls: they are counted, then wait until `release`."""
        self._gate = asyncio.Event()
        self._entered = asyncio.Event()

    def release(self) -> None:
        """Let blocked calls continue."""
        gate, self._gate = self._gate, None
        if gate is not None:
            # a call blocked in a loop that has been closed cannot continue, and need not
            with contextlib.suppress(RuntimeError):
                gate.set()

    async def entered(self) -> None:
        """Wait until a call is blocked."""
        await self._entered.wait()

    async def fetch(self) -> SecretBundle:
        """Count the call, wait while calls are blocked, then return the current bundle or raise the error of `fail`."""
        self.fetches += 1
        return await self._answer()

    async def refresh(self) -> SecretBundle:
        """Do the same as `fetch`, counted separately."""
        self.refreshes += 1
        return await self._answer()

    def invalidate(self, version: str) -> None:
        """Record the version."""
        self.invalidated.append(version)

    async def aclose(self) -> None:
        """Count the call; the provider stays usable."""
        self.closes += 1

    async def _answer(self) -> SecretBundle:
        if self._gate is not None:
            self.waiting += 1
            self._entered.set()
            try:
                await self._gate.wait()
            finally:
                self.waiting -= 1
        error = self._errors.pop(0) if self._errors else self._lasting_error
        if error is not None:
            raise error
        return self.bundle


def _in_new_loop(
    test: Callable[[SecretProviderContract], Coroutine[object, object, None]],
) -> Callable[[SecretProviderContract], None]:
    """Run a coroutine test in a new event loop, so that the suite needs no asyncio plug-in or settings."""

    @functools.wraps(test)
    def run(self: SecretProviderContract) -> None:
        asyncio.run(test(self))

    return run


class SecretProviderContract(abc.ABC):
    """The contract of a `SecretProvider`; subclass it in a pytest module, as `Test…`.

    Override `make_provider`, and `rotate` and `break_store` if the store supports them: tests that need a missing one
    are skipped. Each test runs in its own event loops. Failures name versions, never values.
    """

    name: ClassVar[str] = "ETHORA_CHAT_APP_SECRET"
    first: ClassVar[Mapping[str, str]] = {name: "contract-first-0f5a1c"}
    second: ClassVar[Mapping[str, str]] = {name: "contract-second-93be7d"}

    @abc.abstractmethod
    async def make_provider(self, values: Mapping[str, str]) -> SecretProvider:
        """Fill the store with `values` and return a new provider of it."""

    async def rotate(self, values: Mapping[str, str]) -> None:  # noqa: ARG002
        """Make the store hold `values` from now on, and repair it if it was broken."""
        _skip("this store does not rotate")

    async def break_store(self) -> None:
        """Make the store fail, with any kind of `SecretError`, until the next `rotate`."""
        _skip("this store does not break")

    @_in_new_loop
    async def test_it_has_the_shape_of_a_provider(self) -> None:
        """It is a `SecretProvider` and says where it looks."""
        provider = await self.make_provider(self.first)
        _check(_is_provider(provider), "the provider lacks a member of SecretProvider")
        _check(bool(provider.source), "source is empty")
        await provider.aclose()

    @_in_new_loop
    async def test_fetch_and_refresh_return_what_the_store_holds(self) -> None:
        """Check that both methods answer, with a source, and equally."""
        provider = await self.make_provider(self.first)
        for bundle in (await provider.fetch(), await provider.refresh()):
            self._check_holds(bundle, self.first)
            _check(bool(bundle.source), "the bundle's source is empty")
        await provider.aclose()

    @_in_new_loop
    async def test_the_version_stays_while_nothing_changes(self) -> None:
        """Check that the version stays equal: a new one would discard every token made from the secret."""
        provider = await self.make_provider(self.first)
        versions = {(await provider.fetch()).version, (await provider.refresh()).version}
        versions.add((await provider.fetch()).version)
        _check(len(versions) == 1, f"the values stayed, the version went through {sorted(versions)}")
        await provider.aclose()

    @_in_new_loop
    async def test_refresh_sees_a_rotation(self) -> None:
        """Check that `refresh` reads the store, that `fetch` follows, and that new values have a new version."""
        provider = await self.make_provider(self.first)
        old = await provider.fetch()
        await self.rotate(self.second)
        new = await provider.refresh()
        self._check_holds(new, self.second)
        _check(new.version != old.version, "new values came under the old version")
        self._check_holds(await provider.fetch(), self.second)
        await provider.aclose()

    @_in_new_loop
    async def test_fetch_sees_a_rotation_after_invalidate(self) -> None:
        """Check that `fetch` reads the store after the current version was invalidated."""
        provider = await self.make_provider(self.first)
        old = await provider.fetch()
        await self.rotate(self.second)
        provider.invalidate(old.version)
        self._check_holds(await provider.fetch(), self.second)
        await provider.aclose()

    @_in_new_loop
    async def test_invalidating_another_version_is_harmless(self) -> None:
        """Check that invalidating an unknown version changes nothing, before the first fetch and after."""
        provider = await self.make_provider(self.first)
        provider.invalidate("no-such-version")
        bundle = await provider.fetch()
        provider.invalidate("no-such-version")
        _check(
            (await provider.fetch()).version == bundle.version,
            "another version's invalidation changed this one",
        )
        await provider.aclose()

    @_in_new_loop
    async def test_nothing_printed_shows_a_value(self) -> None:
        """Check that the provider, source, bundle, version and the error for a missing name show no value."""
        provider = await self.make_provider(self.first)
        bundle = await provider.fetch()
        printed = [repr(provider), str(provider), provider.source, repr(bundle), str(bundle), bundle.version]
        try:
            bundle.reveal("ETHORA_NO_SUCH_SECRET")
        except SecretNotFoundError as error:
            printed += [str(error), repr(error)]
        _check_silent(printed, self.first)
        await provider.aclose()

    @_in_new_loop
    async def test_a_broken_store_is_a_secret_error_without_values(self) -> None:
        """Check that `refresh` raises an error that has a source, can be pickled, and shows no value."""
        provider = await self.make_provider(self.first)
        await provider.fetch()
        await self.break_store()
        error = await _error_of(provider.refresh())
        _check(isinstance(error, SecretError), f"a broken store raised {type(error).__name__}, not a SecretError")
        _check(bool(getattr(error, "source", "")), "the error has no source")
        twin = pickle.loads(pickle.dumps(error))  # noqa: S301
        _check(type(twin) is type(error) and str(twin) == str(error), "the error did not survive pickling")
        _check_silent([str(error), repr(error), *traceback.format_exception(error)], self.first)
        await provider.aclose()

    @_in_new_loop
    async def test_a_failure_is_not_remembered_once_the_store_answers(self) -> None:
        """Check that `refresh` returns the new values after the repair."""
        provider = await self.make_provider(self.first)
        await provider.fetch()
        await self.break_store()
        _check(await _error_of(provider.refresh()) is not None, "refresh answered from a broken store")
        await self.rotate(self.second)
        self._check_holds(await provider.refresh(), self.second)
        self._check_holds(await provider.fetch(), self.second)
        await provider.aclose()

    @_in_new_loop
    async def test_a_cancelled_fetch_leaves_the_provider_usable(self) -> None:
        """Check that cancelling `fetch` after any of the first steps neither hangs nor breaks other calls."""
        provider = await self.make_provider(self.first)
        for steps in range(5):
            task = asyncio.ensure_future(provider.refresh())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            self._check_holds(await provider.fetch(), self.first)
        await provider.aclose()

    @_in_new_loop
    async def test_concurrent_fetches_agree(self) -> None:
        """Check that fifty concurrent fetches get the same version."""
        provider = await self.make_provider(self.first)
        bundles = await asyncio.gather(*(provider.fetch() for _ in range(50)))
        _check(len({bundle.version for bundle in bundles}) == 1, "concurrent fetches got different versions")
        await provider.aclose()

    @_in_new_loop
    async def test_it_closes_twice(self) -> None:
        """Check that closing is idempotent, used or not."""
        unused = await self.make_provider(self.first)
        await unused.aclose()
        await unused.aclose()
        used = await self.make_provider(self.first)
        await used.fetch()
        await used.aclose()
        await used.aclose()

    def test_it_works_in_a_second_event_loop(self) -> None:
        """Check that a provider made and used in a loop that ended also answers in the next one."""

        async def first_loop() -> SecretProvider:
            provider = await self.make_provider(self.first)
            await provider.fetch()
            return provider

        async def second_loop(provider: SecretProvider) -> None:
            self._check_holds(await provider.refresh(), self.first)
            self._check_holds(await provider.fetch(), self.first)
            await provider.aclose()

        asyncio.run(second_loop(asyncio.run(first_loop())))

    def _check_holds(self, bundle: SecretBundle, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            _check(
                bundle.get(name) == value,
                f"version {bundle.version} has another value for {name} than the store",
            )


def _is_provider(candidate: object) -> bool:
    return isinstance(candidate, SecretProvider)


async def _error_of(call: Coroutine[object, object, object]) -> Exception | None:
    try:
        await call
    except Exception as error:  # noqa: BLE001
        return error
    return None


def _check_silent(printed: list[str], values: Mapping[str, str]) -> None:
    for value in values.values():
        shown = [number for number, text in enumerate(printed) if value in text]
        _check(not shown, f"a secret value is in text number {shown}")


def _check(holds: bool, otherwise: str) -> None:
    # not an assert: pytest would print its operands, and python -O would remove it
    if not holds:
        raise AssertionError(otherwise)


def _skip(reason: str) -> None:
    import pytest

    pytest.skip(reason)
