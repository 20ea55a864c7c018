"""Every citation in code and documents leads to a page and a heading that are in the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from house_helpers import ROOT, headings

if TYPE_CHECKING:
    from collections.abc import Iterator

CITATION = re.compile(r"(?<![\w/.])(docs/[\w/-]+\.md)(#[\w-]+)?((?:,\s+(?:# )?#[\w-]+)*)")
"""``docs/platforms/ethora.md#users, #chats``: a page, and headings of it."""
ELSEWHERE = re.compile(r"(?<!\d )§")
"""A section of something that is not in the repository; sections of an RFC have a number before them."""
LINK = re.compile(r"\]\(([^)\s:]*?\.md)?(#[\w-]+)?\)")


def _texts() -> Iterator[tuple[str, str]]:
    """Yield every file that people read, with its path from the root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if name == f"tests/house/{Path(__file__).name}":
            continue  # it holds what it looks for
        if path.suffix in {".py", ".md", ".toml", ".cfg", ".js", ".html", ".yml", ""} and path.is_file():
            yield name, path.read_text("utf-8")


def dangling(name: str, text: str) -> list[str]:
    """Return the citations in `text` that do not resolve."""
    found = []
    for match in CITATION.finditer(text):
        page, first, further = match.groups()
        anchors = re.findall(r"#([\w-]+)", f"{first or ''}{further}")
        if not (ROOT / page).is_file():
            found.append(f"{name}: {page}")
            continue
        found += [f"{name}: {page}#{one}" for one in anchors if one not in headings(ROOT / page)]
    return found


def test_every_citation_leads_to_a_heading() -> None:
    assert [problem for name, text in _texts() for problem in dangling(name, text)] == []


def test_nothing_cites_a_section_of_a_document_that_is_not_here() -> None:
    strays = [name for name, text in _texts() if ELSEWHERE.search(text)]
    assert strays == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("See docs/architecture.md#floors.", 0),
        ("(docs/platforms/ethora.md#users, #chats)", 0),
        ("(docs/platforms/ethora.md#users,\n#no-such-heading)", 1),
        ("docs/platforms/nobody.md", 1),
        ("docs/architecture.md#no-such-heading", 1),
    ],
)
def test_a_citation_that_leads_nowhere_is_found(text: str, problems: int) -> None:
    assert len(dangling("here", text)) == problems


def _pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_link_between_pages_leads_to_a_heading() -> None:
    broken = []
    for page in _pages():
        for target, anchor in LINK.findall(page.read_text("utf-8")):
            there = (page.parent / target).resolve() if target else page
            if not there.is_file() or (anchor and anchor[1:] not in headings(there)):
                broken.append(f"{page.relative_to(ROOT)}: {target}{anchor}")
    assert broken == []
