"""Packages: adds the packages that a client's packages need, and says where they come from."""

from __future__ import annotations

import logging
import sys
from collections.abc import Hashable, Iterator, Mapping, MutableSequence, Sequence
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Source, Sources
from geventcore.plugin.interfaces import (
    Binder,
    ClientRunHooks,
    Connector,
    DeclaredDependencies,
    Generator,
    StructureValidator,
    Threaded,
)
from geventcore.plugins.packages.additions import NAME, Wanted
from geventcore.plugins.packages.cache import PackageCache
from geventcore.plugins.packages.collection import Collection
from geventcore.plugins.packages.explaining import binding_sources, package_source
from geventcore.plugins.packages.memory import MemoryRelease, release_memory
from geventcore.plugins.packages.options import (
    ALTERNATIVES,
    APT_CONFIG,
    APT_LIKE,
    BACKENDS,
    CACHE,
    DISABLED,
    HELPER,
    METADATA,
    PACKAGES_OPTIONS,
    PULP_PASSWORD,
    PULP_USERNAME,
    REFRESH_INTERVAL,
    RESOLVER,
    USE_YUM_LIBRARIES,
    VERSION,
    YUM_CONFIG,
)
from geventcore.plugins.packages.schedule import RefreshThread
from geventcore.plugins.packages.source import PACKAGE_TYPES
from geventcore.plugins.packages.status import failures, update_metrics
from geventcore.plugins.packages.store import ClientSources, SourcesInUse, SourceStore
from geventcore.plugins.packages.warm_up import WarmUp

log = logging.getLogger(__name__)

#: The attributes of files that are generated for clients.
FILE_ATTRIBUTES = {
    "encoding": "ascii",
    "owner": "root",
    "group": "root",
    "type": "file",
    "mode": "0644",
    "important": "true",
}
PACKAGE_TAGS = ("Package", "BoundPackage")
#: The key in `ClientMetadata.scratch` of the packages that a client asks for, for explanations.
_EXPLAINED = "packages to explain"
#: How long the start may be delayed to prepare resolvers, in seconds; the rest is done while the server serves.
WARM_UP_SECONDS = 0.25
#: The shortest time between two releases of memory while clients are served, in seconds.
RELEASE_PAUSE_SECONDS = 10.0
#: The message to other processes that the cache has new data.
CHANGED = "Packages: changed"


class ClientPackages(Mapping[str, Any]):
    """The object that templates see as ``metadata.Packages``: ``sources`` and ``get_config``.

    Its attributes are computed on first use.
    """

    def __init__(self, plugin: Packages, metadata: ClientMetadata) -> None:
        self._plugin = plugin
        self._metadata = metadata

    def __getitem__(self, key: str) -> Any:
        if key == "sources":
            return self._sources()
        if key == "get_config":
            return self._plugin.configuration
        raise KeyError(key)

    def _sources(self) -> list[dict[str, Any]]:
        return [
            {
                "version": location.version,
                "component": location.component,
                "arch": location.architecture,
                "debsrc": source.source.debsrc,
                "baseurl": location.base_url,
                "url": location.url,
                "name": source.source.repository_name(location),
            }
            for source in self._plugin.collection(self._metadata).sources
            for location in source.source.locations
            if location.architecture in source.architectures
        ]

    def __iter__(self) -> Iterator[str]:
        return iter(("sources", "get_config"))

    def __len__(self) -> int:
        return 2


