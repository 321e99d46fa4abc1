"""Options of the program, its cores and its plugins: ``config check`` refuses a bad value as ``server`` does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geventcore.cli.components import all_components, program_options
from geventcore.cli.main import main
from geventcore.cores import CORES
from geventcore.options import Option
from geventcore.options.server import CORE, ENCODING, PLUGINS
from geventcore.plugin.registry import load_object
from geventcore.plugins import PLUGINS as PLUGIN_TABLE
from geventcore.tls.authority import Authority, write_private
from tests.support.plugin_context import METADATA, write_files

#: Texts of which at least one is no value of an option, unless the option takes any text.
BAD_TEXTS = ("-1", "nonsense!", "(", "no=such=thing", "[")


def _bad_text(option: Option[Any]) -> str | None:
    """A text that the option does not accept; None if it accepts every one of `BAD_TEXTS`."""
    for text in BAD_TEXTS:
        try:
            option.type.parse(text)
        except ValueError:
            return text
    return None


def _cases() -> Iterator[tuple[str, str, Option[Any], str]]:
    """``(core, plugins, option, a bad text)``, for each option once."""
    owners = [
        ("builtin", "Metadata", program_options()),
        *((core, "Metadata", load_object(path).options) for core, path in CORES.items()),
        *(("builtin", f"Metadata, {name}", load_object(path).options) for name, path in PLUGIN_TABLE.items()),
    ]
    seen: set[Option[Any]] = {CORE, PLUGINS}
    for core, plugins, options in owners:
        for option in options:
            text = _bad_text(option)
            if option not in seen and option.section and text is not None:
                yield core, plugins, option, text
            seen.add(option)


CASES = list(_cases())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the server's certificate and key."""
    directory = tmp_path_factory.mktemp("tls")
    server = Authority.create("Test CA").issue("localhost", dns_names=["localhost"], server=True)
    (directory / "server.crt").write_bytes(server.certificate_pem)
    write_private(directory / "server.key", server.key_pem)
    return directory


@pytest.fixture
def conf(tmp_path: Path, certificates: Path) -> Path:
    write_files(tmp_path / "repository", METADATA)
    (tmp_path / "tls").symlink_to(certificates)
    return tmp_path / "bcfg2.conf"


def _write(conf: Path, core: str, plugins: str, option: Option[Any], text: str) -> None:
    tls = conf.parent / "tls"
    sections = {
        "server": {"core": core, "plugins": plugins, "repository": str(conf.parent / "repository")},
        "communication": {"certificate": str(tls / "server.crt"), "key": str(tls / "server.key"), "password": "secret"},
    }
    sections.setdefault(option.section, {})[option.key] = text
    lines = [
        line for name, keys in sections.items() for line in (f"[{name}]", *(f"{k} = {v}" for k, v in keys.items()))
    ]
    conf.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("core", "plugins", "option", "text"), CASES, ids=[f"{option.section}-{option.key}" for _, _, option, _ in CASES]
)
def test_a_bad_value_is_refused_by_both(
    conf: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    core: str,
    plugins: str,
    option: Option[Any],
    text: str,
) -> None:
    """The check and the server name the same place, value and expectation."""
    # The standard library of the process that runs the tests stays as it is.
    monkeypatch.setattr("geventcore.cli.server.PREPARATIONS", {})
    _write(conf, core, plugins, option, text)
    assert main(["config", "check", "-C", str(conf)]) == 1
    checked = [line.removeprefix("error: ") for line in capsys.readouterr().out.splitlines() if "error: " in line]
    assert main(["server", "--check", "-C", str(conf)]) == 1
    served = capsys.readouterr().err
    assert option.label in served
    assert any(line in served for line in checked), (checked, served)


def test_every_option_with_a_bad_value_is_tried() -> None:
    """Only options that take any text are left out; numbers, switches and choices are not among these."""
    tried = {option for _, _, option, _ in CASES}
    tables = [load_object(path).options for path in (*CORES.values(), *PLUGIN_TABLE.values())]
    left = {option for options in tables for option in options if option.section} - tried - {CORE, PLUGINS, ENCODING}
    assert not {option.label for option in left if _bad_text(option) is not None}
    assert tried | left <= set(all_components().options)
    assert {core for core, *_ in CASES} == set(CORES)


@pytest.mark.parametrize("option", [case[2] for case in CASES if case[0] != "builtin"], ids=lambda option: option.label)
def test_a_bad_value_that_nothing_reads_is_a_warning(
    conf: Path, capsys: pytest.CaptureFixture[str], option: Option[Any]
) -> None:
    """The options of a core that is not used are known, and a bad value of one is said without refusing the file."""
    text = _bad_text(option)
    assert text is not None
    _write(conf, "builtin", "Metadata", option, text)
    assert main(["config", "check", "-C", str(conf)]) == 0
    out = capsys.readouterr().out
    assert f"{option.label} = " in out
    assert "nothing in use reads this value" in out
    assert "unknown option" not in out
