"""The command line: finding commands, flags, settings, errors and exit status; and the commands about configuration."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import geventcore
from geventcore.cli import main as main_module
from geventcore.cli.command import start_logging, with_settings
from geventcore.cli.main import COMMANDS, cli, main
from geventcore.cores import CORES
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import LoadedSettings, Option
from geventcore.options.server import (
    CACHE_MODE,
    DEBUG,
    FAM_BLOCKING,
    LISTEN_ALL,
    PASSWORD,
    REPOSITORY,
    SERVER_URL,
    VERBOSE,
)
from geventcore.plugins import PLUGINS
from tests.support.usable_site import usable_sections

Run = Callable[..., tuple[int, str, str]]

WATCHED: tuple[Option[Any], ...] = (
    REPOSITORY,
    LISTEN_ALL,
    FAM_BLOCKING,
    PASSWORD,
    SERVER_URL,
    CACHE_MODE,
    DEBUG,
    VERBOSE,
)


@click.command()
@click.argument("words", nargs=-1)
@with_settings(LISTEN_ALL, FAM_BLOCKING, PASSWORD, SERVER_URL)
def watch(settings: LoadedSettings, words: tuple[str, ...]) -> int:
    """Print options."""
    for option in WATCHED:
        print(f"{option.key}={settings[option]} from {settings.source_of(option)}")
    print(*words)
    return len(words)


@click.command()
@click.argument("what")
def fail(what: str) -> None:
    """Fail in some way."""
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "system":
        os.stat("/no/such/file")
    if what == "bug":
        raise ZeroDivisionError
    raise ConfigError(f"first line\n  second line of {what}")


@click.command()
@with_settings()
def log_something(settings: LoadedSettings) -> None:
    """Start the log."""
    start_logging(settings)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration of this machine, and some commands for tests."""
    monkeypatch.delenv("BCFG2_CONFIG_FILE", raising=False)
    monkeypatch.setattr("geventcore.options.settings.DEFAULT_CONFIG_FILE", tmp_path / "none.conf")
    for name, attribute in (("watch", "watch"), ("fail", "fail"), ("log", "log_something"), ("wrong", "WATCHED")):
        monkeypatch.setitem(COMMANDS, name, (f"{__name__}:{attribute}", "For tests."))
    monkeypatch.setitem(COMMANDS, "gone", ("geventcore.cli.no_such_module:command", "For tests."))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program: arguments -> exit status, output, errors."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return call


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "bcfg2.conf"
    path.write_text(f"[server]\nrepository = {tmp_path}\nplugins =\n")
    return path


#: What takes its time to import, or must not be imported before a core has made it cooperative. Python 3.10 imports two
#: of these with `uuid`, which click needs; they are made cooperative in place.
HEAVY = {"queue", "socket", "ssl", "gevent", "lxml"} | (
    set() if sys.version_info < (3, 11) else {"select", "subprocess"}
)


def run_program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "geventcore", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


