"""``geventcore migrate check``: a real process goes through a site, names what differs, and changes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.plugin_context import METADATA, write_files

ROOT = Path(__file__).parents[2]

SITE = {
    **METADATA,
    "Bundler/b.xml": (
        '<Bundle xmlns:py="http://genshi.edgewall.org/">\n'
        '<Path py:if="metadata.Properties.has_key(1)" name="/a"/></Bundle>'
    ),
    "Bundler/broken.xml": "<Bundle>",
    "Cfg/a/a.genshi": "{% python\nimport random\nrandom.seed(metadata.hostname)\n%}x\n",
    "Cfg/a/:info": "owner: root\nmod: 0600\n",
    "Cfg/b/b.jinja2": "{% for k, v in d.iteritems() %}{% endfor %}",
    "Cfg/c/c": "x",
    "Cfg/c/README": "x",
    "TemplateHelper/old.py": "__export__ = []\nprint 'x'\n",
    "TemplateHelper/conf.py": "import configparser\n__export__ = []\n",
    ".git/HEAD": "ref: refs/heads/main\n",
}
PLUGIN = "import Bcfg2.Server.Plugin\n\n\nclass Racks(Bcfg2.Server.Plugin.Plugin):\n    x = unicode('a')\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with something of each kind."""
    write_files(tmp_path / "repository", SITE)
    write_files(
        tmp_path / "lib", {"Racks.py": PLUGIN, "Fine.py": PLUGIN.replace("Racks", "Fine").replace("unicode", "str")}
    )
    (tmp_path / "bcfg2.conf").write_text(
        f"[server]\nrepository = {tmp_path}/repository\n"
        "plugins = Metadata,Bundler,Cfg,TemplateHelper,Hostbase,SGenshi,NoSuch,Racks,Fine\n"
        "[mdata]\nowner = root ; the owner\n[reporting]\nweb_prefix = /bcfg2\n[server2]\nx = 1\n"
    )
    return tmp_path


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{site}/lib:{ROOT}"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "geventcore", "migrate", "check", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def tree(site: Path) -> dict[str, Any]:
    """Everything in the site's directory, with contents and times."""
    return {
        str(path.relative_to(site)): (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in sorted(site.rglob("*"))
    }


def test_all_kinds_are_found_and_nothing_changes(site: Path) -> None:
    before = tree(site)
    done = run(site, str(site / "bcfg2.conf"), "--format", "json")
    assert done.returncode == 1, done.stderr
    assert tree(site) == before
    report = json.loads(done.stdout)
    assert report["repository"] == f"{site}/repository"
    lines = [" ".join(each[key] for key in ("kind", "severity", "where", "text")) for each in report["differences"]]
    repository = re.escape(f"{site}/repository")
    for expected in (
        r"plugins warning Hostbase does nothing",
        r"plugins note SGenshi is deprecated",
        r"plugins error .*unknown plugin 'NoSuch'",
        r"plugins error .*Racks.*unicode",
        r"options warning .*server2",
        r"options note \[reporting\] web_prefix",
        rf"python2 error {repository}/Bundler/b\.xml:2 \.has_key\(\)",
        rf"python2 error {repository}/Cfg/b/b\.jinja2:1 \.iteritems\(\)",
        rf"python2 error {repository}/TemplateHelper/old\.py:2 print",
        rf"python2 error {re.escape(str(site))}/lib/Racks\.py:5 unicode",
        rf"files error .*{repository}/Bundler/broken\.xml",
        rf"files error .*{repository}/Cfg/a/:info: line 2",
        rf"files error .*{repository}/Cfg/c/README",
        rf"results warning {repository}/Cfg/a/a\.genshi:3 random\.seed",
        rf"results warning {repository}/TemplateHelper/conf\.py:1 configparser",
        r"results warning .*bcfg2\.conf:5 \[mdata\] owner: the text after ;",
    ):
        assert [line for line in lines if re.match(expected, line)], (expected, "\n".join(lines))
    assert not [line for line in lines if "geventcore-migrate" in line or "Fine" in line]
    assert sum(report["counts"].values()) == len(report["differences"])


def test_the_text_and_the_page_have_the_same(site: Path) -> None:
    text = run(site, "-C", str(site / "bcfg2.conf")).stdout
    page = site / "page.html"
    assert run(site, str(site / "bcfg2.conf"), "--format", "html", "--output", str(page)).returncode == 1
    html = page.read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert "src=" not in html
    for part in ("Hostbase", "README", "random.seed", "web_prefix", "Python 2 code"):
        assert part in text
        assert part in html
    assert re.search(r"^\d+ errors, \d+ warnings, \d+ notes$", text, re.MULTILINE)


@pytest.mark.parametrize("files", [{}, {"Cfg/c/c": "x", "Bundler/b.xml": '<Bundle><Path name="/c"/></Bundle>'}])
def test_a_site_without_differences(tmp_path: Path, files: dict[str, str]) -> None:
    write_files(tmp_path / "repository", {**METADATA, "Cfg/.keep~": "", "Bundler/.keep~": "", **files})
    conf = tmp_path / "bcfg2.conf"
    conf.write_text(f"[server]\nrepository = {tmp_path}/repository\nplugins = Metadata,Bundler,Cfg\n")
    done = run(tmp_path, str(conf))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "0 errors, 0 warnings, 0 notes"), done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.conf"], "does not exist"),
        (["bcfg2.conf", "--output", "none/page"], "cannot be written"),
    ],
)
def test_what_cannot_be_checked(site: Path, arguments: Sequence[str], message: str) -> None:
    done = run(site, *(str(site / word) if not word.startswith("-") else word for word in arguments))
    assert done.returncode == 1
    assert message in done.stderr
