"""The route tables of docs/platforms/: what the sandboxes are held to."""

from __future__ import annotations

import re
from pathlib import Path

PLATFORMS = Path(__file__).parents[2] / "docs" / "platforms"
ROW = re.compile(r"^\| `(?P<method>[A-Z]+) (?P<path>/[^`]*)` \| (?P<needs>[^|]*?) \|")


def routes(platform: str) -> set[tuple[str, str, str, str]]:
    """Method, path, what it needs, and the heading it stands under, of every row in a table of routes."""
    found: list[tuple[str, str, str, str]] = []
    heading, within = "", False
    for line in (PLATFORMS / f"{platform}.md").read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        if not line.startswith("|"):
            within = False
        elif line.startswith("| Route |"):
            within = True
        elif within and (row := ROW.match(line)):
            found.append((row["method"], row["path"], row["needs"], heading))
    assert len({row[:2] for row in found}) == len(found), "a route is listed twice"
    return set(found)
