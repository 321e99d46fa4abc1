"""The reuse of answers: two steps of writing a configuration, the first and the last.

`find_answer` sends the client's last answer again if all that it depended on is the same; then the steps that follow
have nothing to do. `keep_answer` keeps what was rendered, if all that it depends on is known.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from lxml import etree

from geventcore.metrics.definitions import CONFIGURATIONS
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import EntryValidator, GoalValidator
from geventcore.plugin.recording import Read, is_lasting
from geventcore.render.amendments import Amendments, amends_entries
from geventcore.render.answers import (
    Answer,
    Explanation,
    KeptStructure,
    changed_fields,
    changed_reads,
    fields_of,
)
from geventcore.render.captured_logs import captured, log_again
from geventcore.render.guard import guarded
from geventcore.render.optional_hooks import is_hook_current
from geventcore.render.steps import Rendering, build_structures, validate_structures
from geventcore.render.structure_writer import StructureWriter

_END = b"</Configuration>"


def document(root: etree._Element, structures: Sequence[bytes]) -> bytes:
    """Return the document with these structures, given in pieces."""
    start = etree.tostring(root)
    return b"".join([start.removesuffix(b"/>"), b">", *structures, _END]) if structures else start


def find_answer(rendering: Rendering) -> None:
    """Take the client's last answer if all that it depended on is the same, or write again what has changed in it."""
    services, gathering, metadata = rendering.services, rendering.gathering, rendering.metadata
    answers = services.answers
    if not answers.is_in_use:
        return
    dependencies = services.plugin_dependencies
    keys, reasons = dependencies.keys(metadata)
    gathering.reasons += dependencies.reasons()
    gathering.reasons += reasons
    gathering.version = services.repository_version
    gathering.keys = (_state(rendering), keys)
    gathering.fields = fields_of(metadata)
    answer = answers.get(metadata.hostname)
    change = _compare(rendering, answer)
    if answer is not None and not change.outcome:
        if _send_again(rendering, answer, change):
            rendering.is_reused = True
            log_again(answer.lines)
            change.outcome = "partly" if gathering.open_entries or change.touched else "reused"
        else:
            change.outcome = "repository"
            change.names = ["files were made for this configuration"]
    if rendering.is_reused or change.outcome not in ("first", "untracked"):
        CONFIGURATIONS.inc(change.outcome)
    gathering.outcome, gathering.changes = change.outcome, change.names
    if rendering.is_reused:
        answers.explain(metadata.hostname, Explanation(change.outcome, change.names, (), dict(gathering.open_entries)))


def _state(rendering: Rendering) -> tuple[object, ...]:
    """Return what every configuration depends on, besides files."""
    services = rendering.services
    binder = services.binder.with_current_tables(services.repository_version)
    return services.settings, binder.tables_state, logging.getLogger("geventcore").getEffectiveLevel()


@dataclass
class _Change:
    """The difference between what an answer depends on and what it depended on.

    Attributes:
        outcome: why the answer cannot be sent again; empty if it can.
        names: what has changed.
        touched: the structures that have to be written again.
    """

    outcome: str = ""
    names: list[str] = field(default_factory=list)
    touched: list[KeptStructure] = field(default_factory=list)


def _compare(rendering: Rendering, answer: Answer | None) -> _Change:
    gathering = rendering.gathering
    if gathering.reasons:
        return _Change("untracked")
    if answer is None:
        return _Change("first")
    old, new = cast("Any", answer.keys), cast("Any", gathering.keys)
    effect = rendering.services.effect_since(answer.version)
    if effect is None or old[0] != new[0]:
        return _Change("repository", ["the repository or the settings"])
    if old[1] != new[1]:
        return _Change("plugin", ["the state of a plugin"])
    if goal_validators(rendering)[0]:
        return _Change("untracked", ["a plugin validates the whole configuration"])
    fields = changed_fields(answer, gathering.fields)
    if fields:
        return _Change("metadata", fields)
    reads = changed_reads(answer, rendering.metadata)
    names = [*(":".join(part) for part in sorted(effect)), *sorted(map(str, reads))]
    touched = [kept for kept in answer.structures if kept.is_touched(effect, reads)]
    stage = _changed_stage(answer, rendering.metadata, effect, reads)
    if not stage and any(kept.template.documents is not None for kept in touched):
        # Of these, nothing is kept from which they could be written again.
        stage = "metadata"
    if stage or not answer.is_steady or (touched and answer.lines):
        # What no change has touched is written as it was.
        gathering.previous = dict(zip(answer.reads, answer.values, strict=True))
        gathering.reusable = {kept.template: kept for kept in answer.structures if kept not in touched}
        return _Change(stage or "log", names if stage else ["the lines that rendering logs"])
    return _Change("", names if touched else [], touched)


def _changed_stage(
    answer: Answer, metadata: ClientMetadata, effect: frozenset[tuple[str, str]], reads: set[Read]
) -> str:
    """Return what may have changed the list of structures: ``repository`` or ``metadata``, or an empty text."""
    bundles = [name for tag, name in effect if tag == "Bundle"]
    if bundles:
        known = {kept.name for kept in answer.structures}
        # A bundle that is missing is logged.
        if answer.lines or any(name in known or name in metadata.bundles for name in bundles):
            return "repository"
    return "metadata" if not answer.stage_reads.isdisjoint(reads) else ""


