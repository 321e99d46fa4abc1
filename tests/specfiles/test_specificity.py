"""Which of several files a client gets."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.errors import SpecificityError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.specificity import Specificity
from geventcore.specfiles.most_specific import Candidates, best_match


@dataclass(frozen=True)
class File:
    path: str

    @property
    def specificity(self) -> Specificity:
        return Specificity.of_suffix(self.path.removeprefix("f"))


def best(names: list[str], hostname: str, *groups: str) -> str | None:
    found = Candidates(map(File, names)).best(ClientMetadata(hostname, groups=set(groups)))
    return found.path if found else None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["f", "f.G10_a", "f.H_h"], "f.H_h"),
        (["f", "f.G10_a", "f.G20_b"], "f.G20_b"),
        (["f", "f.G9_a", "f.G100_a", "f.G080_b"], "f.G100_a"),
        (["f", "f.G99_absent"], "f"),
        (["f.H_other", "f.G10_absent"], None),
        ([], None),
    ],
)
def test_host_beats_group_beats_all_and_the_higher_number_wins(names: list[str], expected: str | None) -> None:
    assert best(names, "h", "a", "b") == expected


@pytest.mark.parametrize("text", ["H_h", ".G_g", ".Gx_g", ".H_", ".X_y", ".G10", " "])
def test_what_is_no_suffix(text: str) -> None:
    with pytest.raises(SpecificityError):
        Specificity.of_suffix(text)


def test_equal_rank_is_warned_of_once_for_each_pair_that_a_client_meets(caplog: pytest.LogCaptureFixture) -> None:
    files = Candidates(map(File, ["f.G10_b", "f.G10_a", "f.G10_c"]))
    with caplog.at_level(logging.WARNING):
        assert files.best(ClientMetadata("h", groups={"b"})) == File("f.G10_b")
        assert not caplog.records
        for _ in range(3):
            assert files.best(ClientMetadata("h", groups={"a", "b"})) == File("f.G10_a")
        assert len(caplog.records) == 1
        assert files.best(ClientMetadata("h", groups={"b", "c"})) == File("f.G10_b")
    assert [record.getMessage().split(" is as")[0] for record in caplog.records] == ["f.G10_a", "f.G10_b"]


def test_equal_files_for_a_host_or_for_all_are_warned_of_at_once(caplog: pytest.LogCaptureFixture) -> None:
    class Template(File):
        @property
        def specificity(self) -> Specificity:
            return Specificity.of_suffix(self.path.removeprefix("f").removesuffix(".genshi"))

    files = Candidates([Template("f.H_h.genshi"), Template("f.H_h"), Template("f.genshi"), Template("f")])
    assert len(caplog.records) == 2
    assert files.best(ClientMetadata("h")) == Template("f.H_h")
    assert files.best(ClientMetadata("other")) == Template("f")


SUFFIXES = ["", ".H_h", ".H_i", ".G10_a", ".G20_b", ".G020_c", ".G30_a", ".G5_c"]


@given(st.sets(st.sampled_from(SUFFIXES)), st.sampled_from(["h", "i", "j"]), st.sets(st.sampled_from("abc")))
def test_the_sorted_form_chooses_as_the_plain_one(suffixes: set[str], hostname: str, groups: set[str]) -> None:
    files = [File(f"f{suffix}") for suffix in suffixes]
    metadata = ClientMetadata(hostname, groups=groups)
    assert Candidates(files).best(metadata) == best_match(files, metadata)
