"""The test of a site: whether each client gets a configuration in which nothing fails."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options.server import PLUGINS
from geventcore.plugins.metadata import Metadata
from geventcore.tools.inspection import failures_of

_STRUCTURES = ("Bundle", "Independent")


@dataclass(frozen=True)
class Ignored:
    """Entries that may fail: pairs of a tag and a pattern of names."""

    patterns: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_words(cls, words: Iterable[str]) -> Ignored:
        """Read words ``Tag:pattern``; `ConfigError` for others."""
        patterns = []
        for word in words:
            tag, colon, pattern = word.partition(":")
            if not (tag and colon and pattern):
                raise ConfigError(f"--ignore {word}: expected Tag:name, such as Path:/etc/motd")
            patterns.append((tag, pattern))
        return cls(tuple(patterns))

    def has(self, tag: str, name: str) -> bool:
        """Return true if an entry may fail."""
        return any(tag == wanted and fnmatch.fnmatchcase(name, pattern) for wanted, pattern in self.patterns)


@dataclass(frozen=True)
class HostResult:
    """The result for one host.

    Attributes:
        failures: one text for each; none if the host passes.
        entries: the number of entries in its configuration.
        seconds: the duration.
    """

    host: str
    failures: tuple[str, ...]
    entries: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Return true if nothing failed."""
        return not self.failures


@dataclass(frozen=True)
class BuildTest:
    """The test of hosts.

    Attributes:
        core: the site.
        ignored: the entries that may fail.
        strict: also fail on hosts that are no clients, misspelt profiles, and configurations without entries.
    """

    core: Core
    ignored: Ignored
    strict: bool = True

    def run(self, host: str) -> HostResult:
        """Build a host's configuration and look for failures in it."""
        start = time.perf_counter()
        configuration: etree._Element | None = None
        try:
            failures = self._failures_of_client(host) if self.strict else []
            if not failures:
                metadata = self.core.build_metadata(host)
                configuration = self.core.build_configuration(host)
                failures = self._failures_in(host, configuration, metadata.bundles)
        except GeventcoreError as err:
            failures = [str(err).removeprefix(f"{host} ")]
        # A plugin of the site may raise anything; the other hosts are still tested.
        except Exception as err:  # noqa: BLE001
            failures = [f"{type(err).__name__}: {err}"]
        entries = 0 if configuration is None else sum(len(structure) for structure in configuration)
        return HostResult(host, tuple(failures), entries, time.perf_counter() - start)

    def _failures_of_client(self, host: str) -> list[str]:
        source = self.core.metadata_source()
        if not isinstance(source, Metadata):
            return []
        client = source.client_list.table.clients.get(host)
        if client is None:
            return [f"{host} is not a client"]
        return [
            f"the profile {profile} is not a profile in groups.xml"
            for profile in client.profiles
            if not source.is_profile(profile)
        ]

    def _failures_in(self, host: str, configuration: etree._Element, bundles: Iterable[str]) -> list[str]:
        if configuration.tag == "error":
            return [f"there is no configuration: {configuration.get('type')}"]
        structures = [structure for structure in configuration if structure.tag in _STRUCTURES]
        if not structures:
            return [f"{host} has no content: no bundle"]
        if self.strict and not any(len(structure) for structure in structures):
            return [f"{host} has no content: no bundle has an entry for it"]
        failures = []
        if "Bundler" in self.core.settings[PLUGINS]:
            missing = sorted(set(bundles) - {structure.get("name", "") for structure in structures})
            failures += [f"bundle {name} is missing in the configuration" for name in missing]
        unknown = [
            str(entry.get("name"))
            for entry in configuration.iter("Package")
            if entry.get("type") == "unknown" and not self.ignored.has("Package", str(entry.get("name")))
        ]
        if unknown:
            failures.append(f"unknown packages: {', '.join(unknown)}")
        for entry, reason in failures_of(configuration):
            tag, _, name = entry.partition(":")
            if not self.ignored.has(tag, name):
                failures.append(f"{entry}: {reason}")
        return failures


def junit(results: Sequence[HostResult], seconds: float) -> bytes:
    """Return results as a JUnit report, for continuous integration (the schema of Jenkins' xunit plugin)."""
    failed = sum(not result.is_good for result in results)
    root = etree.Element("testsuites")
    suite = etree.SubElement(
        root,
        "testsuite",
        name="geventcore test",
        tests=str(len(results)),
        failures=str(failed),
        errors="0",
        skipped="0",
        time=f"{seconds:.3f}",
    )
    for result in results:
        case = etree.SubElement(
            suite, "testcase", classname="configuration", name=result.host, time=f"{result.seconds:.3f}"
        )
        if result.failures:
            failure = etree.SubElement(case, "failure", type="failure", message=_xml_text(result.failures[0]))
            failure.text = _xml_text("\n".join(result.failures))
    return etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="UTF-8")


def _xml_text(text: str) -> str:
    return "".join(character if character.isprintable() or character in "\t\n" else "?" for character in text)
