"""The differences between two built configurations, or two directories of them, grouped by hosts with the same ones."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError

_NUMBERED = re.compile(r"(?P<head>.*?\D|)(?P<number>0|[1-9]\d*)(?P<tail>\..*|)")


@dataclass(frozen=True)
class Finding:
    """One difference.

    Attributes:
        kind: ``removed``, ``added`` or ``changed``.
        what: the host, bundle or element, and what of it differs.
        content: lines of a difference in content, each with ``-`` or ``+``.
        attributes: the same for attributes.
    """

    kind: str
    what: str
    content: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()

    def text(self, diff_lines: int | None = None, quiet: bool = False) -> str:
        """Return the finding for people, with at most `diff_lines` + 1 lines of content unless that is None."""
        lines = [f"{self.kind.capitalize()}: {self.what}"]
        if not quiet:
            content = list(self.content)
            if diff_lines is not None and len(content) > diff_lines + 1:
                content = [*content[: diff_lines + 1], "..."] if diff_lines else []
            lines += [f"  {line}" for line in (*content, *self.attributes)]
        return "\n".join(lines)


def compare(old: Path, new: Path) -> tuple[dict[Finding, list[str]], int]:
    """Compare two files, or the XML files of two directories.

    Returns the findings, each with the hosts that have it, and the number of compared pairs of files. A host that is on
    one side only is a finding without hosts.

    Raises:
        GeventcoreError: a file cannot be read, or one side is a file and the other a directory.
    """
    if old.is_dir() != new.is_dir():
        raise GeventcoreError(f"{old} and {new}: compare two files or two directories")
    found: dict[Finding, list[str]] = {}
    if not old.is_dir():
        _add(found, old, new)
        return found, 1
    sides = [{path.name: path for path in sorted(side.glob("*.xml"))} for side in (old, new)]
    for name in sorted(sides[0].keys() - sides[1].keys()):
        found[Finding("removed", name.removesuffix(".xml"))] = []
    for name in sorted(sides[1].keys() - sides[0].keys()):
        found[Finding("added", name.removesuffix(".xml"))] = []
    common = sorted(sides[0].keys() & sides[1].keys())
    for name in common:
        _add(found, sides[0][name], sides[1][name])
    return found, len(common)


def _add(found: dict[Finding, list[str]], old: Path, new: Path) -> None:
    host = new.name.removesuffix(".xml")
    for finding in differences(_read(old), _read(new)):
        found.setdefault(finding, []).append(host)


def _read(path: Path) -> etree._Element:
    try:
        return etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
    except OSError as err:
        raise GeventcoreError(f"{path}: cannot be read: {err.strerror}") from err
    except etree.XMLSyntaxError as err:
        raise GeventcoreError(f"{path}: line {err.lineno}: not well-formed: {err.msg}") from err


def differences(old: etree._Element, new: etree._Element) -> Iterator[Finding]:
    """Yield the differences of two configurations."""
    sides = [_structures(root) for root in (old, new)]
    for structure in sorted(sides[0].keys() - sides[1].keys()):
        yield Finding("removed", " ".join(structure))
    for structure in sorted(sides[1].keys() - sides[0].keys()):
        yield Finding("added", " ".join(structure))
    entries = [_entries(structures) for structures in sides]
    common = sides[0].keys() & sides[1].keys()
    for label, (structure, entry) in entries[0].items():
        if label not in entries[1]:
            # The entries of a structure that is gone are gone with it.
            if structure in common:
                yield Finding("removed", f"Element {label}")
            continue
        now, changed = entries[1][label]
        if structure != now:
            yield Finding("changed", f"Element {label} was in bundle {structure[1]}, now in bundle {now[1]}")
        yield from _changes(label, entry, changed)
    for label, (structure, _) in entries[1].items():
        if label not in entries[0] and structure in common:
            yield Finding("added", f"Element {label}")


_Structure = tuple[str, str]


def _structures(root: etree._Element) -> dict[_Structure, list[etree._Element]]:
    found: dict[_Structure, list[etree._Element]] = {}
    for structure in root.iterchildren(etree.Element):
        found.setdefault((str(structure.tag), structure.get("name", "")), []).append(structure)
    return found


def _entries(
    structures: Mapping[_Structure, Iterable[etree._Element]],
) -> dict[str, tuple[_Structure, etree._Element]]:
    return {
        f"{entry.tag}:{entry.get('name')}": (structure, entry)
        for structure, elements in structures.items()
        for element in elements
        for entry in element.iterchildren(etree.Element)
    }


def _changes(label: str, old: etree._Element, new: etree._Element) -> Iterator[Finding]:
    before, after = (_text(entry) for entry in (old, new))
    if before != after:
        if not before or not after:
            yield Finding("changed", f"Element {label} content was {'removed' if before else 'added'}")
        else:
            yield Finding("changed", f"Element {label} has different content", content=_lines_of(before, after))
    inside = ["\n".join(_inside(entry)) for entry in (old, new)]
    if inside[0] != inside[1]:
        yield Finding("changed", f"Element {label} has different elements inside", content=_lines_of(*inside))
    sides = [sorted(f'{name!s}="{value!s}"' for name, value in entry.items()) for entry in (old, new)]
    if sides[0] != sides[1]:
        changed = [f"-{word}" for word in sides[0] if word not in sides[1]]
        changed += [f"+{word}" for word in sides[1] if word not in sides[0]]
        yield Finding("changed", f"Element {label} has different attributes", attributes=tuple(changed))


def _text(entry: etree._Element) -> str:
    """Return the text of an entry; the blanks between elements inside it are none."""
    text = entry.text or ""
    return "" if len(entry) and not text.strip() else text


def _inside(entry: etree._Element) -> Iterator[str]:
    """Yield the elements inside an entry, such as ACLs, in a form in which equal ones are equal texts."""
    for child in entry.iterchildren(etree.Element):
        lone = etree.fromstring(etree.tostring(child, with_tail=False), etree.XMLParser(remove_blank_text=True))
        yield etree.tostring(lone, method="c14n").decode()


def _lines_of(before: str, after: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return tuple(line for line in list(lines)[2:] if not line.startswith("@@"))


def host_ranges(hosts: Sequence[str]) -> str:
    """Return hosts in a short form: ``web[1-3,5].example.org``."""
    numbers: dict[tuple[str, str], list[int]] = {}
    others = []
    for host in hosts:
        match = _NUMBERED.fullmatch(host)
        if match is None:
            others.append(host)
        else:
            numbers.setdefault((match["head"], match["tail"]), []).append(int(match["number"]))
    words = []
    for (head, tail), found in numbers.items():
        ranges = _ranges(sorted(set(found)))
        words.append(f"{head}{ranges if ranges.isdigit() else f'[{ranges}]'}{tail}")
    return ",".join(sorted([*words, *others]))


def _ranges(numbers: Sequence[int]) -> str:
    words: list[list[int]] = []
    for number in numbers:
        if words and number == words[-1][-1] + 1:
            words[-1].append(number)
        else:
            words.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in words)
