"""Boolean dependencies and modules of RPM repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore.plugins.packages.kinds.rich_dependencies import parse_rich
from geventcore.plugins.packages.options import ALTERNATIVES
from tests.support.package_repositories import rpm_repository
from tests.support.package_sites import package_site


def yum_source(root: Path, attributes: str = "") -> str:
    return (
        f'<Source type="yum" url="file://{root}" version="9" {attributes}><Component>base</Component>'
        "<Arch>x86_64</Arch></Source>"
    )


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("(a)", "a"),
        ("(a and b)", "a; b"),
        ("(a >= 1 with a < 2)", "a"),
        ("(a without b)", "a"),
        ("(a or b or c)", "a|b|c"),
        ("(a if b)", "a if:b"),
        ("(a if b else c)", "a if:b; c unless:b"),
        ("(a unless b)", "a unless:b"),
        ("(a unless b else c)", "c if:b; a unless:b"),
        ("(a if (b and c))", "a if:b if:c"),
        ("(a if (b or c))", "a if:b; a if:c"),
        ("(a unless (b or c))", "a unless:b unless:c"),
        ("(a unless (b and c))", "a unless:b; a unless:c"),
        ("((a and b) if c)", "a if:c; b if:c"),
        ("((a and b) or c)", "a|c; b|c"),
        ("(perl(Foo::Bar) >= 1:2 and config(b) = 1-2)", "perl(Foo::Bar); config(b)"),
        ("(/usr/bin/x if (b >= 1 or c))", "/usr/bin/x if:b; /usr/bin/x if:c"),
    ],
)
def test_the_clauses_of_an_expression(text: str, clauses: str) -> None:
    def shown(one: tuple[tuple[str, str], ...]) -> str:
        plain = "|".join(name for name, version in one if not version)
        return " ".join((plain, *(f"{version}:{name}" for name, version in one if version)))

    assert "; ".join(map(shown, parse_rich(text))) == clauses


@pytest.mark.parametrize(
    "text",
    [
        *("(", "()", "(a", "(a b)", "(a and)", "(a or b and c)", "(a >= )", "(a if b if c)", "(a) b", "((((", "(>= a)"),
        "(" * 50 + "a" + ")" * 50,
        "(" + " or ".join(["(a and b)"] * 9) + ")",
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|early|deep|large"):
        parse_rich(text)


PACKAGES = {name: {} for name in ("b", "c", "d", "x", "y")}


@pytest.mark.parametrize(
    ("requires", "also", "added"),
    [
        ("(b and c)", "", "b c"),
        ("(b or c)", "", ""),
        ("(b if x)", "", ""),
        ("(b if x)", "x", "b"),
        ("(b if virtual)", "y", "b"),
        ("(b if x else c)", "", "c"),
        ("(b if x else c)", "x", "b"),
        ("(b unless x)", "", "b"),
        ("(b unless x)", "x", ""),
        ("(b if c)", "needs-c", "b c"),
        ("(/bin/b if x)", "x", "b"),
        ("((b and c) if (x or y))", "y", "b c"),
        ("(this is none", "", ""),
    ],
)
def test_what_an_expression_adds(requires: str, also: str, added: str, tmp_path: Path) -> None:
    packages: dict[str, dict[str, object]] = {
        "a": {"requires": [requires]},
        "needs-c": {"requires": ["c"]},
        **PACKAGES,
        "y": {"provides": ["virtual"]},
        "b": {"files": ["/bin/b"]},
    }
    rpm_repository(tmp_path / "data/9/base/x86_64", packages)
    wanted = "".join(f'<Package name="{name}"/>' for name in ("a", *also.split()))
    with package_site(tmp_path / "repo", yum_source(tmp_path / "data"), wanted) as site:
        assert site.added() == set(added.split())


def test_one_condition_leads_to_another(tmp_path: Path) -> None:
    packages = {"a": {"requires": ["(b if x)", "(c if b)", "(d unless c)"]}, **PACKAGES}
    rpm_repository(tmp_path / "data/9/base/x86_64", packages)
    wanted = '<Package name="a"/><Package name="x"/>'
    with package_site(tmp_path / "repo", yum_source(tmp_path / "data"), wanted) as site:
        assert site.added() == {"b", "c"}


def test_the_first_alternative_of_a_condition(tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {"requires": ["((gone or b or c) if x)"]}, **PACKAGES})
    wanted = '<Package name="a"/><Package name="x"/>'
    with package_site(tmp_path / "repo", yum_source(tmp_path / "data"), wanted, {ALTERNATIVES: "first"}) as site:
        assert site.added() == {"b"}


@pytest.mark.parametrize(("recommended", "added"), [("false", ""), ("true", "b c")])
def test_recommendations_may_be_expressions(recommended: str, added: str, tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", {"a": {"recommends": ["(b if x)", "c"]}, **PACKAGES})
    source = yum_source(tmp_path / "data", f'recommended="{recommended}"')
    with package_site(tmp_path / "repo", source, '<Package name="a"/><Package name="x"/>') as site:
        assert site.added() == set(added.split())


def stream(name: str, *packages: str) -> str:
    rpms = "".join(f"    - {one}\n" for one in packages)
    head = f"---\ndocument: modulemd\nversion: 2\ndata:\n  name: node\n  stream: {name}\n"
    return f"{head}  artifacts:\n    rpms:\n{rpms}...\n"


def default(name: str) -> str:
    return f"---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: node\n  stream: {name}\n...\n"


ONE = stream("1.1", "a-0:1-1.x86_64", "only-in-one-0:1-1.x86_64")
TEN = stream("1.10", "a-0:2-1.x86_64")
VERSIONS = {
    "a": {"version": "1", "requires": ["one"]},
    "a ": {"version": "2", "requires": ["ten"]},
    "a  ": {"version": "3", "requires": ["plain"]},
    "only-in-one": {},
    **{name: {} for name in ("one", "ten", "plain")},
}


@pytest.mark.parametrize(
    ("modules", "added"),
    [
        (ONE + TEN + default("1.1"), {"one"}),
        (ONE + TEN + default("1.10"), {"ten"}),
        # Without a default stream, the package that is in no module counts.
        (ONE + TEN, {"plain"}),
        (ONE + TEN + default("2"), {"plain"}),
        ("---\nother: document\n...\n---\n- a list\n", {"plain"}),
    ],
)
def test_packages_of_default_streams_count(modules: str, added: set[str], tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", VERSIONS, modules=modules)
    with package_site(tmp_path / "repo", yum_source(tmp_path / "data"), '<Package name="a"/>') as site:
        assert site.added() == added
        assert not site.state().notes


def test_a_list_of_modules_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    rpm_repository(tmp_path / "data/9/base/x86_64", VERSIONS, modules="---\n{ [")
    with package_site(tmp_path / "repo", yum_source(tmp_path / "data"), '<Package name="a"/>') as site:
        assert "cannot read this list of modules" in site.state().error
