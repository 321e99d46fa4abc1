"""The table of rules, and the page that shows it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from geventcore.plugins.metadata.access_rules import RULES, Attempt, NamedBy, Password, refusal
from geventcore.plugins.metadata.clients import AUTHENTICATION_TYPES

PAGE = Path(__file__).parents[3] / "docs/design/security.rst"
#: The words of the page -> the caller.
NAMINGS = {
    "its certificate": NamedBy.CERTIFICATE,
    "its address (user ``root``)": NamedBy.ADDRESS,
    "its uuid, name or alias": NamedBy.USER,
}
ANYWHERE, AT_HOME, REFUSED = "from anywhere", "from its address", "refused"


def test_every_way_and_type_has_a_rule() -> None:
    assert set(RULES) == set(itertools.product(NamedBy, AUTHENTICATION_TYPES))


def rows_of_the_page() -> list[list[str]]:
    text = PAGE.read_text().partition(".. list-table:: Rules for callers")[2].partition("\n\nA client")[0]
    rows = re.split(r"\n   \* - ", text)[2:]
    return [[" ".join(cell.split()) for cell in re.split(r"\n     - ", row)] for row in rows]


def shown(named_by: NamedBy, auth: str, password: Password, secure: bool, floating: bool) -> str:
    """The cell of a case."""
    for place, text in ((False, ANYWHERE), (True, AT_HOME)):
        if refusal(Attempt(named_by, auth, secure, floating, place, password)) is None:
            return AT_HOME if named_by is NamedBy.ADDRESS else text
    return REFUSED


@pytest.mark.parametrize(("secure", "floating"), [*itertools.product((False, True), repeat=2)])
def test_the_page_shows_the_rules(secure: bool, floating: bool) -> None:
    rows = rows_of_the_page()
    assert len(rows) == len(RULES)
    for naming, auth, own, site, none in rows:
        for cell, password in ((own, Password.OWN), (site, Password.SITE), (none, Password.WRONG)):
            expected = cell
            if "[1]_" in cell:
                expected = REFUSED if secure else cell.replace(" [1]_", "")
            if "[2]_" in cell:
                expected = ANYWHERE if floating and expected != REFUSED else expected.replace(" [2]_", "")
            named_by = NAMINGS[naming]
            assert shown(named_by, auth.strip("`"), password, secure, floating) == expected, (naming, auth, cell)
