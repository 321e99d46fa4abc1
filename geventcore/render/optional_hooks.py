"""Hooks with which a plugin may say that less needs to be done.

A class may override what such a hook speaks about and know nothing of the hook itself. Then the hook is not asked.
"""

from __future__ import annotations

import functools


@functools.cache
def knows(plugin_class: type, hook: str, *subjects: str) -> bool:
    """Whether `hook` of a class may be asked: it is defined where all its `subjects` are, or in a class below."""
    ancestors = plugin_class.__mro__

    def depth(name: str) -> int:
        return next((index for index, each in enumerate(ancestors) if name in vars(each)), len(ancestors))

    return all(depth(hook) <= depth(subject) for subject in subjects)
