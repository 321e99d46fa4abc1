"""Optional hooks, with which a plugin declares that work can be skipped.

A subclass may override the methods that such a hook describes without overriding the hook. The inherited hook then says
nothing about the subclass, and is not called.
"""

from __future__ import annotations

import functools


@functools.cache
def is_hook_current(plugin_class: type, hook: str, *subjects: str) -> bool:
    """Return true if no subclass of the class that defines `hook` overrides one of the methods in `subjects`."""
    ancestors = plugin_class.__mro__

    def depth(name: str) -> int:
        return next((index for index, each in enumerate(ancestors) if name in vars(each)), len(ancestors))

    return all(depth(hook) <= depth(subject) for subject in subjects)
