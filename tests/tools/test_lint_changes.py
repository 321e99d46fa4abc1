"""``geventcore lint --fix`` and ``--changed-since``, and the hook and the job that use them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from geventcore.cli.main import main
from tests.support.lint_cases import LintCase, lint, write_site
from tests.tools.test_lint import tree

CONTRIB = Path(__file__).parents[2] / "contrib"

CLIENTS = """<?xml version="1.0" encoding="utf-8"?>
<!-- Who -->
<Clients   version="3.0">
  <Client name="a.clinic.test"   profile="base" location="floating"/> <!-- a laptop -->

  <Client location='fixed'
          profile="base"
          name="b.clinic.test" address="10.0.0.2" />
</Clients>
"""
FIXED_CLIENTS = """<?xml version="1.0" encoding="utf-8"?>
<!-- Who -->
<Clients   version="3.0">
  <Client name="a.clinic.test"   profile="base" floating="true"/> <!-- a laptop -->

  <Client
          profile="base"
          name="b.clinic.test" address="10.0.0.2" />
</Clients>
"""
BUNDLE = "<!-- x --><Bundle name='ward' >\n  <Path name=\"/etc/ward.conf\"/>\n{}</Bundle>"
INFO = '<FileInfo>\n  <Info owner="root" group="root" perms="0644" />\n</FileInfo>\n'
BOUND = '  <BoundPath name="/a > b" type="directory" owner="a" group="a" {}="755"/>\n'
SOURCE = (
    '<Sources><Source type="yum" url="http://a/" version="1"{}><Component>c</Component><Arch>x</Arch></Source>'
    "</Sources>"
)
FAULTS = LintCase(
    {
        "Metadata/clients.xml": CLIENTS,
        "Bundler/ward.xml": BUNDLE.format(
            '  <BoundPath name="/a > b" type="directory" owner="a" group="a" perms="755"/>\n'
        ),
        "Cfg/etc/ward.conf/info.xml": INFO,
    },
    [],
)


def test_fixes_change_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_site(tmp_path, FAULTS)
    (tmp_path / "repo/Metadata/clients.xml").chmod(0o640)
    before = tree(tmp_path)
    arguments = ["lint", "-C", str(config), "--lint-config", "/dev/null"]
    assert main([*arguments, "--fix", "--diff"]) == 0
    out, err = capsys.readouterr()
    assert tree(tmp_path) == before
    assert '-  <Client name="a.clinic.test"   profile="base" location="floating"/> <!-- a laptop -->\n' in out
    assert '+  <Client name="a.clinic.test"   profile="base" floating="true"/> <!-- a laptop -->\n' in out
    assert "--- a/Bundler/ward.xml\n+++ b/Bundler/ward.xml\n" in out
    assert "3 files would change" in err
    assert main(arguments) == 2
    capsys.readouterr()
    assert main([*arguments, "--fix"]) == 0
    out, err = capsys.readouterr()
    assert (
        "fixed Metadata/clients.xml: location='floating' replaced by floating='true', location='fixed' removed" in err
    )
    assert "fixed Bundler/ward.xml: name='ward' removed, perms='755' replaced by mode='755'" in err
    assert "0 errors, 0 warnings" in out
    repository = tmp_path / "repo"
    assert (repository / "Metadata/clients.xml").read_text() == FIXED_CLIENTS
    assert (repository / "Metadata/clients.xml").stat().st_mode & 0o777 == 0o640
    mended = BUNDLE.format(BOUND.format("mode")).replace("<Bundle name='ward' >", "<Bundle >")
    assert (repository / "Bundler/ward.xml").read_text() == mended
    assert (repository / "Cfg/etc/ward.conf/info.xml").read_text() == INFO.replace("perms", "mode")
    assert main([*arguments, "--fix"]) == 0
    assert "fixed" not in capsys.readouterr().err


def test_silent_findings_are_not_fixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = LintCase({"Bundler/ward.xml": BUNDLE.format("")}, [], config="[errors]\nexplicit-bundle-name = silent\n")
    config = write_site(tmp_path, case)
    assert main(["lint", "-C", str(config), "--lint-config", "/dev/null", "--fix"]) == 0
    assert (tmp_path / "repo/Bundler/ward.xml").read_text() == BUNDLE.format("")


def test_sources_lose_what_has_no_effect(tmp_path: Path) -> None:
    case = LintCase({"Packages/sources.xml": SOURCE.format(' recommended="true"')}, [], "Packages")
    config = write_site(tmp_path, case)
    assert main(["lint", "-C", str(config), "--lint-config", "/dev/null", "--fix"]) in (0, 3)
    assert (tmp_path / "repo/Packages/sources.xml").read_text() == SOURCE.format("")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--diff"], "--diff shows the changes of --fix"),
        (["--stdin", "--changed-since", "HEAD"], "both choose files"),
    ],
)
def test_flags_that_do_not_fit(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", *arguments]) == 2
    assert message in capsys.readouterr().err


# -- git

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *identity, *arguments], cwd=directory, capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A repository in a directory of a working copy, with faults in the first commit; return its configuration."""
    groups = (
        '<Groups xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="more.xml"/>'
        '<Group name="base" profile="true" default="true"><Bundle name="ward"/></Group></Groups>'
    )
    files = {
        "Bundler/old.xml": "<Bundle><Odd/></Bundle>",
        "Metadata/groups.xml": groups,
        "Metadata/more.xml": "<Groups/>",
    }
    config = write_site(tmp_path, LintCase(files, []))
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    assert git(tmp_path, "commit", "-qm", "first").returncode == 0
    return config


