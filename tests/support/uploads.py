"""What clients upload at the end of a run: three of a real client, and any number of made ones."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.reporting.parsing import parse_interaction
from geventcore.storage.report_model import Interaction

#: What the 1.3.4 client sent of a dry run, an installation, and a run that found all in order, one after the other.
REAL_UPLOADS = Path(__file__).parents[1] / "reporting" / "uploads"

#: The time of the first report in tests: in 2026, in milliseconds since the epoch.
START = 1_790_000_000_000


def real_upload(name: str) -> etree._Element:
    """The root of ``dry-run``, ``install`` or ``clean``."""
    return etree.parse(str(REAL_UPLOADS / f"client-1.3.4-{name}.xml")).getroot()


def metadata_of(hostname: str) -> ClientMetadata:
    """Some metadata of a host."""
    return ClientMetadata(hostname, profile="basic", groups={"basic", "web"}, bundles={"base"})


def upload(
    *,
    started: float = START / 1000,
    bad: str = "",
    modified: str = "",
    extra: str = "",
    good: int = 3,
    state: str | None = None,
    flags: str = "",
) -> str:
    """A document as clients send it; entries are XML. `started` is in seconds since the epoch."""
    entries = "".join(f'<Path name="/good/{number}" type="file">text</Path>' for number in range(good))
    total = good + bad.count("<Path ")
    found = state or ("dirty" if bad or extra else "clean")
    return (
        f'<upload-statistics><Statistics version="2.0" revision="r1" total="{total}" good="{good}" '
        f'state="{found}">{flags}<Modified>{modified}</Modified><Extra>{extra}</Extra><Good>{entries}</Good>'
        f'<Bad>{bad}</Bad><OpStamps start="{started!r}" inventory="{started + 1.5!r}" finished="{started + 4!r}"/>'
        "</Statistics></upload-statistics>"
    )


def report(hostname: str, number: int = 0, file_limit: int = 1 << 20, **details: object) -> Interaction:
    """A host's report of its run of a number, half an hour after the one before; see `upload`."""
    timestamp = START + number * 1_800_000
    document = upload(started=timestamp / 1000 - 5, **details)  # type: ignore[arg-type]
    return parse_interaction(
        metadata_of(hostname), etree.fromstring(document), timestamp=timestamp, server="server", file_limit=file_limit
    )
