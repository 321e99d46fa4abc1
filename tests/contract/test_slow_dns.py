"""A name server that does not answer delays only those who need a name."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import LiveSite

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="another resolv.conf for one process needs root, and unshare of util-linux",
)

#: An address that no other test uses, in no other process of tests.
NAME_SERVER = f"127.7.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}"
PLUGINS = ("Metadata", "Bundler", "Cfg", "Rules", "Probes", "SSHbase", "Reporting")
#: More than the threads of a core.
HOSTS_WITH_KEYS = HOSTS[:40]
_START = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


@pytest.fixture
def silent_name_server() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((NAME_SERVER, 53))
        yield NAME_SERVER


def test_calls_do_not_wait_for_names(
    new_site: Callable[..., LiveSite], tmp_path: Path, silent_name_server: str
) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text(f"nameserver {silent_name_server}\noptions timeout:15 attempts:4\n")
    site = new_site(plugins=PLUGINS)
    keys = site.repository / "SSHbase"
    keys.mkdir()
    for host in HOSTS_WITH_KEYS:
        (keys / f"ssh_host_rsa_key.pub.H_{host}").write_text("ssh-rsa AAAAB3NzaC1yc2E root\n")
    with site.launch(starter=["unshare", "-m", "sh", "-c", _START, str(resolver)]) as server:
        server.wait_for_log("listens on")
        client = site.client("plain")

        def run() -> str:
            assert client.call("ping", 1) == [1]
            assert client.call("RecvProbeData", '<p><d source="Probes" name="kernel">x</d></p>') is True
            return str(client.call("GetConfig"))

        with ThreadPoolExecutor(1) as executor:
            # The first lookup ends after a minute.
            assert "/etc/motd" in executor.submit(run).result(30)
