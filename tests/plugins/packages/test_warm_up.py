"""Resolvers know, before a client asks, what earlier clients' packages led to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geventcore.plugins.packages.options import RESOLVER
from geventcore.plugins.packages.plugin import Packages
from tests.support.package_sites import apt_repository, apt_source, package_site, stanza

A_NEEDS_B = (stanza("a", Depends="b"), stanza("b"), stanza("c"))
WANTS_A = '<Package name="a"/>'


def known(plugin: Packages) -> set[str]:
    """All names that resolvers have found something out about."""
    return {name for one in plugin.store.in_use.collections.values() for name in one.known_names}


def keep_names(plugin: Packages) -> None:
    """Do what the plugin's thread does from time to time."""
    plugin._do_later()


@pytest.mark.parametrize("resolver", ["enabled", "apt-like"])
def test_a_start_knows_what_earlier_clients_led_to(resolver: str, tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    source = apt_source(f"file://{tmp_path}/data")
    with package_site(tmp_path / "repo", source, WANTS_A, {RESOLVER: resolver}) as site:
        assert known(site.plugin) == set()
        assert site.added() == {"b"}
        keep_names(site.plugin)
    with package_site(tmp_path / "repo", source, WANTS_A, {RESOLVER: resolver}) as site:
        assert known(site.plugin) == {"a", "b"}
        assert site.added() == {"b"}


def test_names_are_kept_at_the_end_of_a_server(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    source = apt_source(f"file://{tmp_path}/data")
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        assert site.added() == {"b"}
        site.plugin.shutdown()
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        assert known(site.plugin) == {"a", "b"}


def test_new_data_are_known_as_well_as_old_ones(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with package_site(tmp_path / "repo", apt_source(f"file://{tmp_path}/data"), WANTS_A) as site:
        assert site.added() == {"b"}
        apt_repository(tmp_path / "data", stanza("a", Depends="c"), stanza("c"))
        site.plugin.Refresh()
        assert known(site.plugin) == set()
        keep_names(site.plugin)
        # There is no b any more.
        assert known(site.plugin) == {"a"}
        assert site.added() == {"c"}


def test_names_of_other_sources_are_forgotten(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    url = f"file://{tmp_path}/data"
    with package_site(tmp_path / "repo", apt_source(url), WANTS_A) as site:
        assert site.added() == {"b"}
        keep_names(site.plugin)
    with package_site(tmp_path / "repo", apt_source(url, "<Blacklist>x</Blacklist>"), WANTS_A) as site:
        assert known(site.plugin) == set()
        assert site.added() == {"b"}
        keep_names(site.plugin)
        (kept,) = json.loads(site.plugin.store.cache.known_names.read_bytes())["collections"]
        assert kept["names"] == ["a", "b"]


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b'{"collections": [{}]}', b'{"collections": [{"sources": 1, "names": 2}]}']
)
def test_a_damaged_file_harms_nothing(damage: bytes, tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    source = apt_source(f"file://{tmp_path}/data")
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        path = site.plugin.store.cache.known_names
    path.write_bytes(damage)
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        assert site.added() == {"b"}
        keep_names(site.plugin)
    assert json.loads(path.read_bytes())["collections"]


def test_logins_are_not_kept(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with package_site(tmp_path / "repo", apt_source(f"file://user:secret@{tmp_path}/data"), WANTS_A) as site:
        site.configuration()
        keep_names(site.plugin)
        path = site.plugin.store.cache.known_names
        assert not path.exists() or b"secret" not in path.read_bytes()
