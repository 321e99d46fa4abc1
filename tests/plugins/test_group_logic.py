"""GroupLogic: conditions and results, templates, recursion, and files that are missing, broken or edited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from geventcore.errors import GeventcoreError
from geventcore.options.server import CACHE_MODE
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import TemplateDataProvider
from geventcore.specfiles.structfile import StructFile
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import messages, metadata_of, plugin_site

CONFIG = "GroupLogic/groups.xml"
PLUGINS = ("GroupLogic", "GroupPatterns")


def file_of(body: str) -> dict[str, str | bytes]:
    return {CONFIG: f'<GroupLogic xmlns:py="http://genshi.edgewall.org/">{body}</GroupLogic>'}


def groups_of(server: SmallServer, hostname: str = "h") -> set[str]:
    return metadata_of(server, hostname).groups - {"p", "web"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<Group name="a"/>', {"a"}),
        ('<Group name="web"><Group name="a"/></Group>', {"a"}),
        ('<Group name="no"><Group name="a"/></Group>', set()),
        ('<Group name="no" negate="true"><Group name="a"/></Group>', {"a"}),
        ('<Client name="h"><Group name="a"/><Group name="b"/></Client>', {"a", "b"}),
        ('<Client name="x"><Group name="a"/></Client>', set()),
        ('<Group name="web"><Client name="h"><Group name="p"><Group name="a"/></Group></Client></Group>', {"a"}),
        ('<Group name="a"><!-- a comment is no child --></Group>', {"a"}),
        ("<Group/>", set()),
        # A result is no condition for what stands beside it.
        ('<Group name="a"/><Group name="a"><Group name="b"/></Group>', {"a"}),
        (
            '<Group py:if="metadata.hostname == \'h\'" name="a"/><Group py:for="n in range(2)" name="n$n"/>',
            {"a", "n0", "n1"},
        ),
        ("<Group name=\"${'-'.join(sorted(metadata.groups))}\"/>", {"p-web"}),
        ("<Other/>", set()),
    ],
)
def test_conditions_and_results(tmp_path: Path, body: str, expected: set[str]) -> None:
    with plugin_site(tmp_path, ["GroupLogic"], file_of(body)) as server:
        assert groups_of(server) == expected


def test_it_sees_the_groups_that_other_connectors_give(tmp_path: Path) -> None:
    patterns = (
        "<GroupPatterns><GroupPattern><NamePattern>^h</NamePattern><Group>early</Group></GroupPattern></GroupPatterns>"
    )
    files = {**file_of('<Group name="early"><Group name="late"/></Group>'), "GroupPatterns/config.xml": patterns}
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert groups_of(server) == {"early", "late"}


def test_a_category_declares_the_group_and_holds_one_of_its_groups(tmp_path: Path) -> None:
    body = '<Group name="a" category="c"/><Group name="b" category="c"/>'
    with plugin_site(tmp_path, ["GroupLogic"], file_of(body)) as server:
        metadata = metadata_of(server)
        assert metadata.categories == {"c": "a"}
        assert "b" not in metadata.groups


class Lookup(Plugin, TemplateDataProvider):
    """A site's plugin that lets XML templates see the groups of another client."""

    creates_directory = False

    def get_xml_template_data(self, structfile: StructFile, metadata: ClientMetadata) -> Mapping[str, Any]:
        return {"groups_of": lambda name: self.context.build_metadata(name).groups}


def test_a_template_may_ask_for_other_clients_and_even_for_its_own(tmp_path: Path) -> None:
    body = """<Group name="saw-${'-'.join(sorted(groups_of('b' if metadata.hostname == 'a' else 'a')))}"/>"""
    with plugin_site(tmp_path, ["GroupLogic", f"{__name__}.Lookup"], file_of(body)) as server:
        # Each asks for the other one, which asks back, and then gets an answer without these groups.
        assert groups_of(server, "a") == groups_of(server, "b") == {"saw-p-saw-p-web-web"}


def test_what_it_gives_depends_on_nothing_left_from_another_build(tmp_path: Path) -> None:
    body = '<Group py:if="metadata.hostname == \'h\'" name="only-h"/>'
    with plugin_site(tmp_path, ["GroupLogic"], file_of(body)) as server:
        for _ in range(2):
            assert groups_of(server, "h") == {"only-h"}
            assert groups_of(server, "other") == set()


def test_a_missing_file_is_made(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["GroupLogic"], {}) as server:
        assert groups_of(server) == set()
    assert (tmp_path / CONFIG).read_text() == '<GroupLogic xmlns:py="http://genshi.edgewall.org/"/>\n'


@pytest.mark.parametrize("mode", ["off", "aggressive"])
def test_an_edit_counts_at_once_and_what_is_broken_leaves_the_last_good_version(
    tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / CONFIG
    with plugin_site(tmp_path, ["GroupLogic"], file_of('<Group name="one"/>'), {CACHE_MODE: mode}) as server:
        assert groups_of(server) == {"one"}
        path.write_text('<GroupLogic><Group name="two"/></GroupLogic>')
        until(server, lambda: groups_of(server) == {"two"})
        path.write_text("<GroupLogic>\n<Group")
        until(server, lambda: bool(messages(caplog, "groups.xml: not well-formed")))
        path.write_text('<GroupLogic xmlns:py="http://genshi.edgewall.org/">\n<Group py:if="(" name="x"/></GroupLogic>')
        until(server, lambda: any("groups.xml: line 2" in line for line in messages(caplog, "groups.xml")))
        path.unlink()
        until(server, lambda: bool(messages(caplog, "groups.xml: deleted")))
        assert groups_of(server) == {"two"}


def test_a_template_that_fails_ends_the_build_of_that_client_and_says_where(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = '\n<Group py:if="metadata.hostname == \'h\'" name="${metadata.nothing}"/>'
    with plugin_site(tmp_path, ["GroupLogic"], file_of(body)) as server:
        with pytest.raises(GeventcoreError, match=r"GroupLogic/groups\.xml: line 2"):
            metadata_of(server)
        assert groups_of(server, "other") == set()
    assert len(messages(caplog, "GroupLogic.get_additional_groups failed for h")) == 1


def test_a_thousand_groups(tmp_path: Path) -> None:
    body = "".join(f'<Client name="h{n}"><Group name="g{n}"/></Client>' for n in range(1000))
    with plugin_site(tmp_path, ["GroupLogic"], file_of(body)) as server:
        assert groups_of(server, "h999") == {"g999"}
