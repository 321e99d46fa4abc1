"""Runs the steps of a render, with a timer around each.

A configuration is built as a tree, or written as a document. The two agree to the byte; writing costs a fraction,
because most entries have been written before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from lxml import etree

from geventcore.errors import RenderError
from geventcore.metrics.definitions import STEP_SECONDS
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.render.steps import STEPS, Rendering, RenderServices
from geventcore.render.written import WRITING_STEPS

log = logging.getLogger(__name__)

#: Step -> the name of its statistic, where it is not the step's own (the names are Bcfg2's).
STATISTICS = {
    "build_structures": "GetStructures",
    "bind_entries": "BindStructures",
    "write_entries": "BindStructures",
    "validate_written_goals": "validate_goals",
    "finish": "sort",
}


def error_document(kind: str) -> etree._Element:
    """What a client gets that cannot have a configuration; it ends the run there."""
    return etree.Element("error", type=kind)


def build_configuration(services: RenderServices, metadata: ClientMetadata) -> etree._Element:
    """The client's configuration, or an ``<error type=…/>`` element. `ValidationError` if a validator refuses it."""
    try:
        return _run(STEPS, services, metadata).root
    except RenderError as err:
        return error_document(str(err))


def write_configuration(services: RenderServices, metadata: ClientMetadata) -> bytes:
    """The same as a document in ASCII, without a declaration."""
    try:
        return _run(WRITING_STEPS, services, metadata).document
    except RenderError as err:
        return etree.tostring(error_document(str(err)))


def _run(steps: Sequence[Callable[[Rendering], None]], services: RenderServices, metadata: ClientMetadata) -> Rendering:
    start = time.perf_counter()
    metadata.scratch.clear()
    rendering = Rendering(services, metadata)
    rendering.root.set("revision", services.revision)
    try:
        for step in steps:
            name = STATISTICS.get(step.__name__, step.__name__)
            step_start = time.perf_counter()
            with services.timings.measure(f"{services.statistics_name}:{name}"):
                step(rendering)
            STEP_SECONDS.observe(time.perf_counter() - step_start, step.__name__)
            services.breathe()
    finally:
        rendering.bind_times.count()
    log.info("Generated config for %s in %.03f seconds", metadata.hostname, time.perf_counter() - start)
    return rendering
