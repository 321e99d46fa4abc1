"""The scripts in ``Probes/``.

A file is called ``<name>[.H_<host>|.G<nn>_<group>]``; the name has letters, digits, ``_`` and ``-``. A priority that
has not exactly two digits makes the whole file name the name of the probe, as clients of such sites know it.
"""

from __future__ import annotations

import re
from pathlib import Path

from geventcore.errors import RepositoryError
from geventcore.filemonitor import EventHandler, FileEvent
from geventcore.specfiles.specificity import SUFFIX, Specificity
from geventcore.specfiles.xmltext import decode_text

#: Names of the files that are scripts.
SCRIPT_NAME = re.compile(rf"(?P<name>[0-9A-Za-z_-]+){SUFFIX}")
#: Names of files that are none and yet belong in the directory, or that editors leave behind.
OTHER_NAME = re.compile(r"probed\.xml.*|\..*|.*~|#.*#|.*\.(?:swp|swx|tmp)")

_TWO_DIGITS = re.compile(r"\.G\d\d_")

DEFAULT_INTERPRETER = "/bin/sh"


class ProbeFile(EventHandler):
    """One script.

    Attributes:
        path: the file.
        name: the probe's name.
        specificity: for whom it is.
        script: its text; None if it was never readable.
        interpreter: what runs it.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        match = SCRIPT_NAME.fullmatch(path.name)
        if match is None:
            raise RepositoryError(f"{path}: this is no name of a probe")
        self.path = path
        self.specificity = Specificity.of_match(match)
        counts_as_suffix = self.specificity.group is None or _TWO_DIGITS.search(path.name)
        self.name = match.group("name") if counts_as_suffix else path.name
        self.script: str | None = None
        self.interpreter = DEFAULT_INTERPRETER
        self._encoding = encoding

    def handle_event(self, event: FileEvent) -> None:
        """Read the script; `RepositoryError` if it is none, and the last good version stays."""
        try:
            data = self.path.read_bytes()
        except OSError as err:
            raise RepositoryError(f"{self.path}: this probe cannot be read: {err.strerror}") from err
        script = decode_text(data, self._encoding, self.path)
        first_line = script.partition("\n")[0]
        interpreter = first_line[2:].strip() if first_line.startswith("#!") else ""
        self.interpreter = interpreter or DEFAULT_INTERPRETER
        self.script = script

    def __repr__(self) -> str:
        return f"ProbeFile({self.path})"
