"""The sources of packages: which package asked for another one, and where versions and types come from."""

from __future__ import annotations

from collections.abc import Iterable

from geventcore.options import Settings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.explanation import Source, Sources
from geventcore.plugins.cfg.explaining import option_source
from geventcore.plugins.packages.additions import NAME, Wanted
from geventcore.plugins.packages.collection import Collection
from geventcore.plugins.packages.options import VERSION
from geventcore.plugins.packages.resolver import Resolution


def binding_sources(collection: Collection, settings: Settings, file_attributes: Iterable[str]) -> Sources:
    """Return the sources of a package's attributes, or of a configuration file if it has `file_attributes`."""
    places = [each.source.place for each in collection.sources]
    first = places[0] if places else "the client has no source"
    if not file_attributes:
        kind = Source(NAME, "plugin", text=f"the type of the sources: {first}")
        return Sources({"version": option_source(NAME, settings, VERSION), "type": kind})
    fixed = Source(NAME, "plugin", text="every file that Packages generates has this")
    text = Source(NAME, "plugin", text=f"made from the sources: {', '.join(places) or 'none'}")
    return Sources(dict.fromkeys(file_attributes, fixed), text=text)


def package_source(name: str, wanted: Wanted, collection: Collection, metadata: ClientMetadata) -> Source:
    """Return the source of a package that was added: the chain of packages that asked for it."""
    return Source(NAME, "plugin", text=_reason(name, wanted, collection, _resolution(wanted, collection, metadata)))


def _resolution(wanted: Wanted, collection: Collection, metadata: ClientMetadata) -> Resolution:
    key = ("explained packages", wanted)
    found: Resolution | None = metadata.scratch.get(key)
    if found is None:
        request = wanted.request
        found = metadata.scratch[key] = collection.resolve(request.names, request.recommended)
    return found


def _reason(name: str, wanted: Wanted, collection: Collection, resolution: Resolution) -> str:
    chain = [name]
    while (by := resolution.needed_by.get(chain[-1])) is not None and by not in chain:
        chain.append(by)
    path = " ← ".join(chain[1:])
    root = chain[-1]
    if root in wanted.named:
        return f"needed by {path}, an entry of the host"
    if root in collection.essential_packages:
        return f"needed by {path}, which is essential" if path else "an essential package of a source"
    if root in wanted.implied:
        return f"needed by {path}, a member of a package group" if path else "a member of a package group"
    return f"needed by {path}" if path else "added by the resolver"
