"""How Sphinx builds the documentation: ``python -m sphinx -W docs out``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from ethora_async import __version__  # noqa: E402

project = "ethora-async"
author = "The ethora-async authors"
copyright = f"2026, {author}"  # noqa: A001  the name is Sphinx's
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_reference",
    "docstring_links",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_ext"]
# Two platforms have classes of one name (`Users`); a short name in a signature then leads to none of them.
suppress_warnings = ["ref.python"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

default_role = "code"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": False}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"ethora-async {release}"
html_copy_source = False
html_show_sourcelink = False
