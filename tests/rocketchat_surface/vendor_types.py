"""What the vendor's packages from npm say of every route, as JSON Schema: installed once per user."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from npm_packages import CACHE, give_up, installed, need_npm, npm_install, run

HERE = Path(__file__).parent
RECORDS: dict[str, tuple[str, str]] = {
    # Of 7.x npm has rest-typings alone. Its validators run with the constants of 6.13, of which one was renamed later;
    # the records are those of 8.3, the next core-typings that npm has.
    "7.13.9": ("6.13.1", "8.3.0"),
    "8.8.1": ("8.8.1", "8.8.1"),
}
"""The newest release of 7.x and the newest of all; the core-typings for the validators of each, and for its types."""
VERSIONS = sorted(RECORDS)


async def vendor_types(version: str) -> dict[str, Any]:
    """`routes`: by method and path, what a route `takes` and `answers`, and the name of what it takes; `definitions`,
    to which those refer; `validators` of requests, by name. The test skips, or fails where it must not, without npm.
    """
    need_npm()

    async def install(directory: Path) -> None:
        await _install(directory, version)

    packages = await installed(CACHE / f"rocketchat-types-{version}-2", install)
    found: dict[str, Any] = json.loads((packages / "endpoints.json").read_bytes())
    return {**found, "validators": json.loads((packages / "validators.json").read_bytes())}


async def _install(directory: Path, version: str) -> None:
    for_validators, for_types = RECORDS[version]
    await _packages(directory, version, for_validators)
    source, bundle = directory / "validators-source.cjs", directory / "validators.cjs"
    shutil.copy(HERE / "dump_validators.cjs", source)
    esbuild = str(directory / "node_modules" / ".bin" / "esbuild")
    await _told(esbuild, str(source), "--bundle", "--platform=node", "--log-level=error", f"--outfile={bundle}")
    (directory / "validators.json").write_text(await _told("node", str(bundle)))
    if for_types != for_validators:
        shutil.rmtree(directory / "node_modules")
        (directory / "package-lock.json").unlink(missing_ok=True)
        await _packages(directory, version, for_types)
    endpoints = await _told("node", str(HERE / "dump_endpoints.cjs"), str(directory))
    (directory / "endpoints.json").write_text(endpoints)


async def _packages(directory: Path, version: str, core: str) -> None:
    manifest = {
        "private": True,
        "overrides": {
            # core-typings asks for a patched typia, and 7.x for a ui-kit, that only the vendor's own repository has.
            "typia": "9.7.2",
            "@rocket.chat/ui-kit": "0.37.0" if version[0] == "7" else "1.1.0",
            "@rocket.chat/core-typings": core,
        },
        "dependencies": {"@rocket.chat/rest-typings": version, "esbuild": "0.25.10", "typescript": "5.9.2"},
    }
    await npm_install(directory, json.dumps(manifest), "--ignore-scripts", "--legacy-peer-deps")


async def _told(*command: str) -> str:
    code, out, err = await run(*command)
    if code:
        give_up(f"the vendor's types cannot be read: {err[-500:]}")
    return out
