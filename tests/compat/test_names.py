"""The small things that plugins for Bcfg2 import: caches, specificities, options, helpers of `Bcfg2.Utils`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from geventcore.compat import options, python2, tag_cache, utils
from geventcore.compat import specificities as specificity
from geventcore.compat.core import core_of
from geventcore.compat.metadata import ClientMetadata, MetadataGroup
from geventcore.compat.plugin_files import construct
from geventcore.compat.tag_cache_13 import Cache as Cache13
from geventcore.compat.views import class_of
from geventcore.core.base import Core
from geventcore.errors import MetadataRuntimeError, PluginExecutionError, PluginInitError
from geventcore.options import load_settings
from geventcore.plugin import client_metadata as server
from geventcore.plugin.specificity import Specificity as ServerSpecificity
from tests.support.compat_site import FILES, entry_of
from tests.support.plugin_context import small_server, write_files

# -- caches


def test_a_cache_is_a_mapping_under_its_tags() -> None:
    cache: Any = tag_cache.Cache("Sample", "facts")
    cache["one"], cache["two"] = 1, 2
    tag_cache.Cache("Sample", "other")["one"] = 3
    assert dict(cache) == {"one": 1, "two": 2}
    assert cache.get("three") is None
    with pytest.raises(KeyError):
        cache["three"]
    del cache["two"]
    assert len(cache) == 1
    tag_cache.expire("Sample", "one")
    assert dict(cache) == {}
    assert dict(tag_cache.Cache("Sample", "other")) == {}


def test_expiry_of_exact_tags_and_its_hooks() -> None:
    calls: list[Any] = []
    tag_cache.add_expire_hook(lambda tags, exact, count: calls.append((tags, exact, count)))
    cache: Any = tag_cache.Cache("Exact")
    cache["x"] = 1
    tag_cache.Cache("Exact", "x")["more"] = 2
    cache.expire("x")
    assert dict(cache) == {}
    assert dict(tag_cache.Cache("Exact", "x")) == {"more": 2}
    cache.expire()
    assert dict(tag_cache.Cache("Exact", "x")) == {}
    assert [(set(tags), exact, count) for tags, exact, count in calls] == [
        ({"Exact", "x"}, True, 1),
        ({"Exact"}, False, 1),
    ]


def test_the_cache_of_13() -> None:
    cache = Cache13(a=1, b=2)
    cache.expire("a")
    assert cache == {"b": 2}
    cache.expire()
    assert cache == {}


# -- specificities and metadata


def test_the_most_specific_sorts_first() -> None:
    everyone, host = specificity.Specificity(all=True), specificity.Specificity(hostname="h")
    low, high = specificity.Specificity(group="g", prio=5), specificity.Specificity(group="g", prio=10)
    assert sorted([everyone, low, host, high]) == [host, high, low, everyone]
    client = server.ClientMetadata("h", groups={"g"})
    assert all(each.matches(client) for each in (everyone, host, low))
    stranger = server.ClientMetadata("x")
    assert [each.matches(stranger) for each in (everyone, host, low)] == [True, False, False]


@pytest.mark.parametrize(
    "given", [ServerSpecificity(), ServerSpecificity(hostname="h"), ServerSpecificity(group="g", priority=7)]
)
def test_a_specificity_goes_there_and_back(given: ServerSpecificity) -> None:
    assert specificity.to_server(specificity.to_bcfg2(given)) == given


def test_metadata_are_made_and_told_as_in_bcfg2() -> None:
    made = ClientMetadata("h", "p", ["p"], {"b"}, set(), set(), {"c": "p"}, None, None, "1.4.0pre2", None)
    assert isinstance(made, server.ClientMetadata)
    assert isinstance(server.ClientMetadata("x"), ClientMetadata)
    assert made.version_info is not None
    assert made.version_info >= "1.3.0"
    assert made.inGroup("p")
    assert MetadataGroup("g", bundles=["b"], category="") == server.MetadataGroup("g")


# -- options


@pytest.mark.parametrize(
    ("arguments", "named", "dest"),
    [
        ((), {"cf": ("sample", "Some-Key")}, "some_key"),
        ((), {"cf": ("sample", "key"), "dest": "sample_key"}, "sample_key"),
        (("-k", "--long-name"), {"cf": ("sample", "key")}, "long_name"),
        ((), {"env": "SAMPLE_KEY"}, "SAMPLE_KEY"),
        (("What it is", "default"), {"cf": ("sample", "key")}, "key"),
    ],
)
def test_where_the_value_of_an_option_is_found(arguments: tuple[Any, ...], named: dict[str, Any], dest: str) -> None:
    assert options.Option(*arguments, **named).dest == dest


def test_a_pattern_for_a_place_is_refused() -> None:
    with pytest.raises(PluginInitError, match="patterns"):
        options.Option(cf=("sample", "*"))


@pytest.mark.parametrize(
    ("convert", "text", "value"),
    [
        (options.Types.comma_list, "a, b", ["a", "b"]),
        (options.Types.colon_list, "a:b", ["a", "b"]),
        (options.Types.octal, "0644", 0o644),
        (options.Types.size, "2k", 2048),
        (options.Types.timeout, "0", None),
        (options.Types.literal_dict, "{'a': 1}", {"a": 1}),
        (options.Types.username, "root", 0),
        (options.Types.groupname, "0", 0),
        (options.Types.path, "/a/../b", "/b"),
    ],
)
def test_types(convert: Any, text: str, value: Any) -> None:
    assert convert(text) == value


def test_anchored_regexes() -> None:
    (pattern,) = options.Types.anchored_regex_list("ab*")
    assert pattern.match("abb")
    assert not pattern.match("abbc")


# -- Bcfg2.Compat and Bcfg2.Utils


def test_base64_of_texts_and_bytes() -> None:
    assert python2.b64encode("ä") == "w6Q="
    assert python2.b64encode(b"\xff") == b"/w=="
    assert python2.b64decode("w6Q=") == "ä"
    assert python2.b64decode(b"/w==") == b"\xff"


def test_the_executor_tells_what_a_program_did() -> None:
    run = utils.Executor(timeout=20).run
    done = run("cat", inputdata="in")
    assert (done.success, done.stdout, done.retval, done.error) == (True, "in", 0, None)
    failed = run("echo wrong >&2; exit 3", shell=True)
    assert (bool(failed), failed.retval, failed.error) == (False, 3, "wrong")
    assert run(["/no/such/program"]).retval is None
    assert "timed out" in (run(["sleep", "20"], timeout=0.05).error or "")


def test_ranges_of_numbers() -> None:
    numbers = utils.PackedDigitRange("1-4,9", "20-")
    assert [number for number in (0, 1, 4, 5, 9, 19, 20, 99) if numbers.includes(str(number))] == [1, 4, 9, 20, 99]
    with pytest.raises(ValueError, match="neither"):
        utils.PackedDigitRange("a")


def test_a_lock_of_another_process_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open("r+") as stream:
        assert not utils.locked(stream.fileno())
        child = os.fork()
        if child == 0:
            with path.open("r+") as other:
                os._exit(7 if utils.locked(other.fileno()) else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


# -- classes derived from the server's plugins


@pytest.mark.parametrize(
    "name", ["Bundler", "Cfg", "Decisions", "GroupPatterns", "Probes", "Properties", "Rules", "TemplateHelper"]
)
def test_a_site_may_derive_from_the_servers_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    directory = tmp_path / "python"
    directory.mkdir()
    module = f"derived_{name.lower()}"
    (directory / f"{module}.py").write_text(
        f"from Bcfg2.Server.Plugins.{name} import {name}\n"
        f"class Mine({name}):\n"
        f"    def __init__(self, core, datastore):\n"
        f"        {name}.__init__(self, core, datastore)\n"
        f"        self.greeting = 'hello'\n"
    )
    monkeypatch.syspath_prepend(str(directory))
    repository = tmp_path / "repository"
    write_files(repository, FILES)
    write_files(repository, {"GroupPatterns/config.xml": "<GroupPatterns/>", "Mine/config.xml": "<GroupPatterns/>"})
    with small_server(repository, ["Metadata", f"{module}.Mine"]) as running:
        plugin: Any = running.plugin("Mine")
        assert plugin.legacy.greeting == "hello"
        assert plugin.legacy.data == str(repository / "Mine")
        assert isinstance(plugin.legacy, class_of(name))
        assert running.core.build_configuration("host").tag == "Configuration"


def test_a_metadata_plugin_derived_from_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "python"
    directory.mkdir()
    (directory / "derived_metadata.py").write_text(
        "import Bcfg2.Server.Plugins.Metadata\n"
        "class SiteMetadata(Bcfg2.Server.Plugins.Metadata.Metadata):\n"
        "    def get_initial_metadata(self, client):\n"
        "        parent = super(SiteMetadata, self)\n"
        "        metadata = parent.get_initial_metadata(client)\n"
        "        metadata.groups.add('group-%d' % len(self.groups))\n"
        "        return metadata\n"
    )
    monkeypatch.syspath_prepend(str(directory))
    repository = tmp_path / "repository"
    write_files(repository, FILES)
    for name in ("groups.xml", "clients.xml"):
        write_files(repository, {f"SiteMetadata/{name}": FILES[f"Metadata/{name}"]})
    with small_server(repository, ["derived_metadata.SiteMetadata", "Bundler"]) as running:
        metadata = running.core.build_metadata("host")
        assert metadata.groups == {"p", "group-2"}
        assert metadata.query is not None
        assert [other.hostname for other in metadata.query.by_groups(["p"])] == ["host"]
        entry = entry_of(running.core.build_configuration("host"), "Path", "/etc/motd.site")
        assert entry.get("failure") == "no matching generator"


# -- names of 1.3


SITE_13 = """\
import Bcfg2.Options
import Bcfg2.Server.Plugin