class _Structures(list[Any]):
    """The structures of a client whose answer is reused: they are built when somebody looks at them."""

    def __init__(self, rendering: Rendering) -> None:
        super().__init__()
        self._rendering: Rendering | None = rendering

    def _built(self) -> list[Any]:
        rendering, self._rendering = self._rendering, None
        if rendering is not None:
            other = Rendering(rendering.services, rendering.metadata)
            build_structures(other)
            validate_structures(other)
            self.extend(other.structures)
        return self

    def __iter__(self) -> Iterator[Any]:
        return list.__iter__(self._built())

    def __len__(self) -> int:
        return list.__len__(self._built())

    def __getitem__(self, key: Any) -> Any:
        return list.__getitem__(self._built(), key)


def _send_again(rendering: Rendering, answer: Answer, change: _Change) -> bool:
    """Write the document from an answer; false if that changed the repository.

    Open entries are bound anew, and what has changed is written again and kept.
    """
    # Templates of sites look for this variable, of this name, on the stack: Bcfg2 has it there.
    structures = _Structures(rendering)
    gathering = rendering.gathering
    if not change.touched and not any(kept.is_open for kept in answer.structures):
        written = [piece for kept in answer.structures for piece in kept.written()]
    else:
        amendments = Amendments(goal_validators(rendering)[1], rendering.metadata)
        writer = StructureWriter(rendering, True, amendments)
        written = []
        kept_now: list[KeptStructure] = []
        for kept in answer.structures:
            if kept in change.touched:
                known = len(gathering.structures)
                with captured(gathering.lines):
                    written.append(writer.write(kept.template.element()))
                kept_now += gathering.structures[known:]
            else:
                pieces, is_closing = writer.write_kept(kept)
                written += pieces
                kept_now.append(kept)
                if is_closing:
                    # More can be kept from now on: render everything once more, to know what it depends on.
                    answer.is_steady = False
        amendments.count()
        if rendering.services.repository_version != gathering.version or gathering.reasons:
            gathering.structures.clear()
            gathering.open_entries.clear()
            return False
        if change.touched:
            _keep_changed(rendering, answer, kept_now)
    del structures
    if not change.touched:
        answer.version = gathering.version
    rendering.document = document(rendering.root, written)
    return True


def _keep_changed(rendering: Rendering, answer: Answer, structures: Sequence[KeptStructure]) -> None:
    gathering = rendering.gathering
    values = {**dict(zip(answer.reads, answer.values, strict=True)), **gathering.recorder.reads}
    reads = tuple(answer.stage_reads.union(*(kept.reads for kept in structures)))
    rendering.services.answers.put(
        rendering.metadata.hostname,
        replace(
            answer,
            structures=tuple(structures),
            version=gathering.version,
            reads=reads,
            values=tuple(values[read] for read in reads),
            # What has been logged is to be logged every time: render everything once more.
            is_steady=answer.is_steady and not gathering.lines,
        ),
    )


def keep_answer(rendering: Rendering) -> None:
    """Keep what was rendered, if all that it depends on is known."""
    services, gathering, metadata = rendering.services, rendering.gathering, rendering.metadata
    answers = services.answers
    if not answers.is_in_use or gathering.keys is None:
        return
    reasons = [*gathering.reasons, *gathering.recorder.untracked]
    if not reasons and (
        gathering.version != services.repository_version or cast("Any", gathering.keys)[0] != _state(rendering)
    ):
        reasons.append("the repository was changed meanwhile")
    outcome = gathering.outcome
    if reasons and outcome == "first":
        outcome = "untracked"
    if outcome in ("first", "untracked"):
        CONFIGURATIONS.inc(outcome)
    explanation = Explanation(outcome, gathering.changes, tuple(dict.fromkeys(reasons)), dict(gathering.open_entries))
    answers.explain(metadata.hostname, explanation)
    if reasons:
        return
    previous = answers.get(metadata.hostname)
    reads = tuple(filter(is_lasting, gathering.recorder.reads))
    lines = tuple(gathering.lines)
    answers.put(
        metadata.hostname,
        Answer(
            tuple(sorted(gathering.structures, key=lambda structure: structure.name)),
            gathering.version,
            gathering.keys,
            gathering.fields,
            reads,
            tuple(gathering.recorder.reads[read] for read in reads),
            gathering.stage_reads,
            lines,
            is_steady=not lines or (previous is not None and previous.lines == lines),
        ),
    )


def goal_validators(rendering: Rendering) -> tuple[bool, list[EntryValidator]]:
    """Return true if a plugin has to see the configuration as a tree, and the plugins that amend entries one by one."""
    validators: list[EntryValidator] = []
    is_tree = False
    for plugin in rendering.services.plugins_by_type(GoalValidator):
        if amends_entries(plugin):
            validators.append(cast("EntryValidator", plugin))
        elif not is_hook_current(type(plugin), "concerns_goals", "validate_goals"):
            is_tree = True
        else:
            with guarded(plugin, "concerns_goals", rendering.metadata):
                if not plugin.concerns_goals(rendering.metadata):
                    continue
            is_tree = True
    return is_tree, validators
