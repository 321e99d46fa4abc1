"""The repository of benchmarks has what it says, and every entry of it can be bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from geventcore.core.base import Core
from geventcore.simulation.site_repository import SiteShape, generate_site, probe_upload
from tests.repositories.__main__ import main
from tests.support.site_core import SiteCore, site_core


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteCore]:
    with site_core(tmp_path_factory.mktemp("site"), SiteShape(clients=4)) as site:
        yield site


def entries(core: Core, hostname: str) -> list[etree._Element]:
    return [entry for structure in etree.fromstring(core.write_configuration(hostname)) for entry in structure]


def test_a_host_has_about_490_entries_of_240_kilobytes(site: SiteCore) -> None:
    for client in site.clients:
        document = site.core.write_configuration(client.name)
        assert 200_000 < len(document) < 280_000
        assert 470 <= len(entries(site.core, client.name)) <= 520
        assert b" failure=" not in document


def test_a_host_has_the_templates_of_a_site(site: SiteCore) -> None:
    repository = site.core.repository.path
    names = {entry.get("name", "") for entry in entries(site.core, site.clients[0].name)}
    templates = [
        path
        for path in repository.glob("Cfg/**/*")
        if path.suffix in (".genshi", ".jinja2") and f"/{path.parent.relative_to(repository / 'Cfg')}" in names
    ]
    assert 25 <= len(templates) <= 30
    text = "".join(path.read_text() for path in templates)
    assert all(part in text for part in ("metadata.groups", "metadata.Properties", "metadata.Probes"))


def test_probes_properties_and_defaults_are_in_the_result(site: SiteCore) -> None:
    client = site.clients[0]
    document = site.core.write_configuration(client.name).decode()
    assert "cores = model 0" in document
    assert re.search(r'<Service [^>]*bootstatus="on"', document)
    site.upload(client, probe_upload(client, 1).replace("model 0", "model x"))
    assert "cores = model x" in site.core.write_configuration(client.name).decode()


def test_the_command_writes_it_and_refuses_a_directory_with_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "new"), "--clients", "2", "--bundles", "4"]) == 0
    assert len(list((tmp_path / "new/Bundler").iterdir())) == 2 + 4 * 2
    assert main([str(tmp_path / "new")]) == 2
    assert "is not empty" in capsys.readouterr().err
    with pytest.raises(FileExistsError):
        generate_site(tmp_path / "new", SiteShape())
