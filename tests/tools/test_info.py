"""``bcfg2-info`` and ``geventcore info``: the output of the original, JSON, and an unchanged repository."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from geventcore.cli.info.group import command
from geventcore.cli.info.shell import completer
from geventcore.cli.main import main
from geventcore.options import load_settings
from geventcore.options.server import COMMON_OPTIONS
from geventcore.options.settings import OptionSet
from geventcore.tools.host_processes import for_hosts
from geventcore.tools.site import open_core
from tests.support.tool_cases import ToolCase, cases_of, check, copy_site, run_program


@pytest.mark.parametrize("case", cases_of("info/cases", "bcfg2-info"), ids=lambda case: case.name)
def test_the_output_is_that_of_the_original(case: ToolCase, tmp_path: Path) -> None:
    config = copy_site(tmp_path, case.entry["config"])
    arguments = [word.replace("@OUT@", str(tmp_path / "out")) for word in case.entry["argv"]]
    check(case, run_program("bcfg2-info", ["-C", str(config), *arguments], tmp_path, case.entry.get("stdin", "")))


def _tree(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and directory: its time of modification, and its content."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(directory.rglob("*"))
    }


#: Arguments of each command that reads the repository.
ARGUMENTS = {
    "automatch": ["auto.xml", "new.harbor.test"],
    "build": ["new.harbor.test"],
    "buildall": ["OUT/all", "quay1.harbor.test", "dock1.harbor.test"],
    "buildallfile": ["OUT/files", "/etc/motd", "quay1.harbor.test"],
    "buildbundle": ["web", "new.harbor.test"],
    "builddir": ["new.harbor.test", "OUT/root"],
    "buildfile": ["/etc/motd", "new.harbor.test"],
    "bundles": [],
    "clients": [],
    "config": [],
    "groups": [],
    "mappings": [],
    "packageresolve": ["new.harbor.test", "bash"],
    "packagesources": ["new.harbor.test"],
    "probes": ["new.harbor.test"],
    "profiletemplates": ["--runs", "1", "/etc/hosts"],
    "query": ["-g", "web"],
    "showclient": ["new.harbor.test"],
    "showentries": ["new.harbor.test"],
}
#: Commands without an output of their own.
OTHERS = {"debug", "help", "profile", "shell"}
PLUGINS = (
    "Metadata,Bundler,Cfg,Rules,Properties,Probes,GroupPatterns,Decisions,TemplateHelper,Packages,SSHbase,FileProbes,"
    "Reporting,Defaults,Deps,GroupLogic"
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with plugins that keep data of their own; returns its configuration file."""
    config = copy_site(tmp_path)
    text = config.read_text().replace(
        next(line for line in config.read_text().splitlines() if line.startswith("plugins")), f"plugins = {PLUGINS}"
    )
    config.write_text(text + "[probes]\nuse_database = true\n[metadata]\nuse_database = true\n")
    bundle = tmp_path / "repo" / "Bundler" / "core.xml"
    key = '<Path name="/etc/ssh/ssh_host_ed25519_key"/><Path name="/etc/key"/><Path name="/etc/key.pub"/></Bundle>'
    bundle.write_text(bundle.read_text().replace("</Bundle>", key))
    for name, instructions in (("key", "privkey.xml"), ("key.pub", "pubkey.xml")):
        directory = tmp_path / "repo" / "Cfg" / "etc" / name
        directory.mkdir()
        root = "PrivateKey" if instructions == "privkey.xml" else "PublicKey"
        parameters = '<Params type="ed25519"/>' if root == "PrivateKey" else ""
        (directory / instructions).write_text(f"<{root}>{parameters}</{root}>")
    return config


