"""The meter sees all processes of a tree, and what they use."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from contrib.bench.meter import Meter, process_tree

#: A parent whose child uses half a second of processor time and 64 MB, says so, and waits to be told to end.
TREE = """
import subprocess, sys
child = '''
import time
memory = bytearray(b"x" * 64_000_000)
while time.process_time() < 0.5:
    pass
print("done", flush=True)
input()
'''
subprocess.run([sys.executable, "-c", child])
print("waited", flush=True)
input()
"""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_tree_of_a_process_is_measured() -> None:
    parent = subprocess.Popen([sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent, Meter(parent.pid, interval_seconds=0.02) as meter:
        assert parent.stdout.readline() == "done\n"
        assert len(process_tree(parent.pid)) == 2
        assert meter.cpu_seconds() >= 0.5
        wait_for(lambda: meter.peak.pss_bytes > 64_000_000)
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "waited\n"
        # The child is gone; its time isn't.
        assert len(process_tree(parent.pid)) == 1
        assert meter.cpu_seconds() >= 0.5
        parent.stdin.write("\n")
        parent.stdin.flush()
    assert meter.peak.processes == 2
    assert meter.peak.rss_bytes >= meter.peak.pss_bytes
