"""The seven bulk methods: any kind of iterable, ordered or unordered results, cancellation."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from ethora_async import EthoraClient, NewChat, NewUser
from ethora_async.bulk import Run, Status
from ethora_async.config import Limits
from ethora_async.platforms.ethora.users.api import UserChange
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence


COUNT = 230
"""At least three requests of a hundred items."""
FEW = 60
"""For methods that send one request per item."""


def user(number: int) -> NewUser:
    return NewUser(id=f"u{number}", email=f"u{number}@example.com", first_name="Ann", last_name="Lee")


@attrs.frozen
class Method:
    """One bulk method: its input, the records that exist before, and the outcomes of valid and invalid items."""

    call: Callable[[EthoraClient], Callable[..., Run[Any]]]
    item: Callable[[int], Any]
    misfit: Any
    ends: Status
    misfit_ends: Status
    users: bool = False
    chats: int = 0
    members: bool = False
    count: int = COUNT

    async def prepare(self, client: EthoraClient) -> None:
        if self.users:
            assert (await client.users.create_many(map(user, range(COUNT)))).ok
        members = [f"u{number}" for number in range(COUNT)] if self.members else ()
        for number in range(self.chats):
            await client.chats.create(f"c{number}", title="Room", members=members)


METHODS = {
    "users.create_many": Method(
        lambda c: c.users.create_many, user, attrs.evolve(user(COUNT), first_name="A"), "created", "failed"
    ),
    "users.update_many": Method(
        lambda c: c.users.update_many,
        lambda number: UserChange(id=f"u{number}", first_name="Bea"),
        UserChange(id="nobody", first_name="Bea"),
        "updated",
        "failed",
        users=True,
    ),
    "users.delete_many": Method(
        lambda c: c.users.delete_many, lambda number: f"u{number}", "nobody", "deleted", "absent", users=True
    ),
    "chats.create_many": Method(
        lambda c: c.chats.create_many,
        lambda number: NewChat(id=f"c{number}", title="Room"),
        NewChat(id="c-misfit", title="Room", members=["nobody"]),
        "created",
        "failed",
        count=FEW,
    ),
    "chats.delete_many": Method(
        lambda c: c.chats.delete_many, lambda number: f"c{number}", "nothing", "deleted", "absent", chats=FEW, count=FEW
    ),
    "chats.grant_many": Method(
        lambda c: c.chats.grant_many,
        lambda number: (f"c{number % 3}", f"u{number}"),
        ("c1", "nobody"),
        "created",
        "failed",
        users=True,
        chats=3,
    ),
    "chats.revoke_many": Method(
        lambda c: c.chats.revoke_many,
        lambda number: (f"c{number % 3}", f"u{number}"),
        ("nowhere", "u1"),
        "deleted",
        "failed",
        users=True,
        chats=3,
        members=True,
    ),
}


class Closing:
    """Generators over some items; remembers whether they were closed."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items
        self.closed = False

    def plainly(self) -> Any:
        try:
            yield from self.items
        finally:
            self.closed = True

    async def later(self) -> AsyncGenerator[Any, None]:
        try:
            for item in self.items:
                await asyncio.sleep(0)
                yield item
        finally:
            self.closed = True


