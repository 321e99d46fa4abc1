"""``geventcore demo``: a throw-away site, its server, its web pages, and fifty simulated clients that call it.

Everything is made in a temporary directory, uses the loopback interface only, and is gone at the end.
"""

from __future__ import annotations

import http.client
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click

from geventcore.cli.client_flags import EXIT_INTERRUPTED, load_progress
from geventcore.cli.command import ignore_interrupts, termination_as_interrupt
from geventcore.cli.init import SERVER_CONFIGURATION, SiteAddress, create_site
from geventcore.cli.web.command import require_libraries
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.simulation import Load, Pace, RunPlan, SimulatedClient
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.report_text import summary
from geventcore.simulation.test_bed import HOST, ServerProcess, free_port, geventcore_server

STOP_SECONDS = 60.0
#: For the pages to begin to answer, and between two runs of the clients while somebody looks at the pages.
PAGES_SECONDS, AGAIN_SECONDS = 30.0, 30.0
_PASSWORD = "correct-horse-battery-staple"


class DemoFailedError(GeventcoreError):
    """The demonstration failed; the text says why."""


def demo_clients(count: int) -> list[SimulatedClient]:
    """Return web servers and desktops that assert their profile, and one database server, which the site knows."""
    names: list[tuple[str, str | None]] = [("db01.example.com", None)]
    for number in range(1, count // 2 + 1):
        names.append((f"web{number:02d}.example.com", "web-server"))
        names.append((f"desk{number:02d}.example.com", "workstation"))
    return [SimulatedClient(name, name, profile=profile) for name, profile in names[:count]]


def why_no_pages() -> str:
    """Return the reason why there are no web pages, which is a missing library, or an empty text."""
    try:
        require_libraries()
    except ConfigError as err:
        return str(err)
    return ""


def make_demo_site(site: Path, port: int, web_port: int) -> Path:
    """Make a site with an admin listener, and with reports and web pages if their libraries are installed.

    Returns its configuration file.
    """
    create_site(site, SiteAddress(HOST, HOST, port), _PASSWORD)
    configuration = site / SERVER_CONFIGURATION
    text = configuration.read_text(encoding="utf-8")
    if not why_no_pages():
        text = text.replace("\nplugins = ", "\nplugins = Reporting, ")
    text += f"\n[admin]\nlisten = {HOST}:{free_port()}\n\n[web]\nlisten = {HOST}:{web_port}\n"
    configuration.write_text(text, encoding="utf-8")
    return configuration


def run_demo(directory: Path, clients: int, waits: bool) -> None:
    """Make a site in `directory`, serve it, and let clients call; `GeventcoreError` if anything goes wrong."""
    port, web_port, site = free_port(), free_port(), directory / "site"
    configuration = make_demo_site(site, port, web_port)
    click.echo(f"Made a site in {site}; starting its server at https://{HOST}:{port}.")
    ca = site / "tls" / "ca.crt"
    server = ServerProcess(geventcore_server(configuration), directory / "server.log", port)
    pages: ServerProcess | None = None
    try:
        server.wait_until_serving(ca)
        click.echo(f"It serves after {server.start_seconds:.1f} s. {clients} clients call, all at once:")
        plan = RunPlan(checks_answers=True, deviations=0)
        load = Load(server.target, ca, _PASSWORD, demo_clients(clients), plan=plan)
        measurement = _measure(load)
        click.echo(f"\n{summary(measurement)}\n")
        pages = _start_pages(configuration, directory, web_port)
        if pages is not None:
            if waits:
                _go_on(load)
            else:
                click.echo("They end now; --wait lets you look at them.")
        status = server.stop(STOP_SECONDS)
        if status != 0:
            raise DemoFailedError(f"the server ended with exit status {status}")
        failed, bad = measurement.total("runs_failed"), measurement.total("bad_entries")
        if failed or bad:
            raise DemoFailedError(f"{failed:.0f} runs failed, {bad:.0f} entries are bad")
    except Exception:
        click.echo(f"\nThe end of the server's log:\n{server.log_tail()}\n", err=True)
        raise
    finally:
        if pages is not None:
            pages.kill()
        server.kill()


def _measure(load: Load) -> Measurement:
    measurement = Measurement("gevent", load.pace.describe())
    with load_progress(load) as progress:
        measure_load(measurement, load, progress=progress)
    if measurement.interrupted:
        ignore_interrupts()
        raise KeyboardInterrupt
    return measurement


def _start_pages(configuration: Path, directory: Path, port: int) -> ServerProcess | None:
    """Start the web pages and print their address; None if their libraries are missing."""
    reason = why_no_pages()
    if reason:
        click.echo(f"There are no web pages: {reason}")
        return None
    command = [sys.executable, "-m", "geventcore", "web", "--demo", "-C", str(configuration)]
    pages = ServerProcess(command, directory / "web.log", port)
    try:
        _wait_for_pages(pages)
    except BaseException:
        pages.kill()
        raise
    click.echo(f"See what the fleet did: http://{HOST}:{port}/")
    return pages


def _wait_for_pages(pages: ServerProcess) -> None:
    deadline = time.monotonic() + PAGES_SECONDS
    while time.monotonic() < deadline:
        if pages.process.poll() is not None:
            raise DemoFailedError(f"the web pages ended at their start:\n{pages.log_tail()}")
        connection = http.client.HTTPConnection(HOST, pages.port, timeout=PAGES_SECONDS)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        else:
            if answer.status != 200:
                raise DemoFailedError(f"the web pages answer with status {answer.status}:\n{pages.log_tail()}")
            return
        finally:
            connection.close()
    raise DemoFailedError(f"the web pages do not answer after {PAGES_SECONDS:.0f} seconds:\n{pages.log_tail()}")


def _go_on(load: Load) -> None:
    """Let the clients run again and again, until Ctrl-C, which is the ordinary end here."""
    click.echo("The clients go on with a run every half a minute. Ctrl-C ends the demonstration.")
    is_ended = False
    seed = 0
    try:
        while not is_ended:
            time.sleep(AGAIN_SECONDS / 2)
            seed += 1
            plan = replace(load.plan, deviations=seed)
            again = replace(load, plan=plan, pace=Pace(splay_seconds=AGAIN_SECONDS / 2))
            measurement = Measurement("gevent", again.pace.describe())
            measure_load(measurement, again)
            is_ended = measurement.interrupted
    except KeyboardInterrupt:
        pass
    ignore_interrupts()


@click.command()
@click.option("--clients", type=click.IntRange(1), default=50, show_default=True, help="Number of clients.")
@click.option(
    "--wait/--no-wait",
    "waits",
    default=None,
    help="Go on until Ctrl-C, so that you can look at the web pages.  [default: on a terminal]",
)
def command(clients: int, waits: bool | None) -> int:
    """Show a server at work: a throw-away site, simulated clients that make whole runs over TLS, and their results.

    Web pages show what the clients reported, and end with the demonstration. Nothing is installed and nothing is left
    behind.
    """
    if waits is None:
        waits = sys.stdout.isatty()
    try:
        with termination_as_interrupt(), tempfile.TemporaryDirectory(prefix="geventcore-demo-") as directory:
            run_demo(Path(directory), clients, waits)
    except KeyboardInterrupt:
        click.echo("Interrupted; the server was stopped and the site removed.", err=True)
        return EXIT_INTERRUPTED
    click.echo("The server has stopped, and the site is removed.")
    return 0
