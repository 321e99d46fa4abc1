"""``geventcore admin client`` and ``bcfg2-admin client``: the client list."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore.cli.main import main
from tests.support.tool_cases import ToolCase, cases_of, check, copy_site, run_program

CLIENT_CASES = list(cases_of("info/cases", "bcfg2-admin"))


@pytest.mark.parametrize("case", CLIENT_CASES, ids=lambda case: case.name)
def test_the_output_is_that_of_the_original(case: ToolCase, tmp_path: Path) -> None:
    config = copy_site(tmp_path)
    check(case, run_program("bcfg2-admin", ["-C", str(config), *case.entry["argv"]], tmp_path))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return copy_site(tmp_path)


@pytest.fixture
def clients_xml(config: Path) -> Path:
    return config.parent / "repo" / "Metadata" / "clients.xml"


def test_a_client_without_a_profile_gets_the_default_one(config: Path, clients_xml: Path) -> None:
    groups = clients_xml.with_name("groups.xml")
    groups.write_text(
        '<Groups><Group name="usual" profile="true" default="true"/><Group name="web" profile="true"/></Groups>'
    )
    assert main(["admin", "client", "add", "-C", str(config), "new.x"]) == 0
    assert main(["admin", "client", "add", "-C", str(config), "web.x", "profile=web"]) == 0
    text = clients_xml.read_text()
    assert '<Client name="new.x" profile="usual"/>' in text
    assert '<Client name="web.x" profile="web"/>' in text


def test_comments_order_and_indentation_stay(config: Path, clients_xml: Path) -> None:
    text = (
        "<Clients>\n  <!-- the web servers -->\n  <Client name='b.x'   profile='web'\n          secure='true'/>\n\n"
        "  <Client profile='db' name='a.x'>\n    <Alias name='c.x'/> <!-- old name -->\n  </Client>\n</Clients>\n"
    )
    clients_xml.write_text(text)
    assert main(["admin", "client", "update", "-C", str(config), "a.x", "profile=web", "address=192.0.2.1"]) == 0
    changed = clients_xml.read_text()
    assert '<Client profile="web" name="a.x" address="192.0.2.1">\n    <Alias name="c.x"/> <!-- old name -->' in changed
    assert "  <!-- the web servers -->\n  <Client name=" in changed
    assert "\n\n  <Client profile" in changed
    assert main(["admin", "client", "rm", "-C", str(config), "a.x"]) == 0
    assert "<!-- the web servers -->" in clients_xml.read_text()
    assert "a.x" not in clients_xml.read_text()


def test_an_empty_value_removes_an_attribute(config: Path, clients_xml: Path) -> None:
    clients_xml.write_text('<Clients>\n  <Client name="a.x" profile="web" address="192.0.2.1"/>\n</Clients>\n')
    assert main(["admin", "client", "up", "-C", str(config), "a.x", "address="]) == 0
    assert '<Client name="a.x" profile="web"/>' in clients_xml.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "n.x", "profil=web"], "a client has no attribute 'profil'; did you mean profile?"),
        (["add", "n.x", "profile"], "'profile' is not KEY=VALUE"),
        (["add", "n.x", "profile=wbe"], "wbe is not a profile in groups.xml"),
        (["add", "n/x"], "n/x"),
        (["update", "quay9.harbor.test", "secure=true"], "quay9.harbor.test is not a client; did you mean quay"),
        (["delete", "quay1.harbor.test", "nosuch"], "nosuch is not a client"),
    ],
)
def test_a_refusal_names_the_mistake_and_changes_nothing(
    arguments: list[str], message: str, config: Path, clients_xml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = clients_xml.read_bytes()
    assert main(["admin", "client", arguments[0], "-C", str(config), *arguments[1:]]) == 1
    assert message in capsys.readouterr().err
    assert clients_xml.read_bytes() == before


def test_clients_are_added_from_a_table(
    config: Path, clients_xml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "clients.csv"
    table.write_text("name,profile,address\nn1.x,web,192.0.2.1\nN2.x,db,\nquay1.harbor.test,web,\n")
    assert main(["admin", "client", "add", "-C", str(config), "--csv", str(table)]) == 0
    assert capsys.readouterr().out == "n1.x: added\nn2.x: added\nquay1.harbor.test: is already a client\n"
    text = clients_xml.read_text()
    assert '<Client name="n1.x" profile="web" address="192.0.2.1"/>' in text
    assert '<Client name="n2.x" profile="db"/>' in text


def test_clients_of_a_table_are_changed_and_removed(
    config: Path, clients_xml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "clients.csv"
    table.write_text("name,profile,address\nquay1.harbor.test,,192.0.2.7\nquay2.harbor.test,db,\n")
    assert main(["admin", "client", "update", "-C", str(config), "--csv", str(table)]) == 0
    text = clients_xml.read_text()
    assert '<Client name="quay1.harbor.test" profile="web" address="192.0.2.7">' in text
    assert '<Client name="quay2.harbor.test" profile="db"/>' in text
    assert main(["admin", "client", "delete", "-C", str(config), "--csv", str(table)]) == 0
    assert "quay1.harbor.test: removed" in capsys.readouterr().out
    text = clients_xml.read_text()
    assert "quay1" not in text
    assert "quay2" not in text
    assert "quay3" in text


@pytest.mark.parametrize("mode", ["update", "delete"])
@pytest.mark.parametrize("table", ["name\nquay1.harbor.test\nnosuch\n", "name\nquay1.harbor.test\nQUAY1.harbor.test\n"])
def test_a_wrong_table_changes_nothing(mode: str, table: str, config: Path, clients_xml: Path, tmp_path: Path) -> None:
    before = clients_xml.read_bytes()
    (tmp_path / "clients.csv").write_text(table)
    assert main(["admin", "client", mode, "-C", str(config), "--csv", str(tmp_path / "clients.csv")]) == 1
    assert clients_xml.read_bytes() == before
    assert main(["admin", "client", mode, "-C", str(config)]) == 2


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (b"", "the first line must name the column 'name'; the file is empty"),
        (b"host,\x1b[1m\na,web\n", "the first line must name the column 'name'; it has host, \\x1b[1m"),
        (b"name,profile\n", "the table has no clients"),
        (b"name,profile\n\xff,web\n", "not a table of comma-separated values in UTF-8: 'utf-8' codec"),
        (b"name,profile\n" + 200_000 * b"x", "not a table of comma-separated values in UTF-8: field larger"),
    ],
)
def test_what_is_no_table_is_told(
    table: bytes, expected: str, config: Path, clients_xml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = clients_xml.read_bytes()
    file = tmp_path / "clients.csv"
    file.write_bytes(table)
    assert main(["admin", "client", "add", "-C", str(config), "--csv", str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"geventcore: error: {file}: {expected}")
    assert clients_xml.read_bytes() == before


@pytest.mark.parametrize("table", ["host,profile\na,web\n", "name,profile\na,nosuch\n", "name,colour\na,red\n"])
def test_a_wrong_table_adds_nothing(table: str, config: Path, clients_xml: Path, tmp_path: Path) -> None:
    before = clients_xml.read_bytes()
    (tmp_path / "clients.csv").write_text(table)
    assert main(["admin", "client", "add", "-C", str(config), "--csv", str(tmp_path / "clients.csv")]) == 1
    assert clients_xml.read_bytes() == before
