"""The files of the metadata: reading them again, bad ones, and writing them so that nobody's change is lost."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lxml import etree

from geventcore.errors import MetadataConsistencyError, MetadataRuntimeError, PluginInitError, RepositoryError
from geventcore.filemonitor import FileAction
from geventcore.plugins.metadata import Metadata
from geventcore.plugins.metadata.writer import Edit, apply_edits
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

CLIENTS = """<?xml version="1.0" encoding="utf-8"?>
<!-- Ask the administrators before you change this. -->
<Clients xmlns:xi="http://www.w3.org/2001/XInclude" version="3.0">
  <!-- the machines -->
  <Client name="a" profile="p" colour="réd"/>

  <Client name="MiXeD" profile="p"> <!-- odd -->
    <Alias name="m"/>
  </Client>
  <xi:include href="clients.d/*.xml"/>
</Clients>
"""
INCLUDED = '<Clients>\n\t<Client name="inc" profile="p"/>\n</Clients>\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": CLIENTS, "Metadata/clients.d/1.xml": INCLUDED})
    return tmp_path


@pytest.fixture
def server(repository: Path) -> Iterator[SmallServer]:
    with small_server(repository, ["Metadata"]) as server:
        yield server


@pytest.fixture
def metadata(server: SmallServer) -> Metadata:
    return metadata_of(server)


@pytest.fixture
def clients_xml(repository: Path) -> Path:
    return repository / "Metadata/clients.xml"


def metadata_of(server: SmallServer) -> Metadata:
    plugin = server.plugin("Metadata")
    assert isinstance(plugin, Metadata)
    return plugin


def attributes_in(path: Path, name: str) -> dict[str, str]:
    (element,) = etree.parse(path).xpath("//Client[@name=$name]", name=name)
    return dict(element.attrib)


def edit_file(path: Path, change: Callable[[str], str]) -> None:
    """Change a file as an editor does: write beside, rename over."""
    beside = path.with_name("by-editor")
    beside.write_text(change(path.read_text()))
    os.rename(beside, path)


# -- reading


def test_missing_files_are_created_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with small_server(tmp_path, ["Metadata"]) as server:
        assert metadata_of(server).list_clients() == []
    assert (tmp_path / "Metadata/groups.xml").read_text() == "<Groups/>\n"
    assert (tmp_path / "Metadata/clients.xml").read_text() == "<Clients/>\n"
    assert f"created the missing file {tmp_path}/Metadata/clients.xml" in caplog.text


@pytest.mark.parametrize("content", ["", "<Clients>", "<Clients>&nothing;</Clients>", "\0"])
@pytest.mark.parametrize("file", ["clients.xml", "groups.xml"])
def test_a_file_that_never_was_good_stops_only_metadata(
    repository: Path, file: str, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = repository / "Metadata" / file
    good = path.read_text()
    path.write_text(content)
    with small_server(repository, ["Metadata"]) as server:
        assert str(path) in caplog.text
        metadata = metadata_of(server)
        with pytest.raises(MetadataRuntimeError, match=file):
            metadata.get_initial_metadata("a")
        with pytest.raises(MetadataRuntimeError, match=file):
            metadata.set_profile("a", "p", ("192.0.2.1", 1))
        assert path.read_text() == content
        path.write_text(good)
        server.changed(metadata.clients_file if file == "clients.xml" else metadata.groups_file, path)
        assert metadata.get_initial_metadata("a").groups == {"p"}


@pytest.mark.parametrize("content", ["", "<Clients><Client name='new'"])
def test_a_broken_file_leaves_the_last_good_version(
    server: SmallServer, metadata: Metadata, clients_xml: Path, content: str
) -> None:
    clients_xml.write_text(content)
    with pytest.raises(RepositoryError, match=r"clients\.xml"):
        server.changed(metadata.clients_file, clients_xml)
    assert metadata.list_clients() == ["a", "mixed", "inc"]
    with pytest.raises(MetadataRuntimeError, match=r"clients\.xml"):
        metadata.set_version("a", "1.4.0")
    assert clients_xml.read_text() == content


def test_a_deleted_file_leaves_what_was_read(server: SmallServer, metadata: Metadata, clients_xml: Path) -> None:
    clients_xml.unlink()
    server.changed(metadata.clients_file, clients_xml, FileAction.DELETED)
    assert metadata.get_initial_metadata("a").groups == {"p"}
    with pytest.raises(MetadataRuntimeError, match=r"clients\.xml"):
        metadata.set_version("a", "1.4.0")
    assert not clients_xml.exists()


def test_an_unreadable_file_is_named(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = repository / "Metadata/clients.xml"
    path.unlink()
    path.mkdir()
    with small_server(repository, ["Metadata"]) as server:
        assert f"{path}: cannot read the XML file: Is a directory" in caplog.text
        with pytest.raises(MetadataRuntimeError):
            metadata_of(server).get_initial_metadata("a")


def test_included_files_come_change_and_go(server: SmallServer, metadata: Metadata, repository: Path) -> None:
    directory = repository / "Metadata/clients.d"
    new = directory / "2.xml"
    new.write_text('<Clients><Client name="second" profile="p"/></Clients>')
    server.changed(metadata.clients_file, new, FileAction.CREATED)
    assert metadata.list_clients() == ["a", "mixed", "inc", "second"]
    new.write_text('<Clients><Client name="renamed" profile="p"/></Clients>')
    server.changed(metadata.clients_file, new)
    assert metadata.list_clients() == ["a", "mixed", "inc", "renamed"]
    new.unlink()
    server.changed(metadata.clients_file, new, FileAction.DELETED)
    assert metadata.list_clients() == ["a", "mixed", "inc"]


def test_what_was_asked_for_before_a_reload_stays_as_it_was(
    server: SmallServer, metadata: Metadata, clients_xml: Path
) -> None:
    before = metadata.clients_file.table
    clients_xml.write_text("<Clients/>")
    server.changed(metadata.clients_file, clients_xml)
    assert list(before.clients) == ["a", "mixed", "inc"]
    assert metadata.list_clients() == []


def test_the_event_of_a_write_of_our_own_reads_nothing(
    server: SmallServer, metadata: Metadata, clients_xml: Path
) -> None:
    metadata.set_version("a", "1.4.0")
    written = metadata.clients_file.table
    server.changed(metadata.clients_file, clients_xml)
    assert metadata.clients_file.table is written


def test_a_write_of_our_own_does_not_read_the_whole_list_again(metadata: Metadata) -> None:
    before = metadata.clients_file.table
    metadata.set_version("a", "1.4.0")
    assert metadata.clients_file.table.clients["mixed"] is before.clients["mixed"]


# -- writing


def test_only_what_is_changed_changes(metadata: Metadata, clients_xml: Path) -> None:
    metadata.set_version("a", "1.4.0pre2")
    assert clients_xml.read_text() == CLIENTS.replace('colour="réd"/>', 'colour="réd" version="1.4.0pre2"/>')


def test_a_new_client_goes_to_the_end_of_the_file_itself(metadata: Metadata, clients_xml: Path) -> None:
    metadata.get_initial_metadata("New")
    wanted = '  <xi:include href="clients.d/*.xml"/>\n  <Client name="new" profile="p"/>\n</Clients>'
    assert clients_xml.read_text() == CLIENTS.replace('  <xi:include href="clients.d/*.xml"/>\n</Clients>', wanted)
    assert "new" in metadata.list_clients()


def test_a_removed_client_takes_its_line_along(metadata: Metadata, clients_xml: Path) -> None:
    metadata.remove_client("A")
    removed = '  <Client name="a" profile="p" colour="réd"/>\n\n'
    assert clients_xml.read_text() == CLIENTS.replace(removed, "")
    assert metadata.list_clients() == ["mixed", "inc"]


def test_names_are_found_in_any_case_and_stay_as_they_are(metadata: Metadata, clients_xml: Path) -> None:
    metadata.set_version("mixed", "1.3.0")
    metadata.update_client("MIXED", {"secure": "true"})
    assert attributes_in(clients_xml, "MiXeD") == {
        "name": "MiXeD",
        "profile": "p",
        "version": "1.3.0",
        "secure": "true",
    }
    metadata.set_version("m", "1.3.1")
    assert metadata.get_initial_metadata("mixed").version == "1.3.1"


def test_a_client_of_an_included_file_is_changed_there(metadata: Metadata, clients_xml: Path, repository: Path) -> None:
    metadata.set_version("inc", "1.4.0")
    included = repository / "Metadata/clients.d/1.xml"
    assert included.read_text() == INCLUDED.replace('profile="p"', 'profile="p" version="1.4.0"')
    assert clients_xml.read_text() == CLIENTS


def test_symbolic_links_are_followed(repository: Path, clients_xml: Path) -> None:
    real = repository / "elsewhere" / "real.xml"
    real.parent.mkdir()
    real.write_text('<Clients><Client name="a" profile="p"/></Clients>')
    real.chmod(0o640)
    clients_xml.unlink()
    clients_xml.symlink_to(real)
    with small_server(repository, ["Metadata"]) as server:
        metadata_of(server).set_version("a", "1.4.0")
    assert clients_xml.is_symlink()
    assert attributes_in(real, "a")["version"] == "1.4.0"
    assert real.stat().st_mode & 0o777 == 0o640
    assert os.listdir(real.parent) == ["real.xml"]


def test_an_empty_list_takes_clients(tmp_path: Path) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata"]) as server:
        metadata = metadata_of(server)
        metadata.add_client("one", {})
        metadata.add_client("two", {"profile": "p"})
        text = '<Clients>\n  <Client name="one"/>\n  <Client name="two" profile="p"/>\n</Clients>\n'
        assert (tmp_path / "Metadata/clients.xml").read_text() == text
        metadata.remove_client("one")
        metadata.remove_client("two")
        assert etree.parse(tmp_path / "Metadata/clients.xml").getroot().tag == "Clients"


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16"])
def test_the_encoding_of_a_file_stays(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<Clients><Client name="a" note="é"/></Clients>'
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": text.encode(encoding)})
    with small_server(tmp_path, ["Metadata"]) as server:
        metadata_of(server).set_version("a", "1.4.0")
    written = (tmp_path / "Metadata/clients.xml").read_bytes()
    assert 'note="é" version="1.4.0"' in written.decode(encoding)
    assert etree.fromstring(written)[0].get("note") == "é"


def test_attributes_are_taken_away(metadata: Metadata, clients_xml: Path) -> None:
    metadata.update_client("a", {"colour": None, "password": None, "auth": "cert"})
    assert attributes_in(clients_xml, "a") == {"name": "a", "profile": "p", "auth": "cert"}


def test_a_client_that_is_listed_twice_is_read_again_after_a_change(tmp_path: Path) -> None:
    text = '<Clients><Client name="a" version="1.0.0"/><Client name="A" profile="p"/></Clients>'
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": text})
    with small_server(tmp_path, ["Metadata"]) as server:
        metadata = metadata_of(server)
        metadata.set_version("a", "1.4.0")
        assert metadata.get_initial_metadata("a").version == "1.4.0"
        assert metadata.get_initial_metadata("a").profile == "p"


def test_aliases_that_are_included_are_read_again_after_a_change(tmp_path: Path) -> None:
    text = (
        '<Clients xmlns:xi="http://www.w3.org/2001/XInclude">'
        '<Client name="a" profile="p"><xi:include href="alias.xml"/></Client></Clients>'
    )
    write_files(
        tmp_path, {**METADATA, "Metadata/clients.xml": text, "Metadata/alias.xml": '<Alias name="x" address="::5"/>'}
    )
    with small_server(tmp_path, ["Metadata"]) as server:
        metadata = metadata_of(server)
        metadata.set_version("a", "1.4.0")
        assert metadata.get_initial_metadata("x").version == "1.4.0"
        assert metadata.resolve_client(("::5", 1)) == "a"


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "a/b", "..", ".hidden", "a\0", "a\nb", "<a>", "x" * 256])
def test_impossible_names_are_refused(metadata: Metadata, clients_xml: Path, name: str) -> None:
    with pytest.raises(MetadataConsistencyError):
        metadata.get_initial_metadata(name)
    with pytest.raises(MetadataConsistencyError):
        metadata.add_client(name, {})
    assert clients_xml.read_text() == CLIENTS


@pytest.mark.parametrize("version", ["1\0", "\x1b[0m", "\ud800", "1" * 300])
def test_impossible_versions_are_refused(metadata: Metadata, clients_xml: Path, version: str) -> None:
    with pytest.raises(MetadataConsistencyError):
        metadata.set_version("a", version)
    assert clients_xml.read_text() == CLIENTS


def test_unknown_clients_are_not_changed(metadata: Metadata, clients_xml: Path) -> None:
    with pytest.raises(MetadataConsistencyError, match="no Client nobody"):
        metadata.update_client("nobody", {"auth": "cert"})
    with pytest.raises(MetadataConsistencyError, match="no Client nobody"):
        metadata.remove_client("nobody")
    assert clients_xml.read_text() == CLIENTS


def test_adding_a_client_twice_keeps_the_first(metadata: Metadata, clients_xml: Path) -> None:
    assert metadata.add_client("MIXED", {"profile": "other"}).profiles == ("p",)
    assert clients_xml.read_text() == CLIENTS


# -- others who write


def test_an_edit_that_no_event_told_of_is_kept(metadata: Metadata, clients_xml: Path) -> None:
    edit_file(clients_xml, lambda text: text.replace('<Client name="a" profile="p"', '<Client name="b" uuid="u"'))
    metadata.set_version("mixed", "1.4.0")
    assert attributes_in(clients_xml, "b")["uuid"] == "u"
    assert attributes_in(clients_xml, "MiXeD")["version"] == "1.4.0"
    assert metadata.list_clients() == ["b", "mixed", "inc"]


def test_a_client_that_an_edit_took_away_is_not_brought_back(metadata: Metadata, clients_xml: Path) -> None:
    edit_file(clients_xml, lambda text: text.replace('<Client name="a" profile="p" colour="réd"/>', ""))
    with pytest.raises(MetadataConsistencyError, match="no Client a"):
        metadata.set_version("a", "1.4.0")


def test_a_client_in_a_file_that_no_event_told_of_is_not_added_again(
    metadata: Metadata, clients_xml: Path, repository: Path
) -> None:
    moved = repository / "Metadata/moved.xml"
    moved.write_text('<Clients><Client name="late" profile="p"/></Clients>')
    edit_file(clients_xml, lambda text: text.replace("clients.d/*.xml", "moved.xml"))
    metadata.set_version("late", "1.4.0")
    assert attributes_in(moved, "late")["version"] == "1.4.0"
    assert metadata.list_clients() == ["a", "mixed", "late"]


def test_edits_during_many_writes_are_all_kept(metadata: Metadata, clients_xml: Path) -> None:
    """The window between reading and renaming is hit here again and again."""
    names = [f"edited{number}" for number in range(30)]
    failures: list[Exception] = []
    finished = threading.Event()

    def declare(client: str) -> None:
        number = 0
        try:
            while not finished.is_set():
                number += 1
                metadata.set_version(client, f"1.4.{number}")
        except Exception as err:  # noqa: BLE001 - the thread that waits shows whatever it was
            failures.append(err)

    threads = [threading.Thread(target=declare, args=(client,)) for client in ("a", "mixed")]
    for thread in threads:
        thread.start()
    for name in names:
        edited = False
        while not edited:
            # An editor notices, too, that the file has changed; but not between this look and the renaming.
            before = os.stat(clients_xml).st_ino
            beside = clients_xml.with_name("by-editor")
            text = clients_xml.read_text().replace("</Clients>", f'<Client name="{name}"/>\n</Clients>')
            beside.write_text(text)
            if os.stat(clients_xml).st_ino == before:
                os.rename(beside, clients_xml)
                edited = True
    finished.set()
    for thread in threads:
        thread.join()
    assert not failures
    root = etree.parse(clients_xml).getroot()
    found = {element.get("name") for element in root.iter("Client")}
    assert found >= set(names)


def test_two_servers_write_the_same_file(repository: Path, clients_xml: Path) -> None:
    with small_server(repository, ["Metadata"]) as one, small_server(repository, ["Metadata"]) as other:
        sources = [metadata_of(one), metadata_of(other)]

        def create(number: int) -> None:
            sources[number % 2].add_client(f"new{number}", {"profile": "p"})

        run_all([lambda number=number: create(number) for number in range(60)])  # type: ignore[misc]
    found = [element.get("name") for element in etree.parse(clients_xml).getroot().iter("Client")]
    assert sorted(found[2:]) == sorted(f"new{number}" for number in range(60))


def run_all(calls: list[Callable[[], None]]) -> list[Exception]:
    """Run calls in threads that start together; what they raised."""
    barrier = threading.Barrier(len(calls))
    raised: list[Exception] = []

    def run(call: Callable[[], None]) -> None:
        barrier.wait()
        try:
            call()
        except Exception as err:  # noqa: BLE001 - the caller looks at whatever it was
            raised.append(err)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_many_clients_declare_versions_at_once(tmp_path: Path) -> None:
    names = [f"client{number}" for number in range(200)]
    listed = "".join(f'<Client name="{name}" profile="p"/>\n' for name in names[:150])
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": f"<Clients>\n{listed}</Clients>\n"})
    path = tmp_path / "Metadata/clients.xml"
    inodes = set()
    with small_server(tmp_path, ["Metadata"]) as server:
        metadata = metadata_of(server)

        def declare(name: str, version: str) -> None:
            metadata.set_version(name, version)
            inodes.add(os.stat(path).st_ino)
            assert metadata.get_initial_metadata(name).version == version

        calls = [(name, f"1.4.{number}") for number, name in enumerate(names)]
        raised = run_all([lambda call=call: declare(*call) for call in calls])  # type: ignore[misc]
        assert not raised
        assert sorted(metadata.list_clients()) == sorted(names)
    in_file = {element.get("name"): element.get("version") for element in etree.parse(path).getroot()}
    assert in_file == dict(calls)
    # Every write makes a new file.
    assert len(inodes) < 100


# -- when writing fails


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Writing fails as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    listed = "".join(f'<Client name="client{number}" profile="p"/>\n' for number in range(5000))
    text = f"<Clients>\n{listed}</Clients>\n"
    write_files(tmp_path, {**METADATA, "Metadata/clients.xml": text})
    path = tmp_path / "Metadata/clients.xml"
    with small_server(tmp_path, ["Metadata"]) as server:
        metadata = metadata_of(server)
        with no_file_longer_than(len(text) - 100):
            raised = run_all([lambda: metadata.set_version("client7", "1.4.0"), lambda: metadata.add_client("new", {})])
        assert [type(err) for err in raised] == [MetadataRuntimeError] * 2
        assert f"{path}: cannot be written: File too large" in str(raised[0])
        assert path.read_text() == text
        assert sorted(os.listdir(path.parent)) == ["clients.xml", "groups.xml"]
        assert metadata.get_initial_metadata("client7").version is None
        metadata.set_version("client7", "1.4.0")
        assert attributes_in(path, "client7")["version"] == "1.4.0"


@contextmanager
def as_ordinary_user(directory: Path) -> Iterator[None]:
    """Root may write everywhere, so be somebody else."""
    if os.geteuid() != 0:
        yield
        return
    for parent in [directory, *directory.parents]:
        if parent.owner() == "root" and parent not in (Path("/"), Path("/tmp")):
            parent.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_file_is_left_alone(repository: Path, clients_xml: Path) -> None:
    clients_xml.chmod(0o444)
    clients_xml.parent.chmod(0o777)
    with small_server(repository, ["Metadata"]) as server, as_ordinary_user(repository):
        with pytest.raises(MetadataRuntimeError, match=r"clients\.xml: cannot be written: Permission denied"):
            metadata_of(server).set_version("a", "1.4.0")
        assert clients_xml.read_text() == CLIENTS


def test_a_directory_without_write_access_is_an_error_with_its_name(repository: Path, clients_xml: Path) -> None:
    clients_xml.chmod(0o666)
    clients_xml.parent.chmod(0o555)
    with small_server(repository, ["Metadata"]) as server, as_ordinary_user(repository):
        with pytest.raises(MetadataRuntimeError, match=r"clients\.xml: cannot be written: Permission denied"):
            metadata_of(server).set_version("a", "1.4.0")
        assert clients_xml.read_text() == CLIENTS
    clients_xml.parent.chmod(0o755)


def test_a_repository_that_cannot_be_written_to_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "Metadata").mkdir()
    (tmp_path / "Metadata").chmod(0o555)
    with (
        as_ordinary_user(tmp_path),
        pytest.raises(PluginInitError, match=r"groups\.xml"),
        small_server(tmp_path, ["Metadata"]),
    ):
        pass


def test_one_bad_edit_does_not_spoil_the_others(repository: Path, clients_xml: Path) -> None:
    edits = [
        Edit("update", "Client", "nobody", {"auth": "cert"}),
        Edit("update", "Client", "a", {"note": "\0"}),
        Edit("add", "Client", "new", {"profile": "p"}),
        Edit("add", "Client", "NEW", {"profile": "q"}),
        Edit("remove", "Client", "mixed", {}),
        Edit("update", "Client", "mixed", {"auth": "cert"}),
        Edit("remove", "Clients", "", {}),
    ]
    apply_edits([clients_xml, repository / "Metadata/clients.d/1.xml"], edits)
    assert [type(edit.error) for edit in edits] == [
        MetadataConsistencyError,
        MetadataConsistencyError,
        type(None),
        type(None),
        type(None),
        MetadataConsistencyError,
        MetadataConsistencyError,
    ]
    assert edits[3].existed
    assert [element.get("name") for element in etree.parse(clients_xml).getroot().iter("Client")] == ["a", "new"]
    assert attributes_in(clients_xml, "new") == {"name": "new", "profile": "p"}
