"""Where values come from, which one wins, and what a wrong one leads to."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings, Option, OptionSet, default_settings, load_settings, types
from geventcore.options.server import (
    CACHE_MODE,
    CORE,
    IGNORE_FILES,
    LISTEN_ALL,
    PASSWORD,
    PLUGINS,
    REPOSITORY,
    SERVER_URL,
    STATE_DIRECTORY,
    UMASK,
    WEB_CONFIG,
)
from geventcore.options.sources import MAX_BYTES

PORT: Option[int] = Option(
    "server", "port", types.integer(1, 65535), 6789, "A port.", flags=("-p", "--port"), env="TEST_PORT"
)
DATABASE = Option("database", "name", types.STRING, "<repository>/etc/bcfg2.sqlite", "A file or a name.")
TOKEN = Option("site", "token", types.integer(), None, "A number that nobody may see.", secret=True)


class Site:
    """A directory with configuration files."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "bcfg2.conf"
        self.web = directory / "web.conf"

    def write(self, text: str | bytes, web: str | None = None) -> None:
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        if web is not None:
            self.web.write_text(web)

    def load(self, *options: Option[Any], **arguments: Any) -> LoadedSettings:
        arguments.setdefault("environ", {})
        arguments.setdefault("config_file", self.path)
        return load_settings(options=options, **arguments)

    def error(self, text: str | bytes, *options: Option[Any], **arguments: Any) -> str:
        """The message that this text leads to, with the file's name shortened to ``conf``."""
        self.write(text)
        with pytest.raises(ConfigError) as caught:
            self.load(*options, **arguments).check()
        message = str(caught.value)
        assert "\n" not in message
        return message.replace(str(self.path), "conf").replace(str(self.web), "web")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class TestPrecedence:
    def test_each_source_goes_over_the_next(self, site: Site) -> None:
        site.write("[server]\nport = 1\n")
        everything = {"command_line": {PORT: "3"}, "environ": {"TEST_PORT": "2"}}
        loaded = site.load(**everything)
        assert (loaded[PORT], loaded.source_of(PORT)) == (3, "command line")
        del everything["command_line"]
        loaded = site.load(**everything)
        assert (loaded[PORT], loaded.source_of(PORT)) == (2, "environment variable TEST_PORT")
        loaded = site.load()
        assert (loaded[PORT], loaded.source_of(PORT)) == (1, f"{site.path}:2")
        assert loaded.is_set(PORT)
        site.write("")
        loaded = site.load()
        assert (loaded[PORT], loaded.source_of(PORT)) == (6789, "default")
        assert not loaded.is_set(PORT)

    def test_an_empty_variable_is_unset(self, site: Site) -> None:
        site.write("[server]\nport = 1\n")
        assert site.load(environ={"TEST_PORT": ""})[PORT] == 1

    def test_the_main_name_goes_over_a_synonym(self, site: Site) -> None:
        site.write("[server]\nbackend = builtin\n")
        assert site.load()[CORE] == "builtin"
        site.write("[server]\nbackend = builtin\ncore = cherrypy\n")
        assert site.load()[CORE] == "cherrypy"
        site.write("[server]\nbackend = best\n")
        assert site.load()[CORE] == "gevent"

    def test_a_supplement_goes_over_the_main_file(self, site: Site) -> None:
        site.write(f"[server]\nport = 1\nlisten_all = yes\n[reporting]\nconfig = {site.web}\n", "[server]\nport = 2\n")
        loaded = site.load()
        assert (loaded[PORT], loaded[LISTEN_ALL]) == (2, True)
        assert loaded.files == (site.path, site.web)
        assert loaded.source_of(PORT) == f"{site.web}:2"

    def test_the_command_line_names_the_supplement(self, site: Site) -> None:
        site.write("[reporting]\nconfig = /nowhere\n", "[server]\nport = 2\n")
        loaded = site.load(command_line={WEB_CONFIG: str(site.web)})
        assert loaded[PORT] == 2
        assert loaded.warnings == []

    def test_a_missing_supplement_is_only_a_warning(self, site: Site) -> None:
        site.write(f"[reporting]\nconfig = {site.web}\n")
        assert site.load().warnings == [f"{site.path}:2: [reporting] config: the file {site.web} does not exist"]

    def test_values_of_the_program_go_over_everything(self, site: Site) -> None:
        site.write("[server]\nport = 1\nrepository = /srv\n")
        loaded = site.load()
        changed = loaded.with_values({PORT: 5, REPOSITORY: Path("/other")})
        assert (changed[PORT], changed[DATABASE]) == (5, "/other/etc/bcfg2.sqlite")
        assert changed.reload()[PORT] == 5
        assert changed.source_of(PORT) == "set by the program"
        assert (loaded[PORT], loaded[REPOSITORY]) == (1, Path("/srv"))

    def test_defaults_need_no_file(self) -> None:
        loaded = default_settings({PORT: 1})
        assert (loaded[PORT], loaded[LISTEN_ALL], loaded[PLUGINS][0]) == (1, False, "Bundler")
        assert loaded.files == ()


