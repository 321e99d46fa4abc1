"""Carry out the steps of the Containerfile without an engine: ``python -m contrib.distribution.try_container``.

Needs root, debootstrap and the network. A new Debian stands for the base image. The steps RUN and COPY are carried out
there, then the entry point runs as the user of the image, and the health check has to succeed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contrib.distribution.try_deb import Root, base
from geventcore.testing.site_files import free_port

PROJECT = Path(__file__).resolve().parents[2]
CONTAINERFILE = PROJECT / "contrib/distribution/container/Containerfile"
SITE = "/srv/site"


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Containerfile: name and argument."""
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [(name, argument) for name, _, argument in (line.partition(" ") for line in joined.splitlines() if line)]


@contextmanager
def new_root() -> Iterator[Root]:
    """Yield a Debian with what the base image has."""
    directory = Path(tempfile.mkdtemp(prefix="geventcore-image-"))
    root = Root(directory)
    try:
        subprocess.run(["tar", "-C", str(directory), "-xf", str(base())], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", str(directory / "proc")], check=True)
        subprocess.run(["mount", "--bind", "/dev", str(directory / "dev")], check=True)
        shutil.copy("/etc/resolv.conf", directory / "etc/resolv.conf")
        authorities = Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists():
            # This machine may reach the network through a proxy with an authority of its own.
            (directory / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
            shutil.copy(authorities, directory / "etc/ssl/certs")
            (directory / "etc/pip.conf").write_text(f"[global]\ncert = {authorities}\n")
        yield root
    finally:
        for mounted in ("dev", "proc"):
            subprocess.run(["umount", str(directory / mounted)], check=False)
        if not any(os.path.ismount(directory / mounted) for mounted in ("dev", "proc")):
            shutil.rmtree(directory)


def build(root: Root, steps: list[tuple[str, str]]) -> dict[str, str]:
    """Carry out the steps; return the last argument of each instruction."""
    last: dict[str, str] = {}
    for name, argument in steps:
        last[name] = argument
        if name == "RUN":
            root.run("sh", "-ec", argument)
        elif name == "COPY" and not argument.startswith("--from"):
            subprocess.run(
                ["git", "-C", str(PROJECT), "checkout-index", "-a", f"--prefix={root.path}/src/"], check=True
            )
    return last


def serve(root: Root, image: dict[str, str]) -> None:
    """Run the server as the image says, and its health check."""
    port = free_port()
    root.run("geventcore", "init", SITE, "--address", f"127.0.0.1:{port}")
    shutil.copy(root.path / f"{SITE[1:]}/bcfg2.conf", root.path / "etc/bcfg2.conf")
    user = image["USER"]
    root.run("chown", "-R", user, SITE, "/etc/bcfg2.conf")
    variables = dict(item.split("=", 1) for item in image["ENV"].split())
    environment = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/bin", **variables}
    command = [*json.loads(image["ENTRYPOINT"]), *json.loads(image["CMD"])]
    inside = ["chroot", f"--userspec={user}", str(root.path)]
    server = subprocess.Popen([*inside, *command], env=environment)
    try:
        health = json.loads(image["HEALTHCHECK"].partition("CMD ")[2])
        deadline = time.monotonic() + 60
        while subprocess.run([*inside, *health], env=environment, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline or server.poll() is not None:
                raise SystemExit("the health check never succeeds")
            time.sleep(0.5)
        assert os.stat(f"/proc/{server.pid}").st_uid == int(user), "the server runs as another user"
        print(f"healthy as user {user}: {shlex.join(command)}")
    finally:
        server.terminate()
        assert server.wait(60) == 0, "the server does not end in order"


def main() -> None:
    """Build and serve."""
    steps = instructions(CONTAINERFILE.read_text())
    with new_root() as root:
        root.run("apt-get", "-qq", "update")
        root.run("apt-get", "-qq", "install", "--no-install-recommends", "python3-venv")
        (root.path / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        image = build(root, steps)
        size = subprocess.run(
            ["du", "-sm", str(root.path / "opt/geventcore")], capture_output=True, text=True, check=True
        ).stdout.split()[0]
        print(f"built: {size} MB besides the base image")
        serve(root, image)


if __name__ == "__main__":
    sys.exit(main())
