"""Simulated clients against the real Bcfg2 1.3.4 server, with the sample repository."""

from __future__ import annotations

import asyncio
from pathlib import Path

from geventcore import sample_site
from geventcore.fleet import Fleet, Identity, RunPlan, Schedule, Target
from tests.peers.certificates import CertificateFiles
from tests.peers.server import available_servers
from tests.peers.sites import ServerSite


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
        identities = [Identity(f"web{n}", f"web{n}", "a b", profile="web-server") for n in range(4)]
        with peer.serving(site) as server:
            # One after the other: that server loses a profile now and then if two clients assert theirs at a time.
            fleet = Fleet(
                Target("127.0.0.1", site.port), identities, Schedule(1), RunPlan("whitelist"), ca=authority.ca
            )
            result = asyncio.run(fleet.run())
            assert [run.reason for run in result.runs] == [None] * 4, server.log_tail()
        assert result.summary().bad_entries == 0, result.summary().example
        assert all(run.probes == 3 for run in result.runs)
        log = site.log.read_text()
        for identity in identities:
            assert f"Client {identity.hostname} reported state clean" in log
