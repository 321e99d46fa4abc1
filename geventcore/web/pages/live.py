"""The state of running servers, which updates by itself with server-sent events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Blueprint, Response, render_template, stream_with_context
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ServiceUnavailable

from geventcore.errors import GeventcoreError
from geventcore.web.certificates import look_at
from geventcore.web.current import services
from geventcore.web.live import PERCENTILES

page = Blueprint("live", __name__)

#: Seconds between updates, and how long a stream lasts: a browser connects again by itself.
INTERVAL_SECONDS = 2.0
STREAM_SECONDS = 600.0


@page.get("/servers")
def index() -> ResponseReturnValue:
    """Show the state of all servers."""
    return render_template("live.html", **_values())


@page.get("/servers/events")
def events() -> ResponseReturnValue:
    """Send the panels of the page again and again."""
    streams = services().streams
    if not streams.acquire(blocking=False):
        raise ServiceUnavailable("Too many pages update by themselves already.")

    def send() -> Iterator[str]:
        end = time.monotonic() + STREAM_SECONDS
        while time.monotonic() < end:
            yield "".join(f"data: {line}\n" for line in _panels().splitlines()) + "\n"
            time.sleep(INTERVAL_SECONDS)

    response = Response(stream_with_context(send()), mimetype="text/event-stream")
    response.call_on_close(streams.release)
    return response


@page.get("/servers/files")
def files() -> ResponseReturnValue:
    """Show the files of the repository that cannot be used now. The page of servers loads this part."""
    broken: Sequence[str] = ()
    error = ""
    try:
        broken = services().site.broken_files()
    except GeventcoreError as err:
        error = str(err)
    return render_template("files.html", broken=broken, error=error, has_site=services().site.is_known)


def _panels() -> str:
    return render_template("live_panels.html", **_values())


def _values() -> dict[str, Any]:
    given = services()
    return {
        "servers": given.live.servers(),
        "certificates": [look_at(file) for file in given.certificate_files],
        "percentiles": [f"{100 * share:g} %" for share in PERCENTILES],
        "now": time.time_ns() // 1_000_000,
    }
