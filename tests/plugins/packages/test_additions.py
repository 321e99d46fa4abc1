"""What is added to a client's packages comes back as it was, however often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.plugins.packages.additions import Wanted, make_addition
from geventcore.plugins.packages.resolver import Resolution

_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1)
_names = st.one_of(st.sampled_from(["a", "libc6", "g++", "perl(Foo::Bar)", "/bin/sh", "a b", '"', "<&>"]), _texts)


@given(st.frozensets(_names), st.frozensets(_names), _texts)
def test_packages_that_no_entry_names_are_added(packages: frozenset[str], named: frozenset[str], version: str) -> None:
    wanted = Wanted(named, frozenset(), frozenset())
    addition = make_addition(wanted, Resolution(packages | named, frozenset(), {}), version, "deb")
    for _ in range(2):
        element = addition.element()
        assert (element.tag, dict(element.attrib)) == ("Independent", {"name": "Packages"})
        assert [dict(child.attrib) for child in element] == [
            {"name": name, "version": version, "type": "deb", "origin": "Packages"} for name in sorted(packages - named)
        ]
        assert {child.tag for child in element} <= {"BoundPackage"}
        element.clear()


def test_notes_are_kept() -> None:
    wanted = Wanted(frozenset("a"), frozenset(), frozenset())
    addition = make_addition(
        wanted, Resolution(frozenset("a"), frozenset("zy"), {}, ("a conflicts with b",)), "auto", "deb"
    )
    assert (addition.unknown, addition.problems) == (("y", "z"), ("a conflicts with b",))


@pytest.mark.parametrize("value", [True, False])
def test_a_request_says_whose_recommendations_count(value: bool) -> None:
    wanted = Wanted(frozenset("a"), frozenset("b"), frozenset({("a", value)}))
    assert (wanted.request.names, wanted.request.recommended) == ({"a", "b"}, {"a": value})
