"""The cost of telemetry, without and with listeners: CPU of the client's process per call."""

from __future__ import annotations

import ast
import asyncio
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import TYPE_CHECKING, Any

import orjson
from _calls import APP, UPDATE, by_client
from _measure import Samples, interleaved, pin, quick, ratio, server, show

from ethora_async import EthoraClient
from ethora_async.engine import engine
from ethora_async.telemetry import Metrics, Tracing

if TYPE_CHECKING:
    from _calls import Call

IN_FLIGHT = 64
SECRET = "only-for-this-benchmark-0123456789"


class _Hooks(ast.NodeTransformer):
    """Removes the hooks of telemetry from the engine's source."""

    removed = 0

    def visit_If(self, node: ast.If) -> Any:
        if ast.unparse(node.test) == "call.told":
            self.removed += 1
            return node.orelse or ast.Pass()
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if ast.unparse(node) == "self._emitter.wanted":
            self.removed += 1
            return ast.Constant(False)
        return self.generic_visit(node)


def engine_without_hooks() -> Any:
    assert engine.__file__ is not None
    hooks = _Hooks()
    tree = ast.fix_missing_locations(hooks.visit(ast.parse(Path(engine.__file__).read_text("utf-8"))))
    assert hooks.removed >= 4, "the engine asks somewhere else whether anybody listens"
    module = ModuleType("engine_without_hooks")
    sys.modules[module.__name__] = module
    exec(compile(tree, engine.__file__, "exec"), module.__dict__)
    return module.Engine


def client_of(base: str, **options: Any) -> EthoraClient:
    return EthoraClient(app_id=APP, secret=SECRET, api_url=base, **options)


def without_hooks(runner: asyncio.Runner, base: str) -> EthoraClient:
    kept, engine.Engine = engine.Engine, engine_without_hooks()
    try:
        client = client_of(base)
        runner.run(_first(by_client(UPDATE, client)))  # by now it has its engine
    finally:
        engine.Engine = kept
    assert type(client._wiring._engine).__module__ == "engine_without_hooks"
    return client


async def _first(call: Call) -> None:
    await call(0)


async def many(call: Call, calls: int) -> None:
    async def one_after_another(start: int) -> None:
        for number in range(start, calls, IN_FLIGHT):
            await call(number)

    await asyncio.gather(*map(one_after_another, range(IN_FLIGHT)))


def cpu_per_call(runner: asyncio.Runner, call: Call, calls: int) -> float:
    """Seconds, user and system."""
    started = time.process_time()
    runner.run(many(call, calls))
    return (time.process_time() - started) / calls


def measure(rounds: int, size: int) -> Samples:
    from opentelemetry.sdk.trace import TracerProvider
    from prometheus_client import CollectorRegistry

    with server("_fixed_server.py", orjson.dumps(UPDATE.reply).decode()) as (port,), asyncio.Runner() as runner:
        base = f"http://127.0.0.1:{port}"
        clients = {
            "no hooks": without_hooks(runner, base),
            "off": client_of(base),
            "metrics": client_of(base, on_event=Metrics.prometheus(CollectorRegistry())),
            "tracing": client_of(base, on_event=Tracing(TracerProvider())),
        }
        variants = {
            name: partial(cpu_per_call, runner, by_client(UPDATE, client), size) for name, client in clients.items()
        }
        samples = interleaved(variants, rounds)
        for client in clients.values():
            runner.run(client.aclose())
    return samples


def main() -> None:
    rounds, size = (5, 128) if quick(__doc__ or "") else (61, 512)
    pin(0)
    samples = measure(rounds, size)
    show(
        "telemetry",
        f"{ratio(samples, 'off', 'no hooks'):.3f} x an engine without its hooks, while nobody listens",
        [
            f"{name:8} {median(taken) * 1e6:.0f} us a call, {ratio(samples, name, 'no hooks'):.3f} x"
            for name, taken in samples.items()
        ],
        aim="at most 1.02, which no run tells from 1",
    )


if __name__ == "__main__":
    main()
