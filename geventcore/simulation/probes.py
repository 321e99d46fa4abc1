"""Probes as a client sees them: the list that GetProbes gives, and the document that answers it.

A simulated client runs no script: it prints what it is given, or a plausible answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

#: A group that a script prints as a constant: ``echo "group:debian"``.
_GROUP_LITERAL = re.compile(r"\bgroup:[ \t]*([\w.-]+)")


@dataclass(frozen=True)
class Probe:
    """A script that the server asks clients to run; `source` is the plugin that wants the result."""

    name: str
    source: str
    interpreter: str
    script: str


def read_probes(document: str) -> list[Probe]:
    """Parse the answer to GetProbes; `ValueError` if it is no list of probes."""
    try:
        root = etree.fromstring(document.encode())
    except etree.XMLSyntaxError as err:
        raise ValueError(f"the list of probes is not XML: {err}") from err
    return [
        Probe(
            name=found.get("name", ""),
            source=found.get("source", ""),
            interpreter=found.get("interpreter", "/bin/sh"),
            script=found.text or "",
        )
        for found in root.iter("probe")
    ]


def probe_data(answers: Iterable[tuple[Probe, str]]) -> str:
    """Return the document that RecvProbeData takes, in ASCII with character references."""
    root = etree.Element("ProbeData")
    for probe, output in answers:
        etree.SubElement(root, "probe-data", name=probe.name, source=probe.source).text = output
    return etree.tostring(root).decode("ascii")


def plausible_answer(hostname: str, probe: Probe) -> str:
    """Return one of the groups that a script names, or else a number.

    The same host always gives the same answer, and different hosts give different ones.
    """
    # A checksum would not do: those of names that differ in one digit only are alike, too.
    digest = hashlib.sha256(f"{hostname} {probe.name}".encode()).digest()
    choice = int.from_bytes(digest[:8], "big")
    code = "\n".join(line for line in probe.script.splitlines() if not line.lstrip().startswith("#"))
    groups = sorted(set(_GROUP_LITERAL.findall(code)))
    if groups:
        return f"group:{groups[choice % len(groups)]}\n"
    return f"{choice % 65536}\n"
