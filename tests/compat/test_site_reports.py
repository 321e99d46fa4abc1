"""Small sites whose plugins and templates use more of Bcfg2 than others do, as real server processes serve them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from geventcore.core.base import Core
from geventcore.options import load_settings
from tests.support.compat_site import PLUGIN_DIRECTORY, entry_of
from tests.support.plugin_context import write_files

CASES = Path(__file__).parents[1] / "cases"
CLIENT = {"Metadata/clients.xml": '<Clients><Client name="a.example.com" profile="p"/></Clients>'}


def configuration(directory: Path, plugins: str) -> Path:
    """A configuration file for the repository in a directory."""
    path = directory / "bcfg2.conf"
    path.write_text(f"[server]\nrepository = {directory}/repo\nplugins = {plugins}\nfilemonitor = pseudo\n")
    return path


def test_a_plugin_reads_groups_xml(tmp_path: Path) -> None:
    groups = (
        '<Groups><Group name="p" profile="true" default="true"><Bundle name="b"/><Group name="web"/></Group>'
        '<Group name="web"><Group name="base"/></Group></Groups>'
    )
    files = {
        **CLIENT,
        "Metadata/groups.xml": groups,
        "Bundler/b.xml": '<Bundle><Path name="/etc/tree"/></Bundle>',
        "Cfg/etc/tree/tree.genshi": "${metadata.Parents}",
    }
    write_files(tmp_path / "repo", files)
    conf = configuration(tmp_path, "Metadata,Bundler,Cfg,parents.Parents")
    done = subprocess.run(
        [sys.executable, "-m", "geventcore", "info", "build", "a.example.com", "-C", str(conf)],
        env={**os.environ, "PYTHONPATH": f"{PLUGIN_DIRECTORY}:{Path(__file__).parents[2]}"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert entry_of(etree.fromstring(done.stdout), "Path", "/etc/tree").text == "('p', 'web')('web', 'base')"


@pytest.mark.parametrize("way", ["tree", "bytes"])
def test_a_template_finds_the_structures_on_the_stack(tmp_path: Path, way: str) -> None:
    case = CASES / "templates" / "caller-structures" / "repo"
    write_files(
        tmp_path / "repo",
        {str(path.relative_to(case)): path.read_bytes() for path in case.rglob("*") if path.is_file()},
    )
    core = Core(load_settings(config_file=configuration(tmp_path, "Metadata,Bundler,Cfg")))
    try:
        core.load()
        for _ in range(2):
            if way == "tree":
                config = core.build_configuration("a.example.com")
            else:
                config = etree.fromstring(core.renderer.write("a.example.com"))
            text = entry_of(config, "Path", "/etc/managed-files").text
            assert text == "managed: /etc/managed-files\nmanaged: /etc/motd\n"
    finally:
        core.shutdown()
