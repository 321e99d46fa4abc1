"""The time of ``geventcore diff`` for a large site.

    python -m contrib.bench.diff
    python -m contrib.bench.diff --clients 1000 --entries 400

It generates a site in git, edits it in a few ways, and measures the command each time: wall time, and the processor
time of all its processes. On a machine that does something else, only the latter says much.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from geventcore.simulation.repository import Shape, generate

_IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@example.net")


def _edit(path: Path, old: str, new: str, count: int = -1) -> None:
    path.write_text(path.read_text().replace(old, new, count))


def _first(repository: Path, pattern: str) -> Path:
    return next(path for path in sorted(repository.glob(pattern)) if path.is_file())


#: What is changed -> how.
EDITS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda _repository: None,
    "one host's profile": lambda repository: _edit(
        repository / "Metadata/clients.xml", 'profile="profile-00"', 'profile="profile-01"', 1
    ),
    "a bundle of one profile": lambda repository: _edit(
        repository / "Bundler/role-00-00.xml", "</Bundle>", '<BoundPackage name="openssl" type="deb"/></Bundle>'
    ),
    "a rule for all hosts": lambda repository: _edit(repository / "Rules/package.xml", '"auto"', '"any"'),
    "every file of Cfg": lambda repository: [  # type: ignore[func-returns-value]
        path.write_text(f"{path.read_text()}more\n") for path in repository.glob("Cfg/**/*.conf*") if path.is_file()
    ],
}


def measure(directory: Path) -> tuple[float, float, str]:
    """Run the command; return seconds, processor seconds of all processes, and the last line of the output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "geventcore", "-C", str(directory / "bcfg2.conf"), "diff", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    seconds = time.perf_counter() - start
    if done.returncode > 1:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, done.stdout.splitlines()[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each edit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--entries", type=int, default=400)
    parser.add_argument("--profiles", type=int, default=20)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="geventcore-bench-") as name:
        directory = Path(name)
        repository = directory / "repo"
        generate(repository, Shape(clients=options.clients, groups=options.profiles, entries=options.entries))
        (directory / "bcfg2.conf").write_text(
            f"[server]\nrepository = {repository}\nfilemonitor = pseudo\n"
            "plugins = Metadata,Bundler,Cfg,Rules,Probes,Properties,Decisions\n"
        )
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "bench"]):
            subprocess.run(["git", *_IDENTITY, *command], cwd=repository, check=True)
        print(f"{'edit':26} {'seconds':>8} {'cpu':>8}  result")
        for what, edit in EDITS.items():
            edit(repository)
            seconds, used, result = measure(directory)
            print(f"{what:26} {seconds:8.1f} {used:8.1f}  {result}", flush=True)
            subprocess.run(["git", "checkout", "-q", "."], cwd=repository, check=True)


if __name__ == "__main__":
    main()