class Later:
    """An async iterable that is not a generator."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = iter(items)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self.items)
        except StopIteration:
            raise StopAsyncIteration from None


KINDS: dict[str, Callable[[list[Any]], Any]] = {
    "list": lambda items: items,
    "tuple": tuple,
    "iterator": iter,
    "generator": lambda items: Closing(items).plainly(),
    "async iterable": Later,
    "async generator": lambda items: Closing(items).later(),
}


@pytest.fixture
async def sandbox() -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox(job_polls=0) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: EthoraSandbox) -> AsyncIterator[EthoraClient]:
    async with EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as client:
        yield client


def every_combination() -> Iterator[Any]:
    """Yield a method, a kind of items and whether the order is kept: each method with one kind, and one with each."""
    for name, kind, ordered in itertools.product(METHODS, KINDS, (False, True)):
        quick = name == next(iter(METHODS)) or kind == "async generator"
        yield pytest.param(name, kind, ordered, marks=() if quick else pytest.mark.slow, id=f"{name}-{kind}-{ordered}")


@pytest.mark.parametrize(("name", "kind", "ordered"), list(every_combination()))
async def test_every_item_of_every_kind_of_items_ends_once(
    name: str, kind: str, ordered: bool, client: EthoraClient
) -> None:
    method = METHODS[name]
    await method.prepare(client)
    items = [method.item(number) for number in range(method.count)]
    items.insert(method.count // 2, method.misfit)
    run = method.call(client)(KINDS[kind](items), ordered=ordered)
    outcomes = [outcome async for outcome in run]
    ended = [outcome.item for outcome in outcomes]
    assert Counter(map(repr, ended)) == Counter(map(repr, items))
    assert not ordered or ended == items
    for outcome in outcomes:
        expected = method.misfit_ends if outcome.item == method.misfit else method.ends
        assert outcome.status == expected, outcome
        assert (outcome.error is None) is outcome.ok is (expected != "failed")
    assert run.report.counts == Counter(outcome.status for outcome in outcomes)
    assert (run.report.total, run.report.interrupted) == (method.count + 1, 0)


@pytest.mark.parametrize("source", ["plainly", "later"])
@pytest.mark.parametrize("name", METHODS)
async def test_a_run_that_is_cancelled_tells_what_is_known_and_leaves_nothing_behind(
    name: str, source: str, client: EthoraClient, sandbox: EthoraSandbox
) -> None:
    method = METHODS[name]
    await method.prepare(client)
    items = Closing([method.item(number) for number in range(method.count)])
    # Enough for each method to be done with something and on its way with more.
    slow = sandbox.faults.latency(0.01)
    run = method.call(client)(getattr(items, source)(), concurrency=2)
    first = asyncio.Event()

    async def read() -> None:
        async with aclosing(aiter(run)) as outcomes:  # type: ignore[type-var]
            async for _ in outcomes:
                first.set()

    task = asyncio.create_task(read())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.remove()
    assert items.closed
    assert client._context.app is not None
    limiter = client._context.app.engine.limiter
    assert (limiter.in_flight, limiter.waiting) == (0, 0)
    assert run.report.counts == {method.ends: run.report.total}
    assert 0 < run.report.total < method.count
    assert 0 <= run.report.interrupted <= 2 * 100
    assert str(run.report.total) in str(run.report)
    # The client goes on: what was not done is done by the next run, the rest is as it was left.
    again = await method.call(client)(items.items)
    assert again.total == method.count
    assert again.failed == 0
    at_work = {getattr(other.get_coro(), "__qualname__", "") for other in asyncio.all_tasks()}
    assert not any(name.startswith(("_Workers.", "Limiter.")) for name in at_work)


@pytest.mark.parametrize("name", ["chats.grant_many", "chats.revoke_many"])
async def test_pairs_of_one_chat_share_a_request_and_repeats_change_nothing(
    name: str, client: EthoraClient, sandbox: EthoraSandbox
) -> None:
    method = METHODS[name]
    await method.prepare(client)
    pairs = [("c0", f"u{number}") for number in range(30)] + [("c1", "u1"), ("c0", "u0"), ("c1", "u1")]
    sandbox.requests.clear()
    outcomes = [outcome async for outcome in method.call(client)(pairs, ordered=True)]
    assert len(sandbox.requests) == 2
    unchanged = "existed" if method.ends == "created" else "absent"
    changed = [method.ends] * 31 + [unchanged] * 2
    assert [outcome.status for outcome in outcomes] == changed
    assert [outcome.key for outcome in outcomes[:2]] == ["c0/u0", "c0/u1"]
    # And once more: nothing is left to change.
    assert (await method.call(client)(pairs)).counts == {unchanged: len(pairs)}


async def test_revoking_takes_out_those_and_no_others(client: EthoraClient, sandbox: EthoraSandbox) -> None:
    await METHODS["chats.revoke_many"].prepare(client)
    report = await client.chats.revoke_many(("c1", f"u{number}") for number in range(0, COUNT, 2))
    assert report.counts == {"deleted": COUNT // 2}
    left = {user.id async for user in client.chats.members("c1")}
    assert left >= {f"u{number}" for number in range(1, COUNT, 2)}
    assert not left & {f"u{number}" for number in range(0, COUNT, 2)}
    assert len([user async for user in client.chats.members("c0")]) >= COUNT


@pytest.mark.parametrize("name", ["chats.grant_many", "chats.revoke_many"])
async def test_a_pair_that_cannot_be_used_and_a_chat_that_is_not_there_fail_alone(
    name: str, client: EthoraClient
) -> None:
    method = METHODS[name]
    await method.prepare(client)
    pairs: list[Any] = [("c0", "u1"), ("c0", ""), ("nowhere", "u2"), ("nowhere", "u3"), ("c2", "u4")]
    outcomes = [outcome async for outcome in method.call(client)(pairs, ordered=True)]
    assert [outcome.status for outcome in outcomes] == [method.ends, "failed", "failed", "failed", method.ends]
    kinds = [type(outcome.error).__name__ for outcome in outcomes if outcome.error]
    assert kinds == ["InvalidInputError", "NotFoundError", "NotFoundError"]


async def test_a_batch_with_one_unknown_user_is_deleted_with_ten_requests(
    client: EthoraClient, sandbox: EthoraSandbox
) -> None:
    await METHODS["users.delete_many"].prepare(client)
    sandbox.requests.clear()
    ids = [f"u{number}" for number in range(99)]
    ids.insert(37, "nobody")
    report = await client.users.delete_many(ids)
    assert report.counts == {"deleted": 99, "absent": 1}
    assert len(sandbox.requests) <= 10


async def test_a_run_leaves_a_foreground_call_its_way(sandbox: EthoraSandbox) -> None:
    hung = sandbox.faults.latency(3_600, "POST /v2/users/batch")
    limits = Limits(concurrency=4, adaptive=False)
    async with EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url, limits=limits) as client:
        run = asyncio.ensure_future(client.users.create_many(map(user, range(5_000)))._finish())
        while hung.hits < 3:  # noqa: ASYNC110  the sandbox tells of a request only when it has been answered
            await asyncio.sleep(0.001)
        assert (await client.chats.create("c1", title="Room")).status == "created"
        assert hung.hits == 3
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
