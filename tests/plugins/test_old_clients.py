"""POSIXCompat and ServiceCompat: what old clients get, and that new ones get nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.client_version import ClientVersion
from geventcore.plugins.old_clients import is_old_client
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import configuration, plugin_site

PLUGINS = ("Bundler", "POSIXCompat", "ServiceCompat")


def site(*entries: str, version: str | None = "1.2.3") -> dict[str, str | bytes]:
    attribute = "" if version is None else f' version="{version}"'
    return {
        "Bundler/b.xml": f"<Bundle>{''.join(entries)}</Bundle>",
        "Metadata/clients.xml": f'<Clients><Client name="h" profile="p"{attribute}/></Clients>',
    }


def entries_of(server: SmallServer) -> list[etree._Element]:
    (structure,) = configuration(server)
    return list(structure)


@pytest.mark.parametrize(
    ("version", "is_old"),
    [
        (None, True),
        ("", True),
        ("nonsense", True),
        ("1.2.9", True),
        ("1.2.9rc3", True),
        ("0.9.6", True),
        ("1.3.0pre1", False),
        ("1.3.0rc2", False),
        ("1.3.0", False),
        ("1.3.4", False),
        ("1.4.0pre2", False),
        ("2.0.0", False),
    ],
)
def test_which_clients_are_old(version: str | None, is_old: bool) -> None:
    metadata = ClientMetadata("h", version=version, version_info=ClientVersion.parse(version))
    assert is_old_client(metadata) is is_old


def test_paths_of_old_clients_have_perms_besides_mode(tmp_path: Path) -> None:
    files = site('<BoundPath name="/a" mode="0644"/>', '<BoundPath name="/b"/>', '<BoundPackage name="c" mode="x"/>')
    with plugin_site(tmp_path, PLUGINS, files) as server:
        with_mode, without_mode, package = sorted(entries_of(server), key=lambda entry: entry.get("name", ""))
    assert dict(with_mode.attrib) == {"name": "/a", "mode": "0644", "perms": "0644"}
    assert dict(without_mode.attrib) == {"name": "/b"}
    assert dict(package.attrib) == {"name": "c", "mode": "x"}


@pytest.mark.parametrize(
    ("attributes", "mode"),
    [
        ("", "default"),
        ('restart="true" install="true"', "default"),
        ('restart="TRUE" install="True"', "default"),
        ('restart="interactive"', "interactive_only"),
        ('restart="false" install="false"', "manual"),
        ('restart="false"', "manual"),
        ('install="false"', "manual"),
        ('restart="interactive" install="false"', "manual"),
        ('restart="" install="nonsense"', "manual"),
        ('restart="true" mode="supervised"', "default"),
    ],
)
def test_services_of_old_clients_have_a_mode(tmp_path: Path, attributes: str, mode: str) -> None:
    with plugin_site(tmp_path, PLUGINS, site(f'<BoundService name="s" {attributes}/>')) as server:
        (service,) = entries_of(server)
    assert service.get("mode") == mode


@pytest.mark.parametrize("version", ["1.3.0pre1", "1.3.4", "1.4.0"])
def test_new_clients_get_nothing_else(tmp_path: Path, version: str) -> None:
    files = site('<BoundPath name="/a" mode="0644"/>', '<BoundService name="s" restart="false"/>', version=version)
    with plugin_site(tmp_path, PLUGINS, files) as server:
        path, service = entries_of(server)
    assert dict(path.attrib) == {"name": "/a", "mode": "0644"}
    assert dict(service.attrib) == {"name": "s", "restart": "false"}


@pytest.mark.parametrize("version", [None, "nonsense"])
def test_a_client_of_unknown_version_is_taken_for_an_old_one(tmp_path: Path, version: str | None) -> None:
    with plugin_site(tmp_path, PLUGINS, site('<BoundPath name="/a" mode="0"/>', version=version)) as server:
        (path,) = entries_of(server)
    assert path.get("perms") == "0"


def test_they_have_no_directories(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site()):
        assert not (tmp_path / "POSIXCompat").exists()
        assert not (tmp_path / "ServiceCompat").exists()
