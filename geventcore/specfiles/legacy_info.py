"""The files ``:info`` and ``info`` of Bcfg2 1.3: attributes of a file, one ``key: value`` a line.

Every line that is neither blank nor a comment (``#``) must have a known key, because a skipped line would give a file
the wrong owner or mode. The value is the first word after the colon; a key without a value keeps the default.
"""

from __future__ import annotations

import re
from pathlib import Path

from geventcore.errors import RepositoryError
from geventcore.regular_files import read_file

#: The names of the files.
NAMES = (":info", "info")

_KEYS = ("owner", "group", "mode", "secontext", "paranoid", "sensitive", "encoding", "important", "mtime")
#: Key of Bcfg2 1.2 -> key of 1.3.
_OLD_KEYS = {"perms": "mode"}
_LINE = re.compile(r"\s*(?P<key>\w+)\s*:\s*(?P<value>\S*)")


def parse_info(path: Path) -> tuple[tuple[str, str], ...]:
    """Read the attributes in a file: pairs of name and value.

    A mode of three digits gets a leading zero, as in Bcfg2. `RepositoryError` names the file, and the line of an
    unknown key.
    """
    try:
        text = read_file(path).decode("utf-8")
    except OSError as err:
        raise RepositoryError(f"{path}: cannot be read: {err.strerror}") from err
    except UnicodeDecodeError as err:
        raise RepositoryError(f"{path}: not UTF-8 text: {err}") from err
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        key = _OLD_KEYS.get(match["key"], match["key"]) if match else ""
        if match is None or key not in _KEYS:
            raise RepositoryError(
                f"{path}: line {number}: {line.strip()!r} is not `key: value` with one of the keys {', '.join(_KEYS)}"
            )
        if match["value"]:
            found[key] = match["value"]
    if len(found.get("mode", "")) == 3:
        found["mode"] = f"0{found['mode']}"
    return tuple(found.items())
