"""One verdict: ``config check``, ``server --check`` and the start refuse the same things with the same line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from geventcore.cli.components import all_components
from geventcore.cli.main import main
from geventcore.core.start_checks import start_warnings
from geventcore.options import OptionSet, load_settings
from geventcore.options.bcfg2_keys import BCFG2_KEYS
from geventcore.options.server import COMMON_OPTIONS
from geventcore.options.unknown_keys import KEYS_OF_PARTS
from geventcore.plugin.gone import GONE_PLUGINS
from geventcore.plugins import PLUGINS
from geventcore.tls.authority import Authority, write_private
from tests.support.lint_cases import CLEAN
from tests.support.plugin_context import write_files
from tests.support.xmlrpc_stub import unused_port

Values = dict[tuple[str, str], str | None]

#: What is changed in a site that works: a name -> (values of options, files, the line that every way prints).
REFUSED: dict[str, tuple[Values, dict[str, str], str]] = {
    "unknown core": (
        {("server", "core"): "fast"},
        {},
        "{conf}:4: [server] core = fast: expected one of builtin, cherrypy, gevent, multiprocessing, tornado, twisted, "
        "best, or package.module:Class for a core of your own",
    ),
    "missing repository": (
        {("server", "repository"): "{site}/nowhere"},
        {},
        "the repository {site}/nowhere is not a directory; see [server] repository",
    ),
    "empty repository": (
        {("server", "repository"): "{site}/empty"},
        {"empty/README": "x"},
        "the repository {site}/empty has no files of any plugin; is its file system mounted? "
        "geventcore init creates a new repository",
    ),
    "missing certificate": (
        {("communication", "certificate"): "{site}/none.crt"},
        {},
        "[communication] certificate: {site}/none.crt does not exist",
    ),
    "missing key": (
        {("communication", "key"): "{site}/none.key"},
        {},
        "[communication] key: {site}/none.key does not exist",
    ),
    "broken certificate": ({("communication", "certificate"): "{site}/bad.crt"}, {"bad.crt": "x"}, "{site}/bad.crt"),
    "misspelt plugin": (
        {("server", "plugins"): "Metadata,\n  Bundlr"},
        {},
        "{conf}:4: [server] plugins: unknown plugin 'Bundlr'; did you mean Bundler?",
    ),
    "plugin of another version of Bcfg2": (
        {("server", "plugins"): "Metadata, Svn2"},
        {},
        "{conf}:3: [server] plugins: plugin Svn2 of Bcfg2 does not exist here: Svn does the same",
    ),
    "no plugin that knows the clients": (
        {("server", "plugins"): "Bundler"},
        {},
        "no plugin in [server] plugins knows the clients; add Metadata",
    ),
    "plugin that refuses its settings": (
        {("server", "plugins"): "Metadata, AWSTags", ("awstags", "access_key_id"): "x"},
        {},
        "plugin AWSTags cannot be loaded: [awstags] access_key_id and secret_access_key: set both or neither",
    ),
    "wrong value": (
        {("server", "listen_all"): "perhaps"},
        {},
        "{conf}:4: [server] listen_all = 'perhaps': expected yes or no (yes, true, on, 1; no, false, off, 0)",
    ),
}

Write = Callable[[Values, dict[str, str]], Path]


@pytest.fixture(scope="module")
def certificates() -> tuple[bytes, bytes]:
    server = Authority.create("Test CA").issue("localhost", dns_names=["localhost"], server=True)
    return server.certificate_pem, server.key_pem


@pytest.fixture
def write_site(tmp_path: Path, certificates: tuple[bytes, bytes]) -> Write:
    """Write a site that works but for the given values; return its configuration file."""

    def write(values: Values, files: dict[str, str]) -> Path:
        write_files(tmp_path / "repository", CLEAN)
        write_files(tmp_path, files)
        (tmp_path / "server.crt").write_bytes(certificates[0])
        write_private(tmp_path / "server.key", certificates[1])
        sections: dict[str, dict[str, str]] = {
            "server": {"repository": f"{tmp_path}/repository", "plugins": "Metadata, Bundler, Cfg"},
            "communication": {
                "certificate": f"{tmp_path}/server.crt",
                "key": f"{tmp_path}/server.key",
                "password": "secret",
            },
            "components": {"bcfg2": f"https://127.0.0.1:{unused_port()}"},
            "admin": {"control": "none"},
        }
        for (section, key), value in values.items():
            keys = sections.setdefault(section, {})
            if value is None:
                del keys[key]
            else:
                keys[key] = value.format(site=tmp_path)
        conf = tmp_path / "bcfg2.conf"
        conf.write_text(
            "".join(
                f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
                for section, keys in sections.items()
            )
        )
        return conf

    return write


def server(conf: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "geventcore", "server", "-C", str(conf), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.live
@pytest.mark.parametrize("name", REFUSED)
def test_all_ways_refuse_with_the_same_line(
    name: str,
    write_site: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The standard library of the process that runs the tests stays as it is.
    monkeypatch.setattr("geventcore.cli.server.PREPARATIONS", {})
    values, files, expected = REFUSED[name]
    conf = write_site(values, files)
    line = expected.format(conf=conf, site=tmp_path)
    assert main(["config", "check", "-C", str(conf)]) == 1
    errors = [each for each in capsys.readouterr().out.splitlines() if each.startswith("error: ")]
    (said,) = [each.removeprefix("error: ") for each in errors if line in each]
    assert main(["server", "--check", "-C", str(conf)]) == 1
    assert capsys.readouterr().err.splitlines() == [f"geventcore: error: {said}"]
    started = server(conf)
    assert started.returncode == 1
    assert [each for each in started.stderr.splitlines() if each.endswith(said)], started.stderr
    assert "Traceback" not in started.stderr


def test_a_site_that_works_is_accepted(
    write_site: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geventcore.cli.server.PREPARATIONS", {})
    conf = write_site({("server", "missing_plugins"): "skip", ("server", "core"): "builtin"}, {})
    assert main(["config", "check", "-C", str(conf)]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    assert main(["server", "--check", "-C", str(conf)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("The configuration is valid: ")
    assert err == ""


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {("communication", "password"): None},
            "[communication] password is not set: only clients with a password of their own can log in; set it, "
            "or pass -x",
        ),
        ({("server", "usre"): "x"}, "{conf}:4: unknown option [server] usre; did you mean user?"),
        (
            {("server", "plugins"): "Metadata, DBStats"},
            "plugin DBStats does nothing: Reporting replaced it; add Reporting, or the reports of clients are not "
            "stored; remove DBStats from [server] plugins",
        ),
    ],
)
def test_all_ways_warn_with_the_same_line(
    values: Values,
    line: str,
    write_site: Write,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("geventcore.cli.server.PREPARATIONS", {})
    conf = write_site(values, {})
    line = line.format(conf=conf)
    assert main(["config", "check", "-C", str(conf)]) == 0
    assert f"warning: {line}\n" in capsys.readouterr().out
    assert main(["server", "--check", "-C", str(conf)]) == 0
    assert line in capsys.readouterr().err


def test_a_server_check_fails_on_what_lint_calls_an_error(
    write_site: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geventcore.cli.server.PREPARATIONS", {})
    conf = write_site(
        {("server", "core"): "builtin", ("errors", "no-infoxml"): "error"}, {"repository/Cfg/etc/bare/bare": "x"}
    )
    assert main(["server", "--check", "-C", str(conf)]) == 1
    out = capsys.readouterr().out
    assert "Cfg/etc/bare/info.xml: error: /etc/bare has no info.xml [no-infoxml]" in out
    assert "The repository has 1 error; geventcore lint says more." in out
    assert main(["lint", "-C", str(conf), "--lint-config", "/dev/null"]) == 2


def test_keys_that_are_accepted_are_never_called_unknown(tmp_path: Path) -> None:
    conf = tmp_path / "bcfg2.conf"
    everything = all_components().options.keys_by_section()
    conf.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{key} = x\n" for key in sorted(keys)) for section, keys in everything.items()
        )
    )
    settings = load_settings(options=OptionSet(COMMON_OPTIONS), config_file=conf, environ={}, supplements=())
    assert [warning for warning in start_warnings(settings) if "unknown" in warning] == []
    for section, keys in KEYS_OF_PARTS.items():
        assert set(keys) <= set(everything[section])
        assert set(keys).isdisjoint(BCFG2_KEYS.get(section, ()))


def test_replaced_plugins_do_not_exist() -> None:
    assert GONE_PLUGINS.keys().isdisjoint(PLUGINS)
