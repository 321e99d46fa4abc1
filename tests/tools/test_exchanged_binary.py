"""An installed unit and an init script of Bcfg2 run this program, with nothing exchanged but the binary."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from geventcore.cli.main import main
from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveSite, is_alive, wait_until
from tests.support.tool_cases import PROJECT_EXAMPLES

pytestmark = pytest.mark.live

EXAMPLES = PROJECT_EXAMPLES / "aliases"


class Machine:
    """A machine below a directory: /usr/sbin, /run and /etc of the examples are directories of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("usr/sbin", "run/bcfg2-server", "etc/default"):
            (directory / name).mkdir(parents=True)
        assert main(["install-aliases", "--directory", str(directory / "usr/sbin")]) == 0
        self.site = LiveSite(directory / "site", "multiprocessing")
        self.site.server_site.write()
        (directory / "etc/bcfg2.conf").symlink_to(self.site.configuration)
        self.defaults = self.place("bcfg2-server.default", "etc/default/bcfg2-server")
        self.pid_file = directory / "run/bcfg2-server/bcfg2-server.pid"

    def place(self, example: str, target: str) -> Path:
        """Copy an example file; its paths are those of this machine."""
        text = (EXAMPLES / example).read_text().replace("-x secret", f"-x {GLOBAL_PASSWORD}")
        for name in ("/usr/sbin", "/run", "/etc"):
            text = text.replace(f"{name}/", f"{self.directory}{name}/")
        path = self.directory / target
        path.write_text(text)
        return path

    def environment(self) -> dict[str, str]:
        """The environment of a service."""
        return {**LiveSite.environ(), "PATH": os.environ["PATH"]}

    def check_served(self) -> int:
        """The process in the pid file answers a client; returns its number."""
        pid = int(self.pid_file.read_text())
        assert is_alive(pid)
        assert "<probes" in self.site.client("plain").call("GetProbes")
        return pid


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_unit_of_type_forking(machine: Machine) -> None:
    """What systemd does with the unit: it expands variables, waits for the command to end, and reads the pid file."""
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(machine.place("bcfg2-server.service", "etc/bcfg2-server.service"))
    service = unit["Service"]
    assert service["Type"] == "forking"
    variables = dict(
        line.partition("=")[::2] for line in Path(service["EnvironmentFile"].lstrip("-")).read_text().splitlines()
    )
    options = shlex.split(shlex.split(variables["BCFG2_SERVER_OPTIONS"])[0])
    command = [
        part
        for word in service["ExecStart"].split()
        for part in (options if word == "$BCFG2_SERVER_OPTIONS" else [word])
    ]
    started = subprocess.run(command, env=machine.environment(), capture_output=True, timeout=120, check=False)
    assert started.returncode == 0, started.stderr
    assert Path(service["PIDFile"]) == machine.pid_file
    pid = machine.check_served()
    os.kill(pid, 15)
    wait_until(lambda: not is_alive(pid), "the end of the daemon")
    assert not machine.pid_file.exists()


@pytest.mark.skipif(shutil.which("start-stop-daemon") is None, reason="start-stop-daemon is a program of Debian")
def test_an_init_script(machine: Machine) -> None:
    script = machine.place("bcfg2-server.init", "etc/bcfg2-server")

    def run(action: str) -> int:
        return subprocess.run(
            ["sh", str(script), action], env=machine.environment(), capture_output=True, timeout=120, check=False
        ).returncode

    assert run("status") != 0
    assert run("start") == 0
    pid = machine.check_served()
    assert run("status") == 0
    assert run("start") == 0
    assert run("stop") == 0
    assert not is_alive(pid)
    assert run("status") != 0
