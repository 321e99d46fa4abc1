"""Comments: keywords and comments that a site requires in its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from geventcore.plugins.cfg.info import InfoXML
from geventcore.plugins.cfg.plaintext import PlaintextGenerator
from geventcore.plugins.cfg.templates import CheetahGenerator, GenshiGenerator, Jinja2Generator
from geventcore.plugins.probes.files import OTHER_NAME
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind

#: Class of the handler -> the kind of the file in ``[Comments]``.
_CFG_KINDS = {
    PlaintextGenerator: "cfg",
    GenshiGenerator: "genshi",
    CheetahGenerator: "cheetah",
    Jinja2Generator: "jinja2",
    InfoXML: "infoxml",
}


class Comments(Check):
    """The keywords and comments that ``[Comments]`` requires."""

    name = "Comments"
    kinds = (
        Kind(
            "unexpanded-keywords",
            "warning",
            "A keyword is there, but version control has not expanded it.",
            "Turn on the expansion of keywords for the file, and check it out again.",
        ),
        Kind(
            "keywords-not-found",
            "warning",
            "A keyword that [Comments] requires is missing.",
            "Add the keyword in a comment.",
        ),
        Kind(
            "comments-not-found",
            "warning",
            "A comment that [Comments] requires is missing.",
            "Add the comment.",
        ),
        Kind(
            "broken-xinclude-chain",
            "warning",
            "Not all files that a file includes are in the list of files, so its comments are not checked.",
            "List the included files as well.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        plugins = self.site.plugins
        if "Bundler" in plugins:
            for path in self.site.bundle_files:
                yield from self._check_xml("genshibundler" if self.site.is_template(path) else "bundler", path)
        if "Properties" in plugins:
            for path in self.site.below("Properties", "*.xml"):
                yield from self._check_xml("properties", path)
        if "Metadata" in plugins:
            for path in (self.site.groups_file, self.site.clients_file):
                yield from self._check_metadata(path)
        if "Cfg" in plugins:
            for entry in self.site.cfg.entries.values():
                for file in entry.files:
                    kind = _CFG_KINDS.get(file.handler)
                    if kind == "infoxml":
                        yield from self._check_xml(kind, file.path)
                    elif kind is not None:
                        yield from self._check_text(kind, file.path)
        if "Probes" in plugins:
            for path in self.site.below("Probes", deep=False):
                if not OTHER_NAME.fullmatch(path.name) and not self.site.is_ignored(path.name):
                    yield from self._check_text("probes", path)

    def _check_metadata(self, path: Path) -> Iterator[Finding]:
        document = self.site.document(path)
        if self.site.listed is not None and path in self.site.listed:
            left_out = [self.site.relative(each) for each in document.direct if each not in self.site.listed]
            if left_out:
                message = f"{self.site.relative(path)} includes files that are not listed: {', '.join(left_out)}"
                yield self.found("broken-xinclude-chain", message, path)
                return
        yield from self._check_xml("metadata", path)

    def _check_xml(self, kind: str, path: Path) -> Iterator[Finding]:
        if not self.site.concerns(path):
            return
        root = self.site.document(path).root
        if root is not None:
            own = [each for each in root.iter(etree.Comment) if self.site.document(path).origin(each) == path]
            around = [*root.itersiblings(etree.Comment, preceding=True), *root.itersiblings(etree.Comment)]
            yield from self._check(kind, path, [each.text or "" for each in (*around, *own)])

    def _check_text(self, kind: str, path: Path) -> Iterator[Finding]:
        if self.site.concerns(path) and path.is_file():
            yield from self._check(kind, path, self.site.read(path).decode("utf-8", "replace").splitlines())

    def _required(self, kind: str, what: str) -> list[str]:
        """Return the global words and those of a kind. An empty setting of the kind lifts the global ones."""
        section = self.site.settings.section("Comments")
        own = section.get(f"{kind}_{what}")
        if own is not None and not own.strip():
            return []
        texts = (section.get(f"global_{what}", ""), own or "")
        return [word for text in texts for word in map(str.strip, text.split(",")) if word]

    def _check(self, kind: str, path: Path, lines: list[str]) -> Iterator[Finding]:
        keywords = self._required(kind, "keywords")
        text = "\n".join(lines)
        missing = [word for word in keywords if f"${word}:" not in text]
        unexpanded = [word for word in missing if f"${word}$" in text]
        absent = [word for word in missing if word not in unexpanded]
        where = self.site.relative(path)
        if unexpanded:
            yield self.found("unexpanded-keywords", f"{where}: keywords not expanded: {', '.join(unexpanded)}", path)
        if absent:
            yield self.found("keywords-not-found", f"{where}: keywords missing: {', '.join(absent)}", path)
        comments = [word for word in self._required(kind, "comments") if word not in text]
        if comments:
            yield self.found("comments-not-found", f"{where}: comments missing: {', '.join(comments)}", path)
