"""Lines of spools and lists: what is written is read back, and everything else is refused."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.reporting.format import decode, encode
from geventcore.storage.report_encoding import (
    pack_entries,
    pack_numbers,
    pack_stamps,
    pack_state,
    unpack_entries,
    unpack_numbers,
    unpack_stamps,
    unpack_state,
)
from geventcore.storage.report_model import EntryKind, EntryState, FileContent, Interaction
from tests.support.uploads import report

texts = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=20)
numbers = st.integers(0, 2**31 - 1)
attributes = st.dictionaries(texts, texts, max_size=4).map(lambda values: tuple(sorted(values.items())))
states = st.builds(
    EntryState,
    texts,
    texts,
    attributes,
    st.lists(st.tuples(texts, attributes), max_size=2).map(tuple),
    st.none() | st.builds(FileContent, texts, texts, numbers),
)
interactions = st.builds(
    Interaction,
    client=texts.filter(bool),
    timestamp=st.integers(0, 2**63 - 1),
    server=texts,
    state=st.sampled_from(["clean", "dirty"]),
    revision=texts,
    total=numbers,
    good=numbers,
    dry_run=st.booleans(),
    only_important=st.booleans(),
    profile=st.none() | texts,
    version=st.none() | texts,
    groups=st.lists(texts).map(tuple),
    bundles=st.lists(texts).map(tuple),
    entries=st.lists(st.tuples(st.sampled_from(EntryKind), states), max_size=3).map(tuple),
    stamps=st.lists(st.tuples(texts, st.integers(0, 2**50))).map(tuple),
)


@given(interactions)
def test_what_is_written_is_read_back(interaction: Interaction) -> None:
    line = encode(interaction)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == interaction


@given(states)
def test_states_of_entries_are_packed(state: EntryState) -> None:
    assert unpack_state(state.tag, state.name, pack_state(state)) == state


@given(st.lists(st.integers(0, 2**63)))
def test_numbers_are_packed(values: list[int]) -> None:
    assert unpack_numbers(pack_numbers(values)) == values


@given(st.dictionaries(st.sampled_from(EntryKind), st.sets(st.integers(0, 10**9))))
def test_lists_of_entries_are_packed(entries: dict[EntryKind, set[int]]) -> None:
    assert unpack_entries(pack_entries(entries)) == {kind: sorted(entries.get(kind, ())) for kind in EntryKind}


@given(st.lists(st.integers(0, 2**50), min_size=1))
def test_times_are_packed(times: list[int]) -> None:
    assert unpack_stamps(pack_stamps(times)) == times


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(encode(report("h", bad='<Path name="/f"/>'))), **values}).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x00",
        b"[]",
        b"{}",
        b"[" * 100_000,
        pickle.dumps({"hostname": "h"}),
        b"<upload-statistics/>",
        changed(report=2),
        changed(surplus=1),
        changed(client=""),
        changed(client=7),
        changed(client="a\0b"),
        changed(client="\ud800"),
        changed(state="unknown"),
        changed(total=-1),
        changed(total=True),
        changed(total=2**31),
        changed(timestamp=2**63),
        changed(timestamp=1.5),
        changed(dry_run="yes"),
        changed(groups="web"),
        changed(groups=[["web"]]),
        changed(entries=[["Path"]]),
        changed(entries=[[9, "Path", "/f", {}, [], None]]),
        changed(entries=[[0, "Path", "/f", [], [], None]]),
        changed(entries=[[0, "Path", "/f", {}, [], {"kind": "diff"}]]),
        changed(stamps=[["start"]]),
        changed(stamps={"start": 1}),
    ],
)
def test_everything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(line)
