"""Bcfg2's rules: packages are added where there is no choice, or the first alternative is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from geventcore.plugins.packages.resolver import Request, Resolution, Resolver
from tests.plugins.packages.indexes import MadeSource, made_source, stanza


def resolve(*sources: MadeSource, names: str, first: bool = False, **recommended: bool) -> Resolution:
    resolver = Resolver(sources, first_alternative=first)
    return resolver.resolve(Request(frozenset(names.split()), recommended))


def test_requirements_are_followed() -> None:
    source = made_source(
        stanza("a", Depends="b (>= 1)", Pre_Depends="c"), stanza("b", Depends="d"), stanza("c"), stanza("d")
    )
    found = resolve(source, names="a")
    assert (found.packages, found.unknown) == (frozenset("abcd"), frozenset())
    assert found.needed_by == {"b": "a", "c": "a", "d": "b"}


def test_what_is_asked_for_stays_even_if_no_source_has_it() -> None:
    found = resolve(made_source(stanza("a", Depends="gone")), names="a odd")
    assert (found.packages, found.unknown) == ({"a", "odd"}, {"gone", "odd"})


@pytest.mark.parametrize("provided", ["mail", "mail (= 4)"])
def test_the_only_provider_of_a_name_is_added(provided: str) -> None:
    source = made_source(stanza("a", Depends="mail"), stanza("exim", Provides=provided))
    assert resolve(source, names="a").packages == {"a", "exim"}


def test_with_several_providers_the_client_chooses() -> None:
    source = made_source(
        stanza("a", Depends="mail"), stanza("exim", Provides="mail"), stanza("postfix", Provides="mail (= 3)")
    )
    assert resolve(source, names="a").packages == {"a"}


def test_a_name_that_is_also_provided_is_added_unless_a_provider_is_there() -> None:
    source = made_source(stanza("a", Depends="awk"), stanza("awk"), stanza("mawk", Provides="awk (= 1)"))
    assert resolve(source, names="a").packages == {"a", "awk"}
    assert resolve(source, names="a mawk").packages == {"a", "mawk"}


CHOICES = (
    stanza("a", Depends="gone | b | c"),
    stanza("z", Depends="c"),
    stanza("v", Depends="gone | virtual"),
    stanza("b"),
    stanza("c"),
    stanza("p1", Provides="virtual (= 1)"),
    stanza("p2", Provides="virtual"),
)


@pytest.mark.parametrize(
    ("names", "first", "added"),
    [
        ("a", False, ""),
        ("a", True, "b"),
        # One that is there already counts, in whatever order the packages come.
        ("a z", True, "c"),
        ("a c", True, ""),
        ("v", False, ""),
        ("v", True, "p1"),
        ("v p2", True, ""),
    ],
)
def test_alternatives(names: str, first: bool, added: str) -> None:
    found = resolve(made_source(*CHOICES), names=names, first=first)
    assert found.packages - set(names.split()) == set(added.split())


def test_a_requested_virtual_name_stands_for_its_only_provider() -> None:
    source = made_source(
        stanza("exim", Provides="mta", Depends="a"),
        stanza("x", Provides="web"),
        stanza("y", Provides="web"),
        stanza("a"),
    )
    found = resolve(source, names="mta web")
    assert found.packages == {"mta", "web", "exim", "a"}
    assert found.needed_by == {"exim": "mta", "a": "exim"}
    assert not found.unknown


def test_with_first_an_alternative_is_resolved_itself() -> None:
    source = made_source(
        stanza("a", Depends="b | c"), stanza("b", Depends="d | e"), stanza("c"), stanza("d"), stanza("e")
    )
    assert resolve(source, names="a", first=True).packages == {"a", "b", "d"}


def test_the_outcome_does_not_depend_on_the_order_of_sets() -> None:
    program = (
        "from tests.plugins.packages.test_resolver import *\n"
        "packages = [stanza(f'p{n}', Depends=f'x{n} | x{n + 1}, p{n * 7 % 40}, x{n + 3} | x{n}') for n in range(40)]\n"
        "packages += [stanza(f'x{n}', Depends=f'p{n % 40}') for n in range(50)]\n"
        "found = resolve(made_source(*packages), names='p1 p2 p5 p8 p13 p21 p39', first=True)\n"
        "print(sorted(found.packages), sorted(found.needed_by.items()))\n"
    )
    outcomes = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outcomes) == 1


def test_recommendations_count_where_the_source_or_the_entry_says_so() -> None:
    packages = (stanza("a", Recommends="b"), stanza("b", Recommends="c"), stanza("c"))
    assert resolve(made_source(*packages), names="a").packages == {"a"}
    assert resolve(made_source(*packages), names="a", a=True).packages == {"a", "b"}
    assert resolve(made_source(*packages, recommended=True), names="a").packages == {"a", "b", "c"}
    assert resolve(made_source(*packages, recommended=True), names="a", a=False).packages == {"a"}


def test_the_first_source_that_offers_a_package_counts() -> None:
    first = made_source(stanza("a", Depends="b"), stanza("b"), hidden=frozenset("b"))
    second = made_source(stanza("a", Version="2", Depends="c"), stanza("b", Depends="d"), stanza("c"), stanza("d"))
    assert resolve(first, second, names="a").packages == {"a", "b", "d"}
