"""The groups, bundles and clients as a graph, in the languages of Graphviz and Mermaid.

Names of nodes, shapes and the form of each line are those of Bcfg2, so that scripts which read the text find the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from geventcore.plugins.metadata.groups import GroupTable

#: The colour of groups that only rules or clients name.
UNDECLARED_COLOR = "grey83"


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        kind: ``clients``, ``bundle``, ``group`` or ``category``.
        labels: the text; several for clients, one for each.
        color: the fill colour of a group or category.
        is_profile: true for a group that is a profile.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    color: str = ""
    is_profile: bool = False


@dataclass
class Graph:
    """Nodes in the order of the text, and edges as pairs of names."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)


def groups_graph(
    groups: GroupTable,
    instances: Mapping[str, Sequence[str]],
    *,
    bundles: bool,
    key: bool,
    colors: Sequence[str],
    only_groups: Iterable[str] | None = None,
) -> Graph:
    """Return the graph of groups.

    Args:
        instances: profile -> names of its clients. An empty mapping leaves clients out.
        bundles: true to show bundles.
        key: true to add a node for each category, in its colour.
        colors: fill colours for the categories, used in turn.
        only_groups: leave out all other groups.
    """
    shown = dict.fromkeys([*groups.declared, *instances])
    if only_groups is not None:
        wanted = frozenset(only_groups)
        shown = {name: None for name in shown if name in wanted}
    color_of = _category_colors(groups, colors)
    graph = Graph()
    for profile, names in sorted(instances.items()):
        if names and profile in shown:
            graph.nodes.append(Node(f"{profile}-instances", "clients", tuple(sorted(names))))
            graph.edges.append((f"{profile}-instances", f"group-{profile}"))
    if bundles:
        for bundle in sorted(groups.bundles_of(shown)):
            graph.nodes.append(Node(f"bundle-{bundle}", "bundle", (bundle,)))
    for name in shown:
        declared = groups.get(name)
        color = UNDECLARED_COLOR if declared is None else color_of[groups.category_of(name)]
        graph.nodes.append(Node(f"group-{name}", "group", (name,), color, groups.is_profile(name)))
        if bundles and declared is not None:
            graph.edges += [(f"group-{name}", f"bundle-{bundle}") for bundle in sorted(declared.bundles)]
    graph.edges += [
        (f"group-{name}", f"group-{child}")
        for name in shown
        for child in groups.children.get(name, ())
        if child in shown
    ]
    if key:
        for category, color in color_of.items():
            if category is not None:
                graph.nodes.append(Node(category, "category", (category,), color))
    return graph


def _category_colors(groups: GroupTable, colors: Sequence[str]) -> dict[str | None, str]:
    """Return category -> colour, in the order of the file; None stands for the groups without a category."""
    categories = dict.fromkeys(groups.category_of(name) for name in groups.declared)
    return dict(zip(categories, cycle(colors or ("white",)), strict=False))


def dot_lines(graph: Graph) -> list[str]:
    """Return the lines of a Graphviz graph's body."""
    lines = [f"\t{_dot_node(node)}" for node in graph.nodes]
    return lines + [f"\t{_quote(start)} -> {_quote(end)};" for start, end in graph.edges]


def _dot_node(node: Node) -> str:
    name = _quote(node.name)
    if node.kind == "clients":
        return f'{name} [ label={_quote("|".join(node.labels))}, shape="record" ];'
    label = _quote(node.labels[0])
    if node.kind == "bundle":
        return f'{name} [ label={label}, shape="septagon"];'
    color = node.color if node.color.isalnum() else _quote(node.color)
    if node.kind == "category":
        return f'{name} [label={label}, shape="trapezium", style="filled", fillcolor={color}];'
    style = "filled, bold" if node.is_profile else "filled"
    return f'{name} [label={label}, style="{style}", fillcolor={color}];'


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


#: The brackets of Mermaid's shapes.
_MERMAID_SHAPES = {"clients": "[|]", "bundle": "{{|}}", "group": "(|)", "category": "[/|\\]"}


def mermaid_lines(graph: Graph) -> list[str]:
    """Return the lines of a Mermaid flowchart's body."""
    numbers = {node.name: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = []
    for node in graph.nodes:
        start, end = _MERMAID_SHAPES[node.kind].split("|")
        label = "<br>".join(map(_mermaid_text, node.labels))
        bold = f"<b>{label}</b>" if node.is_profile else label
        lines.append(f'    {numbers[node.name]}{start}"{bold}"{end}')
        if node.color:
            lines.append(f"    style {numbers[node.name]} fill:{_MERMAID_COLORS.get(node.color, node.color)}")
    return lines + [f"    {numbers[start]} --> {numbers[end]}" for start, end in graph.edges]


#: Colours of Graphviz that a browser does not know.
_MERMAID_COLORS = {"steelblue1": "#63b8ff", "grey83": "#d4d4d4"}


def _mermaid_text(text: str) -> str:
    """Escape a text for a quoted label: Mermaid has entities with a number sign."""
    return "".join(
        character if character.isalnum() or character in " -_.:/@+" else f"#{ord(character)};" for character in text
    )
