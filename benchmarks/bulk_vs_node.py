"""Users created by this package and by the vendor's SDK for Node: CPU per user and users a second, on one server."""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable  # attrs reads it
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import attrs
from _measure import Samples, event_loops, interleaved, pin, quick, ratio, server, show
from _workers import (
    NodeMissingError,
    Worker,
    environment,
    node_command,
    node_sdk,
    node_worker,
    python_command,
    python_worker,
)
from bulk_memory import write_users

if TYPE_CHECKING:
    from collections.abc import Mapping

IN_FLIGHT = 64
BATCHES_IN_FLIGHT = 8
DELAY = 0.020
"""Seconds that the slow server takes for a reply."""

NODE = {"shipped": "Node SDK", "cached": "Node SDK, token cached"}
"""The vendor's SDK as it is, and with the one change that its server token is made once."""

OURS = "ethora-async"
BRIEFLY = ", rows without records"


@attrs.frozen
class Sizes:
    """How much is done: `few` users where each has a request, `many` where a request has a hundred."""

    rounds: int
    few: int
    many: int
    slow: int
    cold: int


QUICK = Sizes(rounds=2, few=100, many=1_000, slow=640, cold=100)
FULL = Sizes(rounds=15, few=1_000, many=10_000, slow=4_000, cold=2_000)


@attrs.define
class Comparison:
    """Works of several processes, taken in turns."""

    rounds: int
    works: dict[str, Callable[[], float]] = attrs.field(factory=dict)
    rates: dict[str, list[float]] = attrs.field(factory=lambda: defaultdict(list))
    cpu: Samples = attrs.field(factory=dict)

    def add(self, name: str, worker: Worker, work: str, users: int, **options: object) -> None:
        """One work; its CPU per user is what is compared."""

        def run() -> float:
            reply = worker.ask(work, **options)
            if reply["count"] != users:
                msg = f"{name} made {reply['count']:.0f} users of {users}"
                raise RuntimeError(msg)
            self.rates[name].append(users / reply["wall"])
            return reply["cpu"] / users

        self.works[name] = run

    def run(self) -> None:
        self.cpu = interleaved(self.works, self.rounds)

    def rate(self, name: str) -> float:
        """Users a second; the first time does not count, it was to get warm."""
        return median(self.rates[name][1:])

    def line(self, name: str) -> str:
        return f"  {name:52} {median(self.cpu[name]) * 1e6:8.1f} us {self.rate(name):8,.0f}/s"

    def lines(self) -> list[str]:
        return [self.line(name) for name in self.works]


def batch_works(comparison: Comparison, ours: Worker, node: Mapping[str, Worker], users: int, note: str = "") -> None:
    """A hundred users to a request, and the job's reply to each."""
    options = {"count": users, "in_flight": BATCHES_IN_FLIGHT}
    for tokens, worker in node.items():
        comparison.add(f"batches{note}, {NODE[tokens]}", worker, "batches", users, **options)
    comparison.add(f"batches{note}, {OURS}", ours, "batches", users, **options)
    comparison.add(f"batches{note}, bare aiohttp", ours, "bare", users, **options)


def wire_works(comparison: Comparison, ours: Worker, node: Mapping[str, Worker], sizes: Sizes) -> None:
    """Users who are ready to be sent, alone and in batches."""
    few = sizes.few
    batch_works(comparison, ours, node, sizes.many)
    for tokens, worker in node.items():
        sdk = NODE[tokens]
        comparison.add(f"one by one, {sdk}", worker, "in_turn", few, count=few)
        comparison.add(f"64 in flight, {sdk}", worker, "in_chunks", few, count=few, in_flight=IN_FLIGHT)
    comparison.add(f"one by one, {OURS}", ours, "single", few, count=few, in_flight=1)
    comparison.add(f"64 in flight, {OURS}", ours, "single", few, count=few, in_flight=IN_FLIGHT)
    comparison.add(f"64 in flight, {OURS}, jobs awaited", ours, "awaited", few, count=few, in_flight=IN_FLIGHT)


