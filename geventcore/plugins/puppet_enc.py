"""PuppetENC: groups and data from the external node classifiers of Puppet (docs: reference/plugins/puppetenc).

Every file in ``PuppetENC/`` is a program. It is called with a client's name and prints YAML: ``classes`` (or
``groups``), a list or a mapping, are groups; ``parameters``, and the values of a mapping of classes, are
``metadata.PuppetENC``. ``environment`` means nothing here. What the programs say is kept until a client run ends.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from geventcore.errors import PluginExecutionError, PluginInitError
from geventcore.filemonitor import FileEvent
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import ClientRunHooks, Connector
from geventcore.plugin.programs import run_program
from geventcore.specfiles.directory import Directory

TIMEOUT = Option(
    "puppetenc",
    "timeout",
    types.TIMEOUT,
    30.0,
    "How long a classifier may take, in seconds; 0 for as long as it likes.\n\n"
    "Clients wait for it, twice or more in a run.",
)
#: What editors leave beside a file is no classifier.
_CLASSIFIER = re.compile(r"[^.#](?:.*[^~#])?")


@dataclass(frozen=True)
class Classification:
    """What the classifiers say about a client.

    Attributes:
        groups: names.
        parameters: data for templates.
    """

    groups: tuple[str, ...]
    parameters: Mapping[str, Any]


class Classifier:
    """One program."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def handle_event(self, event: FileEvent) -> None:
        """Nothing is kept of the file itself: it is run as it is."""

    def classify(self, hostname: str, yaml: Any, seconds: float | None) -> tuple[list[str], dict[str, Any]]:
        """Groups and parameters; `PluginExecutionError` if the program fails or prints something else."""
        output = run_program([str(self.path), hostname], seconds)
        try:
            said = yaml.load(output, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, ValueError, RecursionError) as err:
            raise PluginExecutionError(
                f"{self.path}: what it prints about {hostname} is not YAML: {' '.join(str(err).split())}"
            ) from err
        if said is None:
            return [], {}
        if not isinstance(said, dict):
            raise PluginExecutionError(f"{self.path}: what it prints about {hostname} is not a mapping")
        return self._read(said, hostname)

    def _read(self, said: Mapping[Any, Any], hostname: str) -> tuple[list[str], dict[str, Any]]:
        groups: list[str] = []
        parameters: dict[str, Any] = {}
        classes = said.get("classes") or said.get("groups") or []
        if isinstance(classes, dict):
            for values in classes.values():
                if values:
                    parameters.update(self._mapping(values, "a class", hostname))
        elif not isinstance(classes, list):
            raise PluginExecutionError(f"{self.path}: classes of {hostname}: neither a list nor a mapping")
        groups += [str(name) for name in classes]
        parameters.update(self._mapping(said.get("parameters") or {}, "parameters", hostname))
        return groups, parameters

    def _mapping(self, value: Any, what: str, hostname: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise PluginExecutionError(f"{self.path}: {what} of {hostname}: not a mapping")
        return value


class PuppetENC(Plugin, Connector, ClientRunHooks):
    """Asks the classifiers."""

    options: ClassVar[tuple[Option[Any], ...]] = (TIMEOUT,)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        try:
            self._yaml = importlib.import_module("yaml")
        except ImportError as err:
            raise PluginInitError("PyYAML is needed: install geventcore[yaml]") from err
        if context.cache_mode == "aggressive":
            self.log.warning(
                "[caching] client_metadata = aggressive is of little use with PuppetENC: every client run that ends "
                "makes all clients' metadata be built anew"
            )
        self._cache: dict[str, Classification] = {}
        self._classifiers = Directory(
            self.directory,
            context.file_monitor,
            Classifier,
            _CLASSIFIER,
            recursive=False,
            ignore=re.compile(".*"),
            on_change=self._forget,
        )

    def _forget(self) -> None:
        # Replaced, not emptied: who is being asked about at this moment is put into the old one.
        self._cache = {}
        if self.context.cache_mode in ("cautious", "aggressive"):
            self.context.expire_metadata()

    def _classify(self, metadata: ClientMetadata) -> Classification:
        """What the classifiers say; the same for one metadata object, however many clients' runs end meanwhile."""
        found: Classification | None = metadata.scratch.get(type(self))
        if found is None:
            cache = self._cache
            found = cache.get(metadata.hostname)
            if found is None:
                found = cache[metadata.hostname] = self._ask(metadata.hostname)
            metadata.scratch[type(self)] = found
        return found

    def _ask(self, hostname: str) -> Classification:
        groups: dict[str, None] = {}
        parameters: dict[str, Any] = {}
        seconds = self.context.settings[TIMEOUT]
        for _, classifier in sorted(self._classifiers.children.items()):
            more_groups, more_parameters = classifier.classify(hostname, self._yaml, seconds)
            groups.update(dict.fromkeys(more_groups))
            parameters.update(more_parameters)
        return Classification(tuple(groups), parameters)

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        """The groups; `PluginExecutionError` if a classifier fails, because the client would lose some."""
        return list(self._classify(metadata).groups)

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Any]:
        """The parameters."""
        return self._classify(metadata).parameters

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Have the classifiers asked again, about all clients."""
        self._cache = {}
        if self.context.cache_mode == "aggressive":
            self.context.expire_metadata()
