"""Proxies from the environment, read in the same way for every transport."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.request import getproxies_environment

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from yarl import URL


_LONGEST_PORT = 5
"""In digits."""


class EnvironmentProxies:
    """``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, as they are when this object is created.

    A proxy without a scheme is an HTTP proxy: ``proxy.example.com:3128``. ``NO_PROXY`` is a comma-separated list of:

    - ``*``: no proxy at all,
    - ``example.com``: this host and its subdomains; ``.example.com`` or ``*.example.com``: its subdomains alone,
    - ``10.1.2.3`` or ``::1``: this address; ``10.0.0.0/8``: this network,
    - any of them with a port, ``example.com:8080`` or ``[::1]:8080``: only that one,
    - any of them with a scheme: only that scheme, and only the host itself, as in httpx: ``https://example.com``;
      ``all://example.com`` is any scheme, and ``http://`` every host.

    Lower-case names take precedence over upper-case ones.
    """

    def __init__(self) -> None:
        environment = getproxies_environment()
        exceptions = [_Exception(entry.strip()) for entry in environment.pop("no", "").split(",") if entry.strip()]
        self._exceptions = exceptions
        self._proxies = {} if any(entry.host == "*" for entry in exceptions) else environment

    def __bool__(self) -> bool:
        return bool(self._proxies)

    def proxy_for(self, url: URL) -> str | None:
        """Return the URL of the proxy for `url`, or None to connect directly."""
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if not proxy or any(entry.covers(url) for entry in self._exceptions):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


class _Exception:
    """One entry of ``NO_PROXY``."""

    def __init__(self, entry: str) -> None:
        scheme, separator, rest = entry.rpartition("://")
        self._scheme = scheme.lower() if separator else ""
        self._network = _network(rest)
        self._port: int | None = None
        self.host = rest
        if self._network is None:
            host, colon, port = rest.rpartition(":")
            if (
                colon
                and port.isascii()
                and port.isdigit()
                and len(port) <= _LONGEST_PORT
                and (":" not in host or host.endswith("]"))
            ):
                self.host, self._port = host, int(port)
                self._network = _network(host.strip("[]"))
        self.host = self.host.lower().rstrip(".")

    def covers(self, url: URL) -> bool:
        host = (url.host or "").lower().rstrip(".")
        if self._scheme not in ("", "all", url.scheme):
            return False
        if self._scheme and not self.host:
            return True
        if self._port is not None and self._port != url.port:
            return False
        if self._network is not None:
            try:
                return ip_address(host) in self._network
            except ValueError:
                return False
        subdomains = self.host.removeprefix("*")
        if subdomains.startswith("."):
            return host.endswith(subdomains)
        if self._scheme and subdomains == self.host:
            return host == subdomains
        return bool(subdomains) and (host == subdomains or host.endswith(f".{subdomains}"))


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None