def import_works(
    comparison: Comparison, ours: Worker, node: Mapping[str, Worker], sizes: Sizes, files: Callable[[int], str]
) -> None:
    """The same from a CSV file; ours reads, checks, plans and journals."""
    for tokens, worker in node.items():
        file, sdk = files(sizes.few), NODE[tokens]
        comparison.add(f"import, {sdk}, README loop", worker, "import_in_turn", sizes.few, file=file)
        comparison.add(
            f"import, {sdk}, 64 in flight", worker, "import_in_chunks", sizes.few, file=file, in_flight=IN_FLIGHT
        )
    comparison.add(f"import, {OURS}, plan and apply", ours, "plan_and_apply", sizes.many, file=files(sizes.many))


def compare(sizes: Sizes, tokens: list[str], files: Callable[[int], str]) -> Comparison:
    """Wire and import, on a server that answers at once."""
    comparison = Comparison(sizes.rounds)
    with ExitStack() as stack:
        (port,) = stack.enter_context(server("_bulk_server.py"))
        ours = stack.enter_context(python_worker(port))
        node = {name: stack.enter_context(node_worker(port, name)) for name in tokens}
        wire_works(comparison, ours, node, sizes)
        import_works(comparison, ours, node, sizes, files)
        comparison.run()
    return comparison


def compare_loops(sizes: Sizes, files: Callable[[int], str]) -> Comparison:
    """Batches and a whole import on asyncio's event loop and, where it is installed, on uvloop's."""
    comparison = Comparison(sizes.rounds)
    users, options = sizes.many, {"count": sizes.many, "in_flight": BATCHES_IN_FLIGHT}
    with ExitStack() as stack:
        (port,) = stack.enter_context(server("_bulk_server.py"))
        for loop in event_loops():
            worker = stack.enter_context(python_worker(port, loop=loop))
            comparison.add(f"{loop}: batches, {OURS}", worker, "batches", users, **options)
            comparison.add(f"{loop}: batches, bare aiohttp", worker, "bare", users, **options)
            comparison.add(f"{loop}: {APPLY}", worker, "plan_and_apply", users, file=files(users))
        comparison.run()
    return comparison


def compare_brief(sizes: Sizes, tokens: list[str]) -> Comparison:
    """Batches, on a server whose rows tell no more than what became of whom."""
    comparison = Comparison(sizes.rounds)
    with ExitStack() as stack:
        (port,) = stack.enter_context(server("_bulk_server.py", "0", "brief"))
        ours = stack.enter_context(python_worker(port))
        node = {name: stack.enter_context(node_worker(port, name)) for name in tokens}
        batch_works(comparison, ours, node, sizes.many, BRIEFLY)
        comparison.run()
    return comparison


