"""The kinds of sources: which files they have, and how packages are read from them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from geventcore.plugins.packages.kinds.base import Kind

#: The type of sources, in lower case -> ``module:class``.
KINDS: Mapping[str, str] = {
    "apt": "geventcore.plugins.packages.kinds.apt:AptKind",
    "pac": "geventcore.plugins.packages.kinds.pacman:PacmanKind",
    "pkgng": "geventcore.plugins.packages.kinds.pkgng:PkgngKind",
    "yum": "geventcore.plugins.packages.kinds.yum:YumKind",
}


def load_kind(name: str) -> Kind:
    """The kind of a type of sources. `ImportError` names a library that it needs and that is not installed."""
    module, _, attribute = KINDS[name].partition(":")
    return cast(Kind, getattr(import_module(module), attribute)())
