"""The steps of building a configuration, in their order: `STEPS`.

Each takes a `Rendering`, the state of one client's configuration while it is built, and changes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from lxml import etree

from geventcore.errors import GeventcoreError, RenderError, ValidationError
from geventcore.filemonitor import Effect
from geventcore.log import shortened
from geventcore.metrics.definitions import ENTRIES_FAILED
from geventcore.metrics.timings import Timings
from geventcore.options import Settings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.failures import is_expected
from geventcore.plugin.interfaces import (
    REQUIRED_BUNDLES,
    ClientRunHooks,
    Generator,
    GoalValidator,
    Structure,
    StructureValidator,
)
from geventcore.plugin.recording import Recorder
from geventcore.render.answers import AnswerStore, Gathering, PluginDependencies
from geventcore.render.bind_times import HOOK as BIND_HOOK
from geventcore.render.bind_times import BindTimes
from geventcore.render.binder import Binder
from geventcore.render.entry_store import EntryStore
from geventcore.render.guard import FAILURES, describe_failure, guarded, log_failure, measured, plugin_name
from geventcore.render.sorting import sort_children
from geventcore.render.structure_template import is_bound, remove_prefix

log = logging.getLogger(__name__)

T = TypeVar("T")

_HAS_ALTERNATIVES = etree.XPath("boolean(*/@altsrc)")


class RenderServices(Protocol):
    """The part of the server that rendering uses."""

    @property
    def binder(self) -> Binder:
        """The binder of entries."""

    @property
    def entry_store(self) -> EntryStore:
        """The cache that configurations share."""

    @property
    def answers(self) -> AnswerStore:
        """The last answers of clients."""

    @property
    def plugin_dependencies(self) -> PluginDependencies:
        """The dependencies that plugins declare."""

    @property
    def settings(self) -> Settings:
        """The current settings; another object after a reload."""

    @property
    def repository_version(self) -> int:
        """A number that changes whenever a file or the settings may have changed."""

    def effect_since(self, version: int) -> Effect:
        """Return what has been changed in configurations since an earlier version; None if anything may have."""

    @property
    def timings(self) -> Timings:
        """The collector of durations."""

    @property
    def revision(self) -> str:
        """The repository's revision."""

    @property
    def missing_bundles(self) -> str:
        """The treatment of bundles that do not exist: the value of ``[server] missing_bundles``."""

    def plugins_by_type(self, interface: type[T]) -> Sequence[T]:
        """Return the plugins that implement an interface, in the order of ``(sort_order, name)``."""

    def breathe(self) -> None:
        """Let other greenlets run if this one has computed for some milliseconds."""


@dataclass
class Rendering:
    """One client's configuration while it is built.

    Attributes:
        services: the server.
        metadata: the client.
        structures: the client's ``Bundle`` and ``Independent`` elements, not yet in the document.
        root: the document.
        written: (writing only) the name and the bytes of each structure.
        document: (writing only) the document as it is sent.
        is_validated_as_tree: (writing only) true if a plugin has to see the bound configuration as a tree.
        bind_times: the time that generators spend on binding.
        gathering: (writing only) what is found out about it.
        is_reused: (writing only) true if `document` is the last answer.
    """

    services: RenderServices
    metadata: ClientMetadata
    structures: list[etree._Element] = field(default_factory=list)
    root: etree._Element = field(default_factory=lambda: etree.Element("Configuration", version="2.0"))
    written: list[tuple[str, bytes]] = field(default_factory=list)
    document: bytes = b""
    is_validated_as_tree: bool = False
    bind_times: BindTimes = field(default_factory=BindTimes)
    gathering: Gathering = field(default_factory=lambda: Gathering(Recorder()))
    is_reused: bool = False


def run_hooks(plugins: Iterable[ClientRunHooks], hook: str, metadata: ClientMetadata, timings: Timings) -> None:
    """Call one hook of every plugin with client-run hooks."""
    with timings.measure_own(f"client_run_hook:{hook}"):
        for plugin in plugins:
            with guarded(plugin, hook, metadata):
                getattr(plugin, hook)(metadata)


def start_client_run(rendering: Rendering) -> None:
    """Notify plugins that the build of a configuration begins."""
    _run_hooks(rendering, "start_client_run")


def end_client_run(rendering: Rendering) -> None:
    """Notify plugins that the configuration is built."""
    _run_hooks(rendering, "end_client_run")


def _run_hooks(rendering: Rendering, hook: str) -> None:
    services = rendering.services
    run_hooks(services.plugins_by_type(ClientRunHooks), hook, rendering.metadata, services.timings)


def build_structures(rendering: Rendering) -> None:
    """Collect the structures; `RenderError` if any plugin raises an exception."""
    if rendering.is_reused:
        return
    metadata = rendering.metadata
    for plugin in rendering.services.plugins_by_type(Structure):
        try:
            with measured(plugin, "build_structures"):
                rendering.structures += _structures(plugin.build_structures(metadata))
        except Exception as err:
            log_failure(plugin, "build_structures", metadata, err)
            raise RenderError("structure error") from err
    wanted = metadata.bundles | metadata.scratch.get(REQUIRED_BUNDLES, frozenset())
    missing = wanted - {structure.get("name") for structure in rendering.structures}
    if missing:
        _note_missing(rendering, sorted(map(str, missing)))


