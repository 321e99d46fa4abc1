"""The repository in a process of its own: ``python -m geventcore.cli.web.site_process FILE REPOSITORY WHAT HOST``.

Prints JSON: the names of clients, the results of a host's probes, or a host's configuration.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from geventcore.cli.command import start_logging
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings, OptionSet, load_settings
from geventcore.options.server import COMMON_OPTIONS, PLUGINS, REPOSITORY
from geventcore.plugin.explanation import Source
from geventcore.plugin.interfaces import Connector
from geventcore.render.guard import plugin_name
from geventcore.tools.explain import EntryExplanation, explain
from geventcore.tools.site import open_core

#: Attributes that are contents, or say where an entry comes from.
_LEFT_OUT = frozenset({"name", "failure", "qtext"})


def clients(settings: LoadedSettings, _host: str) -> Any:
    """Return the names of the clients."""
    with open_core(_with_plugins(settings, "Metadata")) as core:
        return core.metadata_source().list_clients()


def probes(settings: LoadedSettings, host: str) -> Any:
    """Return the last results of a host's probes."""
    if "Probes" not in _plugins(settings):
        return {}
    with open_core(_with_plugins(settings, "Metadata", "Probes")) as core:
        metadata = core.build_metadata(host)
        return {
            str(name): str(result)
            for plugin in core.plugins.by_type(Connector)
            if plugin_name(plugin) == "Probes"
            for name, result in plugin.get_additional_data(metadata).items()
        }


def _plugins(settings: LoadedSettings) -> tuple[str, ...]:
    return settings[PLUGINS]


def _with_plugins(settings: LoadedSettings, *names: str) -> LoadedSettings:
    """Load only some plugins, if the site has them: others cost time."""
    has_them = set(names) <= set(_plugins(settings))
    return settings.with_values({PLUGINS: tuple(names)}) if has_them else settings


def configuration(settings: LoadedSettings, host: str) -> Any:
    """Build the configuration of a host, with the places that its values come from."""
    with open_core(settings) as core:
        found = explain(core, host)
        if found.error:
            raise GeventcoreError(f"the server would answer with an error: {found.error}")
        return {"revision": core.repository.revision, "entries": [_entry(entry) for entry in found.entries]}


def _entry(entry: EntryExplanation) -> dict[str, Any]:
    shown = {value.name: value.value for value in entry.attributes if value.name not in _LEFT_OUT}
    is_sensitive = shown.get("sensitive", "").lower() == "true" or any(value.is_hidden for value in entry.attributes)
    bound = entry.text.source if entry.text is not None else _bound_by(entry)
    return {
        "tag": entry.tag,
        "name": entry.name,
        "bundle": entry.structure,
        "plugin": entry.generator or bound.plugin,
        "file": bound.file,
        "line": bound.line or 0,
        "reasons": list(_reasons(entry)),
        "attributes": {} if is_sensitive else shown,
        "failure": entry.failure,
        "is_sensitive": is_sensitive,
    }


def _bound_by(entry: EntryExplanation) -> Source:
    """Return the place of most attributes; that of the entry itself without any."""
    counts = Counter(value.source for value in entry.attributes if value.source.plugin == entry.generator)
    return counts.most_common(1)[0][0] if counts else entry.source


def _reasons(entry: EntryExplanation) -> Iterator[str]:
    """Yield sentences about the places of an entry and its values."""
    yield f"named by {_place(entry.source)}"
    if entry.text is not None:
        yield f"content from {_place(entry.text.source)}"
    places: dict[str, list[str]] = {}
    for value in entry.attributes:
        if value.name not in _LEFT_OUT:
            places.setdefault(_place(value.source), []).append(value.name)
    for place, names in places.items():
        yield f"{', '.join(names)} from {place}"
    if entry.alternative:
        yield f"bound under the name {entry.alternative}"
    for lost in entry.lost:
        yield f"not used: {_place(lost.source)}: {lost.reason}"


def _place(source: Source) -> str:
    conditions = f" ({', '.join(map(str, source.conditions))})" if source.conditions else ""
    return f"{source.place or source.text or source.plugin}{conditions}"


class _Errors(logging.Handler):
    """Collects errors that are logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def broken(settings: LoadedSettings, _host: str) -> Any:
    """Return the messages about files that cannot be used."""
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    with open_core(settings):
        return list(dict.fromkeys(errors.messages))


QUESTIONS: dict[str, Callable[[LoadedSettings, str], Any]] = {
    "broken": broken,
    "clients": clients,
    "configuration": configuration,
    "probes": probes,
}


def main(arguments: Sequence[str]) -> int:
    """Answer one question; return the exit status."""
    file, repository, what, host = arguments
    settings = load_settings(
        options=OptionSet(COMMON_OPTIONS), config_file=Path(file), command_line={REPOSITORY: repository}
    )
    try:
        start_logging(settings)
        answer = QUESTIONS[what](settings, host)
    except (GeventcoreError, OSError) as err:
        print(" ".join(str(err).split()), file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
