"""The cost of a user's token: from the cache, freshly signed, and signed by hand with hmac and json."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from functools import partial
from itertools import count
from statistics import median
from typing import TYPE_CHECKING

from _measure import interleaved, pin, quick, ratio, show

from ethora_async import EthoraClient
from ethora_async.clock import SystemClock
from ethora_async.tokens.cache import TokenCache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

APP = "646cc8dc96d4a4dc8f7b2f2d"
SECRET = "only-for-this-benchmark-0123456789"


def timed(work: Callable[[], object], size: int) -> float:
    """CPU seconds of one of `size`."""
    started = time.process_time()
    for _ in range(size):
        work()
    return (time.process_time() - started) / size


def awaited(runner: asyncio.Runner, work: Callable[[], Awaitable[object]], size: int) -> float:
    async def all_of_them() -> float:
        started = time.process_time()
        for _ in range(size):
            await work()
        return (time.process_time() - started) / size

    return runner.run(all_of_them())


def signer_by_hand() -> Callable[[], str]:
    """What one would write without any library; the key derived once (docs/platforms/ethora.md#signing-keys)."""
    key = hmac.new(SECRET.encode(), b"ethora:client:v1", hashlib.sha256).hexdigest().encode()
    users = count()

    def base64(data: bytes) -> bytes:
        return urlsafe_b64encode(data).rstrip(b"=")

    def sign() -> str:
        issued = int(time.time())
        header = {"alg": "HS256", "typ": "JWT"}
        claims = {
            "data": {"type": "client", "userId": f"user-{next(users)}", "appId": APP},
            "iat": issued,
            "exp": issued + 3600,
        }
        text = b".".join(base64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return (text + b"." + base64(hmac.digest(key, text, "sha256"))).decode()

    return sign


def filled_cache() -> tuple[TokenCache[str], tuple[object, ...]]:
    """A cache as large as a client's, and the key of one of its tokens."""
    cache: TokenCache[str] = TokenCache(SystemClock())
    for number in range(10_000):
        cache.put(("ethora", "client", f"user-{number}", 3600.0, "version", "key"), "token", 3600.0)
    return cache, ("ethora", "client", "user-5000", 3600.0, "version", "key")


def main() -> None:
    rounds, size = (5, 500) if quick(__doc__ or "") else (41, 5000)
    pin(0)
    client = EthoraClient(app_id=APP, secret=SECRET, api_url="http://127.0.0.1:1")
    cache, key = filled_cache()
    users = count()
    with asyncio.Runner() as runner:
        variants = {
            "hit": partial(timed, partial(cache.get, key), size),
            "cached": partial(awaited, runner, lambda: client.tokens.for_user("user-1"), size),
            "signed": partial(awaited, runner, lambda: client.tokens.for_user(f"fresh-{next(users)}"), size),
            "by hand": partial(timed, signer_by_hand(), size),
        }
        samples = interleaved(variants, rounds)
        runner.run(client.aclose())
    microseconds = {name: median(taken) * 1e6 for name, taken in samples.items()}
    show(
        "token_cache",
        f"{ratio(samples, 'signed', 'cached'):.0f} x cheaper from the cache than freshly signed",
        [
            f"the cache hit itself          {microseconds['hit']:6.2f} us",
            f"await tokens.for_user, cached {microseconds['cached']:6.2f} us",
            f"await tokens.for_user, fresh  {microseconds['signed']:6.2f} us",
            f"hmac and json by hand         {microseconds['by hand']:6.2f} us",
            f"fresh / by hand               {ratio(samples, 'signed', 'by hand'):6.2f} x",
        ],
        aim="cache hit at most 0.5 us, fresh at most 1.3 x by hand",
    )


if __name__ == "__main__":
    main()
