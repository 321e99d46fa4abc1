"""Random edits of a small repository, for tests that compare what is served after each."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.plugin_context import write_files

HOSTS = ("h0", "h1", "h2")

PY = 'xmlns:py="http://genshi.edgewall.org/"'
XI = 'xmlns:xi="http://www.w3.org/2001/XInclude"'

# -- edits of a repository, and what is served after each

CONTENTS = ("", "plain\n", "a < b & c > d ]]>\r\n", "Grün ∂\n", b"\x01\x00binary\xff", "again\n", "xmlns:x\n")
PATHS = ("/etc/one", "/etc/two.conf", "/etc/deep/three")
SUFFIXES = ("", "", ".G10_web", ".G20_db", ".H_h1", ".genshi", ".G10_web.genshi", ".jinja2")
INFOS = (
    '<FileInfo><Info owner="daemon" mode="0600"/></FileInfo>',
    '<FileInfo><Group name="web"><Info owner="web"/></Group><Info owner="rest"/></FileInfo>',
    '<FileInfo><Info encoding="base64"/></FileInfo>',
    '<FileInfo><Info><ACL type="z" user="z"/><ACL type="a" user="a" name="a"/></Info></FileInfo>',
    '<FileInfo><Info><Client name="h1"><ACL type="one"/></Client><Group name="db"><ACL type="db"/></Group></Info>'
    "</FileInfo>",
    '<FileInfo><Path name="/etc/one"><Info mode="0111"/></Path><Info sensitive="true"/></FileInfo>',
    f'<FileInfo {PY}><Info owner="${{metadata.hostname}}"/></FileInfo>',
    '<FileInfo><Client name="h2"><Info owner="two"/></Client></FileInfo>',
)
BUNDLE_ENTRIES = (
    *(f'<Path name="{path}"/>' for path in PATHS),
    '<Path name="/etc/alias" altsrc="/etc/one"/>',
    '<Path name="/etc/two.conf" altsrc="/none"/>',
    '<Path glob="/etc/*"/>',
    '<Path name="/etc/nowhere"/>',
    '<BoundPath name="/etc/bound" type="file">text &lt; <z name="2"/><z name="1"/></BoundPath>',
    '<BoundPath name="/a-first"/>',
    '<Package name="pkg"/>',
    '<Package name="multi:i586,x86_64"/>',
    '<Package name="ruled"/>',
    '<Service name="svc"/>',
    '<Service name="conditional"/>',
    '<Action name="act"><note/></Action>',
    '<RequiredBundle name="c"/>',
    '<RequiredBundle name="c" inherit_modification="true"/>',
    "some text",
    "<!-- a comment -->",
    '<Bundle name="inner"><Service name="svc"/></Bundle>',
)
WRAPPERS = (
    *["{}"] * 6,
    '<Group name="web">{}</Group>',
    '<Group name="web" negate="true">{}</Group>',
    '<Client name="h1">{}</Client>',
    '<Group name="db"><Client name="h2" negate="true">{}</Client></Group>',
)
ROOTS = (
    *["<Bundle>{}</Bundle>"] * 4,
    '<Bundle independent="true" x="&lt;&amp;">{}</Bundle>',
    f"<Bundle {PY}><Path py:if=\"'web' in metadata.groups\" name='/etc/one'/>{{}}</Bundle>",
    f'<Bundle {PY}><BoundPath name="/${{{{metadata.hostname}}}}"/>{{}}</Bundle>',
    f"<Bundle {XI}>{{}}</Bundle>",
    '<Bundle xmlns:n="urn:n"><BoundPath n:a="1" name="/ns"/>{}</Bundle>',
)
RULES = (
    '<Package name="ruled" type="deb" version="1"/>',
    '<Package name="ruled" type="rpm"><Instance name="z"/><Instance name="a"/></Package>',
    '<Service name="svc" type="systemd" status="on"/>',
    '<Group name="web"><Service name="conditional" type="web"/></Group>',
    '<Group name="db"><Service name="conditional" type="db"/></Group>',
    '<Service name="conditional" type="any"/>',
    '<Action name="act" command="/bin/true %{name}"><Group name="web"><x/></Group><y/></Action>',
    '<Path name="/etc/nowhere" type="symlink" to="/etc/one"/>',
    '<Path name="/etc/two.conf" type="file">ruled</Path>',
)
PACKAGE_LISTS = (
    '<PackageList priority="0" type="deb"><Package name="pkg" version="1"/></PackageList>',
    '<PackageList priority="0" type="rpm"><Group name="web"><Package name="pkg" version="w"/></Group></PackageList>',
    '<PackageList priority="5" type="rpm"><Package name="multi"><Instance arch="x86_64" name="q"/>'
    '<Instance arch="i586" name="b"/><Instance arch="arm"/></Package></PackageList>',
)
GROUP_SETS = ("", '<Group name="web"/>', '<Group name="db"/>', '<Group name="web"/><Group name="db"/>')


def file_edit(pick: random.Random, root: Path) -> None:
    directory = root / f"Cfg{pick.choice(PATHS)}"
    path = directory / f"{directory.name}{pick.choice(SUFFIXES)}"
    content = pick.choice(CONTENTS)
    if path.suffix in (".genshi", ".jinja2"):
        content = "${metadata.hostname} of ${len(metadata.groups)}\n" if path.suffix == ".genshi" else "{{ name }}\n"
    if pick.random() < 0.25:
        path.unlink(missing_ok=True)
    else:
        write_files(path.parent, {path.name: content})


def info_edit(pick: random.Random, root: Path) -> None:
    path = root / f"Cfg{pick.choice(PATHS)}" / "info.xml"
    if pick.random() < 0.2:
        path.unlink(missing_ok=True)
    else:
        write_files(path.parent, {path.name: pick.choice(INFOS)})


def verifier_edit(pick: random.Random, root: Path) -> None:
    path = root / f"Cfg{pick.choice(PATHS)}" / ":test"
    if path.exists():
        path.unlink()
    elif path.parent.exists():
        path.write_text(f"#!/bin/sh\nexit {pick.choice((0, 1))}\n")


def bundle_edit(pick: random.Random, root: Path) -> None:
    chosen = pick.sample(BUNDLE_ENTRIES, pick.randrange(len(BUNDLE_ENTRIES)))
    content = "\n".join(pick.choice(WRAPPERS).format(each) for each in chosen)
    write_files(root, {f"Bundler/{pick.choice('bc')}.xml": pick.choice(ROOTS).format(content)})


def rules_edit(pick: random.Random, root: Path) -> None:
    chosen = "".join(pick.sample(RULES, pick.randrange(len(RULES))))
    name = pick.choice("rs")
    # One priority each: of equal ones a failure names the files in the order in which they came.
    write_files(root, {f"Rules/{name}.xml": f'<Rules priority="{ord(name)}">{chosen}</Rules>'})


def list_edit(pick: random.Random, root: Path) -> None:
    write_files(root, {f"Pkgmgr/{pick.choice('pq')}.xml": pick.choice(PACKAGE_LISTS)})


def defaults_edit(pick: random.Random, root: Path) -> None:
    rules = '<Path name=".*" extra="1"/><Service name="svc" status="off" restart="true"/>'
    write_files(root, {"Defaults/d.xml": f'<Defaults priority="1">{pick.choice((rules, ""))}</Defaults>'})


def groups_edit(pick: random.Random, root: Path) -> None:
    own = "".join(f'<Client name="{host}">{pick.choice(GROUP_SETS)}</Client>' for host in HOSTS)
    more = pick.choice(("", '<Bundle name="c"/>', '<Bundle name="missing"/>'))
    write_files(
        root,
        {
            "Metadata/groups.xml": '<Groups><Group name="p" profile="true" public="true" default="true">'
            f'<Bundle name="b"/>{more}</Group>{own}</Groups>'
        },
    )


EDITS: Sequence[Callable[[random.Random, Path], None]] = (
    *[file_edit] * 3,
    *[bundle_edit] * 3,
    *[rules_edit] * 2,
    info_edit,
    verifier_edit,
    list_edit,
    defaults_edit,
    groups_edit,
)
CLIENTS = "".join(f'<Client name="{host}" profile="p" version="1.{index}.0"/>' for index, host in enumerate(HOSTS, 2))
