"""Try a Debian package in a new Debian: ``python -m contrib.distribution.try_deb FILE.deb``, as root, with debootstrap.

The package is installed in a root that debootstrap has made. A server runs there as its user, a Bcfg2 1.3.4 client
makes a run against it, the package is installed again (an upgrade), and a purge has to leave nothing behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from geventcore.testing.site_files import ClientSite, free_port
from tests.peers.client import available_clients

SUITE = "bookworm"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "packaging"
CONFIGURATION = "/srv/site/bcfg2.conf"
SCRIPT = Path(__file__).parent / "first_site.sh"

#: Stands for systemd: it starts the service's command as its user.
SYSTEMCTL = r"""#!/bin/sh
unit=/lib/systemd/system/geventcore.service
command=$(sed -n 's/^ExecStart=//p' $unit)
user=$(sed -n 's/^User=//p' $unit)
install -d -o "$user" -g "$user" /run/geventcore
setsid setpriv --reuid "$user" --regid "$user" --clear-groups $command >/tmp/server.log 2>&1 &
echo $! >/tmp/server.pid
for _ in $(seq 300); do
    ! grep -q 'listens on' /tmp/server.log || exit 0
    sleep 0.1
done
cat /tmp/server.log
exit 1
"""
PID_FILE = "/run/geventcore/server.pid"

#: What the system itself keeps about packages and accounts.
NOT_OURS = ("var/lib/dpkg", "var/cache", "var/log/dpkg.log", "var/log/apt", "var/lib/apt", "srv/site", "tmp", "proc")
NOT_OURS_ETC = (
    *("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid", "etc/.pwd.lock"),
    "run/adduser",
)


class Root:
    """A Debian in a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command there; return what it prints."""
        done = subprocess.run(
            ["chroot", str(self.path), *command],
            env={
                "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND": "noninteractive",
                "LC_ALL": "C.UTF-8",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise SystemExit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def files(self) -> set[str]:
        """All names in it, without what the system keeps about packages."""
        found = set()
        for directory, directories, names in os.walk(self.path):
            relative = os.path.relpath(directory, self.path)
            directories[:] = [name for name in directories if os.path.normpath(f"{relative}/{name}") not in NOT_OURS]
            found |= {os.path.normpath(f"{relative}/{name}") for name in (*directories, *names)}
        return {name for name in found if not name.startswith((*NOT_OURS, *NOT_OURS_ETC)) and "__pycache__" not in name}


def base() -> Path:
    """Return an archive of a new Debian with Python; it is made once."""
    archive = CACHE / f"{SUITE}.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as directory:
            command = ["debootstrap", "--variant=minbase", "--include=python3,adduser", SUITE, directory]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["tar", "-C", directory, "-cf", f"{archive}.new", "."], check=True)
        os.rename(f"{archive}.new", archive)
    return archive


def try_package(package: Path, root: Root) -> None:
    """Install, use, upgrade and purge the package."""
    # What the installer of a real machine writes.
    (root.path / "etc/hosts").write_text("127.0.0.1 localhost\n")
    before, accounts = root.files(), (root.path / "etc/passwd").read_text()
    shutil.copy(package, root.path / "tmp/geventcore.deb")
    root.run("dpkg", "--install", "/tmp/geventcore.deb")
    print("installed:", root.run("geventcore", "version").splitlines()[0])
    assert not (root.path / "etc/bcfg2.conf").exists(), "the configuration belongs to the site"
    for made in ("usr/share/man/man1/geventcore-server.1.gz", "lib/systemd/system/geventcore.service"):
        assert (root.path / made).is_file(), made
    uid = int(root.run("id", "-u", "geventcore"))
    assert (root.path / "var/lib/bcfg2").stat().st_uid == uid
    port = free_port()
    root.run("geventcore", "init", "/srv/site", "--address", f"127.0.0.1:{port}", "--password", "of-the-trial")
    configuration = root.path / CONFIGURATION.lstrip("/")
    text = configuration.read_text()
    configuration.write_text(text.replace("[server]\n", "[server]\nuser = geventcore\ngroup = geventcore\n", 1))
    root.run("chown", "-R", "geventcore:", "/srv/site")
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(root.path / "srv/site/tls/ca.crt", directory)
        url, authority = f"https://127.0.0.1:{port}", Path(directory) / "ca.crt"
        site = ClientSite(Path(directory), url, "of-the-trial", user="trial.example.com", ca=authority)
        serve_one_run(root, uid, site)
        root.run("dpkg", "--install", "/tmp/geventcore.deb")
        print("upgraded")
        serve_one_run(root, uid, site)
    make_first_site(root)
    root.run("dpkg", "--purge", "geventcore")
    left = root.files() - before
    assert not left, f"the purge leaves {sorted(left)}"
    assert (root.path / "etc/passwd").read_text() == accounts, "the purge leaves the user"
    assert (root.path / CONFIGURATION.lstrip("/")).exists(), "the site's own files stay"
    print("purged: nothing is left")


def make_first_site(root: Root) -> None:
    """Carry out the commands of the manual, up to the first client."""
    for name, text in (("usr/bin/systemctl", SYSTEMCTL), ("tmp/first_site.sh", SCRIPT.read_text())):
        (root.path / name).write_text(text)
        (root.path / name).chmod(0o755)
    try:
        root.run("/tmp/first_site.sh", "localhost", str(free_port()))
        print("the commands of the manual lead to the first client")
    finally:
        pid = root.path / "tmp/server.pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
            deadline = time.monotonic() + 60
            while Path(f"/proc/{int(pid.read_text())}").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
        for name in ("usr/bin/systemctl", "etc/bcfg2.conf"):
            (root.path / name).unlink(missing_ok=True)
        shutil.rmtree(root.path / "var/lib/bcfg2/site", ignore_errors=True)


def serve_one_run(root: Root, uid: int, site: ClientSite) -> None:
    """Start the server as its user, let a client make a run, and stop it."""
    root.run(
        *("geventcore", "server", "-C", CONFIGURATION, "-D", PID_FILE, "-o", "/var/log/geventcore/server.log"), "-v"
    )
    pid = int((root.path / PID_FILE.lstrip("/")).read_text())
    try:
        assert os.stat(f"/proc/{pid}").st_uid == uid, "the server runs as another user"
        done = available_clients()[0].run(site, "-n", "-v")
        assert done.returncode == 0, done.stdout + done.stderr
        print("a client made its run; the server runs as user", uid)
    finally:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.1)


def main() -> None:
    """Try the package that the command line names."""
    package = Path(sys.argv[1])
    directory = Path(tempfile.mkdtemp(prefix="geventcore-root-"))
    root = Root(directory)
    try:
        subprocess.run(["tar", "-C", str(directory), "-xf", str(base())], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", str(directory / "proc")], check=True)
        subprocess.run(["mount", "--bind", "/dev", str(directory / "dev")], check=True)
        try_package(package, root)
    finally:
        for mounted in ("dev", "proc"):
            subprocess.run(["umount", str(directory / mounted)], check=False)
        if not any(os.path.ismount(directory / mounted) for mounted in ("dev", "proc")):
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
