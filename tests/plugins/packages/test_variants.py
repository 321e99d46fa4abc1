"""Variants of sources and entries; the Bcfg2 server 1.3.4 adds the same packages for those of apt and yum.

Each variant is a client of its own, so that one server answers them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.package_repositories import pacman_repository, rpm_repository
from tests.support.package_sites import PLUGINS, apt_repository, stanza
from tests.support.plugin_context import SmallServer, small_server, write_files


@dataclass(frozen=True)
class Variant:
    """A client.

    Attributes:
        name: its name.
        sources: ``<repository>`` or ``<repository>:<attributes>:<elements>``, with ``;`` between several.
        entries: names of packages, or elements.
        added: the packages that are added.
        around: the conditions around the sources.
    """

    name: str
    sources: str
    entries: str
    added: str
    around: tuple[str, ...] = ()


def black(*names: str) -> str:
    return "".join(f"<Blacklist>{name}</Blacklist>" for name in names)


def white(*names: str) -> str:
    return "".join(f"<Whitelist>{name}</Whitelist>" for name in names)


GROUP = '<Package group="g" type="{}"/>'
AMD64, NO = 'Group name="amd64"', 'Group name="elsewhere" negate="true"'
VARIANTS = {
    "apt": (
        Variant("nested", "lists", "a", "b bb c", (AMD64, NO)),
        Variant("elsewhere", "lists", "a", "", (AMD64, "Group name='elsewhere'")),
        Variant("other-client", "lists", "a", "", ("Client name='other'",)),
        Variant("blacklisted-dependency", f"lists::{black('b')}", "a", "c"),
        Variant("blacklisted-itself", f"lists::{black('a')}", "a", ""),
        Variant("blacklisted-provider", f"lists::{black('p1')}", "a", "b bb c"),
        Variant("blacklist-is-no-pattern", f"lists::{black('b*')}", "a", "b bb c"),
        Variant("whitelist", f"lists::{white('a', 'c')}", "a", "c"),
        Variant("both-lists", f"lists::{white('a', 'c') + black('c')}", "a", ""),
        Variant("essential", "essential", "a", "e f"),
        Variant("not-essential", "essential:essential='false':", "a", ""),
        Variant("essential-in-capitals", "essential:essential='TRUE':", "a", "e f"),
        Variant("recommended", "recommends:recommended='true':", "a", "d dr r rr"),
        Variant("chain-of-virtual-names", "chain", "a", "b c"),
        Variant("virtual", "virtual", "a", "www x"),
        Variant("virtual-asked-for", "virtual", "mta mua www", "x"),
        Variant("provider-asked-for", "virtual", "a ap", "x"),
        Variant("first-source", "one;two", "a", "b old"),
        Variant("first-source-is-the-other", "two;one", "a", "c"),
        Variant("blacklisted-in-the-first", f"one::{black('a')};two", "a", "c"),
        Variant("dependency-blacklisted-there", f"one::{black('b')};two", "a", "b new"),
        Variant("no-source", "", "a", ""),
        Variant("unknown", "one", "zzz", ""),
        Variant("group", "one", f"a {GROUP.format('all')}", "b old"),
        Variant("bound", "two", '<BoundPackage name="a" type="deb" version="2"/>', "c"),
        Variant("circle", "circle", "a", "b"),
    ),
    "yum": (
        Variant("paths", "rpms", "a", "b bash o v"),
        Variant("mandatory", "rpms", GROUP.format("mandatory"), "b bash"),
        Variant("default", "rpms", '<Package group="g"/>', "b bash v"),
        Variant("optional", "rpms", GROUP.format("optional"), "b bash o v"),
        Variant("all", "rpms", GROUP.format("all"), "b bash o v"),
        Variant("group-with-sign", "rpms", '<Package group="@g"/>', "b bash v"),
        Variant("bound-group", "rpms", '<BoundPackage group="g"/>', "b bash v"),
        Variant("no-such-group", "rpms", '<Package group="gone"/>', ""),
        Variant("group-of-the-first", "rpms;more", '<Package group="g"/><Package group="h"/>', "a b bash o v"),
        Variant("blacklist", f"rpms::{black('b', 'bash')}", "a", "o v"),
        Variant("blacklisted-member", f"rpms::{black('b')}", '<Package group="g"/>', "b bash v"),
        Variant("whitelist", f"rpms::{white('a')}", "a", ""),
        Variant("second-source", "more;rpms", "a", "c"),
        Variant("path-asked-for", "rpms", "/bin/sh", "bash"),
        Variant("virtual-and-package", "both", "a q", ""),
    ),
    "pac": (
        Variant("versions", "core", "a", "b v"),
        Variant("optional", "core:recommended='true':", "a", "b o p v"),
        Variant("group", "core", '<Package group="g"/>', "b v"),
        Variant("group-type", "core", GROUP.format("optional"), "b v"),
        Variant("blacklist", f"core::{black('b')}", "a", "v"),
        Variant("whitelist", f"core::{white('a')}", "a", ""),
        Variant("two-sources", "core;more", "a", "b"),
        Variant("two-sources-turned", "more;core", "a", "c"),
        Variant("group-of-the-first", "more;core", '<Package group="g"/>', "w"),
        Variant("virtual-asked-for", "core", "virt", "v"),
        Variant("another-architecture", "core::<Arch>i686</Arch>", "a", "b v"),
    ),
}


def make_apt(root: Path) -> None:
    packages = {
        "lists": (
            *(stanza("a", Depends="b, c, d|e, v"), stanza("b", Depends="bb"), stanza("bb"), stanza("c"), stanza("d")),
            *(stanza("e"), stanza("p1", Provides="v"), stanza("p2", Provides="v")),
        ),
        "essential": (stanza("a"), stanza("e", Essential="yes", Depends="f"), stanza("f")),
        "recommends": (
            *(stanza("a", Recommends="r, s | t", Depends="d"), stanza("d", Recommends="dr")),
            *(stanza("r", Recommends="rr"), stanza("s"), stanza("t"), stanza("dr"), stanza("rr")),
        ),
        "chain": (
            *(stanza("a", Depends="v1"), stanza("b", Provides="v1", Depends="v2")),
            stanza("c", Provides="v2, v3", Depends="v3 | gone"),
        ),
        "virtual": (
            *(stanza("a", Depends="mta, mua, www"), stanza("x", Provides="mta"), stanza("y", Provides="mua")),
            *(stanza("z", Provides="mua"), stanza("www"), stanza("ap", Provides="www")),
        ),
        "one": (stanza("a", Depends="b"), stanza("b", Depends="old"), stanza("old")),
        "two": (stanza("a", Version="2", Depends="c"), stanza("b", Depends="new"), stanza("c"), stanza("new")),
        "circle": (stanza("a", Depends="a, b", Provides="a2"), stanza("b", Depends="a2")),
    }
    for name, stanzas in packages.items():
        apt_repository(root / name, *stanzas)


def make_yum(root: Path) -> None:
    files = {"v": {"provides": ["virt"]}, "bash": {"files": ["/bin/sh"]}, "o": {"files": ["/opt/x"]}}
    members = {"mandatory": ["b"], "default": ["v"], "optional": ["o"], "conditional": ["bash"]}
    rpm_repository(
        root / "rpms/one/main/amd64",
        {"a": {"requires": ["b", "virt", "/bin/sh", "/opt/x", "rpmlib(Foo)"]}, "b": {}, **files},
        groups={"g": members},
    )
    rpm_repository(
        root / "more/one/main/amd64",
        {"a": {"requires": ["c"], "version": "2"}, "c": {}, "b": {"requires": ["c"]}},
        groups={"g": {"mandatory": ["c"]}, "h": {"default": ["a"]}},
    )
    rpm_repository(root / "both/one/main/amd64", {"a": {}, "q": {"provides": ["a"]}})


def make_pac(root: Path) -> None:
    core = {
        "a": {"DEPENDS": ["b>=1", "virt", "gone"], "OPTDEPENDS": ["o: what for", "p"]},
        "b": {"GROUPS": ["g"]},
        "v": {"PROVIDES": ["virt=3"], "GROUPS": ["g", "h"]},
        "o": {},
        "p": {"DEPENDS": ["o"]},
    }
    more = {"a": {"DEPENDS": ["c"]}, "c": {"DEPENDS": ["virt"]}, "w": {"PROVIDES": ["virt"], "GROUPS": ["g"]}}
    for name, packages in {"core": core, "more": more}.items():
        pacman_repository(root / name, packages, component="main", arch="amd64")


MAKERS = {"apt": make_apt, "yum": make_yum, "pac": make_pac}


def source_element(kind: str, text: str, root: Path) -> str:
    name, _, rest = text.partition(":")
    attributes, _, extra = rest.partition(":")
    version = "" if kind == "pac" else 'version="one"'
    return (
        f'<Source type="{kind}" url="file://{root}/{name}" {version} {attributes}>'
        f"<Component>main</Component><Arch>amd64</Arch>{extra}</Source>"
    )


@pytest.fixture(scope="module", params=VARIANTS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, SmallServer]]:
    kind: str = request.param
    root = tmp_path_factory.mktemp(kind)
    MAKERS[kind](root)
    sources, bundle = "", ""
    for variant in VARIANTS[kind]:
        inner = "".join(source_element(kind, text, root) for text in variant.sources.split(";") if text)
        for condition in reversed(variant.around):
            inner = f"<{condition}>{inner}</{condition.split()[0]}>"
        sources += f'<Client name="{variant.name}">{inner}</Client>'
        names, _, elements = variant.entries.partition("<")
        packages = "".join(f'<Package name="{name}"/>' for name in names.split())
        bundle += f'<Client name="{variant.name}">{packages}{elements and "<" + elements}</Client>'
    clients = "".join(f'<Client name="{variant.name}" profile="p"/>' for variant in VARIANTS[kind])
    repository = root / "repository"
    write_files(
        repository,
        {
            "Metadata/groups.xml": (
                '<Groups><Group name="p" profile="true" public="true" default="true"><Bundle name="b"/>'
                '<Group name="amd64"/></Group></Groups>'
            ),
            "Metadata/clients.xml": f"<Clients>{clients}</Clients>",
            "Bundler/b.xml": f"<Bundle>{bundle}</Bundle>",
            "Packages/sources.xml": f"<Sources>{sources}</Sources>",
        },
    )
    with small_server(repository, PLUGINS) as server:
        server.core.handle_file_events()
        yield kind, server


def test_the_packages_that_are_added(served: tuple[str, SmallServer]) -> None:
    kind, server = served
    found, expected = {}, {}
    for variant in VARIANTS[kind]:
        configuration = server.core.build_configuration(variant.name)
        added = (entry.get("name") for entry in configuration.iterfind("Independent[@name='Packages']/Package"))
        found[variant.name] = sorted(map(str, added))
        expected[variant.name] = sorted(variant.added.split())
    assert found == expected
