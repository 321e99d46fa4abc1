"""Reports of a check: text for a terminal, JSON for programs, and a page to hand to a colleague."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from html import escape

from geventcore.tools.migration.differences import KINDS, SEVERITIES, Differences
from geventcore.units import counted


def _summary(differences: Differences) -> str:
    return ", ".join(counted(differences.count(severity), severity) for severity in SEVERITIES)


def as_text(differences: Differences) -> str:
    """Return the differences under the titles of their kinds."""
    lines = [
        f"Configuration: {differences.config_file}",
        f"Repository: {differences.repository}",
        f"Plugins: {', '.join(differences.plugins)}",
    ]
    for kind, title in KINDS.items():
        found = list(differences.of_kind(kind))
        if found:
            lines += ["", title]
            lines += [f"  {each.severity}: {f'{each.where}: ' if each.where else ''}{each.text}" for each in found]
    return "\n".join([*lines, "", _summary(differences), ""])


def as_json(differences: Differences) -> str:
    """Return the differences and their counts as a JSON object."""
    value = {
        "config_file": differences.config_file,
        "repository": differences.repository,
        "plugins": list(differences.plugins),
        "counts": {severity: differences.count(severity) for severity in SEVERITIES},
        "differences": [asdict(each) for kind in KINDS for each in differences.of_kind(kind)],
    }
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"


_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .3em .6em; }
tr { border-bottom: 1px solid #ddd; } td.where { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.error { color: #a00; font-weight: bold; } .warning { color: #850; } .note { color: #555; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd; } tr { border-color: #444; }
  .error { color: #f77; } .warning { color: #eb5; } .note { color: #aaa; }
}
"""


def as_html(differences: Differences) -> str:
    """Return a page that needs no other file."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>Migration of {escape(differences.repository)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n",
        "<h1>What differs from Bcfg2</h1>\n",
        f"<p>Configuration <code>{escape(differences.config_file)}</code>, ",
        f"repository <code>{escape(differences.repository)}</code>, ",
        f"plugins {escape(', '.join(differences.plugins))}.</p>\n<p>{_summary(differences)}.</p>\n<ul>\n",
        *(f'<li><span class="{name}">{name}</span>: {meaning}</li>\n' for name, meaning in SEVERITIES.items()),
        "</ul>\n",
    ]
    for kind, title in KINDS.items():
        found = list(differences.of_kind(kind))
        if not found:
            continue
        parts.append(f"<h2>{title}</h2>\n<table>\n<tr><th>Severity</th><th>Where</th><th>What</th></tr>\n")
        parts += [
            f'<tr><td class="{each.severity}">{each.severity}</td><td class="where">{escape(each.where)}</td>'
            f"<td>{escape(each.text)}</td></tr>\n"
            for each in found
        ]
        parts.append("</table>\n")
    return "".join([*parts, "</body>\n</html>\n"])


#: Name of a format -> its function.
FORMATS: dict[str, Callable[[Differences], str]] = {"text": as_text, "json": as_json, "html": as_html}
