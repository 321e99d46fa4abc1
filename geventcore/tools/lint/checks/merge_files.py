"""MergeFiles: files for different clients that are nearly the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from geventcore.plugins.cfg.encrypted import EncryptedGenerator
from geventcore.plugins.cfg.handlers import CfgGenerator
from geventcore.plugins.probes.files import OTHER_NAME
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind
from geventcore.tools.options import MERGE_THRESHOLD

#: Larger files are compared by lines: comparing characters takes minutes.
MOST_CHARACTERS = 8_000


class MergeFiles(Check):
    """Contents of one entry, and probes, that could be one file."""

    name = "MergeFiles"
    shards = 2
    kinds = (
        Kind("merge-cfg", "warning", "Contents of an entry are similar.", "Make one template of them."),
        Kind("identical-cfg", "error", "Contents of an entry are the same.", "Keep one file for all of these clients."),
        Kind("merge-probes", "warning", "Probes are similar.", "Make one probe of them."),
        Kind("identical-probes", "error", "Probes are the same.", "Keep one of the probes."),
    )

    def run(self) -> Iterator[Finding]:
        if "Cfg" in self.site.plugins:
            entries = list(self.site.cfg.entries.values())
            for entry in entries[self.shard :: self.shards]:
                files = [
                    file.path
                    for file in entry.of_kind(CfgGenerator)
                    if file.handler.is_specific and not issubclass(file.handler, EncryptedGenerator)
                ]
                yield from self._compare(files, "cfg", f"Path:{entry.name}")
        if "Probes" in self.site.plugins and self.shard == 0:
            files = [
                path
                for path in self.site.below("Probes", deep=False)
                if not OTHER_NAME.fullmatch(path.name) and not self.site.is_ignored(path.name) and path.is_file()
            ]
            yield from self._compare(files, "probes", "")

    def _compare(self, files: Sequence[Path], what: str, entry: str) -> Iterator[Finding]:
        if len(files) < 2:
            return
        texts = {path: self._text(path) for path in files}
        left = [(path, text) for path, text in texts.items() if text is not None]
        threshold = self.site.settings[MERGE_THRESHOLD]
        limit = threshold / 100 if threshold > 1 else threshold
        while left:
            (path, text), *others = left
            identical = [other for other, its_text in others if its_text == text]
            similar = [other for other, its in others if its != text and _is_similar(text, its, limit)]
            for name, group in ((f"identical-{what}", identical), (f"merge-{what}", similar)):
                if group:
                    word = "identical" if group is identical else "similar"
                    listing = ", ".join(self.site.relative(each) for each in (path, *group))
                    where = f" of {entry.removeprefix('Path:')}" if entry else ""
                    yield self.found(name, f"{word} files{where}: {listing}", path, entry, others=group)
            left = [each for each in others if each[0] not in identical and each[0] not in similar]

    def _text(self, path: Path) -> str | None:
        """Return the text of a file, None if it is binary."""
        data = self.site.read(path)
        if b"\0" in data:
            return None
        try:
            return data.decode(self.site.encoding)
        except UnicodeDecodeError:
            return None


def _is_similar(one: str, other: str, limit: float) -> bool:
    first: Sequence[str] = one
    second: Sequence[str] = other
    if max(len(one), len(other)) > MOST_CHARACTERS:
        first, second = one.splitlines(), other.splitlines()
    matcher = SequenceMatcher(None, first, second)
    return matcher.real_quick_ratio() > limit and matcher.quick_ratio() > limit and matcher.ratio() > limit
