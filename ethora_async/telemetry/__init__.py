"""Observe clients, bulk runs and outbox workers: traces, metrics and structured logs (extra ``otel``).

```python
from ethora_async import EthoraClient
from ethora_async.telemetry import Metrics, Tracing

ethora = EthoraClient(on_event=[Tracing(), Metrics.prometheus()])
```

Each is a listener: pass it as ``on_event=`` to a client and to an outbox `Worker`. Without listeners no event, span or
measurement is created.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.telemetry.exposition import MetricsServer
    from ethora_async.telemetry.instruments import INSTRUMENTS, Instrument, Meter
    from ethora_async.telemetry.logs import JsonFormatter
    from ethora_async.telemetry.metrics import Metrics
    from ethora_async.telemetry.propagation import TraceparentTransport
    from ethora_async.telemetry.tracing import Tracing

_HOMES = {
    "exposition": ("MetricsServer",),
    "instruments": ("INSTRUMENTS", "Instrument", "Meter"),
    "logs": ("JsonFormatter",),
    "metrics": ("Metrics",),
    "propagation": ("TraceparentTransport",),
    "tracing": ("Tracing",),
}

__all__ = [
    "INSTRUMENTS",
    "Instrument",
    "JsonFormatter",
    "Meter",
    "Metrics",
    "MetricsServer",
    "TraceparentTransport",
    "Tracing",
]

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