class TestFiles:
    def test_the_default_file_may_be_missing(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("geventcore.options.settings.DEFAULT_CONFIG_FILE", tmp_path / "none")
        assert load_settings(environ={}).files == ()

    def test_a_named_file_may_not_be_missing(self, site: Site) -> None:
        with pytest.raises(ConfigError, match=r"bcfg2\.conf: the configuration file does not exist"):
            site.load()
        with pytest.raises(ConfigError, match="the configuration file does not exist"):
            load_settings(environ={"BCFG2_CONFIG_FILE": str(site.path)})

    def test_the_environment_names_a_file(self, site: Site) -> None:
        site.write("[server]\nport = 1\n")
        assert load_settings(environ={"BCFG2_CONFIG_FILE": str(site.path)})[PORT] == 1

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
            (lambda path: path.symlink_to("/dev/null"), "it is a device, not a regular file"),
            (os.mkfifo, "it is a FIFO, not a regular file"),
            (lambda path: path.mkdir(), "Is a directory"),
            (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
            (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), f"it is larger than {MAX_BYTES} bytes"),
            (lambda path: (path.touch(), os.truncate(path, 1 << 40)), f"it is larger than {MAX_BYTES} bytes"),
        ],
    )
    def test_files_that_are_none_end_with_one_line(
        self, site: Site, make: Callable[[Path], object], reason: str
    ) -> None:
        make(site.path)
        with pytest.raises(ConfigError) as caught:
            load_settings(environ={"BCFG2_CONFIG_FILE": str(site.path)})
        assert str(caught.value) == f"{site.path}: cannot be read: {reason}"
        make(site.web)
        main = site.path.with_name("main.conf")
        main.write_text(f"[reporting]\nconfig = {site.web}\n")
        with pytest.raises(ConfigError):
            site.load(WEB_CONFIG, config_file=main)

    def test_the_command_line_names_another(self, site: Site) -> None:
        site.write("[server]\nport = 1\n")
        assert site.load(environ={"BCFG2_CONFIG_FILE": "/nowhere"})[PORT] == 1

    def test_sections_are_as_spelled_and_keys_are_not(self, site: Site) -> None:
        site.write("[packages:yum]\nPort = 3\n[Server]\nport = 1\n[server]\nPORT = 2\n")
        yum = Option("packages:yum", "port", types.INTEGER, 0, "")
        loaded = site.load()
        assert (loaded[PORT], loaded[yum]) == (2, 3)

    def test_percent_signs(self, site: Site) -> None:
        site.write("[DEFAULT]\nroot = /r\n[communication]\npassword = 100%%\n[server]\nrepository = %(Root)s/x\n")
        loaded = site.load()
        assert (loaded[PASSWORD], loaded[REPOSITORY]) == ("100%", Path("/r/x"))

    def test_references_reach_into_the_other_file(self, site: Site) -> None:
        site.write(f"[server]\nroot = /r\n[reporting]\nconfig = {site.web}\n", "[server]\nrepository = %(root)s/x\n")
        assert site.load()[REPOSITORY] == Path("/r/x")

    def test_a_byte_order_mark_and_foreign_line_ends(self, site: Site) -> None:
        site.write(b"\xef\xbb\xbf[server]\r\n\r\nport = 1\r\n")
        loaded = site.load()
        assert (loaded[PORT], loaded.source_of(PORT)) == (1, f"{site.path}:3")

    def test_a_line_separator_in_a_value_is_no_line_end(self, site: Site) -> None:
        site.write("[communication]\npassword = a\u2028b\x0cc\n[server]\nport = 1\n")
        loaded = site.load()
        assert (loaded[PASSWORD], loaded.source_of(PORT)) == ("a\u2028b\x0cc", f"{site.path}:4")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("port = 1\n", "conf:1: expected a [section] before the first key"),
            ("[server\nport = 1\n", "conf:1: expected a [section] before the first key"),
            ("\n[server]\nport\n", "conf:3: expected [section] or key = value"),
            ("[server]\nport = 1\nPort = 2\n", "conf:3: [server] port is set twice; remove one of the two"),
            ("[server]\n[x]\n[server]\n", "conf:3: section [server] exists twice; merge the two"),
            (b"[server]\n\nport = \xff\n", "conf:3: byte 0xff is not UTF-8 text"),
            (
                "[server]\nrepository = /%d\n",
                "conf:2: [server] repository = '/%d': a % must be followed by % or (key)s; write a literal % as %%",
            ),
            (
                "[server]\nrepository = %(root)s\n",
                "conf:2: [server] repository = '%(root)s': %(root)s is not a key of this section; "
                "write a literal % as %%",
            ),
            (
                "[server]\nrepository = %(repository)s\n",
                "conf:2: [server] repository = '%(repository)s': the value refers to itself; write a literal % as %%",
            ),
        ],
    )
    def test_what_is_no_proper_file(self, site: Site, text: str | bytes, message: str) -> None:
        assert site.error(text, REPOSITORY) == message

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
            load_settings(config_file=tmp_path, environ={})

    def test_a_broken_supplement_is_an_error(self, site: Site) -> None:
        site.web.write_text("nonsense\n")
        assert site.error(f"[reporting]\nconfig = {site.web}\n") == "web:1: expected a [section] before the first key"


