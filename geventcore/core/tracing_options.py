"""The options of traces."""

from __future__ import annotations

import geventcore
from geventcore import tracing
from geventcore.options import types
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings

ENDPOINT = Option(
    "tracing",
    "endpoint",
    types.OPTIONAL_STRING,
    None,
    "The URL of an OpenTelemetry collector that takes traces by OTLP over HTTP, such as "
    "``http://localhost:4318/v1/traces``. Without it there are no traces. It needs ``pip install 'geventcore[otel]'``.",
    at_start=True,
)
SAMPLE = Option(
    "tracing",
    "sample",
    types.number(0, 1),
    0.01,
    "The share of requests that have a trace: 1 is all.",
    at_start=True,
)
SERVICE = Option(
    "tracing",
    "service",
    types.STRING,
    "geventcore",
    "The name of the service in traces.",
    at_start=True,
)


def configure_tracing(settings: LoadedSettings) -> None:
    """Apply the options; `ConfigError` if a library is missing."""
    endpoint = settings[ENDPOINT]
    if endpoint is not None:
        tracing.configure(tracing.Target(endpoint, settings[SAMPLE], settings[SERVICE], geventcore.__version__))
