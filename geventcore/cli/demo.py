"""``geventcore demo``: a throw-away site, its server, and fifty simulated clients that call it.

Everything is made in a temporary directory, uses the loopback interface only, and is gone at the end.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from geventcore.cli.common import termination_as_interrupt
from geventcore.cli.init import SERVER_CONFIGURATION, SiteAddress, create_site
from geventcore.cli.simulate import EXIT_INTERRUPTED, FleetProgress, run_fleet
from geventcore.errors import GeventcoreError
from geventcore.fleet import Fleet, FleetSummary, Identity, Schedule, Target
from geventcore.fleet.connection import client_context
from geventcore.fleet.report import format_summary

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 30.0
_LOG_LINES = 40


class DemoFailedError(GeventcoreError):
    """The demonstration did not go as it should."""


class DemoServer:
    """A server process; what it prints goes to a file."""

    def __init__(self, configuration: Path, log: Path, port: int) -> None:
        self._log = log
        self._port = port
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "geventcore", "server", "-C", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                # Of its own, so that Ctrl-C on the terminal is for the demonstration, which stops the server properly.
                start_new_session=True,
            )

    def wait_until_serving(self, ca: Path) -> None:
        """Return when the server shakes hands; `DemoFailedError` if it ends, or does not do so in time."""
        context = client_context(ca)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise DemoFailedError(f"the server ended with exit status {self._process.returncode} at its start")
            try:
                with socket.create_connection((HOST, self._port), timeout=1) as plain, context.wrap_socket(plain):
                    return
            except ssl.SSLCertVerificationError as err:
                raise DemoFailedError(f"the server's certificate is wrong: {err}") from err
            except OSError:
                time.sleep(0.05)
        raise DemoFailedError(f"the server does not serve after {START_SECONDS:.0f} seconds")

    def stop(self) -> None:
        """Ask the server to end; `DemoFailedError` if it does not, or with an exit status other than 0."""
        self._process.terminate()
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise DemoFailedError(f"the server did not stop within {STOP_SECONDS:.0f} seconds of SIGTERM") from None
        if status != 0:
            raise DemoFailedError(f"the server ended with exit status {status}")

    def kill(self) -> None:
        """End the server at once, if it still runs, with all processes that it has started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def log_tail(self) -> str:
        """The last lines of what the server printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def demo_identities(clients: int, password: str) -> list[Identity]:
    """Web servers and desktops that assert their profile, and one database server, which the site knows already."""
    names: list[tuple[str, str | None]] = [("db01.example.com", None)]
    for number in range(1, clients // 2 + 1):
        names.append((f"web{number:02d}.example.com", "web-server"))
        names.append((f"desk{number:02d}.example.com", "workstation"))
    return [Identity(name, name, password, profile=profile) for name, profile in names[:clients]]


def run_demo(directory: Path, clients: int) -> FleetSummary:
    """Make a site in `directory`, serve it, and let clients call; `GeventcoreError` if anything goes wrong."""
    port, password = free_port(), "correct-horse-battery-staple"
    site = directory / "site"
    create_site(site, SiteAddress(HOST, HOST, port), password)
    click.echo(f"A site was made in {site}, and its server starts at https://{HOST}:{port}.")
    ca = site / "tls" / "ca.crt"
    server = DemoServer(site / SERVER_CONFIGURATION, directory / "server.log", port)
    try:
        begin = time.monotonic()
        server.wait_until_serving(ca)
        click.echo(f"It serves after {time.monotonic() - begin:.1f} s. {clients} clients call, all at once:")
        progress = FleetProgress(clients)
        fleet = Fleet(
            Target(HOST, port), demo_identities(clients, password), Schedule(clients), ca=ca, on_run=progress.run_ended
        )
        if not run_fleet(fleet, progress):
            raise KeyboardInterrupt
        summary = fleet.result.summary()
        click.echo("")
        click.echo(format_summary(summary))
        click.echo("")
        server.stop()
        if summary.runs_failed or summary.bad_entries:
            raise DemoFailedError(f"{summary.runs_failed} runs failed, {summary.bad_entries} entries are bad")
    except Exception:
        click.echo(f"\nThe end of the server's log:\n{server.log_tail()}\n", err=True)
        raise
    finally:
        server.kill()
    return summary


@click.command()
@click.option("--clients", type=click.IntRange(1), default=50, show_default=True, help="How many clients call.")
def command(clients: int) -> int:
    """Show a server at work: a throw-away site, simulated clients that make whole runs over TLS, and what they got.

    Nothing is installed and nothing is left behind.
    """
    try:
        with termination_as_interrupt(), tempfile.TemporaryDirectory(prefix="geventcore-demo-") as directory:
            run_demo(Path(directory), clients)
    except KeyboardInterrupt:
        click.echo("Interrupted; the server was stopped and the site removed.", err=True)
        return EXIT_INTERRUPTED
    click.echo("The server has stopped, and the site is removed.")
    return 0
