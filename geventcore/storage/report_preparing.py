"""The preparation of a report before the transaction that stores it: the computation of all digests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from geventcore.storage.report_encoding import digest, pack_stamps, state_digest
from geventcore.storage.report_model import EntryKind, EntryState, Interaction

#: The number of cached digests of memberships and circumstances. Enough for most reports.
KEPT = 1024

_kept_digest = lru_cache(KEPT)(digest)


@dataclass(frozen=True)
class PreparedReport:
    """A report with its digests.

    Attributes:
        interaction: the report.
        stamps, stamp_names: packed end times of the run's phases, and the names of the phases in this order.
        states: digest -> state of each entry.
        kinds: digests of the entries of each kind.
        findings, membership, circumstances: digests of its rows in the tables of these names.
    """

    interaction: Interaction
    stamps: bytes
    stamp_names: tuple[str, ...]
    states: dict[bytes, EntryState]
    kinds: dict[EntryKind, list[bytes]]
    findings: bytes
    membership: bytes
    circumstances: bytes


def prepare(interaction: Interaction) -> PreparedReport:
    """Compute the digests of a report."""
    states: dict[bytes, EntryState] = {}
    kinds: dict[EntryKind, list[bytes]] = {}
    for kind, state in interaction.entries:
        key = state_digest(state)
        states[key] = state
        kinds.setdefault(kind, []).append(key)
    listed = [[kind.value, sorted(key.hex() for key in keys)] for kind, keys in sorted(kinds.items())]
    stamps = sorted(interaction.stamps)
    names = tuple(name for name, _ in stamps)
    return PreparedReport(
        interaction,
        pack_stamps([at for _, at in stamps]),
        names,
        states,
        kinds,
        digest(interaction.state, interaction.total, interaction.good, listed),
        _kept_digest(interaction.profile, interaction.version, interaction.groups, interaction.bundles),
        _kept_digest(interaction.server, interaction.revision, interaction.dry_run, interaction.only_important, names),
    )
