"""Runs the steps of a render, with a timer around each."""

from __future__ import annotations

import logging
import time

from lxml import etree

from geventcore.errors import RenderError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.render.steps import STEPS, Rendering, RenderServices

log = logging.getLogger(__name__)

#: Step -> the name of its statistic, where it is not the step's own (the names are Bcfg2's).
STATISTICS = {"build_structures": "GetStructures", "bind_entries": "BindStructures"}


def error_document(kind: str) -> etree._Element:
    """What a client gets that cannot have a configuration; it ends the run there."""
    return etree.Element("error", type=kind)


def build_configuration(services: RenderServices, metadata: ClientMetadata) -> etree._Element:
    """The client's configuration, or an ``<error type=…/>`` element. `ValidationError` if a validator refuses it."""
    start = time.perf_counter()
    metadata.scratch.clear()
    rendering = Rendering(services, metadata)
    rendering.root.set("revision", services.revision)
    try:
        for step in STEPS:
            name = STATISTICS.get(step.__name__, step.__name__)
            with services.timings.measure(f"{services.statistics_name}:{name}"):
                step(rendering)
            services.breathe()
    except RenderError as err:
        return error_document(str(err))
    log.info("Generated config for %s in %.03f seconds", metadata.hostname, time.perf_counter() - start)
    return rendering.root
