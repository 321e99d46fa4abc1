"""Reports of a comparison: text for a terminal, JSON for programs, and a page to hand to a colleague."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from html import escape

from geventcore.tools.compare import host_ranges
from geventcore.tools.shadow.comparison import KINDS, Difference
from geventcore.tools.shadow.outcome import Outcome
from geventcore.units import counted

#: The longest list of hosts in a line, in characters.
_LONGEST_HOSTS = 100
#: The entries that the summary names for each kind.
_NAMED = 5


def _hosts(hosts: Sequence[str]) -> str:
    text = host_ranges(hosts)
    return text if len(text) <= _LONGEST_HOSTS else f"{counted(len(hosts), 'host')}, such as {hosts[0]}"


def _spaced(hosts: str) -> str:
    """Put blanks between hosts, but not between the numbers of a range."""
    return re.sub(r",(?![^\[]*\])", ", ", hosts)


def _kind_lines(outcome: Outcome) -> list[tuple[str, int, list[str]]]:
    """Return for each kind its meaning, the number of hosts, and the first subjects."""
    lines = []
    for kind, subjects in outcome.by_kind().items():
        hosts = {host for found in subjects.values() for host in found}
        ordered = sorted(subjects, key=lambda subject: (-len(subjects[subject]), subject))
        named = [subject for subject in ordered[:_NAMED] if subject]
        more = len(ordered) - len(ordered[:_NAMED])
        lines.append((KINDS[kind], len(hosts), [*named, f"{more} more"] if more else named))
    return lines


def _detail(difference: Difference, lines: int | None) -> list[str]:
    if lines is None or len(difference.detail) <= lines:
        return list(difference.detail)
    return [*difference.detail[:lines], f"… {len(difference.detail) - lines} more"] if lines else []


def as_text(outcome: Outcome, lines: int | None = 6) -> str:
    """Return the verdict, a summary by kind, and each difference with its hosts; at most so many lines of each."""
    parts = [f"Compared with {outcome.server}", "", outcome.verdict()]
    kinds = _kind_lines(outcome)
    if kinds:
        parts += ["", "By kind:"]
        parts += [f"  {counted(number, 'host'):>10}  {title}: {', '.join(named)}" for title, number, named in kinds]
        parts += ["", "Differences (- old server, + this server):"]
    for difference, hosts in outcome.by_difference().items():
        parts.append(f"  {difference.subject or 'the configuration'}: {difference.kind} ({_hosts(hosts)})")
        parts += [f"      {line}" for line in _detail(difference, lines)]
    if outcome.problems:
        parts += ["", "Not compared:"]
        parts += [f"  {result.host}: {result.problem}" for result in outcome.problems]
    if outcome.notes:
        parts += ["", *(f"Note: {note}" for note in outcome.notes)]
    return "\n".join([*parts, ""])


def as_json(outcome: Outcome, lines: int | None = None) -> str:
    """Return everything as a JSON object."""
    value = {
        "server": outcome.server,
        "verdict": outcome.verdict(),
        "hosts": len(outcome.results),
        "same": len(outcome.same),
        "different": len(outcome.compared) - len(outcome.same),
        "not_compared": len(outcome.problems),
        "kinds": {kind: {"meaning": KINDS[kind], "subjects": subjects} for kind, subjects in outcome.by_kind().items()},
        "differences": [
            {
                "kind": difference.kind,
                "subject": difference.subject,
                "detail": _detail(difference, lines),
                "hosts": hosts,
            }
            for difference, hosts in outcome.by_difference().items()
        ],
        "results": [
            {
                "host": result.host,
                "same": result.is_same,
                "problem": result.problem,
                "entries": result.entries,
                "differences": len(result.differences),
            }
            for result in outcome.results.values()
        ],
        "notes": outcome.notes,
    }
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"


_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222; }
.verdict { font-size: 1.3em; padding: .6em 1em; border-left: .3em solid #a60; background: #fff6e5; }
.verdict.good { border-color: #083; background: #e8f6ec; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .3em .6em; }
tr { border-bottom: 1px solid #ddd; } code, pre { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
table.differences { table-layout: fixed; } table.differences td { overflow-wrap: anywhere; }
pre { margin: .2em 0; white-space: pre-wrap; font-size: .85em; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd; } tr { border-color: #444; }
  .verdict { background: #332a17; } .verdict.good { background: #17301f; }
}
"""


def as_html(outcome: Outcome, lines: int | None = 30) -> str:
    """Return a page that needs no other file."""
    is_good = bool(outcome.compared) and len(outcome.same) == len(outcome.results)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>Comparison with {escape(outcome.server)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n",
        f"<h1>Comparison with {escape(outcome.server)}</h1>\n",
        f'<p class="verdict{" good" if is_good else ""}">{escape(outcome.verdict())}</p>\n',
        f"<p>{counted(len(outcome.results), 'host')}: {len(outcome.same)} the same, ",
        f"{len(outcome.compared) - len(outcome.same)} different, {len(outcome.problems)} not compared.</p>\n",
    ]
    kinds = _kind_lines(outcome)
    if kinds:
        parts.append("<h2>By kind</h2>\n<table>\n<tr><th>Hosts</th><th>Kind</th><th>For example</th></tr>\n")
        parts += [
            f"<tr><td>{number}</td><td>{escape(title)}</td><td><code>{escape(', '.join(named))}</code></td></tr>\n"
            for title, number, named in kinds
        ]
        parts.append("</table>\n<h2>Differences</h2>\n")
        parts.append(
            '<table class="differences">\n<tr><th style="width: 50%">What</th><th style="width: 20%">Kind</th>'
        )
        parts.append("<th>Hosts</th></tr>\n")
        for difference, hosts in outcome.by_difference().items():
            detail = escape("\n".join(_detail(difference, lines)))
            parts.append(
                f"<tr><td><code>{escape(difference.subject)}</code>{f'<pre>{detail}</pre>' if detail else ''}</td>"
                f"<td>{KINDS[difference.kind]}</td><td>{escape(_spaced(host_ranges(hosts)))}</td></tr>\n"
            )
        parts.append("</table>\n<p>In the lines, - is the old server and + this one.</p>\n")
    if outcome.problems:
        parts.append("<h2>Not compared</h2>\n<table>\n<tr><th>Host</th><th>Reason</th></tr>\n")
        parts += [
            f"<tr><td>{escape(result.host)}</td><td>{escape(result.problem or '')}</td></tr>\n"
            for result in outcome.problems
        ]
        parts.append("</table>\n")
    parts += [f"<p>{escape(note)}</p>\n" for note in outcome.notes]
    return "".join([*parts, "</body>\n</html>\n"])


#: Name of a format -> its function.
FORMATS: dict[str, Callable[..., str]] = {"text": as_text, "json": as_json, "html": as_html}
