"""The scripts in ``Probes/``.

A file has the name ``<name>[.H_<host>|.G<nn>_<group>]``; ``<name>`` has letters, digits, ``_`` and ``-``. If the
priority does not have exactly two digits, the whole file name is the name of the probe, as in Bcfg2.
"""

from __future__ import annotations

import re
from pathlib import Path

from geventcore.errors import RepositoryError
from geventcore.filemonitor import EventHandler, FileEvent
from geventcore.plugin.specificity import SUFFIX, Specificity
from geventcore.regular_files import read_file
from geventcore.specfiles.xmltext import decode_text

#: The names of scripts.
SCRIPT_NAME = re.compile(rf"(?P<name>[0-9A-Za-z_-]+){SUFFIX}")
#: The names of other files that belong in the directory, and of files that editors leave behind.
OTHER_NAME = re.compile(r"probed\.xml.*|\..*|.*~|#.*#|.*\.(?:swp|swx|tmp)")

_TWO_DIGITS = re.compile(r"\.G\d\d_")

DEFAULT_INTERPRETER = "/bin/sh"


class ProbeFile(EventHandler):
    """One script.

    Attributes:
        path: the file.
        name: the probe's name.
        specificity: the clients that it is for.
        script: its text; None if no version of it was valid.
        interpreter: the program that runs it.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        match = SCRIPT_NAME.fullmatch(path.name)
        if match is None:
            raise RepositoryError(f"{path}: not a valid name of a probe")
        self.path = path
        self.specificity = Specificity.of_match(match)
        counts_as_suffix = self.specificity.group is None or _TWO_DIGITS.search(path.name)
        self.name = match.group("name") if counts_as_suffix else path.name
        self.script: str | None = None
        self.interpreter = DEFAULT_INTERPRETER
        self._encoding = encoding

    def handle_event(self, event: FileEvent) -> None:
        """Read the script; `RepositoryError` if it is invalid, and the last good version stays in use."""
        try:
            data = read_file(self.path)
        except OSError as err:
            raise RepositoryError(f"{self.path}: cannot read this probe: {err.strerror}") from err
        script = decode_text(data, self._encoding, self.path)
        first_line = script.partition("\n")[0]
        interpreter = first_line[2:].strip() if first_line.startswith("#!") else ""
        self.interpreter = interpreter or DEFAULT_INTERPRETER
        self.script = script

    def __repr__(self) -> str:
        return f"ProbeFile({self.path})"
