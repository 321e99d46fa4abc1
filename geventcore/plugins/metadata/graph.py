"""The groups, bundles and clients as a graph, in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

from geventcore.plugins.metadata.groups import GroupTable


def graph_lines(
    groups: GroupTable,
    instances: Mapping[str, Sequence[str]],
    *,
    bundles: bool,
    key: bool,
    colors: Sequence[str],
    only_groups: Iterable[str] | None = None,
) -> list[str]:
    """The lines of a graph's body.

    Args:
        instances: profile -> names of its clients. An empty mapping leaves clients out.
        bundles: whether bundles are shown.
        key: whether the categories' colours are explained.
        colors: fill colours for the categories, used in turn.
        only_groups: leave out all other groups.
    """
    shown = frozenset(groups.declared) | instances.keys()
    if only_groups is not None:
        shown &= frozenset(only_groups)
    color_of = _category_colors(groups, colors)
    lines = []
    for profile, names in sorted(instances.items()):
        if names:
            lines.append(f'{_quote(f"{profile}-instances")} [ label={_quote("|".join(names))}, shape="record" ];')
            lines.append(f"{_group(profile)} -> {_quote(f'{profile}-instances')};")
    if bundles:
        for bundle in sorted(groups.bundles_of(shown)):
            lines.append(f'{_bundle(bundle)} [ label={_quote(bundle)}, shape="septagon" ];')
    for name in sorted(shown):
        declared = groups.get(name)
        category = groups.category_of(name)
        fill = color_of[category] if category else "grey83"
        style = "filled, bold" if groups.is_profile(name) else "filled"
        lines.append(f'{_group(name)} [ label={_quote(name)}, style="{style}", fillcolor="{fill}" ];')
        if bundles and declared is not None:
            lines += [f"{_group(name)} -> {_bundle(bundle)};" for bundle in sorted(declared.bundles)]
        lines += [f"{_group(name)} -> {_group(child)};" for child in groups.children.get(name, ()) if child in shown]
    if key:
        for category, color in color_of.items():
            look = f'shape="trapezium", style="filled", fillcolor="{color}"'
            lines.append(f"{_quote(category)} [ label={_quote(category)}, {look} ];")
    return lines


def _category_colors(groups: GroupTable, colors: Sequence[str]) -> dict[str, str]:
    categories = {category for name in groups.declared if (category := groups.category_of(name)) is not None}
    return dict(zip(sorted(categories), cycle(colors or ("white",)), strict=False))


def _group(name: str) -> str:
    return _quote(f"group-{name}")


def _bundle(name: str) -> str:
    return _quote(f"bundle-{name}")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
