"""Defaults: what entries get that lack something, whoever bound them; conflicts and files that fail or change."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore.plugins.defaults import REPLACE_NAME
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer, write_files
from tests.support.plugin_site import configuration, entry_of, messages, plugin_site

PLUGINS = ("Bundler", "Rules", "Defaults")
PY = 'xmlns:py="http://genshi.edgewall.org/"'


def defaults(body: str, attributes: str = 'priority="5"') -> str:
    return f"<Defaults {attributes}>{body}</Defaults>"


def site(body: str, entry: str = '<BoundService name="s"/>', **files: str) -> dict[str, str | bytes]:
    return {
        "Bundler/b.xml": f"<Bundle>{entry}</Bundle>",
        "Defaults/d.xml": defaults(body),
        **{f"Defaults/{name}.xml": text for name, text in files.items()},
    }


def kind(server: SmallServer, name: str = "s", hostname: str = "h") -> str | None:
    return entry_of(server, "Service", name, hostname).get("type")


def service(value: str, name: str = ".*") -> str:
    return f'<Service name="{name}" type="{value}"/>'


@pytest.mark.parametrize(
    ("body", "entry", "expected"),
    [
        (service("d"), '<BoundService name="s"/>', "d"),
        (service("d"), '<BoundService name="s" type="own"/>', "own"),
        (service("d"), '<BoundService name="s" type=""/>', ""),
        (service("d", "s"), '<BoundService name="s"/>', "d"),
        (service("d", "x.*"), '<BoundService name="s"/>', None),
        (service("d", "."), '<BoundService name="s"/>', "d"),
        (f'<Group name="web">{service("d")}</Group>', '<BoundService name="s"/>', "d"),
        (f'<Group name="no">{service("d")}</Group>', '<BoundService name="s"/>', None),
        ('<Package name=".*" type="d"/>', '<BoundService name="s"/>', None),
        # Nobody binds it, so it fails, and it gets its defaults all the same.
        (service("d"), '<Service name="s"/>', "d"),
    ],
)
def test_entries_get_what_they_lack(tmp_path: Path, body: str, entry: str, expected: str | None) -> None:
    with plugin_site(tmp_path, PLUGINS, site(body, entry)) as server:
        assert kind(server) == expected


def test_what_a_rule_says_counts_before_a_default(tmp_path: Path) -> None:
    files = {
        **site(
            service("default") + "",
            '<Service name="s"/>',
            more=defaults('<Service name="s" status="on"/>', 'priority="1"'),
        ),
        "Rules/r.xml": '<Rules priority="1"><Service name="s" type="rule"/></Rules>',
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        entry = entry_of(server, "Service", "s")
    # The default of the higher priority is the one that counts, and it has no status.
    assert dict(entry.attrib) == {"name": "s", "type": "rule"}


def test_it_is_no_generator(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(service("d", "s"), '<Service name="s"/>')) as server:
        assert entry_of(server, "Service", "s").get("failure") == "no matching generator"


def test_a_conflict_is_told_and_leaves_the_entry_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    body = service("a", "s.*") + service("b", ".*s") + service("c", "other")
    with plugin_site(tmp_path, PLUGINS, site(body, '<BoundService name="s"/><BoundService name="other"/>')) as server:
        assert kind(server) is None
        assert kind(server, "other") == "c"
    assert messages(caplog, "h: ignoring conflicting defaults: 2 rules of priority 5 for Service:s")


def test_the_higher_priority_counts(tmp_path: Path) -> None:
    files = site(service("five"), ten=defaults(service("ten"), 'priority="10"'))
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert kind(server) == "ten"


def test_the_name_may_be_filled_in(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(service("is-%{name}")), {REPLACE_NAME: True}) as server:
        assert kind(server) == "is-s"
    with plugin_site(tmp_path, PLUGINS, site(service("is-%{name}"))) as server:
        assert kind(server) == "is-%{name}"


def test_a_template_that_fails_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    template = f'<Defaults priority="9" {PY}>\n<Service name=".*" type="${{metadata.nothing}}"/></Defaults>'
    with plugin_site(tmp_path, PLUGINS, site(service("plain"), template=template)) as server:
        assert kind(server) == "plain"
    assert any("Defaults/template.xml: line 2" in line for line in messages(caplog, "h: "))


@pytest.mark.parametrize(
    "broken", [b"<Defaults>\n<Service", b"", b"\xff", f'<Defaults {PY}><a py:if="("/></Defaults>'.encode()]
)
def test_a_broken_file_is_told_and_the_last_good_version_stays(
    tmp_path: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "Defaults/d.xml"
    with plugin_site(tmp_path, PLUGINS, site(service("good"))) as server:
        path.write_bytes(broken)
        until(server, lambda: bool(messages(caplog, f"{path}: ")))
        assert kind(server) == "good"
        path.write_text(defaults(service("new")))
        until(server, lambda: kind(server) == "new")


def test_files_come_and_go(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(service("on"))) as server:
        (tmp_path / "Defaults/d.xml").unlink()
        until(server, lambda: kind(server) is None)
        write_files(tmp_path, {"Defaults/sub/n.xml": defaults(service("again"))})
        until(server, lambda: kind(server) == "again")


def test_no_directory_and_no_files_are_no_defaults(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, {"Bundler/b.xml": '<Bundle><BoundService name="s"/></Bundle>'}) as server:
        assert kind(server) is None
        assert (tmp_path / "Defaults").is_dir()


def test_a_thousand_files(tmp_path: Path) -> None:
    files = {f"d{n}": defaults(service(str(n), f"s{n}"), f'priority="{n}"') for n in range(1000)}
    entries = "".join(f'<BoundService name="s{n}"/>' for n in range(1000))
    with plugin_site(tmp_path, PLUGINS, site("", entries, **files)) as server:
        found = {entry.get("name"): entry.get("type") for entry in configuration(server).iter("Service")}
    assert found == {f"s{n}": str(n) for n in range(1000)}
