"""Tests of the plugin Inventory."""

from collections.abc import Callable

import pytest
from inventory import Inventory

from geventcore.testing import Site, client_metadata, plugin_context


@pytest.fixture
def site(geventcore_site: Callable[..., Site]) -> Site:
    """A started site with two hosts."""
    return geventcore_site(
        ["Bundler", "Cfg", "inventory.Inventory"],
        {
            "Inventory/hosts.json": '{"web1": {"rack": "a1", "groups": ["ssd"]}}',
            "Bundler/basic.xml": '<Bundle><Group name="ssd"><Path name="/etc/rack"/></Group></Bundle>',
            "Cfg/etc/rack/rack.jinja2": "{{ metadata.Inventory.rack }}",
        },
        {"inventory": {"default_rack": "store"}},
    )


def test_groups_and_data(site: Site) -> None:
    assert site.metadata("web1").groups == {"basic", "ssd"}
    assert site.metadata("web2").Inventory == {"rack": "store"}


def test_the_file_has_the_rack(site: Site) -> None:
    configuration = site.build("web1")
    configuration.assert_bound()
    assert configuration.text("/etc/rack") == "a1"


def test_a_changed_file_counts(site: Site) -> None:
    site.write("Inventory/hosts.json", '{"web1": {"rack": "b2", "groups": ["ssd"]}}')
    assert site.build("web1").text("/etc/rack") == "b2"


def test_the_plugin_alone(tmp_path) -> None:
    with plugin_context(tmp_path) as context:
        assert Inventory(context).get_additional_groups(client_metadata("web1")) == []