class Packages(
    Plugin, StructureValidator, Generator, Connector, ClientRunHooks, Threaded, DeclaredDependencies, Explaining
):
    """Resolves packages with the lists of the sources that a client has."""

    #: Its data are in memory.
    reuse_seconds: ClassVar[float] = 0
    options = PACKAGES_OPTIONS
    conflicts: ClassVar[tuple[str, ...]] = ("Pkgmgr",)
    entries: Mapping[str, Mapping[str, Binder]] = {}
    remote_methods: ClassVar[tuple[str, ...]] = (*Plugin.remote_methods, "Refresh", "Reload")

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._note_ignored_options()
        self._warm_up = WarmUp(
            None if context.read_only else PackageCache(context.settings[CACHE]).known_names, self._collection_of
        )
        self._has_data = False
        self._memory_release = MemoryRelease(RELEASE_PAUSE_SECONDS)
        self.store = SourceStore(context, self.directory / "sources.xml", on_change=self._use_other_data)
        self._thread = RefreshThread(
            self.store,
            lambda: context.settings[REFRESH_INTERVAL],
            lambda: context.tell_others(CHANGED, None),
            self._do_later,
        )
        context.subscribe(CHANGED, lambda _: self.store.reload())
        context.add_metrics(lambda: update_metrics(self.store.states))
        context.add_readiness_note("packages", lambda: failures(self.store.states))

    def _note_ignored_options(self) -> None:
        settings = self.context.settings
        if settings[USE_YUM_LIBRARIES] or settings[HELPER]:
            log.warning(
                "yum's libraries and the helper program do not exist on current Pythons: [packages:yum] "
                "use_yum_libraries and helper are ignored, and the built-in resolver is used"
            )
        if settings[PULP_USERNAME] or settings[PULP_PASSWORD]:
            log.warning("Pulp's libraries do not exist on current Pythons: [packages:pulp] is ignored")
        unknown = [name for name in settings[BACKENDS] if name.rpartition(".")[2].lower() not in PACKAGE_TYPES]
        if unknown:
            log.error(
                "%s: %s is unknown and left out; expected some of Yum, Apt, Pac, Pkgng",
                BACKENDS.label,
                ", ".join(unknown),
            )

    def _use_other_data(self, old: SourcesInUse, new: SourcesInUse) -> None:
        """Have what resolvers knew about the old data found out about the new ones."""
        self._warm_up.remember(old)
        if self._has_data:
            # This may hold up clients, so the thread does it.
            self._thread.wake()
        elif new.indexes:
            self._has_data = True
            self._warm_up.run(new, WARM_UP_SECONDS)
        self.context.repository_changed()

    def _do_later(self) -> None:
        """Do the work of the thread beside refreshing: prepare resolvers, keep names, give memory back."""
        self._warm_up.run(self.store.in_use)
        self._warm_up.save(self.store.in_use)
        release_memory()

    def start_threads(self) -> None:
        """See `Threaded`."""
        self._thread.start()

    def shutdown(self) -> None:
        """See `Plugin`."""
        super().shutdown()
        self._thread.stop()
        self._warm_up.save(self.store.in_use)
        self.store.close()

    # -- collections

    def collection(self, metadata: ClientMetadata) -> Collection:
        """The sources that a client has; the same ones during the whole build of a configuration."""
        found = metadata.scratch.get(self)
        return found if isinstance(found, Collection) else self._current_collection(metadata)

    def _current_collection(self, metadata: ClientMetadata) -> Collection:
        in_use = self.store.in_use
        return self._collection_of(
            in_use,
            [(source, source.client_architectures(metadata)) for source in in_use.sources if source.applies(metadata)],
        )

    def _collection_of(self, in_use: SourcesInUse, sources: ClientSources) -> Collection:
        settings = self.context.settings
        first, apt_like = settings[ALTERNATIVES] == "first", settings[RESOLVER] == APT_LIKE
        key = (first, apt_like, *((id(source), architectures) for source, architectures in sources))
        found = in_use.collections.get(key)
        if found is None:
            found = in_use.collections[key] = Collection(
                sources, in_use, first_alternative=first, apt_like=apt_like, breathe=self.context.breathe
            )
        return found

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """See `ClientRunHooks`."""
        if metadata.scratch.pop(self, None) is not None:
            self._memory_release.run_if_due()

    def configuration(self, metadata: ClientMetadata) -> str:
        """The file for the client's package manager; empty if none can be made."""
        return self.collection(metadata).configuration

    def get_additional_data(self, metadata: ClientMetadata) -> ClientPackages:
        """See `Connector`: the sources, and the configuration of the package manager."""
        return ClientPackages(self, metadata)

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`: the sources and their data."""
        return self.store.in_use

    # -- binding

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Return true for a package, and for the configuration file of a package manager."""
        return entry.tag == "Package" or (entry.tag == "Path" and entry.get("name") in self._configuration_names())

    def _configuration_names(self) -> tuple[str, str]:
        settings = self.context.settings
        return settings[APT_CONFIG], settings[YUM_CONFIG]

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """See `Generator`: the version and type of packages, or the text of a configuration."""
        collection = self.collection(metadata)
        if entry.tag == "Package":
            return self.context.settings[VERSION], collection.package_type
        return collection.configuration

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Give a package its version and type, and a configuration its text."""
        collection = self.collection(metadata)
        if entry.tag == "Package":
            entry.set("version", self.context.settings[VERSION])
            entry.set("type", collection.package_type)
        elif entry.tag == "Path":
            for name, value in FILE_ATTRIBUTES.items():
                entry.set(name, value)
            entry.text = collection.configuration
        else:
            raise PluginExecutionError(f"Packages does not bind {entry.tag}:{entry.get('name')}")

    # -- validating

    def validate_structures(self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]) -> None:
        """Add an ``Independent`` with the packages that those of the client need."""
        settings = self.context.settings
        collection = metadata.scratch[self] = self._current_collection(metadata)
        if settings[RESOLVER] != DISABLED and settings[METADATA]:
            added = self._resolve(metadata, collection, structures)
        else:
            _leave_groups_to_client(structures)
            added = etree.Element("Independent", name=NAME)
        self._add_keys(collection, added)
        structures.append(added)

    def _resolve(
        self, metadata: ClientMetadata, collection: Collection, structures: Sequence[etree._Element]
    ) -> etree._Element:
        wanted = self.wanted(metadata, collection, structures)
        addition = collection.addition(wanted, self.context.settings[VERSION])
        if addition.unknown:
            log.info("%s: no source has these packages: %s", metadata.hostname, ", ".join(addition.unknown))
        for problem in addition.problems:
            log.warning("%s: these packages cannot be installed together: %s", metadata.hostname, problem)
        return addition.element()

    @staticmethod
    def wanted(metadata: ClientMetadata, collection: Collection, structures: Sequence[etree._Element]) -> Wanted:
        """Return the packages that structures name. Entries for groups of packages are removed."""
        named: set[str] = set()
        implied = collection.essential_packages
        recommended: dict[str, bool] = {}
        for structure in structures:
            for entry in list(structure.iter(*PACKAGE_TAGS)):
                name, group = entry.get("name"), entry.get("group")
                if name:
                    # One object for all clients that ask for it.
                    named.add(sys.intern(name))
                    word = entry.get("recommended")
                    if word:
                        recommended[name] = word.lower() == "true"
                elif group:
                    implied = implied.union(collection.group_members(group, entry.get("type", "default")))
                    _remove(entry)
                else:
                    log.error("%s: a Package in %s has neither name nor group", metadata.hostname, _place(structure))
        return Wanted(frozenset(named), implied, frozenset(recommended.items()))

    def _add_keys(self, collection: Collection, added: etree._Element) -> None:
        for path, text in self.store.installed_keys(collection):
            element = etree.SubElement(added, "BoundPath", {"name": path, **FILE_ATTRIBUTES})
            element.text = text

    # -- explanations

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the version and type of packages, or the sources in the configuration."""
        attributes = () if entry.tag == "Package" else FILE_ATTRIBUTES
        return binding_sources(self.collection(metadata), self.context.settings, attributes)

    def explain_addition(
        self, entry: etree._Element, metadata: ClientMetadata, structures: MutableSequence[etree._Element]
    ) -> Source | None:
        """See `Explaining`: the packages that asked for this one."""
        if entry.tag.removeprefix("Bound") != "Package":
            return Source(self.name, "plugin", text="the key of a source")
        collection = self._current_collection(metadata)
        wanted = metadata.scratch.get(_EXPLAINED)
        if wanted is None:
            # This removes entries from the structures, so it is done once for all additions.
            wanted = metadata.scratch[_EXPLAINED] = self.wanted(metadata, collection, structures)
        return package_source(entry.get("name", ""), wanted, collection, metadata)

    # -- remote methods

    def Refresh(self) -> bool:  # noqa: N802 - the name of the remote method
        """Fetch all sources and keys again. Those that fail keep their last data."""
        self.store.refresh()
        self.context.tell_others(CHANGED, None)
        return True

    def Reload(self) -> bool:  # noqa: N802 - the name of the remote method
        """Read what was fetched again, and fetch what is missing."""
        self.store.load_missing()
        self.context.tell_others(CHANGED, None)
        return True


def _leave_groups_to_client(structures: Sequence[etree._Element]) -> None:
    for structure in structures:
        for entry in structure.iter(*PACKAGE_TAGS):
            if entry.get("group") and (kind := entry.get("type")):
                entry.set("choose", kind)


def _remove(entry: etree._Element) -> None:
    parent = entry.getparent()
    if parent is not None:
        parent.remove(entry)


def _place(structure: etree._Element) -> str:
    return f"{structure.tag} {structure.get('name')}"
