"""Comparisons as text and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from geventcore.tools.compare import host_ranges
from geventcore.tools.diff.model import ADDED, Change, Comparison
from geventcore.units import counted

#: The most hosts that are named; of more, the number is given first.
_MOST_NAMES = 12
#: The longest comment that common forges take is 65,536 characters.
LONGEST_COMMENT = 60_000


def text(found: Comparison, quiet: bool = False) -> Iterator[str]:
    """Yield the lines of a comparison."""
    for problem in found.problems:
        yield f"problem in {found.new}: {problem}"
    for problem in found.old_problems:
        yield f"problem in {found.old}, gone in {found.new}: {problem}"
    for change, hosts in found.changes.items():
        yield f"{heading(hosts, found.hosts)}: {change.title}"
        if not quiet:
            yield from (f"    {line}" for line in details(change))
    yield summary(found)


def heading(hosts: Sequence[str], total: int) -> str:
    """Return the hosts of a change: ``212 hosts (web[1-212].example.com)``."""
    if len(hosts) == 1:
        return hosts[0]
    if len(hosts) == total:
        return f"all {total} hosts"
    ranges = host_ranges(hosts)
    if ranges.count(",") >= _MOST_NAMES:
        ranges = f"{','.join(ranges.split(',')[:_MOST_NAMES])},…"
    return f"{len(hosts)} hosts ({ranges})"


def details(change: Change) -> Iterator[str]:
    """Yield the attributes and the lines of a change."""
    for name, old, new in change.attributes:
        if change.kind == "changed":
            yield f"{name}: {_value(old)} → {_value(new)}"
        else:
            yield f"{name}={new if change.kind == ADDED else old}"
    if change.is_hidden:
        yield "the content is secret, and differs" if change.kind == "changed" else "the content is secret"
    yield from change.text
    yield from change.children


def _value(value: str | None) -> str:
    return "(none)" if value is None else repr(value) if not value or value != value.strip() else value


def summary(found: Comparison) -> str:
    """Return the last line: what was compared, and how many hosts differ."""
    changed = len(found.changed_hosts)
    result = (
        f"{counted(changed, 'host')} of {found.hosts} differ"
        if changed
        else f"no differences, {counted(found.hosts, 'host')}"
    )
    built = "" if found.built == found.hosts else f"; {found.built} built, no changed file touches the others"
    return f"{found.old} → {found.new}: {result}{built} ({found.seconds:.1f} seconds)"


def markdown(found: Comparison, quiet: bool = False) -> str:
    """Return a comparison as Markdown, short enough for a comment."""
    parts = [f"**{summary(found)}**", ""]
    parts += [f"- :warning: `{_code(problem)}`" for problem in found.problems]
    shown = 0
    length = sum(map(len, parts))
    for change, hosts in found.changes.items():
        lines = [] if quiet else list(details(change))
        part = f"- **{heading(hosts, found.hosts)}**: `{_code(change.title)}`"
        if lines:
            fence = "`" * max(3, 1 + max(_longest_run(line) for line in lines))
            body = "\n".join(f"  {line}" for line in lines)
            part += f"\n\n  {fence}diff\n{body}\n  {fence}\n"
        if length + len(part) > LONGEST_COMMENT:
            break
        parts.append(part)
        length += len(part) + 1
        shown += 1
    if shown < len(found.changes):
        parts.append(f"\n… and {counted(len(found.changes) - shown, 'more change')}")
    return "\n".join(parts)


def _longest_run(line: str) -> int:
    return max(map(len, re.findall("`+", line)), default=0)


def _code(text: str) -> str:
    return text.replace("`", "'")
