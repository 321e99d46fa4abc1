"""Deps: which prerequisites are added, conflicts, and files that are broken, edited or gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer, write_files
from tests.support.plugin_site import configuration, messages, plugin_site

PLUGINS = ("Bundler", "Deps", "Rules")


def deps(body: str, priority: str = ' priority="5"') -> str:
    return f"<Dependencies{priority}>{body}</Dependencies>"


def site(body: str, *bundle: str, **files: str) -> dict[str, str | bytes]:
    """A repository whose bundle has some packages, with one file of Deps and a rule for everything."""
    return {
        "Bundler/b.xml": f"<Bundle>{''.join(bundle) or package('a')}</Bundle>",
        "Deps/d.xml": deps(body),
        "Rules/r.xml": '<Rules priority="1"><Package name="bound" type="deb"/></Rules>',
        **{f"Deps/{name}.xml": text for name, text in files.items()},
    }


def package(name: str, *children: str) -> str:
    return f'<Package name="{name}">{"".join(children)}</Package>' if children else f'<Package name="{name}"/>'


def added(server: SmallServer, hostname: str = "h") -> list[str]:
    """What is in the structure of Deps, as ``Tag:name``."""
    (structure,) = (each for each in configuration(server, hostname) if each.get("name") == "Deps")
    assert structure.tag == "Independent"
    return [f"{entry.tag}:{entry.get('name')}" for entry in structure]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", []),
        (package("a", package("b"), '<Service name="s"/>'), ["Package:b", "Service:s"]),
        (
            package("a", package("b")) + package("b", package("c")) + package("c", package("a")),
            ["Package:b", "Package:c"],
        ),
        (package("a", package("a")), []),
        (package("b", package("c")), []),
        ('<Service name="a"><Package name="c"/></Service>', []),
        (f'<Group name="web">{package("a", package("b"))}</Group>', ["Package:b"]),
        (f'<Group name="no">{package("a", package("b"))}</Group>', []),
        (f'<Group name="no" negate="true">{package("a", package("b"))}</Group>', ["Package:b"]),
        (f'<Client name="x">{package("a", package("b"))}</Client>', []),
        (
            package(
                "a", '<Group name="web"><Package name="w"/></Group>', '<Group name="no"><Package name="n"/></Group>'
            ),
            ["Package:w"],
        ),
        (package("a", "<Package/>", package("b")), ["Package:b"]),
        # A prerequisite is no rule about itself.
        (package("x", package("a", package("c"))), []),
    ],
)
def test_prerequisites(tmp_path: Path, body: str, expected: list[str]) -> None:
    with plugin_site(tmp_path, PLUGINS, site(body)) as server:
        assert added(server) == expected


def test_bound_entries_count_under_their_own_tag(tmp_path: Path) -> None:
    files = site(package("a", package("b"), package("c")), '<BoundPackage name="a"/>', '<BoundPackage name="c"/>')
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert added(server) == ["Package:b"]


def test_what_is_added_is_bound_like_everything_else(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(package("a", package("bound"), package("unbound")))) as server:
        (structure,) = (each for each in configuration(server) if each.get("name") == "Deps")
    bound, unbound = structure
    assert (bound.get("type"), bound.get("failure")) == ("deb", None)
    assert unbound.get("failure") == "no matching generator"


def test_deps_is_no_generator(tmp_path: Path) -> None:
    files = site(package("bound", package("b")), package("bound"))
    with plugin_site(tmp_path, PLUGINS, files) as server:
        (entry,) = (each for each in configuration(server).iter("Package") if each.get("name") == "bound")
    assert entry.get("failure") is None


def test_the_higher_priority_counts_and_equal_ones_are_a_conflict(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = site(
        package("a", package("low")) + package("e", package("one")),
        package("a") + package("e"),
        higher=deps(package("a", package("high")), ' priority="6"'),
        equal=deps(package("e", package("other"))),
    )
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert added(server) == ["Package:high"]
    assert len(messages(caplog, "h: cannot determine the prerequisites of Package:e: 2 rules of priority 5")) == 1


@pytest.mark.parametrize("priority", ["", ' priority="x"'])
def test_a_file_without_a_priority_is_told_and_used_last(
    tmp_path: Path, priority: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = deps(package("a", package("c")) + package("b", package("d")), priority)
    with plugin_site(tmp_path, PLUGINS, site(package("a", package("b")), other=other)) as server:
        assert added(server) == ["Package:b", "Package:d"]
    assert messages(caplog, "Deps/other.xml: the root element has no integer priority")


def test_a_template_is_rendered_for_each_client_and_one_that_fails_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    template = (
        '<Dependencies priority="9" xmlns:py="http://genshi.edgewall.org/">\n'
        '<Package name="a"><Package name="for-${metadata.hostname}"/></Package>\n'
        "<Package py:if=\"metadata.hostname == 'x' and metadata.nothing\" name='b'/></Dependencies>"
    )
    files = site(package("a", package("plain")), template=template)
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert added(server) == ["Package:for-h"]
        assert added(server, "x") == ["Package:plain"]
    assert any("Deps/template.xml: line 3" in line for line in messages(caplog, "x: "))


def test_files_change_come_and_go_and_broken_ones_leave_the_last_good_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "Deps/d.xml"
    with plugin_site(tmp_path, PLUGINS, site(package("a", package("b")))) as server:
        path.write_text(deps(package("a", package("c"))))
        until(server, lambda: added(server) == ["Package:c"])
        for broken in (b"<Dependencies>\n<Package", b"\xff", b""):
            caplog.clear()
            path.write_bytes(broken)
            until(server, lambda: bool(messages(caplog, "Deps/d.xml: not well-formed")))
        assert added(server) == ["Package:c"]
        write_files(tmp_path, {"Deps/sub/e.xml": deps(package("c", package("d")))})
        until(server, lambda: added(server) == ["Package:c", "Package:d"])
        path.unlink()
        until(server, lambda: added(server) == [])


def test_a_chain_of_a_thousand_in_a_thousand_files(tmp_path: Path) -> None:
    chain = {f"d{n}": deps(package(f"p{n}", package(f"p{n + 1}"))) for n in range(1000)}
    with plugin_site(tmp_path, PLUGINS, site("", package("p0"), **chain)) as server:
        assert sorted(added(server)) == sorted(f"Package:p{n}" for n in range(1, 1001))
