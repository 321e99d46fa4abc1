"""Usage: groups, rules and files that no client uses. Needs the groups of all clients, as the server builds them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lxml import etree

from geventcore.plugins.cfg.handlers import CfgInfo, CfgVerifier
from geventcore.plugins.probes.plugin import ALLOWED_GROUPS
from geventcore.plugins.rules import REGEX
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind
from geventcore.tools.lint.site import direct_groups

_EXPRESSION = re.compile(r"\$\{[^}]*\}|\$[A-Za-z_][\w.]*")
#: Kinds of entries that other plugins add to configurations: a rule for one may match although no bundle has it.
_ADDED_BY = {"Package": "Packages", "Path": "SSHbase"}


class Usage(Check):
    """Parts of the repository that nothing uses."""

    name = "Usage"
    is_own = True
    needs_core = True
    kinds = (
        Kind(
            "unused-group",
            "note",
            "Nothing names a group: it has no bundles and no groups, and no condition and no file is for it.",
            "Remove the group, or keep it for later.",
        ),
        Kind(
            "group-without-clients",
            "note",
            "No client is in a group.",
            "Add it to the clients' profiles, or remove it.",
        ),
        Kind(
            "unused-cfg-entry",
            "note",
            "No bundle asks for an entry of Cfg.",
            "Add a Path with this name to a bundle, or remove the directory.",
        ),
        Kind(
            "unreachable-cfg-file",
            "note",
            "No client gets a file of Cfg, because no client is in its group or has its name.",
            "Correct the name of the file, or remove the file.",
        ),
        Kind(
            "unmatched-rule",
            "note",
            "A rule matches no entry of any bundle.",
            "Correct the name, or remove the rule.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        # A part of the files does not show what the others use.
        if self.site.core is None or self.site.listed is not None:
            return
        yield from self._check_groups()
        if "Cfg" in self.site.plugins:
            yield from self._check_cfg()
        if "Rules" in self.site.plugins:
            yield from self._check_rules()

    # -- groups

    @cached_property
    def _possible_groups(self) -> set[str]:
        """The groups of all clients, and those that a client may get at any time.

        These are the default profile, the groups that ``[probes] allowed_groups`` names, and what they lead to.
        """
        found: set[str] = set()
        for metadata in self.site.metadata_of_clients:
            found |= metadata.groups
        root = self.site.document(self.site.groups_file).root
        elements = [] if root is None else list(root.iter("Group"))
        found |= {_name(each) for each in elements if _is_true(each, "default") or self._is_of_probes(_name(each))}
        while True:
            # A negated group may be fulfilled by some client, so it hinders nothing.
            reached = {
                _name(each)
                for each in elements
                if next(each.iterancestors("Group"), None) is not None
                and all(_name(outer) in found or _is_true(outer, "negate") for outer in each.iterancestors("Group"))
            }
            if reached <= found:
                return found
            found |= reached

    def _is_of_probes(self, group: str) -> bool:
        if "Probes" not in self.site.plugins:
            return False
        # The default value allows all groups, which says nothing of this one.
        named = [each for each in self.site.settings[ALLOWED_GROUPS] if each.fullmatch("") is None]
        return any(each.fullmatch(group) for each in named)

    def _check_groups(self) -> Iterator[Finding]:
        path = self.site.groups_file
        root = self.site.document(path).root
        if root is None:
            return
        named = self.site.named_groups
        for element in direct_groups(root):
            name = _name(element)
            if _is_true(element, "negate"):
                continue
            has_content = any(child.tag in ("Bundle", "Group", "Client") for child in element)
            # A client can be in one group of a category, so such a group keeps others away.
            is_used = has_content or _is_true(element, "profile") or element.get("category")
            if not is_used and name not in named:
                yield self.found_at("unused-group", f"nothing is for the group {name}", element, path)
            elif name not in self._possible_groups:
                yield self.found_at("group-without-clients", f"no client is in the group {name}", element, path)

    # -- Cfg

    @cached_property
    def _asked(self) -> tuple[dict[str, set[str]], dict[str, list[re.Pattern[str]]]]:
        """The names and patterns of the entries in bundles, by tag; an entry of a template may have many names."""
        names: dict[str, set[str]] = {}
        patterns: dict[str, list[re.Pattern[str]]] = {}
        for path in self.site.bundle_files:
            for element in self.site.document(path).elements():
                tag = str(element.tag).removeprefix("Bound")
                for attribute in ("name", "altsrc", "glob"):
                    text = element.get(attribute, "")
                    if "$" in text:
                        parts = map(re.escape, _EXPRESSION.split(text))
                        patterns.setdefault(tag, []).append(re.compile(".*".join(parts)))
                    elif attribute == "glob" and text:
                        patterns.setdefault(tag, []).append(re.compile(fnmatch.translate(text)))
                    elif text:
                        names.setdefault(tag, set()).add(text)
        return names, patterns

    def _is_asked_for(self, tag: str, name: str) -> bool:
        names, patterns = self._asked
        return name in names.get(tag, ()) or any(each.fullmatch(name) for each in patterns.get(tag, ()))

    def _check_cfg(self) -> Iterator[Finding]:
        hosts = {metadata.hostname for metadata in self.site.metadata_of_clients}
        for entry in self.site.cfg.entries.values():
            if not entry.files:
                continue
            if not self._is_asked_for("Path", entry.name):
                message = f"no bundle has the Path {entry.name}"
                yield self.found("unused-cfg-entry", message, entry.files[0].path, f"Path:{entry.name}")
            for file in entry.files:
                if issubclass(file.handler, CfgInfo | CfgVerifier):
                    continue
                host, group = file.specificity.hostname, file.specificity.group
                if host is not None and host.lower() not in hosts:
                    message = f"no client has the name {host}"
                elif group is not None and group not in self._possible_groups:
                    message = f"no client is in the group {group}"
                else:
                    continue
                yield self.found("unreachable-cfg-file", message, file.path, f"Path:{entry.name}")

    # -- Rules

    def _check_rules(self) -> Iterator[Finding]:
        are_patterns = self.site.settings[REGEX]
        for path in self.site.plugin_files("Rules"):
            root = self.site.document(path).root
            if root is None or self.site.is_template(path):
                continue
            for element in _rules(root):
                tag, name = str(element.tag), element.get("name", "")
                if _ADDED_BY.get(tag) not in self.site.plugins and not self._matches(tag, name, are_patterns):
                    yield self._unmatched(element, path, tag, name)

    def _unmatched(self, element: etree._Element, path: Path, tag: str, name: str) -> Finding:
        return self.found_at("unmatched-rule", f"no bundle has an entry for the rule {tag}:{name}", element, path)

    def _matches(self, tag: str, name: str, are_patterns: bool) -> bool:
        if self._is_asked_for(tag, name):
            return True
        if not are_patterns and not self._asked[1].get(tag):
            return False
        try:
            pattern = re.compile(name)
        except re.error:
            return False
        return are_patterns and any(pattern.fullmatch(each) for each in self._asked[0].get(tag, ()))


def _name(element: etree._Element) -> str:
    return element.get("name", "")


def _is_true(element: etree._Element, attribute: str) -> bool:
    return element.get(attribute, "").lower() == "true"


def _rules(parent: etree._Element) -> Iterator[etree._Element]:
    for child in parent.iterchildren(etree.Element):
        if child.tag in ("Group", "Client", "Rules"):
            yield from _rules(child)
        elif child.get("name"):
            yield child
