"""The document writer: it assembles a configuration from the serialized bytes of its entries.

The last answer of a client is sent again if nothing has changed (`geventcore.render.reuse`). Otherwise structures are
written entry by entry (`geventcore.render.structure_writer`). The document is byte for byte the one that the tree steps
(`STEPS`) produce. Those are used where a plugin needs the whole tree.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from lxml import etree

from geventcore.plugin.recording import is_lasting
from geventcore.render.amendments import Amendments
from geventcore.render.reuse import document, find_answer, goal_validators, keep_answer
from geventcore.render.steps import (
    Rendering,
    build_structures,
    check_alternatives,
    end_client_run,
    sort,
    start_client_run,
    validate_goals,
    validate_structures,
)
from geventcore.render.structure_writer import StructureWriter


def write_entries(rendering: Rendering) -> None:
    """Bind every entry and serialize the structures. Their content is sorted, unless a plugin validates it first."""
    if rendering.is_reused:
        return
    services, gathering = rendering.services, rendering.gathering
    gathering.stage_reads = frozenset(filter(is_lasting, gathering.recorder.reads))
    rendering.is_validated_as_tree, validators = goal_validators(rendering)
    amendments = Amendments([] if rendering.is_validated_as_tree else validators, rendering.metadata)
    writer = StructureWriter(rendering, not rendering.is_validated_as_tree, amendments)
    # Templates of sites look for this variable, of this name, on the stack: Bcfg2 has it there.
    structures = rendering.structures
    try:
        for structure in structures:
            with services.timings.measure_own("BindStructure"):
                rendering.written.append((structure.get("name", ""), writer.write(structure)))
            services.breathe()
    finally:
        amendments.count()


def validate_written_goals(rendering: Rendering) -> None:
    """Parse the configuration and let plugins check and amend the tree, if any plugin needs to."""
    if rendering.is_validated_as_tree:
        _join(rendering)
        rendering.root = etree.fromstring(rendering.document, etree.XMLParser(huge_tree=True))
        rendering.written.clear()
        validate_goals(rendering)


def finish(rendering: Rendering) -> None:
    """Sort what is not sorted yet, and write the document."""
    if rendering.is_reused:
        return
    if rendering.is_validated_as_tree:
        sort(rendering)
        rendering.document = etree.tostring(rendering.root)
    else:
        rendering.written.sort(key=itemgetter(0))
        _join(rendering)
        keep_answer(rendering)


def _join(rendering: Rendering) -> None:
    rendering.document = document(rendering.root, [data for _, data in rendering.written])


#: The steps of building a configuration as bytes, in their order.
WRITING_STEPS: tuple[Callable[[Rendering], None], ...] = (
    start_client_run,
    find_answer,
    build_structures,
    validate_structures,
    check_alternatives,
    write_entries,
    validate_written_goals,
    end_client_run,
    finish,
)
