"""Make docstrings fit for Sphinx: citations of pages become links, and fenced code becomes code blocks.

Docstrings name the pages of this site by their paths in the repository (``docs/architecture.md#floors``), because that
is what somebody who reads the code can open.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CITATION = re.compile(r"docs/([\w/-]+)\.md(#[\w-]+)?((?:,\s+#[\w-]+)*)")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)


def rewrite(text: str, root: str) -> str:
    """Return a docstring with its citations as links relative to `root`, and its fences as directives."""
    text = FENCE.sub(_block, text)
    return CITATION.sub(lambda match: _links(match, root), text)


def _links(match: re.Match[str], root: str) -> str:
    page, first, further = match.groups()
    target = f"{root}{page}.html"
    links = [f"`{page.rpartition('/')[2]}{first or ''} <{target}{first or ''}>`__"]
    links += [f"`{anchor} <{target}{anchor}>`__" for anchor in re.findall(r"#[\w-]+", further)]
    return ", ".join(links)


def _block(match: re.Match[str]) -> str:
    indent, language, code = match["indent"], match["language"] or "text", match["code"].rstrip("\n")
    lines = "\n".join(f"    {line}" if line.strip() else "" for line in code.split("\n"))
    return f"{indent}.. code-block:: {language}\n\n{lines}\n"


def _process(app: Sphinx, what: str, name: str, target: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    depth = app.env.docname.count("/")
    lines[:] = rewrite("\n".join(lines), "../" * depth).split("\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    # Before napoleon, which reads sections.
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "version": "1"}
