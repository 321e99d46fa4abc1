"""The configuration as a client sees it: which entries it can use, and the statistics that it reports.

A simulated client changes nothing. It reports every entry as good that a real client could work with, and the others
as bad: those that failed on the server, and those that lack an attribute that a client's tool needs.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from xml.sax.saxutils import quoteattr

from lxml import etree

_OWNED = ("mode", "owner", "group")

#: Path type -> attributes that must be there and not empty.
_PATH_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "augeas": _OWNED,
    "device": ("dev_type", *_OWNED),
    "directory": _OWNED,
    "file": _OWNED,
    "hardlink": ("to",),
    "ignore": (),
    "nonexistent": (),
    "permissions": _OWNED,
    "symlink": ("to",),
    "vcs": ("vcstype", "sourceurl", "revision"),
}

#: Tag of other entries -> attributes that must be there and not empty.
_ENTRY_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "Action": ("timing", "when", "command", "status"),
    "Package": ("version", "type"),
    "Path": ("type",),
    "Service": ("status", "type"),
}

#: Package types that need no version.
_UNVERSIONED_PACKAGES = frozenset({"yum"})


@dataclass(frozen=True)
class Observation:
    """One configuration as a client sees it.

    Attributes:
        revision: of the repository, as the server says.
        entries: ``Tag`` (``Path/type`` for paths) -> number of entries.
        total, good: numbers of entries.
        report: the XML elements of a statistics document that list the entries.
        problems: one line for each bad entry.
    """

    revision: str
    entries: Mapping[str, int]
    total: int
    good: int
    report: str
    problems: tuple[str, ...]


# Many clients may have the same configuration, and one client has the same in each of its runs.
@lru_cache(maxsize=32)
def observe(configuration: str) -> Observation:
    """Look at a configuration; `ValueError` if it is none, or one that reports an error."""
    try:
        root = etree.fromstring(configuration.encode(), etree.XMLParser(huge_tree=True, resolve_entities=False))
    except etree.XMLSyntaxError as err:
        raise ValueError(f"the configuration is not XML: {err}") from err
    if root.tag == "error":
        raise ValueError(f"the server says: {(root.text or '').strip()}")
    if root.tag != "Configuration":
        raise ValueError(f"the configuration is a <{root.tag}>, expected <Configuration>")
    lists = {True: etree.Element("Good"), False: etree.Element("Bad")}
    problems: list[str] = []
    counts: Counter[str] = Counter()
    for entry in _entries(root):
        counts[_label(entry)] += 1
        problem = _problem(entry)
        if problem:
            problems.append(f"{entry.tag} {entry.get('name', '')}: {problem}")
        lists[not problem].append(_reported(entry))
    good, bad = len(lists[True]), len(lists[False])
    return Observation(
        revision=root.get("revision", "-1"),
        entries=dict(sorted(counts.items())),
        total=good + bad,
        good=good,
        report="<Modified/><Extra/>" + "".join(etree.tostring(entries).decode("ascii") for entries in lists.values()),
        problems=tuple(problems),
    )


def statistics_document(observation: Observation, stamps: Mapping[str, float]) -> str:
    """Return the document that RecvStats takes, in ASCII; `stamps` are the phases of the run in seconds since 1970."""
    state = "clean" if observation.good == observation.total else "dirty"
    op_stamps = " ".join(f'{phase}="{seconds!r}"' for phase, seconds in stamps.items())
    text = (
        f'<upload-statistics><Statistics version="2.0" revision={quoteattr(observation.revision)}'
        f' total="{observation.total}" good="{observation.good}" state="{state}">'
        '<Flags><Flag name="dry_run" value="False"/><Flag name="only_important" value="False"/></Flags>'
        f"{observation.report}<OpStamps {op_stamps}/></Statistics></upload-statistics>"
    )
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _reported(entry: etree._Element) -> etree._Element:
    """An entry as statistics list it: like the client of Bcfg2 1.3.4 with its content and, for a path, its state."""
    reported = copy.deepcopy(entry)
    reported.tail = None
    if entry.tag == "Path":
        reported.attrib.update({"current_owner": "0", "current_group": "0", "current_mode": entry.get("mode", "")})
    reported.set("qtext", "")
    return reported


def _entries(root: etree._Element) -> list[etree._Element]:
    """Return the children of the structures; a Bundle in a Bundle is a relation between the two and no entry."""
    return [
        entry
        for structure in root
        if isinstance(structure.tag, str)
        for entry in structure
        if isinstance(entry.tag, str) and entry.tag != "Bundle"
    ]


def _label(entry: etree._Element) -> str:
    return f"Path/{entry.get('type', '?')}" if entry.tag == "Path" else str(entry.tag)


def _problem(entry: etree._Element) -> str | None:
    failure = entry.get("failure")
    if failure is not None:
        return failure
    required = ("name", *_ENTRY_ATTRIBUTES.get(str(entry.tag), ()))
    if entry.tag == "Package" and entry.get("type") in _UNVERSIONED_PACKAGES:
        required = ("name", "type")
    if entry.tag == "Path" and entry.get("type"):
        of_type = _PATH_ATTRIBUTES.get(entry.get("type", ""))
        if of_type is None:
            return f"no tool handles the type {entry.get('type')!r}"
        required += of_type
    missing = [name for name in required if not entry.get(name)]
    if missing:
        return f"lacks {', '.join(missing)}"
    if entry.tag == "Path" and entry.get("type") == "file" and not entry.text and entry.get("empty") != "true":
        return "lacks its content"
    return None
