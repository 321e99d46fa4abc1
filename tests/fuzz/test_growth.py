"""No input whose time grows faster than its size: seeds with one thing repeated, more and more often."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.plugins.packages.kinds.apt import AptParser
from geventcore.plugins.packages.kinds.apt_release import parse_release, signed_text
from tests.fuzz.growth import MOST_GROWTH, growth
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
#: What is repeated: blanks and delimiters of all syntaxes, which is what expressions go back and forth over.
UNITS = (
    b" ",
    b"\n",
    b" \n",
    b"\r\n",
    b"0",
    b"a",
    b"(",
    b"(>= ",
    b">",
    b"[",
    b"{",
    b"<a>",
    b"&lt;",
    b",",
    b".",
    b"-",
    b"%(a)s",
    b"group:",
    b"\xff",
    b"a: &a [*a]\n",
    b"a:b;",
    b"1\r\na\r\n",
)
#: The shorter of two inputs.
BYTES = 2 * 1024


def pumped(seed: bytes, unit: bytes, place: int, size: int) -> bytes:
    return seed[:place] + unit * (size // len(unit)) + seed[place:]


def places(seed: bytes) -> Iterator[int]:
    """The middle, and behind the last delimiter, where values are."""
    yield len(seed) // 2
    yield max(seed.rfind(mark) for mark in (b"(", b":", b'"', b"=", b">")) + 1


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_time_grows_no_faster_than_the_input(name: str, quiet_log: None) -> None:
    for path in sorted((CORPUS / name).iterdir()):
        seed = path.read_bytes()
        for unit in UNITS:
            for place in set(places(seed)):
                found = growth(TARGETS[name], lambda size: pumped(seed, unit, place, size), BYTES)  # noqa: B023
                assert found < MOST_GROWTH, f"{path.name} with {unit!r} at {place}: {found:.1f} times"


def _joined_piece_by_piece(data: bytes) -> bytes:
    found = b""
    for start in range(0, len(data), 16):
        found = found + data[start : start + 16]
    return found


@pytest.mark.parametrize(
    ("function", "size", "is_linear"),
    [
        (lambda data: re.search(rb"a+b", data), 2000, False),
        (lambda data: re.fullmatch(rb"a*\s*a*b", data), 2000, False),
        (_joined_piece_by_piece, 40_000, False),
        (lambda data: [data.startswith(b"b", place) for place in range(len(data))], 24_000, True),
        (lambda data: re.findall(rb"a", data), 24_000, True),
    ],
    ids=["search", "match", "copies", "loop", "list"],
)
def test_growth_is_told_from_chance(function: Callable[[bytes], object], size: int, is_linear: bool) -> None:
    assert (growth(function, lambda size: b"a" * size, size) < MOST_GROWTH) is is_linear


@pytest.mark.parametrize(
    "relation",
    [
        *("a{}(>= 1)", "a ({}>= 1)", "a (>={}1)", "a (>= 1{})", "a (>= 1){}"),
        *("{}", "a | {}b", "a:{}b", "a [{}]", "a <{}>"),
        # Not closed.
        *("a ({}", "a (>={}", "a (>={}x", "a ({}x{}", "a{}x"),
    ],
)
@pytest.mark.parametrize("unit", [" ", "\t ", ">", "=", "x", "(", "[", ":", "(>", " ("])
def test_relations_of_packages(relation: str, unit: str) -> None:
    def parse(relations: str) -> None:
        data = iter([f"Package: p\nVersion: 1\nDepends: {relations}\n".encode(), b""])
        AptParser("amd64").feed(lambda _size: next(data))

    assert growth(parse, lambda size: relation.replace("{}", unit * (size // len(unit))), BYTES) < MOST_GROWTH


@pytest.mark.parametrize("line", [" x", "x: y", " " + "0" * 64 + " 1 a/b", "\t", "- x"])
def test_releases(line: str) -> None:
    def parse(lines: str) -> None:
        text = f"-----BEGIN PGP SIGNED MESSAGE-----\n\nSuite: s\nSHA256:\n{lines}\n-----BEGIN PGP SIGNATURE-----\n"
        parse_release(signed_text(text))

    assert growth(parse, lambda size: f"{line}\n" * (size // len(line)), 30_000) < MOST_GROWTH
