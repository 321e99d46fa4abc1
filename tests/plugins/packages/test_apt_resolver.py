"""With ``resolver = apt-like``, clients get what apt installs where nothing is installed."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from contrib.packages.apt import PrivateApt
from geventcore.plugins.packages.apt_resolver import AptResolver
from geventcore.plugins.packages.resolver import Request, Resolution
from tests.plugins.packages.indexes import made_source, stanza


@dataclass(frozen=True)
class Case:
    """Packages of one source or several, what is asked for, and what apt adds to that."""

    name: str
    asked: str
    added: str
    sources: Sequence[Sequence[str]]
    recommends: bool = False


def case(name: str, asked: str, added: str, *packages: str, recommends: bool = False) -> Case:
    return Case(name, asked, added, [packages], recommends)


CASES = [
    case("requirements", "a", "b c", stanza("a", Depends="b", Pre_Depends="c"), stanza("b"), stanza("c")),
    case("first alternative", "a", "b", stanza("a", Depends="b | c"), stanza("b"), stanza("c")),
    case("alternative that is asked for", "a c", "", stanza("a", Depends="b | c"), stanza("b"), stanza("c")),
    case(
        "alternative that another one needs first",
        "a d",
        "b c",
        stanza("a", Depends="c, b | e"),
        stanza("c", Depends="b"),
        stanza("b"),
        stanza("d", Depends="e | b"),
        stanza("e"),
    ),
    case("alternative too old", "a", "c", stanza("a", Depends="b (>= 2) | c"), stanza("b"), stanza("c")),
    case("alternative that does not exist", "a", "c", stanza("a", Depends="b | c"), stanza("c")),
    case(
        "alternative that lacks something",
        "a",
        "c",
        stanza("a", Depends="b | c"),
        stanza("b", Depends="gone"),
        stanza("c"),
    ),
    case(
        "alternative that lacks something in the end",
        "a",
        "c",
        stanza("a", Depends="b | c"),
        stanza("b", Depends="d, e"),
        stanza("c"),
        stanza("d"),
        stanza("e", Depends="f"),
        stanza("f", Depends="gone"),
    ),
    case(
        "alternative that conflicts",
        "a z",
        "c",
        stanza("a", Depends="b | c"),
        stanza("b", Conflicts="z"),
        stanza("c"),
        stanza("z"),
    ),
    case(
        "alternative that is excluded by what is asked for",
        "a z",
        "c",
        stanza("a", Depends="b | c"),
        stanza("b"),
        stanza("c"),
        stanza("z", Conflicts="b"),
    ),
    case(
        "breaks another version",
        "a z",
        "b",
        stanza("a", Depends="b | c"),
        stanza("b", Version="2"),
        stanza("c"),
        stanza("z", Breaks="b (<< 2)"),
    ),
    case(
        "breaks this version",
        "a z",
        "c",
        stanza("a", Depends="b | c"),
        stanza("b", Version="1"),
        stanza("c"),
        stanza("z", Breaks="b (<< 2)"),
    ),
    case(
        "last mentioned provider",
        "a",
        "two",
        stanza("one", Provides="virtual"),
        stanza("two", Provides="virtual"),
        stanza("a", Depends="virtual"),
    ),
    case(
        "provider that was mentioned early",
        "a",
        "one",
        stanza("a", Depends="virtual", Suggests="two"),
        stanza("one", Provides="virtual"),
        stanza("two", Provides="virtual"),
    ),
    case(
        "provider of a higher priority",
        "a",
        "one",
        stanza("one", Provides="virtual", Priority="standard"),
        stanza("two", Provides="virtual"),
        stanza("a", Depends="virtual"),
    ),
    case(
        "protected provider",
        "a",
        "one",
        stanza("one", Provides="virtual", Protected="yes"),
        stanza("two", Provides="virtual", Priority="required"),
        stanza("a", Depends="virtual"),
    ),
    case(
        "package of the name before its providers",
        "a",
        "virtual",
        stanza("virtual"),
        stanza("two", Provides="virtual", Priority="required"),
        stanza("a", Depends="virtual"),
    ),
    case(
        "provided version",
        "a",
        "one",
        stanza("one", Provides="virtual (= 2)"),
        stanza("two", Provides="virtual"),
        stanza("three", Provides="virtual (= 1)"),
        stanza("a", Depends="virtual (>= 2)"),
    ),
    case("virtual name that is asked for", "mta", "b c", stanza("b", Provides="mta", Depends="c"), stanza("c")),
    case("any architecture", "a", "b", stanza("a", Depends="b:any"), stanza("b", Multi_Arch="allowed")),
    case("recommendation", "a", "", stanza("a", Recommends="b"), stanza("b")),
    case(
        "recommendation that counts",
        "a",
        "b c",
        stanza("a", Recommends="b"),
        stanza("b", Recommends="c"),
        stanza("c"),
        recommends=True,
    ),
    case("recommendation that is gone", "a", "", stanza("a", Recommends="b"), recommends=True),
    case("circle", "a", "b c", stanza("a", Depends="b"), stanza("b", Depends="c"), stanza("c", Depends="a, b")),
    case(
        "what was added for an alternative that failed",
        "a",
        "c",
        stanza("a", Depends="b | c"),
        stanza("b", Depends="d, e"),
        stanza("c"),
        stanza("d"),
        stanza("e", Conflicts="a"),
    ),
    case(
        "conflict among what is added",
        "a z",
        "b x",
        stanza("a", Depends="b | c"),
        stanza("b"),
        stanza("c"),
        stanza("x"),
        stanza("y", Conflicts="b"),
        stanza("z", Depends="y | x"),
    ),
    Case(
        "newest version of several sources",
        "a",
        "c",
        [[stanza("a", Depends="b"), stanza("b")], [stanza("a", Version="2", Depends="c"), stanza("c")]],
    ),
    Case(
        "first source of the same version",
        "a",
        "c",
        [[stanza("a", Depends="c"), stanza("b")], [stanza("a", Version="0.9", Depends="b"), stanza("c")]],
    ),
    Case(
        "provider only in an old version",
        "a",
        "two",
        [
            [stanza("two", Provides="virtual"), stanza("a", Depends="virtual"), stanza("one", Provides="virtual")],
            [stanza("one", Version="2")],
        ],
    ),
    Case(
        "mentioned in the first source",
        "a",
        "one",
        [
            [stanza("x", Suggests="two")],
            [stanza("one", Provides="virtual"), stanza("two", Provides="virtual"), stanza("a", Depends="virtual")],
        ],
    ),
]
_ids = [one.name for one in CASES]


def resolve(given: Case) -> Resolution:
    sources = [made_source(*packages, recommended=given.recommends) for packages in given.sources]
    return AptResolver(sources).resolve(Request(frozenset(given.asked.split()), {}))


@pytest.mark.parametrize("given", CASES, ids=_ids)
def test_packages_are_added_as_apt_does(given: Case) -> None:
    found = resolve(given)
    assert found.packages - set(given.asked.split()) == set(given.added.split())
    assert (found.unknown, found.problems) == (frozenset(), ())
    assert set(found.needed_by) == set(given.added.split())


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed on this machine")
def test_the_cases_are_what_apt_does(tmp_path: Path) -> None:
    for number, given in enumerate(CASES):
        root = tmp_path / str(number)
        lines = []
        for place, packages in enumerate(given.sources):
            directory = root / f"source{place}"
            directory.mkdir(parents=True)
            files = (f"{text}Filename: {text.split()[1]}.deb\nSize: 1\nSHA256: {'0' * 64}\n" for text in packages)
            (directory / "Packages.gz").write_bytes(gzip.compress("\n".join(files).encode()))
            lines.append(f"deb [trusted=yes] file:{directory} ./")
        apt = PrivateApt(root / "apt")
        apt.create(lines)
        added = apt.installs(given.asked.split(), recommends=given.recommends) - set(given.asked.split())
        assert added == set(given.added.split()), given.name


IMPOSSIBLE = [
    (case("conflict", "a b", "", stanza("a", Conflicts="b"), stanza("b")), "a conflicts with b"),
    (
        case("requirement", "a", "", stanza("a", Depends="gone (>= 2)")),
        "a needs gone (>= 2), which cannot be installed",
    ),
    (
        case("requirement in conflict", "a z", "b", stanza("a", Depends="b"), stanza("b", Conflicts="z"), stanza("z")),
        "b conflicts with z",
    ),
]


@pytest.mark.parametrize(("given", "problem"), IMPOSSIBLE, ids=[given.name for given, _ in IMPOSSIBLE])
def test_what_cannot_be_installed_is_said(given: Case, problem: str) -> None:
    found = resolve(given)
    assert found.packages >= set(given.asked.split())
    assert found.problems == (problem,)


def test_unknown_and_hidden_packages_stay_if_they_are_asked_for() -> None:
    source = made_source(stanza("a", Depends="b | c"), stanza("b"), stanza("c"), hidden=frozenset("b"))
    found = AptResolver([source]).resolve(Request(frozenset({"a", "b", "gone"}), {}))
    assert (found.packages, found.unknown) == ({"a", "b", "c", "gone"}, {"b", "gone"})


def test_an_entry_decides_on_its_recommendations() -> None:
    source = made_source(stanza("a", Recommends="b"), stanza("b"), stanza("c", Recommends="d"), stanza("d"))
    found = AptResolver([source]).resolve(Request(frozenset("ac"), {"c": True}))
    assert found.packages == set("acd")


def test_long_chains_are_followed() -> None:
    chain = [stanza(f"p{number}", Depends=f"p{number + 1} | q") for number in range(3000)]
    found = AptResolver([made_source(*chain, stanza("p3000"), stanza("q"))]).resolve(Request(frozenset({"p0"}), {}))
    assert len(found.packages) == 3001
