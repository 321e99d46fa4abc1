"""Modules of an RPM repository: ``modules.yaml``, with the streams of each module and the packages that belong to them.

A package manager that nobody has told which streams to use takes the default stream of each module: packages of other
streams do not exist for it, and those of a default stream hide all others of the same name. Modules without a default
stream give nothing. The format is that of libmodulemd: documents ``modulemd`` (a stream) and ``modulemd-defaults``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from geventcore.errors import PackageSourceError


def can_read_modules() -> bool:
    """Return true if the library for YAML is there."""
    try:
        import yaml  # noqa: F401
    except ImportError:
        return False
    return True


@dataclass
class Modules:
    """The modules of one or more repositories.

    Attributes:
        streams: (module, stream) -> its packages, as ``name-epoch:version-release.architecture``.
        defaults: module -> its default stream.
    """

    streams: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)

    def read(self, stream: IO[bytes], url: str) -> None:
        """Add the content of a ``modules.yaml``; `PackageSourceError` if it cannot be read."""
        import yaml

        # With the base loader all scalars are texts, so that stream 1.10 is not stream 1.1.
        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
        try:
            for document in yaml.load_all(stream, Loader=loader):
                self._add(document)
        except (yaml.YAMLError, ValueError, RecursionError) as err:
            raise PackageSourceError(f"{url}: cannot read this list of modules: {' '.join(str(err).split())}") from err

    def _add(self, document: Any) -> None:
        data = _inner(document, "data")
        kind = document.get("document") if isinstance(document, dict) else None
        if kind == "modulemd-defaults":
            module, stream = data.get("module"), data.get("stream")
            if isinstance(module, str) and isinstance(stream, str) and stream:
                self.defaults[module] = stream
        elif kind == "modulemd":
            key = str(data.get("name", "")), str(data.get("stream", ""))
            rpms = _inner(data, "artifacts").get("rpms")
            # A stream has a document for each of its builds.
            self.streams.setdefault(key, set()).update(str(one) for one in rpms or () if isinstance(rpms, list))

    def _packages(self, *, is_default: bool) -> Iterator[str]:
        for (module, stream), packages in self.streams.items():
            if (self.defaults.get(module) == stream) is is_default:
                yield from packages

    def filter(self) -> ModuleFilter:
        """The packages that exist for a package manager that uses default streams."""
        active = frozenset(self._packages(is_default=True))
        names = {one.rpartition("-")[0].rpartition("-")[0] for one in active if not one.endswith((".src", ".nosrc"))}
        return ModuleFilter(active, frozenset(self._packages(is_default=False)) - active, frozenset(names))


@dataclass(frozen=True)
class ModuleFilter:
    """The packages that exist.

    Attributes:
        active: packages of default streams.
        inactive: those of other streams only.
        names: the names of the active ones.
    """

    active: frozenset[str] = frozenset()
    inactive: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def allows(self, name: str, version: tuple[str, str, str], architecture: str) -> bool:
        """Return true for a package that exists; `version` is epoch, version and release."""
        if not self.active and not self.inactive:
            return True
        epoch, number, release = version
        full = f"{name}-{epoch or '0'}:{number}-{release}.{architecture}"
        return full in self.active or (full not in self.inactive and name not in self.names)


def _inner(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
