"""Where in a site's own code something went wrong, in one line: file, line, what, and what Python 2 had instead."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from types import TracebackType

import geventcore
from geventcore.errors import GeventcoreError

_OWN_FILES = str(Path(geventcore.__file__).parent)

#: Modules that Python 3 has under another name.
_MODULES = {
    "__builtin__": "builtins",
    "commands": "subprocess",
    "ConfigParser": "configparser",
    "cPickle": "pickle",
    "cStringIO": "io",
    "HTMLParser": "html.parser",
    "httplib": "http.client",
    "md5": "hashlib",
    "Queue": "queue",
    "sets": "set, which needs no module",
    "sha": "hashlib",
    "SocketServer": "socketserver",
    "StringIO": "io",
    "urllib2": "urllib.request and urllib.error",
    "urlparse": "urllib.parse",
    "xmlrpclib": "xmlrpc.client",
}
#: Builtin functions and types, and methods, that Python 3 does not have.
_NAMES = {
    "basestring": "str",
    "execfile": "exec",
    "file": "open",
    "has_key": "the operator in",
    "iteritems": "items",
    "iterkeys": "keys",
    "itervalues": "values",
    "long": "int",
    "raw_input": "input",
    "reduce": "functools.reduce",
    "reload": "importlib.reload",
    "unichr": "chr",
    "unicode": "str",
    "xrange": "range",
}
_MISSING_NAME = re.compile(r"(?:name|has no attribute) '(\w+)'")


def describe(err: BaseException) -> str:
    """``<file> line <n>: <type>: <text>``; errors that are raised on purpose speak for themselves."""
    if isinstance(err, GeventcoreError):
        return _one_line(str(err))
    if isinstance(err, SyntaxError) and err.filename:
        return f"{err.filename} line {err.lineno}: {type(err).__name__}: {err.msg}; Python 3 cannot read this file"
    where = location(err.__traceback__)
    text = _one_line(str(err))
    what = f"{type(err).__name__}: {text}" if text else type(err).__name__
    return f"{where}: {what}{_hint(err)}" if where else f"{what}{_hint(err)}"


def location(trace: TracebackType | None) -> str | None:
    """``<file> line <n>`` of the innermost place in site code (see `importing`), else in any code that is not ours."""
    found: tuple[str, bool] | None = None
    for frame, line in traceback.walk_tb(trace):
        filename = frame.f_code.co_filename
        if filename.startswith((_OWN_FILES, "<frozen importlib")):
            continue
        own_builtins = frame.f_globals.get("__builtins__")
        is_site_code = isinstance(own_builtins, dict) and "__site_code__" in own_builtins
        if is_site_code or found is None or not found[1]:
            found = (f"{filename} line {line}", is_site_code)
    return found[0] if found else None


def _hint(err: BaseException) -> str:
    if isinstance(err, ModuleNotFoundError) and err.name in _MODULES:
        return f" (a module of Python 2; Python 3 has {_MODULES[err.name]})"
    if isinstance(err, NameError | AttributeError):
        match = _MISSING_NAME.search(str(err))
        if match and match[1] in _NAMES:
            return f" (a name of Python 2; Python 3 has {_NAMES[match[1]]})"
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).strip()
