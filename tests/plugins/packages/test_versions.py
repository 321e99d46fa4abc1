"""Versions are compared as dpkg and rpm compare them."""

from __future__ import annotations

import shutil
import subprocess
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.plugins.packages.versions import debian_satisfies, debian_version, rpm_version

#: In the order of Debian policy, 5.6.12.
DEBIAN_ORDER = ["1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-1", "1.0-1+b1", "1.0a", "1.0+dfsg", "1.0.1", "1.10", "1:0.1"]
#: In the order of rpm-version(7).
RPM_ORDER = ["1.0~rc1", "1.0", "1.0^git1", "1.0^git1.2", "1.0.a", "1.0.1", "1.1", "1.10"]

_pieces = st.sampled_from(
    ["", "0", "1", "9", "10", "010", "a", "b", "Z", "~", "~~", "+", ".", "-", "rc1", "+b1", "~bpo12"]
)
_versions = st.tuples(st.sampled_from(["", "0:", "1:"]), st.lists(_pieces, max_size=6)).map(
    lambda parts: f"{parts[0]}1{''.join(parts[1])}0"
)


@pytest.mark.parametrize(("lower", "higher"), list(combinations(DEBIAN_ORDER, 2)))
def test_debian_order(lower: str, higher: str) -> None:
    assert debian_version(lower) < debian_version(higher)
    assert not debian_version(higher) < debian_version(lower)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.00", "1.0"), ("1.0-", "1.0")])
def test_debian_versions_that_are_equal(one: str, other: str) -> None:
    assert debian_version(one) == debian_version(other)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed on this machine")
def test_debian_order_is_that_of_dpkg() -> None:
    sample = [*DEBIAN_ORDER, "1.00", "1.0-0", "1.0+b1", "1.0Z", "2:0~", "1.0~bpo12+1", "0:1.0-1"]
    operators = [("lt", "<<"), ("le", "<="), ("eq", "="), ("ge", ">="), ("gt", ">>")]
    for one, other in combinations(sample, 2):
        found = [name for name, relation in operators if debian_satisfies(one, f"{relation} {other}")]
        command = "; ".join(f"dpkg --compare-versions {one} {name} {other} && echo {name}" for name, _ in operators)
        done = subprocess.run(["sh", "-c", f"{command}; true"], capture_output=True, text=True, check=True)
        assert found == done.stdout.split(), (one, other)


@given(_versions, _versions, _versions)
def test_debian_order_is_total(first: str, second: str, third: str) -> None:
    a, b, c = map(debian_version, (first, second, third))
    assert (a < b) + (a == b) + (b < a) == 1
    if a <= b and b <= c:
        assert a <= c


@pytest.mark.parametrize(
    ("version", "condition", "holds"),
    [
        ("1.0", "", True),
        ("1.0", "= 1.0", True),
        ("1.0-1", "= 1.0", False),
        ("1.0", ">= 1.0", True),
        ("1.0~rc1", ">= 1.0", False),
        ("1.0", "<< 1.0", False),
        ("1.0", ">> 0.9", True),
        ("1.0", "< 1.0", True),
        ("1.0", "> 1.0", True),
        ("1.0", "<= 1:0", True),
    ],
)
def test_conditions(version: str, condition: str, holds: bool) -> None:
    assert debian_satisfies(version, condition) is holds


@pytest.mark.parametrize(("lower", "higher"), list(combinations(RPM_ORDER, 2)))
def test_rpm_order(lower: str, higher: str) -> None:
    assert rpm_version("0", lower, "1") < rpm_version("0", higher, "1")


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        (("0", "2", "9"), ("1", "1", "1")),
        (("0", "1", "1"), ("0", "1", "2")),
        (("", "1", "1"), ("0", "1", "1.fc39")),
        (("0", "1.9", "9"), ("0", "1.10", "1")),
        (("0", "1a", "1"), ("0", "1.1", "1")),
    ],
)
def test_rpm_epoch_version_and_release(lower: tuple[str, str, str], higher: tuple[str, str, str]) -> None:
    assert rpm_version(*lower) < rpm_version(*higher)


def test_rpm_separators_do_not_count() -> None:
    assert rpm_version("0", "1.0_1", "1") == rpm_version("0", "1.0.1", "1")


@given(st.lists(st.text("0123456789ab.~^", max_size=6), min_size=3, max_size=3))
def test_rpm_order_is_total(texts: list[str]) -> None:
    a, b, c = (rpm_version("0", text, "1") for text in texts)
    assert (a < b) + (a == b) + (b < a) == 1
    if a <= b and b <= c:
        assert a <= c
