"""A page as a person uses it: keys, screenshots, and accessibility checks by axe-core."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from chromium_browser import Page

PICTURES = os.environ.get("ETHORA_PICTURES")
"""A folder for the pictures in the docs: `ETHORA_PICTURES=docs/_static pytest tests/sandbox_ui`."""
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "/": 191}


async def press(page: Page, key: str) -> None:
    text = {"Enter": "\r", " ": " ", "/": "/"}.get(key)
    for kind in ("keyDown", "keyUp"):
        more = {"text": text} if text and kind == "keyDown" else {}
        code = {" ": "Space", "/": "Slash"}.get(key, key)
        number = KEYS[key]
        await page.call("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number, **more)


async def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        if await page.value(f"document.activeElement.matches({json.dumps(selector)})"):
            return
        await press(page, "Tab")
    pytest.fail(f"{selector} cannot be reached by Tab")


async def violations(page: Page, axe: str) -> list[str]:
    # The page's own policy lets no foreign script in: the debugger may.
    await page.value(axe + ";0")
    run = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    found = await page.value(
        f"{run}.then((r) => r.violations.map((v) => `${{v.id}}: ${{v.nodes.map((n) => n.html).join(' | ')}}`))"
    )
    return list(found)


async def look(page: Page, scheme: str, width: int, height: int = 900) -> None:
    """Show a page in light or dark colours, on a screen of this size."""
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    await page.call("Emulation.setEmulatedMedia", features=features)
    await page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)


async def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """Take a screenshot, and keep it if the docs need it; `whole` includes what must be scrolled to."""
    taken = await page.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
    data = base64.b64decode(taken["data"])
    assert data.startswith(b"\x89PNG")
    if PICTURES is not None:
        with open(os.path.join(PICTURES, f"{name}.png"), "wb") as file:  # noqa: ASYNC230
            file.write(data)
