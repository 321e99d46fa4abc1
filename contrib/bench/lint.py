"""The time of ``geventcore lint`` for a large site.

    python -m contrib.bench.lint
    python -m contrib.bench.lint --clients 500 --files 10000

It generates a repository, adds files of all kinds until there are enough, and measures the command with one and with
all processors: wall time, and the processor time of all its processes. On a machine that does something else, only the
latter says much. It ends with exit status 1 if the repository changed, or the command failed.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from geventcore.simulation.repository import Shape, generate

_INFO = '<FileInfo>\n  <Info owner="root" group="root" mode="0644"/>\n</FileInfo>\n'
_PLUGINS = "Metadata, Bundler, Cfg, Rules, Properties, Probes"


def _fill(repository: Path, count: int) -> int:
    """Add files until there are `count`; return their number."""
    number = sum(1 for path in repository.rglob("*") if path.is_file())
    profile = next(iter(sorted((repository / "Bundler").glob("*.xml")))).stem
    paths, index = [], 0
    while number < count:
        name = f"/opt/site/{index % 100:02d}/service-{index:05d}.conf"
        directory = repository / "Cfg" / name[1:]
        directory.mkdir(parents=True)
        base = directory.name
        (directory / "info.xml").write_text(_INFO)
        lines = "".join(f"setting_{line} = {index * line}\n" for line in range(30))
        ending = (".genshi", ".G10_extra", "")[index % 3]
        text = f"{lines}host = ${{metadata.hostname}}\n" if ending == ".genshi" else lines
        (directory / f"{base}{ending}").write_text(text)
        number += 2
        if index % 5 == 0:
            (directory / f"{base}.H_client-{index}.example.net").write_text(f"{lines}host = {index}\n")
            number += 1
        paths.append(name)
        index += 1
    for start in range(0, len(paths), 50):
        entries = "".join(f'  <Path name="{path}"/>\n' for path in paths[start : start + 50])
        (repository / "Bundler" / f"extra-{start:05d}.xml").write_text(f"<Bundle>\n{entries}</Bundle>\n")
    required = "".join(f'<RequiredBundle name="extra-{start:05d}"/>' for start in range(0, len(paths), 50))
    path = repository / "Bundler" / f"{profile}.xml"
    path.write_text(path.read_text().replace("</Bundle>", f"{required}</Bundle>"))
    return number


def _measure(directory: Path, processes: int) -> tuple[float, float, int, str]:
    """Run the command; return seconds, processor seconds, the exit status and the last line of the output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "geventcore", "-C", str(directory / "bcfg2.conf"), "lint"]
    command += ["--lint-config", os.devnull, "--processes", str(processes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode not in (0, 2, 3):
        raise SystemExit(done.stderr)
    return seconds, busy, done.returncode, done.stdout.splitlines()[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate and measure; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m contrib.bench.lint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clients", type=int, default=500, help="clients (default: 500)")
    parser.add_argument("--files", type=int, default=10_000, help="files in the repository (default: 10000)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-lint-") as name:
        directory = Path(name)
        repository = directory / "repository"
        generate(repository, Shape(clients=options.clients))
        files = _fill(repository, options.files)
        (directory / "bcfg2.conf").write_text(f"[server]\nrepository = {repository}\nplugins = {_PLUGINS}\n")
        before = sorted((str(path), path.lstat().st_mtime_ns) for path in repository.rglob("*"))
        print(f"{files} files, {options.clients} clients")
        for processes in (1, 0):
            seconds, busy, status, last = _measure(directory, processes)
            what = "all processors" if not processes else "one processor"
            print(f"{what}: {seconds:.1f} s, {busy:.1f} s of processors, exit status {status}: {last}")
        if sorted((str(path), path.lstat().st_mtime_ns) for path in repository.rglob("*")) != before:
            print("the repository has changed", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
