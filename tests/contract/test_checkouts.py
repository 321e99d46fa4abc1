"""While somebody updates the repository, each client gets one of its states and never a mixture."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.wire_client import Client

READERS = 64
ROUNDS = 4
BUNDLES = 12
#: Between two files, where a script or an upload writes them one after the other.
FILE_SECONDS = 0.02
STATES = ("red", "blue")


def state_files(state: str) -> Mapping[str, str]:
    """The files of one state: everything that a client gets of them names the state."""
    names = [f"state{number}" for number in range(BUNDLES)]
    bundles = "".join(f'<Bundle name="{name}"/>' for name in [*names, f"only-{state}", "included"])
    files = {
        "Metadata/groups.xml": '<Groups><Group name="large" profile="true"/><Group name="probed"/>'
        f'<Group name="basic" profile="true" public="true" default="true">{bundles}</Group></Groups>',
        f"Bundler/only-{state}.xml": f'<Bundle><Path name="/{state}/only"/></Bundle>',
    }
    rules = []
    files["Bundler/included.xml"] = '<Bundle><Path name="/cfg/included"/></Bundle>'
    files["Cfg/cfg/included/included.genshi"] = f"/{state}/\n{{% include part.genshi_include %}}"
    files["Cfg/cfg/included/part.genshi_include"] = f"/{state}/\n"
    for name in names:
        files[f"Bundler/{name}.xml"] = f'<Bundle><Path name="/{state}/{name}"/><Path name="/cfg/{name}"/></Bundle>'
        files[f"Cfg/cfg/{name}/{name}"] = f"/{state}/\n"
        rules.append(name)
    directories = "".join(
        f'<Path type="directory" name="/{state}/{name}" owner="{state}" group="root" mode="0755"/>'
        for name in [*rules, "only"]
    )
    files["Rules/rules.xml"] = f'<Rules priority="1">{directories}</Rules>'
    return files


#: Writes files in a process of its own: the clients of the test would make it pause.
WRITE = """
import json, pathlib, sys, time
directory, seconds, files, others = json.load(sys.stdin)
for name in others:
    pathlib.Path(directory, name).unlink(missing_ok=True)
