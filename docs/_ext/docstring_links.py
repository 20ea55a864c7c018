"""Make docstrings fit for Sphinx: citations of pages become links, and fenced code becomes code blocks.

Docstrings name the pages of this site by their paths in the repository (``docs/architecture.md#floors``), because that
is what somebody who reads the code can open.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sphinx.ext.napoleon.docstring import GoogleDocstring

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CITATION = re.compile(r"docs/([\w/-]+)\.md(#[\w-]+)?((?:,\s+#[\w-]+)*)")
PLURAL = re.compile(r"((?<!`)`[^`\n]+`)(?=[a-z])")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)


def rewrite(text: str, root: str) -> str:
    """Return a docstring with its citations as links relative to `root`, and its fences as directives."""
    text = FENCE.sub(_block, text)
    # The plural of code, such as `MongoId`s, needs a mark between the two.
    text = PLURAL.sub(r"\1\\ ", text)
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


def _whole(docstring: GoogleDocstring) -> tuple[str, list[str]]:
    return "", docstring._dedent(docstring._consume_to_end())  # noqa: SLF001


def _sentences(docstring: GoogleDocstring, preprocess_types: bool = False) -> list[tuple[str, str, list[str]]]:  # noqa: ARG001
    return [("", "", docstring._dedent(docstring._consume_to_next_section()))]  # noqa: SLF001


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    # Napoleon takes what stands before a colon in a property's docstring, and in "Returns:", for a type. Ours are
    # sentences, and the types are in the signatures.
    GoogleDocstring._consume_inline_attribute = _whole  # type: ignore[method-assign]  # noqa: SLF001
    GoogleDocstring._consume_returns_section = _sentences  # type: ignore[method-assign]  # noqa: SLF001
    # Before napoleon, which reads sections.
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "version": "1"}
