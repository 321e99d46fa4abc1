"""Every target with its seeds, with what hypothesis thinks of, and for a moment with a coverage-guided fuzzer."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
PROJECT = CORPUS.parents[2]
#: A run of the gate: the same inputs each time, some seconds for all of it.
RUNS, SEED = 2000, 1
has_fuzzer = importlib.util.find_spec("atheris") is not None

#: Seeds, whole and cut, and things between them.
PARTS = {
    name: st.sampled_from(
        [piece for path in sorted((CORPUS / name).iterdir()) for piece in re.split(rb"(\W)", path.read_bytes())]
    )
    for name in TARGETS
}


def test_each_target_has_seeds_and_each_seed_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == TARGETS.keys()
    assert all(any((CORPUS / name).iterdir()) for name in TARGETS)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_seeds_cut_at_any_place(name: str, quiet_log: None) -> None:
    for path in sorted((CORPUS / name).iterdir()):
        data = path.read_bytes()
        for end in range(0, len(data) + 1, max(1, len(data) // 200)):
            TARGETS[name](data[:end])
        TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mixed_seeds(name: str, quiet_log: None, data: st.DataObject) -> None:
    pieces = data.draw(st.lists(PARTS[name] | st.binary(max_size=4), max_size=60))
    TARGETS[name](b"".join(pieces))


@pytest.mark.skipif(not has_fuzzer, reason="atheris has no wheel for this Python or machine")
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_short_run_of_the_fuzzer(name: str, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    options = [f"-runs={RUNS}", f"-seed={SEED}", "-max_len=2048", "-timeout=60", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, "-m", "tests.fuzz.run", name, *options, str(found), str(CORPUS / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"Done {RUNS} runs" in done.stderr
