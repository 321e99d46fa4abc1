"""TemplateHelper: what modules export, what templates get, and modules that fail, change or go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from geventcore.options.server import CACHE_MODE
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer, write_files
from tests.support.plugin_site import entry_of, messages, metadata_of, plugin_site

PLUGINS = ("Bundler", "Cfg", "TemplateHelper")
BUNDLE = {"Bundler/b.xml": '<Bundle><Path name="/f"/></Bundle>'}


def helpers(server: SmallServer) -> Any:
    return metadata_of(server).TemplateHelper


@pytest.mark.parametrize(
    ("file", "template"),
    [
        ("f.jinja2", '{{ metadata.TemplateHelper["tools"].double("x") }}'),
        ("f.jinja2", "{{ metadata.TemplateHelper.tools.double('x') }}"),
        ("f.jinja2", "{{ double('x') }}"),
        ("f.genshi", '${metadata.TemplateHelper["tools"].double("x")}'),
        ("f.genshi", "${double('x')}"),
    ],
)
def test_templates_of_cfg_get_exports_and_defaults(tmp_path: Path, file: str, template: str) -> None:
    files = {
        **BUNDLE,
        "TemplateHelper/tools.py": "__export__ = ['double']\n__default__ = ['double']\ndef double(t): return t * 2\n",
        f"Cfg/f/{file}": template,
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert entry_of(server, "Path", "/f").text == "xx"


def test_xml_templates_get_exports_but_no_defaults(tmp_path: Path) -> None:
    bundle = (
        '<Bundle xmlns:py="http://genshi.edgewall.org/"><Path name="/${metadata.TemplateHelper[\'tools\'].x}"/>'
        '<Path py:if="defined(\'x\')" name="/defined"/></Bundle>'
    )
    files = {"Bundler/b.xml": bundle, "TemplateHelper/tools.py": "__export__ = ['x']\n__default__ = ['x']\nx = 'y'\n"}
    with plugin_site(tmp_path, PLUGINS, files) as server:
        (structure,) = server.core.build_configuration("h")
    assert [entry.get("name") for entry in structure] == ["/y"]


def test_what_is_not_exported_cannot_be_seen(tmp_path: Path) -> None:
    files = {"TemplateHelper/m.py": "__export__ = ('a',)\n__default__ = ['b']\na = 1\nb = 2\nc = 3\n"}
    with plugin_site(tmp_path, PLUGINS, files) as server:
        module = helpers(server)["m"]
        assert (module.a, module.b) == (1, 2)
        assert not hasattr(module, "c")


def test_names_that_cannot_be_exported_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "__export__ = ['missing', '__init__', 'a']\n__default__ = ['metadata', 'a']\na = metadata = 1\n"
    with plugin_site(tmp_path, PLUGINS, {"TemplateHelper/m.py": text}) as server:
        assert helpers(server)["m"].a == 1
    for reason in (
        "m.py: cannot export missing, because the module does not define it",
        "m.py: cannot export __init__",
        "m.py: ignoring the default variable metadata, which every template already has",
    ):
        assert messages(caplog, reason)


def test_of_two_equal_defaults_the_first_modules_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        **BUNDLE,
        "TemplateHelper/b.py": "__export__ = []\n__default__ = ['x']\nx = 'from b'\n",
        "TemplateHelper/a.py": "__export__ = []\n__default__ = ['x']\nx = 'from a'\n",
        "Cfg/f/f.jinja2": "{{ x }}",
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert entry_of(server, "Path", "/f").text == "from a"
    assert messages(caplog, "b.py: two modules define the default variable x; using the first")


def test_a_module_is_one_of_its_own(tmp_path: Path) -> None:
    # Annotations are evaluated here, dataclasses look their module up, and the server's own future is not theirs.
    text = """
import dataclasses, pickle
__export__ = ["Thing", "annotation", "copy"]
@dataclasses.dataclass
class Thing:
    size: int = 3