def compare_on_slow_server(sizes: Sizes, tokens: list[str]) -> Comparison:
    """64 in flight, on a server that takes 20 ms."""
    comparison = Comparison(max(2, sizes.rounds // 3))
    users = {"count": sizes.slow, "in_flight": IN_FLIGHT}
    with ExitStack() as stack:
        (port,) = stack.enter_context(server("_bulk_server.py", str(DELAY)))
        for name in tokens:
            worker = stack.enter_context(node_worker(port, name))
            comparison.add(f"20 ms, 64 in flight, {NODE[name]}", worker, "in_chunks", sizes.slow, **users)
        ours = stack.enter_context(python_worker(port))
        comparison.add(f"20 ms, 64 in flight, {OURS}", ours, "single", sizes.slow, **users)
        comparison.add("20 ms, 64 in flight, bare aiohttp", ours, "bare_single", sizes.slow, **users)
        comparison.run()
    return comparison


def cold(command: list[str | Path], port: str, work: str, users: int, file: str) -> float:
    """CPU seconds for each user of a process that starts, imports the file and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    request = json.dumps({"work": work, "file": file}) + "\n"
    subprocess.run(command, input=request, env=environment(port), capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / users


def compare_cold(sizes: Sizes, tokens: list[str], files: Callable[[int], str]) -> Samples:
    """Whole processes, their start included."""
    users, file = sizes.cold, files(sizes.cold)
    with server("_bulk_server.py") as (port,):
        works = {
            f"cold process, {NODE[name]}, README loop": partial(
                cold, node_command(name), port, "import_in_turn", users, file
            )
            for name in tokens
        }
        works[f"cold process, {OURS}, plan and apply"] = partial(
            cold, python_command(), port, "plan_and_apply", users, file
        )
        return interleaved(works, max(2, sizes.rounds // 5))


@attrs.frozen
class Ratio:
    """A ratio; 5 x means that we take a fifth. `theirs` holds a place for the SDK's name.

    See docs/architecture.md#speed.
    """

    what: str
    theirs: str
    ours: str
    aim: str

    def line(self, made: Comparison) -> str:
        shipped, cached = (ratio(made.cpu, self.theirs.format(name), self.ours) for name in NODE.values())
        return f"{self.what:46} {shipped:6.1f} x as shipped {cached:6.1f} x token cached  (aim: {self.aim})"


APPLY = f"import, {OURS}, plan and apply"
LOOP = "import, {}, README loop"
RATIOS = (
    Ratio("64 in flight", "64 in flight, {}", f"64 in flight, {OURS}", "5 x / 1.7 x"),
    Ratio("batches of 100", "batches, {}", f"batches, {OURS}", "3 x / 1.9 x"),
    Ratio("one by one", "one by one, {}", f"one by one, {OURS}", "none"),
    Ratio("its README loop / our batches, wire part alone", "one by one, {}", f"batches, {OURS}", "300 x"),
    Ratio("its README loop / plan and apply, whole import", LOOP, APPLY, "33 x / 16 x"),
    Ratio("64 in flight / plan and apply, whole import", "import, {}, 64 in flight", APPLY, "none"),
)
BRIEF = Ratio(f"batches of 100{BRIEFLY}", f"batches{BRIEFLY}, {{}}", f"batches{BRIEFLY}, {OURS}", "3 x / 1.9 x")


def to_bare(made: Comparison, note: str = "") -> str:
    times = ratio(made.cpu, f"batches{note}, {OURS}", f"batches{note}, bare aiohttp")
    return f"{times:.2f} x the CPU of a bare aiohttp loop that sends the same batches{note}  (aim: 1.5 x)"


def import_to_bare(made: Comparison) -> str:
    times = ratio(made.cpu, APPLY, "batches, bare aiohttp")
    return f"{times:.2f} x the CPU of that loop for a whole import from CSV, plan and journal included  (aim: 4.5 x)"


def main() -> None:
    sizes = QUICK if quick(__doc__ or "") else FULL
    pin(0)
    missing, tokens = "", list(NODE)
    try:
        node_sdk()
    except NodeMissingError as reason:
        missing, tokens = str(reason), []
    with tempfile.TemporaryDirectory() as folder:

        def file_of(users: int) -> str:
            file = Path(folder, f"{users}.csv")
            if not file.exists():
                write_users(file, users)
            return str(file)

        made = compare(sizes, tokens, file_of)
        whole = compare_cold(sizes, tokens, file_of)
        loops = compare_loops(sizes, file_of)
    report(made, compare_brief(sizes, tokens), loops, compare_on_slow_server(sizes, tokens), whole, missing)


def report(
    made: Comparison, brief: Comparison, loops: Comparison, slow: Comparison, whole: Samples, missing: str
) -> None:
    ceiling = IN_FLIGHT / DELAY
    share, limit = (slow.rate(f"20 ms, 64 in flight, {client}") / ceiling for client in (OURS, "bare aiohttp"))
    reached = (
        f"{share:.0%} of the ceiling of a server that takes 20 ms, 64 in flight; bare aiohttp {limit:.0%}  (aim: 92%)"
    )
    headline, aim = f"{to_bare(made)}; the Node SDK was not measured: {missing}", "needs the Node SDK"
    ratios = [import_to_bare(made), to_bare(brief, BRIEFLY), reached]
    if not missing:
        times = ratio(made.cpu, LOOP.format(NODE["shipped"]), APPLY)
        headline, aim = f"{times:.1f} x less CPU for a whole import than the Node SDK's README loop", "at least 33 x"
        ratios = [*(one.line(made) for one in RATIOS), BRIEF.line(brief), to_bare(made), *ratios]
    details = [
        "CPU per user, users a second:",
        *made.lines(),
        *brief.lines(),
        *loops.lines(),
        *(f"{slow.line(name)} {slow.rate(name) / ceiling:6.1%} of the ceiling" for name in slow.works),
        *(f"  {name:52} {median(taken) * 1e6:8.1f} us" for name, taken in whole.items()),
    ]
    show("bulk_vs_node", headline, ratios + details, aim)


if __name__ == "__main__":
    main()
