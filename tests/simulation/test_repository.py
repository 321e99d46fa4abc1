"""Generated repositories: the same every time, of the size asked for, and well-formed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.simulation.generate_repository import DOMAIN, Shape, generate, main, read_clients

SMALL = Shape(clients=6, groups=3, bundles=5, entries=43, probes=2, file_bytes=300)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_same_parameters_give_the_same_bytes(tmp_path: Path) -> None:
    generate(tmp_path / "one", SMALL)
    generate(tmp_path / "two", SMALL)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_every_client_gets_the_number_of_entries_asked_for(tmp_path: Path) -> None:
    clients = generate(tmp_path, SMALL)
    groups = ElementTree.parse(tmp_path / "Metadata/groups.xml").getroot()
    bundles_of = {
        str(group.get("name")): [str(bundle.get("name")) for bundle in group.iter("Bundle")] for group in groups
    }
    for client in clients:
        names: Counter[tuple[str, str]] = Counter()
        for bundle in bundles_of[client.profile] + bundles_of["base"]:
            root = ElementTree.parse(tmp_path / f"Bundler/{bundle}.xml").getroot()
            names.update((entry.tag, str(entry.get("name"))) for entry in root.iter() if len(entry) == 0)
        assert len(names) == SMALL.entries
        # What is named twice is named once for each zone.
        assert set(names.values()) <= {1, 2}


def test_every_entry_can_be_bound(tmp_path: Path) -> None:
    generate(tmp_path, SMALL)
    rules = {
        (rule.tag, rule.get("name"))
        for path in (tmp_path / "Rules").iterdir()
        for rule in ElementTree.parse(path).getroot().iter()
    }
    for path in (tmp_path / "Bundler").iterdir():
        for entry in ElementTree.parse(path).getroot().iter():
            if entry.tag == "Path":
                assert (tmp_path / f"Cfg{entry.get('name')}").is_dir()
            elif entry.tag not in ("Bundle", "Group"):
                assert (entry.tag, entry.get("name")) in rules


def test_clients_have_addresses_of_their_own_and_are_read_back(tmp_path: Path) -> None:
    clients = generate(tmp_path, Shape(clients=300, bundles=1, entries=1))
    assert read_clients(tmp_path) == clients
    assert clients[0].name == f"node00000.{DOMAIN}"
    assert clients[0].address == "127.1.0.1"
    assert clients[255].address == "127.1.1.0"
    assert len({client.address for client in clients}) == 300


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"clients": 0}, "clients"), ({"entries": 3, "bundles": 4}, "do not fill"), ({"clients": 70000}, "addresses")],
)
def test_an_impossible_size_is_refused(wrong: dict[str, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Shape(**wrong)


def test_what_is_there_already_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").write_text("kept")
    assert main([str(tmp_path), "--clients", "1"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert contents(tmp_path) == {"precious": b"kept"}
