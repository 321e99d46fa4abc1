"""Hosts that are not as they should be: for demonstrations and tests of reports.

A simulated client reports every entry as good that it could work with. With deviations, some clients report files that
somebody has edited, stopped services, old packages, changes that the run made, and packages that nobody asked for. The
client's name and a seed decide which, so that the same arguments give the same report.
"""

from __future__ import annotations

import base64
import difflib
import random
from dataclasses import replace

from lxml import etree

from geventcore.simulation.observation import Observation

#: How many of a hundred clients report what.
EDITED, STOPPED, OUTDATED, EXTRA, CHANGED = 14, 10, 10, 24, 12
#: The seed of the first runs, in which half of the clients are being set up.
FIRST = 0
_SET_UP = 50
_EXTRA_PACKAGES = ("nmap", "telnet", "tcpdump", "python3-tk")
_EDIT = "# changed by hand, do not forget to tell the others\n"


def deviating(observation: Observation, client: str, seed: int) -> Observation:
    """Return an observation with deviations; the counts are those of the client."""
    root = etree.fromstring(f"<Statistics>{observation.report}</Statistics>")
    lists = {name: root.find(name) for name in ("Modified", "Extra", "Good", "Bad")}
    found = {name: element for name, element in lists.items() if element is not None}
    # What is wrong stays wrong for some runs.
    lasting, momentary = random.Random(f"{client} {seed // 6}"), random.Random(f"{client} {seed}")

    def some(tag: str) -> list[etree._Element]:
        return [entry for entry in found["Good"] if entry.tag == tag]

    def move(entry: etree._Element, target: str, **values: str) -> None:
        for name, value in values.items():
            entry.set(name, value)
        found[target].append(entry)

    for share, tag, deviation in (
        (EDITED, "Path", _edited),
        (STOPPED, "Service", _stopped),
        (OUTDATED, "Package", _old),
    ):
        if lasting.randrange(100) < share and some(tag):
            entry = lasting.choice(some(tag)[:4])
            move(entry, "Bad", **deviation(entry))
    changes = (
        4 if seed == FIRST and momentary.randrange(100) < _SET_UP else 1 if momentary.randrange(100) < CHANGED else 0
    )
    for _ in range(changes):
        entry = momentary.choice(list(found["Good"]))
        move(entry, "Modified", **{"Path": _edited, "Service": _stopped}.get(str(entry.tag), _old)(entry))
    if lasting.randrange(100) < EXTRA:
        name = lasting.choice(_EXTRA_PACKAGES)
        etree.SubElement(found["Extra"], "Package", name=name, version="1.4-2", type="deb")
    report = "".join(etree.tostring(found[name]).decode("ascii") for name in ("Modified", "Extra", "Good", "Bad"))
    return replace(observation, report=report, good=observation.total - len(found["Bad"]))


def _edited(entry: etree._Element) -> dict[str, str]:
    text = entry.text or ""
    if entry.get("type") != "file" or not text or entry.get("encoding"):
        return {"current_mode": "0666", "current_exists": "true"}
    wanted = text.splitlines(keepends=True)
    there = [*wanted[1:3], _EDIT, *wanted[3:]] if len(wanted) > 3 else [*wanted, _EDIT]
    difference = "".join(difflib.ndiff(there, wanted))
    return {"current_bdiff": base64.b64encode(difference.encode()).decode("ascii")}


def _stopped(_entry: etree._Element) -> dict[str, str]:
    return {"current_status": "off"}


def _old(entry: etree._Element) -> dict[str, str]:
    return {"current_version": "1.0-1", "version": entry.get("version", "")}
