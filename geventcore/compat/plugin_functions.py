"""``Bcfg2.Server.Plugin.helpers``: functions."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from geventcore.compat.current import get_core
from geventcore.compat.plugin_interfaces import TemplateDataProvider
from geventcore.errors import PluginExecutionError
from geventcore.options import server

__all__ = [
    "DEFAULT_FILE_METADATA",
    "HAS_DJANGO",
    "DefaultTemplateDataProvider",
    "bind_info",
    "default_path_metadata",
    "get_template_data",
    "get_xml_template_data",
    "removecomment",
    "track_statistics",
]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_MDATA = (
    server.MDATA_OWNER,
    server.MDATA_GROUP,
    server.MDATA_MODE,
    server.MDATA_SECONTEXT,
    server.MDATA_IMPORTANT,
    server.MDATA_PARANOID,
    server.MDATA_SENSITIVE,
)


def default_path_metadata() -> dict[str, str]:
    """Return the attributes in ``[mdata]`` for every path."""
    settings = get_core().context.settings
    return {option.key: settings[option] for option in _MDATA}


class _DefaultFileMetadata(Mapping[str, str]):
    """The result of `default_path_metadata` as a mapping; Bcfg2 1.3 has it as a constant."""

    def __getitem__(self, name: str) -> str:
        return default_path_metadata()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(default_path_metadata())

    def __len__(self) -> int:
        return len(_MDATA)


DEFAULT_FILE_METADATA = _DefaultFileMetadata()
#: Plugins have no database here.
HAS_DJANGO = False


def bind_info(entry: Any, metadata: Any, infoxml: Any = None, default: Mapping[str, str] | None = None) -> None:
    """Set the default attributes of an entry, and override them by those of an ``info.xml``."""
    for name, value in (default_path_metadata() if default is None else default).items():
        entry.set(name, value)
    if infoxml is not None:
        attributes = infoxml.attributes(entry, metadata)
        if attributes is None:
            raise PluginExecutionError(f"{infoxml.name}: no Info for {entry.get('name')}, host {metadata.hostname}")
        for name, value in attributes.items():
            entry.set(name, value)


class DefaultTemplateDataProvider(TemplateDataProvider):
    """The variables of templates that no plugin adds."""

    def get_template_data(self, entry: Any, metadata: Any, template: str) -> dict[str, Any]:
        name = entry.get("realname", entry.get("name"))
        return {**self.get_xml_template_data(None, metadata), "name": name, "path": template, "source_path": template}

    def get_xml_template_data(self, structfile: Any, metadata: Any) -> dict[str, Any]:
        return {"metadata": metadata, "repo": get_core().datastore}


def _template_providers(default: TemplateDataProvider | None) -> list[TemplateDataProvider]:
    return [default or DefaultTemplateDataProvider(), *get_core().plugins_by_type(TemplateDataProvider)]


def get_template_data(
    entry: Any, metadata: Any, template: str, default: TemplateDataProvider | None = None
) -> dict[str, Any]:
    """Return the variables for a template of a file: those of `default`, then those of plugins; the first wins."""
    found: dict[str, Any] = {}
    for provider in _template_providers(default):
        found = {**provider.get_template_data(entry, metadata, template), **found}
    return found


def get_xml_template_data(
    structfile: Any, metadata: Any, default: TemplateDataProvider | None = None
) -> dict[str, Any]:
    """Return the variables for an XML template: those of `default`, then those of plugins; the first wins."""
    found: dict[str, Any] = {}
    for provider in _template_providers(default):
        found = {**provider.get_xml_template_data(structfile, metadata), **found}
    return found


def track_statistics(name: str | None = None) -> Callable[[FunctionT], FunctionT]:
    """Decorate a method so that its duration is counted as ``<class>:<name>``."""

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
    """Remove comments from an event stream of Genshi."""
    return (event for event in stream if str(event[0]) != "COMMENT")
