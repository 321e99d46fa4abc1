"""Damaged and hostile lists of packages end in an error of their source, never in a crash."""

from __future__ import annotations

import gzip
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geventcore.errors import PackageSourceError, RepositoryError
from geventcore.plugins.packages.downloads import Downloads, DownloadSettings
from geventcore.plugins.packages.index import PackageIndex
from geventcore.plugins.packages.index_writing import encode_index
from geventcore.plugins.packages.kinds import apt, load_kind
from geventcore.plugins.packages.kinds.apt_release import parse_release, signed_text
from geventcore.plugins.packages.kinds.base import Origin
from geventcore.plugins.packages.records import SourceRecords
from geventcore.plugins.packages.signatures import dearmored
from tests.support.package_repositories import rpm_repository, tar_database
from tests.support.package_sites import stanza

APT = (stanza("a", Depends="b (>= 1) | c, d:any", Provides="x (= 4)", Essential="yes") + stanza("b")).encode()
PACMAN = tar_database({"a-1/desc": b"%NAME%\na\n\n%DEPENDS%\nb>=2\n\n%GROUPS%\ng\n", "b-1/desc": b"%NAME%\nb\n"})
PKGNG = tar_database({"packagesite.yaml": b'{"name": "a", "deps": {"b": {}}}\n{"name": "b"}\n'})

ORIGINS = {
    "apt": Origin("apt", "http://h/", "", "s", ("c",), ("x",)),
    "pac": Origin("pac", "http://h/", "", "", ("c",), ("x",)),
    "pkgng": Origin("pkgng", "http://h/", "", "s", ("c",), ("x",)),
    "yum": Origin("yum", "http://h/", "", "s", ("c",), ("x",)),
}


def rpm_files() -> dict[str, bytes]:
    """The files of a repository, by the ends of their names."""
    with tempfile.TemporaryDirectory() as directory:
        packages = {"a": {"requires": ["/usr/bin/b", "b"]}, "b": {"files": ["/usr/bin/b"]}}
        rpm_repository(Path(directory), packages, groups={"g": {"mandatory": ["a"]}}, ending="")
        return {path.name: path.read_bytes() for path in Path(directory, "repodata").iterdir()}


RPM = rpm_files()


def read(kind_name: str, write: Callable[[Downloads], None]) -> None:
    """Read the files of a source as a refresh does; only errors of sources may be raised."""
    origin = ORIGINS[kind_name]
    with tempfile.TemporaryDirectory() as directory:
        downloads = Downloads(Path(directory), DownloadSettings())
        write(downloads)
        kind = load_kind(kind_name)
        try:
            kind.files(origin, "x", downloads)
            wanted = frozenset(kind.required_paths(origin, "x", downloads)) | {"/usr/bin/b"}
            records = kind.read(origin, "x", downloads, wanted)
        except PackageSourceError:
            return
    index = PackageIndex(encode_index(kind_name, records, 0.0))
    for name in list(index.package_names()):
        assert index.is_package(name)
        index.requirements(name)
        index.providers(name)
        index.conditions(name)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """A good file with some pieces replaced, removed or repeated."""
    data = good
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 40)))
        data = data[:begin] + draw(st.binary(max_size=12)) + data[end:]
        if draw(st.booleans()):
            data += data[begin:end]
    return data


FUZZ = settings(max_examples=150, deadline=None)
WRAPPED = st.sampled_from([bytes, gzip.compress, lzma.compress])


@FUZZ
@given(data=damaged(APT), wrap=WRAPPED)
def test_apt(data: bytes, wrap: Callable[[bytes], bytes]) -> None:
    url = "http://h/dists/s/c/binary-x/Packages.gz"
    read("apt", lambda downloads: void(downloads.path(url).write_bytes(wrap(data))))


@FUZZ
@given(data=damaged(PACMAN), wrap=WRAPPED)
def test_pacman(data: bytes, wrap: Callable[[bytes], bytes]) -> None:
    read("pac", lambda downloads: void(downloads.path("http://h/c/os/x/c.db.tar.gz").write_bytes(wrap(data))))


@FUZZ
@given(data=damaged(PKGNG), wrap=WRAPPED)
def test_pkgng(data: bytes, wrap: Callable[[bytes], bytes]) -> None:
    url = "http://h/freebsd:s:x/c/packagesite.txz"
    read("pkgng", lambda downloads: void(downloads.path(url).write_bytes(wrap(data))))


@pytest.mark.parametrize("name", sorted(RPM, key=lambda name: name[-12:]), ids=lambda name: name[-12:])
def test_yum(name: str) -> None:
    @FUZZ
    @given(data=damaged(RPM[name]))
    def run(data: bytes) -> None:
        def write(downloads: Downloads) -> None:
            for other, content in RPM.items():
                path = downloads.path(f"http://h/s/c/x/repodata/{other}")
                path.write_bytes(data if other == name else content)

        read("yum", write)

    run()


@FUZZ
@given(data=damaged(gzip.compress(APT)))
def test_damaged_archives(data: bytes) -> None:
    url = "http://h/dists/s/c/binary-x/Packages.gz"
    read("apt", lambda downloads: void(downloads.path(url).write_bytes(data)))


@FUZZ
@given(data=damaged(encode_index("apt", SourceRecords(), 0.0)))
def test_indexes(data: bytes) -> None:
    try:
        index = PackageIndex(data)
    except RepositoryError:
        return
    assert len(index) >= 0


@FUZZ
@given(data=damaged(b"Suite: s\nSHA256:\n " + b"a" * 64 + b" 12 main/binary-x/Packages.gz\nValid-Until: x\n"))
def test_releases(data: bytes) -> None:
    release = parse_release(signed_text(data.decode("utf-8", "replace")))
    release.packages_file("main/binary-x/")
    assert release.expired is not None
    assert release.has_separate_all in (True, False)


@FUZZ
@given(data=damaged(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"))
def test_keys(data: bytes) -> None:
    try:
        found = dearmored(data)
    except PackageSourceError:
        return
    assert isinstance(found, bytes)


def test_a_stanza_without_end_is_refused() -> None:
    pieces = iter([b"x" * apt.CHUNK_BYTES] * 100)
    with pytest.raises(PackageSourceError, match="a stanza has more than"):
        list(apt.stanzas(lambda _: next(pieces, b"")))


def void(_: object) -> None:
    """Nothing."""


def test_entities_do_not_grow(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
    )
    text = f"{bomb}]><metadata>&j;</metadata>".encode()

    def write(downloads: Downloads) -> None:
        for other, content in RPM.items():
            path = downloads.path(f"http://h/s/c/x/repodata/{other}")
            path.write_bytes(text if "primary" in other else content)

    read("yum", write)
