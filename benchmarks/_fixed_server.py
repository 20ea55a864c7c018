"""A server that answers every request with one and the same JSON, cheaply enough never to be what is measured.

``python _fixed_server.py BODY`` prints its port once it listens and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import sys


class FixedReply(asyncio.Protocol):
    """Looks for the end of each request and at its length, and at nothing else."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            end += 4 + _length(self._received[:end])
            if len(self._received) < end:
                return
            self._received = self._received[end:]
            self._transport.write(self._reply)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def serve(body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: FixedReply(head.encode() + body), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1].encode()))
