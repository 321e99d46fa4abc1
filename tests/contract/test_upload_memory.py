"""The memory of a server follows what it keeps of an upload, not what a client sends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import PATIENCE_SECONDS, LiveServer, LiveSite, process_tree
from geventcore.testing.wire_client import CONNECTION_ERRORS, Client

PLUGINS = ("Metadata", "Bundler", "Cfg", "Rules", "Probes", "Reporting")
ENTRY = (
    '<Path name="/etc/file{}.conf" owner="root" group="root" mode="0644" type="file" current_owner="daemon" '
    'current_group="0" current_mode="0600"/>'
)
#: The limit of entries, and the memory that the largest upload may take besides, in kilobytes.
MAX_ENTRIES, ALLOWED_KILOBYTES = 5000, 80 * 1024


@pytest.fixture
def server(new_site: Callable[..., LiveSite], tmp_path: Path) -> Iterator[LiveServer]:
    options = {
        "reporting": {"max_entries": str(MAX_ENTRIES)},
        "database": {"engine": "sqlite3", "name": str(tmp_path / "reports.sqlite")},
    }
    with new_site(options=options, plugins=PLUGINS).start() as running:
        yield running


def peak_kilobytes(server: LiveServer) -> int:
    """Return the most memory that the processes of a server have had, those of workers without what they share."""
    total = 0
    for process in process_tree(server.pid):
        status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        total += int(status["VmHWM"].split()[0])
    return total


def report(section: str, entries: str) -> str:
    return (
        '<upload-statistics><Statistics version="2.0" state="dirty" total="1" good="0" revision="1">'
        f"<{section}>{entries}</{section}></Statistics></upload-statistics>"
    )


@pytest.mark.parametrize("section", ["Bad", "Good"])
def test_large_reports_are_stored_in_bounded_memory(server: LiveServer, section: str) -> None:
    text = report(section, "".join(map(ENTRY.format, range(100_000))))
    client = server.site.client("plain")
    assert client.call("RecvStats", report("Bad", ENTRY.format(0))) is True
    before = peak_kilobytes(server)
    assert client.call("RecvStats", text) is True
    assert peak_kilobytes(server) - before < ALLOWED_KILOBYTES
    extra = client.call("Reporting.GetExtra", "plain")
    assert extra == []
    if section == "Bad":
        assert [line for line in server.grave() if f"{100_000 - MAX_ENTRIES} entries are left out" in line.message]
        # The mark stands for the entries that are not stored.
        assert client.call("Reporting.GetCurrentEntry", "plain", "Report", "shortened")


def test_many_reports_at_once(server: LiveServer) -> None:
    text = report("Bad", "".join(map(ENTRY.format, range(10_000))))
    assert server.site.client("plain").call("RecvStats", report("Bad", ENTRY.format(0))) is True
    before = peak_kilobytes(server)
    with ThreadPoolExecutor(20) as executor:
        calls = [executor.submit(server.site.client(name).call, "RecvStats", text) for name in HOSTS[:20]]
        assert [call.result() for call in calls] == [True] * len(calls)
    # The budget, and one that may exceed it, in each of two processes.
    assert peak_kilobytes(server) - before < 5 * ALLOWED_KILOBYTES


#: Uploads that begin together, the length of each, and the memory for all of them in a process.
UPLOADS, CHARACTERS, BUDGET = 16, 4_000_000, "8m"
HELD_SECONDS = 3.0
TAIL_BYTES = 100


class HeldUpload:
    """An upload that sends its end only when it is told to."""

    def __init__(self, client: Client, request: bytes, finish: threading.Event) -> None:
        self._client = client
        self._request = request
        self._finish = finish
        self.is_sending = True

    def run(self) -> bool:
        """Return true if it was stored, false if the server has cut off the connection."""
        view = memoryview(self._request)
        try:
            with self._client.connect() as connection:
                for start in range(0, len(view) - TAIL_BYTES, 50_000):
                    end = min(start + 50_000, len(view) - TAIL_BYTES)
                    connection.sock.sendall(view[start:end])
                self.is_sending = False
                assert self._finish.wait(PATIENCE_SECONDS)
                connection.sock.sendall(view[-TAIL_BYTES:])
                return connection.read_reply().value is True
        except CONNECTION_ERRORS:
            return False


def wait_until_held(uploads: list[HeldUpload]) -> None:
    """Return when all is sent but the ends, or the server has had time to read it and holds the rest back."""
    deadline = time.monotonic() + HELD_SECONDS
    while time.monotonic() < deadline and any(upload.is_sending for upload in uploads):
        time.sleep(0.05)


def test_clients_that_stop_before_the_end_hold_a_bounded_part(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(options={name: {"upload_memory": BUDGET} for name in ("server", "gevent")}, plugins=PLUGINS)
    text = "line of a result\n" * (CHARACTERS // 17)
    document = f'<probe-data><probe-data source="Probes" name="kernel">{text}</probe-data></probe-data>'
    finish = threading.Event()
    uploads = []
    with site.start() as server, ThreadPoolExecutor(UPLOADS) as executor:
        assert site.client("plain").call("RecvProbeData", document.replace(text, "x")) is True
        before = peak_kilobytes(server)
        for number, name in enumerate(HOSTS[:UPLOADS]):
            client = site.client(name, source=f"127.0.9.{number + 1}")
            uploads.append(HeldUpload(client, client.request("RecvProbeData", document), finish))
        try:
            answers = [executor.submit(upload.run) for upload in uploads]
            wait_until_held(uploads)
            # In both of two processes. All of them are twice as much, without what they become.
            assert peak_kilobytes(server) - before < 40 * 1024
        finally:
            finish.set()
        stored = [answer.result() for answer in answers]
        # A client tries again.
        again = [executor.submit(upload.run) for upload, done in zip(uploads, stored, strict=True) if not done]
        assert all(answer.result() for answer in again)
        assert len([line for line in server.grave() if "others waited" in line.message]) >= len(again)
