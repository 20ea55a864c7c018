"""``/metrics`` for Prometheus, on a separate port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ethora_async.errors import ConfigError
from ethora_async.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from types import TracebackType

    from prometheus_client import CollectorRegistry

HOST = "127.0.0.1"


class MetricsServer:
    """Answers ``GET /metrics`` in a separate thread, so that a busy event loop does not delay a scrape.

    It has no authentication: bind it to loopback or to a private network.

    Args:
        where: ``PORT``, ``HOST:PORT`` or ``[IPv6]:PORT``; the host is 127.0.0.1 by default, port 0 takes a free one.
        registry: the registry to serve, in place of a new one with this process's own metrics (CPU, memory, files).

    Attributes:
        metrics: the listener; pass it as ``on_event=``.

    Raises:
        ConfigError: `where` cannot be used, or ``prometheus-client`` is not installed.
    """

    def __init__(self, where: str, registry: CollectorRegistry | None = None) -> None:
        self._host, self._port = _address(where)
        try:
            import prometheus_client as prometheus
        except ModuleNotFoundError as error:
            if error.name != "prometheus_client":
                raise
            msg = "metrics need prometheus-client: pip install 'ethora-async[otel]'"
            raise ConfigError(msg) from None
        if registry is None:
            registry = prometheus.CollectorRegistry()
            prometheus.ProcessCollector(registry=registry)
        self._registry = registry
        self.metrics: Metrics = Metrics.prometheus(registry)
        self._server: Any = None
        self._thread: Any = None

    @property
    def url(self) -> str:
        """The URL, once started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        port = self._port if self._server is None else self._server.server_port
        return f"http://{host}:{port}/metrics"

    def start(self) -> None:
        """Start to listen.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        from prometheus_client import start_http_server

        try:
            self._server, self._thread = start_http_server(self._port, self._host, self._registry)
        except OSError as error:
            msg = f"cannot listen on {self._host}:{self._port} for metrics: {error.strerror or error}"
            raise ConfigError(msg) from None

    def close(self) -> None:
        """Stop listening. Safe to call more than once."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _address(where: str) -> tuple[str, int]:
    host, _, port = where.strip().rpartition(":")
    try:
        number = int(port) if port.isascii() and port.isdecimal() else -1
    except ValueError:  # thousands of digits
        number = -1
    plain = host.removeprefix("[").removesuffix("]")
    if not 0 <= number <= 65535 or (":" in plain and host == plain):
        msg = f"metrics cannot be served on {where!r}: write PORT, HOST:PORT or [IPv6]:PORT, for example 127.0.0.1:9464"
        raise ConfigError(msg)
    return plain or HOST, number


__all__ = ["MetricsServer"]
