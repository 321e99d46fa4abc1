"""A repository in a directory, served by a core without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from lxml import etree

from geventcore.core.base import Core
from geventcore.core.methods import CoreMethods
from geventcore.options import Option
from geventcore.options.server import FILEMONITOR, PLUGINS, REPOSITORY
from geventcore.options.settings import LoadedSettings, default_settings, load_settings
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Address
from geventcore.testing.configuration import BuiltConfiguration

#: The smallest metadata: one profile, which every new client gets, with one bundle.
METADATA = {
    "Metadata/groups.xml": (
        '<Groups><Group name="basic" profile="true" public="true" default="true">'
        '<Bundle name="basic"/></Group></Groups>'
    ),
    "Metadata/clients.xml": "<Clients/>",
    "Bundler/basic.xml": "<Bundle/>",
}


class _HostMethods(CoreMethods):
    """The methods of a server; the address of a caller is its name."""

    def resolve_client(self, address: Address, cleanup_cache: bool = False) -> str:
        return str(address[0])


class Site:
    """A site for tests; a context manager that starts and ends its core.

    Without ``Metadata/groups.xml`` among the files, every client gets the profile ``basic`` with the bundle ``basic``.

    Attributes:
        directory: the directory of the site. It holds ``bcfg2.conf`` and the repository.
        repository: the repository.
        core: the core, after the start.
    """

    core: Core

    def __init__(
        self,
        directory: Path,
        plugins: Sequence[str] = ("Bundler",),
        files: Mapping[str, str | bytes] | None = None,
        options: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Write the repository and the configuration file.

        Args:
            directory: an empty directory, or one to create.
            plugins: names for ``[server] plugins``; Metadata is added.
            files: path in the repository -> content.
            options: section -> option -> value, for ``bcfg2.conf``.
        """
        self.directory = directory
        self.repository = directory / "repository"
        given = dict(files or {})
        self._write_files(given if "Metadata/groups.xml" in given else {**METADATA, **given})
        sections: dict[str, dict[str, str]] = {name: dict(values) for name, values in (options or {}).items()}
        server = sections.setdefault("server", {})
        server.setdefault("repository", str(self.repository))
        server.setdefault("plugins", ", ".join(dict.fromkeys(("Metadata", *plugins))))
        server.setdefault("filemonitor", "inotify")
        lines = [
            line
            for name, values in sections.items()
            for line in (f"[{name}]", *(f"{key} = {value}" for key, value in values.items()), "")
        ]
        self.configuration_file.write_text("\n".join(lines), encoding="utf-8")
        self._closing = ExitStack()

    @property
    def configuration_file(self) -> Path:
        """The site's ``bcfg2.conf``."""
        return self.directory / "bcfg2.conf"

    def settings(self) -> LoadedSettings:
        """Read the configuration file; environment variables do not count."""
        return load_settings(config_file=self.configuration_file, environ={})

    def __enter__(self) -> Site:
        self.core = Core(self.settings())
        self._closing.callback(self.core.shutdown)
        try:
            self.core.load()
        except BaseException:
            self._closing.close()
            raise
        self._methods = _HostMethods(self.core)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    # -- the repository

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file of the repository; the plugins have noticed it when this returns."""
        self._write_files({path: content})
        self._notice()

    def remove(self, path: str) -> None:
        """Remove a file of the repository; the plugins have noticed it when this returns."""
        (self.repository / path).unlink()
        self._notice()

    def _write_files(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def _notice(self) -> None:
        # A deleted file has a moment to come back, which a test need not wait for.
        self.core.repository.file_monitor.rescan()
        self.core.handle_file_events()

    # -- the server

    def plugin(self, name: str) -> Plugin:
        """Return a loaded plugin; `KeyError` names those that are loaded."""
        plugins = self.core.plugins.by_name
        if name not in plugins:
            raise KeyError(f"{name} is not loaded; loaded plugins: {', '.join(plugins)}")
        return plugins[name]

    @property
    def context(self) -> PluginContext:
        """The context that the plugins have."""
        return self.core.plugin_context

    # -- calls of a client

    def metadata(self, hostname: str) -> ClientMetadata:
        """Build the metadata of a client; a host that is not a client becomes one."""
        return self.core.build_metadata(hostname)

    def build(self, hostname: str) -> BuiltConfiguration:
        """Build a client's configuration, as ``GetConfig`` does.

        Raises:
            RPCError: the client would get a fault.
        """
        document = self._methods.get_config((hostname, 0))
        return BuiltConfiguration(hostname, etree.fromstring(document.data))

    def probes(self, hostname: str) -> list[etree._Element]:
        """Return the probes that a client gets."""
        return list(etree.fromstring(self._methods.get_probes((hostname, 0)).data))

    def send_probes(self, hostname: str, source: str, results: Mapping[str, str]) -> None:
        """Send results of probes: name of the probe -> its output. `source` is the name of the plugin."""
        root = etree.Element("probe-data")
        for name, text in results.items():
            etree.SubElement(root, "probe-data", name=name, source=source).text = text
        self._methods.receive_probe_data((hostname, 0), etree.tostring(root, encoding="unicode"))

    def report(self, hostname: str, state: str = "clean") -> None:
        """Send the shortest report of a run."""
        root = etree.Element("upload-statistics")
        statistics = etree.SubElement(
            root, "Statistics", version="2.0", state=state, good="0", total="0", revision="-1"
        )
        for name in ("Bad", "Extra", "Modified", "Good"):
            etree.SubElement(statistics, name)
        self._methods.receive_statistics((hostname, 0), etree.tostring(root, encoding="unicode"))

    def decisions(self, hostname: str, mode: str) -> list[tuple[str, str]]:
        """Return a client's decisions: ``(tag, name)``; `mode` is ``whitelist`` or ``blacklist``."""
        return self._methods.get_decision_list((hostname, 0), mode)


@contextmanager
def plugin_context(repository: Path, values: Mapping[Option[Any], Any] | None = None) -> Iterator[PluginContext]:
    """Provide the context of a server without plugins, to construct a plugin with.

    Args:
        repository: an existing directory.
        values: option -> value, not a text.
    """
    core = Core(default_settings({REPOSITORY: repository, PLUGINS: [], FILEMONITOR: "pseudo", **(values or {})}))
    try:
        yield core.plugin_context
    finally:
        core.shutdown()
