"""New plugins and cores: what is written passes its own test, as its author would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from geventcore.cli.main import cli
from geventcore.tools.scaffold.interfaces import PARTS
from geventcore.tools.scaffold.writing import module_name

PROJECT = Path(__file__).parents[2]


def run(*arguments: str) -> tuple[int, str]:
    """Run a command; return its exit status and output."""
    result = CliRunner().invoke(cli, list(arguments))
    return result.exit_code, result.output + str(result.exception or "")


def own_tests(directory: Path) -> str:
    """Run the tests in a directory as its author would; return the output."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(directory)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.live
def test_a_plugin_of_each_interface_passes_its_test(tmp_path: Path) -> None:
    for interface in PARTS:
        name = f"Site{interface.title().replace('-', '')}"
        status, output = run("plugin", "new", name, "--interface", interface, "--directory", str(tmp_path))
        assert status == 0, output
    assert f"{2 * len(PARTS)} passed" in own_tests(tmp_path)


@pytest.mark.live
def test_a_plugin_of_several_interfaces_is_clean(tmp_path: Path) -> None:
    chosen = ["connector", "generator", "probing", "threaded"]
    flags = [flag for interface in chosen for flag in ("--interface", interface)]
    assert run("plugin", "new", "HTTPInventory", *flags, "--directory", str(tmp_path))[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "http_inventory.md",
        "http_inventory.py",
        "test_http_inventory.py",
    ]
    assert "5 passed" in own_tests(tmp_path)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "http_inventory.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.live
def test_a_core_passes_its_test(tmp_path: Path) -> None:
    status, output = run("core", "new", "ThreadCore", "--directory", str(tmp_path))
    assert status == 0, output
    assert "3 passed" in own_tests(tmp_path)


@pytest.mark.parametrize(
    ("name", "module"), [("Inventory", "inventory"), ("HTTPInventory", "http_inventory"), ("Class", "class_")]
)
def test_the_module_is_named_like_the_class(name: str, module: str) -> None:
    assert module_name(name) == module


@pytest.mark.parametrize("name", ["inventory", "In-ventory", "3Rd", "True", "", "../X"])
@pytest.mark.parametrize("kind", ["plugin", "core"])
def test_a_name_that_no_class_can_have(kind: str, name: str, tmp_path: Path) -> None:
    status, output = run(kind, "new", name, "--directory", str(tmp_path / "new"))
    assert status != 0
    assert "is not a name for a class" in output
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["Struct", "Stat", "Json"])
def test_a_module_that_would_hide_one_of_python_is_refused(name: str, tmp_path: Path) -> None:
    status, output = run("plugin", "new", name, "--directory", str(tmp_path))
    assert status != 0
    assert f"choose another name, such as Site{name}" in output
    assert list(tmp_path.iterdir()) == []


def test_files_that_exist_stay(tmp_path: Path) -> None:
    (tmp_path / "test_inventory.py").write_text("mine")
    status, output = run("plugin", "new", "Inventory", "--directory", str(tmp_path))
    assert status != 0
    assert f"nothing was written, since these files exist: {tmp_path}/test_inventory.py" in output
    assert [path.name for path in tmp_path.iterdir()] == ["test_inventory.py"]
