"""Listening sockets of ``ethora serve``: a loopback address or a unix socket, never the network."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from ethora_async.errors import ConfigError

_BACKLOG = 128


def loopback(host: str) -> str:
    """Return the address to listen on.

    Raises:
        ConfigError: it is not a loopback address.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        good = ip_address(host).is_loopback
    except ValueError:
        good = False
    if not good:
        msg = (
            f"--host {host} is not a loopback address: anyone who bypasses the proxy could claim any identity;"
            " use 127.0.0.1, ::1 or --unix PATH, and let the proxy listen to the network"
        )
        raise ConfigError(msg)
    return host


def tcp_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket on a loopback address; port 0 takes a free one.

    Raises:
        ConfigError: it is not a loopback address, or it is in use.
    """
    address = loopback(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        msg = f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
        raise ConfigError(msg) from None


@contextmanager
def unix_socket(path: Path, mode: int) -> Iterator[socket.socket]:
    """Yield a listening unix socket at `path`, and remove it at the end.

    It is created in a private directory, given its mode, and then moved to `path`, so that nobody can connect to it
    before its permissions are set. A socket that a dead process left at `path` is replaced; a socket that still
    answers, and any other kind of file, is not.

    Raises:
        ConfigError: it cannot be created there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            ours = _moved_in(listener, path, mode)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "the path is too long"
            msg = f"cannot listen on {path}: {reason}"
            raise ConfigError(msg) from None
        try:
            yield listener
        finally:
            # Another process may have replaced it.
            with suppress(OSError):
                if _identity(path) == ours:
                    path.unlink()
    finally:
        listener.close()


def _moved_in(listener: socket.socket, path: Path, mode: int) -> tuple[int, int]:
    # Only this user can enter this directory: the socket's permissions are not set yet.
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as aside:
        made = Path(aside) / "s"
        listener.bind(str(made))
        made.chmod(mode)
        listener.listen(_BACKLOG)
        with _alone_in(path.parent):
            _check_free(path)
            made.rename(path)
            return _identity(path)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Hold a lock, so that two processes that start together do not both find a dead one's socket."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _check_free(path: Path) -> None:
    # Done first, since it fails for a path that is too long to connect to.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        answer = probe.connect_ex(str(path))
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        msg = f"cannot listen on {path}: a file that is not a socket exists there; move it away, or choose another path"
        raise ConfigError(msg)
    if answer not in (errno.ECONNREFUSED, errno.ENOENT):
        msg = f"cannot listen on {path}: another process listens there"
        raise ConfigError(msg)


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
