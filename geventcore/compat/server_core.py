"""``Bcfg2.Server.Core``: its exceptions and functions. This server does not run cores for Bcfg2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from geventcore.errors import CoreInitError

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

__all__ = ["CoreInitError", "NoExposedMethod", "exposed", "sort_xml"]


class NoExposedMethod(Exception):
    """A call of a method that does not exist."""


def exposed(func: FunctionT) -> FunctionT:
    """Mark a method as callable; a plugin lists its methods in ``__rmi__``."""
    func.exposed = True  # type: ignore[attr-defined]  # Bcfg2's mark
    return func


def sort_xml(node: Any, key: Callable[[Any], Any] | None = None) -> None:
    """Sort the children of an element and of all below it; without a key, keep their order."""
    for child in node:
        sort_xml(child, key)
    if key is not None:
        node[:] = sorted(node, key=key)
