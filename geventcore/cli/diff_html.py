"""Comparisons as a page of its own: no scripts, and nothing from elsewhere."""

from __future__ import annotations

from html import escape

from geventcore.cli.diff_text import details, heading, summary
from geventcore.tools.diff.model import Comparison

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
h1 { font-size: 1.3em; } summary { cursor: pointer; padding: .3em 0; }
pre { background: #8881; padding: .6em; overflow-x: auto; } .hosts { color: #777; }
ins { color: #177a2b; text-decoration: none; } del { color: #b3261e; text-decoration: none; }
.problem { color: #b3261e; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #ddd; } ins { color: #5fcf7a; }
del, .problem { color: #ff8a80; } .hosts { color: #999; } }
"""


def html_page(found: Comparison) -> str:
    """Return a page with a foldable section for each change."""
    title = escape(f"{found.old} → {found.new}")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1><p>{escape(summary(found))}</p>",
    ]
    parts += [f'<p class="problem">{escape(problem)}</p>' for problem in found.problems]
    for change, hosts in found.changes.items():
        parts.append(
            f"<details open><summary><b>{escape(heading(hosts, found.hosts))}</b>: {escape(change.title)}</summary>"
        )
        lines = [_line(line) for line in details(change)]
        if lines:
            parts.append(f"<pre>{chr(10).join(lines)}</pre>")
        if len(hosts) > 1:
            names = escape(", ".join(hosts))
            parts.append(f'<details class="hosts"><summary>{len(hosts)} hosts</summary>{names}</details>')
        parts.append("</details>")
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _line(line: str) -> str:
    tag = {"+": "ins", "-": "del"}.get(line[:1])
    return f"<{tag}>{escape(line)}</{tag}>" if tag else escape(line)