class TestWrongValues:
    def test_the_file_is_named(self, site: Site) -> None:
        assert site.error("[server]\n\nport = 70000\n", PORT) == (
            "conf:3: [server] port = '70000': expected a whole number from 1 to 65535"
        )

    def test_the_synonym_that_was_used_is_named(self, site: Site) -> None:
        worker_count = Option("server", "workers", types.integer(1), 1, "", synonyms=(("server", "children"),))
        message = site.error("[server]\nchildren = none\n", worker_count)
        assert message == "conf:2: [server] children = 'none': expected a whole number of at least 1"

    def test_the_default_section_is_named_by_its_line(self, site: Site) -> None:
        assert site.error("[DEFAULT]\nport = x\n[server]\n", PORT).startswith("conf:2: [server] port = 'x': expected")

    def test_the_command_line_is_named(self, site: Site) -> None:
        assert site.error("", PORT, command_line={PORT: "x"}) == (
            "command line: --port 'x': expected a whole number from 1 to 65535"
        )

    def test_the_environment_is_named(self, site: Site) -> None:
        assert site.error("", PORT, environ={"TEST_PORT": "x"}) == (
            "environment variable TEST_PORT: 'x': expected a whole number from 1 to 65535"
        )

    def test_a_nearby_choice_is_suggested(self, site: Site) -> None:
        message = site.error("[caching]\nclient_metadata = agressive\n", CACHE_MODE)
        assert message.endswith("aggressive, on (= cautious) (did you mean aggressive?)")

    def test_secrets_are_hidden(self, site: Site) -> None:
        message = site.error("[site]\ntoken = swordfish\n", TOKEN)
        assert message == "conf:2: [site] token = (hidden): expected a whole number"
        assert "swordfish" not in site.error("[communication]\npassword = swordfish%\n", PASSWORD)
        assert "swordfish" not in site.error("[communication]\npassword = %(swordfish)s\n", PASSWORD)

    def test_a_long_value_is_cut(self, site: Site) -> None:
        assert len(site.error("[server]\nport = " + "x" * 10000 + "\n", PORT)) < 200

    def test_a_value_of_several_lines_makes_a_message_of_one(self, site: Site) -> None:
        assert r"'1\n2'" in site.error("[server]\nport = 1\n  2\n", PORT)

    def test_all_errors_are_found(self, site: Site) -> None:
        site.write("[server]\nport = x\numask = 9\n[components]\nbcfg2 = nowhere\n")
        errors = site.load(PORT, UMASK, SERVER_URL, LISTEN_ALL).errors()
        assert [str(err).split(": ")[1].split(" = ")[0] for err in errors] == [
            "[server] port",
            "[server] umask",
            "[components] bcfg2",
        ]

    def test_a_wrong_repository_is_told_once(self, site: Site) -> None:
        site.write("[server]\nrepository =\n")
        assert len(site.load(REPOSITORY, DATABASE).errors()) == 1

    def test_values_that_nobody_asks_for_do_no_harm(self, site: Site) -> None:
        site.write("[server]\nport = x\n[communication]\npassword = %\n")
        assert site.load(PORT, PASSWORD)[LISTEN_ALL] is False