class TestFindingCommands:
    def test_help_names_every_command_and_loads_none(self) -> None:
        script = (
            "import sys; from geventcore.cli.main import main; main(['--help']);"
            f"heavy = {HEAVY | {'concurrent.futures'}};"
            "print(heavy & set(sys.modules) or 'nothing heavy')"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.endswith("nothing heavy\n")
        for name in ("server", "init", "info", "config", "simulate", "demo", "completion", "version"):
            assert f"\n  {name} " in done.stdout

    def test_settings_are_read_without_anything_heavy(self, conf: Path) -> None:
        script = (
            "import sys, click; from geventcore.cli import main as m, command;"
            "sys.modules['x'] = sys; sys.c = click.command()(command.with_settings()(lambda s: s.check()));"
            "m.COMMANDS['c'] = ('x:c', ''); status = m.main(['c', '-C', sys.argv[1]]);"
            f"print(status, {HEAVY} & set(sys.modules))"
        )
        arguments = [sys.executable, "-c", script, str(conf)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "0 set()\n"

    def test_a_slip_gets_a_suggestion(self, run: Run) -> None:
        status, _, err = run("verson")
        assert status == 2
        assert "unknown command 'verson'; did you mean version?" in err

    def test_a_module_that_is_missing(self, run: Run) -> None:
        assert run("gone") == (
            1,
            "",
            "geventcore: error: the command gone cannot be loaded: No module named 'geventcore.cli.no_such_module'\n",
        )

    def test_a_module_that_is_broken(self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "broken_command.py").write_text("1 / 0\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(COMMANDS, "broken", ("broken_command:command", ""))
        assert run("broken")[::2] == (
            1,
            "geventcore: error: the command broken cannot be loaded: division by zero\n",
        )
        assert "ZeroDivisionError" in run("-d", "broken")[2]

    def test_an_object_that_is_no_command(self, run: Run) -> None:
        assert run("wrong")[2].endswith(f"{__name__}:WATCHED is not a command\n")

    def test_no_command_at_all_shows_the_help(self, run: Run) -> None:
        _, out, err = run()
        assert "Commands:" in out + err

    @pytest.mark.parametrize("flag", ["-h", "--help"])
    def test_commands_have_help(self, run: Run, flag: str) -> None:
        status, out, _ = run("watch", flag)
        assert status == 0
        assert "--listen-all / --no-listen-all" in out
        assert "-S, --server URL" in out
        assert "[default: https://localhost:6789]" in out

    def test_every_summary_is_a_sentence(self) -> None:
        for name, (_, summary) in COMMANDS.items():
            assert summary.endswith("."), name


class TestFlags:
    def values(self, run: Run, *arguments: str | Path) -> dict[str, str]:
        _, out, err = run(*arguments)
        assert err == ""
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def test_before_and_after_the_command(self, run: Run, conf: Path) -> None:
        values = self.values(run, "-C", conf, "-Q", "/a", "-d", "watch")
        assert (values["repository"], values["debug"]) == ("/a from command line", "True from command line")
        values = self.values(run, "-Q", "/a", "watch", "-C", conf, "-Q", "/b", "-v")
        assert (values["repository"], values["verbose"]) == ("/b from command line", "True from command line")

    def test_without_flags_the_file_counts(self, run: Run, conf: Path) -> None:
        assert self.values(run, "-C", conf, "watch")["repository"] == f"{conf.parent} from {conf}:2"

    def test_the_environment_names_the_file(self, run: Run, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BCFG2_CONFIG_FILE", str(conf))
        assert self.values(run, "watch")["repository"] == f"{conf.parent} from {conf}:2"

    @pytest.mark.parametrize(
        ("flag", "key", "value"),
        [
            ("--listen-all", "listen_all", "True"),
            ("--no-listen-all", "listen_all", "False"),
            ("--no-fam-blocking", "fam_blocking", "False"),
            ("--fam-blocking", "fam_blocking", "True"),
            ("--no-debug", "debug", "False"),
        ],
    )
    def test_a_flag_means_what_it_says(self, run: Run, conf: Path, flag: str, key: str, value: str) -> None:
        conf.write_text("[server]\nlisten_all = no\nfam_blocking = yes\n[logging]\ndebug = yes\n")
        assert self.values(run, "-C", conf, "watch", flag)[key] == f"{value} from command line"

    def test_short_flags(self, run: Run, conf: Path) -> None:
        values = self.values(run, "watch", "-C", conf, "-x", "pw", "-S", "https://host:1")
        assert values["password"] == "pw from command line"
        assert values["bcfg2"] == "https://host:1 from command line"

    def test_arguments_and_exit_status_are_the_command_s(self, run: Run, conf: Path) -> None:
        status, out, _ = run("watch", "-C", conf, "a", "b", "c")
        assert status == 3
        assert out.endswith("\na b c\n")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["watch", "-S", "nowhere"], "'nowhere': expected a URL such as https://bcfg2.example.com:6789"),
            (["-E", "latin-77", "watch"], "'latin-77': expected the name of a text encoding, such as UTF-8"),
            (["watch", "-Q", ""], "'': expected a path"),
            (["watch", "--lissten-all"], "No such option"),
            (["watch", "-Q"], "requires an argument"),
            (["fail"], "Missing argument"),
            (["config", "reference", "--format", "pdf"], "'pdf' is not one of"),
        ],
    )
    def test_a_wrong_command_line(self, run: Run, arguments: list[str], message: str) -> None:
        status, _, err = run(*arguments)
        assert status == 2
        assert message in err
        assert "Traceback" not in err


class TestErrors:
    def test_one_line_and_status_1(self, run: Run) -> None:
        assert run("fail", "now") == (1, "", "geventcore: error: first line second line of now\n")

    def test_debugging_shows_the_origin(self, run: Run) -> None:
        status, _, err = run("-d", "fail", "now")
        assert status == 1
        assert err.startswith("Traceback")
        assert err.endswith("geventcore: error: first line second line of now\n")

    def test_what_the_system_refuses(self, run: Run) -> None:
        assert run("fail", "system") == (1, "", "geventcore: error: /no/such/file: No such file or directory\n")

    def test_a_bug_is_not_hidden(self) -> None:
        with pytest.raises(ZeroDivisionError):
            main(["fail", "bug"])

    def test_an_interrupt(self, run: Run) -> None:
        status, _, err = run("fail", "interrupt")
        assert status == 130
        assert err.endswith("geventcore: interrupted\n")

    def test_a_signal_from_outside(self) -> None:
        script = (
            "import sys, time, click; from geventcore.cli import main as m; sys.modules['x'] = sys\n"
            "def wait():\n"
            "    print('ready', flush=True)\n"
            "    time.sleep(60)\n"
            "sys.c = click.command()(wait); m.COMMANDS['c'] = ('x:c', ''); sys.exit(m.main(['c']))"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in err

    def test_a_configuration_file_that_does_not_exist(self, run: Run) -> None:
        assert run("watch", "-C", "/none") == (
            1,
            "",
            "geventcore: error: /none: the configuration file does not exist\n",
        )

    def test_a_wrong_value_in_the_file(self, run: Run, conf: Path) -> None:
        conf.write_text("[caching]\nclient_metadata = agressive\n")
        status, _, err = run("watch", "-C", conf)
        assert status == 1
        assert err.startswith(
            f"geventcore: error: {conf}:2: [caching] client_metadata = 'agressive': expected one of off"
        )
        assert err.count("\n") == 1

    def test_a_log_file_that_cannot_be_opened(self, run: Run, conf: Path) -> None:
        assert run("log", "-C", conf, "-o", "/no/such/directory/x")[2] == (
            "geventcore: error: command line: [logging] path = /no/such/directory/x: cannot be opened: "
            "No such file or directory\n"
        )

    def test_the_server_s_log_file_is_not_touched_by_tools(self, run: Run, conf: Path) -> None:
        conf.write_text("[logging]\npath = /no/such/directory/x\n")
        assert run("log", "-C", conf) == (0, "", "")

    def test_output_that_nobody_reads(self) -> None:
        command = f"{sys.executable} -m geventcore config reference 2>&1 >/dev/full | tail -n 1"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "geventcore: error: No space left on device\n"
        command = f"{sys.executable} -m geventcore config reference 2>&1 | true"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
        assert "Traceback" not in done.stderr


PLUGIN = """
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin

class SitePlugin(Plugin):
    options = (
        Option("siteplugin", "depth", types.integer(1, 9), 3, "How deep to look."),
        Option("siteplugin", "key", types.STRING, "swordfish", "What nobody may see.", secret=True),
    )

class Thief(Plugin):
    options = (Option("server", "repository", types.STRING, "", "Taken already."),)
"""


class TestConfig:
    @pytest.fixture(autouse=True)
    def _site_plugin(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        (tmp_path / "site_plugin.py").write_text(PLUGIN)
        monkeypatch.syspath_prepend(tmp_path)
        yield
        sys.modules.pop("site_plugin", None)

    @pytest.fixture
    def tls(self, tmp_path: Path) -> str:
        """The section of a configuration file with a certificate, a key and a password."""
        return usable_sections(tmp_path)

    def test_a_good_file(self, run: Run, conf: Path, tls: str) -> None:
        conf.write_text(f"{tls}plugins = Metadata\n")
        assert run("config", "check", "-C", conf) == (0, f"checked: {conf}\n0 errors, 0 warnings\n", "")

    def test_no_file(self, run: Run, tmp_path: Path) -> None:
        assert f"checked: only defaults, since {tmp_path}/none.conf does not exist\n" in run("config", "check")[1]

    def test_everything_that_is_wrong(self, run: Run, conf: Path, tls: str) -> None:
        conf.write_text(
            f"{tls}"
            "plugins = site_plugin.SitePlugin, Nonesuch, site_plugin.Thief\n"
            "listen_all = perhaps\n"
            "usre = root\n"
            "[siteplugin]\n"
            "depth = 10\n"
            "dept = 10\n"
            "[reporting]\n"
            "config = /none\n"
        )
        status, out, _ = run("config", "check", "-C", conf)
        assert status == 1
        lines = out.replace(str(conf), "conf").splitlines()
        assert lines[1].startswith("error: conf:7: [server] plugins: unknown plugin 'Nonesuch'; expected one of ")
        assert lines[2] == (
            "error: plugin site_plugin.Thief cannot be loaded: "
            "two options claim [server] repository: [server] repository and [server] repository"
        )
        assert lines[3:] == [
            "error: conf:8: [server] listen_all = 'perhaps': expected yes or no (yes, true, on, 1; no, false, off, 0)",
            "error: conf:11: [siteplugin] depth = '10': expected a whole number from 1 to 9",
            "warning: conf:14: [reporting] config: the file /none does not exist",
            "warning: conf:9: unknown option [server] usre; did you mean user?",
            "warning: conf:12: unknown option [siteplugin] dept; did you mean depth?",
            "4 errors, 3 warnings",
        ]

    def test_json(self, run: Run, conf: Path, tls: str) -> None:
        conf.write_text(f"{tls}plugins = Metadata\nlisten_all = perhaps\nusre = root\n")
        status, out, _ = run("config", "check", "-C", conf, "--format", "json")
        found = json.loads(out)
        assert (status, found["files"], found["not_checked"]) == (1, [str(conf)], [])
        assert [error.partition(": expected")[0] for error in found["errors"]] == [
            f"{conf}:8: [server] listen_all = 'perhaps'"
        ]
        assert found["warnings"] == [f"{conf}:9: unknown option [server] usre; did you mean user?"]
        status, out, err = run("config", "show", "-C", conf, "--changed", "--format", "json")
        assert (status, "listen_all" in err) == (1, True)
        shown = {(each["section"], each["option"]): (each["value"], each["source"]) for each in json.loads(out)}
        assert shown["server", "plugins"] == ("Metadata", f"{conf}:7")
        assert shown["communication", "password"][0] == "(hidden)"

    def test_a_file_without_proper_syntax(self, run: Run, conf: Path) -> None:
        conf.write_text("nonsense\n")
        assert run("config", "check", "-C", conf)[2] == (
            f"geventcore: error: {conf}:1: expected a [section] before the first key\n"
        )

    def test_show(self, run: Run, conf: Path) -> None:
        conf.write_text(
            "[server]\nplugins = site_plugin.SitePlugin\n"
            "[communication]\npassword = swordfish\n[siteplugin]\ndepth = 5\n"
        )
        status, out, err = run("-Q", "/repo", "config", "show", "-C", conf)
        assert (status, err) == (0, "")
        assert "swordfish" not in out
        lines = out.replace(str(conf), "conf").splitlines()
        assert "[server] repository = /repo  (command line)" in lines
        assert "[server] umask = 0077  (default)" in lines
        assert "[communication] password = (hidden)  (conf:4)" in lines
        assert "[communication] ca = (unset)  (default)" in lines
        assert "[siteplugin] depth = 5  (conf:6)" in lines
        assert "[siteplugin] key = (hidden)  (default)" in lines

    def test_show_only_what_is_set(self, run: Run, conf: Path) -> None:
        conf.write_text("[server]\nplugins =\n[logging]\nverbose = maybe\n")
        status, out, err = run("config", "-C", conf, "show", "--changed")
        assert (status, out) == (1, f"[server] plugins =   ({conf}:2)\n")
        assert "[logging] verbose = 'maybe'" in err

    def test_a_library_that_is_missing_leaves_out_its_user_only(
        self, run: Run, conf: Path, tls: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(CORES, "nonesuch", "geventcore.cores.nonesuch:Nonesuch")
        monkeypatch.setitem(PLUGINS, "Nowhere", "geventcore.plugins.nowhere:Nowhere")
        status, out, err = run("config", "reference")
        assert status == 0
        assert "``repository``\n" in out
        assert "left out: the options of the core nonesuch: No module named" in err
        assert "left out: the options of the plugin Nowhere: No module named" in err
        assert "not checked" not in run("config", "check", "-C", conf)[1]
        conf.write_text(f"{tls}plugins = Metadata\n[nonesuch]\nthreads = 0\n")
        status, out, err = run("config", "check", "-C", conf)
        assert (status, err) == (0, "")
        assert "not checked: the options of the core nonesuch: No module named" in out
        conf.write_text(f"{tls}core = nonesuch\nplugins = Nowhere\n")
        status, out, _ = run("config", "check", "-C", conf)
        assert status == 1
        assert f"error: {conf}:7: [server] core = nonesuch: cannot load this core: No module named" in out
        assert "error: plugin Nowhere cannot be loaded: No module named" in out

    @pytest.mark.parametrize(
        ("form", "text"), [("rst", "``repository``\n"), ("conf", "#repository = /var/lib/bcfg2\n")]
    )
    def test_reference(self, run: Run, form: str, text: str) -> None:
        status, out, _ = run("config", "reference", "--format", form)
        assert status == 0
        assert text in out


class TestVersion:
    def test_versions(self, run: Run) -> None:
        status, out, _ = run("version")
        assert status == 0
        assert out.startswith(f"geventcore {geventcore.__version__}\n")
        for library in ("lxml", "SQLAlchemy", "alembic", "psycopg", "redis", "prometheus-client"):
            assert f"\n{library} " in out

    def test_nothing_is_loaded_for_it(self) -> None:
        script = (
            "import sys; from geventcore.cli.main import main; main(['version']);"
            "print({'gevent', 'lxml', 'OpenSSL'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.endswith("set()\n")

    def test_as_a_module(self) -> None:
        done = run_program("--version")
        assert (done.returncode, done.stdout) == (0, f"geventcore, version {geventcore.__version__}\n")
        assert run_program("fail", "-C", "/none").returncode == 2


class TestCompletion:
    def complete(self, *words: str) -> list[str]:
        done = run_program(
            _GEVENTCORE_COMPLETE="bash_complete",
            COMP_WORDS=" ".join(("geventcore", *words)),
            COMP_CWORD=str(len(words)),
        )
        assert done.stderr == ""
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    def test_commands_are_completed_though_some_cannot_be_loaded(self) -> None:
        assert {"server", "simulate"} <= set(self.complete("s"))

    def test_flags_and_choices_are_completed(self) -> None:
        assert self.complete("config", "show", "--repo") == ["--repository"]
        assert self.complete("config", "reference", "--format", "r") == ["rst"]

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_scripts(self, run: Run, shell: str) -> None:
        status, out, _ = run("completion", shell)
        assert status == 0
        assert "_GEVENTCORE_COMPLETE" in out
        if shutil.which(shell):
            subprocess.run([shell, "-n"], input=out, text=True, timeout=60, check=True)


def test_the_table_of_commands_is_what_click_sees() -> None:
    assert cli.list_commands(click.Context(cli)) == list(main_module.COMMANDS)
    assert issubclass(ConfigError, GeventcoreError)
