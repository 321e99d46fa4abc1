"""Site code: a site's own modules, for which ``import Bcfg2.…`` means the modules of this package.

A module of a site gets builtins of its own, in which ``__import__`` is `_site_import`. Python looks ``__import__`` up
in the builtins of the code that imports. So the names are served to that code wherever and whenever it runs: at its
top, inside of its functions, in a thread or greenlet of its own, in a callback. Nothing has to be switched on and off
around calls, and nobody else sees anything: neither ``sys.modules`` nor any other module ever has a ``Bcfg2`` from
here, and an installed Bcfg2 is still what everybody else imports.

Which modules are site code? While one is loaded, a finder on ``sys.meta_path`` looks at what it imports in turn, in
that thread (or greenlet) only: source files that mention Bcfg2 are site code, too. In all other threads, and at all
other times, the finder finds nothing.

``importlib.import_module("Bcfg2.…")`` is not served: there Python does not say who asks.
"""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

from geventcore.compat import modules

_MARK = b"Bcfg2"


class _State(threading.local):
    """How deep this thread is in the loading of site code."""

    depth = 0


_state = _State()
_install_lock = threading.Lock()


def site_builtins() -> dict[str, Any]:
    """What becomes ``__builtins__`` of a module that is site code; before its code runs."""
    return {**vars(builtins), "__import__": _site_import, "__site_code__": True}


def _site_import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    if level == 0 and modules.is_served(name):
        return modules.import_served(name, fromlist or ())
    if level == 0 and not fromlist and name in sys.modules:
        return builtins.__import__(name, globals, locals, fromlist, level)
    with loading_site_code():
        return builtins.__import__(name, globals, locals, fromlist or (), level)


@contextmanager
def loading_site_code() -> Iterator[None]:
    """Take what is imported in the block, by this thread, for site code if it mentions Bcfg2."""
    with _install_lock:
        if _FINDER not in sys.meta_path:
            # A new list: other threads may be in the middle of the old one.
            sys.meta_path = [_FINDER, *sys.meta_path]
    _state.depth += 1
    try:
        yield
    finally:
        _state.depth -= 1


class _SiteLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = site_builtins()
        super().exec_module(module)


class _SiteFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _state.depth or fullname in sys.builtin_module_names:
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in others if spec is not None), None)
        # Loaders of another kind have their own ways to run a module.
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        try:
            if _MARK not in spec.loader.get_data(spec.loader.path):
                return None
        except OSError:
            return None
        spec.loader = _SiteLoader(spec.loader.name, spec.loader.path)
        return spec


_FINDER = _SiteFinder()
