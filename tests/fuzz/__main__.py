"""Fuzz all targets for some minutes, and print the number of executions: ``python -m tests.fuzz MINUTES [TARGET …]``.

New inputs that reach new code stay in ``.cache/fuzz/corpus`` for the next run, and failures in ``.cache/fuzz``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import TARGETS

PROJECT = Path(__file__).parents[2]
PLACE = PROJECT / ".cache" / "fuzz"


def fuzz(name: str, seconds: int) -> tuple[int, bool]:
    """The number of executions, and whether all of them were well."""
    found = PLACE / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-timeout=60", "-max_len=4096", "-print_final_stats=1"]
    options.append(f"-artifact_prefix={PLACE}/{name}-")
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.run", name, *options, str(found)]
    done = subprocess.run(
        [*command, str(PROJECT / "tests" / "fuzz" / "corpus" / name)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=PROJECT,
    )
    counted = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n", file=sys.stderr)
    return int(counted[1]) if counted else 0, done.returncode == 0


def main(arguments: Sequence[str]) -> int:
    """Return the exit status: 1 if a target failed."""
    minutes, names = float(arguments[0]), list(arguments[1:]) or sorted(TARGETS)
    seconds = max(1, round(minutes * 60 / len(names)))
    total, failed = 0, []
    for name in names:
        executions, is_well = fuzz(name, seconds)
        total += executions
        failed += [] if is_well else [name]
        print(f"{name:16} {executions:12,} executions in {seconds} s{'' if is_well else ': FAILED'}", flush=True)
    print(f"{'all':16} {total:12,} executions; inputs that fail: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
