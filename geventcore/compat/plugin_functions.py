"""``Bcfg2.Server.Plugin.helpers``: functions."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from geventcore.compat.current import get_core
from geventcore.errors import PluginExecutionError
from geventcore.options import common

__all__ = ["bind_info", "default_path_metadata", "removecomment", "track_statistics"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_MDATA = (
    common.MDATA_OWNER,
    common.MDATA_GROUP,
    common.MDATA_MODE,
    common.MDATA_SECONTEXT,
    common.MDATA_IMPORTANT,
    common.MDATA_PARANOID,
    common.MDATA_SENSITIVE,
)


def default_path_metadata() -> dict[str, str]:
    """The attributes that ``[mdata]`` gives to every path."""
    settings = get_core().context.settings
    return {option.key: settings[option] for option in _MDATA}


def bind_info(entry: Any, metadata: Any, infoxml: Any = None, default: dict[str, str] | None = None) -> None:
    """Set the default attributes of an entry, and over them those of an ``info.xml``."""
    for name, value in (default_path_metadata() if default is None else default).items():
        entry.set(name, value)
    if infoxml is not None:
        attributes = infoxml.attributes(entry, metadata)
        if attributes is None:
            raise PluginExecutionError(f"{infoxml.name}: no Info for {entry.get('name')}, host {metadata.hostname}")
        for name, value in attributes.items():
            entry.set(name, value)


def track_statistics(name: str | None = None) -> Callable[[FunctionT], FunctionT]:
    """Decorates a method: how long it takes is counted as ``<class>:<name>``."""

    def decorate(function: FunctionT) -> FunctionT:
        @functools.wraps(function)
        def measured(self: Any, *args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(self, *args, **kwargs)
            finally:
                label = f"{type(self).__name__}:{name or function.__name__}"
                get_core().context.measure(label, time.perf_counter() - start)

        return measured  # type: ignore[return-value]  # wraps keeps the signature

    return decorate


def removecomment(stream: Iterable[tuple[str, Any, Any]]) -> Iterator[tuple[str, Any, Any]]:
    """A filter of Genshi's event streams that leaves comments out."""
    return (event for event in stream if str(event[0]) != "COMMENT")
