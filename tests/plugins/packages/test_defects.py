"""Cases in which the Bcfg2 server does something that it evidently should not (docs: design/differences)."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pytest
import zstandard

from geventcore.plugins.packages.options import BACKENDS, RESOLVER
from tests.support.package_repositories import rpm_repository, tar_database
from tests.support.package_server import package_server
from tests.support.package_sites import apt_repository, apt_source, package_site, stanza
from tests.support.plugin_context import write_files

WANTS_A = '<Package name="a"/>'


def yum_source(url: str, components: str = "base", arches: str = "x86_64", extra: str = "") -> str:
    parts = "".join(f"<Component>{name}</Component>" for name in components.split())
    parts += "".join(f"<Arch>{name}</Arch>" for name in arches.split())
    return f'<Source type="yum" url="{url}" version="9">{parts}{extra}</Source>'


def test_folded_fields_are_read_and_descriptions_are_not(tmp_path: Path) -> None:
    folded = "Package: a\nVersion: 1\nDescription: short\n Depends: trap\nDepends: b,\n c (>= 1),\n\td\n\n"
    apt_repository(tmp_path / "data", folded, stanza("b"), stanza("c"), stanza("d"), stanza("trap"))
    with package_site(tmp_path / "repo", apt_source(f"file://{tmp_path}/data"), WANTS_A) as site:
        assert site.added() == {"b", "c", "d"}


def test_the_newest_of_two_versions_in_a_list_counts(tmp_path: Path) -> None:
    newer, older = stanza("a", Version="1:0.9", Depends="new"), stanza("a", Version="2.0", Depends="old")
    apt_repository(tmp_path / "data", newer, older, stanza("new"), stanza("old"))
    with package_site(tmp_path / "repo", apt_source(f"file://{tmp_path}/data"), WANTS_A) as site:
        assert site.added() == {"new"}


def test_qualifiers_of_architectures_are_no_part_of_names(tmp_path: Path) -> None:
    package = stanza("a", Depends="b:native, c:any, d:amd64, e:i386")
    apt_repository(tmp_path / "data", package, *map(stanza, "bcde"))
    with package_site(tmp_path / "repo", apt_source(f"file://{tmp_path}/data"), WANTS_A) as site:
        assert site.added() == {"b", "c", "d"}


def test_blanks_around_texts_do_not_matter(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", stanza("a", Depends="b"), stanza("b"), stanza("c"))
    source = (
        f'<Source type=" Apt " url=" file://{tmp_path}/data " version=" one "><Component> main\n</Component>'
        "<Arch> amd64 </Arch><Blacklist> c </Blacklist></Source>"
    )
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        assert site.added() == {"b"}


def test_an_architecture_without_data_is_empty(tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {"requires": ["b"]}, "b": {}})
    source = yum_source(f"file://{tmp_path}/data", arches="amd64 x86_64")
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        assert site.added() == {"b"}
        assert "base/amd64" in site.state().error
    apt_repository(tmp_path / "raw", stanza("a", Depends="b"), stanza("b"))
    raw = (
        f'<Source type="apt" rawurl="file://{tmp_path}/raw/dists/one/main/binary-amd64/">'
        "<Arch>amd64</Arch><Arch>x86_64</Arch></Source>"
    )
    with package_site(tmp_path / "repo2", raw, WANTS_A) as site:
        assert site.added() == {"b"}


def test_a_missing_component_leaves_the_others(tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {"requires": ["b"]}, "b": {}})
    source = yum_source(f"file://{tmp_path}/data", components="base extra")
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        assert site.added() == {"b"}
        assert site.state().is_failing


def test_rpm_versions_are_compared_as_rpm_does(tmp_path: Path) -> None:
    rpm_repository(
        tmp_path / "data/9/base/x86_64",
        {
            "a": {"epoch": "1", "version": "0.5", "requires": ["epoch"]},
            "a ": {"version": "9.0", "requires": ["none"]},
            "b": {"version": "1.0", "requires": ["final"]},
            "b ": {"version": "1.0~rc1", "requires": ["none"]},
            "epoch": {},
            "final": {},
            "none": {},
        },
    )
    packages = WANTS_A + '<Package name="b"/>'
    with package_site(tmp_path / "repo", yum_source(f"file://{tmp_path}/data"), packages) as site:
        assert site.added() == {"epoch", "final"}


@pytest.mark.parametrize("order", ["one two", "two one"])
def test_a_path_of_another_source_is_found(order: str, tmp_path: Path) -> None:
    rpm_repository(tmp_path / "one/9/base/x86_64", {"a": {"requires": ["/opt/x/tool", "/opt/a&b"]}})
    rpm_repository(
        tmp_path / "two/9/base/x86_64", {"tools": {"files": ["/opt/x/tool", "/opt/y"]}, "odd": {"files": ["/opt/a&b"]}}
    )
    sources = "".join(yum_source(f"file://{tmp_path}/{name}") for name in order.split())
    with package_site(tmp_path / "repo", sources, WANTS_A) as site:
        assert site.added() == {"tools", "odd"}
        # A source that is added later may require further paths of an old one.
        rpm_repository(tmp_path / "three/9/base/x86_64", {"tools": {}, "a": {}, "tool": {"requires": ["/opt/y"]}})
        path = tmp_path / "repo/Packages/sources.xml"
        path.write_text(f"<Sources>{sources}{yum_source(f'file://{tmp_path}/three')}</Sources>")
        site.server.changed(site.plugin.store._file, path)
        names = site.plugin.store.in_use
        assert any("tools" in index.providers("/opt/y") for index in names.indexes.values())


def test_packages_that_are_removed_are_gone_after_a_refresh(tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {"requires": ["b"]}, "b": {}})
    with package_site(tmp_path / "repo", yum_source(f"file://{tmp_path}/data"), WANTS_A) as site:
        assert site.added() == {"b"}
        rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {}})
        site.plugin.Refresh()
        assert site.added() == set()
        assert site.state().packages == {"x86_64": 1}


@pytest.mark.parametrize("ending", ["", ".gz", ".xz", ".bz2", ".zst", ".lz4"])
def test_lists_may_be_compressed_in_every_usual_way(ending: str, tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {"requires": ["b"]}, "b": {}}, ending=ending)
    with package_site(tmp_path / "repo", yum_source(f"file://{tmp_path}/data"), WANTS_A) as site:
        assert site.added() == {"b"}


def test_a_repository_with_zchunk_only_says_so(tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {}}, ending=".zck")
    with package_site(tmp_path / "repo", yum_source(f"file://{tmp_path}/data"), WANTS_A) as site:
        assert "no list of packages in a format that can be read" in site.state().error


def test_keys_with_equal_names_are_all_delivered(tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {}})
    write_files(tmp_path / "keys", {"1/KEY": "first", "2/KEY": "second"})
    with package_server(tmp_path / "keys") as web:
        extra = f"<GPGKey>{web.url}1/KEY</GPGKey><GPGKey>{web.url}2/KEY</GPGKey><GPGKey>{web.url}3/gone</GPGKey>"
        source = yum_source(f"file://{tmp_path}/data", extra=extra)
        with package_site(tmp_path / "repo", source, WANTS_A) as site:
            keys = {path.get("name"): path.text for path in site.configuration().iter("Path")}
            assert keys == {"/etc/pki/rpm-gpg/KEY": "first", "/etc/pki/rpm-gpg/KEY-2": "second"}
            # One that could not be fetched is tried again.
            write_files(tmp_path / "keys", {"3/gone": "third"})
            site.plugin.Reload()
            keys = {path.get("name"): path.text for path in site.configuration().iter("Path")}
            assert keys["/etc/pki/rpm-gpg/gone"] == "third"


def test_a_group_that_is_asked_twice_is_the_union(tmp_path: Path) -> None:
    comps = {"g": {"mandatory": ["m"], "default": ["d"], "optional": ["o"], "conditional": ["c"]}}
    rpm_repository(tmp_path / "data/9/base/x86_64", {name: {} for name in "mdoc"}, groups=comps)
    twice = '<Package group="g" type="mandatory"/><Package group="@g" type="optional"/>'
    with package_site(tmp_path / "repo", yum_source(f"file://{tmp_path}/data"), twice) as site:
        assert site.added() == {"m", "c", "d", "o"}


def test_switches_understand_every_word(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", stanza("a", Depends="b"), stanza("b"))
    with package_site(
        tmp_path / "repo", apt_source(f"file://{tmp_path}/data"), WANTS_A, {RESOLVER: RESOLVER.type.parse("no")}
    ) as site:
        assert site.added() == set()


def test_types_that_are_switched_off_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    apt_repository(tmp_path / "data", stanza("a", Depends="b"), stanza("b"))
    with package_site(
        tmp_path / "repo", apt_source(f"file://{tmp_path}/data"), WANTS_A, {BACKENDS: ("Yum", "Typo")}
    ) as site:
        assert site.added() == set()
    assert "[packages] backends leaves out" in caplog.text
    assert "Typo is unknown" in caplog.text


def test_pacman_databases(tmp_path: Path) -> None:
    database = {
        "a-1": "%NAME%\na\n\n%VERSION%\n1\n\n%DEPENDS%\nb>=2\nsh\n\n%OPTDEPENDS%\nc: for colours\n",
        "b-2": "%NAME%\nb\n\n%GROUPS%\ntools\n",
        "bash-1": "%NAME%\nbash\n\n%PROVIDES%\nsh=5\n",
        "c-1": "%NAME%\nc\n\n%GROUPS%\ntools\n",
    }
    files = {f"{name}/desc": text.encode() for name, text in database.items()}
    for number, compress in enumerate((gzip.compress, lzma.compress, zstandard.compress)):
        path = tmp_path / f"data{number}/core/os/x86_64/core.db.tar.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(compress(tar_database(files)))
        source = (
            f'<Source type="pac" url="file://{tmp_path}/data{number}" recommended="true"><Component>core</Component>'
            "<Arch>x86_64</Arch></Source>"
        )
        with package_site(tmp_path / f"repo{number}", source, WANTS_A) as site:
            assert site.added() == {"b", "bash", "c"}
        with package_site(tmp_path / f"repo{number}", source, '<Package group="tools"/>') as site:
            assert site.added() == {"b", "c"}


@pytest.mark.parametrize("name", ["packagesite.txz", "packagesite.pkg"])
def test_catalogues_of_freebsd(name: str, tmp_path: Path) -> None:
    lines = [{"name": "a", "version": "1", "deps": {"b": {"origin": "x/b"}}}, {"name": "b"}]
    catalogue = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    path = tmp_path / "data/freebsd:14:amd64/latest" / name
    path.parent.mkdir(parents=True)
    compress = lzma.compress if name.endswith("txz") else zstandard.compress
    path.write_bytes(compress(tar_database({"packagesite.yaml.sig": b"x", "packagesite.yaml": catalogue})))
    with package_server(tmp_path / "data") as web:
        parts = "<Component>latest</Component><Arch>amd64</Arch>"
        source = f'<Source type="pkgng" url="{web.url}" version="14">{parts}</Source>'
        with package_site(tmp_path / "repo", source, WANTS_A) as site:
            assert site.added() == {"b"}
            site.plugin.Refresh()
            assert not site.state().is_failing


@pytest.mark.parametrize("compression", ["GZ_COMPRESSION", "XZ_COMPRESSION", "ZSTD"])
def test_a_repository_that_createrepo_c_has_written(compression: str, tmp_path: Path) -> None:
    createrepo_c = pytest.importorskip("createrepo_c", reason="createrepo_c has no wheel for this machine")
    facts = {
        "a": {"requires": ["/opt/x/tool", "cap(x)"]},
        "tools": {"files": ["/opt/x/tool"]},
        "c": {"provides": ["cap(x)"]},
    }
    root = tmp_path / "data/9/base/x86_64"
    root.mkdir(parents=True)
    with createrepo_c.RepositoryWriter(str(root), compression=getattr(createrepo_c, compression)) as writer:
        writer.set_num_of_pkgs(len(facts))
        for name, lists in facts.items():
            package = createrepo_c.Package()
            package.name, package.arch, package.location_href = name, "x86_64", f"{name}.rpm"
            package.epoch, package.version, package.release = "0", "1", "1"
            package.pkgId, package.checksum_type = name.ljust(64, "0"), "sha256"
            package.requires = [(one, None, None, None, None, False) for one in lists.get("requires", ())]
            provides = [name, *lists.get("provides", ())]
            package.provides = [(one, None, None, None, None, False) for one in provides]
            paths = map(Path, lists.get("files", ()))
            package.files = [(None, f"{path.parent}/", path.name) for path in paths]
            writer.add_pkg(package)
    with package_site(tmp_path / "repo", yum_source(f"file://{tmp_path}/data"), WANTS_A) as site:
        assert site.added() == {"tools", "c"}
        assert not site.state().is_failing
