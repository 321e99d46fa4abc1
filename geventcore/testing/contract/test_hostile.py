"""Hostile input: each kind is answered as it should be, leaves one line in the log, and nobody else notices.

All cases act at the same time, beside a hundred clients that make whole runs; each test looks at what came of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

# These modules add their cases to the table.
from geventcore.testing import hostile_http as hostile_http
from geventcore.testing import hostile_tls as hostile_tls
from geventcore.testing.client_runs import ClientRun
from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.hostile import CASES, OPTIONS, UNREAD_ANSWERS, HostileCase, Visitor
from geventcore.testing.live_site import LiveServer, LiveSite, LogLine, Resources, wait_until
from geventcore.testing.neighbours import Neighbours, assert_unharmed, run_herd

#: Half of them have never been there before.
HERD = (*HOSTS[:100], *(f"newcomer{number:03}.example.net" for number in range(100)))
NEIGHBOURS = 100


@dataclass
class Battle:
    """The result of a case.

    Attributes:
        herd: the runs of a herd before anything hostile came.
        neighbours: the runs of those who lived beside it.
        visitors, outcomes: by the names of the cases.
        before, after: what the server held when it was idle.
    """

    server: LiveServer
    herd: list[ClientRun]
    neighbours: Neighbours
    visitors: dict[str, Visitor]
    outcomes: dict[str, Future[None]]
    before: Resources

    def lines_about(self, name: str) -> list[LogLine]:
        """The grave lines of the log that name a visitor."""
        address = self.visitors[name].client.source
        return [line for line in self.server.grave() if re.search(rf"(^| from ){address}:", line.message)]


@pytest.fixture(scope="module")
def battle(new_site: Callable[..., LiveSite]) -> Iterator[Battle]:
    site = new_site(options=OPTIONS)
    with site.start() as server:
        herd = run_herd(site, HERD)
        # Workers have a thread for each topic of broadcasts, and some topics come with a second run only.
        run_herd(site, HOSTS[:NEIGHBOURS])
        before = server.settled_resources()
        visitors = {
            name: Visitor(site.client("plain", source=f"127.0.1.{number}"))
            for number, name in enumerate(CASES, start=1)
        }
        with Neighbours(site, NEIGHBOURS) as neighbours, ThreadPoolExecutor(len(CASES)) as executor:
            outcomes = {name: executor.submit(case.act, visitors[name]) for name, case in CASES.items()}
            for outcome in outcomes.values():
                outcome.exception()
        yield Battle(server, herd, neighbours, visitors, outcomes, before)


def test_a_herd_of_whole_runs(battle: Battle) -> None:
    assert len(battle.herd) == len(HERD)
    assert_unharmed(battle.herd)
    assert set(HERD) <= set(battle.server.site.client("plain").call("Metadata.list_clients"))


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_hostile(battle: Battle, case: HostileCase) -> None:
    battle.outcomes[case.name].result()
    wait_until(lambda: len(battle.lines_about(case.name)) >= case.lines, f"{case.lines} lines about it")
    assert len(battle.lines_about(case.name)) == case.lines


def test_answers_that_nobody_reads_are_not_piled_up(battle: Battle) -> None:
    """Pipelined requests are answered one by one: a new answer is not made before the last one is on its way."""
    assert battle.server.log_text().count("Generated configuration for greedy ") < UNREAD_ANSWERS / 2


def test_neighbours_do_not_notice(battle: Battle) -> None:
    assert len(battle.neighbours.runs) >= NEIGHBOURS
    assert_unharmed(battle.neighbours.runs)


def test_nothing_else_is_in_the_log(battle: Battle) -> None:
    """Every line that somebody should look at names a visitor, and none is a traceback."""
    assert not [line for line in battle.server.grave() if not re.search(r"(^| from )127\.0\.1\.", line.message)]
    text = battle.server.log_text()
    assert "Traceback" not in text
    assert "Exception ignored" not in text
    assert "Warning:" not in text


def test_the_server_holds_no_more_than_before(battle: Battle) -> None:
    server = battle.server
    wait_until(
        lambda: server.resources().within(battle.before),
        f"no more than {battle.before}; there are {server.resources()}:\n{server.describe_descriptors()}",
    )
