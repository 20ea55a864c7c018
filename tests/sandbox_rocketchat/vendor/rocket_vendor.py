"""The vendor's packages from npm, installed once per user, and its schemas as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from npm_packages import CACHE, give_up, installed, need_npm, npm_install, run

HERE = Path(__file__).parent
VERSION = "8.8.1"
DDP_CLIENT = "1.1.2"
MANIFEST = {
    "private": True,
    # core-typings asks for a patched typia that only the vendor's own repository has.
    "overrides": {"typia": "9.7.2"},
    "dependencies": {
        "@rocket.chat/core-typings": VERSION,
        "@rocket.chat/ddp-client": DDP_CLIENT,
        "@rocket.chat/emitter": "0.33.0",
        "@rocket.chat/rest-typings": VERSION,
        "esbuild": "0.25.10",
        "ws": "8.18.0",
    },
}


async def vendor_packages() -> Path:
    """The directory with the packages; the test skips, or fails where it must not, when there is no npm."""
    need_npm()
    return await installed(CACHE / f"rocketchat-{VERSION}-{DDP_CLIENT}", _install)


async def vendor_schemas() -> dict[str, Any]:
    """`validators`: JSON Schema by name, of requests and errors; `components`: records as OpenAPI components."""
    packages = await vendor_packages()
    return json.loads((packages / "schemas.json").read_bytes())


async def _install(directory: Path) -> None:
    await npm_install(directory, json.dumps(MANIFEST), "--ignore-scripts", "--legacy-peer-deps")
    dump = directory / "dump.mjs"
    dump.write_text((HERE / "dump_schemas.mjs").read_text())
    bundle = str(directory / "dump.cjs")
    esbuild = str(directory / "node_modules" / ".bin" / "esbuild")
    for command in (
        (esbuild, str(dump), "--bundle", "--platform=node", "--log-level=error", f"--outfile={bundle}"),
        ("node", bundle),
    ):
        code, out, err = await run(*command)
        if code:
            give_up(f"the vendor's schemas cannot be read: {err[-500:]}")
    (directory / "schemas.json").write_text(out)


def plain_schema(schema: Any) -> Any:
    """OpenAPI's `nullable` as JSON Schema says it."""
    if isinstance(schema, list):
        return [plain_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: plain_schema(value) for key, value in schema.items() if key not in ("nullable", "discriminator")}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
