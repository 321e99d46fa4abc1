"""The plugin ACL: who may call which method, by address (``ip.xml``) and by client (``metadata.xml``).

The first rule that fits a call decides. A pattern for methods is compared with a method's name part by part, where dots
separate the parts: ``*`` stands for any one part, and inside a part for any text, as in ``*_debug``.

An ``Allow`` in ``ip.xml`` is the exception: there ``*`` counts only as a whole part. Such a rule opens methods to
whoever has an address, so a pattern that was without effect so far must not begin to open anything.

A file that cannot be used leaves the rules that it had before. If it never was good, nobody is let in by it.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Address, ClientACLs
from geventcore.plugins.ip_addresses import IPAddress, is_loopback, parse_address
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile

log = logging.getLogger(__name__)

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})
_DECISIONS = {"Allow": True, "Deny": False, "Defer": None}


@lru_cache(maxsize=1024)
def _compiled(pattern: str, whole_parts_only: bool) -> re.Pattern[str]:
    parts = []
    for part in pattern.split("."):
        wild = part == "*" or not whole_parts_only
        parts.append("[^.]*".join(map(re.escape, part.split("*"))) if wild else re.escape(part))
    return re.compile(r"\.".join(parts))


def method_matches(pattern: str, method: str, whole_parts_only: bool = False) -> bool:
    """Whether a method's name fits a pattern."""
    return _compiled(pattern, whole_parts_only).fullmatch(method) is not None


@dataclass(frozen=True)
class IPRule:
    """One rule of ``ip.xml``.

    Attributes:
        decision: True allows, False denies, None leaves it to ``metadata.xml``.
        method: a pattern.
        origin: the network or address that it is for, as text if it is none; None for all.
    """

    decision: bool | None
    method: str
    origin: IPNetwork | str | None

    @classmethod
    def of_element(cls, element: etree._Element, file: Path) -> IPRule:
        """From ``Allow``, ``Deny`` or ``Defer``; `RepositoryError` if its network makes no sense."""
        address, netmask = element.get("address"), element.get("netmask")
        origin: IPNetwork | str | None = address
        if address is not None and (netmask is not None or parse_address(address) is not None):
            host = parse_address(address)
            try:
                if host is None:
                    raise ValueError(f"{address!r} is not an IP address")
                origin = ipaddress.ip_network(f"{host}/{netmask or host.max_prefixlen}", strict=False)
            except ValueError as err:
                raise RepositoryError(f"{file}: line {element.sourceline}: {err}") from err
        return cls(_DECISIONS[str(element.tag)], element.get("method", ""), origin)

    def matches(self, address: IPAddress | None, text: str, method: str) -> bool:
        """Whether the rule is about a call; `text` is the address as it was given."""
        if isinstance(self.origin, str):
            at_home = self.origin == text
        else:
            at_home = self.origin is None or (address is not None and address in self.origin)
        return at_home and method_matches(self.method, method, whole_parts_only=self.decision is True)


def rule_elements(elements: Iterable[etree._Element], tags: Iterable[str], file: Path) -> Iterator[etree._Element]:
    """The rules among elements and in nested ``ACL`` elements, which includes leave behind; others are reported."""
    for element in elements:
        if element.tag == "ACL":
            yield from rule_elements(element.iterchildren(tag=etree.Element), tags, file)
        elif element.tag in tags:
            yield element
        else:
            log.error("%s: line %s: %s is no rule and is ignored", file, element.sourceline, element.tag)


class ACL(Plugin, ClientACLs):
    """Rules by address and by client."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._ip_rules: tuple[IPRule, ...] = ()
        self.ip_file = XMLFile(self.directory / "ip.xml", context.file_monitor, self._take_ip_rules)
        self.metadata_file = StructFile(self.directory / "metadata.xml", context)

    def _take_ip_rules(self, document: XMLDocument) -> None:
        path = document.path
        rules = []
        for element in rule_elements(document.root.iterchildren(tag=etree.Element), _DECISIONS, path):
            rule = IPRule.of_element(element, path)
            if rule.decision is True and any("*" in part and part != "*" for part in rule.method.split(".")):
                log.warning("%s: line %s: in an Allow * stands for a whole part only, so %r fits nothing",
                            path, element.sourceline, rule.method)  # fmt: skip
            rules.append(rule)
        self._ip_rules = tuple(rules)

    def check_acl_ip(self, address: Address, method: str) -> bool | None:
        _refuse_if_unusable(self.ip_file)
        text = str(address[0])
        parsed = parse_address(text)
        for rule in self._ip_rules:
            if rule.matches(parsed, text, method):
                return rule.decision
        return True if self._ip_rules and is_loopback(address) else None

    def check_acl_metadata(self, metadata: ClientMetadata, method: str) -> bool:
        _refuse_if_unusable(self.metadata_file)
        document = self.metadata_file.document
        if document is None or next(document.root.iterchildren(tag=etree.Element), None) is None:
            return True
        for element in rule_elements(self.metadata_file.match(metadata), ("Allow", "Deny"), self.metadata_file.path):
            if method_matches(element.get("method", ""), method):
                return element.tag == "Allow"
        return metadata.hostname in _LOCAL_NAMES


def _refuse_if_unusable(file: XMLFile) -> None:
    """Raise if there is a file that never was good: its rules are unknown."""
    if file.document is None and file.path.exists():
        raise RepositoryError(f"{file.path}: there is no usable version of this file, so nobody is let in")
