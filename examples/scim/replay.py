"""Simulate an identity provider: send the requests of a recording to a SCIM service, and check the answers.

    ETHORA_SCIM_TOKEN=… python examples/scim/replay.py examples/scim/okta.json http://127.0.0.1:8000/scim/v2

A step of a recording is a request, the status and a part of the answer's body that are expected, and what to remember
of it: ``{"remember": {"ann": "id"}}`` puts the answer's ``id`` where later steps write ``{ann}``. ``{run}`` is new for
each replay, so that one can be repeated.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

NAME = re.compile(r"\{(\w+)\}")


def filled(value: Any, names: dict[str, str]) -> Any:
    """Return a part of a recording with the remembered values filled in."""
    if isinstance(value, str):
        return NAME.sub(lambda found: names.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [filled(one, names) for one in value]
    if isinstance(value, dict):
        return {name: filled(one, names) for name, one in value.items()}
    return value


def differs(expected: Any, got: Any, where: str = "body") -> str | None:
    """Return where an answer differs from the expected part; None when it does not."""
    if isinstance(expected, dict) and isinstance(got, dict):
        parts = [differs(one, got.get(name), f"{where}.{name}") for name, one in expected.items()]
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        parts = [differs(one, other, f"{where}[]") for one, other in zip(expected, got, strict=True)]
    else:
        return None if expected == got else f"{where} is {got!r}, not {expected!r}"
    return next((part for part in parts if part is not None), None)


async def replay(steps: list[dict[str, Any]], url: str, token: str) -> dict[str, str]:
    """Play the steps of a recording. Return what was remembered.

    Raises:
        SystemExit: an answer differs from the expected one.
    """
    names = {"run": secrets.token_hex(4)}
    async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        for step in steps:
            method, path = step["request"].split(" ", 1)
            body = None if "body" not in step else json.dumps(filled(step["body"], names))
            headers = {} if body is None else {"Content-Type": "application/scim+json"}
            async with session.request(method, url + filled(path, names), data=body, headers=headers) as reply:
                text = await reply.text()
            got = json.loads(text) if text else None
            wrong = differs(step["status"], reply.status, "status") or differs(filled(step.get("expect"), names), got)
            if wrong is not None and (step.get("expect") is not None or wrong.startswith("status")):
                message = f"{step['request']}: {wrong}\n{text}"
                raise SystemExit(message)
            names |= {name: got[field] for name, field in step.get("remember", {}).items()}
            print(f"{reply.status} {step['request']}", file=sys.stderr)
    return names


if __name__ == "__main__":
    recording = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    asyncio.run(replay(recording, sys.argv[2].rstrip("/"), os.environ["ETHORA_SCIM_TOKEN"]))
