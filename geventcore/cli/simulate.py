"""``geventcore simulate``: whole runs of many clients against a server, with every call measured."""

from __future__ import annotations

import click

from geventcore.cli.client_flags import EXIT_INTERRUPTED, ClientFlags, client_flags, load_progress
from geventcore.cli.command import termination_as_interrupt, with_settings
from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.options.server import PASSWORD, SERVER_URL
from geventcore.simulation import Target
from geventcore.simulation.measurement import Measurement, measure_load

#: A usual number of clients that call at the same time, and within the limit of open files.
DEFAULT_CONCURRENCY = 100


@click.command()
@client_flags(f"{DEFAULT_CONCURRENCY}; with a splay: all", "all at once", clients=50, check_answers=True)
@with_settings(SERVER_URL, PASSWORD)
def command(settings: LoadedSettings, flags: ClientFlags) -> int:
    """Let simulated clients make whole runs, as real clients do, and measure every call.

    Each call has a new TLS connection. Nothing is installed and no script of a probe is executed anywhere. The server
    may be any Bcfg2 server; it will register the clients, take their probe data, and record their reports. The
    configuration file may be that of a client or of the server itself. Without a CA certificate the server's is not
    checked.

    Ctrl-C ends the runs, and what was measured by then is reported. The exit status is 1 if a run failed.
    """
    flags.check()
    url = settings[SERVER_URL]
    if url.scheme != "https" or not url.port:
        raise ConfigError(f"{url} is no URL that clients can call: expected https://HOST:PORT")
    target = Target(url.host, url.port)
    pace = flags.pace(steady=False, splay_seconds=0.0, concurrency=None if flags.splay else DEFAULT_CONCURRENCY)
    load = flags.site_load(settings, target, pace)
    measurement = Measurement(str(url), pace.describe())
    try:
        with termination_as_interrupt(), load_progress(load) as progress:
            measure_load(measurement, load, flags.pid, progress)
    except KeyboardInterrupt:
        click.echo("Interrupted before anything was measured.", err=True)
        return EXIT_INTERRUPTED
    return flags.show([measurement], load)
