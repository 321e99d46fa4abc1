"""Rules: which rule completes an entry and what it adds; conflicts; files that are broken, edited or gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore.options.server import REPOSITORY
from geventcore.options.settings import default_settings
from geventcore.plugins.rules import REGEX, REPLACE_NAME
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer, write_files
from tests.support.plugin_site import configuration, entry_of, messages, plugin_site

PLUGINS = ("Bundler", "Rules")
PY = 'xmlns:py="http://genshi.edgewall.org/"'


def rules(body: str, attributes: str = 'priority="5"') -> str:
    return f"<Rules {attributes}>{body}</Rules>"


def site(body: str, entry: str = '<Service name="s"/>', **files: str) -> dict[str, str | bytes]:
    return {
        "Bundler/b.xml": f"<Bundle>{entry}</Bundle>",
        "Rules/r.xml": rules(body),
        **{f"Rules/{name}.xml": text for name, text in files.items()},
    }


def status(server: SmallServer, name: str = "s", hostname: str = "h") -> str | None:
    """The attribute by which tests tell rules apart; None if the entry failed."""
    entry = entry_of(server, "Service", name, hostname)
    return None if entry.get("failure") is not None else entry.get("status", "")


def service(value: str, name: str = "s") -> str:
    return f'<Service name="{name}" status="{value}"/>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (service("on"), "on"),
        (f'<Group name="web">{service("on")}</Group>', "on"),
        (f'<Group name="no">{service("on")}</Group>', None),
        (f'<Group name="no" negate="true">{service("on")}</Group>', "on"),
        (f'<Client name="h"><Group name="web">{service("on")}</Group></Client>', "on"),
        (f'<Client name="x">{service("on")}</Client>', None),
        (f'<Service name="outer" status="off">{service("on")}</Service>', "on"),
        ('<Package name="s" status="on"/>', None),
        (service("on", "S"), None),
        (service("on", "s.*"), None),
        ('<Service status="on"/>', None),
        (f"<!-- {service('on')} -->", None),
        ("", None),
        # A rule that is for others does not stand in the way of one that is for this client.
        (f'<Group name="no">{service("off")}</Group>{service("on")}', "on"),
    ],
)
def test_which_rule_is_for_an_entry(tmp_path: Path, body: str, expected: str | None) -> None:
    with plugin_site(tmp_path, PLUGINS, site(body)) as server:
        assert status(server) == expected


@pytest.mark.parametrize(("rule", "entry"), [("/d/", "/d"), ("/d", "/d/"), ("/d//", "/d/"), ("/", "/")])
def test_slashes_at_the_end_of_a_path_mean_nothing(tmp_path: Path, rule: str, entry: str) -> None:
    files = site(f'<Path name="{rule}" type="directory"/>', f'<Path name="{entry}"/>')
    with plugin_site(tmp_path, PLUGINS, files) as server:
        found = entry_of(server, "Path", entry)
    assert (found.get("type"), found.get("failure")) == ("directory", None)


def test_an_entry_keeps_what_it_says_and_gets_the_rest(tmp_path: Path) -> None:
    rule = (
        '<Action name="a" timing="pre" when="always">command'
        '<Group name="web"><Child n="1"/></Group><Group name="no"><Child n="2"/></Group><Child n="3"/></Action>'
    )
    with plugin_site(tmp_path, PLUGINS, site(rule, '<Action name="a" timing="post"><Child n="0"/></Action>')) as server:
        entry = entry_of(server, "Action", "a")
        again = entry_of(server, "Action", "a")
    assert dict(entry.attrib) == {"name": "a", "timing": "post", "when": "always"}
    assert entry.text == "command"
    assert [child.get("n") for child in entry] == [child.get("n") for child in again] == ["0", "3", "1"]


def test_the_higher_priority_counts(tmp_path: Path) -> None:
    files = site(
        service("five"),
        ten=rules(service("ten"), 'priority="10"'),
        twenty=rules(f'<Group name="no">{service("twenty")}</Group>', 'priority="20"'),
        negative=rules(service("negative"), 'priority="-7"'),
    )
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert status(server) == "ten"


@pytest.mark.parametrize("again", [service("off"), f'<Group name="web">{service("off")}</Group>'])
@pytest.mark.parametrize("in_one_file", [True, False])
def test_two_rules_of_one_priority_fail_the_entry_and_no_other(tmp_path: Path, again: str, in_one_file: bool) -> None:
    first = service("on") + service("on", "other")
    entries = '<Service name="s"/><Service name="other"/>'
    files = site(first + again, entries) if in_one_file else site(first, entries, more=rules(again))
    with plugin_site(tmp_path, PLUGINS, files) as server:
        failure = entry_of(server, "Service", "s").get("failure") or ""
        assert "2 rules of priority 5 for Service:s, host h, in " in failure
        assert failure.count(str(tmp_path)) == (1 if in_one_file else 2)
        assert status(server, "other") == "on"


@pytest.mark.parametrize("attributes", ["", 'priority="high"', 'priority="1.5"'])
def test_a_file_without_a_priority_is_told_and_counts_least(
    tmp_path: Path, attributes: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = site(
        service("on"),
        '<Service name="s"/><Service name="only"/>',
        none=rules(service("none") + service("none", "only"), attributes),
    )
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert (status(server), status(server, "only")) == ("on", "none")
    assert messages(caplog, "Rules/none.xml: the root element has no integer priority; using -1")


# -- names as regular expressions


@pytest.mark.parametrize(
    ("rule", "entry", "fits"),
    [
        ("s.*", "s", True),
        ("s.*", "ssh", True),
        ("s", "ssh", False),
        (".s", "ss", True),
        ("h", "ssh", False),
        ("a|b", "b", True),
        ("(s)+", "sss", True),
        ("s.d", "s.d", True),
    ],
)
def test_a_name_may_be_a_regular_expression(tmp_path: Path, rule: str, entry: str, fits: bool) -> None:
    with plugin_site(
        tmp_path, PLUGINS, site(service("on", rule), f'<Service name="{entry}"/>'), {REGEX: True}
    ) as server:
        assert status(server, entry) == ("on" if fits else None)


def test_a_name_that_fits_literally_and_as_an_expression_is_one_rule(tmp_path: Path) -> None:
    files = site(service("on", "s.d"), '<Service name="s.d"/>')
    with plugin_site(tmp_path, PLUGINS, files, {REGEX: True}) as server:
        assert status(server, "s.d") == "on"


def test_a_name_that_is_no_expression_is_told_and_counts_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = site("\n" + service("on", "s(") + service("on"), '<Service name="s("/><Service name="s"/>')
    with plugin_site(tmp_path, PLUGINS, files, {REGEX: True}) as server:
        assert (status(server, "s("), status(server)) == ("on", "on")
    assert messages(caplog, "Rules/r.xml: line 2: 's(' is not a regular expression")


def test_a_new_setting_counts_for_the_next_client(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(service("on", "s.*"))) as server:
        assert status(server) is None
        server.core.configuration.settings = default_settings({REPOSITORY: tmp_path, REGEX: True})
        assert status(server) == "on"
        server.core.configuration.settings = default_settings({REPOSITORY: tmp_path})
        assert status(server) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("%{name}", "s"),
        ("%name", "s"),
        ("a-%{name}-%name.b", "a-s-s.b"),
        ("100%% %{name}", "100% s"),
        ("%{other} %other", "%{other} %other"),
        ("%", "%"),
        ("%%name", "%name"),
    ],
)
def test_the_name_may_be_filled_in(tmp_path: Path, value: str, expected: str) -> None:
    with plugin_site(tmp_path, PLUGINS, site(service(value)), {REPLACE_NAME: True}) as server:
        assert status(server) == expected
    with plugin_site(tmp_path, PLUGINS, site(service(value))) as server:
        assert status(server) == value


# -- templates, and files that fail, change or go


def test_a_template_is_rendered_for_each_client_and_one_that_fails_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    template = (
        f'<Rules priority="9" {PY}>\n<Service name="s" status="${{metadata.hostname}}"/>\n'
        '<Service py:if="metadata.hostname == \'x\'" name="${metadata.nothing}"/></Rules>'
    )
    with plugin_site(tmp_path, PLUGINS, site(service("plain"), template=template)) as server:
        assert status(server) == "h"
        assert status(server, hostname="y") == "y"
        assert status(server, hostname="x") == "plain"
    assert any("Rules/template.xml: line 3" in line for line in messages(caplog, "x: "))


@pytest.mark.parametrize("broken", [b"<Rules>\n<Service", b"", b"\xff", f'<Rules {PY}><a py:if="("/></Rules>'.encode()])
def test_a_broken_file_is_told_and_the_last_good_version_stays(
    tmp_path: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "Rules/r.xml"
    with plugin_site(tmp_path, PLUGINS, site(service("good"), other=rules(service("o", "o")))) as server:
        path.write_bytes(broken)
        until(server, lambda: bool(messages(caplog, f"{path}: ")))
        assert status(server) == "good"
        path.write_text(rules(service("new")))
        until(server, lambda: status(server) == "new")


def test_files_come_and_go(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(service("on"))) as server:
        assert status(server) == "on"
        (tmp_path / "Rules/r.xml").unlink()
        until(server, lambda: status(server) is None)
        write_files(tmp_path, {"Rules/sub/n.xml": rules(service("again"))})
        until(server, lambda: status(server) == "again")


def test_a_file_that_was_never_good_and_a_directory_cost_nothing_else(tmp_path: Path) -> None:
    files = {**site(service("on"), never="<Rules"), "Rules/d.xml/x": "", "Rules/README": ""}
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert status(server) == "on"


def test_a_thousand_files(tmp_path: Path) -> None:
    files = {f"r{n}": rules(service(str(n), f"s{n}"), f'priority="{n}"') for n in range(1000)}
    entries = "".join(f'<Service name="s{n}"/>' for n in range(1000))
    with plugin_site(tmp_path, PLUGINS, site("", entries, **files)) as server:
        found = {entry.get("name"): entry.get("status") for entry in configuration(server).iter("Service")}
    assert found == {f"s{n}": str(n) for n in range(1000)}


def test_rules_that_say_the_same_are_no_conflict(tmp_path: Path) -> None:
    same = '<Service name="s" type="a" status="on"><x/></Service>'
    again = '<!-- c --><Service status="on" type="a" name="s"><x/></Service>'
    files = site(same, again=rules(again))
    with plugin_site(tmp_path, PLUGINS, files) as server:
        entry = entry_of(server, "Service", "s")
        assert (status(server), entry.get("type"), len(entry)) == ("on", "a", 1)


def test_patterns_that_say_the_same_are_no_conflict(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(service("on", "s.*") + service("on", ".*s")), {REGEX: True}) as server:
        assert status(server) == "on"


@pytest.mark.parametrize(
    "other",
    [
        '<Service name="s" status="on" type="a"/>',
        '<Service name="s" status="on">text</Service>',
        '<Service name="s" status="on"><x/></Service>',
        '<Service name="s" status="on"><Group name="web"><x/></Group></Service>',
    ],
)
def test_rules_that_differ_in_anything_name_both_places(tmp_path: Path, other: str) -> None:
    files = site(service("on"), other=rules(f"\n<Group name='web'>\n{other}</Group>"))
    with plugin_site(tmp_path, PLUGINS, files) as server:
        failure = entry_of(server, "Service", "s").get("failure") or ""
    directory = tmp_path / "Rules"
    assert f"{directory}/r.xml: line 1" in failure
    assert f"{directory}/other.xml: line 3" in failure
