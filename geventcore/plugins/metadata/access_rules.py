"""The table of rules that decides whether a caller is the client that it says it is.

The caller's name, alias, uuid, certificate or address has become a canonical client before: only the client's own
attributes count, however it was named. `RULES` has a row for each way of naming and each authentication type, and
`refusal` applies it. Documentation: design/security, which shows this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class NamedBy(Enum):
    """The ways in which a caller names a client."""

    #: The common name of its certificate: a name or alias.
    CERTIFICATE = "certificate"
    #: The user ``root``: whoever has the caller's address.
    ADDRESS = "address"
    #: Any other user: a uuid, name or alias.
    USER = "user"


class Password(Enum):
    """The passwords that a caller may send."""

    OWN = "own"
    SITE = "site"
    WRONG = "wrong or none"


@dataclass(frozen=True)
class Rule:
    """A row of the table.

    Attributes:
        needs_certificate: true if the caller is refused, because it has no certificate.
        needs_password: true if a password must fit: the client's own or, unless the client is secure, the site's.
        needs_address: true if the caller's address must be one of the client's, unless the client is floating. Callers
            that are named by address need no check.
    """

    needs_certificate: bool = False
    needs_password: bool = False
    needs_address: bool = False


RULES: Mapping[tuple[NamedBy, str], Rule] = MappingProxyType(
    {
        (NamedBy.CERTIFICATE, "cert"): Rule(needs_address=True),
        (NamedBy.CERTIFICATE, "bootstrap"): Rule(needs_address=True),
        (NamedBy.CERTIFICATE, "cert+password"): Rule(needs_password=True, needs_address=True),
        (NamedBy.ADDRESS, "cert"): Rule(needs_certificate=True),
        (NamedBy.ADDRESS, "bootstrap"): Rule(needs_password=True),
        (NamedBy.ADDRESS, "cert+password"): Rule(needs_password=True),
        (NamedBy.USER, "cert"): Rule(needs_certificate=True),
        (NamedBy.USER, "bootstrap"): Rule(needs_password=True),
        (NamedBy.USER, "cert+password"): Rule(needs_password=True),
    }
)


class Refusal(Enum):
    """The reasons for which the rules refuse a caller."""

    CERTIFICATE = "certificate"
    ADDRESS = "address"
    PASSWORD = "password"


@dataclass(frozen=True)
class Attempt:
    """A call in the name of a canonical client.

    Attributes:
        named_by: the way in which the caller names the client.
        auth: the client's authentication type.
        is_secure, is_floating: the client's attributes.
        is_at_home: true if the address is one of the client's. It counts only if `checks_address` says so.
        password: the password that was sent.
    """

    named_by: NamedBy
    auth: str
    is_secure: bool
    is_floating: bool
    is_at_home: bool
    password: Password


def checks_address(named_by: NamedBy, auth: str, is_floating: bool) -> bool:
    """Return true if the caller's address matters."""
    return RULES[named_by, auth].needs_address and not is_floating


def refusal(attempt: Attempt) -> Refusal | None:
    """Return the reason why a caller is refused; None if it is accepted."""
    rule = RULES[attempt.named_by, attempt.auth]
    if rule.needs_certificate:
        return Refusal.CERTIFICATE
    if checks_address(attempt.named_by, attempt.auth, attempt.is_floating) and not attempt.is_at_home:
        return Refusal.ADDRESS
    accepted = {Password.OWN} if attempt.is_secure else {Password.OWN, Password.SITE}
    if rule.needs_password and attempt.password not in accepted:
        return Refusal.PASSWORD
    return None