def _structures(given: Iterable[etree._Element]) -> list[etree._Element]:
    """Return the structures of a plugin; `TypeError` if it gave anything but elements."""
    # Iterating over one element would give its children.
    structures = None if isinstance(given, str | etree._Element) else list(given)
    if structures is None or not all(isinstance(each, etree._Element) for each in structures):
        raise TypeError(f"build_structures returned {shortened(repr(given))}; expected a list of elements of lxml")
    return structures


def _note_missing(rendering: Rendering, names: Sequence[str]) -> None:
    """Do what ``[server] missing_bundles`` says about bundles that the client should have; `ValidationError`."""
    text = f"no plugin provides these bundles: {', '.join(names)}"
    log.error("%s: %s", rendering.metadata.hostname, text)
    treatment = rendering.services.missing_bundles
    if treatment == "fault":
        raise ValidationError(f"{rendering.metadata.hostname} gets no configuration: {text}")
    if treatment == "fail":
        for name in names:
            ENTRIES_FAILED.inc("Path")
            structure = etree.Element("Bundle", name=name)
            # As a file that no plugin can bind: the client reports it as bad, and does nothing about it.
            etree.SubElement(
                structure,
                "BoundPath",
                name=f"bundle:{name}",
                type="file",
                failure=f"no plugin provides the bundle {name}",
            )
            rendering.structures.append(structure)


def validate_structures(rendering: Rendering) -> None:
    """Let plugins check and amend the structures."""
    if rendering.is_reused:
        return
    for plugin in rendering.services.plugins_by_type(StructureValidator):
        is_done = False
        with guarded(plugin, "validate_structures", rendering.metadata, passes=(ValidationError,)):
            plugin.validate_structures(rendering.metadata, rendering.structures)
            is_done = True
        if not is_done:
            rendering.gathering.reasons.append(f"the plugin {plugin_name(plugin)} failed")


def check_alternatives(rendering: Rendering) -> None:
    """Log entries that occur with different ``altsrc``: the client cannot install both."""
    if rendering.is_reused or not any(_HAS_ALTERNATIVES(structure) for structure in rendering.structures):
        return
    seen: dict[tuple[str, str | None], str | None] = {}
    for structure in rendering.structures:
        for entry in structure.iterchildren(tag=etree.Element):
            key = (entry.tag, entry.get("name"))
            alternative = entry.get("altsrc")
            if seen.setdefault(key, alternative) != alternative:
                log.error(
                    "%s: %s:%s occurs several times with different altsrc; keep one of them",
                    rendering.metadata.hostname,
                    *key,
                )


def bind_entries(rendering: Rendering) -> None:
    """Bind every entry and add the structures to the document. A failed entry stays, with a ``failure`` attribute."""
    services = rendering.services
    binder = services.binder.with_current_tables(services.repository_version)
    # Templates of sites look for this variable, of this name, on the stack: Bcfg2 has it there.
    structures = rendering.structures
    for structure in structures:
        with services.timings.measure_own("BindStructure"):
            bind_structure(structure, binder, rendering)
        rendering.root.append(structure)


def bind_structure(structure: etree._Element, binder: Binder, rendering: Rendering) -> None:
    """Bind every entry of a structure in place."""
    for entry in structure.iterchildren(tag=etree.Element):
        if is_bound(entry):
            remove_prefix(entry)
            continue
        try:
            binder.bind(entry, rendering.metadata, rendering.bind_times)
        except Exception as err:  # noqa: BLE001 - one entry's failure must not fail the others
            note_failure(entry, rendering.metadata, err, rendering.bind_times.take_failed())
        rendering.services.breathe()


def note_failure(
    entry: etree._Element, metadata: ClientMetadata, err: Exception, generator: Generator | None = None
) -> None:
    """Write the reason of a failed binding into the entry, for the client, and into the log.

    A mistake in the code of the generator also gets the generator's name, its place, and once a traceback.
    """
    ENTRIES_FAILED.inc(str(entry.tag))
    if "failure" not in entry.attrib:
        entry.set("failure", _xml_safe(f"bind error: {err}"))
    reason, has_traceback = str(err), False
    if generator is not None and not isinstance(err, GeventcoreError):
        reason, kind = describe_failure(generator, err)
        reason = f"{plugin_name(generator)}.{BIND_HOOK} failed: {reason}"
        noted = FAILURES.note(plugin_name(generator), BIND_HOOK, *kind)
        has_traceback = noted is not None and noted[0] and not is_expected(err)
    log.error(
        "%s: cannot bind %s:%s: %s",
        *(metadata.hostname, entry.tag, entry.get("name"), reason),
        exc_info=err if has_traceback else None,
    )


def _xml_safe(text: str) -> str:
    """Return the text without the control characters that XML does not allow."""
    return "".join(char for char in text if char >= " " or char in "\t\n\r")


def validate_goals(rendering: Rendering) -> None:
    """Let plugins check and amend the bound configuration."""
    for plugin in rendering.services.plugins_by_type(GoalValidator):
        with guarded(plugin, "validate_goals", rendering.metadata, passes=(ValidationError,)):
            plugin.validate_goals(rendering.metadata, rendering.root)


def sort(rendering: Rendering) -> None:
    """Sort the children of every element by name, unnamed ones first. The sort is stable."""
    sort_children(rendering.root)


#: The steps of building a configuration as a tree, in their order.
STEPS: tuple[Callable[[Rendering], None], ...] = (
    start_client_run,
    build_structures,
    validate_structures,
    check_alternatives,
    bind_entries,
    validate_goals,
    end_client_run,
    sort,
)
