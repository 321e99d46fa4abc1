"""``geventcore lint``: the findings of Bcfg2's checks, their severities and places, and the exit status."""

from __future__ import annotations

import collections
import json
import os
from pathlib import Path
from typing import Any

import pytest

from geventcore.cli.main import main, run
from geventcore.tools.lint.schema_table import SCHEMAS
from geventcore.tools.lint.schema_writer import SCHEMA_DIRECTORY, schema_text
from geventcore.tools.lint.table import check_classes
from tests.support.lint_cases import CASES, NAMES, LintCase, copy_case, lint, write_site

ROOT = Path(__file__).parents[2]


def tree(directory: Path) -> dict[str, Any]:
    """Everything in a directory, with contents and times."""
    return {
        str(path.relative_to(directory)): (path.read_bytes() if path.is_file() else None, path.lstat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_findings_are_those_of_bcfg2(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = json.loads((CASES / name / "expected.json").read_text())
    config, arguments, given = copy_case(name, tmp_path)
    before = tree(tmp_path)
    found = lint(config, capsys, monkeypatch, *arguments, stdin=given)
    assert found.status == expected["exit"], found.err
    assert found.counts() == collections.Counter((each[0], each[1]) for each in expected["errors"])
    for kind, _, what in expected["errors"]:
        texts = [f"{each['file']}\n{each['message']}" for each in found.findings if each["name"] == kind]
        assert any(what in text for text in texts), f"{kind} does not mention {what}: {texts}"
    assert all(each["advice"].endswith(".") for each in found.findings)
    assert tree(tmp_path) == before, "lint changed the repository"


ENTRY = '<Bundle>\n  <Path name="/etc/ward.conf"/>\n  {}\n</Bundle>\n'


def bundle(entry: str) -> dict[str, str]:
    """A bundle with one more entry in line 3."""
    return {"Bundler/ward.xml": ENTRY.format(entry)}


OTHERS = {"Cfg/etc/m/info.xml": '<FileInfo><Info owner="root" group="root" mode="0644"/></FileInfo>'}
LINES = "".join(f"line {number} of a file that is long enough\n" for number in range(10))

#: Faults that the cases of Bcfg2 do not have, with their places.
OWN_CASES: dict[str, LintCase] = {
    "nothing": LintCase({}, []),
    "attribute-with-hint": LintCase(
        {
            "Metadata/groups.xml": (
                '<Groups>\n  <Group name="base" profile="true" defualt="true"><Bundle name="ward"/></Group></Groups>'
            )
        },
        ["xml-failed-to-verify error Metadata/groups.xml:2:37"],
    ),
    "start-tag-over-lines": LintCase(
        bundle('<BoundPath\n     name="/x"\n     type="folder"/>'),
        ["xml-failed-to-verify error Bundler/ward.xml:5:6"],
    ),
    "two-faults-one-finding": LintCase(
        bundle("<Servce name='a'/>\n  <Packge name='b'/>"), ["xml-failed-to-verify error Bundler/ward.xml:3:3"]
    ),
    "fault-in-an-included-file": LintCase(
        {
            "Metadata/groups.xml": (
                '<Groups xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="more.xml"/>'
                '<Group name="base" profile="true" default="true"><Bundle name="ward"/></Group></Groups>'
            ),
            "Metadata/more.xml": '<Groups>\n\n <Group name="x" profil="true"/></Groups>',
        },
        ["xml-failed-to-verify error Metadata/more.xml:3:18"],
    ),
    "included-file-not-well-formed": LintCase(
        {
            "Bundler/ward.xml": (
                '<Bundle xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="../parts/a.xml"/></Bundle>'
            ),
            "parts/a.xml": "<Bundle>\n<Path></Bundle>",
        },
        ["xml-failed-to-parse error parts/a.xml:2:16"],
    ),
    "inclusion-with-fallback": LintCase(
        {
            "Bundler/ward.xml": (
                '<Bundle xmlns:xi="http://www.w3.org/2001/XInclude"><Path name="/etc/ward.conf"/>'
                '<xi:include href="no.xml"><xi:fallback/></xi:include></Bundle>'
            )
        },
        [],
    ),
    "values-of-templates-are-not-known": LintCase(
        {
            "Bundler/ward.xml": (
                '<Bundle xmlns:py="http://genshi.edgewall.org/"><py:if test="True">'
                '<BoundService name="cron" status="${metadata.hostname}" type="systemd"/></py:if></Bundle>'
            )
        },
        [],
    ),
    "genshi-elements-hold-known-elements": LintCase(
        {
            "Bundler/ward.xml": (
                '<Bundle xmlns:py="http://genshi.edgewall.org/">\n<py:if test="True">\n'
                '<Packge name="x"/><Package nam="y"/></py:if></Bundle>'
            )
        },
        ["xml-failed-to-verify error Bundler/ward.xml:3:28"],
    ),
    "deep-info": LintCase(
        {
            "Cfg/etc/ward.conf/info.xml": (
                '<FileInfo>\n<Group name="base">\n<Info owner="root" group="root" mode="0644"/>\n'
                '<Info owner="root" group="root" mode="0600"/></Group></FileInfo>'
            )
        },
        ["xml-failed-to-verify error Cfg/etc/ward.conf/info.xml:4:1"],
    ),
    "acl-files": LintCase(
        {"ACL/ip.xml": '<ACL>\n  <Allow address="10.0.0.1"/>\n</ACL>'}, ["xml-failed-to-verify error ACL/ip.xml:2:3"]
    ),
    "directory-instead-of-a-file": LintCase(
        {"Bundler/x.xml/y": "z", "Cfg/etc/ward.conf/info.xml": None, "Cfg/etc/ward.conf/info.xml/y": "z"},
        ["xml-failed-to-parse error Bundler/x.xml", "xml-failed-to-parse error Cfg/etc/ward.conf/info.xml"],
    ),
    "json-position": LintCase(
        {"Properties/a.json": '{\n  "x": }'}, ["json-failed-to-parse error Properties/a.json:2:8"], "Properties"
    ),
    "json-empty": LintCase(
        {"Properties/a.json": ""}, ["json-failed-to-parse error Properties/a.json:1:1"], "Properties"
    ),
    "encrypted-element": LintCase(
        {
            "Properties/k.xml": (
                '<Properties>\n <a encrypted="x">U2FsdGVkX18xMjM0NTY3ODW5sQgl4h5KwupS3wrRx0Q=</a></Properties>'
            ),
            "Properties/k.xsd": (
                '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="Properties"/></xs:schema>'
            ),
        },
        [],
        "Properties",
    ),
    "encrypted-deep": LintCase(
        {"Properties/sub/k.xml": '<Properties>\n <a encrypted="x"> </a></Properties>'},
        ["unencrypted-properties error Properties/sub/k.xml:2:2"],
        "Properties",
    ),
    "package-in-a-client-is-for-all": LintCase(
        {
            "Pkgmgr/a.xml": (
                '<PackageList priority="1" type="deb">\n<Package name="x"/>\n'
                '<Client name="c"><Package name="x"/></Client></PackageList>'
            )
        },
        ["duplicate-packages error Pkgmgr/a.xml:3:18"],
        "Pkgmgr",
    ),
    "packages-of-two-groups": LintCase(
        {
            "Pkgmgr/a.xml": (
                '<PackageList priority="1" type="deb"><Group name="a"><Package name="x"/></Group>'
                '<Group name="b"><Package name="x"/></Group></PackageList>'
            )
        },
        [],
        "Pkgmgr",
    ),
    "required-bundle": LintCase(
        bundle('<Group name="base"><RequiredBundle name="gone"/></Group>'),
        ["bundle-not-found error Bundler/ward.xml:3:22"],
    ),
    "bundle-name-place": LintCase(
        {"Bundler/ward.xml": '<Bundle\n   name="ward"/>'}, ["explicit-bundle-name error Bundler/ward.xml:2:4"]
    ),
    "bundles-in-a-subdirectory": LintCase(
        {"Bundler/sub/more.xml": "<Bundle/>"}, ["unused-bundle warning Bundler/sub/more.xml"]
    ),
    "stray-file-in-cfg": LintCase({"Cfg/README": "x"}, ["unknown-cfg-files error Cfg/README"]),
    "deltas-are-known": LintCase({"Cfg/etc/ward.conf/ward.conf.G10_base.cat": "+x\n"}, []),
    "paranoid-default-off": LintCase(
        {
            "Cfg/etc/ward.conf/info.xml": (
                '<FileInfo>\n  <Info owner="root" group="root" mode="0644" paranoid="true"/>\n</FileInfo>'
            )
        },
        [],
        config="[mdata]\nparanoid = false\n",
    ),
    "paranoid-default-off-and-not-set": LintCase(
        {}, ["paranoid-false warning Cfg/etc/ward.conf/info.xml:2:3"], config="[mdata]\nparanoid = false\n"
    ),
    "other-required-attributes": LintCase(
        {},
        ["required-infoxml-attrs-missing error Cfg/etc/ward.conf/info.xml:2:3"],
        config="[InfoXML]\nrequired_attrs = owner, sensitive\n",
    ),
    "merge-in-percent": LintCase(
        {**OTHERS, "Cfg/etc/m/m.G10_base": LINES, "Cfg/etc/m/m.H_a.clinic.test": LINES + "more\n"},
        [],
        config="[MergeFiles]\nthreshold = 99.9\n",
    ),
    "merge-and-identical": LintCase(
        {**OTHERS, **{f"Cfg/etc/m/m.G{number}0_g": LINES + ("x" if number == 3 else "") for number in (1, 2, 3)}},
        ["identical-cfg error Cfg/etc/m/m.G10_g", "merge-cfg warning Cfg/etc/m/m.G10_g"],
    ),
    "binary-files-are-not-compared": LintCase(
        {**OTHERS, "Cfg/etc/m/m.G10_base": b"\0\1", "Cfg/etc/m/m.H_a.clinic.test": b"\0\1"}, []
    ),
    "group-with-options-in-a-group": LintCase(
        {
            "Metadata/groups.xml": (
                '<Groups>\n<Group name="base" profile="true" default="true"><Bundle name="ward"/>\n'
                '<Group name="x" category="d"/></Group>\n<Group name="x" category="c"/></Groups>'
            )
        },
        ["duplicate-group error Metadata/groups.xml:3:1"],
    ),
    "client-twice-is-one-finding": LintCase(
        {"Metadata/clients.xml": "<Clients>\n" + '<Client name="a" profile="base"/>\n' * 3 + "</Clients>"},
        ["duplicate-client error Metadata/clients.xml:3:1"],
    ),
    "smf-needs-an-fmri": LintCase(
        bundle('<BoundService name="x" type="smf"/>'), ["required-attrs-missing error Bundler/ward.xml:3:3"]
    ),
    "empty-module": LintCase(bundle('<BoundSEModule name="m" empty="true"/>'), []),
    "selinux-formats": LintCase(
        bundle(
            '<BoundSENode name="10.0.0.0/8" selinuxtype="node_t" proto="ip"/>\n'
            '<BoundSELogin name="a b" selinuxuser="x_u"/>\n<BoundSEPermissive name="httpd"/>'
        ),
        [
            "required-attr-format error Bundler/ward.xml:3:55",
            "required-attr-format error Bundler/ward.xml:4:15",
            "required-attr-format error Bundler/ward.xml:5:20",
        ],
    ),
    "profile-in-a-nested-declaration": LintCase(
        {
            "Metadata/groups.xml": (
                '<Groups><Group name="base" profile="true" default="true"><Bundle name="ward"/>'
                '<Group name="p" profile="true"/></Group><Group name="q"/></Groups>'
            ),
            "Metadata/clients.xml": (
                '<Clients>\n<Client name="a" profile="p"/>\n<Client name="b" profile="q"/>\n</Clients>'
            ),
        },
        ["non-profile-set-as-profile error Metadata/clients.xml:3:1"],
    ),
    "parts-of-templates": LintCase({"Cfg/etc/ward.conf/part.cheetah_include": "x"}, []),
    "module-without-text": LintCase(
        bundle('<BoundSEModule name="m"/>'), ["required-attrs-missing error Bundler/ward.xml:3:3"]
    ),
    "roles-of-selinux": LintCase(
        bundle('<BoundSEUser name="a_u" roles="staff_r other" prefix="user"/>'),
        ["required-attr-format error Bundler/ward.xml:3:27"],
    ),
    "relative-name-of-an-untyped-path": LintCase(
        bundle('<BoundPath name="etc/x"/>'), ["required-attr-format error Bundler/ward.xml:3:14"]
    ),
    "pulp-source": LintCase(
        {
            "Packages/sources.xml": (
                '<Sources><Source type="yum" pulp_id="x"><Component>c</Component><Arch>a</Arch></Source></Sources>'
            )
        },
        [],
        "Packages",
        "[packages]\nresolver = disabled\nmetadata = disabled\n",
    ),
    "range-with-letters": LintCase(
        {
            "GroupPatterns/config.xml": (
                "<GroupPatterns><GroupPattern>\n<NameRange>n[[a-b]]</NameRange><Group>g</Group></GroupPattern></GroupPatterns>"
            )
        },
        ["pattern-fails-to-initialize error GroupPatterns/config.xml:2:1"],
        "GroupPatterns",
    ),
    "genshi-line": LintCase(
        {**OTHERS, "Cfg/etc/m/m.genshi": "one\n${1 +}\n"}, ["genshi-syntax-error error Cfg/etc/m/m.genshi:2:1"]
    ),
    "jinja2-line": LintCase(
        {**OTHERS, "Cfg/etc/m/m.jinja2": "one\ntwo {% if %}\n"}, ["jinja2-syntax-error error Cfg/etc/m/m.jinja2:2:1"]
    ),
    "default-list-is-no-list": LintCase(
        {"TemplateHelper/h.py": "__export__ = ['f']\n__default__ = 'f'\nf = 1\n"},
        ["file-not-usable error TemplateHelper/h.py"],
        "TemplateHelper",
    ),
    "export-is-no-list": LintCase(
        {"TemplateHelper/h.py": "__export__ = ('f',)\n__default__ = ['name']\n"},
        ["templatehelper-nonlist-export error TemplateHelper/h.py:1:1"],
        "TemplateHelper",
    ),
    "authorized-keys-are-no-variants": LintCase(
        {
            "Cfg/etc/ward.conf/authorized_keys.xml": '<AuthorizedKeys><Allow from="/a.pub"/></AuthorizedKeys>',
            "Cfg/etc/ward.conf/ward.conf": '<AuthorizedKeys><Allow from="/a.pub"/></AuthorizedKeys>',
        },
        [],
    ),
    "comments-before-the-root": LintCase(
        {"Bundler/ward.xml": '<!-- $Id: 7 $ -->\n<Bundle><Path name="/etc/ward.conf"/></Bundle>'},
        [],
        config="[Comments]\nbundler_keywords = Id\n",
    ),
    "silent-and-lower-severities": LintCase(
        {"Bundler/spare.xml": "<Bundle/>", "Cfg/README": "x"},
        ["unknown-cfg-files note Cfg/README"],
        config="[errors]\nunused-bundle = silent\nunknown-cfg-files = note\n",
    ),
}


@pytest.mark.parametrize("name", OWN_CASES)
def test_faults_have_places(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = OWN_CASES[name]
    found = lint(write_site(tmp_path, case), capsys, monkeypatch)
    shown = [each for each in found.places() if each.split()[1] != "note" or each in case.expected]
    assert shown == sorted(case.expected, key=lambda each: each.split()[2]), found.err
    words = {each.split()[1] for each in case.expected}
    assert found.status == (2 if "error" in words else 3 if "warning" in words else 0)


def test_schemas_are_made_of_the_table() -> None:
    for name, schema in SCHEMAS.items():
        assert (SCHEMA_DIRECTORY / name).read_bytes() == schema_text(schema), f"run schema_writer for {name}"
    assert {path.name for path in SCHEMA_DIRECTORY.iterdir()} == set(SCHEMAS)


def test_the_directory_of_schemas_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--schemas"]) == 0
    assert Path(capsys.readouterr().out.strip(), "bundle.xsd").is_file()


def test_kinds_have_one_meaning() -> None:
    kinds = [kind for check in check_classes().values() for kind in check.kinds]
    by_name = {kind.name: kind for kind in kinds}
    assert all(by_name[kind.name] == kind for kind in kinds)
    assert all(kind.meaning.endswith(".") and kind.advice.endswith(".") for kind in kinds)


def test_severities_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_site(tmp_path, LintCase({}, [], config="[errors]\nunused-bundle = error\n"))
    assert main(["lint", "-C", str(config), "--lint-config", "/dev/null", "--list-errors"]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines() if line.startswith(" ")]
    listed = {line[0]: line[1] for line in lines}
    assert listed["unused-bundle"] == "error"
    assert listed["merge-cfg"] == "warning"
    assert "duplicate-packages" not in listed


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[errors]\nmerge-cfg = wrning\n", "[errors] merge-cfg = wrning: expected error, warning, note, silent"),
        ("[lint]\nplugins = Bundlr\n", "unknown check Bundlr; did you mean Bundler?"),
        ("[lint]\nplugins =\n", "no check to do"),
        ("[MergeFiles]\nthreshold = much\n", "[MergeFiles] threshold"),
    ],
)
def test_wrong_settings_are_named(
    config: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = lint(write_site(tmp_path, LintCase({}, [], config=config)), capsys, monkeypatch)
    assert found.status == 1
    assert message in found.err


def test_unknown_names_in_errors_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = "[errors]\nunused-bundel = silent\n"
    found = lint(write_site(tmp_path, LintCase({}, [], config=config)), capsys, monkeypatch)
    assert found.status == 0
    assert "unused-bundel: no check has this name; did you mean unused-bundle?" in found.err


def test_the_second_configuration_file_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_site(tmp_path, LintCase({"Cfg/README": "x"}, [], config="[errors]\nunknown-cfg-files = silent\n"))
    second = tmp_path / "lint.conf"
    second.write_text("[errors]\nunknown-cfg-files = warning\n")
    assert main(["lint", "-C", str(config), "--lint-config", str(second)]) == 3
    assert "warning: these files are not used: Cfg/README" in capsys.readouterr().out


def test_names_relative_to_the_repository_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_site(
        tmp_path, LintCase({"Bundler/a.xml": "<Bundle><X/></Bundle>", "Bundler/b.xml": "<Bundle><X/></Bundle>"}, [])
    )
    found = lint(config, capsys, monkeypatch, "--stdin", stdin="Bundler/a.xml\n\n")
    assert found.places() == ["xml-failed-to-verify error Bundler/a.xml:1:9"]
    assert found.status == 2


def test_formats_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_site(tmp_path, LintCase(bundle("<X/>"), []))
    monkeypatch.chdir(tmp_path)
    arguments = ["lint", "-C", str(config), "--lint-config", "/dev/null", "--format"]
    assert main([*arguments, "github"]) == 2
    line = capsys.readouterr().out
    assert line.startswith("::error file=repo/Bundler/ward.xml,line=3,col=3,title=xml-failed-to-verify::X does not")
    assert line.count("\n") == 1
    assert main([*arguments, "sarif"]) == 2
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (result,) = log["runs"][0]["results"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "xml-failed-to-verify"
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "Bundler/ward.xml", "uriBaseId": "REPOSITORY"}
    assert location["region"] == {"startLine": 3, "startColumn": 3}
    assert log["runs"][0]["originalUriBaseIds"]["REPOSITORY"]["uri"] == f"file://{tmp_path}/repo/"


def test_text_names_the_place_and_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_site(tmp_path, LintCase(bundle("<Packge name='x'/>"), []))
    assert main(["lint", "-C", str(config), "--lint-config", "/dev/null"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Bundler/ward.xml:3:3: error: Packge does not belong here")
    assert "did you mean Package?" in lines[0]
    assert lines[1].startswith("    Compare the file")
    assert lines[-1].startswith("5 files, 1 error, 0 warnings")


def test_the_alias_prints_like_bcfg2_lint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_site(tmp_path, LintCase({"Cfg/README": "x", "Bundler/spare.xml": "<Bundle/>"}, []))
    arguments = ["lint", "-C", str(config), "--lint-config", "/dev/null"]
    assert run([*arguments, "-d"], original="bcfg2-lint") == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == ["1 errors", "1 warnings"]
    lines = [line for line in err.splitlines() if not line.startswith("DEBUG")]
    assert "WARNING: Bundler/spare.xml: nothing asks for the bundle spare" in lines
    assert "    (unused-bundle)" in lines
    assert any(line.startswith("ERROR: ") for line in lines)


def test_processes_find_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geventcore.tools.lint.runner.FEWEST_FILES_FOR_PROCESSES", 1)
    files = {f"Bundler/b{number}.xml": "<Bundle><X/></Bundle>" for number in range(9)}
    config = write_site(tmp_path, LintCase(files, []))
    alone = lint(config, capsys, monkeypatch, "--processes", "1")
    assert lint(config, capsys, monkeypatch, "--processes", "2") == alone
    assert len(alone.findings) == 9


#: Files of the manual's examples that the schemas of Bcfg2 refuse, with the reasons.
BEYOND_BCFG2 = {
    "groups/repo/GroupLogic/groups.xml": "a category in GroupLogic",
    "rules/repo/Bundler/web.xml": "a bundle that overrides an attribute of a rule",
    "sshkeys/repo/Cfg/root/.ssh/id_ed25519/privkey.xml": "a key of another type",
}


@pytest.mark.parametrize("directory", ["docs/examples", "geventcore/sample_site", "tests/cases/tools/info"])
def test_sample_repositories_are_valid(
    directory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repositories = sorted(path.parent for path in (ROOT / directory).rglob("Metadata") if path.is_dir())
    assert repositories
    faults = set()
    config = tmp_path / "bcfg2.conf"
    for repository in repositories:
        plugins = ",".join(path.name for path in repository.iterdir() if path.is_dir())
        config.write_text(f"[server]\nrepository = {repository}\nplugins = {plugins}\n[lint]\nplugins = Validate\n")
        found = lint(config, capsys, monkeypatch)
        where = os.path.relpath(repository, ROOT / directory)
        faults |= {f"{where}/{each['file']}" for each in found.findings if each["severity"] == "error"}
    assert faults == (set(BEYOND_BCFG2) if directory == "docs/examples" else set())


def test_linked_directories_are_read_wherever_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_site(tmp_path, LintCase({}, []))
    etc = tmp_path / "repo/Cfg/etc"
    (etc / "copy").mkdir()
    (etc / "copy/ward.conf").symlink_to("../ward.conf")
    (etc / "ward.conf/loop").symlink_to("..")
    (etc / "ward.conf/info.xml").unlink()
    found = lint(config, capsys, monkeypatch)
    entries = {each["entry"] for each in found.findings if each["name"] == "no-infoxml"}
    assert {"Path:/etc/ward.conf", "Path:/etc/copy/ward.conf"} <= entries
