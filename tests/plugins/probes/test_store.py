"""Probes: ``probed.xml`` and how it survives crashes, crowds, editors and mistakes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.options.server import FILEMONITOR
from geventcore.plugins.probes import store as store_module
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.plugins.probes.store import ClientProbes, XMLProbeStore, load_records
from tests.support.cfg_site import PATIENCE, until
from tests.support.plugin_context import METADATA, small_server, write_files


@contextmanager
def open_store(root: Path, **options: Any) -> Iterator[tuple[XMLProbeStore, list[str]]]:
    """A store in a repository, and the list of the clients whose change it has told."""
    write_files(root, METADATA)
    (root / "Probes").mkdir(exist_ok=True)
    with small_server(root, ["Metadata"]) as server:
        changed: list[str] = []
        yield XMLProbeStore(root / "Probes/probed.xml", server.context, changed.append), changed


def probes(*groups: str, **data: str) -> ClientProbes:
    return ClientProbes(groups, {name: ProbeData(value) for name, value in data.items()})


def on_disk(root: Path) -> dict[str, ClientProbes]:
    """What another server would read."""
    return {name: record.probes for name, record in load_records(root / "Probes/probed.xml").items()}


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """A list that gets an item for each call of a function of the store's module, which is still made."""
    calls: list[object] = []
    function: Callable[..., Any] = getattr(store_module, name)

    def counted(*args: Any) -> Any:
        calls.append(args)
        return function(*args)

    monkeypatch.setattr(store_module, name, counted)
    return calls


def test_the_file_has_bcfg2s_format(tmp_path: Path) -> None:
    with open_store(tmp_path) as (store, _):
        store.replace("b", probes("z", "a", os="linux", arch='x "86" <&>\n\t2\r'))
        store.replace("a", probes())
    root = etree.parse(tmp_path / "Probes/probed.xml").getroot()
    assert root.tag == "Probed"
    assert [client.get("name") for client in root] == ["a", "b"]
    client = root[1]
    assert abs(int(client.get("timestamp", "0")) - time.time()) < 600
    assert [(child.tag, child.get("name"), child.get("value")) for child in client] == [
        ("Probe", "arch", 'x "86" <&>\n\t2\r'),
        ("Probe", "os", "linux"),
        ("Group", "z", None),
        ("Group", "a", None),
    ]


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    given = probes("g1", "g0", a="\r\n\t ", b="", c="Füße ☃ 𝄞", d=" x ")
    with open_store(tmp_path) as (store, changed):
        store.replace("h", given)
        assert changed == ["h"]
    with open_store(tmp_path) as (store, _):
        assert store.get("h") == given
        assert store.get("other") == ClientProbes((), {})


def test_a_file_of_another_server_is_read(tmp_path: Path) -> None:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><!-- c --><Probed><!-- c --><Client name="h" timestamp="1.5">'
        '<Probe value="v" name="p"/><!-- c --><Group name="g"/><Other/></Client><Client name="i"/></Probed>'
    )
    write_files(tmp_path, {"Probes/probed.xml": text})
    with open_store(tmp_path) as (store, _):
        assert store.get("h") == probes("g", p="v")
        store.replace("i", probes(p="new"))
    assert on_disk(tmp_path) == {"h": probes("g", p="v"), "i": probes(p="new")}
    assert etree.parse(tmp_path / "Probes/probed.xml").find("Client[@name='h']").get("timestamp") == "1.5"  # type: ignore[union-attr]


def test_control_characters_become_replacement_characters(tmp_path: Path) -> None:
    with open_store(tmp_path) as (store, _):
        store.replace("h", probes("g\x00", p="a\x01b\ud800"))
        assert store.get("h") == probes("g�", p="a�b�")
    assert on_disk(tmp_path) == {"h": probes("g�", p="a�b�")}


def test_results_longer_than_what_libxml2_takes_by_default(tmp_path: Path) -> None:
    big = "x" * 11_000_000
    write_files(
        tmp_path, {"Probes/probed.xml": f'<Probed><Client name="h"><Probe name="p" value="{big}"/></Client></Probed>'}
    )
    with open_store(tmp_path) as (store, _):
        assert store.get("h") == probes(p=big)
        store.replace("i", probes(p="v"))
    assert on_disk(tmp_path)["h"].data["p"] == big


LONG = "Füße ☃ 𝄞\r\n" * 20_000


def long_files(root: Path) -> list[Path]:
    return sorted((root / "Probes/.long-results").glob("*"))


