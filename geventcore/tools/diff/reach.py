"""The hosts that a change of files can touch. Only these are built; when in doubt, a host is built.

* A file that no configuration depends on, such as a script of Probes or a list of Decisions, touches nobody.
* A file of Metadata or GroupPatterns touches the hosts whose metadata differ between the sides.
* A bundle touches the hosts that have it, or a bundle that requires or includes it.
* A file of Cfg touches the hosts that have a bundle which names its path, or whose names are not fixed. If the file is
  for a host or group, it touches of these only that host or the members.
* Any other file touches every host.

Templates and plugins may read more than their own files. So these rules hold only on a site whose plugins are known,
and while no template reads files or the metadata of other hosts. Otherwise every host is built.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from geventcore.plugin.specificity import Specificity, parse_file_name
from geventcore.tools.diff.sides import HostFacts
from geventcore.tools.diff.trees import CREATORS, files_of

#: The plugins whose configurations depend on their own files and the client's metadata alone.
KNOWN_PLUGINS = frozenset(
    {
        *(
            "ACL",
            "Bundler",
            "Bzr",
            "Cfg",
            "Cvs",
            "Darcs",
            "Decisions",
            "DefaultACL",
            "Defaults",
            "FileProbes",
            "Fossil",
        ),
        *("Fossil", "Git", "GroupPatterns", "Hg", "Metadata", "POSIXCompat", "Probes", "Properties", "Reporting"),
        *("Rules", "ServiceCompat", "Svn", "TemplateHelper", "Trigger"),
    }
)
#: Directories on which no configuration depends.
_HARMLESS = frozenset({"ACL", "Decisions", "FileProbes", "Probes", "Reporting", "Trigger", "etc"})
#: With more changed files than this, finding out what they touch takes longer than building.
MOST_FILES = 300
_METADATA = frozenset({"Metadata", "GroupPatterns"})
_TEMPLATE_EXTENSIONS = frozenset({"genshi", "jinja2", "cheetah", "genshi_include", "jinja2_include", "newtxt", "py"})
#: Code that may read more than the template itself and the metadata of its host.
_READS_MORE = re.compile(
    rb"\b(?:repo|source_path|include|extends|import|open|read_text|read_bytes|subprocess|query|exec|eval|getattr)\b"
)
#: What makes the names of a bundle's entries unknown: expressions, patterns, code, and files from elsewhere.
_DYNAMIC_NAME = re.compile(
    rb"\bglob=|\$|<\?python|py:(?:attrs|match|def|replace|content)|\bhref=[\"'](?:/|[^\"'>]*(?:\.\.|[*?\[]))"
)
_REQUIRED = re.compile(rb"<RequiredBundle\b[^>]*\bname=[\"']([^\"']*)[\"']")


@dataclass(frozen=True)
class Reach:
    """The rule for one comparison: `hosts` applies it."""

    names: Sequence[str]
    trees: tuple[Path, Path]
    plugins: frozenset[str]

    @property
    def is_limited(self) -> bool:
        """True if fewer than all hosts may be touched."""
        return self.plugins <= KNOWN_PLUGINS and not any(self._reads_more(tree) for tree in self.trees)

    def hosts(
        self, hosts: Sequence[str], facts: Callable[[], tuple[Mapping[str, HostFacts], Mapping[str, HostFacts]]]
    ) -> list[str]:
        """Return the hosts that the changes can touch. `facts` is called if metadata matter."""
        names = [name for name in self.names if name.split("/")[0] not in _HARMLESS and "/" in name]
        if not names:
            return []
        if len(names) > MOST_FILES or not self.is_limited:
            return list(hosts)
        old, new = facts()
        touches = [self._test_of(name) for name in names]
        if None in touches:
            return list(hosts)
        found = []
        for host in hosts:
            sides = (old.get(host), new.get(host))
            if sides[0] is None or sides[1] is None or sides[0] != sides[1]:
                found.append(host)
                continue
            if any(touch is not None and touch(host, sides[1]) for touch in touches):
                found.append(host)
        return found

    def _test_of(self, name: str) -> Callable[[str, HostFacts], bool] | None:
        """Return a test for hosts with equal metadata on both sides; None if the file touches all."""
        top = name.split("/")[0]
        if top in _METADATA:
            return lambda _host, _facts: False
        if top == "Bundler" and name.endswith(".xml"):
            bundles = self._with_dependents({Path(name).stem})
            return lambda _host, facts: not bundles.isdisjoint(facts.bundles)
        if top == "Cfg":
            return self._test_of_file(name)
        return None

    def _test_of_file(self, name: str) -> Callable[[str, HostFacts], bool] | None:
        path = Path(name)
        if path.name in CREATORS or len(path.parts) < 3 or self._has_keys:
            return None
        bundles = self._with_dependents(self._naming(f"/{'/'.join(path.parts[1:-1])}"))
        parts = parse_file_name(path.name, path.parent.name)
        specificity = parts.specificity if parts is not None else Specificity()

        def touches(host: str, facts: HostFacts) -> bool:
            if specificity.hostname not in (None, host):
                return False
            if specificity.group is not None and specificity.group not in facts.groups:
                return False
            return not bundles.isdisjoint(facts.bundles)

        return touches

    @cached_property
    def _has_keys(self) -> bool:
        """True if files may be assembled from others."""
        return any(Path(name).name in ("authorizedkeys.xml", "authorized_keys.xml") for name in self._cfg_files())

    def _cfg_files(self) -> Iterable[str]:
        for tree in self.trees:
            if (tree / "Cfg").is_dir():
                yield from files_of(tree / "Cfg")

    @cached_property
    def _bundles(self) -> list[tuple[str, bytes]]:
        paths = [path for tree in self.trees for path in (tree / "Bundler").rglob("*") if path.is_file()]
        return [(path.stem, _content(path)) for path in paths]

    def _naming(self, path: str) -> set[str]:
        """Return the bundles that name a path of the client, or whose names are not fixed."""
        word = path.encode()
        return {name for name, data in self._bundles if word in data or _DYNAMIC_NAME.search(data)}

    def _with_dependents(self, names: set[str]) -> set[str]:
        """Return bundles with those that require or include them, at any depth."""
        found = set(names)
        size = -1
        while size != len(found):
            size = len(found)
            words = {name.encode() for name in found}
            for name, data in self._bundles:
                includes = b"include" in data and any(word in data for word in words)
                if includes or not words.isdisjoint(_REQUIRED.findall(data)):
                    found.add(name)
        return found

    @staticmethod
    def _reads_more(tree: Path) -> bool:
        """Return true if a template may read other files, or the metadata of other hosts."""
        for name in files_of(tree):
            path = tree / name
            if not _TEMPLATE_EXTENSIONS.isdisjoint(path.name.split(".")[1:]):
                data = _content(path)
                if path.suffix == ".crypt" or _READS_MORE.search(data):
                    return True
            elif path.suffix == ".xml" and name.split("/")[0] not in ("Metadata", "Probes"):
                data = _content(path)
                # Includes of XML files are looked for where they matter.
                if b"genshi.edgewall.org" in data and _READS_MORE.search(data.replace(b"xi:include", b"")):
                    return True
        return False


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