class TestPaths:
    def test_the_repository_is_put_in(self, site: Site) -> None:
        vcs_root = Option("server", "vcs_root", types.PATH, "<repository>", "")
        cache = Option("packages", "cache", types.OPTIONAL_PATH, None, "")
        site.write("[server]\nrepository = /srv/bcfg2\n[packages]\ncache = <repository>/../cache\n")
        loaded = site.load()
        assert (loaded[vcs_root], loaded[cache]) == (Path("/srv/bcfg2"), Path("/srv/cache"))

    def test_also_into_a_text_that_has_it_in_its_default(self, site: Site) -> None:
        site.write("[server]\nrepository = /srv\n")
        assert site.load()[DATABASE] == "/srv/etc/bcfg2.sqlite"
        site.write("[server]\nrepository = /srv\n[database]\nname = <repository>/x\n")
        assert site.load()[DATABASE] == "/srv/x"

    def test_the_state_directory_is_the_repository_or_one_of_its_own(self, site: Site) -> None:
        cache = Option("packages", "cache", types.PATH, "<state>/Packages/cache", "")
        name = Option("database", "name", types.STRING, "<state>/etc/x.sqlite", "")
        site.write("[server]\nrepository = /srv/bcfg2\n")
        loaded = site.load()
        assert (loaded[STATE_DIRECTORY], loaded[name]) == (Path("/srv/bcfg2"), "/srv/bcfg2/etc/x.sqlite")
        site.write("[server]\nrepository = /srv/bcfg2\nstate_directory = <repository>/../state\n")
        loaded = site.load()
        assert (loaded[cache], loaded[name]) == (Path("/srv/state/Packages/cache"), "/srv/state/etc/x.sqlite")
        site.write("[server]\nrepository = /srv/bcfg2\n[database]\nname = <repository>/y\n")
        assert site.load()[name] == "/srv/bcfg2/y"

    def test_but_into_no_other_text(self, site: Site) -> None:
        site.write("[communication]\npassword = <repository>\n")
        assert site.load()[PASSWORD] == "<repository>"

    def test_relative_paths_stay_where_they_started(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        site.write("[server]\nrepository = repo\n")
        monkeypatch.chdir(tmp_path)
        loaded = load_settings(config_file=Path("bcfg2.conf"), environ={})
        monkeypatch.chdir("/")
        assert loaded[REPOSITORY] == tmp_path / "repo"
        assert loaded.reload()[REPOSITORY] == tmp_path / "repo"


class TestReload:
    def test_new_values_come_in_new_settings(self, site: Site) -> None:
        site.write("[server]\nport = 1\n")
        old = site.load(PORT, command_line={LISTEN_ALL: "yes"})
        site.write("[server]\nport = 2\nlisten_all = no\n")
        new = old.reload()
        assert (old[PORT], new[PORT], new[LISTEN_ALL]) == (1, 2, True)

    @pytest.mark.parametrize("text", ["[server]\nport = x\n", "nonsense\n", "[server]\nport = %\n"])
    def test_a_mistake_leaves_the_old_ones(self, site: Site, text: str) -> None:
        site.write("[server]\nport = 1\n")
        old = site.load(PORT)
        site.write(text)
        with pytest.raises(ConfigError):
            old.reload()
        assert old[PORT] == 1

    def test_also_a_mistake_in_an_option_that_was_only_asked_for(self, site: Site) -> None:
        site.write("[server]\nport = 1\n")
        old = site.load()
        assert old[PORT] == 1
        site.write("[server]\nport = x\n")
        with pytest.raises(ConfigError):
            old.reload()

    def test_a_file_that_is_gone_is_a_mistake(self, site: Site) -> None:
        site.write("[server]\nport = 1\n")
        old = site.load()
        site.path.unlink()
        with pytest.raises(ConfigError):
            old.reload()

    def test_a_supplement_may_appear(self, site: Site) -> None:
        site.write(f"[reporting]\nconfig = {site.web}\n")
        old = site.load()
        site.web.write_text("[server]\nport = 2\n")
        assert old.reload()[PORT] == 2


class TestFreeSections:
    def test_keys_are_as_spelled_and_found_in_any_case(self, site: Site) -> None:
        site.write("[DEFAULT]\nother = x\n[encryption]\nSite-Key = 50%%\nlax_decryption = no\n")
        section = site.load().section("encryption")
        assert dict(section) == {"Site-Key": "50%", "lax_decryption": "no"}
        assert section["site-key"] == section["SITE-KEY"] == "50%"
        assert "other" not in section
        assert section.get("none") is None

    def test_no_section_is_an_empty_one(self, site: Site) -> None:
        site.write("")
        assert dict(site.load().section("encryption")) == {}

    def test_a_wrong_percent_shows_no_passphrase(self, site: Site) -> None:
        site.write("[encryption]\nkey = sword%fish\n")
        with pytest.raises(ConfigError) as caught:
            dict(site.load().section("encryption"))
        assert "sword" not in str(caught.value)
        assert "[encryption] key" in str(caught.value)

    def test_options_that_are_made_for_one_use_are_not_kept(self, site: Site) -> None:
        site.write("[sslca_main]\nconfig = /x\n")
        loaded = site.load()
        option = Option("sslca_main", "config", types.PATH, None, "")
        assert loaded[option] == Path("/x")
        gone = weakref.ref(option)
        del option
        gc.collect()
        assert gone() is None


class TestWarnings:
    def warnings(self, site: Site, text: str, *options: Option[Any]) -> list[str]:
        site.write(text)
        return [line.replace(str(site.path), "conf") for line in site.load(*options).warnings]

    def test_an_unknown_key_and_its_neighbour(self, site: Site) -> None:
        text = "[server]\nport = 1\nPluggins = x\n[caching]\nxyz = 1\n"
        assert self.warnings(site, text, PORT, PLUGINS, CACHE_MODE) == [
            "conf:3: unknown option [server] Pluggins; did you mean plugins?",
            "conf:5: unknown option [caching] xyz",
        ]

    def test_synonyms_and_keys_of_other_programs_are_known(self, site: Site) -> None:
        text = "[server]\nbackend = best\n[communication]\nserverCommonNames = a\nretries = 1\n"
        assert self.warnings(site, text, CORE, PASSWORD) == []

    def test_sections_of_others_are_not_looked_at(self, site: Site) -> None:
        text = (
            "[DEFAULT]\nx = 1\n[mysite]\nanything = 1\n[client]\ndrivers = x\n[encryption]\nk = v\n[sslca_x]\na = b\n"
        )
        assert self.warnings(site, text, PORT) == []

    def test_a_section_that_is_nearly_known(self, site: Site) -> None:
        assert self.warnings(site, "[Server]\nport = 1\n[sever]\nx = 1\n", PORT) == [
            "conf:2: unknown section [Server]; did you mean [server]?",
            "conf:4: unknown section [sever]; did you mean [server]?",
        ]

    def test_an_indented_key_is_lost_in_the_value_before_it(self, site: Site) -> None:
        assert self.warnings(site, "[server]\nplugins = A,\n  B\n  port = 1\n", PLUGINS, PORT) == [
            "conf:2: [server] port is indented and so belongs to the value of plugins"
        ]

    def test_options_that_are_added_later_count(self, site: Site) -> None:
        site.write("[server]\nport = 1\n")
        loaded = site.load(PLUGINS)
        assert len(loaded.warnings) == 1
        loaded.options.add(PORT)
        assert loaded.warnings == []


class TestOptionSet:
    def test_the_same_option_counts_once(self) -> None:
        options = OptionSet([PORT, LISTEN_ALL, PORT])
        options.add(PORT)
        assert list(options) == [PORT, LISTEN_ALL]
        assert PORT in options
        assert len(options) == 2

    @pytest.mark.parametrize(
        ("other", "claim"),
        [
            (Option("server", "port", types.STRING, "", ""), r"\[server\] port"),
            (Option("x", "y", types.STRING, "", "", flags=("--port",)), "--port"),
            (Option("x", "y", types.STRING, "", "", env="TEST_PORT"), "TEST_PORT"),
        ],
    )
    def test_two_options_for_one_place_are_a_mistake(self, other: Option[str], claim: str) -> None:
        with pytest.raises(ValueError, match=f"two options claim {claim}: "):
            OptionSet([PORT, other])

    def test_an_option_may_fall_back_to_another(self) -> None:
        own = Option("sshkeys", "port", types.INTEGER, 1, "", synonyms=(("server", "port"),))
        assert len(OptionSet([PORT, own])) == 2


def test_lists_have_the_defaults_that_sites_rely_on() -> None:
    loaded = default_settings()
    assert loaded[PLUGINS] == ("Bundler", "Cfg", "Metadata", "Pkgmgr", "Rules", "SSHbase")
    assert "*~" in loaded[IGNORE_FILES]
    assert loaded[UMASK] == 0o077
