"""How the documentation is built: ``make docs``, or ``sphinx-build -W docs docs/_build/html``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import geventcore  # noqa: E402 - the tree that this documentation is part of, and not an installed one

project = "geventcore"
author = "The geventcore authors"
version = release = geventcore.__version__
copyright = author

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "geventcore_docs",
]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = f"geventcore {version}"

# A reference to a page, section, option or command that does not exist is a warning, and warnings end the build.
nitpicky = True
nitpick_ignore_regex = [
    # Docstrings put names of all kinds into backticks: what autodoc knows becomes a link, the rest stays a name.
    ("py:obj", ".*"),
    # Types of signatures: those of other libraries, type variables, and those of modules that have no page here.
    ("py:(class|data|exc|func|meth|attr)", ".*"),
]
default_role = "py:obj"
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Class attributes", "params_style")]