for name, text in files.items():
    path = pathlib.Path(directory, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    time.sleep(seconds)
"""


def write_state(directory: Path, state: str, seconds: float = 0.0) -> None:
    files = state_files(state)
    others = sorted({name for each in STATES for name in state_files(each)} - set(files))
    plan = json.dumps([str(directory), seconds, files, others])
    subprocess.run([sys.executable, "-S", "-c", WRITE], input=plan, text=True, check=True)


class FileByFile:
    """Every file of the other state is written, one after the other."""

    def prepare(self, repository: Path) -> None:
        write_state(repository, STATES[0])

    def switch(self, repository: Path, state: str) -> None:
        write_state(repository, state, FILE_SECONDS)


class GitCheckout:
    """Each state is a branch, and the repository the working copy."""

    def prepare(self, repository: Path) -> None:
        self._git(repository, "init", "-q")
        for state in STATES:
            self._git(repository, "checkout", "-q", "-b", state)
            write_state(repository, state)
            self._git(repository, "add", "-A")
            self._git(repository, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", state)
        self._git(repository, "checkout", "-q", STATES[0])

    def switch(self, repository: Path, state: str) -> None:
        self._git(repository, "checkout", "-q", state)

    @staticmethod
    def _git(directory: Path, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True)


class Link:
    """The repository is a link to a release, which is replaced by another."""

    def prepare(self, repository: Path) -> None:
        for state in STATES:
            shutil.copytree(repository, repository.with_name(state), symlinks=True)
            write_state(repository.with_name(state), state)
        shutil.rmtree(repository)
        repository.symlink_to(STATES[0])

    def switch(self, repository: Path, state: str) -> None:
        beside = repository.with_name("new-link")
        beside.symlink_to(state)
        os.rename(beside, repository)


WAYS = [FileByFile(), GitCheckout(), Link()]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: type(way).__name__)
def way(request: pytest.FixtureRequest) -> FileByFile | GitCheckout | Link:
    found: FileByFile | GitCheckout | Link = request.param
    return found


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite], way: FileByFile | GitCheckout | Link) -> Iterator[LiveServer]:
    site = new_site()
    way.prepare(site.repository)
    with site.start() as running:
        yield running


def states_in(configuration: str) -> frozenset[str]:
    """The states that a configuration has a part of; with ``half`` if a part is missing."""
    found = re.findall(rf"/({'|'.join(STATES)})/", configuration)
    complete = len(found) == 2 * BUNDLES + 3 and "failure" not in configuration
    return frozenset(found) | (frozenset() if complete else {"half"})


def test_no_answer_mixes_two_states(server: LiveServer, way: FileByFile | GitCheckout | Link) -> None:
    ended = threading.Event()
    answers: list[frozenset[str]] = []

    def read(host: str) -> None:
        client = server.site.client(host)
        while not ended.is_set():
            answers.append(states_in(client.call("GetConfig")))

    with ThreadPoolExecutor(READERS) as executor:
        readers = [executor.submit(read, host) for host in HOSTS[:READERS]]
        try:
            for number in range(1, ROUNDS + 1):
                # Back to back, and the last one stays.
                for state in (STATES[number % 2], STATES[(number + 1) % 2], STATES[number % 2]):
                    way.switch(server.site.repository, state)
                seen = len(answers)
                expected = frozenset({STATES[number % 2]})
                wait_until(lambda seen=seen, expected=expected: expected in answers[seen:], f"an answer: {expected}")  # type: ignore[misc]
        finally:
            ended.set()
    for reader in readers:
        reader.result()
    wrong = [sorted(found) for found in answers if len(found) != 1 or "half" in found]
    assert not wrong, f"{len(wrong)} of {len(answers)}: {wrong[:5]}"
    assert "Traceback" not in server.log_text()


@pytest.fixture
def edited(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site().start() as running:
        yield running


def has_edit(client: Client, name: str) -> bool:
    return any(path.get("name") == name for path in ElementTree.fromstring(client.call("GetConfig")).iter("Path"))


def edit(server: LiveServer, name: str) -> None:
    (server.site.repository / "Bundler/base.xml").write_text(f'<Bundle><Path name="{name}"/></Bundle>')


def test_changes_wait_for_the_lock_of_version_control(edited: LiveServer) -> None:
    client = edited.site.client("plain")
    lock = edited.site.repository / ".git/index.lock"
    lock.parent.mkdir()
    lock.touch()
    edit(edited, "/locked")
    ended = time.monotonic() + 3.0
    while time.monotonic() < ended:
        assert not has_edit(client, "/locked")
    lock.unlink()
    wait_until(lambda: has_edit(client, "/locked"), "the change after the release of the lock")


def test_a_lock_that_was_left_behind_delays_nothing(edited: LiveServer) -> None:
    client = edited.site.client("plain")
    lock = edited.site.repository / ".git/index.lock"
    lock.parent.mkdir()
    lock.touch()
    os.utime(lock, (1, 1))
    edit(edited, "/stale")
    wait_until(lambda: has_edit(client, "/stale"), "the change")
    assert "remove it if no version control tool is running" in edited.log_text()


def test_a_file_that_changes_all_the_time_does_not_keep_others_back(edited: LiveServer) -> None:
    client = edited.site.client("plain")
    edit(edited, "/other")
    busy = edited.site.repository / "Cfg/etc/motd/motd"

    def has_come() -> bool:
        busy.write_text(f"{time.monotonic()}\n")
        return has_edit(client, "/other")

    wait_until(has_come, "the change of the other file")
    assert "files have been changing for" in edited.log_text()
