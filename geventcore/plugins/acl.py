"""ACL: access rules for methods, by address (``ip.xml``) and by client (``metadata.xml``).

The first rule that matches a call decides. A method pattern is compared with a method's name part by part; dots
separate the parts. ``*`` matches any one part, or any text inside a part, as in ``*_debug``.

An ``Allow`` in ``ip.xml`` is the exception: there ``*`` matches only a whole part. Bcfg2 ignores other patterns there,
so honouring them would open methods that are closed today.

If a version of a file is invalid, the rules of the last good version stay. If there was none, all calls are denied.
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
from geventcore.plugin.client_names import is_local_name
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Address, ClientACLs
from geventcore.plugins.ip_addresses import IPAddress, is_loopback, parse_address
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile

log = logging.getLogger(__name__)

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_DECISIONS = {"Allow": True, "Deny": False, "Defer": None}


@lru_cache(maxsize=1024)
def _compiled(pattern: str, whole_parts_only: bool) -> re.Pattern[str]:
    parts = []
    for part in pattern.split("."):
        wild = part == "*" or not whole_parts_only
        parts.append("[^.]*".join(map(re.escape, part.split("*"))) if wild else re.escape(part))
    return re.compile(r"\.".join(parts))


def method_matches(pattern: str, method: str, whole_parts_only: bool = False) -> bool:
    """Return true if a method's name fits a pattern."""
    return _compiled(pattern, whole_parts_only).fullmatch(method) is not None


@dataclass(frozen=True)
class IPRule:
    """One rule of ``ip.xml``.

    Attributes:
        decision: True allows, False denies, None leaves it to ``metadata.xml``.
        method: a method pattern.
        origin: the network that it applies to; None for all.
    """

    decision: bool | None
    method: str
    origin: IPNetwork | None

    @classmethod
    def of_element(cls, element: etree._Element, file: Path) -> IPRule:
        """Create a rule from ``Allow``, ``Deny`` or ``Defer``; `RepositoryError` if no address can match it."""
        address, netmask = element.get("address"), element.get("netmask")
        try:
            origin = None if address is None and netmask is None else _network(address, netmask)
        except ValueError as err:
            raise RepositoryError(f"{file}: line {element.sourceline}: {err}") from err
        return cls(_DECISIONS[str(element.tag)], element.get("method", ""), origin)

    def matches(self, address: IPAddress | None, method: str) -> bool:
        """Return true if the rule matches a call from an address; None is an address that cannot be parsed."""
        is_origin = self.origin is None or (address is not None and address in self.origin)
        return is_origin and method_matches(self.method, method, whole_parts_only=self.decision is True)


def _network(address: str | None, netmask: str | None) -> IPNetwork:
    """Return the network of a rule's attributes; `ValueError` says what is wrong.

    A rule that can never match is an error: a ``Deny`` would let everybody pass.
    """
    if address is None:
        raise ValueError(f"netmask={netmask!r} has no address")
    if "/" in address:
        raise ValueError(f"address={address!r}: write the part after the slash as netmask")
    host = parse_address(address)
    if host is None:
        raise ValueError(f"address={address!r} is not an IP address; networks have a netmask")
    if netmask is None:
        return ipaddress.ip_network(host)
    try:
        return ipaddress.ip_network(f"{host}/{netmask}", strict=False)
    except ValueError:
        raise ValueError(f"netmask={netmask!r} is not a netmask for {host}") from None


def rule_elements(elements: Iterable[etree._Element], tags: Iterable[str], file: Path) -> Iterator[etree._Element]:
    """Yield the rules among elements and in nested ``ACL`` elements, which come from includes; log other elements."""
    for element in elements:
        if element.tag == "ACL":
            yield from rule_elements(element.iterchildren(tag=etree.Element), tags, file)
        elif element.tag in tags:
            yield element
        else:
            log.error("%s: line %s: ignoring %s, which is not a rule", file, element.sourceline, element.tag)


class ACL(Plugin, ClientACLs):
    """A plugin with access rules by address and by client."""

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
                log.warning("%s: line %s: %r matches nothing: in an Allow, * must be a whole part",
                            path, element.sourceline, rule.method)  # fmt: skip
            rules.append(rule)
        self._ip_rules = tuple(rules)

    def check_acl_ip(self, address: Address, method: str) -> bool | None:
        _refuse_if_unusable(self.ip_file)
        parsed = parse_address(str(address[0]))
        for rule in self._ip_rules:
            if rule.matches(parsed, method):
                return rule.decision
        return True if self._ip_rules and is_loopback(address) else None

    def check_acl_caller(self, address: Address, metadata: ClientMetadata, method: str) -> bool:
        # The caller may have chosen the name of its client, but not its address.
        decision = self._decision_for(metadata, method)
        return is_local_name(metadata.hostname) and is_loopback(address) if decision is None else decision

    def check_acl_metadata(self, metadata: ClientMetadata, method: str) -> bool:
        return self._decision_for(metadata, method) is True

    def _decision_for(self, metadata: ClientMetadata, method: str) -> bool | None:
        """Return the decision of the first rule in ``metadata.xml`` that matches, or None."""
        _refuse_if_unusable(self.metadata_file)
        document = self.metadata_file.document
        if document is None or next(document.root.iterchildren(tag=etree.Element), None) is None:
            return True
        for element in rule_elements(self.metadata_file.match(metadata), ("Allow", "Deny"), self.metadata_file.path):
            if method_matches(element.get("method", ""), method):
                return element.tag == "Allow"
        return None


def _refuse_if_unusable(file: XMLFile) -> None:
    """Raise `RepositoryError` if the file exists but no version of it was valid: its rules are unknown."""
    if file.document is None and file.path.exists():
        raise RepositoryError(f"{file.path}: there is no usable version of this file, so all calls are denied")
