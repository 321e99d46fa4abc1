"""The plugin Reporting in a server: what it stores, what it answers, and what it refuses to start with."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.core.databases import Databases
from geventcore.errors import (
    ConfigError,
    DatabaseMisconfigured,
    PluginExecutionError,
    PluginInitError,
    StatisticsNotStored,
)
from geventcore.options import Option, load_settings
from geventcore.plugins.reporting import Reporting
from geventcore.reporting.direct_store import check_database
from geventcore.reporting.format import decode
from geventcore.reporting.options import FILE_LIMIT, REPORTING_OPTIONS, SPOOL_LIMIT, TRANSPORT
from geventcore.storage.database import call_directly
from geventcore.storage.options import ENGINE, HOST, NAME, TIMEOUT
from tests.support.compat_site import remote
from tests.support.metric_values import values_here
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import metadata_of, plugin_site
from tests.support.postgresql import PostgreSQL, database_section
from tests.support.report_database import stored_reports
from tests.support.uploads import real_upload, upload


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmallServer]:
    with new_server(tmp_path) as server:
        yield server


def new_server(directory: Path, options: dict[Option[Any], Any] | None = None) -> Any:
    values = {NAME: str(directory / "reports.sqlite"), **(options or {})}
    return plugin_site(directory / "repository", ["Reporting"], {}, values)


def reporting(server: SmallServer) -> Reporting:
    plugin = server.plugin("Reporting")
    assert isinstance(plugin, Reporting)
    return plugin


def receive(server: SmallServer, document: str | etree._Element, hostname: str = "h") -> None:
    root = etree.fromstring(document) if isinstance(document, str) else document
    reporting(server).process_statistics(metadata_of(server, hostname), root)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_reports_are_stored(server: SmallServer, tmp_path: Path) -> None:
    receive(server, real_upload("dry-run"))
    receive(server, real_upload("clean"), "g")
    assert [host for host, _ in stored_reports(tmp_path / "reports.sqlite")] == ["g", "h"]


def test_what_is_extra(server: SmallServer) -> None:
    receive(server, upload(extra='<Package name="p" type="deb" current_version="1"/><POSIXUser name="u"/>'))
    assert remote(server, "Reporting", "GetExtra", "h") == [("POSIXUser", "u", None), ("Package", "p", "deb")]
    with pytest.raises(PluginExecutionError, match="g has not reported"):
        remote(server, "Reporting", "GetExtra", "g")


def test_how_a_file_is_on_a_client(server: SmallServer) -> None:
    diff = encoded("- old\n+ new\n  same\n  ")
    file = base64.b64encode(b"\x7fELF\0").decode()
    common = 'type="file" owner="root" group="root" mode="0644"'
    receive(
        server,
        upload(
            bad=f'<Path name="/diff" {common} current_owner="bin" current_mode="0600" current_bdiff="{diff}"/>'
            f'<Path name="/binary" {common} current_bfile="{file}"/>'
            f'<Path name="/secret" {common} sensitive="true" current_bdiff="{diff}"/>'
            f'<Path name="/owner" {common} current_owner="bin"/>',
            extra='<Service name="s" type="systemd"/>',
        ),
    )
    ask = reporting(server).get_current_entry
    assert ask("h", "Path", "/diff") == ("bin", "root", "0600", b"old\nsame\n")
    assert ask("h", "Path", "/binary") == ("root", "root", "0644", b"\x7fELF\0")
    assert ask("h", "Path", "/owner") == ("bin", "root", "0644", None)
    assert ask("h", "Service", "s") == (None, None, None, None)
    with pytest.raises(PluginExecutionError, match="sensitive"):
        ask("h", "Path", "/secret")
    with pytest.raises(PluginExecutionError, match="does not have Path:/unknown"):
        remote(server, "Reporting", "GetCurrentEntry", "h", "Path", "/unknown")


def test_a_large_difference_is_not_given_out(tmp_path: Path) -> None:
    with new_server(tmp_path, {FILE_LIMIT: 5}) as server:
        receive(server, upload(bad=f'<Path name="/f" type="file" current_bdiff="{encoded("- 12345")}"/>'))
        with pytest.raises(PluginExecutionError, match="does not have the exact content"):
            reporting(server).get_current_entry("h", "Path", "/f")


def test_ping(server: SmallServer) -> None:
    assert remote(server, "Reporting", "Ping") == "Pong"


def test_local_filesystem_writes_files(tmp_path: Path) -> None:
    with new_server(tmp_path, {TRANSPORT: "LocalFilesystem"}) as server:
        receive(server, real_upload("dry-run"))
        (file,) = (tmp_path / "repository/Reporting/LocalFilesystem/work").glob("*.reports")
        interaction = decode(file.read_bytes())
        assert (interaction.client, interaction.total, len(interaction.entries)) == ("h", 11, 9)
        assert json.loads(file.read_bytes())["groups"] == ["p", "web"]
        server.core.sampler.take()
        values = values_here()
        assert values("geventcore_reports_waiting_files", place="directory") == 1
        assert values("geventcore_reports_waiting_bytes", place="directory") == file.stat().st_size
    assert not (tmp_path / "reports.sqlite").exists()


def test_a_full_directory_makes_the_call_fail(tmp_path: Path) -> None:
    before = values_here()
    with (
        new_server(tmp_path, {TRANSPORT: "LocalFilesystem", SPOOL_LIMIT: 10}) as server,
        pytest.raises(StatisticsNotStored, match=r"is full: .* of 10 bytes"),
    ):
        receive(server, real_upload("clean"))
    name = "geventcore_reports_total"
    assert values_here()(name, outcome="failed") - before(name, outcome="failed") == 1


def test_tables_that_are_too_old_stop_the_start(tmp_path: Path) -> None:
    with new_server(tmp_path) as server:
        receive(server, real_upload("clean"))
    connection = sqlite3.connect(tmp_path / "reports.sqlite")
    connection.execute("UPDATE geventcore_schema SET version_num = '0001'")
    connection.commit()
    connection.close()
    with pytest.raises(PluginInitError, match="run: geventcore db upgrade"), new_server(tmp_path):
        pass


def test_a_local_tool_makes_no_database(tmp_path: Path) -> None:
    with new_server(tmp_path):
        assert not (tmp_path / "reports.sqlite").exists()


def test_a_database_that_is_not_there_yet_does_not_stop_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    nobody = {ENGINE: "postgresql", NAME: "bcfg2", HOST: str(tmp_path), TIMEOUT: 0.2}
    with new_server(tmp_path, nobody) as server:
        receive(server, real_upload("clean"))
        assert "reports wait until" in caplog.text
        assert not reporting(server)._transport._journaled.spool.is_empty()  # type: ignore[attr-defined]


def start_with(tmp_path: Path, section: dict[str, str]) -> None:
    """Load the plugin with a section ``[database]``."""
    path = tmp_path / "bcfg2.conf"
    lines = [f"{name} = {value}" for name, value in section.items()]
    path.write_text("\n".join([f"[server]\nrepository = {tmp_path}\n[database]", *lines, ""]))
    check_database(load_settings(config_file=path))


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"name": "/usr"}, r"bcfg2.conf:4: \[database\] name: the database /usr is a directory"),
        (
            {"options": "{'nosuch': 1}"},
            r"bcfg2.conf:4: \[database\] options: .*(?:argument 'nosuch'|'nosuch' is an invalid)",
        ),
        ({"engine": "mysql"}, r"bcfg2.conf:4: \[database\] engine = mysql: \[database\] name must name the database"),
        (
            {"reporting_engine": "sqlite3", "reporting_name": "/usr"},
            r"bcfg2.conf:5: \[database\] reporting_name: the database /usr is a directory",
        ),
    ],
)
def test_a_database_that_cannot_be_right_stops_the_start(
    tmp_path: Path, section: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        start_with(tmp_path, {**section, "timeout": "0.2"})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "nosuch"}, r'bcfg2.conf:5: \[database\] name: .*database "nosuch" does not exist'),
        ({"user": "nosuch"}, r'bcfg2.conf:7: \[database\] user: .*role "nosuch" does not exist'),
        ({"options": "{'nosuch': 1}"}, r'bcfg2.conf:9: \[database\] options: .*invalid connection option "nosuch"'),
    ],
)
def test_what_a_server_refuses_for_good_stops_the_start(
    postgresql: PostgreSQL, tmp_path: Path, changes: dict[str, str], complaint: str
) -> None:
    config = postgresql.new_config()
    with pytest.raises(ConfigError, match=complaint):
        start_with(tmp_path, {**database_section(config), **changes})
    settings = load_settings(config_file=tmp_path / "bcfg2.conf")
    with pytest.raises(DatabaseMisconfigured, match=complaint):
        Databases(lambda: settings, call_directly).main()


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("transport = Pigeon", r"transport = 'Pigeon': expected one of DirectStore, LocalFilesystem, RedisTransport"),
        ("storage = Files", r"storage = 'Files': expected one of database, DjangoORM"),
        ("file_limit = big", r"file_limit = 'big': expected a size"),
        ("max_children = -1", r"max_children = '-1': expected a whole number from 0"),
        ("redis_port = 0", r"redis_port = '0': expected"),
        ("time_zone = Mars/Olympus", r"time_zone = 'Mars/Olympus': expected the name of a time zone"),
    ],
)
def test_settings_that_cannot_work(tmp_path: Path, section: str, complaint: str) -> None:
    path = tmp_path / "bcfg2.conf"
    path.write_text(f"[server]\nrepository = {tmp_path}\n[reporting]\n{section}\n")
    settings = load_settings(config_file=path)
    settings.options.add(*REPORTING_OPTIONS)
    with pytest.raises(ConfigError, match=complaint):
        settings.check()


def test_the_storage_of_bcfg2_is_a_name_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "bcfg2.conf"
    path.write_text(f"[server]\nrepository = {tmp_path}\n[reporting]\nstorage = DjangoORM\ntransport = directstore\n")
    settings = load_settings(config_file=path)
    settings.options.add(*REPORTING_OPTIONS)
    settings.check()
    assert settings[TRANSPORT] == "DirectStore"
