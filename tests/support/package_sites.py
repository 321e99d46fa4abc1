"""Repositories of packages, and small sites that use them, for tests of the plugin Packages."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.options import Option
from geventcore.plugins.packages.options import RETRIES, TIMEOUT
from geventcore.plugins.packages.plugin import Packages
from tests.support.plugin_context import SmallServer, small_server, write_files

PLUGINS = ("Metadata", "Bundler", "Packages")


def stanza(name: str, **fields: str) -> str:
    """A package of an apt repository; ``Pre_Depends`` stands for ``Pre-Depends``."""
    lines = {"Package": name, "Version": "1", "Architecture": "amd64"}
    lines |= {key.replace("_", "-"): value for key, value in fields.items()}
    return "".join(f"{key}: {value}\n" for key, value in lines.items()) + "\n"


def apt_repository(root: Path, *stanzas: str, suite: str = "one", component: str = "main", arch: str = "amd64") -> None:
    """Write the list of packages of one component, without a release file."""
    path = root / "dists" / suite / component / f"binary-{arch}" / "Packages.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(stanzas).encode()))


def apt_source(url: str, extra: str = "", attributes: str = "") -> str:
    """An element for such a repository."""
    return (
        f'<Source type="apt" url="{url}" version="one" {attributes}><Component>main</Component>'
        f"<Arch>amd64</Arch>{extra}</Source>"
    )


def write_site(repository: Path, sources: str, packages: str, groups: str = "amd64 x86_64") -> None:
    """A site with one bundle for every client, which is in some groups."""
    children = "".join(f'<Group name="{name}"/>' for name in groups.split())
    write_files(
        repository,
        {
            "Metadata/groups.xml": (
                f'<Groups><Group name="p" profile="true" public="true" default="true"><Bundle name="b"/>{children}'
                "</Group></Groups>"
            ),
            "Metadata/clients.xml": '<Clients><Client name="n1" profile="p"/></Clients>',
            "Bundler/b.xml": f"<Bundle>{packages}</Bundle>",
            "Packages/sources.xml": f"<Sources>{sources}</Sources>",
        },
    )


class PackageSite:
    """A small server with Packages, and what its client gets."""

    def __init__(self, server: SmallServer) -> None:
        self.server = server

    @property
    def plugin(self) -> Packages:
        plugin = self.server.plugin("Packages")
        assert isinstance(plugin, Packages)
        return plugin

    def configuration(self) -> etree._Element:
        return self.server.core.build_configuration("n1")

    def added(self) -> set[str]:
        """The names of packages that are added for the client."""
        return {
            str(entry.get("name")) for entry in self.configuration().iterfind("Independent[@name='Packages']/Package")
        }

    def state(self) -> Any:
        """The state of the only source."""
        (state,) = self.plugin.store.states.values()
        return state


@contextmanager
def package_site(
    repository: Path, sources: str, packages: str, options: Mapping[Option[Any], Any] | None = None
) -> Iterator[PackageSite]:
    """A small server whose client wants some packages. Downloads fail fast."""
    write_site(repository, sources, packages)
    with small_server(repository, PLUGINS, {RETRIES: 0, TIMEOUT: 3.0, **(options or {})}) as server:
        server.core.handle_file_events()
        yield PackageSite(server)
