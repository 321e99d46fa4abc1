"""Random changes: what is kept of configurations always equals a fresh render in a new process."""

from __future__ import annotations

import os

import pytest

from tests.render import answer_fuzz

#: The steps of each test. A million take hours: ``python -m tests.render.answer_fuzz --steps 1000000``.
FUZZ_STEPS = int(os.environ.get("GEVENTCORE_FUZZ_STEPS", "2500"))


#: It starts processes, and is long: one Python is enough.
@pytest.mark.live
@pytest.mark.parametrize("seed", [101, 102, 103, 104])
def test_what_is_kept_equals_a_fresh_render(seed: int) -> None:
    outcomes = answer_fuzz.run(seed, FUZZ_STEPS)
    assert {"reused", "partly", "metadata", "repository", "untracked"} <= outcomes.keys()