def test_long_results_are_kept_in_files_of_their_own(tmp_path: Path) -> None:
    with open_store(tmp_path) as (store, changed):
        store.replace("h", probes("g", p=LONG, q="short"))
        store.replace("h", probes("g", p=LONG, q="short"))
        store.replace("i", probes(p=LONG + "x"))
        assert changed == ["h", "i"]
        # Neither the memory nor the file that is written for each upload has them.
        assert store.get("h").data == {"q": "short"}
        assert (tmp_path / "Probes/probed.xml").stat().st_size < 2000
        assert [path.stat().st_mode & 0o777 for path in long_files(tmp_path)] == [0o600] * 2
    with open_store(tmp_path) as (store, _):
        results = store.results(store.get("h"))
        assert dict(results) == {"p": LONG, "q": "short"}
        assert (len(results), list(results), "p" in results, "x" in results) == (2, ["q", "p"], True, False)
        assert isinstance(results["p"], ProbeData)
        with pytest.raises(KeyError):
            results["x"]


def test_files_of_long_results_are_removed_when_they_are_old_and_unused(tmp_path: Path) -> None:
    with open_store(tmp_path) as (store, _):
        store.replace("h", probes(p=LONG))
        store.replace("i", probes(p=LONG))
        (used,) = [path for path in long_files(tmp_path) if path.name == store.get("i").long["p"].name]
        store.replace("h", probes(p=LONG + "x"))
    young = [path for path in long_files(tmp_path) if path.name == store.get("h").long["p"].name]
    assert len(long_files(tmp_path)) == 3
    for path in long_files(tmp_path):
        if path not in young:
            os.utime(path, (0, 0))
    with open_store(tmp_path) as (store, _):
        store.replace("j", probes())
        assert long_files(tmp_path) == sorted([used, *young])
        assert dict(store.results(store.get("i"))) == {"p": LONG}


def test_a_long_result_that_is_lost_is_named_and_replaced_by_the_next_upload(tmp_path: Path) -> None:
    with open_store(tmp_path) as (store, _):
        store.replace("h", probes(p=LONG, q="short"))
        for path in long_files(tmp_path):
            path.unlink()
        results = store.results(store.get("h"))
        assert results["q"] == "short"
        with pytest.raises(PluginExecutionError, match="cannot be read: No such file"):
            results["p"]
        store.replace("h", probes(p=LONG, q="short"))
        assert results["p"] == LONG


def test_a_reference_that_is_no_name_of_a_result_is_none(tmp_path: Path) -> None:
    client = '<Client name="h"><Probe name="p" value="v" stored="../../../../etc/passwd"/></Client>'
    write_files(tmp_path, {"Probes/probed.xml": f"<Probed>{client}</Probed>"})
    with open_store(tmp_path) as (store, _):
        assert store.get("h") == probes(p="v")


def test_a_long_result_that_cannot_be_stored_is_told(tmp_path: Path) -> None:
    with open_store(tmp_path) as (store, _):
        store.replace("h", probes(p="before"))
        (tmp_path / "Probes/.long-results").write_text("no directory")
        with pytest.raises(PluginExecutionError, match="probe data cannot be stored"):
            store.replace("h", probes(p=LONG))
        assert store.get("h") == probes(p="before")


def test_an_unchanged_upload_is_stored_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(tmp_path) as (store, changed):
        writes = count_calls(monkeypatch, "_write_records")
        store.replace("h", probes("g", p="v"))
        store.replace("h", probes("g", p="v"))
        assert (len(writes), changed) == (1, ["h"])
        (tmp_path / "Probes/probed.xml").unlink()
        store.replace("h", probes("g", p="v"))
        assert len(writes) == 2
    assert on_disk(tmp_path) == {"h": probes("g", p="v")}


def test_only_the_client_that_changed_is_serialised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(tmp_path) as (store, _):
        for number in range(50):
            store.replace(f"h{number}", probes(p="v"))
        records = count_calls(monkeypatch, "_Record")
        store.replace("h7", probes(p="w"))
        assert len(records) == 1


# -- broken files


