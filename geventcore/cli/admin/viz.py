"""``geventcore admin viz``: a picture of groups, bundles and clients."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click

from geventcore.cli.command import with_settings
from geventcore.cli.local_core import HOST, is_original, local_core
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.plugins.metadata.graph import Graph, dot_lines, mermaid_lines
from geventcore.tools.site import metadata_plugin

#: The colours of categories, in the order that Bcfg2 uses.
COLORS = (
    *("steelblue1", "chartreuse", "gold", "magenta", "indianred1", "limegreen", "orange1", "lightblue2"),
    *("green1", "blue1", "yellow1", "darkturquoise", "gray66"),
)
_TEXTS = {"dot": ("dot", "gv"), "mermaid": ("mermaid", "mmd", "md")}
_DOT_SECONDS = 300.0


@click.command("viz")
@click.option("-H", "--includehosts", is_flag=True, help="Show clients.")
@click.option("-b", "--includebundles", is_flag=True, help="Show bundles.")
@click.option("-k", "--includekey", is_flag=True, help="Show the categories of groups with their colours.")
@click.option("-c", "--only-client", type=HOST, metavar="HOST", help="Show only the groups of this client.")
@click.option(
    "--outfile",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to a file; its ending is the format unless --format says another one. [default: standard output]",
)
@click.option(
    "--format",
    "style",
    metavar="FORMAT",
    help="dot or mermaid for text; svg, png, pdf or another format of Graphviz, which needs its program dot. "
    "[default: dot on standard output]",
)
@with_settings()
def command(
    settings: LoadedSettings,
    includehosts: bool,
    includebundles: bool,
    includekey: bool,
    only_client: str | None,
    outfile: Path | None,
    style: str | None,
) -> int:
    """Draw the groups and their members as a graph.

    Pictures need the program dot of Graphviz; the text formats need nothing. Mermaid is what GitLab, GitHub and others
    draw from a code block.
    """
    chosen = _format(style, outfile)
    with local_core(settings) as core:
        graph = metadata_plugin(core).graph(includehosts, includebundles, includekey, only_client, COLORS)
    if chosen == "mermaid":
        text = "\n".join(["flowchart LR", *mermaid_lines(graph)]) + "\n"
        fenced = outfile is not None and outfile.suffix == ".md"
        return _write_text(f"```mermaid\n{text}```\n" if fenced else text, outfile)
    if chosen == "dot" and not is_original():
        return _write_text(_dot_document(graph, includekey) + "\n", outfile)
    return _draw(_dot_document(graph, includekey), chosen, outfile)


def _format(style: str | None, outfile: Path | None) -> str:
    if style is None and outfile is not None and outfile.suffix:
        style = outfile.suffix[1:]
    if style is None:
        # Bcfg2's program draws; ours does not write a picture to a terminal.
        return "png" if is_original() else "dot"
    return next((name for name, endings in _TEXTS.items() if style.lower() in endings), style.lower())


def _dot_document(graph: Graph, with_key: bool) -> str:
    lines = ["digraph groups {", '\trankdir="LR";', *dot_lines(graph)]
    if with_key:
        lines += [
            "\tsubgraph cluster_key {",
            '\tstyle="filled";',
            '\tcolor="lightblue";',
            '\tBundle [ shape="septagon" ];',
            '\tGroup [shape="ellipse"];',
            '\tProfile [style="bold", shape="ellipse"];',
            '\tHblock [label="Host1|Host2|Host3", shape="record"];',
            '\tlabel="Key";',
            "\t}",
        ]
    return "\n".join([*lines, "}"])


def _write_text(text: str, outfile: Path | None) -> int:
    if outfile is None:
        click.echo(text, nl=False)
    else:
        outfile.write_text(text)
    return 0


def _draw(document: str, style: str, outfile: Path | None) -> int:
    program = shutil.which("dot")
    if program is None:
        raise GeventcoreError(
            f"the format {style} needs the program dot: install Graphviz, or use --format dot or --format mermaid"
        )
    arguments = [program, "-T", style]
    if outfile is not None:
        arguments += ["-o", str(outfile)]
    try:
        done = subprocess.run(
            arguments, input=document.encode(), capture_output=True, timeout=_DOT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as err:
        raise GeventcoreError(f"dot has not drawn the graph within {_DOT_SECONDS:.0f} seconds") from err
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        if is_original():
            click.echo(f"Error running {arguments}: {reason}")
            return 1
        raise GeventcoreError(f"dot cannot draw the graph: {reason}")
    click.echo(done.stdout, nl=False)
    return 0