def annotated(x: 1 + 1): pass
annotation = annotated.__annotations__["x"]
copy = pickle.loads(pickle.dumps(Thing(4)))
"""
    future = """from __future__ import annotations
import dataclasses
__export__ = ["D"]
@dataclasses.dataclass
class D:
    x: int = 1
"""
    with plugin_site(tmp_path, PLUGINS, {"TemplateHelper/m.py": text, "TemplateHelper/n.py": future}) as server:
        module = helpers(server)["m"]
        assert (module.Thing().size, module.annotation, module.copy) == (3, 2, module.Thing(4))
        assert helpers(server)["n"].D().x == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_that_name", "m.py: line 1: cannot be loaded: ModuleNotFoundError"),
        ("\nx = (", "m.py: line 2: cannot be loaded: SyntaxError"),
        ("\n\n1 / 0", "m.py: line 3: cannot be loaded: ZeroDivisionError"),
        ("import sys\nsys.exit(1)", "m.py: line 2: cannot be loaded: SystemExit"),
        ("", "m.py: the list __export__"),
        ("__export__ = 'a'", "m.py: __export__ must be a list of names"),
        ("__export__ = [1]", "m.py: __export__ must be a list of names"),
        ("__export__ = []\n__default__ = 7", "m.py: __default__ must be a list of names"),
        (b"\xff\xfe", "m.py: line 1: cannot be loaded: SyntaxError"),
        (b"__export__ = []\n\0", "m.py: "),
    ],
)
def test_a_module_of_no_use_is_told_and_the_last_good_version_stays(
    tmp_path: Path, text: str | bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        "TemplateHelper/m.py": "__export__ = ['a']\na = 'good'\n",
        "TemplateHelper/other.py": "__export__ = ['a']\na = 'other'\n",
        "TemplateHelper/never.py": text,
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert sorted(helpers(server)) == ["m", "other"]
        write_files(tmp_path, {"TemplateHelper/m.py": text})
        until(server, lambda: bool(messages(caplog, str(tmp_path / "TemplateHelper/m.py"))))
        assert any(reason in line for line in messages(caplog, str(tmp_path / "TemplateHelper/m.py")))
        assert helpers(server)["m"].a == "good"
        assert helpers(server)["other"].a == "other"


@pytest.mark.parametrize("mode", ["off", "aggressive"])
def test_modules_change_come_and_go(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "TemplateHelper/m.py"
    files = {"TemplateHelper/m.py": "__export__ = ['a']\na = 1\n"}
    with plugin_site(tmp_path, PLUGINS, files, {CACHE_MODE: mode}) as server:
        before = helpers(server)["m"]
        path.write_text("__export__ = ['a']\na = 22\n")
        until(server, lambda: helpers(server)["m"].a == 22)
        # Who rendered meanwhile kept what it began with.
        assert before.a == 1
        write_files(tmp_path, {"TemplateHelper/n.py": "__export__ = ['a']\na = 3\n"})
        until(server, lambda: "n" in helpers(server))
        path.unlink()
        until(server, lambda: "m" not in helpers(server))


def test_other_files_are_told_and_nothing_is_left_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        "TemplateHelper/m.py": "__export__ = []\n",
        "TemplateHelper/m.pyc": b"",
        "TemplateHelper/README": "",
        "TemplateHelper/directory.py/x": "",
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert list(helpers(server)) == ["m"]
    assert {line.rpartition("/")[2].partition(":")[0] for line in messages(caplog, "TemplateHelper/")} == {"README"}
    assert not (tmp_path / "TemplateHelper/__pycache__").exists()


def test_a_module_that_fails_is_not_left_among_pythons_own(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, {"TemplateHelper/fails_early.py": "1 / 0"}):
        assert not [name for name in sys.modules if name.endswith("fails_early")]


def test_a_thousand_modules(tmp_path: Path) -> None:
    files = {f"TemplateHelper/m{n}.py": f"__export__ = ['a']\na = {n}\n" for n in range(1000)}
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert helpers(server)["m999"].a == 999
        assert len(helpers(server)) == 1000
