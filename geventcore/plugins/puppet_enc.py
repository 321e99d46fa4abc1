"""PuppetENC: groups and data from the external node classifiers of Puppet (docs: reference/plugins/puppetenc).

Every file in ``PuppetENC/`` is a classifier: a program that gets a client's name as argument and prints YAML.
``classes`` (or ``groups``), a list or a mapping, are groups; ``parameters``, and the values of a mapping of classes,
are ``metadata.PuppetENC``. ``environment`` is ignored. Results are cached until a client run ends.
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
from geventcore.plugin.programs import positional, run_program
from geventcore.plugins.client_answers import ClientAnswers
from geventcore.specfiles.directory import Directory

TIMEOUT = Option(
    "puppetenc",
    "timeout",
    types.TIMEOUT,
    30.0,
    "The timeout of a classifier, in seconds; 0 for none.\n\n"
    "A client waits for the classifiers at least twice in a run.",
)
#: The names of classifiers. Backup files of editors are excluded.
_CLASSIFIER = re.compile(r"[^.#](?:.*[^~#])?")


@dataclass(frozen=True)
class Classification:
    """The results of all classifiers for a client.

    Attributes:
        groups: names.
        parameters: data for templates.
    """

    groups: tuple[str, ...]
    parameters: Mapping[str, Any]


class Classifier:
    """One classifier."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def handle_event(self, event: FileEvent) -> None:
        """Do nothing: the file is executed, not loaded."""

    def classify(self, hostname: str, yaml: Any, seconds: float | None) -> tuple[list[str], dict[str, Any]]:
        """Return groups and parameters; `PluginExecutionError` if the program fails or its output is invalid."""
        output = run_program([str(self.path), positional(hostname)], seconds)
        try:
            said = yaml.load(output, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, ValueError, RecursionError) as err:
            raise PluginExecutionError(
                f"{self.path}: its output for {hostname} is not YAML: {' '.join(str(err).split())}"
            ) from err
        if said is None:
            return [], {}
        if not isinstance(said, dict):
            raise PluginExecutionError(f"{self.path}: its output for {hostname} is not a mapping")
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
            raise PluginExecutionError(f"{self.path}: the classes of {hostname} are neither a list nor a mapping")
        groups += [str(name) for name in classes]
        parameters.update(self._mapping(said.get("parameters") or {}, "parameters", hostname))
        return groups, parameters

    def _mapping(self, value: Any, what: str, hostname: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise PluginExecutionError(f"{self.path}: {what} of {hostname}: not a mapping")
        return value


class PuppetENC(Plugin, Connector, ClientRunHooks):
    """A plugin that runs the classifiers."""

    #: It keeps what it has asked for itself.
    reuse_seconds: ClassVar[float] = 0
    options: ClassVar[tuple[Option[Any], ...]] = (TIMEOUT,)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        try:
            self._yaml = importlib.import_module("yaml")
        except ImportError as err:
            raise PluginInitError("PyYAML is needed: install geventcore[yaml]") from err
        if context.cache_mode == "aggressive":
            self.log.warning(
                "[caching] client_metadata = aggressive has little effect with PuppetENC: at the end of every client "
                "run the metadata of all clients expire"
            )
        self._classifications: ClientAnswers[Classification] = ClientAnswers(self._ask)
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
        self._classifications.forget()
        if self.context.cache_mode in ("cautious", "aggressive"):
            self.context.expire_metadata()

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
        """Return the groups; `PluginExecutionError` if a classifier fails, because the client would lose groups."""
        return list(self._classifications.of(metadata).groups)

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Any]:
        """Return the parameters."""
        return self._classifications.of(metadata).parameters

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Drop the results for all clients, so that the classifiers run again."""
        self._classifications.forget()
        if self.context.cache_mode == "aggressive":
            self.context.expire_metadata()