class Old(Bcfg2.Server.Plugin.Plugin, Bcfg2.Server.Plugin.Connector):
    def __init__(self, core, datastore):
        Bcfg2.Server.Plugin.Plugin.__init__(self, core, datastore)
        core.setup.add_option("colour", Bcfg2.Options.Option("a colour", "red", cf=("old", "colour")))
        core.setup.reparse()

    def get_additional_data(self, metadata):
        setup = self.core.setup
        parser = Bcfg2.Options.OptionParser({
            "repo": Bcfg2.Options.SERVER_REPOSITORY,
            "plugins": Bcfg2.Options.SERVER_PLUGINS,
            "size": Bcfg2.Options.Option("a size", default=7, cf=("old", "size"), cook=Bcfg2.Options.get_int),
            "shade": Bcfg2.Options.Option("a shade", "dark", cf=("old", "shade")),
        })
        parser.parse([])
        return {
            "spellings": [setup["repo"], setup.repository, setup.get("repo"), Bcfg2.Options.setup.repository,
                          parser["repo"], Bcfg2.Options.get_option_parser()["repo"]],
            "colour": [setup["colour"], setup.cfp.get("old", "colour", default="blue"), "colour" in setup],
            "parser": [parser["size"], parser["shade"], sorted(parser["plugins"])],
        }
