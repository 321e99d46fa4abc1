"""Basic authentication: user and password in an ``Authorization`` header.

The rules are as lenient as old clients need: the scheme word is ignored, and a text without a colon is a user without a
password. The text is split at its first colon, so a password may contain colons and a user may not.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from geventcore.errors import RequestError


@dataclass(frozen=True)
class Credentials:
    """User and password of a caller. The `repr` omits the password, because it may appear in logs."""

    user: str
    password: str = field(repr=False)


def parse_authorization(header: str | None) -> Credentials:
    """Parse the value of an ``Authorization`` header.

    Raises:
        RequestError: there are no credentials; the status is 401. The text never contains the header, because it is
            logged.
    """
    if header is None:
        raise RequestError("there is no Authorization header", 401)
    words = header.split()
    if len(words) < 2:
        raise RequestError("the Authorization header has no credentials after the scheme", 401)
    try:
        text = base64.b64decode(words[1], validate=True).decode("utf-8")
    except UnicodeDecodeError:
        # The original error contains the credentials, so do not chain it.
        raise RequestError("the credentials of the Authorization header are not UTF-8", 401) from None
    except (binascii.Error, ValueError):
        raise RequestError("the credentials of the Authorization header are not base64", 401) from None
    user, _, password = text.partition(":")
    return Credentials(user, password)


def format_authorization(user: str, password: str) -> str:
    """Write the value of an ``Authorization`` header.

    Raises:
        ValueError: the user contains a colon.
    """
    if ":" in user:
        raise ValueError("a user name in basic authentication cannot contain a colon")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
