"""Groups: declarations, rules and categories; the fast resolution against a slow one."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from geventcore.plugin.client_metadata import MetadataGroup
from geventcore.plugins.metadata.groups import GroupTable
from geventcore.plugins.metadata.resolution import Membership, Resolution

CLIENT = "host"


def table_of(xml: str) -> GroupTable:
    return GroupTable.of_root(etree.fromstring(xml), "groups.xml")


def resolved(table: GroupTable, *start: str, client: str = CLIENT) -> Resolution:
    membership = Membership()
    for name in start:
        membership.join(name, table.category_of(name))
    return table.resolve(client, membership)


# -- a slow resolution


class SlowGroups:
    """Declarations and rules straight from the elements, without any index."""

    def __init__(self, root: etree._Element) -> None:
        candidates = [*root.xpath("//Groups/Group"), *root.xpath("//Groups/Group//Group")]
        self.categories: dict[str, str | None] = {}
        for element in candidates:
            self.categories.setdefault(element.get("name"), element.get("category"))
        self.membership: dict[str, list[list[etree._Element]]] = {}
        self.removal: dict[str, list[list[etree._Element]]] = {}
        for leaf in [
            *root.xpath("//Groups/Group//Group[not(node())]"),
            *root.xpath("//Groups/Client//Group[not(node())]"),
        ]:
            rules = self.removal if leaf.get("negate") == "true" else self.membership
            rules.setdefault(leaf.get("name"), []).append(list(leaf.iterancestors("Group", "Client")))

    @staticmethod
    def holds(conditions: list[etree._Element], client: str, groups: set[str]) -> bool:
        for element in conditions:
            name = element.get("name")
            is_met = name in groups if element.tag == "Group" else name == client
            if is_met == (element.get("negate") == "true"):
                return False
        return True

    def resolve(self, client: str, start: list[str]) -> tuple[set[str], dict[str, str]]:
        groups: set[str] = set()
        categories: dict[str, str] = {}
        for name in start:
            category = self.categories.get(name)
            if category is None or category not in categories:
                groups.add(name)
                if category is not None:
                    categories[category] = name
        seen = []
        while True:
            if (groups, categories) in seen:
                return groups, categories
            seen.append((set(groups), dict(categories)))
            size = len(groups)
            new = set()
            for name, rules in self.membership.items():
                if name in groups:
                    continue
                category = self.categories.get(name)
                for conditions in rules:
                    if self.holds(conditions, client, groups) and (category is None or category not in categories):
                        new.add(name)
                if name in new and category is not None:
                    categories[category] = name
            groups |= new
            marked = set()
            for name, rules in self.removal.items():
                if name in groups and any(self.holds(conditions, client, groups) for conditions in rules):
                    marked.add(name)
                    category = self.categories.get(name)
                    if category is not None:
                        del categories[category]
            groups -= marked
            if len(groups) == size:
                return groups, categories


names = st.sampled_from([f"g{number}" for number in range(7)])
negations = st.sampled_from([{}, {}, {"negate": "true"}])
top_attributes = st.sampled_from([{}, {}, {"category": "c1"}, {"category": "c2"}, {"negate": "true"}])


def element(tag: str, name: str, attributes: dict[str, str], children: list[Any]) -> etree._Element:
    made = etree.Element(tag, {"name": name, **attributes})
    made.extend(children)
    return made


leaves = st.builds(element, st.just("Group"), names, negations, st.just([]))
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(element, st.just("Group"), names, negations, st.lists(inner, max_size=3)),
        st.builds(
            element,
            st.just("Client"),
            st.sampled_from([CLIENT, "other"]),
            negations,
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=6,
)
tops = st.one_of(
    st.builds(element, st.just("Group"), names, top_attributes, st.lists(nested, max_size=4)),
    st.builds(
        element,
        st.just("Client"),
        st.sampled_from([CLIENT, "other"]),
        negations,
        st.lists(nested, min_size=1, max_size=3),
    ),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(tops, max_size=12), st.lists(names, max_size=3, unique=True))
def test_resolution_is_that_of_the_slow_one(elements: list[etree._Element], start: list[str]) -> None:
    root = etree.Element("Groups")
    # The same element may have been drawn twice; lxml would move it.
    root.extend([etree.fromstring(etree.tostring(drawn)) for drawn in elements])
    table = GroupTable.of_root(root, "groups.xml")
    for client in (CLIENT, "third"):
        wanted = SlowGroups(root).resolve(client, start)
        for _ in range(2):  # The second answer comes from memory.
            found = resolved(table, *start, client=client)
            assert (set(found.groups), found.categories) == wanted


# -- declarations


def test_the_first_declaration_counts_and_direct_children_come_first() -> None:
    table = table_of(
        "<Groups><Group name='a'><Group name='x' category='inner'><Bundle name='no'/><Group name='y'/></Group></Group>"
        "<Groups><Group name='x' profile='true' public='true'><Bundle name='yes'/></Group></Groups>"
        "<Group name='x' category='late'/></Groups>"
    )
    assert vars(table.declared["x"]) == vars(MetadataGroup("x", frozenset({"yes"}), None, True, True))
    assert table.declared["y"].bundles == frozenset()


def test_only_the_exact_word_true_makes_a_profile() -> None:
    table = table_of("<Groups><Group name='a' profile='True'/><Group name='b' public='yes' default='TRUE'/></Groups>")
    assert not table.declared["a"].is_profile
    assert not table.declared["b"].is_public
    assert table.default is None


def test_of_two_defaults_the_last_counts_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    table = table_of("<Groups><Group name='a' default='true'/><Group name='b' default='true'/></Groups>")
    assert table.default == "b"
    assert "are the default group" in caplog.text


def test_bundles_inside_conditions_belong_to_nobody() -> None:
    table = table_of(
        "<Groups><Group name='a'><Client name='h'><Bundle name='x'/></Client><Bundle name='y'/></Group></Groups>"
    )
    assert table.bundles_of(["a"]) == {"y"}


def test_a_group_that_only_a_client_has_is_a_bare_one() -> None:
    table = table_of(f"<Groups><Client name='{CLIENT}'><Group name='only'/></Client></Groups>")
    assert table.declared["only"].bundles == frozenset()
    assert resolved(table).groups == {"only"}


def test_an_empty_client_inside_a_group_is_reported_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    table = table_of("<Groups><Group name='a'><Client name='h'/><Group name='b'/></Group></Groups>")
    assert resolved(table, "a").groups == {"a", "b"}
    assert "line 1: ignoring an empty Client" in caplog.text


def test_elements_without_names_are_reported_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    table = table_of(
        "<Groups><Group><Group name='a'/></Group><Group name=''/>"
        "<Group name='p'><Group/><Bundle/><Group name='b'/></Group></Groups>"
    )
    assert resolved(table, "p").groups == {"p", "b"}
    assert caplog.text.count("without a name") == 4


def test_unknown_attributes_and_elements_do_not_matter() -> None:
    table = table_of(
        "<Groups version='1'><Group name='a' comment='x' colour='y'><Note/><Group name='b'/></Group></Groups>"
    )
    assert resolved(table, "a").groups == {"a", "b"}


# -- rules


def test_a_comment_makes_a_group_a_container() -> None:
    table = table_of(
        "<Groups><Group name='a'><Group name='b'><!-- nothing --></Group><Group name='c'> </Group></Group></Groups>"
    )
    assert resolved(table, "a").groups == {"a", "c"}


def test_cycles_end() -> None:
    table = table_of(
        "<Groups><Group name='a'><Group name='b'/></Group><Group name='b'><Group name='c'/></Group>"
        "<Group name='c'><Group name='a'/></Group><Group name='d'><Group name='d' negate='true'/></Group></Groups>"
    )
    assert resolved(table, "b").groups == {"a", "b", "c"}
    assert resolved(table, "d").groups == frozenset()


def test_a_group_that_is_added_and_removed_for_ever_ends_removed() -> None:
    table = table_of(
        "<Groups><Group name='a'><Group name='x'/><Group name='x' negate='true'/></Group>"
        "<Group name='x' category='c'/></Groups>"
    )
    found = resolved(table, "a")
    assert found.groups == {"a"}
    assert found.categories == {}


def test_rules_that_never_settle_are_given_up() -> None:
    table = table_of(
        "<Groups><Group name='p'><Group name='x' negate='true'><Group name='y'/></Group></Group>"
        "<Group name='y'><Group name='x'/><Group name='x' negate='true'/></Group>"
        "<Group name='x'><Group name='y' negate='true'/></Group></Groups>"
    )
    assert resolved(table, "p").is_contradictory
    assert not resolved(table, "x").is_contradictory


def test_groups_join_in_the_order_of_their_first_membership_rule() -> None:
    table = table_of(
        "<Groups><Group name='blue' category='c'/><Group name='red' category='c'/>"
        f"<Client name='{CLIENT}'><Group name='blue'/></Client>"
        "<Group name='p'><Group name='blue' negate='true'/></Group>"
        "<Group name='q'><Group name='red'/></Group></Groups>"
    )
    assert resolved(table, "q").categories == {"c": "red"}


def test_what_a_category_suppresses_is_said(caplog: pytest.LogCaptureFixture) -> None:
    table = table_of(
        "<Groups><Group name='p'><Group name='a'/><Group name='b'/></Group>"
        "<Group name='a' category='c'/><Group name='b' category='c'/></Groups>"
    )
    assert resolved(table, "p").suppressed[0] == ("b", "c", "a")


def test_nested_groups_elements_count() -> None:
    table = table_of("<Groups><Group name='a'><Groups><Group name='b'/></Groups></Group></Groups>")
    assert resolved(table, "a").groups == {"a", "b"}


def test_dynamic_groups_bring_bundles_and_categories() -> None:
    table = table_of("<Groups><Group name='p'><Group name='dyn'/></Group></Groups>")
    table = table.with_dynamic(MetadataGroup("other", frozenset({"b"}), "c"), "Source")
    assert resolved(table, "other").bundles == {"b"}
    assert resolved(table, "other").categories == {"c": "other"}
    assert table.in_category("c") == {"other"}


def test_reading_a_table_says_nothing_about_a_good_file(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    table_of("<Groups><Group name='a' profile='true' default='true'><Group name='b'/></Group></Groups>")
    assert not caplog.records