@pytest.mark.parametrize("text", ["<Probed><Client name='h'", "", "\0", "<Other/>", "<Probed/>\n<Probed/>"])
def test_a_broken_file_is_kept_aside_before_the_first_write(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(tmp_path, {"Probes/probed.xml": text, "Probes/probed.xml.broken-1": "older"})
    with open_store(tmp_path) as (store, _):
        assert (tmp_path / "Probes/probed.xml").read_text() == text
        store.replace("h", probes(p="v"))
        store.replace("h", probes(p="w"))
    assert (tmp_path / "Probes/probed.xml.broken-2").read_text() == text
    assert not (tmp_path / "Probes/probed.xml.broken-3").exists()
    assert on_disk(tmp_path) == {"h": probes(p="w")}
    assert "probed.xml" in caplog.text


def test_a_broken_file_that_is_mended_before_the_first_write_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "Probes/probed.xml"
    write_files(tmp_path, {"Probes/probed.xml": "<Probed>"})
    with open_store(tmp_path) as (store, _):
        path.write_text('<Probed><Client name="h"><Group name="g"/></Client></Probed>')
        store.replace("i", probes(p="v"))
    assert on_disk(tmp_path) == {"h": probes("g"), "i": probes(p="v")}


def test_parts_without_a_name_are_reported_and_the_rest_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = '<Probed>\n<Client/>\n<Client name="h">\n<Probe value="x"/><Group/><Group name="g"/></Client></Probed>'
    write_files(tmp_path, {"Probes/probed.xml": text})
    with open_store(tmp_path) as (store, _):
        assert store.get("h") == probes("g")
    for part in ("line 2: ignoring a Client", "line 4: ignoring a Probe", "line 4: ignoring a Group"):
        assert part in caplog.text


def test_a_write_that_fails_is_told_and_made_up_for_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with open_store(tmp_path) as (store, _):
        store.replace("h", probes(p="1"))
        with monkeypatch.context() as patch:
            patch.setattr(store_module, "write_durably", full_disk)
            with pytest.raises(PluginExecutionError, match=r"probed\.xml: .*No space left"):
                store.replace("h", probes(p="2"))
            with pytest.raises(PluginExecutionError, match="No space left"):
                store.replace("h", probes(p="2"))
        assert on_disk(tmp_path) == {"h": probes(p="1")}
        store.replace("i", probes(p="3"))
    assert on_disk(tmp_path) == {"h": probes(p="2"), "i": probes(p="3")}


# -- other writers


def test_an_edited_file_is_read_and_our_own_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, METADATA)
    path = tmp_path / "Probes/probed.xml"
    with small_server(tmp_path, ["Metadata", "Probes"], {FILEMONITOR: "inotify"}) as server:
        store: Any = server.plugin("Probes")._store  # type: ignore[attr-defined]
        loads = count_calls(monkeypatch, "load_records")
        store.replace("h", probes(p="1"))
        path.with_name("edited").write_text('<Probed><Client name="i"><Group name="g"/></Client></Probed>')
        os.replace(path.with_name("edited"), path)
        until(server, lambda: store.get("i") == probes("g"))
        assert store.get("h") == probes()
        assert len(loads) == 1


def test_only_clients_that_an_edited_file_changes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "Probes/probed.xml"
    with open_store(tmp_path) as (store, changed):
        for name in ("same", "new", "gone"):
            store.replace(name, probes(p=name))
        changed.clear()
        text = path.read_text().replace('value="new"', 'value="other"')
        root = etree.fromstring(text)
        root.remove(root.find("Client[@name='gone']"))  # type: ignore[arg-type]
        path.write_bytes(etree.tostring(root))
        store.replace("more", probes())
        assert sorted(changed) == ["gone", "more", "new"]
    assert on_disk(tmp_path) == {"same": probes(p="same"), "new": probes(p="other"), "more": probes()}


def test_a_file_that_is_broken_while_the_server_runs_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "Probes/probed.xml"
    with open_store(tmp_path) as (store, _):
        store.replace("h", probes(p="1"))
        path.write_text("<Probed")
        store.replace("i", probes(p="2"))
    assert on_disk(tmp_path) == {"h": probes(p="1"), "i": probes(p="2")}
    assert path.with_name("probed.xml.broken-1").read_text() == "<Probed"


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    write_files(tmp_path, {"var/probed.xml": "<Probed/>", "Probes/x": ""})
    (tmp_path / "Probes/probed.xml").symlink_to(tmp_path / "var/probed.xml")
    with open_store(tmp_path) as (store, _):
        store.replace("h", probes(p="1"))
    assert (tmp_path / "Probes/probed.xml").is_symlink()
    assert on_disk(tmp_path) == {"h": probes(p="1")}


# -- crowds


