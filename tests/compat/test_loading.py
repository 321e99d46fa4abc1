"""How plugins for Bcfg2 get into the server: who is served its modules, what is said of bad plugins."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.compat import current
from geventcore.compat.loading import load_site_plugin
from geventcore.core.base import Core
from geventcore.errors import PluginInitError
from geventcore.options import load_settings
from geventcore.plugin.base import Plugin
from geventcore.plugin.interfaces import Generator, Structure
from tests.support.compat_site import FILES, PLUGIN_DIRECTORY, remote
from tests.support.plugin_context import METADATA, small_server, write_files

PLUGIN = """\
import Bcfg2.Server.Plugin

class {name}(Bcfg2.Server.Plugin.Plugin):
    create = False
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on ``sys.path`` whose modules are forgotten afterwards."""
    directory = tmp_path / "python"
    directory.mkdir()
    monkeypatch.syspath_prepend(str(directory))
    monkeypatch.syspath_prepend(str(PLUGIN_DIRECTORY))
    before = set(sys.modules)
    yield directory
    for name in set(sys.modules) - before:
        if not name.startswith("geventcore"):
            del sys.modules[name]


def failure(name: str) -> str:
    """What is said of a plugin that cannot be loaded, which must be one line."""
    with pytest.raises(PluginInitError) as caught:
        load_site_plugin(name)
    text = str(caught.value)
    assert "\n" not in text
    return text


def start_failure(repository: Path, name: str) -> str:
    """What the server says of a plugin that cannot be made."""
    write_files(repository, METADATA)
    with pytest.raises(PluginInitError) as caught, small_server(repository, ["Metadata", name]):
        pass
    text = str(caught.value)
    assert "\n" not in text
    return text


# -- names and classes


@pytest.mark.parametrize("name", ["legacysite.motd.Motd", "legacysite.extras.Extras"])
def test_a_dotted_name_of_a_class_gives_an_adapter(path: Path, name: str) -> None:
    found = load_site_plugin(name)
    assert issubclass(found, Plugin)
    assert found.name == name.rpartition(".")[2]
    assert load_site_plugin(name) is found


def test_a_dotted_name_of_a_module_means_the_class_of_that_name(path: Path) -> None:
    (path / "Site").mkdir()
    (path / "Site" / "Sample.py").write_text(PLUGIN.format(name="Sample"))
    assert load_site_plugin("Site.Sample").name == "Sample"


def test_an_adapter_has_exactly_the_interfaces_of_its_plugin(path: Path) -> None:
    motd, extras = load_site_plugin("legacysite.motd.Motd"), load_site_plugin("legacysite.extras.Extras")
    assert issubclass(motd, Generator)
    assert not issubclass(motd, Structure)
    assert issubclass(extras, Structure)
    assert not issubclass(extras, Generator)


def test_a_plugin_of_this_server_is_loaded_as_it_is(path: Path) -> None:
    (path / "native.py").write_text("from geventcore.plugin.base import Plugin\nclass Native(Plugin): pass\n")
    assert load_site_plugin("native.Native") is sys.modules["native"].Native


# -- who is served


def test_nobody_else_gets_the_served_modules(path: Path) -> None:
    load_site_plugin("legacysite.motd.Motd")
    assert not any(name == "Bcfg2" or name.startswith("Bcfg2.") for name in sys.modules)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("Bcfg2")


def test_an_installed_bcfg2_is_what_others_import(path: Path) -> None:
    (path / "Bcfg2" / "Server").mkdir(parents=True)
    (path / "Bcfg2" / "__init__.py").write_text("who = 'installed'\n")
    (path / "Bcfg2" / "Server" / "__init__.py").write_text("")
    (path / "Bcfg2" / "Server" / "Plugin.py").write_text("who = 'installed'\n")
    (path / "outsider.py").write_text("import Bcfg2.Server.Plugin\nwho = Bcfg2.Server.Plugin.who\n")
    (path / "insider.py").write_text(
        PLUGIN.format(name="Insider") + "\n    who = getattr(Bcfg2.Server.Plugin, 'who', 'served')\n"
    )
    found = load_site_plugin("insider.Insider")
    assert found.legacy_class.who == "served"  # type: ignore[attr-defined]
    assert importlib.import_module("outsider").who == "installed"
    assert sys.modules["Bcfg2"].who == "installed"
    # The other order: it is imported already when a plugin is loaded.
    (path / "second.py").write_text(
        PLUGIN.format(name="Second") + "\n    who = getattr(Bcfg2.Server.Plugin, 'who', 'served')\n"
    )
    assert load_site_plugin("second.Second").legacy_class.who == "served"  # type: ignore[attr-defined]
    assert importlib.import_module("Bcfg2.Server.Plugin").who == "installed"


def test_what_another_thread_imports_meanwhile_is_not_served(path: Path) -> None:
    (path / "Bcfg2.py").write_text("who = 'installed'\n")
    (path / "neighbour.py").write_text("import Bcfg2\nwho = Bcfg2.who\n")
    (path / "meeting.py").write_text("import threading\nloading, imported = threading.Event(), threading.Event()\n")
    (path / "slow.py").write_text(
        "import meeting\nmeeting.loading.set()\nassert meeting.imported.wait(20)\n" + PLUGIN.format(name="Slow")
    )
    meeting = importlib.import_module("meeting")
    loaded: list[type[Plugin]] = []
    thread = threading.Thread(target=lambda: loaded.append(load_site_plugin("slow.Slow")))
    thread.start()
    assert meeting.loading.wait(20)
    who = importlib.import_module("neighbour").who
    meeting.imported.set()
    thread.join(20)
    assert who == "installed"
    assert [plugin.name for plugin in loaded] == ["Slow"]


def test_late_imports_work_in_functions_threads_and_helpers(path: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write_files(repository, FILES)
    with small_server(repository, ["Metadata", "legacysite.worker.Worker"]) as server:
        server.plugin("Worker").start_threads()  # type: ignore[attr-defined]
        assert remote(server, "Worker", "Result") == "UTF-8 x"
        sys.modules.pop("legacysite.late", None)
        assert remote(server, "Worker", "Late") == ["eA==", "late"]


def test_every_form_of_import_is_served(path: Path) -> None:
    (path / "forms.py").write_text(
        "import Bcfg2\n"
        "import Bcfg2.Server.Plugin as plugin_module\n"
        "from Bcfg2 import Options, Server\n"
        "from Bcfg2.Server import Plugin as also\n"
        "from Bcfg2.Server.Plugin import *\n"
        "from Bcfg2.Server.Plugin import helpers\n"
        "from Bcfg2.Server.Plugin.base import Plugin as Base\n"
        "from Bcfg2.Server.Plugin.interfaces import Generator as Other\n"
        "from Bcfg2.Server.Plugin.exceptions import PluginInitError as Error\n"
        "import Bcfg2.Logger, Bcfg2.Utils, Bcfg2.Compat, Bcfg2.version, Bcfg2.Server.Lint, Bcfg2.Cache\n"
        "import Bcfg2.Server.FileMonitor, Bcfg2.Server.Statistics, Bcfg2.Server.Core\n"
        "assert plugin_module is also is Bcfg2.Server.Plugin\n"
        "assert Base is Plugin is also.Plugin and Other is Generator and Error is PluginInitError\n"
        "assert Options is Bcfg2.Options and Server is Bcfg2.Server\n"
        "assert helpers.StructFile is StructFile\n"
        "assert Bcfg2.Server.Plugins.Rules.Rules.__name__ == 'Rules'\n"
        "assert __import__('Bcfg2.Server.Cache').Server.Cache.Cache('x') == {}\n"
        "class Forms(Plugin): create = False\n"
    )
    assert load_site_plugin("forms.Forms").name == "Forms"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("from Bcfg2.Server.Plugin import INode", "Bcfg2.Server.Plugin.INode does not exist in geventcore: use"),
        ("import Bcfg2.Server.models", "Bcfg2.Server.models does not exist in geventcore: plugins have no database"),
        ("import Bcfg2.Client", "Bcfg2.Client does not exist in geventcore"),
        ("import Bcfg2.Server.Plugins.Nonsense", "Bcfg2.Server.Plugins.Nonsense"),
        ("import Bcfg2.Server; Bcfg2.Server.Nonsense", "Bcfg2.Server.Nonsense does not exist in geventcore"),
    ],
)
def test_what_is_not_offered_is_named(path: Path, statement: str, said: str) -> None:
    (path / "asks.py").write_text(f"{statement}\n{PLUGIN.format(name='Asks')}")
    text = failure("asks.Asks")
    assert text.startswith(f"plugin asks.Asks cannot be loaded: {path}/asks.py line 1: ")
    assert said in text


def test_a_plugin_may_do_without_what_is_not_offered(path: Path) -> None:
    (path / "tries.py").write_text(
        f"try:\n    import Bcfg2.Server.models\nexcept ImportError:\n    pass\n{PLUGIN.format(name='Tries')}"
    )
    assert load_site_plugin("tries.Tries").name == "Tries"


# -- plugins that cannot be loaded


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("import urllib2\n", 1, "No module named 'urllib2' (a module of Python 2; Python 3 has urllib.request"),
        ("x = 1\nprint 'hello'\n", 2, "SyntaxError"),
        ("import os\nx = unicode('a')\n", 2, "(a name of Python 2; Python 3 has str)"),
        ("x = {}\nx.iteritems()\n", 2, "(a name of Python 2; Python 3 has items)"),
        ("raise RuntimeError('two\\nlines')\n", 1, "RuntimeError: two lines"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        (
            "import Bcfg2.Options\n\nx = Bcfg2.Options.setup.repository\n",
            3,
            "in a plugin's constructor, but not during its import",
        ),
    ],
)
def test_an_error_in_a_module_is_one_line_with_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch, source: str, line: int, said: str
) -> None:
    monkeypatch.setattr(current, "_context", None)
    (path / "broken.py").write_text(source)
    text = failure("broken.Broken")
    assert text.startswith("plugin broken.Broken cannot be loaded: ")
    assert said in text
    assert f"{path}/broken.py line {line}: " in text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Wrong(object): pass\n", "is not a plugin class: it derives neither from"),
        ("import Bcfg2.Server.Plugin\nclass Wrong(Bcfg2.Server.Plugin.Generator): pass\n", "is not a plugin class"),
        ("Wrong = 3\n", "3 is not a plugin class"),
        ("", "wrong.py has no class Wrong"),
    ],
)
def test_what_is_no_plugin_is_refused(path: Path, source: str, said: str) -> None:
    (path / "wrong.py").write_text(source)
    text = failure("wrong.Wrong")
    assert text.startswith("plugin wrong.Wrong")
    assert said in text


def test_a_module_that_does_not_exist_is_named(path: Path) -> None:
    text = failure("nowhere.Plugin")
    assert text.startswith("plugin nowhere.Plugin cannot be loaded: No module named 'nowhere'; Python looked in ")
    assert f"{path}, " in text


def test_a_library_that_is_missing_is_named_with_the_line_that_wants_it(path: Path) -> None:
    (path / "asks.py").write_text("import sys\nimport no_such_library\n")
    text = failure("asks.Asks")
    said = f"{path}/asks.py line 2: ModuleNotFoundError: No module named 'no_such_library'; Python looked in "
    assert said in text
    assert f"{path}, " in text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("        raise Bcfg2.Server.Plugin.PluginInitError('no licence')", "cannot be loaded: no licence"),
        ("        {}['missing']", "made.py line 8: KeyError: 'missing'"),
        ("        raise SystemExit('bye')", "made.py line 8: SystemExit: bye"),
        ("        core.nonsense", "made.py line 8: AttributeError: geventcore's core has no nonsense"),
        ("        core.setup.nonsense", "made.py line 8: AttributeError: unknown option nonsense"),
        ("        core.setup.cfp.get('no', 'such')", "the configuration has no [no] such, which a plugin needs"),
    ],
)
def test_an_error_in_a_constructor_stops_the_start_with_one_line(
    path: Path, tmp_path: Path, body: str, said: str
) -> None:
    (path / "made.py").write_text(
        PLUGIN.format(name="Made")
        + f"\n    def __init__(self, core):\n        Bcfg2.Server.Plugin.Plugin.__init__(self, core)\n{body}\n"
    )
    text = start_failure(tmp_path / "repository", "made.Made")
    assert text.startswith("plugin Made cannot be loaded: ")
    assert said in text


def test_a_database_that_is_asked_for_is_refused(path: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write_files(repository, METADATA)
    configuration = tmp_path / "bcfg2.conf"
    configuration.write_text(
        f"[server]\nrepository = {repository}\nplugins = Metadata, legacysite.pulling.Facts\nfilemonitor = pseudo\n"
        "[facts]\nuse_database = yes\n"
    )
    core = Core(load_settings(config_file=configuration))
    with pytest.raises(PluginInitError, match=r"plugin Facts cannot be loaded: \[facts\] use_database: .*set it to"):
        core.load()
    core.shutdown()


# -- helper modules of templates


def test_a_template_helper_may_import_bcfg2(path: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write_files(repository, FILES)
    write_files(
        repository,
        {
            "TemplateHelper/names.py": (
                "import Bcfg2.Server.Plugin\n"
                "from legacysite import shared\n"
                "__export__ = ['hidden', 'late']\n"
                "def hidden(text):\n"
                "    return shared.encoded(text)\n"
                "def late():\n"
                "    import Bcfg2.Options\n"
                "    return Bcfg2.Options.setup.encoding\n"
            )
        },
    )
    with small_server(repository, ["Metadata", "TemplateHelper"]) as server:
        helper = server.core.build_metadata("host").TemplateHelper["names"]
        assert helper.hidden("x") == "eA=="
        assert helper.late() == "UTF-8"
    assert "Bcfg2" not in sys.modules


def test_queries_of_ldap_may_import_what_bcfg2_has_for_them(path: Path, tmp_path: Path) -> None:
    load_queries = importlib.import_module("geventcore.plugins.ldap.plugin").load_queries
    config = tmp_path / "config.py"
    config.write_text(
        "from Bcfg2.Server.Plugins.Ldap import LdapConnection, LdapQuery\n"
        "__queries__ = ['Room']\n"
        "class Room(LdapQuery):\n"
        "    name = 'room'\n"
        "    connection = LdapConnection(host='ldap.example.com')\n"
    )
    assert list(load_queries(config)) == ["room"]
