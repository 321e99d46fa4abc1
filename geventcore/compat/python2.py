"""``Bcfg2.Compat``: names that differ between Python 2 and 3, with their values of Python 3."""

from __future__ import annotations

import base64
import builtins
import configparser as ConfigParser  # noqa: N812 - the names that plugins use
import http.client as httplib
import pickle as cPickle  # noqa: N812
import pkgutil
import queue as Queue  # noqa: N812
import socketserver as SocketServer  # noqa: N812
import stat
import xmlrpc.client as xmlrpclib
import xmlrpc.server as SimpleXMLRPCServer  # noqa: N812
from ast import literal_eval
from collections import namedtuple
from collections.abc import MutableMapping
from email.utils import formatdate
from functools import reduce, total_ordering, wraps
from hashlib import md5
from io import StringIO
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote_plus, unquote, urljoin, urlparse
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    build_opener,
    install_opener,
    urlopen,
)

Empty = Queue.Empty
Full = Queue.Full
all = builtins.all
any = builtins.any
basestring = str
input = builtins.input
long = int
unicode = str
walk_packages = pkgutil.walk_packages

iter_modules = pkgutil.iter_modules


def b64encode(value: Any, **named: Any) -> Any:
    """Encode text to text, or bytes to bytes."""
    if isinstance(value, str):
        return base64.b64encode(value.encode("utf-8"), **named).decode("ascii")
    return base64.b64encode(value, **named)


def b64decode(value: Any, **named: Any) -> Any:
    """Decode text to text, or bytes to bytes; return bytes if text decodes to bytes that are not text."""
    decoded = base64.b64decode(value, **named)
    if isinstance(value, str):
        try:
            return decoded.decode("utf-8")
        except UnicodeDecodeError:
            return decoded
    return decoded


def cmp(left: Any, right: Any) -> int:
    """Compare two values; return -1, 0 or 1."""
    return int(left > right) - int(left < right)


def oct_mode(mode: int) -> str:
    """Return permission bits as an octal number without a prefix."""
    return f"{stat.S_IMODE(mode):o}"


def u_str(value: Any, encoding: str | None = None) -> str:
    """Convert a value to text."""
    return value.decode(encoding or "utf-8") if isinstance(value, bytes) else str(value)


class CmpMixin:
    """Comparisons from the method ``__cmp__`` of a class."""

    def __lt__(self, other: Any) -> bool:
        return bool(self.__cmp__(other) < 0)

    def __gt__(self, other: Any) -> bool:
        return bool(self.__cmp__(other) > 0)

    def __eq__(self, other: object) -> bool:
        return bool(self.__cmp__(other) == 0)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __ge__(self, other: Any) -> bool:
        return not self < other

    __hash__ = None  # type: ignore[assignment]  # as for every class that defines comparisons

    def __cmp__(self, other: Any) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not have the method __cmp__")


__all__ = [
    "CmpMixin",
    "ConfigParser",
    "Empty",
    "Full",
    "HTTPBasicAuthHandler",
    "HTTPError",
    "HTTPPasswordMgrWithDefaultRealm",
    "MutableMapping",
    "Queue",
    "SimpleXMLRPCServer",
    "SocketServer",
    "StringIO",
    "URLError",
    "all",
    "any",
    "b64decode",
    "b64encode",
    "basestring",
    "build_opener",
    "cPickle",
    "cmp",
    "formatdate",
    "httplib",
    "input",
    "install_opener",
    "iter_modules",
    "literal_eval",
    "long",
    "md5",
    "namedtuple",
    "oct_mode",
    "quote_plus",
    "reduce",
    "total_ordering",
    "u_str",
    "unicode",
    "unquote",
    "urljoin",
    "urlopen",
    "urlparse",
    "walk_packages",
    "wraps",
    "xmlrpclib",
]
