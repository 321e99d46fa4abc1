"""Simulated clients against the real Bcfg2 1.3.4 server, with the sample repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore import sample_site
from geventcore.simulation import Load, Pace, RunPlan, SimulatedClient, Target
from geventcore.testing.certificates import CertificateFiles
from geventcore.testing.client_runs import runs_of
from geventcore.testing.site_files import ServerSite
from tests.peers.server import available_servers

pytestmark = pytest.mark.live


def test_a_real_server_takes_simulated_clients_for_real_ones(tmp_path: Path) -> None:
    authority = CertificateFiles(tmp_path / "authority")
    certificate = authority.server()
    for peer in available_servers():
        directory = tmp_path / peer.name
        directory.mkdir()
        sample_site.copy_repository(directory / "repository")
        site = ServerSite(
            directory / "site",
            directory / "repository",
            certificate,
            authority.ca,
            "a b",
            plugins=sample_site.PLUGINS,
            # A client's password has no blanks left when it arrives.
            overrides={"communication": {"password": "a+b"}},
        )
        clients = [SimulatedClient(f"web{n}", f"web{n}", profile="web-server") for n in range(4)]
        with peer.serving(site) as server:
            # One after the other: that server loses a profile now and then if two clients assert theirs at a time.
            load = Load(
                Target("127.0.0.1", site.port),
                authority.ca,
                "a b",
                clients,
                Pace(concurrency=1),
                plan=RunPlan("whitelist", checks_answers=True),
            )
            runs = runs_of(load)
            assert [run.reason for run in runs] == [None] * 4, server.log_tail()
        for run in runs:
            assert run.observation is not None
            assert run.observation.problems == ()
            assert [attempt.method for attempt in run.attempts].count("RecvProbeData") == 1
        log = site.log.read_text()
        for client in clients:
            assert f"Client {client.name} reported state clean" in log