@needs_git
def test_only_changed_files_are_reported(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = site.parent / "repo"
    assert lint(site, capsys, monkeypatch).status == 2
    nothing = lint(site, capsys, monkeypatch, "--changed-since", "HEAD")
    assert (nothing.status, nothing.findings) == (0, [])
    (repository / "Bundler/new.xml").write_text("<Bundle>\n<Odd/></Bundle>")
    (repository / "Metadata/more.xml").write_text('<Groups>\n<Group name="x" profil="true"/></Groups>')
    found = lint(site, capsys, monkeypatch, "--changed-since", "HEAD")
    assert found.places() == [
        "xml-failed-to-verify error Bundler/new.xml:2:1",
        "xml-failed-to-verify error Metadata/more.xml:2:17",
    ]
    (repository / "Metadata/more.xml").write_text('<Groups><Group name="x"><Bundle name="gone"/></Group></Groups>')
    (repository / "Bundler/new.xml").write_text("<Bundle/>")
    found = lint(site, capsys, monkeypatch, "--changed-since", "main")
    assert found.counts().keys() == {("bundle-not-found", "error"), ("unused-bundle", "warning")}
    assert {each["file"] for each in found.findings} == {"Metadata/more.xml", "Bundler/new.xml"}


@needs_git
@pytest.mark.parametrize("revision", ["nosuch", "--output=x", "HEAD~9"])
def test_wrong_revisions_are_named(
    revision: str, site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = lint(site, capsys, monkeypatch, f"--changed-since={revision}")
    assert found.status == 1
    assert f"--changed-since: {revision}: there is no such revision" in found.err


def test_a_directory_without_git_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    found = lint(write_site(tmp_path, LintCase({}, [])), capsys, monkeypatch, "--changed-since", "HEAD")
    assert found.status == 1
    assert "--changed-since" in found.err


@needs_git
def test_the_hook_refuses_commits_with_errors(site: Path) -> None:
    copy = site.parent
    shutil.copy(CONTRIB / "git" / "pre-commit", copy / ".git/hooks/pre-commit")
    for key, value in (
        ("config", str(site)),
        ("repository", f"{copy}/repo"),
        ("command", f"{sys.executable} -m geventcore"),
    ):
        git(copy, "config", f"geventcore.{key}", value)
    (copy / "repo/Bundler/new.xml").write_text("<Bundle><Odd/></Bundle>")
    git(copy, "add", "-A")
    refused = git(copy, "commit", "-m", "bad")
    assert refused.returncode != 0
    assert "Bundler/new.xml:1:9: error: Odd does not belong here" in refused.stdout + refused.stderr
    assert "old.xml" not in refused.stdout + refused.stderr
    (copy / "repo/Bundler/new.xml").write_text("<Bundle/>")
    git(copy, "add", "-A")
    # A bundle that nobody uses is a warning.
    assert git(copy, "commit", "-m", "good").returncode == 0


def test_the_job_fails_on_errors_only(tmp_path: Path) -> None:
    config = write_site(tmp_path, LintCase({"Bundler/spare.xml": "<Bundle/>"}, []))
    environment = {**os.environ, "GEVENTCORE": f"{sys.executable} -m geventcore"}
    command = [str(CONTRIB / "ci" / "lint"), str(config), str(tmp_path / "repo")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0
    assert "::warning file=repo/Bundler/spare.xml,title=unused-bundle::" in done.stdout
    (tmp_path / "repo/Bundler/spare.xml").write_text("<Bundle><Odd/></Bundle>")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 2
