"""The admin listener of the gevent core: the command ``status``, the dashboard, the alerts, addresses and counts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from geventcore.admin.client import ask
from geventcore.admin.options import LISTEN
from geventcore.admin.sockets import automatic_paths
from geventcore.metrics.exposition import parse
from geventcore.options import load_settings
from geventcore.options.listen_address import ListenAddress, parse_address
from geventcore.testing.live_site import LiveServer, LiveSite, process_tree, wait_until
from geventcore.testing.site_files import PLUGINS, free_port
from tests.support.project import PROJECT

pytestmark = pytest.mark.live

CONTRIB = PROJECT / "contrib"
WORKERS = 2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> LiveSite:
    directory = tmp_path_factory.mktemp("admin")
    options = {"admin": {"listen": f"unix:{directory}/admin.sock"}, "gevent": {"workers": str(WORKERS)}}
    return LiveSite(directory / "site", "gevent", options=options)


@pytest.fixture(scope="module")
def server(site: LiveSite) -> Iterator[LiveServer]:
    with site.start() as running:
        yield running


def address(site: LiveSite) -> ListenAddress:
    return parse_address(site.options["admin"]["listen"])


def status(site: LiveSite, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "geventcore", "status", "-C", str(site.configuration)]
    return subprocess.run(
        [*command, "--interval", "0.1", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=site.environ(),
        timeout=60,
    )


# -- the command


def test_the_status_of_a_server(site: LiveSite, server: LiveServer) -> None:
    client = site.client("plain")
    workers = set(process_tree(server.pid)[1:])
    assert len(workers) == WORKERS
    with client.connect() as connection:
        connection.call(client, "ping")
        told = json.loads(status(site, "--json").stdout)
        assert told["ready"] is True
        assert set(told["checks"]) == {"serving", "repository", "database", "files", "certificates"}
        assert set(told["checks"].values()) == {"ok"}
        assert told["info"]["core"] == "gevent"
        assert told["connections"] == {"active": 0, "handshake": 0, "idle": 1}
        assert told["pools"]["connections"]["used"] == 1
        assert told["pools"]["requests"] == {"limit": 1000 * WORKERS, "used": 0, "waiting": 0}
        assert told["requests"] == 1
        assert set(map(int, told["processes"])) == {server.pid, *workers}
        assert all(process["open_files"] > 3 for process in told["processes"].values())
        done = status(site)
    assert done.returncode == 0, done.stderr
    assert "core gevent" in done.stdout
    assert re.search(r"ready, up for 0 min \d+ s, no version control plugin, content [0-9a-f]{12}\n", done.stdout)
    assert re.search(r"pool +upload: 0 bytes of \d+ MB\n", done.stdout), done.stdout
    assert isinstance(told["pools"]["upload_bytes"]["limit"], int)
    assert told["revision"] == "-1"
    assert "0 active, 0 handshake, 1 idle; 0 waiting to be accepted" in done.stdout
    for pid in (server.pid, *workers):
        assert f"process      {pid}: " in done.stdout


def test_the_status_of_a_server_that_is_not_there(site: LiveSite, server: LiveServer, tmp_path: Path) -> None:
    missing = tmp_path / "admin.sock"
    done = status(site, "--address", f"unix:{missing}")
    assert done.returncode == 1
    assert done.stderr == f"geventcore: error: no server answers (unix:{missing}: No such file or directory)\n"
    assert status(site, "--address", "nowhere").returncode == 2


# -- the dashboard and the alerts


def metrics_named_in(text: str) -> set[str]:
    return set(re.findall(r"\bgeventcore_\w+", text))


def test_every_metric_of_the_dashboard_and_the_alerts_exists(site: LiveSite, server: LiveServer) -> None:
    client = site.client("plain")
    client.call("GetConfig")
    text = ask(address(site), "/metrics").text
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    known = set(types)
    for name, kind in types.items():
        if kind == "histogram":
            known |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
    dashboard = json.loads((CONTRIB / "grafana" / "geventcore.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [entry["expr"] for entry in dashboard["annotations"]["list"]]
    expressions += [entry["query"] for entry in dashboard["templating"]["list"]]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    rules = yaml.safe_load((CONTRIB / "prometheus" / "geventcore.rules.yml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    named = metrics_named_in("\n".join(expressions + [alert["expr"] for alert in alerts]))
    assert len(named) > 20
    assert named <= known, named - known
    scraped = yaml.safe_load((CONTRIB / "prometheus" / "prometheus.yml").read_text())
    assert scraped["rule_files"] == ["geventcore.rules.yml"]


# -- where it listens


def test_other_machines_are_let_in_only_if_that_is_said(tmp_path: Path) -> None:
    port = free_port()
    site = LiveSite(tmp_path / "site", "gevent", options={"admin": {"listen": f"0.0.0.0:{port}"}})
    with site.launch() as failing:
        assert failing.wait() == 1
        (line,) = failing.grave()
        assert f"other machines reach 0.0.0.0:{port}" in line.message
        assert "[admin] allow_remote = yes" in line.message
    site.options["admin"]["allow_remote"] = "yes"
    with site.start() as server:
        assert ask(parse_address(f"127.0.0.1:{port}"), "/readyz").status == 200
        assert ask(parse_address(f"127.0.0.1:{port}"), "/debug/greenlets").status == 403
        (line,) = server.grave()
        assert f"from other machines, without a password: 0.0.0.0:{port}" in line.message


def test_the_automatic_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = LiveSite(tmp_path / "site", "gevent", options={"admin": {"listen": "auto"}})
    run = tmp_path / "run"
    run.mkdir()

    def environ() -> dict[str, str]:
        return {**LiveSite.environ(), "RUNTIME_DIRECTORY": str(run)}

    monkeypatch.setattr(site, "environ", environ)
    path = run / f"admin-{site.port}.sock"
    with site.start() as server:
        assert ask(ListenAddress(path=path), "/healthz").status == 200
        assert json.loads(status(site, "--json").stdout)["ready"] is True
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(run))
        settings = load_settings(options=[LISTEN], config_file=site.configuration, environ={})
        assert next(automatic_paths(settings)) == path
        assert not server.grave()
    wait_until(lambda: not path.exists(), "the socket is removed")
    # Something else is in its place: the server starts all the same.
    path.mkdir()
    with site.start() as server:
        assert not server.grave()
        assert site.client("plain").call("ping") == []


# -- several workers


def test_counts_of_workers_that_have_ended_are_kept(site: LiveSite, server: LiveServer) -> None:
    client = site.client("plain")

    def total(metric: str, label: tuple[str, str]) -> float:
        samples = parse(ask(address(site), "/metrics").text)
        return sum(value for name, labels, value in samples if name == metric and label in labels)

    def pings() -> float:
        return total("geventcore_requests_total", ("method", "ping"))

    def answered() -> float:
        return total("geventcore_processes", ("state", "answered"))

    before = pings()
    for _ in range(20):
        client.call("ping")
    assert pings() == before + 20
    for pid in process_tree(server.pid)[1:]:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: pid not in process_tree(server.pid), "the worker is gone")  # type: ignore[misc]
        wait_until(lambda: len(process_tree(server.pid)) == 1 + WORKERS, "another one has taken its place")
        wait_until(lambda: answered() == WORKERS, "all workers answer")
        assert pings() == before + 20
    client.call("ping")
    assert pings() == before + 21


# -- databases


def test_what_is_done_with_a_database_is_counted(tmp_path: Path) -> None:
    options = {"admin": {"listen": f"unix:{tmp_path}/admin.sock"}, "probes": {"use_database": "true"}}
    site = LiveSite(tmp_path / "site", "gevent", options=options)

    def values(name: str) -> dict[str, float]:
        samples = parse(ask(address(site), "/metrics").text)
        return {dict(labels).get("operation", ""): value for found, labels, value in samples if found == name}

    with site.start():
        before = values("geventcore_database_operations_total")
        site.client("plain").call(
            "RecvProbeData", '<probe-data><probe-data name="kernel" source="Probes">1</probe-data></probe-data>'
        )
        after = values("geventcore_database_operations_total")
        assert after["writes"] > before["writes"]
        assert after["failures"] == 0
        assert values("geventcore_database_available") == {"": 1}
        assert "database: ok" in ask(address(site), "/readyz").text


def test_who_blocks_the_event_loop_is_counted(tmp_path: Path) -> None:
    options = {
        "admin": {"listen": f"unix:{tmp_path}/admin.sock"},
        "gevent": {"workers": "1", "max_blocking": "0.2"},
    }
    site = LiveSite(tmp_path / "site", "gevent", options=options, plugins=[*PLUGINS, "blocking.Blocking"])

    def seconds() -> float:
        samples = parse(ask(address(site), "/metrics").text)
        name, labels = "geventcore_hub_blocked_seconds_total", (("plugin", "Blocking"),)
        return sum(value for found, have, value in samples if (found, have) == (name, labels))

    with site.start():
        site.client("compute1").call("GetConfig")
        wait_until(lambda: seconds() >= 0.2, "the time is counted")
