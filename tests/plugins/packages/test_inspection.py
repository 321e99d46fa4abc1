"""Mistakes in sources are found before a server uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from geventcore.plugins.packages.inspection import reasons, source_problems, unknown_names
from tests.support.package_sites import apt_repository, apt_source, package_site, stanza

GOOD = '<Source type="apt" url="http://h/" version="s"><Component>c</Component><Arch>x</Arch></Source>'
BACKENDS = ("Yum", "Apt", "Pac")


def problems(sources: str) -> list[str]:
    return [problem.text for problem in source_problems(etree.fromstring(f"<Sources>{sources}</Sources>"), BACKENDS)]


def test_a_good_source_has_none() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('type="apt"', 'type="atp"', "type 'atp'; the types are apt, yum, pac, pkgng"),
        ('type="apt"', "", "no type"),
        ('type="apt"', 'type="pkgng"', "backends leaves out"),
        ("http://h/", "gopher://h/", "no scheme that can be fetched"),
        ("http://h/", "http:///x", "names no host"),
        ("http://h/", "http://[h/", "bad URL"),
        ('url="http://h/"', "", "neither url nor rawurl"),
        ("<Arch>x</Arch>", "", "no Arch element"),
        ("<Component>c</Component>", "", "no Component element"),
        ('version="s"', "", "has no version"),
        ("<Source ", '<Source recomended="true" ', "the attribute recomended is unknown"),
        ("<Source ", '<Source recommended="yes" ', "means false"),
        ("<Arch>", "<Blaklist>x</Blaklist><Arch>", "the element Blaklist is unknown"),
        ("<Arch>", "<Blacklist> </Blacklist><Arch>", "the element Blacklist is empty"),
        ("<Arch>", "<Blacklist>p</Blacklist><Whitelist>p</Whitelist><Arch>", "in Blacklist and Whitelist: p"),
        ("<Arch>", "<GPGKey>key</GPGKey><Arch>", "GPGKey key has no scheme"),
    ],
)
def test_each_mistake_is_named(old: str, new: str, text: str) -> None:
    (found,) = problems(GOOD.replace(old, new, 1))
    assert text in found


def test_a_login_stays_secret() -> None:
    (found,) = problems(GOOD.replace("http://h/", "gopher://ann:secret@h/"))
    assert "secret" not in found


def test_a_package_has_reasons_and_unknown_names_are_listed(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", stanza("a", Depends="b"), stanza("b", Depends="c"), stanza("c"))
    with package_site(tmp_path / "repo", apt_source(f"file://{tmp_path}/data"), "") as site:
        collection = site.plugin.collection(site.server.core.build_metadata("n1"))
        resolution = collection.resolve(frozenset({"a", "typo"}), {})
        assert reasons("c", resolution.needed_by) == ["c", "b", "a"]
        assert unknown_names({"a", "typo"}, resolution) == ["typo"]
