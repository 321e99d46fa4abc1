"""The pipeline that runs the steps of a render, with a timer around each.

A configuration is built as a tree, or written as bytes. Both give the same document, byte for byte. Writing costs a
fraction of building, because most entries are already cached as bytes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from lxml import etree

from geventcore import tracing
from geventcore.errors import RenderError
from geventcore.metrics.definitions import STEP_SECONDS
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.recording import RECORDER
from geventcore.render.captured_logs import captured
from geventcore.render.document_writer import WRITING_STEPS, write_entries
from geventcore.render.steps import (
    STEPS,
    Rendering,
    RenderServices,
    build_structures,
    check_alternatives,
    validate_structures,
)

log = logging.getLogger(__name__)

#: Step -> the name of its statistic, if it is not the step's own name (the names are Bcfg2's).
STATISTICS = {
    "build_structures": "GetStructures",
    "bind_entries": "BindStructures",
    "write_entries": "BindStructures",
    "validate_written_goals": "validate_goals",
    "finish": "sort",
}


#: The steps whose log lines are logged again when the answer is reused.
_CAPTURED_STEPS = frozenset({build_structures, validate_structures, check_alternatives, write_entries})


def error_document(kind: str) -> etree._Element:
    """Return the ``<error>`` document that ends the run of a client whose configuration cannot be built."""
    return etree.Element("error", type=kind)


def build_configuration(services: RenderServices, metadata: ClientMetadata) -> etree._Element:
    """Return the client's configuration, or ``<error type=…/>``. `ValidationError` if a validator rejects it."""
    try:
        return _run(STEPS, services, metadata).root
    except RenderError as err:
        return error_document(str(err))


def write_configuration(services: RenderServices, metadata: ClientMetadata) -> bytes:
    """Return the same as an ASCII document without an XML declaration."""
    try:
        return _run(WRITING_STEPS, services, metadata).document
    except RenderError as err:
        return etree.tostring(error_document(str(err)))


def _run(steps: Sequence[Callable[[Rendering], None]], services: RenderServices, metadata: ClientMetadata) -> Rendering:
    start = time.perf_counter()
    metadata.scratch.clear()
    rendering = Rendering(services, metadata)
    if steps is WRITING_STEPS:
        metadata.scratch[RECORDER] = rendering.gathering.recorder
    rendering.root.set("revision", services.revision)
    try:
        for step in steps:
            name = STATISTICS.get(step.__name__, step.__name__)
            step_start = time.perf_counter()
            with services.timings.measure_own(name), tracing.span(f"step {step.__name__}"):
                if step in _CAPTURED_STEPS:
                    with captured(rendering.gathering.lines):
                        step(rendering)
                else:
                    step(rendering)
            STEP_SECONDS.observe(time.perf_counter() - step_start, step.__name__)
            services.breathe()
    finally:
        rendering.bind_times.count()
    log.info("Generated configuration for %s in %.03f seconds", metadata.hostname, time.perf_counter() - start)
    return rendering
