"""An index gives back what the parser of a source has found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.errors import RepositoryError
from geventcore.plugins.packages.index import Condition, PackageGroup, PackageIndex
from geventcore.plugins.packages.index_writing import encode_index
from geventcore.plugins.packages.records import PackageRecord, Priority, SourceRecords
from tests.plugins.packages.indexes import apt_index, stanza

_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_conditions = st.builds(Condition, _names, st.sampled_from(["", ">= 1", "= 2-1"]))
_requirements = st.lists(st.lists(_conditions, min_size=1, max_size=3).map(tuple), max_size=3)
_records = st.builds(
    PackageRecord,
    name=_names,
    version=st.text("0123.-~", max_size=5),
    requires=_requirements,
    recommends=_requirements,
    provides=st.lists(_conditions, max_size=3),
    conflicts=st.lists(_conditions, max_size=3),
    essential=st.booleans(),
    important=st.booleans(),
    priority=st.sampled_from(Priority),
)


def index_of(*packages: PackageRecord) -> PackageIndex:
    return PackageIndex(encode_index("apt", SourceRecords({package.name: package for package in packages}), 7.0))


@given(st.lists(_records, max_size=6, unique_by=lambda record: record.name))
def test_everything_is_given_back(packages: list[PackageRecord]) -> None:
    index = index_of(*packages)
    assert (index.kind, index.made, len(index)) == ("apt", 7.0, len(packages))
    assert sorted(index.package_names()) == sorted(package.name for package in packages)
    for package in packages:
        assert index.is_package(package.name)
        assert index.version(package.name) == package.version
        assert index.priority(package.name) == package.priority
        assert index.is_essential(package.name) is package.essential
        assert index.is_important(package.name) is package.important
        assert index.conditions(package.name) == package.requires
        assert index.conditions(package.name, "recommends") == package.recommends
        assert index.conflicts(package.name) == tuple(package.conflicts)
        for provided in package.provides:
            assert (package.name, provided.version) in index.provided(provided.name)


@given(st.lists(_names, max_size=40, unique=True), _names)
def test_a_name_is_found_if_it_is_there(names: list[str], asked: str) -> None:
    index = index_of(*map(PackageRecord, names))
    assert all(index.is_package(name) for name in names)
    assert index.is_package(asked) is (asked in names)


def test_an_unknown_name_has_nothing() -> None:
    index = index_of(PackageRecord("a"))
    assert not index.is_package("b")
    assert (index.version("b"), index.priority("b"), index.mention("b")) == ("", 0, 0)
    assert (index.conditions("b"), index.conflicts("b"), index.provided("b")) == ([], (), ())
    assert (index.requirements("b"), index.providers("b"), index.is_essential("b")) == ((), (), False)


def test_equal_names_among_alternatives_collapse_without_their_versions() -> None:
    index = index_of(PackageRecord("a", requires=[(Condition("b", "<< 1"), Condition("b", ">> 2"))]))
    assert index.requirements("a") == ("b",)


def test_the_order_of_mentions_is_that_of_apt() -> None:
    index = apt_index(
        stanza("first", Depends="second, python3:any", Suggests="fourth", Breaks="third"),
        stanza("fifth", Provides="seventh", Recommends="sixth"),
    )
    names = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]
    assert [index.mention(name) for name in names] == list(range(1, 8))
    assert index.mention("python3") == 0, "apt counts a name with an architecture as another one"


def test_groups_have_members_of_each_kind() -> None:
    records = SourceRecords(groups={"base": PackageGroup(("a",), ("b",), ("c",))})
    index = PackageIndex(encode_index("yum", records, 0.0))
    group = index.group("base")
    assert group is not None
    members = {kind: group.members(kind) for kind in ("mandatory", "default", "optional", "all")}
    assert members == {"mandatory": ("a",), "default": ("a", "b"), "optional": ("a", "b", "c"), "all": ("a", "b", "c")}
    assert (index.group_names(), index.group("other")) == (["base"], None)


@pytest.mark.parametrize("damage", ["empty", "other", "cut", "version"])
def test_what_is_no_index_is_refused(damage: str, tmp_path: Path) -> None:
    content = encode_index("apt", SourceRecords({"a": PackageRecord("a")}), 0.0)
    path = tmp_path / "index"
    path.write_bytes(
        {
            "empty": b"",
            "other": b"#!/bin/sh\n" * 100,
            "cut": content[:-8],
            "version": content[:7] + b"\xff" + content[8:],
        }[damage]
    )
    with pytest.raises(RepositoryError, match=str(path)):
        PackageIndex.open(path)