def test_a_thousand_uploads_at_once_share_writes_and_all_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path) as (store, _):
        writes = count_calls(monkeypatch, "_write_records")
        together = threading.Barrier(200)
        missing: list[str] = []

        def run(number: int) -> None:
            together.wait(PATIENCE)
            for turn in range(5):
                store.replace(f"h{number}", probes(p=str(turn)))
                if turn == 4 and on_disk(tmp_path).get(f"h{number}") != probes(p="4"):
                    missing.append(f"h{number}")

        run_threads([threading.Thread(target=run, args=(number,)) for number in range(200)])
        assert not missing
        assert len(writes) < 500


def test_of_two_uploads_of_one_client_one_wins_as_a_whole(tmp_path: Path) -> None:
    with open_store(tmp_path) as (store, _):
        versions = {str(number): probes(str(number), a=str(number), b=str(number)) for number in range(8)}

        def run(version: ClientProbes) -> None:
            for _ in range(20):
                store.replace("h", version)
                found = store.get("h")
                assert found == versions[found.groups[0]]

        run_threads([threading.Thread(target=run, args=(version,)) for version in versions.values()])
        assert on_disk(tmp_path)["h"] == store.get("h")
        assert store.get("h") in versions.values()


def run_threads(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


UPLOADER = """
import sys
from pathlib import Path
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.plugins.probes.store import ClientProbes
from tests.plugins.probes.test_store import open_store
import threading

with open_store(Path(sys.argv[1])) as (store, _):
    def run(name):
        turn = 0
        while True:
            turn += 1
            store.replace(name, ClientProbes((f"g{turn}",), {"p": ProbeData(f"{turn}" * 50)}))
            # One write of a short line to a pipe is not torn apart.
            sys.stdout.write(f"{name} {turn}\\n")
            sys.stdout.flush()
    for name in sys.argv[2:]:
        threading.Thread(target=run, args=(name,), daemon=True).start()
    threading.Event().wait()
"""


def start_uploader(root: Path, *names: str) -> subprocess.Popen[str]:
    """A process of its own that uploads for some clients and prints what was acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", UPLOADER, str(root), *names],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def acknowledged(lines: list[str]) -> dict[str, int]:
    """Client -> the last turn that was acknowledged; a last line that is cut short does not count."""
    turns: dict[str, int] = {}
    for line in lines:
        if line.endswith("\n"):
            name, turn = line.split()
            turns[name] = max(int(turn), turns.get(name, 0))
    return turns


def check_stored(root: Path, turns: dict[str, int]) -> None:
    stored = on_disk(root)
    for name, turn in turns.items():
        found = int(stored[name].groups[0].removeprefix("g"))
        assert found >= turn, f"{name}: {turn} was acknowledged, {found} is stored"
        assert stored[name].data["p"] == f"{found}" * 50


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    for attempt in range(4):
        process = start_uploader(tmp_path, *(f"h{number}" for number in range(6)))
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(random.randrange(5, 60))]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait()
        process.stdout.close()
        assert acknowledged(lines), attempt
        check_stored(tmp_path, acknowledged(lines))


def test_two_server_processes_keep_each_others_uploads(tmp_path: Path) -> None:
    processes = [start_uploader(tmp_path, name, f"{name}2") for name in ("a", "b")]
    lines: list[str] = []
    for process in processes:
        assert process.stdout is not None
        lines += [process.stdout.readline() for _ in range(40)]
    for process in processes:
        process.kill()
    for process in processes:
        assert process.stdout is not None
        lines += process.stdout.readlines()
        process.wait()
        process.stdout.close()
    assert set(acknowledged(lines)) == {"a", "a2", "b", "b2"}
    check_stored(tmp_path, acknowledged(lines))


UNDER_GEVENT = """
from gevent import get_hub, monkey
monkey.patch_all()
import sys
import threading
from pathlib import Path
from tests.plugins.probes.test_store import on_disk, open_store, probes

root = Path(sys.argv[1])
with open_store(root) as (store, _):
    store._context._server.offload = lambda function, *args: get_hub().threadpool.apply(function, args)
    def run(name):
        for turn in range(5):
            store.replace(name, probes(p=str(turn)))
    threads = [threading.Thread(target=run, args=(f"h{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert on_disk(root) == {f"h{number}": probes(p="4") for number in range(20)}
"""


def test_greenlets_and_a_thread_pool(tmp_path: Path) -> None:
    """Where the standard library is patched, descriptors are closed later: closing must not be what unlocks."""
    pytest.importorskip("gevent")
    subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT, str(tmp_path)], check=True, timeout=60, cwd=Path(__file__).parents[3]
    )
