"""The steps of building a configuration, in their order: `STEPS`.

Each takes a `Rendering`, the state of one client's configuration while it is built, and changes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from lxml import etree

from geventcore.errors import RenderError, ValidationError
from geventcore.metrics.definitions import ENTRIES_FAILED
from geventcore.metrics.timings import Timings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientRunHooks, GoalValidator, Structure, StructureValidator
from geventcore.render.bind_times import BindTimes
from geventcore.render.binder import Binder
from geventcore.render.entry_store import EntryStore
from geventcore.render.guard import guarded, log_failure, measured
from geventcore.render.prepared import is_bound, remove_prefix
from geventcore.render.sorting import sort_children

log = logging.getLogger(__name__)

T = TypeVar("T")

_HAS_ALTERNATIVES = etree.XPath("boolean(*/@altsrc)")


class RenderServices(Protocol):
    """What rendering needs of the server."""

    @property
    def binder(self) -> Binder:
        """Binds entries."""

    @property
    def entry_store(self) -> EntryStore:
        """What is kept from one configuration to the next."""

    @property
    def repository_version(self) -> int:
        """A number that is another one whenever a file, or the settings, may have changed."""

    @property
    def timings(self) -> Timings:
        """Takes durations."""

    @property
    def statistics_name(self) -> str:
        """What the names of statistics begin with."""

    @property
    def revision(self) -> str:
        """The repository's revision."""

    def plugins_by_type(self, interface: type[T]) -> Sequence[T]:
        """The plugins with an interface, in their order."""

    def breathe(self) -> None:
        """Let others go on if this has computed for long."""


@dataclass
class Rendering:
    """One client's configuration while it is built.

    Attributes:
        services: the server.
        metadata: the client.
        structures: the client's ``Bundle`` and ``Independent`` elements, not yet in the document.
        root: the document.
        written: if it is written: the name and the bytes of each structure.
        document: if it is written: the document as it is sent.
        is_validated_as_tree: if it is written: whether plugins want to see the bound configuration.
        bind_times: how long generators have bound for it.
    """

    services: RenderServices
    metadata: ClientMetadata
    structures: list[etree._Element] = field(default_factory=list)
    root: etree._Element = field(default_factory=lambda: etree.Element("Configuration", version="2.0"))
    written: list[tuple[str, bytes]] = field(default_factory=list)
    document: bytes = b""
    is_validated_as_tree: bool = False
    bind_times: BindTimes = field(default_factory=BindTimes)


def run_hooks(
    plugins: Iterable[ClientRunHooks], hook: str, metadata: ClientMetadata, timings: Timings, statistics_name: str
) -> None:
    """Call one hook of every plugin that has client-run hooks."""
    with timings.measure(f"{statistics_name}:client_run_hook:{hook}"):
        for plugin in plugins:
            with guarded(plugin, hook, metadata):
                getattr(plugin, hook)(metadata)


def start_client_run(rendering: Rendering) -> None:
    """Tell plugins that a run begins."""
    _run_hooks(rendering, "start_client_run")


def end_client_run(rendering: Rendering) -> None:
    """Tell plugins that the configuration is built."""
    _run_hooks(rendering, "end_client_run")


def _run_hooks(rendering: Rendering, hook: str) -> None:
    services = rendering.services
    run_hooks(
        services.plugins_by_type(ClientRunHooks), hook, rendering.metadata, services.timings, services.statistics_name
    )


def build_structures(rendering: Rendering) -> None:
    """Collect the structures; an exception of any plugin means that there is no configuration."""
    metadata = rendering.metadata
    for plugin in rendering.services.plugins_by_type(Structure):
        try:
            with measured(plugin, "build_structures"):
                rendering.structures += plugin.build_structures(metadata)
        except Exception as err:
            log_failure(plugin, "build_structures", metadata, err)
            raise RenderError("structure error") from err
    missing = metadata.bundles - {structure.get("name") for structure in rendering.structures}
    if missing:
        log.error("%s: bundles without a structure: %s", metadata.hostname, ", ".join(sorted(map(str, missing))))


def validate_structures(rendering: Rendering) -> None:
    """Let plugins check and amend the structures."""
    for plugin in rendering.services.plugins_by_type(StructureValidator):
        with guarded(plugin, "validate_structures", rendering.metadata, passes=(ValidationError,)):
            plugin.validate_structures(rendering.metadata, rendering.structures)


def check_alternatives(rendering: Rendering) -> None:
    """Report entries that occur with different ``altsrc``: the client cannot install both."""
    if not any(_HAS_ALTERNATIVES(structure) for structure in rendering.structures):
        return
    seen: dict[tuple[str, str | None], str | None] = {}
    for structure in rendering.structures:
        for entry in structure.iterchildren(tag=etree.Element):
            key = (entry.tag, entry.get("name"))
            alternative = entry.get("altsrc")
            if seen.setdefault(key, alternative) != alternative:
                log.error("%s: %s:%s occurs with different altsrc", rendering.metadata.hostname, *key)


def bind_entries(rendering: Rendering) -> None:
    """Bind every entry and put the structures into the document. A failed entry stays, with its failure."""
    binder = rendering.services.binder.with_current_tables()
    timings, name = rendering.services.timings, f"{rendering.services.statistics_name}:BindStructure"
    for structure in rendering.structures:
        with timings.measure(name):
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
        except Exception as err:  # noqa: BLE001 - one entry's failure must not take the others with it
            note_failure(entry, rendering.metadata, err)
        rendering.services.breathe()


def note_failure(entry: etree._Element, metadata: ClientMetadata, err: Exception) -> None:
    """Tell the client in the entry, and the log, why it is not bound."""
    ENTRIES_FAILED.inc(str(entry.tag))
    if "failure" not in entry.attrib:
        entry.set("failure", _xml_safe(f"bind error: {err}"))
    log.error("%s: %s:%s cannot be bound: %s", metadata.hostname, entry.tag, entry.get("name"), err)


def _xml_safe(text: str) -> str:
    """The text without the control characters that XML cannot hold."""
    return "".join(char for char in text if char >= " " or char in "\t\n\r")


def validate_goals(rendering: Rendering) -> None:
    """Let plugins check and amend the bound configuration."""
    for plugin in rendering.services.plugins_by_type(GoalValidator):
        with guarded(plugin, "validate_goals", rendering.metadata, passes=(ValidationError,)):
            plugin.validate_goals(rendering.metadata, rendering.root)


def sort(rendering: Rendering) -> None:
    """Sort the children of every element by name, unnamed ones first; equal ones keep their order."""
    sort_children(rendering.root)


#: What happens to a client's configuration, in this order.
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
