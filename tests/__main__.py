"""The whole test suite, as ``make test`` runs it: several files at once, then the few that failed once more, alone.

The tests start hundreds of servers and wait for them with deadlines, which a machine that is busy with other things can
miss. A test that passes alone is named as unsteady and does not fail the run. Many failures are no accident: they fail
the run at once.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.project import PROJECT

#: Most waits are for servers, so several processes share the processors (tests/support/scheduling.py).
TOGETHER = ("--numprocesses", "auto", "--maxprocesses", "8", "--dist", "loadfile", "--no-loadscope-reorder")
#: How many failures may be run again.
MOST_UNSTEADY = 15
#: pytest's exit status if all tests ran and some failed.
SOME_FAILED = 1
#: The names of the tests that failed, as pytest keeps them for ``--last-failed``.
LAST_FAILED = PROJECT / ".pytest_cache/v/cache/lastfailed"


def main() -> int:
    """Run the tests and return pytest's exit status."""
    status = _run_pytest(*TOGETHER)
    if status != SOME_FAILED:
        return status
    failed = sorted(json.loads(LAST_FAILED.read_text()))
    if len(failed) > MOST_UNSTEADY:
        return status
    print(f"\nThese failed and are run once more, alone: {', '.join(failed)}", flush=True)
    status = _run_pytest("--last-failed")
    if status == 0:
        print(f"\nUnsteady, passed alone only: {', '.join(failed)}")
    return status


def _run_pytest(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
