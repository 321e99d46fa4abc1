"""The names that clients may have: host names, in lower case.

A client's name becomes part of file names, of other hosts' ``ssh_known_hosts``, of certificates, of arguments of
programs and of log lines. A caller who knows the password that all clients share chooses it. So every door by which a
name can come in (registration, ``clients.xml``, the database, DNS, certificates) accepts only `ClientNames`.

A site with other names widens the rule by an option, but never beyond `_WIDEST`: letters, digits and ``_ . : + -``.
These have no meaning in any syntax that names get into.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from geventcore.plugin.specificity import is_misread

#: RFC 1123, section 2.1, with the underscore, which some sites use.
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
#: Resolvers also take hexadecimal numbers for addresses.
_NUMBER = re.compile("[0-9]+|0x[0-9a-f]*")
_WIDEST = re.compile(r"\w[\w.:+-]{0,252}")

#: The names of this machine for itself (RFC 6761, section 6.3, and those in usual hosts files).
_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost",
                          "ip6-loopback", "localhost4.localdomain4", "localhost6.localdomain6"})  # fmt: skip


def is_local_name(name: str) -> bool:
    """Return true for ``localhost`` and the like: names by which every machine means itself."""
    name = name.lower()
    return name in _LOCAL_NAMES or name.endswith(".localhost")


def is_address(text: str) -> bool:
    """Return true for an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_host_name(name: str) -> bool:
    """Return true for the syntax of a host name in lower case that is not an address.

    The last label is not a number: programs take such names for addresses (RFC 1123, section 2.1; RFC 3696, section 2).
    """
    return _HOST_NAME.fullmatch(name) is not None and _NUMBER.fullmatch(name.rpartition(".")[2]) is None


class ClientNames:
    """The rule for names of clients."""

    def __init__(self, wider: Iterable[re.Pattern[str]] = ()) -> None:
        """Accept host names, and names that match an expression of `wider` and `_WIDEST`."""
        self._wider = tuple(wider)

    def problem(self, name: str) -> str:
        """Return the reason why no client can have this canonical name, or ``""``."""
        if not name:
            return "the name is empty"
        shown = repr(name if len(name) <= 80 else f"{name[:80]}…")
        if not is_host_name(name) and not (
            _WIDEST.fullmatch(name) and any(pattern.fullmatch(name) for pattern in self._wider)
        ):
            return f"{shown} is not a host name ([metadata] client_names can accept other names)"
        if is_misread(name):
            return f"{shown} cannot be a client's name: files that are stored for it would be misread"
        return ""


#: The rule of a site without options.
HOST_NAMES = ClientNames()
