"""A core without a network that serves a repository as sites have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geventcore.core.base import Core
from geventcore.core.methods import CoreMethods
from geventcore.options import load_settings
from geventcore.simulation.repository import GeneratedClient
from geventcore.simulation.site_repository import (
    SITE_OPTIONS,
    SITE_PLUGINS,
    SiteShape,
    generate_site,
    probe_upload,
)

ADDRESS = ("192.0.2.254", 40000)


class MethodsAs(CoreMethods):
    """The exposed methods, called by a client of a given name."""

    hostname = ""

    def resolve_client(self, address: tuple[Any, ...], cleanup_cache: bool = False) -> str:
        return self.hostname


@dataclass
class SiteCore:
    """A core, and the clients of its repository."""

    core: Core
    clients: Sequence[GeneratedClient]

    def upload(self, client: GeneratedClient, probe_data: str) -> None:
        """Send results of probes."""
        methods = MethodsAs(self.core)
        methods.hostname = client.name
        methods.receive_probe_data(ADDRESS, probe_data)


def write_options(path: Path, sections: Mapping[str, Mapping[str, str]]) -> None:
    """Write a configuration file."""
    path.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
            for section, options in sections.items()
        )
    )
    path.chmod(0o600)


@contextmanager
def site_core(directory: Path, shape: SiteShape, options: Mapping[str, Mapping[str, str]] = {}) -> Iterator[SiteCore]:
    """Write the repository and serve it; all clients have sent results of probes."""
    clients = generate_site(directory / "repository", shape)
    sections: dict[str, dict[str, str]] = {
        "server": {
            "repository": str(directory / "repository"),
            "plugins": ",".join(SITE_PLUGINS),
            "filemonitor": "pseudo",
        },
        "database": {"name": str(directory / "database")},
    }
    for section, values in [*SITE_OPTIONS.items(), *options.items()]:
        sections.setdefault(section, {}).update(values)
    write_options(directory / "bcfg2.conf", sections)
    core = Core(load_settings(config_file=directory / "bcfg2.conf", environ={}))
    try:
        core.load()
        core.handle_file_events()
        packages: Any = core.plugins.by_name["Packages"]
        packages.store.load_missing()
        core.handle_file_events()
        site = SiteCore(core, clients)
        for client in clients:
            site.upload(client, probe_upload(client, 0))
        yield site
    finally:
        core.shutdown()
