"""Site code: a site's own modules, for which ``import Bcfg2.…`` means the modules of this package.

A module of a site gets its own builtins, in which ``__import__`` is `_site_import`. Python looks up ``__import__`` in
the builtins of the importing code. So the modules are available to that code wherever it runs: at its top level, in
its functions, in a thread or greenlet, in a callback. Nothing is switched on and off around calls, and other code is
not affected: ``sys.modules`` and other modules never contain these ``Bcfg2`` modules, and other code still imports an
installed Bcfg2.

Modules that site code imports are site code, too, if their source mentions Bcfg2. While site code is loaded, a finder
on ``sys.meta_path`` detects them, in that thread (or greenlet) only. In other threads, and at other times, the finder
finds nothing.

``importlib.import_module("Bcfg2.…")`` is not supported, because Python does not tell which code calls it.
"""

from __future__ import annotations

import builtins
import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

from geventcore.compat import modules
from geventcore.python2_code import findings_in_python

log = logging.getLogger(__name__)

_MARK = b"Bcfg2"


class _State(threading.local):
    """The nesting depth of loading site code, for each thread."""

    depth = 0


_state = _State()
_install_lock = threading.Lock()


def site_builtins() -> dict[str, Any]:
    """Return the ``__builtins__`` of a site code module, to be set before its code runs."""
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
    """Treat modules that this thread imports in the block as site code if they mention Bcfg2."""
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
        for finding in findings_in_python(self.get_source(module.__name__) or ""):
            log.log(logging.WARNING if finding.is_error else logging.INFO, "%s: %s", self.path, finding)


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
