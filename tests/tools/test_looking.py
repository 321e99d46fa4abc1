"""Commands that look at a site change nothing: no file, directory or database appears, changes or goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from geventcore.cli.main import COMMANDS, main
from geventcore.tls.authority import Authority
from tests.support.tool_cases import copy_site

PLUGINS = (
    "Metadata,Bundler,Cfg,Rules,Properties,Probes,GroupPatterns,Decisions,TemplateHelper,SSHbase,FileProbes,Ohai,"
    "Reporting,Defaults,Deps,GroupLogic,NagiosGen,SEModules"
)
HOST = "quay1.harbor.test"
#: Arguments for each command that looks at a site, and its status. A database that does not exist is not made.
COMMANDS_THAT_LOOK = {
    "server --check": (["server", "--check"], {0, 1}),
    "config check": (["config", "check"], {0, 1}),
    "info shell": (["info", "shell"], {0}),
    "test": (["test"], {1}),
    "explain of an entry": (["explain", HOST, "Path:/etc/motd"], {0}),
    "reports clients": (["reports", "clients"], {0, 1}),
    "reports show": (["reports", "show", HOST], {1}),
    "migrate check": (["migrate", "check"], {0, 1}),
    "admin client list": (["admin", "client", "list"], {0}),
    "admin viz": (["admin", "viz", "-H", "-b"], {0}),
    "admin minestruct": (["admin", "minestruct", HOST], {1}),
    "admin reportsstats": (["admin", "reportsstats"], {0, 1}),
    "admin reportssqlall": (["admin", "reportssqlall"], {0}),
    "admin pull --dry-run": (["admin", "pull", "-n", HOST, "Path", "/etc/motd"], {1}),
    "lint": (["lint"], {0, 1, 2, 3}),
    "diff": (["diff", "REPO", "REPO"], {0, 1, 2}),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with plugins that keep data of their own; returns its configuration file."""
    config = copy_site(tmp_path)
    lines = [f"plugins = {PLUGINS}" if line.startswith("plugins") else line for line in config.read_text().splitlines()]
    authority = Authority.create("CA")
    issued = authority.issue("localhost", dns_names=["localhost"])
    for name, data in (("crt", issued.certificate_pem), ("key", issued.key_pem)):
        (tmp_path / f"server.{name}").write_bytes(data)
    (tmp_path / "server.key").chmod(0o600)
    config.write_text(
        "\n".join([*lines, "[communication]", "password = x", "key = KEY", "certificate = CRT"])
        .replace("KEY", str(tmp_path / "server.key"))
        .replace("CRT", str(tmp_path / "server.crt"))
        + "\n[metadata]\nuse_database = true\n[probes]\nuse_database = true\n"
    )
    return config


def tree(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(directory)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(directory.rglob("*"))
    }


@pytest.mark.parametrize("name", COMMANDS_THAT_LOOK)
def test_nothing_changes(
    name: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, statuses = COMMANDS_THAT_LOOK[name]
    if words[0] not in COMMANDS:
        pytest.skip(f"there is no command {words[0]} yet")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    lines = iter(["clients", "showclient newer.harbor.test", "update", "quit"])
    monkeypatch.setattr("builtins.input", lambda _prompt: next(lines))
    arguments = [words[0], "-C", str(site), *(word.replace("REPO", str(tmp_path / "repo")) for word in words[1:])]
    before = tree(tmp_path)
    if words[0] == "server":
        # This command makes the standard library of its process cooperative.
        command = [sys.executable, "-m", "geventcore", *arguments]
        status = subprocess.run(command, capture_output=True, timeout=300, check=False).returncode
    else:
        status = main(arguments)
    printed = capsys.readouterr()
    after = tree(tmp_path)
    assert sorted(after) == sorted(before), printed.err
    assert after == before
    assert status in statuses, printed.out + printed.err
