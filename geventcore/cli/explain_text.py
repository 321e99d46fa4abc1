"""Explanations as trees, for people."""

from __future__ import annotations

from collections.abc import Sequence

from geventcore.cli.terminal import Text, Tree, print_tree
from geventcore.plugin.explanation import Candidate, Read, Source
from geventcore.tools.explain import Absence, BundlePath, EntryExplanation, Explanation, GroupPath, Step, Value
from geventcore.units import counted

_LONGEST_VALUE = 60
#: The most reads of a template, and candidates, that are shown.
_MOST_READS = 20


def print_explanation(found: Explanation) -> None:
    """Print an explanation on standard output."""
    print_tree(_tree(found))


def _tree(found: Explanation) -> Tree:
    title = Text.assemble((found.host, "bold"), f"  profile {found.profile or '(none)'}")
    if found.error:
        title.append(f"  no configuration: {found.error}", "red")
    root = Tree(title)
    for absence in found.absences:
        _add_absence(root, absence)
    if found.groups:
        branch = root.add(f"groups ({len(found.groups)})")
        for group in found.groups:
            _add_group(branch, group, not found.is_whole)
    bundles = {bundle.name: bundle for bundle in found.bundles}
    if found.is_whole:
        # Entries have one line each, below their bundles.
        branch = root.add(f"bundles ({len(bundles)})")
        for bundle in found.bundles:
            _add_bundle(branch, bundle, [entry for entry in found.entries if entry.structure == bundle.name])
    else:
        for entry in found.entries:
            _add_entry(root, entry, bundles.pop(entry.structure, None))
        shown = {entry.structure for entry in found.entries}
        for bundle in bundles.values():
            if bundle.name not in shown:
                _add_bundle(root, bundle, [])
    return root


# -- groups and bundles


def _add_group(tree: Tree, group: GroupPath, with_reasons: bool) -> None:
    category = f" (category {group.category})" if group.category else ""
    branch = tree.add(Text.assemble((group.name, "bold"), f"{category}: ", _path(group.path)))
    others = group.reasons if with_reasons and len(group.reasons) > 1 else ()
    for reason in others:
        branch.add(Text.assemble("also " if reason.source != group.path[-1].source else "", _source(reason.source)))


def _path(path: Sequence[Step]) -> Text:
    text = Text("client")
    for step in path:
        text.append(" → ")
        text.append(step.name)
        text.append(f" [{_short(step.source)}]", "dim")
    return text


def _add_bundle(tree: Tree, bundle: BundlePath, entries: Sequence[EntryExplanation]) -> None:
    branch = tree.add(Text.assemble(f"{bundle.kind} ", (bundle.name, "bold"), "  ", _source(bundle.source)))
    for path in bundle.paths:
        branch.add(_path(path))
    for entry in entries:
        branch.add(_entry_line(entry))


def _entry_line(entry: EntryExplanation) -> Text:
    text = Text.assemble((entry.label, "bold"), f"  {entry.source.place or _source(entry.source)}")
    origins = [entry.generator] if entry.generator else []
    if entry.text is not None:
        origins.append(entry.text.source.place or entry.text.source.plugin)
    else:
        origins += [value.source.place for value in entry.attributes if value.source.plugin == entry.generator][:1]
    if origins:
        text.append(f" ← {' '.join(filter(None, origins))}")
    if entry.failure:
        text.append(f"  failure: {entry.failure}", "red")
    return text


# -- entries


def _add_entry(tree: Tree, entry: EntryExplanation, bundle: BundlePath | None) -> None:
    branch = tree.add(Text.assemble((entry.label, "bold"), f"  in {entry.structure or 'no bundle'}"))
    if entry.failure:
        branch.add(Text(f"failure: {entry.failure}", "red"))
    branch.add(Text.assemble("named by ", _source(entry.source)))
    if bundle is not None:
        _add_bundle(branch, bundle, [])
    if entry.generator:
        alternative = f" as {entry.alternative}, its altsrc" if entry.alternative else ""
        branch.add(f"bound by {entry.generator}{alternative}")
    _add_values(branch, entry)
    _add_lost(branch, entry.lost)
    for decision in entry.decisions:
        branch.add(f"decision list {decision}")


def _add_values(branch: Tree, entry: EntryExplanation) -> None:
    attributes = branch.add(f"attributes ({len(entry.attributes)})") if entry.attributes else branch
    for value in entry.attributes:
        shown = "(hidden)" if value.is_hidden else _cut(value.value)
        _add_source(
            attributes.add(Text.assemble((value.name, "bold"), f"={shown}  ", _source(value.source))), value.source
        )
    if entry.text is not None:
        text = branch.add(Text.assemble(("text", "bold"), f" {_size(entry.text)}  ", _source(entry.text.source)))
        _add_source(text, entry.text.source)
    for child in entry.children:
        _add_values(branch.add(Text.assemble((child.label, "bold"), "  ", _source(child.source))), child)


def _size(value: Value) -> str:
    if value.is_hidden:
        return "(hidden)"
    lines = value.value.count("\n") + (not value.value.endswith("\n"))
    return f"({counted(lines, 'line')}, {counted(len(value.value), 'character')})"


def _add_source(branch: Tree, source: Source) -> None:
    """Add the details that do not fit into a line."""
    for read in source.reads[:_MOST_READS]:
        branch.add(_read(read))
    if len(source.reads) > _MOST_READS:
        branch.add(f"and {len(source.reads) - _MOST_READS} more lines that read metadata")
    for part in source.parts:
        branch.add(_source(part))


def _read(read: Read) -> Text:
    text = Text(f"{read.file}:{read.line} reads {read.expression}")
    if read.value is not None:
        text.append(f" = {read.value}")
    return text


def _add_lost(branch: Tree, lost: Sequence[Candidate]) -> None:
    if not lost:
        return
    losers = branch.add(f"not used ({len(lost)})")
    for candidate in lost[:_MOST_READS]:
        losers.add(Text.assemble(_source(candidate.source), (f": {candidate.reason}", "yellow")))
    if len(lost) > _MOST_READS:
        losers.add(f"and {len(lost) - _MOST_READS} more")


def _add_absence(tree: Tree, absence: Absence) -> None:
    kind = "" if absence.kind == "entry" else f"{absence.kind} "
    branch = tree.add(Text.assemble((f"{kind}{absence.name}", "bold"), ("  the host does not get it", "red")))
    for number, obstacle in enumerate(absence.obstacles):
        label = "nearest: " if number == 0 else "also: "
        branch.add(Text.assemble(label, (obstacle.text, "yellow"), "  ", _source(obstacle.source)))
    if not absence.obstacles:
        what = {"entry": "no bundle has it", "group": "no file has it", "bundle": "no group brings it"}[absence.kind]
        branch.add(what)
    if absence.generators:
        branch.add(f"could be bound by {', '.join(absence.generators)}")
    if absence.similar:
        branch.add(f"similar: {', '.join(absence.similar)}")


# -- sources


def _source(source: Source) -> Text:
    text = Text(source.plugin, "cyan")
    if source.file:
        text.append(f" {source.place}")
    if source.text:
        text.append(f" {source.text}")
    if source.conditions:
        text.append(f", under {', '.join(map(str, source.conditions))}")
    return text


def _short(source: Source) -> str:
    return source.place or f"{source.plugin}: {source.text}".rstrip(": ")


def _cut(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}…"
