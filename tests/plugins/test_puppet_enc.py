"""PuppetENC: what classifiers say, how often they are asked, and what happens if they fail."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from geventcore.errors import PluginExecutionError
from geventcore.options.server import CACHE_MODE
from geventcore.plugin.programs import positional
from geventcore.plugins.puppet_enc import TIMEOUT, PuppetENC
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import configuration, messages, metadata_of, plugin_site


def write_classifier(root: Path, text: str, name: str = "enc") -> Path:
    """A program that prints YAML, and counts its calls in the file ``calls``."""
    path = root / "PuppetENC" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{name}.new")
    beside.write_text(f"#!/bin/sh\necho \"$@\" >> {root}/calls\ncat <<'EOT'\n{text}\nEOT\n")
    beside.chmod(0o755)
    beside.rename(path)
    return path


def write_script(root: Path, text: str) -> Path:
    path = root / "PuppetENC/enc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def calls(root: Path) -> list[str]:
    return (root / "calls").read_text().splitlines() if (root / "calls").exists() else []


def groups_of(server: SmallServer, hostname: str = "h") -> set[str]:
    return metadata_of(server, hostname).groups - {"p", "web"}


@pytest.mark.parametrize(
    ("text", "groups", "parameters"),
    [
        ("classes: [a, b]", {"a", "b"}, {}),
        ("groups: [a, b]", {"a", "b"}, {}),
        ("classes:\n  a:\n  b: {x: 1}\nparameters: {y: 2}", {"a", "b"}, {"x": 1, "y": 2}),
        ("classes:\n  a: {x: 1}\nparameters: {x: 2}", {"a"}, {"x": 2}),
        ("parameters: {n: {m: [1, 2]}}\nenvironment: production", set(), {"n": {"m": [1, 2]}}),
        ("classes:\nparameters:", set(), {}),
        ("--- {}", set(), {}),
        ("", set(), {}),
        ("classes: [1]", {"1"}, {}),
    ],
)
def test_what_a_classifier_says(tmp_path: Path, text: str, groups: set[str], parameters: Mapping[str, object]) -> None:
    write_classifier(tmp_path, text)
    with plugin_site(tmp_path, ["PuppetENC"], {}) as server:
        assert groups_of(server) == groups
        assert metadata_of(server).PuppetENC == parameters
    assert set(calls(tmp_path)) == {"h"}


def test_several_classifiers_add_up_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_classifier(tmp_path, "classes: [b]\nparameters: {x: 2, y: 2}", "20")
    write_classifier(tmp_path, "classes: [a]\nparameters: {x: 1, z: 1}", "10")
    with plugin_site(tmp_path, ["PuppetENC"], {}) as server:
        assert groups_of(server) == {"a", "b"}
        assert metadata_of(server).PuppetENC == {"x": 2, "y": 2, "z": 1}


def test_a_name_reaches_the_program_as_it_is(tmp_path: Path) -> None:
    write_script(tmp_path, f'printf "%s|" "$@" > {tmp_path}/arguments\necho "classes: []"')
    with plugin_site(tmp_path, ["PuppetENC"], {}) as server:
        metadata_of(server, "a-b.c_d")
    assert (tmp_path / "arguments").read_text() == "a-b.c_d|"


@pytest.mark.parametrize("name", ["-rf", "--help", "", "a\nb"])
def test_a_name_is_never_an_option_of_a_program(name: str) -> None:
    with pytest.raises(PluginExecutionError, match="cannot be an argument of a program"):
        positional(name)


def test_it_is_asked_once_until_a_run_ends(tmp_path: Path) -> None:
    write_classifier(tmp_path, "classes: [a]")
    with plugin_site(tmp_path, ["Bundler", "PuppetENC"], {"Bundler/b.xml": "<Bundle/>"}) as server:
        for _ in range(3):
            metadata_of(server)
        assert calls(tmp_path) == ["h"]
        metadata_of(server, "other")
        assert calls(tmp_path) == ["h", "other"]
        configuration(server)
        assert calls(tmp_path) == ["h", "other"]
        metadata_of(server)
        metadata_of(server, "other")
        assert calls(tmp_path) == ["h", "other", "h", "other"]


def test_groups_and_parameters_of_one_object_come_from_one_answer(tmp_path: Path) -> None:
    write_script(
        tmp_path,
        f"echo x >> {tmp_path}/calls\nn=$(wc -l < {tmp_path}/calls)\n"
        'echo "classes: [g$n]"\necho "parameters: {n: $n}"',
    )
    with plugin_site(tmp_path, ["PuppetENC"], {}) as server:
        plugin = server.plugin("PuppetENC")
        assert isinstance(plugin, PuppetENC)
        metadata = metadata_of(server)
        plugin.end_client_run(metadata_of(server, "another"))
        assert plugin.get_additional_groups(metadata) == ["g1"]
        assert plugin.get_additional_data(metadata) == {"n": 1}
        assert groups_of(server) != {"g1"}


def test_with_cached_metadata_the_end_of_a_run_makes_them_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_classifier(tmp_path, "classes: [a]")
    files = {"Bundler/b.xml": "<Bundle/>"}
    with plugin_site(tmp_path, ["Bundler", "PuppetENC"], files, {CACHE_MODE: "aggressive"}) as server:
        write_classifier(tmp_path, "classes: [b]")
        until(server, lambda: groups_of(server) == {"b"})
        (tmp_path / "calls").unlink()
        configuration(server)
        metadata_of(server)
        assert len(calls(tmp_path)) == 1
    assert len(messages(caplog, "aggressive has little effect with PuppetENC")) == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo oh no >&2\nexit 3", "ended with status 3: oh no"),
        ("kill -9 $$", "ended with status -9"),
        ("echo '{'", "is not YAML"),
        ("echo 'classes: !!python/object/apply:os.system [id]'", "is not YAML"),
        ("echo just text", "is not a mapping"),
        ("echo 'classes: 3'", "neither a list nor a mapping"),
        ("echo 'parameters: [1]'", "parameters of h: not a mapping"),
        ("echo 'classes: {a: 3}'", "a class of h: not a mapping"),
    ],
)
def test_a_failure_ends_the_build_of_metadata_and_says_where(
    tmp_path: Path, script: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_script(tmp_path, script)
    with plugin_site(tmp_path, ["PuppetENC"], {}) as server:
        with pytest.raises(PluginExecutionError, match=reason) as caught:
            metadata_of(server)
        assert str(path) in str(caught.value)
        assert len(messages(caplog, f"PuppetENC.get_additional_groups failed for h: {path}")) == 1
        # The next attempt asks again.
        write_classifier(tmp_path, "classes: [a]")
        assert groups_of(server) == {"a"}


def test_a_classifier_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    path = write_classifier(tmp_path, "classes: [a]")
    path.chmod(0o644)
    with (
        plugin_site(tmp_path, ["PuppetENC"], {}) as server,
        pytest.raises(PluginExecutionError, match="enc cannot be run: Permission denied"),
    ):
        metadata_of(server)


def test_a_classifier_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    write_script(tmp_path, f"sleep 1000 &\necho $! > {tmp_path}/child\nwait")
    with (
        plugin_site(tmp_path, ["PuppetENC"], {}, {TIMEOUT: 0.5}) as server,
        pytest.raises(PluginExecutionError, match=r"enc was killed after the timeout of 0\.5 seconds"),
    ):
        metadata_of(server)
    child = Path("/proc", (tmp_path / "child").read_text().strip())
    assert not child.exists() or "sleep" not in (child / "cmdline").read_text()


def test_what_editors_leave_is_no_classifier(tmp_path: Path) -> None:
    write_classifier(tmp_path, "classes: [a]")
    for name in (".hidden", "enc~", "#enc#"):
        write_classifier(tmp_path, "classes: [wrong]", name)
    os.mkdir(tmp_path / "PuppetENC/directory")
    with plugin_site(tmp_path, ["PuppetENC"], {}) as server:
        assert groups_of(server) == {"a"}


def test_classifiers_come_change_and_go(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["PuppetENC"], {}) as server:
        assert groups_of(server) == set()
        write_classifier(tmp_path, "classes: [a]")
        until(server, lambda: groups_of(server) == {"a"})
        write_classifier(tmp_path, "classes: [b]")
        until(server, lambda: groups_of(server) == {"b"})
        (tmp_path / "PuppetENC/enc").unlink()
        until(server, lambda: groups_of(server) == set())