"""


def test_options_in_the_spellings_of_13(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, conf = tmp_path / "site", tmp_path / "bcfg2.conf"
    site.mkdir()
    (site / "Old.py").write_text(SITE_13)
    monkeypatch.syspath_prepend(str(site))
    repository = tmp_path / "repository"
    write_files(repository, FILES)
    conf.write_text(
        f"[server]\nrepository = {repository}\nplugins = Metadata, Old\nfilemonitor = pseudo\n"
        "[old]\ncolour = green\nsize = 12\n"
    )
    settings = load_settings(config_file=conf)
    core = Core(settings)
    try:
        core.load()
        found = core.build_metadata("host").Old
    finally:
        core.shutdown()
    assert found["spellings"] == [str(repository)] * 6
    assert found["colour"] == ["green", "green", True]
    assert found["parser"] == [12, "dark", ["Metadata", "Old"]]


def test_a_class_of_13_behind_a_function_with_any_arguments(tmp_path: Path) -> None:
    class Old:
        def __init__(self, _: Any, path: str, entry_type: Any, encoding: str, parent: Any = None) -> None:
            self.arguments = path, entry_type, encoding, parent

    class New:
        def __init__(self, base: str, path: str, entry_type: Any) -> None:
            self.arguments = base, path, entry_type

    assert construct(lambda *args: Old(*args, parent=1), "b", "p", int, optional="UTF-8").arguments == (
        *("p", int, "UTF-8"),
        1,
    )
    assert construct(lambda *args: New(*args), "b", "p", int, optional="UTF-8").arguments == ("b", "p", int)


def test_the_files_of_the_metadata(tmp_path: Path) -> None:
    included = '<Groups><Group name="inner"/></Groups>'
    groups = (
        '<Groups xmlns:xi="http://www.w3.org/2001/XInclude"><Group name="p" profile="true" default="true"/>'
        '<xi:include href="more.xml"/></Groups>'
    )
    write_files(
        tmp_path, {"Metadata/groups.xml": groups, "Metadata/more.xml": included, "Metadata/clients.xml": "<Clients/>"}
    )
    with small_server(tmp_path, ["Metadata"]) as server:
        metadata: Any = core_of(server.context).metadata
        assert [element.get("name") for element in metadata.groups_xml.xdata.iter("Group")] == ["p", "inner"]
        assert [element.get("name") for element in metadata.groups_xml.base_xdata.iter("Group")] == ["p"]
        assert metadata.groups_xml.extras == [str(tmp_path / "Metadata/more.xml")]
        found = metadata.groups_xml.find_xml_for_xpath('.//Group[@name="inner"]')
        assert found["filename"] == str(tmp_path / "Metadata/more.xml")
        assert metadata.groups_xml.find_xml_for_xpath('.//Group[@name="none"]') == {}
        assert list(metadata.clients_xml.xdata.getroot()) == []
        write_files(tmp_path, {"Metadata/clients.xml": '<Clients><Client name="c" profile="p"/></Clients>'})
        assert [element.get("name") for element in metadata.clients_xml.xdata.findall("Client")] == ["c"]
        with pytest.raises(PluginExecutionError, match="add_client"):
            metadata.clients_xml.write()
        write_files(tmp_path, {"Metadata/clients.xml": "<Clients>"})
        with pytest.raises(MetadataRuntimeError, match=r"clients\.xml"):
            _ = metadata.clients_xml.xdata
