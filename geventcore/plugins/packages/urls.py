"""URLs that may hold a login."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit, urlunsplit

from geventcore.errors import RepositoryError


def split_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """The URL without user and password, and these; None if it has none. An ``@`` in the path belongs to the path.

    Raises `RepositoryError` about what is no URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError as err:
        raise RepositoryError(f"bad URL {url!r}: {err}") from err
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def public_url(url: str) -> str:
    """The URL without a login, for messages."""
    try:
        return split_login(url)[0]
    except RepositoryError:
        return url