def test_every_command_is_tried() -> None:
    assert set(command.commands) == ARGUMENTS.keys() | OTHERS


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_command_changes_nothing_and_prints_json(
    name: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _tree(tmp_path / "repo")
    arguments = [word.replace("OUT", str(tmp_path / "out")) for word in ARGUMENTS[name]]
    status = main(["info", name, "-C", str(site), "--format", "json", *arguments])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    assert json.loads(printed.out) is not None, printed.err
    assert _tree(tmp_path / "repo") == before


def test_new_keys_are_shown_and_not_stored(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _tree(tmp_path / "repo")
    assert main(["info", "build", "-C", str(site), "quay1.harbor.test"]) == 0
    text = capsys.readouterr().out
    assert text.count("PRIVATE KEY-----") == 4
    assert text.count("ssh-ed25519 ") == 1
    assert _tree(tmp_path / "repo") == before


def test_a_misspelt_host_gets_the_nearest_name_and_a_pattern_is_no_host(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = copy_site(tmp_path)
    assert main(["info", "build", "-C", str(config), "quay9.harbor.test"]) == 0
    assert "quay9.harbor.test is not a client (did you mean quay" in capsys.readouterr().err
    assert main(["explain", "-C", str(config), "quay*"]) == 1
    assert "geventcore: error: 'quay*' is not a host name" in capsys.readouterr().err


def test_an_unknown_host_is_added_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = copy_site(tmp_path)
    clients = tmp_path / "repo" / "Metadata" / "clients.xml"
    before = clients.read_text()
    assert main(["info", "showclient", "-C", str(config), "New.harbor.test"]) == 0
    assert "Hostname:   new.harbor.test" in capsys.readouterr().out
    assert clients.read_text() == before
    assert main(["info", "showclient", "-C", str(config), "--create", "new.harbor.test"]) == 0
    assert 'name="new.harbor.test"' in clients.read_text()


def test_failed_entries_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = copy_site(tmp_path)
    assert main(["info", "build", "-C", str(config), "--format", "json", "hulk.harbor.test"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert "Path:/etc/legacy/broken" in {failure["entry"] for failure in answer["failures"]}


def test_several_processes_build_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = copy_site(tmp_path)
    for number in ("1", "3"):
        main(["info", "buildall", "-C", str(config), "--processes", number, str(tmp_path / "out" / number)])
    assert "hulk.harbor.test" in capsys.readouterr().err
    one, three = (
        {path.name: path.read_bytes() for path in (tmp_path / "out" / number).iterdir()} for number in ("1", "3")
    )
    assert one == three
    assert len(one) == 15


def test_hosts_are_shared_among_processes() -> None:
    hosts = [f"host{number}" for number in range(40)]
    found = list(for_hosts(lambda host: (host.upper(), os.getpid()), hosts, processes=2))
    assert [host for host, _ in found] == hosts
    assert [name for _, (name, _) in found] == [host.upper() for host in hosts]
    assert os.getpid() not in {process for _, (_, process) in found}


def test_the_shell_completes_commands_and_hosts(tmp_path: Path) -> None:
    settings = load_settings(options=OptionSet(COMMON_OPTIONS), config_file=copy_site(tmp_path), command_line={})
    with open_core(settings) as core:
        assert completer(core, lambda: "showc")("showc", 0) == "showclient "
        assert completer(core, lambda: "showclient quay")("quay", 1) == "quay2.harbor.test "
        assert completer(core, lambda: "nosuch")("nosuch", 0) is None


def test_the_shell_survives_errors(tmp_path: Path) -> None:
    config = copy_site(tmp_path)
    lines = (
        "frobnicate\nquery\nbuildfile /no quay1.harbor.test\nexpirecache quay*\nupdate\nhelp query\nclients quay1*\n"
    )
    run = run_program("bcfg2-info", ["-C", str(config), "shell"], tmp_path, lines)
    assert run.status == 0
    assert "*** Unknown syntax: frobnicate" in run.out
    assert "pass exactly one of" in run.out
    assert "*** cannot build /no for quay1.harbor.test" in run.out
    assert "quay1.harbor.test  | web" in run.out


def test_debug_runs_a_file_of_statements(tmp_path: Path) -> None:
    config = copy_site(tmp_path)
    statements = tmp_path / "statements.py"
    statements.write_text("print(metadata('quay1.harbor.test').profile, build('quay1.harbor.test').tag)\n")
    run = run_program("bcfg2-info", ["-C", str(config), "debug", "-n", "-f", str(statements)], tmp_path)
    assert (run.status, run.out) == (0, "web Configuration\n")


def test_profile_shows_functions(tmp_path: Path) -> None:
    config = copy_site(tmp_path)
    for arguments in (["-C", str(config), "-p", "clients"], ["-C", str(config), "profile", "clients"]):
        run = run_program("bcfg2-info", arguments, tmp_path)
        assert run.status == 0, run.err
        assert "quay1.harbor.test" in run.out
        assert "cumulative" in run.err
